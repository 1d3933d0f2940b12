"""Wassette's own tools: names, schemas and answers as in Wassette; an agent may ask, not grant.

What widens a permission or brings in code (`grant-*`, `load-component`) answers that a person has
to do it, with the exact command, unless the host was started with `--allow-agent-grants`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import mcp_types as types
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from wassette.asking import Caller, StillWaiting
from wassette.components import sources
from wassette.components.remote import HttpsReference, OciReference, parse_remote
from wassette.config import Approvals
from wassette.errors import InvalidArguments, NeedsPerson, PolicyError, WassetteError, visible
from wassette.policy import Access, EnvironmentRule, NetworkRule, PolicyStatus, StorageRule
from wassette.policy.view import policy_found
from wassette.recording import Call
from wassette.toolset import BUILTIN_NAMES

from .results import error_result, text_result

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wassette.answers import Client, Loaded, Progress
    from wassette.approvals.model import Component, Fact, Rule, Subject
    from wassette.asking import Answer, Dialog
    from wassette.components.remote import Remote
    from wassette.host import Host
    from wassette.session import Session

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
    run: Callable[[Builtins, Arguments, Asker], Awaitable[types.CallToolResult]]
    validator: Draft202012Validator


@dataclass(frozen=True)
class Asker:
    """Who calls, and how a person can be asked for them."""

    client: Client | None
    session: Session
    progress: Progress | None = None
    dialog: Dialog | None = None
    person: str = ""
    """Whoever has the same comes back for the same question."""


class Builtins:
    """The built-in tools over one host."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def tools(self) -> list[types.Tool]:
        return [one.tool for one in _BUILTINS.values()]

    async def call(self, name: str, arguments: Arguments, asker: Asker) -> types.CallToolResult:
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
            return await builtin.run(self, arguments, asker)
        except WassetteError as error:
            return error_result(error)

    # -- components ----------------------------------------------------------------------------

    async def load(self, a: Arguments, asker: Asker) -> types.CallToolResult:
        path = a["path"]
        command = _command("component", "load", path)
        if asker.session.agent_grants:
            await self._refuse_inheritance(path)
            return _loaded(await self.host.load(path, asker.progress, by_person=False))
        if asker.session.approvals == Approvals.DENY.value or asker.client is None:
            raise NeedsPerson(_only_a_person(f"load the component {visible(path)}", command))
        remote = parse_remote(path)
        if remote is not None:
            return await self._fetch_and_load(remote, a, asker)
        from wassette.approvals.model import LoadAsked

        digest = await self.host.digest_of(path)
        component = self.host.loaded(sources.locate(path).id)
        if component is not None and component.digest == digest:
            self.host.asking.forget(_key("load-component", a, asker, LoadAsked(path, digest)))
            return _loaded(await self.host.load(path, asker.progress, digest=digest))
        known = await self.host.prospect(path, digest)

        async def act(_: Answer) -> types.CallToolResult:
            if self.host.loaded(sources.locate(path).id) != component:
                raise NeedsPerson("Another component was loaded under this id meanwhile: ask again")
            # What is different was in the question, if it had room for it.
            loaded = await self.host.load(
                path, asker.progress, digest=digest, seen=known.complete, accept_change=True
            )
            return _loaded(loaded, await self._ask_for_wanted(loaded, a, asker))

        subject = LoadAsked(path, digest)
        return await self._ask(
            "load-component", a, asker, subject, component, act, known.notes, known.facts
        )

    async def _ask_for_wanted(
        self, loaded: Loaded, arguments: Arguments, asker: Asker
    ) -> Answer | None:
        """What a component came with is a question of its own."""
        if not loaded.wanted:
            return None
        assert asker.client is not None
        call = Call("load-component", loaded.record.id, loaded.record.digest, asker.client)
        caller = Caller(asker.client, call, arguments, asker.progress, asker.dialog)
        return await self.host.ask_for_wanted(loaded.record.id, caller)

    async def _fetch_and_load(
        self, remote: Remote, a: Arguments, asker: Asker
    ) -> types.CallToolResult:
        """Nothing is fetched, and no name is resolved, before a person has allowed it: an agent
        could send what it knows to wherever it likes, or knock at doors within.

        So what is allowed is where from; bytes only where the reference names them. Whatever comes
        begins without permissions: those of a component that was there wait for a person.
        """
        from wassette.approvals.model import LoadAsked

        digest = remote.digest if isinstance(remote, HttpsReference) else None
        before = self.host.loaded(remote.id)
        notes = [
            f"it is fetched from {_server(remote)} when you allow it, and not before",
            "its reference names the bytes: no others are loaded"
            if remote.pinned
            else "what is there can change at any time: its bytes are not known yet",
        ]
        if before is not None:
            notes.append(f"{before.id} is loaded already; this takes its place")
            if self.host.policies.read(before.id).status is not PolicyStatus.ABSENT:
                notes.append(
                    f"the permissions of {before.id} wait until you have seen what is different: "
                    "load it at a terminal, which shows it"
                )

        async def act(_: Answer) -> types.CallToolResult:
            if self.host.loaded(remote.id) != before:
                raise NeedsPerson("Another component was loaded under this id meanwhile: ask again")
            # What it gave before, and who signed that, nobody was shown: then it is refused.
            loaded = await self.host.load(str(remote), asker.progress, digest=digest)
            return _loaded(loaded, await self._ask_for_wanted(loaded, a, asker))

        subject = LoadAsked(str(remote), digest)
        facts = self.host.facts_unfetched()
        return await self._ask("load-component", a, asker, subject, before, act, notes, facts)

    async def _refuse_inheritance(self, path: str) -> None:
        """An agent could write a component of its own under the name of one that was granted
        something, and load it to have its permissions."""
        component_id = sources.locate(path).id
        if self.host.policies.read(component_id).status is not PolicyStatus.ABSENT:
            raise NeedsPerson(
                f"Component '{component_id}' has permissions. Only a person can replace it. "
                f"Ask the user to run:\n  {_command('component', 'load', path)}"
            )

    async def unload(self, a: Arguments, asker: Asker) -> types.CallToolResult:
        component_id = a["id"]

        async def act(_: Answer | None) -> types.CallToolResult:
            await self.host.unload(component_id)
            return text_result({"status": "component unloaded successfully", "id": component_id})

        try:
            if self.host.store.is_disabled(component_id):
                # Loaded again, it would be enabled.
                command = _command("component", "unload", component_id)
                raise NeedsPerson(_only_a_person(f"remove {component_id}, as disabled", command))
            if not self._asks(asker):
                return await act(None)
            from wassette.approvals.model import UnloadAsked

            component = await self._component(component_id)
            return await self._ask("unload-component", a, asker, UnloadAsked(), component, act)
        except (NeedsPerson, StillWaiting):
            raise
        except WassetteError as error:
            message = f"Failed to unload component: {error}"
            failed = {"status": "error", "message": message, "id": component_id}
            return text_result(failed, is_error=True)

    async def list_components(self, _a: Arguments, _: Asker) -> types.CallToolResult:
        toolset = self.host.tools()
        components = [state.listed(toolset.of(state.id)) for state in self.host.components()]
        return text_result({"components": components, "total": len(components)})

    async def search(self, a: Arguments, _: Asker) -> types.CallToolResult:
        found = await self.host.fetching.catalog()
        from wassette.registry import catalog  # by now it is there

        entries = catalog.search(found.entries, str(a.get("query", "")))
        return text_result(
            {
                "status": "Component list found",
                "components": [entry.to_json() for entry in entries],
            }
        )

    # -- permissions ---------------------------------------------------------------------------

    async def get_policy(self, a: Arguments, _: Asker) -> types.CallToolResult:
        view = self.host.policy(a["component_id"])
        if view.error is not None:
            raise PolicyError(f"{view.error}. The component runs without permissions until then.")
        found = policy_found(view.component_id, view.path, view.document, view.notes, view.roots)
        return text_result(found)

    async def grant_storage(self, a: Arguments, asker: Asker) -> types.CallToolResult:
        component_id, details = a["component_id"], a["details"]
        uri, access = details["uri"], details["access"]
        command = ("storage", component_id, uri, "--access", ",".join(access))
        return await self._grant(
            "grant-storage-permission",
            a,
            asker,
            lambda: StorageRule(uri, frozenset(map(Access, access))),
            lambda: self.host.grant_storage(component_id, uri, access),
            command,
        )

    async def grant_network(self, a: Arguments, asker: Asker) -> types.CallToolResult:
        component_id, host = a["component_id"], a["details"]["host"]
        return await self._grant(
            "grant-network-permission",
            a,
            asker,
            lambda: NetworkRule(host),
            lambda: self.host.grant_network(component_id, host),
            ("network", component_id, host),
        )

    async def grant_environment(self, a: Arguments, asker: Asker) -> types.CallToolResult:
        component_id, key = a["component_id"], a["details"]["key"]
        command = ("environment-variable", component_id, key)

        async def grant() -> None:
            self._refuse_secret(component_id, key)
            await self.host.grant_environment(component_id, key)

        if self._asks(asker):
            self.host.policy(component_id)  # it exists
            self._refuse_secret(component_id, key)
        return await self._grant(
            "grant-environment-variable-permission",
            a,
            asker,
            lambda: EnvironmentRule(key),
            grant,
            command,
        )

    def _refuse_secret(self, component_id: str, key: str) -> None:
        if self.host.has_secret(component_id, key):
            # It could have been bound to hosts, until the agent took that permission away.
            command = _command("permission", "grant", "environment-variable", component_id, key)
            raise NeedsPerson(
                f"{visible(key)} is a secret of {component_id}, which only a person can give it. "
                f"Ask the user to run:\n  {command} --inject-host HOST"
            )

    async def _grant(
        self,
        tool: str,
        a: Arguments,
        asker: Asker,
        rule: Callable[[], Rule],
        grant: Callable[[], Awaitable[None]],
        command: tuple[str, ...],
    ) -> types.CallToolResult:
        """Give a permission, if it may be, or ask for it."""
        component_id, details = a["component_id"], a["details"]
        kind = tool.removeprefix("grant-").removesuffix("-permission").replace("-", " ")
        self.host.policy(component_id)  # it exists
        if not self._asks(asker):
            if not asker.session.agent_grants:
                words = _command("permission", "grant", *command)
                raise NeedsPerson(_only_a_person(f"give {component_id} this permission", words))
            await grant()
            return _granted(component_id, kind, details)
        from wassette.approvals.choices import rule_text
        from wassette.approvals.model import PermissionAsked

        wanted = rule()
        if self.host.has_rule(component_id, wanted):
            self.host.asking.forget(_key(tool, a, asker, PermissionAsked(wanted)))
            return _granted(component_id, kind, details)
        component = await self._component(component_id)

        async def act(answer: Answer) -> types.CallToolResult:
            given = rule_text(answer.rule) if answer.rule is not None else ""
            return _granted(component_id, kind, details, given, str(answer.scope or ""))

        return await self._ask(tool, a, asker, PermissionAsked(wanted), component, act)

    async def revoke_storage(self, a: Arguments, _: Asker) -> types.CallToolResult:
        component_id, uri = a["component_id"], a["details"]["uri"]
        if not await self.host.revoke_storage(component_id, uri):
            raise _nothing_to_revoke(component_id, uri)
        message = "All access (read and write) to the specified URI has been revoked"
        status = "permission revoked successfully"
        answer = {"status": status, "component_id": component_id, "uri": uri, "message": message}
        return text_result(answer)

    async def revoke_network(self, a: Arguments, _: Asker) -> types.CallToolResult:
        if not await self.host.revoke_network(a["component_id"], a["details"]["host"]):
            raise _nothing_to_revoke(a["component_id"], a["details"]["host"])
        return _revoked(a["component_id"], "network", a["details"])

    async def revoke_environment(self, a: Arguments, _: Asker) -> types.CallToolResult:
        if not await self.host.revoke_environment(a["component_id"], a["details"]["key"]):
            raise _nothing_to_revoke(a["component_id"], a["details"]["key"])
        return _revoked(a["component_id"], "environment variable", a["details"])

    async def reset(self, a: Arguments, asker: Asker) -> types.CallToolResult:
        component_id = a["component_id"]

        async def act(_: Answer | None) -> types.CallToolResult:
            await self.host.reset_permissions(component_id)
            return text_result(
                {"status": "permissions reset successfully", "component_id": component_id}
            )

        if not self._asks(asker):
            return await act(None)
        from wassette.approvals.model import ResetAsked

        component = await self._component(component_id)
        return await self._ask("reset-permission", a, asker, ResetAsked(), component, act)

    # -- asking a person -----------------------------------------------------------------------

    @staticmethod
    def _asks(asker: Asker) -> bool:
        return asker.client is not None and asker.session.approvals == Approvals.ASK.value

    async def _component(self, component_id: str) -> Component:
        from wassette.approvals.model import Component

        record = await self.host.component(component_id)
        return Component(record.id, record.digest)

    async def _ask(
        self,
        tool: str,
        arguments: Arguments,
        asker: Asker,
        subject: Subject,
        component: Component | None,
        act: Callable[[Answer], Awaitable[types.CallToolResult]],
        notes: Iterable[str] = (),
        facts: Iterable[Fact] = (),
    ) -> types.CallToolResult:
        """`act` once a person has allowed it, also if whoever asked is not there any more."""
        host = self.host
        assert asker.client is not None
        about = (component.id, component.digest) if component is not None else ("", "")
        call = Call(tool, *about, asker.client)
        caller = Caller(asker.client, call, arguments, asker.progress, asker.dialog)

        async def work() -> types.CallToolResult:
            answer = await host.asking.ask(subject, component, caller, notes, facts)
            if not answer.allowed:
                raise NeedsPerson(f"This was not allowed: {answer.reason}")
            host.changed()
            return await act(answer)

        wait = host.settings.approval_wait
        if asker.dialog is not None:
            wait = host.settings.approval_timeout + 1
        return await host.asking.act(_key(tool, arguments, asker, subject), caller, work, wait)


