"""Requests and decisions ⇄ JSON-able data: for digests, and for the record on disk.

What is read is checked for its shape; what does not fit is `ValueError`.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from wassette.policy import Access, EnvironmentRule, NetworkRule, StorageRule
from wassette.policy.network import NetworkTarget

from .model import (
    ApprovalRequest,
    BundledRules,
    Choice,
    Client,
    Component,
    Decision,
    EnvironmentAccess,
    LoadAsked,
    MemoryRule,
    NetworkAccess,
    PermissionAsked,
    ResetAsked,
    Rule,
    Scope,
    StorageAccess,
    Subject,
    Surface,
    UnloadAsked,
    What,
)

Data = dict[str, Any]


def encode_rule(rule: Rule | None) -> Data | None:
    match rule:
        case None:
            return None
        case StorageRule(uri, access):
            return {"kind": "storage", "uri": uri, "access": sorted(access)}
        case NetworkRule(host, cidr, methods):
            return {"kind": "network", "host": host, "cidr": cidr, "methods": list(methods)}
        case EnvironmentRule(key, inject):
            # One that injects is made by editing the policy only.
            if inject is not None:
                raise ValueError("a rule that injects cannot be asked for")
            return {"kind": "environment", "key": key}
        case MemoryRule(limit):
            return {"kind": "memory", "limit": limit}
        case BundledRules(text):
            return {"kind": "bundled", "text": text}


def decode_rule(data: Any) -> Rule | None:
    if data is None:
        return None
    data = _data(data)
    match data.get("kind"):
        case "storage":
            return StorageRule(_str(data["uri"]), frozenset(Access(a) for a in data["access"]))
        case "network":
            methods = tuple(_str(one) for one in data["methods"])
            return NetworkRule(_opt(data["host"]), _opt(data["cidr"]), methods)
        case "environment":
            return EnvironmentRule(_str(data["key"]))
        case "memory":
            return MemoryRule(_str(data["limit"]))
        case "bundled":
            return BundledRules(_str(data["text"]))
    raise ValueError("not a rule")


def encode_subject(subject: Subject) -> Data:
    data: Data = {"kind": subject.kind}
    match subject:
        case NetworkAccess(target, address):
            parts = {one.name: getattr(target, one.name) for one in fields(target)}
            data |= {"target": parts, "address": address}
        case StorageAccess():
            data |= {one.name: getattr(subject, one.name) for one in fields(subject)}
        case EnvironmentAccess(key):
            data |= {"key": key}
        case PermissionAsked(rule):
            data |= {"rule": encode_rule(rule)}
        case LoadAsked(reference, digest):
            data |= {"reference": reference, "digest": digest}
        case UnloadAsked() | ResetAsked():
            pass
    return data


def decode_subject(value: Any) -> Subject:
    data = _data(value)
    match data.get("kind"):
        case "network":
            parts = _data(data["target"])
            target = NetworkTarget(
                _str(parts["scheme"]),
                _str(parts["host"]),
                _int(parts["port"]),
                _str(parts["path"]),
                _str(parts["method"]),
            )
            return NetworkAccess(target, _opt(data["address"]))
        case "storage":
            if not isinstance(data["root"], bool):
                raise ValueError("not a subject")
            access, what = Access(data["access"]), What(data["what"])
            return StorageAccess(_str(data["path"]), access, what, data["root"])
        case "environment":
            return EnvironmentAccess(_str(data["key"]))
        case "load":
            return LoadAsked(_str(data["reference"]), _opt(data["digest"]))
        case "unload":
            return UnloadAsked()
        case "reset":
            return ResetAsked()
    rule = decode_rule(data["rule"])
    if rule is None or data.get("kind") != PermissionAsked(rule).kind:
        raise ValueError("not a subject")
    return PermissionAsked(rule)


def encode_request(request: ApprovalRequest) -> Data:
    component, client = request.component, request.client
    return {
        "format": 1,
        "nonce": request.nonce,
        "subject": encode_subject(request.subject),
        "component": component and {"id": component.id, "digest": component.digest},
        "client": {one.name: getattr(client, one.name) for one in fields(client)},
        "call": request.call,
        "tool": request.tool,
        "arguments": request.arguments,
        "arguments_digest": request.arguments_digest,
        "text": request.text,
        "choices": [
            {"rule": encode_rule(one.rule), "text": one.text, "warning": one.warning}
            for one in request.choices
        ],
        "default": request.default,
        "scopes": list(request.scopes),
        "created": request.created,
        "expires": request.expires,
    }


def decode_request(value: Any) -> ApprovalRequest:
    """Raises `ValueError`. Whether the digest is the expected one is for the caller to see."""
    try:
        data = _data(value)
        if type(data["format"]) is not int or data["format"] != 1:  # True == 1.0 == 1
            raise ValueError("another format")
        component, client = data["component"], _data(data["client"])
        return ApprovalRequest(
            nonce=_str(data["nonce"]),
            subject=decode_subject(data["subject"]),
            component=component and Component(_str(component["id"]), _str(component["digest"])),
            client=Client(**{one.name: _str(client[one.name]) for one in fields(Client)}),
            call=_str(data["call"]),
            tool=_str(data["tool"]),
            arguments=_str(data["arguments"]),
            arguments_digest=_str(data["arguments_digest"]),
            text=_str(data["text"]),
            choices=tuple(
                Choice(decode_rule(one["rule"]), _str(one["text"]), _str(one["warning"]))
                for one in data["choices"]
            ),
            default=_int(data["default"]),
            scopes=tuple(Scope(one) for one in data["scopes"]),
            created=_int(data["created"]),
            expires=_int(data["expires"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a request: {error!r}") from None


def encode_decision(decision: Decision) -> Data:
    return {
        "allow": decision.allow,
        "digest": decision.digest,
        "scope": decision.scope,
        "rule": encode_rule(decision.rule),
        "by": decision.by,
        "at": decision.at,
        "reason": decision.reason,
    }


def decode_decision(value: Any) -> Decision:
    """Raises `ValueError`."""
    try:
        data = _data(value)
        allow, by = data["allow"], data["by"]
        if not isinstance(allow, bool) or (allow and by is None):
            raise ValueError("not a decision")
        return Decision(
            allow=allow,
            digest=_str(data["digest"]),
            scope=Scope(data["scope"]),
            rule=decode_rule(data["rule"]),
            by=None if by is None else Surface(by),
            at=_int(data["at"]),
            reason=_str(data["reason"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a decision: {error!r}") from None


def _data(value: Any) -> Data:
    if not isinstance(value, dict):
        raise ValueError("an object is missing")
    return value


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text is missing")
    return value


def _opt(value: Any) -> str | None:
    return None if value is None else _str(value)


def _int(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("a number is missing")
    return value
