"""Components as MCP resources.

wassette://components/{id}          what it is, its tools, its policy
wassette://components/{id}/policy   what it may do, as `get-policy` shows it
wassette://components/{id}/wit      its world, as WIT text
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from wassette.errors import ComponentError, ComponentNotFound, WassetteError, visible
from wassette.policy.view import policy_found

if TYPE_CHECKING:
    from wassette.answers import ComponentState
    from wassette.host import Host

_BASE = "wassette://components/"
_URI = re.compile(re.escape(_BASE) + r"([a-z0-9][a-z0-9._-]{0,127})(/policy|/wit)?", re.ASCII)
_NOT_FOUND = -32002
"""The code of the handshake era; later it is that of wrong parameters (SEP-2164)."""
_JSON, _TEXT = "application/json", "text/plain"


def uris(component_id: str) -> tuple[str, ...]:
    """All resources of a component."""
    return tuple(f"{_BASE}{component_id}{part}" for part in ("", "/policy", "/wit"))


class Resources:
    """The resources of one host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def listed(self) -> list[types.Resource]:
        return [_listed(state) for state in self._host.components()]

    def templates(self) -> list[types.ResourceTemplate]:
        return [
            types.ResourceTemplate(
                uri_template=f"{_BASE}{{id}}{part}", name=name, description=text, mime_type=kind
            )
            for part, name, text, kind in (
                ("", "component", "A component: what it is, its tools, its policy", _JSON),
                ("/policy", "policy", "What a component is permitted to do", _JSON),
                ("/wit", "wit", "A component's world: what it exports and imports, as WIT", _TEXT),
            )
        ]

    async def read(self, uri: str, protocol_version: str) -> types.TextResourceContents:
        """Raises `MCPError` when there is no such resource."""
        found = _URI.fullmatch(uri)
        try:
            if found is None:
                raise ComponentNotFound(uri)
            component_id, part = found[1], found[2]
            if part == "/policy":
                kind, text = _JSON, _pretty(self._policy(component_id))
            elif part == "/wit":
                kind, text = _TEXT, await self._wit(component_id)
            else:
                kind, text = _JSON, _pretty(await self._component(component_id))
        except ComponentNotFound:
            modern = protocol_version in MODERN_PROTOCOL_VERSIONS
            raise MCPError(
                types.INVALID_PARAMS if modern else _NOT_FOUND,
                f"Resource not found: {visible(uri)}. resources/list has those that there are",
                {"uri": uri},
            ) from None
        return types.TextResourceContents(uri=uri, mime_type=kind, text=text)

    def complete(self, start: str) -> list[str]:
        """The ids that begin so."""
        return [one for one in self._host.store.ids() if one.startswith(start)]

    async def _component(self, component_id: str) -> dict[str, Any]:
        shown: dict[str, Any] = {"id": component_id, "state": "ready"}
        try:
            record = await self._host.component(component_id)
        except ComponentNotFound:
            raise
        except WassetteError as error:
            return {**shown, "state": "unusable", "error": str(error)}
        if self._host.store.is_disabled(component_id):
            shown["state"] = "disabled"
        tools = self._host.tools().of(component_id)
        shown |= {
            "digest": f"sha256:{record.digest}",
            "source": record.source,
            "loaded_at": int(record.loaded_at),
            "description": record.description,
            "tools": [tool.schema() for tool in tools],
            "imports": list(record.imports),
            "producers": dict(record.producers),
            "policy": self._policy(component_id),
        }
        unavailable = {f.base_name: f.unavailable for f in record.functions if f.unavailable}
        if unavailable:
            shown["not_tools"] = unavailable
        return shown

    def _policy(self, component_id: str) -> dict[str, Any]:
        return shown_policy(self._host, component_id)

    async def _wit(self, component_id: str) -> str:
        try:
            record = await self._host.component(component_id)
        except ComponentNotFound:
            raise
        except ComponentError as error:
            return f"// not known: {error}\n"
        if record.wit is None:
            return (
                "// not known: an earlier version of Wassette examined this component.\n"
                f"// Load it again: wassette component load {visible(record.source)}\n"
            )
        return record.wit


def shown_policy(host: Host, component_id: str) -> dict[str, Any]:
    """A policy as `get-policy` shows it; a broken one with what is wrong. Raises
    `ComponentNotFound`."""
    view = host.policy(component_id)
    if view.error is not None:
        return {
            "status": "policy cannot be read",
            "component_id": component_id,
            "error": view.error,
        }
    return policy_found(view.component_id, view.path, view.document, view.notes, view.roots)


def _listed(state: ComponentState) -> types.Resource:
    record = state.record
    if record is None:
        text = f"Cannot be used: {state.error}"
    else:
        text = record.description or f"A component with {len(record.tools)} tools"
    return types.Resource(
        uri=f"{_BASE}{state.id}", name=state.id, description=text, mime_type=_JSON
    )


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