def _key(tool: str, arguments: Arguments, asker: Asker, subject: Subject) -> object:
    """What has to be the same for two calls to be about one question."""
    return asker.person, tool, json.dumps(arguments, sort_keys=True, default=str), subject


def _server(remote: Remote) -> str:
    where = remote.registry if isinstance(remote, OciReference) else urlsplit(remote.url).netloc
    return visible(where, 300)


def _only_a_person(what: str, command: str) -> str:
    return f"Only a person can {what}. Ask the user to run:\n  {command}"


def _loaded(loaded: Loaded, answer: Answer | None = None) -> types.CallToolResult:
    """`answer`: what a person said to the permissions that it came with."""
    word = "reloaded" if loaded.replaced else "loaded"
    found: dict[str, Any] = {
        "status": f"component {word} successfully",
        "id": loaded.record.id,
        "tools": list(loaded.tools),
    }
    if loaded.remarks:
        found["remarks"] = list(loaded.remarks)
    if loaded.wanted:
        found["asks_for"] = list(loaded.wanted)
        found["granted"] = answer is not None and answer.allowed
    return text_result(found)


def _granted(
    component_id: str, kind: str, details: Arguments, given: str = "", scope: str = ""
) -> types.CallToolResult:
    """`given`: the rule that a person chose, and for how long."""
    found = {
        "status": "permission granted successfully",
        "component_id": component_id,
        "permission_type": kind,
        "details": details,
    }
    return text_result({**found, "granted": given, "for": scope} if given else found)


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
    run: Callable[[Builtins, Arguments, Asker], Awaitable[types.CallToolResult]],
    *,
    read_only_hint: bool = False,
    destructive_hint: bool = False,
    idempotent_hint: bool = False,
    open_world_hint: bool = False,
) -> Builtin:
    annotations = types.ToolAnnotations(
        read_only_hint=read_only_hint,
        destructive_hint=destructive_hint,
        idempotent_hint=idempotent_hint,
        open_world_hint=open_world_hint,
    )
    tool = types.Tool(
        name=name, description=description, input_schema=schema, annotations=annotations
    )
    return Builtin(tool, run, Draft202012Validator(schema))


_ASKS = "Only a person can do this: they are asked."
_BUILTINS: dict[str, Builtin] = {
    one.tool.name: one
    for one in (
        _define(
            "load-component",
            "Loads a WebAssembly component, whose functions then are tools. Give its path or a "
            "reference such as file:///path/to/component.wasm, oci://ghcr.io/org/tool:1.0, "
            f"https://example.com/tool.wasm or starter:toolbox. {_ASKS}",
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
