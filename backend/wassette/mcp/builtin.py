"""Wassette's own tools: names, schemas and answers as in Wassette; an agent may ask, not grant.

What widens a permission or brings in code (`grant-*`, `load-component`) answers that a person has
to do it, with the exact command, unless the host was started with `--allow-agent-grants`.
"""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mcp_types as types
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from wassette.components import sources
from wassette.errors import InvalidArguments, NeedsPerson, PolicyError, WassetteError, visible
from wassette.policy import PolicyStatus
from wassette.policy.view import policy_found
from wassette.toolset import BUILTIN_NAMES

from .results import error_result, text_result

if TYPE_CHECKING:
    from wassette.answers import Progress
    from wassette.host import Host

Arguments = Mapping[str, Any]
_COMPONENT_ID = {"type": "string", "description": "The id of the component"}


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    optional = {name for name, schema in properties.items() if schema.get("x-optional")}
    return {
        "type": "object",
        "properties": {
            name: {key: value for key, value in schema.items() if key != "x-optional"}
            for name, schema in properties.items()
        },
        "required": [name for name in properties if name not in optional],
    }


def _details(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {**_object(**properties), "additionalProperties": False}


_URI = {
    "type": "string",
    "description": "fs:// and the path, e.g. fs:///home/me/notes or fs:///home/me/**/*.md",
}
_ACCESS = {"type": "array", "items": {"type": "string", "enum": ["read", "write"]}}
_HOST = {"type": "string", "description": "The host, e.g. api.example.com or localhost:8080"}
_KEY = {"type": "string", "description": "The name of the environment variable"}


@dataclass(frozen=True)
class Builtin:
    """One of Wassette's own tools."""

    tool: types.Tool
    run: Callable[[Builtins, Arguments, Progress | None], Awaitable[types.CallToolResult]]
    validator: Draft202012Validator


class Builtins:
    """The built-in tools over one host."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def tools(self) -> list[types.Tool]:
        return [one.tool for one in _BUILTINS.values()]

    async def call(
        self, name: str, arguments: Arguments, progress: Progress | None
    ) -> types.CallToolResult:
        """Run one. Whatever goes wrong is in the result."""
        builtin = _BUILTINS[name]
        try:
            wrong = best_match(builtin.validator.iter_errors(dict(arguments)))
            if wrong is not None:
                where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in wrong.path)
                path = f"{where.lstrip('.')}: " if where else ""
                raise InvalidArguments(
                    f"Invalid arguments for {name}: {path}{visible(wrong.message)}"
                )
            return await builtin.run(self, arguments, progress)
        except WassetteError as error:
            return error_result(error)

    # -- components ----------------------------------------------------------------------------

    async def load(self, a: Arguments, progress: Progress | None) -> types.CallToolResult:
        path = a["path"]
        self.host.require_person(
            f"load the component {visible(path)}", _command("component", "load", path)
        )
        await self._refuse_inheritance(path)
        loaded = await self.host.load(path, progress)
        word = "reloaded" if loaded.replaced else "loaded"
        return text_result(
            {
                "status": f"component {word} successfully",
                "id": loaded.record.id,
                "tools": list(loaded.tools),
            }
        )

    async def _refuse_inheritance(self, path: str) -> None:
        """An agent could write a component of its own under the name of one that was granted
        something, and load it to have its permissions."""
        component_id = sources.locate(path).id
        if self.host.policies.read(component_id).status is not PolicyStatus.ABSENT:
            raise NeedsPerson(
                f"Component '{component_id}' has permissions. Only a person can replace it. "
                f"Ask the user to run:\n  {_command('component', 'load', path)}"
            )

    async def unload(self, a: Arguments, _: Progress | None) -> types.CallToolResult:
        component_id = a["id"]
        try:
            await self.host.unload(component_id)
        except WassetteError as error:
            message = f"Failed to unload component: {error}"
            failed = {"status": "error", "message": message, "id": component_id}
            return text_result(failed, is_error=True)
        return text_result({"status": "component unloaded successfully", "id": component_id})

    async def list_components(self, _a: Arguments, _: Progress | None) -> types.CallToolResult:
        toolset = self.host.tools()
        components = [state.listed(toolset.of(state.id)) for state in self.host.components()]
        return text_result({"components": components, "total": len(components)})

    async def search(self, a: Arguments, _: Progress | None) -> types.CallToolResult:
        words = str(a.get("query", "")).lower().split()
        found = []
        for name in sources.starters():
            uri = f"starter:{name}"
            score = sum(100 * (w == name) + 20 * (w in name) + 5 * (w in uri) for w in words)
            if score or not words:
                found.append(
                    {"name": name, "description": "Comes with Wassette; works offline", "uri": uri}
                )
        return text_result({"status": "Component list found", "components": found})

    # -- permissions ---------------------------------------------------------------------------

    async def get_policy(self, a: Arguments, _: Progress | None) -> types.CallToolResult:
        view = self.host.policy(a["component_id"])
        if view.error is not None:
            raise PolicyError(f"{view.error}. The component runs without permissions until then.")
        found = policy_found(view.component_id, view.path, view.document, view.notes, view.roots)
        return text_result(found)

    async def grant_storage(self, a: Arguments, _: Progress | None) -> types.CallToolResult:
        component_id, details = a["component_id"], a["details"]
        access = ",".join(details["access"])
        self._person("storage", component_id, details["uri"], "--access", access)
        await self.host.grant_storage(component_id, details["uri"], details["access"])
        return _granted(component_id, "storage", details)

    async def grant_network(self, a: Arguments, _: Progress | None) -> types.CallToolResult:
        self._person("network", a["component_id"], a["details"]["host"])
        await self.host.grant_network(a["component_id"], a["details"]["host"])
        return _granted(a["component_id"], "network", a["details"])

    async def grant_environment(self, a: Arguments, _: Progress | None) -> types.CallToolResult:
        component_id, key = a["component_id"], a["details"]["key"]
        self._person("environment-variable", component_id, key)
        if self.host.has_secret(component_id, key):
            # It could have been bound to hosts, until the agent took that permission away.
            command = _command("permission", "grant", "environment-variable", component_id, key)
            raise NeedsPerson(
                f"{visible(key)} is a secret of {component_id}, which only a person can give it. "
                f"Ask the user to run:\n  {command} --inject-host HOST"
            )
        await self.host.grant_environment(component_id, key)
        return _granted(component_id, "environment variable", a["details"])

    async def revoke_storage(self, a: Arguments, _: Progress | None) -> types.CallToolResult:
        component_id, uri = a["component_id"], a["details"]["uri"]
        if not await self.host.revoke_storage(component_id, uri):
            raise _nothing_to_revoke(component_id, uri)
        message = "All access (read and write) to the specified URI has been revoked"
        status = "permission revoked successfully"
        answer = {"status": status, "component_id": component_id, "uri": uri, "message": message}
        return text_result(answer)

    async def revoke_network(self, a: Arguments, _: Progress | None) -> types.CallToolResult:
        if not await self.host.revoke_network(a["component_id"], a["details"]["host"]):
            raise _nothing_to_revoke(a["component_id"], a["details"]["host"])
        return _revoked(a["component_id"], "network", a["details"])

    async def revoke_environment(self, a: Arguments, _: Progress | None) -> types.CallToolResult:
        if not await self.host.revoke_environment(a["component_id"], a["details"]["key"]):
            raise _nothing_to_revoke(a["component_id"], a["details"]["key"])
        return _revoked(a["component_id"], "environment variable", a["details"])

    async def reset(self, a: Arguments, _: Progress | None) -> types.CallToolResult:
        await self.host.reset_permissions(a["component_id"])
        return text_result(
            {"status": "permissions reset successfully", "component_id": a["component_id"]}
        )

    def _person(self, kind: str, component_id: str, *rest: str) -> None:
        self.host.policy(component_id)  # it exists
        self.host.require_person(
            f"give {component_id} this permission",
            _command("permission", "grant", kind, component_id, *rest),
        )


def _granted(component_id: str, kind: str, details: Arguments) -> types.CallToolResult:
    return text_result(
        {
            "status": "permission granted successfully",
            "component_id": component_id,
            "permission_type": kind,
            "details": details,
        }
    )


def _revoked(component_id: str, kind: str, details: Arguments) -> types.CallToolResult:
    return text_result(
        {
            "status": "permission revoked",
            "component_id": component_id,
            "permission_type": kind,
            "details": details,
        }
    )


def _nothing_to_revoke(component_id: str, what: str) -> PolicyError:
    return PolicyError(
        f"'{component_id}' has no permission for {visible(what)}; get-policy shows what it has"
    )


def _command(*words: str) -> str:
    # What an agent wrote is quoted for the shell, and no character of it is invisible.
    return shlex.join(["wassette", *(visible(word, 2000) for word in words)])


def _define(
    name: str,
    description: str,
    schema: dict[str, Any],
    run: Callable[[Builtins, Arguments, Progress | None], Awaitable[types.CallToolResult]],
    *,
    read_only_hint: bool = False,
    destructive_hint: bool = False,
    idempotent_hint: bool = False,
) -> Builtin:
    annotations = types.ToolAnnotations(
        read_only_hint=read_only_hint,
        destructive_hint=destructive_hint,
        idempotent_hint=idempotent_hint,
        open_world_hint=False,
    )
    tool = types.Tool(
        name=name, description=description, input_schema=schema, annotations=annotations
    )
    return Builtin(tool, run, Draft202012Validator(schema))


_ASKS = "Only a person can do this: the answer says how to ask."
_BUILTINS: dict[str, Builtin] = {
    one.tool.name: one
    for one in (
        _define(
            "load-component",
            "Loads a WebAssembly component, whose functions then are tools. Give its path or a "
            f"reference such as file:///path/to/component.wasm or starter:toolbox. {_ASKS}",
            _object(path={"type": "string", "description": "Path or reference of the component"}),
            Builtins.load,
        ),
        _define(
            "unload-component",
            "Removes a component with its tools and permissions.",
            _object(id={"type": "string", "description": "The id of the component"}),
            Builtins.unload,
            destructive_hint=True,
            idempotent_hint=True,
        ),
        _define(
            "list-components",
            "Lists the loaded components with their tools.",
            _object(),
            Builtins.list_components,
            read_only_hint=True,
        ),
        _define(
            "get-policy",
            "Shows what a component is permitted to do.",
            _object(component_id=_COMPONENT_ID),
            Builtins.get_policy,
            read_only_hint=True,
        ),
        _define(
            "grant-storage-permission",
            "Lets a component read or write a directory, a file, or what a pattern matches. "
            f"{_ASKS}",
            _object(component_id=_COMPONENT_ID, details=_details(uri=_URI, access=_ACCESS)),
            Builtins.grant_storage,
        ),
        _define(
            "grant-network-permission",
            f"Lets a component connect to a host. {_ASKS}",
            _object(component_id=_COMPONENT_ID, details=_details(host=_HOST)),
            Builtins.grant_network,
        ),
        _define(
            "grant-environment-variable-permission",
            f"Lets a component read an environment variable. {_ASKS}",
            _object(component_id=_COMPONENT_ID, details=_details(key=_KEY)),
            Builtins.grant_environment,
        ),
        _define(
            "revoke-storage-permission",
            "Takes all access to a directory back from a component.",
            _object(component_id=_COMPONENT_ID, details=_details(uri=_URI)),
            Builtins.revoke_storage,
            destructive_hint=True,
        ),
        _define(
            "revoke-network-permission",
            "Takes access to a host back from a component.",
            _object(component_id=_COMPONENT_ID, details=_details(host=_HOST)),
            Builtins.revoke_network,
            destructive_hint=True,
        ),
        _define(
            "revoke-environment-variable-permission",
            "Takes access to an environment variable back from a component.",
            _object(component_id=_COMPONENT_ID, details=_details(key=_KEY)),
            Builtins.revoke_environment,
            destructive_hint=True,
        ),
        _define(
            "reset-permission",
            "Takes all permissions back from a component.",
            _object(component_id=_COMPONENT_ID),
            Builtins.reset,
            destructive_hint=True,
            idempotent_hint=True,
        ),
        _define(
            "search-components",
            "Searches for components that can be loaded. Without a query: all of them.",
            _object(
                query={"type": "string", "description": "Words to look for", "x-optional": True}
            ),
            Builtins.search,
            read_only_hint=True,
        ),
    )
}
assert tuple(_BUILTINS) == BUILTIN_NAMES
