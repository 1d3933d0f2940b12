"""A request as a person will see it: one question, and what there is to know, a line each.

What Wassette says and what others wrote cannot be taken for each other: theirs is in “ and ”, on
one line, and holds no quote (`text`). What the decision is about is shown in full, or not asked.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from typing import TYPE_CHECKING, Any

from wassette.errors import NotAskable, visible
from wassette.plain import arguments_of
from wassette.policy.requested import Requested

from .choices import MAX_NAME, choices, describe, scopes
from .model import (
    ApprovalRequest,
    BundledRules,
    Client,
    EnvironmentAccess,
    LoadAsked,
    NetworkAccess,
    PermissionAsked,
    StorageAccess,
    Subject,
    UnloadAsked,
    canonical,
)
from .text import in_ascii, lookalikes, quoted, show_arguments, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .model import Choice, Component, Fact, Rule

TIMEOUT = 300.0
"""Seconds for which a person is waited for."""

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SHORT_DIGEST = 12
_MAX_NOTES, _MAX_FACT = 20, 2000


def compose(
    subject: Subject,
    component: Component | None,
    client: Client,
    *,
    call: str,
    tool: str,
    arguments: Any = None,
    facts: Iterable[Fact] = (),
    notes: Iterable[str] = (),
    secret_values: Iterable[str] = (),
    other_ids: Iterable[str] = (),
    home: str | None = None,
    enforceable: Callable[[Rule], bool] = lambda _: True,
    timeout: float = TIMEOUT,
    now: float | None = None,
) -> ApprovalRequest:
    """Raises `NotAskable` if a person cannot be asked for this; it is then denied.

    `call` is the random id of the call that waits. `arguments`: an object, or its JSON text as
    bytes. `facts`: what is known of a component that is to be loaded. `notes`: more that a person
    should know, in the words of others. `other_ids`: of the
    components that there are, to tell of one that looks the same. `home`, `enforceable`: see
    `choices`. `timeout` in seconds; `now` as `time.time()`.
    """
    _check(subject, component)
    client = Client(
        shown(client.name, 60),
        shown(client.version, 30),
        shown(client.transport, 20),
        client.session,
    )
    offered = choices(subject, home=home, enforceable=enforceable)
    created = int((time.time() if now is None else now) * 1000)
    arguments_shown = ""
    if arguments is not None:
        arguments_shown = show_arguments(arguments_of(arguments), secret_values)
    details = [
        *_about(subject),
        *_who(component, other_ids),
        *((label, visible(fact, _MAX_FACT)) for label, fact in facts),
        ("Tool", quoted(tool)),
        *([("Arguments", f"“{arguments_shown}”")] if arguments_shown else []),
        ("Asked by", f"“{client.name}” “{client.version}” over “{client.transport}”"),
        *(("Note", quoted(note, 500)) for note in list(notes)[:_MAX_NOTES]),
    ]
    lines = [_question(subject, component), *(f"  {label}: {value}" for label, value in details)]
    return ApprovalRequest(
        nonce=secrets.token_hex(16),
        subject=subject,
        component=component,
        client=client,
        call=call,
        tool=shown(tool),
        arguments=arguments_shown,
        arguments_digest=_digest_of(arguments),
        text="\n".join(lines),
        choices=offered.options,
        default=offered.default,
        scopes=scopes(subject),
        created=created,
        expires=created + int(timeout * 1000),
    )


def choice_lines(options: Sequence[Choice], default: int) -> list[str]:
    """The choices, numbered, as a list shows them; the default has a star."""
    return [
        f"{'*' if index == default else ' '} {index + 1}. {one.text}"
        + (f" (careful: {one.warning})" if one.warning else "")
        for index, one in enumerate(options)
    ]


def _check(subject: Subject, component: Component | None) -> None:
    if component is not None and not (
        _ID.fullmatch(component.id) and _DIGEST.fullmatch(component.digest)
    ):
        raise NotAskable(f"'{visible(component.id)}' is not a component that can be asked about")
    if component is None and not isinstance(subject, LoadAsked):
        raise NotAskable("there is no component that this could be asked for")
    for name in _names(subject):
        if len(shown(name, MAX_NAME * 10)) > MAX_NAME:
            raise NotAskable(
                f"{quoted(name, 60)} is too long to be shown in full, so nobody is asked"
            )


def _names(subject: Subject) -> list[str]:
    """What a decision is about, all of which has to be seen."""
    match subject:
        case StorageAccess(path):
            return [path]
        case NetworkAccess(target):
            return [target.host, target.method]
        case EnvironmentAccess(key):
            return [key]
        case PermissionAsked(BundledRules(text)):
            return list(Requested(text).lines())
        case PermissionAsked(rule):
            return [describe(rule)]
        case LoadAsked(reference):
            return [reference]
        case _:
            return []


def _question(subject: Subject, component: Component | None) -> str:
    who = f"component {component.id}" if component else ""
    match subject:
        case NetworkAccess(target, None):
            return f"Allow {who} to send {shown(target.method)} to {shown(target.host, MAX_NAME)}?"
        case NetworkAccess(target, str(address)):
            name = shown(target.host, MAX_NAME)
            return f"Allow {who} to reach {shown(address)}, where {name} leads?"
        case StorageAccess(path, access):
            return f"Allow {who} to {access.value} {quoted(path, MAX_NAME)}?"
        case EnvironmentAccess(key):
            return f"Allow {who} to see the environment variable {quoted(key, MAX_NAME)}?"
        case PermissionAsked(BundledRules()):
            return f"Give {who} the permissions that it came with?"
        case PermissionAsked(rule):
            return f"Give {who} the permission {describe(rule)}?"
        case LoadAsked(reference):
            return f"Load a component from {quoted(reference, MAX_NAME)}?"
        case UnloadAsked():
            return f"Remove {who}, with its tools and permissions?"
        case _:
            return f"Take all permissions back from {who}?"


def _about(subject: Subject) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    match subject:
        case NetworkAccess(target):
            found.append(("Request", f"{shown(target.method)} {quoted(target.shown, MAX_NAME)}"))
            unicode = _unicode_name(target.host)
            if unicode is not None:
                found.append(("In other letters", quoted(unicode)))
        case LoadAsked(_, digest):
            found.append(("Bytes", f"sha256 {digest}" if digest else "not looked at yet"))
        case PermissionAsked(rule):
            if isinstance(rule, BundledRules):
                found += [("Asks for", quoted(one, MAX_NAME)) for one in _names(subject)]
            found.append(("For", "every call, not only this one"))
        case _:
            pass
    for name in _names(subject):
        as_code = in_ascii(name)
        if as_code is not None:
            found.append(("Not ASCII", quoted(as_code, 8 * MAX_NAME)))
    return found


def _unicode_name(host: str) -> str | None:
    if "xn--" not in host:
        return None
    try:
        return ".".join(
            label[4:].encode().decode("punycode") if label.startswith("xn--") else label
            for label in host.split(".")
        )
    except (UnicodeError, ValueError, OverflowError):
        return None


def _who(component: Component | None, other_ids: Iterable[str]) -> list[tuple[str, str]]:
    if component is None:
        return []
    found = [("Component", f"{component.id}, sha256 {component.digest[:_SHORT_DIGEST]}…")]
    same = lookalikes(component.id, other_ids)
    if same:
        names = ", ".join(visible(one) for one in same[:5])
        found.append(("Careful", f"{component.id} is not {names}, which looks like it"))
    return found


def _digest_of(arguments: Any) -> str:
    try:
        data = arguments if isinstance(arguments, bytes) else canonical(arguments)
    except (ValueError, TypeError, RecursionError):
        data = repr(arguments).encode("utf-8", "surrogatepass")
    return hashlib.sha256(data).hexdigest()
