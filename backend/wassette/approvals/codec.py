"""Requests and decisions ⇄ JSON-able data: for digests, and for the record on disk.

What is read is checked for its shape; what does not fit is `ValueError`.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from wassette.plain import a_text, an_integer, an_object
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
    data = an_object(data)
    match data.get("kind"):
        case "storage":
            return StorageRule(a_text(data["uri"]), frozenset(Access(a) for a in data["access"]))
        case "network":
            methods = tuple(a_text(one) for one in data["methods"])
            return NetworkRule(_opt(data["host"]), _opt(data["cidr"]), methods)
        case "environment":
            return EnvironmentRule(a_text(data["key"]))
        case "memory":
            return MemoryRule(a_text(data["limit"]))
        case "bundled":
            return BundledRules(a_text(data["text"]))
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
    data = an_object(value)
    match data.get("kind"):
        case "network":
            parts = an_object(data["target"])
            target = NetworkTarget(
                a_text(parts["scheme"]),
                a_text(parts["host"]),
                an_integer(parts["port"]),
                a_text(parts["path"]),
                a_text(parts["method"]),
            )
            return NetworkAccess(target, _opt(data["address"]))
        case "storage":
            if not isinstance(data["root"], bool):
                raise ValueError("not a subject")
            access, what = Access(data["access"]), What(data["what"])
            return StorageAccess(a_text(data["path"]), access, what, data["root"])
        case "environment":
            return EnvironmentAccess(a_text(data["key"]))
        case "load":
            return LoadAsked(a_text(data["reference"]), _opt(data["digest"]))
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
        data = an_object(value)
        if type(data["format"]) is not int or data["format"] != 1:  # True == 1.0 == 1
            raise ValueError("another format")
        component, client = data["component"], an_object(data["client"])
        return ApprovalRequest(
            nonce=a_text(data["nonce"]),
            subject=decode_subject(data["subject"]),
            component=component and Component(a_text(component["id"]), a_text(component["digest"])),
            client=Client(**{one.name: a_text(client[one.name]) for one in fields(Client)}),
            call=a_text(data["call"]),
            tool=a_text(data["tool"]),
            arguments=a_text(data["arguments"]),
            arguments_digest=a_text(data["arguments_digest"]),
            text=a_text(data["text"]),
            choices=tuple(
                Choice(decode_rule(one["rule"]), a_text(one["text"]), a_text(one["warning"]))
                for one in data["choices"]
            ),
            default=an_integer(data["default"]),
            scopes=tuple(Scope(one) for one in data["scopes"]),
            created=an_integer(data["created"]),
            expires=an_integer(data["expires"]),
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
        data = an_object(value)
        allow, by = data["allow"], data["by"]
        if not isinstance(allow, bool) or (allow and by is None):
            raise ValueError("not a decision")
        return Decision(
            allow=allow,
            digest=a_text(data["digest"]),
            scope=Scope(data["scope"]),
            rule=decode_rule(data["rule"]),
            by=None if by is None else Surface(by),
            at=an_integer(data["at"]),
            reason=a_text(data["reason"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a decision: {error!r}") from None


def _opt(value: Any) -> str | None:
    return None if value is None else a_text(value)
