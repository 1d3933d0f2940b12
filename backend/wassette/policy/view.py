"""A policy as `policy get` and the `get-policy` tool show it.

The documented `permissions` object (the allow lists, flattened) and the program's `status` and
`policy_info`, in one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_KINDS = ("storage", "network", "environment")


def policy_found(
    component_id: str,
    path: Path,
    document: Mapping[str, Any] | None,
    notes: tuple[str, ...],
    roots: Mapping[str, Path],
) -> dict[str, Any]:
    """`document`: the policy as data, None when there is none. `notes`: what is not applied.
    `roots`: the directories that named roots are bound to."""
    bound = {"roots": {name: str(one) for name, one in roots.items()}} if roots else {}
    if document is None:
        return {"status": "no policy found", "component_id": component_id, **bound}
    permissions = document.get("permissions") or {}
    shown: dict[str, Any] = {}
    denied: dict[str, Any] = {}
    for kind, section in permissions.items():
        if kind in _KINDS and isinstance(section, Mapping):
            shown[kind] = section.get("allow") or []
            if section.get("deny"):
                denied[kind] = section["deny"]
        elif section is not None:
            shown[kind] = section
    if denied:
        shown["deny"] = denied
    found: dict[str, Any] = {
        "status": "policy found",
        "component_id": component_id,
        "permissions": shown,
        "policy_info": {
            "policy_id": f"{component_id}-policy",
            "source_uri": path.as_uri(),
            "local_path": str(path),
            "created_at": int(path.stat().st_mtime),
        },
        **bound,
    }
    if notes:
        found["not_applied"] = list(notes)
    return found
