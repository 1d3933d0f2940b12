"""A policy's permissions in a few words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wassette.errors import visible

# Where the documents' plural stands for one thing each, and the key that names it.
_NAMED = {"storage": ("uri",), "network": ("host", "cidr"), "environment": ("key",)}


def rows(permissions: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(kind, what, access or value) of a `permissions` object as `policy get` shows it."""
    found = list(_lists(permissions, ""))
    denied = permissions.get("deny")
    if isinstance(denied, Mapping):
        found += _lists(denied, "deny ")
    for kind, section in permissions.items():
        if kind != "deny" and kind not in _NAMED:
            found += _leaves(kind, section, kind)
    return found


def _lists(sections: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str, str]]:
    for kind, keys in _NAMED.items():
        for rule in sections.get(kind) or ():
            what = next((str(rule[key]) for key in keys if key in rule), "")
            yield prefix + kind, what, _extra(rule)


def _extra(rule: Mapping[str, Any]) -> str:
    inject = rule.get("inject")
    if isinstance(inject, Mapping):
        hosts = inject.get("host")
        return f"for {', '.join(map(str, hosts)) if isinstance(hosts, list) else hosts} only"
    return ", ".join(map(str, rule.get("access") or rule.get("methods") or ()))


def _leaves(kind: str, value: Any, path: str) -> list[tuple[str, str, str]]:
    if isinstance(value, Mapping):
        return [row for key, one in value.items() for row in _leaves(kind, one, f"{path}.{key}")]
    what = path.removeprefix(f"{kind}.").removeprefix("limits.")
    return [] if value is None else [(kind, what, str(value))]


def names(document: Mapping[str, Any] | None, kind: str) -> list[str]:
    """What a policy document allows of one kind, as written."""
    section = _permissions(document).get(kind)
    allow = section.get("allow") if isinstance(section, Mapping) else None
    return [what for _, what, _ in _lists({kind: allow}, "")]


def summary(document: Mapping[str, Any] | None) -> str:
    """What a policy document allows: `storage fs:///a (read), network b`. Empty for nothing."""
    words = []
    permissions = _permissions(document)
    for kind in _NAMED:
        section = permissions.get(kind)
        allow = section.get("allow") if isinstance(section, Mapping) else None
        for _, what, access in _lists({kind: allow}, ""):
            words.append(f"{kind} {visible(what)}" + (f" ({visible(access)})" if access else ""))
    return ", ".join(words)


def _permissions(document: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return (document or {}).get("permissions") or {}
