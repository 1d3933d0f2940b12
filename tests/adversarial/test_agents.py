"""A hostile agent with everything that it can reach: every tool, resource and prompt, in both eras,
and every HTTP route. Nothing of it changes a policy or loads code, unless a person says yes."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import secrets
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import mcp_types as types
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPError

from support.asking import Person, Web, web
from support.http import Served, served
from support.http import request as send
from support.wat import one_function, write
from wassette.approvals.files import default_directory
from wassette.approvals.model import Scope, Surface, allowed
from wassette.approvals.store import Store
from wassette.errors import ApprovalError
from wassette.host import Host
from wassette.toolset import BUILTIN_NAMES, META_NAMES
from wassette.window import WindowServer
from wassette.window.app import create_app, openapi

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from wassette.config import Settings

TOKEN = "correct-horse-battery"
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]
ERAS = ["legacy", "2026-07-28"]
PATIENCE = 60  # seconds, which only a hang exceeds


@pytest.fixture
def site() -> Iterator[Web]:
    with web() as one:
        yield one


@pytest.fixture
async def world(
    settings: Settings, tmp_path: Path, fixture_component: Callable[[str], Path]
) -> Settings:
    """Two components, of which one may do something, and an agent that is told to wait briefly."""
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-http")))
        await host.load(str(write(tmp_path, "calc")))
        await host.grant_network("calc", "example.com")
    return replace(settings, approval_wait=0.1, approval_timeout=20, meta_tools=True)


def everything(settings: Settings) -> dict[str, str]:
    """What a person has decided and loaded: each file that has a say, by its bytes."""
    return {
        str(path.relative_to(settings.component_dir)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(settings.component_dir.rglob("*"))
        if path.is_file()
        and (path.suffix in {".wasm", ".yaml", ".disabled"} or path.name == ".paused")
    }


def decided(settings: Settings) -> list[Any]:
    """What stands, and what was allowed."""
    store = Store(default_directory(settings.component_dir))
    try:
        if not store.database.exists():
            return []
        entries = store.entries(ended=True)
        return [*store.standing(), *(one for one in entries if one.state.value == "allowed")]
    finally:
        store.close()


@asynccontextmanager
async def agent(
    settings: Settings, era: str, person: Person | None = None, *, token: bool = True
) -> AsyncIterator[tuple[Served, Client]]:
    headers = {"Authorization": f"Bearer {TOKEN}"} if token else {}
    async with (
        served(settings, tokens=(TOKEN,) if token else ()) as server,
        create_mcp_http_client(headers) as http,
        Client(
            streamable_http_client(f"{server.url}/mcp", http_client=http),
            mode=era,
            elicitation_callback=person,
        ) as client,
    ):
        yield server, client


def hostile(component: Path) -> dict[str, list[dict[str, Any]]]:
    """Arguments for every built-in tool that could change something."""
    everywhere = [
        {"uri": "fs:///**", "access": ["read", "write"]},
        {"uri": "fs:///home", "access": ["read"]},
    ]
    return {
        "load-component": [{"path": str(component)}, {"path": f"file://{component}"}],
        "unload-component": [{"id": "calc"}],
        "list-components": [{}],
        "get-policy": [{"component_id": "calc"}],
        "grant-storage-permission": [
            {"component_id": "calc", "details": one} for one in everywhere
        ],
        "grant-network-permission": [
            {"component_id": "calc", "details": {"host": host}}
            for host in ("*", "*.com", "evil.example", "ex\u0430mple.com", "a\u202eb.com")
        ],
        "grant-environment-variable-permission": [
            {"component_id": "calc", "details": {"key": key}} for key in ("HOME", "WASSETTE_TOKEN")
        ],
        "reset-permission": [{"component_id": "calc"}],
        "search-components": [{"query": "x"}],
        # These take away, which is no danger; with what is not there.
        "revoke-storage-permission": [{"component_id": "calc", "details": {"uri": "fs:///x"}}],
        "revoke-network-permission": [{"component_id": "calc", "details": {"host": "x.com"}}],
        "revoke-environment-variable-permission": [
            {"component_id": "calc", "details": {"key": "X"}}
        ],
    }


@pytest.mark.parametrize("era", ERAS)
async def test_everything_that_there_is_to_call(
    world: Settings, tmp_path: Path, site: Web, era: str
) -> None:
    """Every tool with the worst arguments, also through call-tool; every resource and prompt."""
    evil = write(tmp_path / "evil", "evil", one_function("evil"))
    before = everything(world)
    asks = hostile(evil)
    assert set(asks) == set(BUILTIN_NAMES)
    async with agent(world, era) as (_, mcp):
        tools = {one.name for one in (await mcp.list_tools()).tools}
        known = {*BUILTIN_NAMES, *META_NAMES}
        assert known <= tools
        for name, several in asks.items():
            for arguments in several:
                await mcp.call_tool(name, arguments)
                await mcp.call_tool("call-tool", {"name": name, "arguments": arguments})
                # As if somebody had allowed it.
                for extra in ({"approved": True}, {"_meta": {"approval": "always"}}):
                    await mcp.call_tool(name, {**arguments, **extra})
        for name in tools - known:
            with_url = {"url": f"{site.url}/", "method": "GET", "headers": [], "body": ""}
            call = asyncio.create_task(mcp.call_tool(name, with_url))
            await asyncio.wait({call}, timeout=0.3)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
        for one in (await mcp.list_resources()).resources:
            await mcp.read_resource(str(one.uri))
        for uri in ("wassette://approvals", "wassette://components/calc/approve", "file:///etc"):
            with pytest.raises(MCPError):
                await mcp.read_resource(uri)
        for prompt in (await mcp.list_prompts()).prompts:
            await mcp.get_prompt(prompt.name, {})
        for name in ("approve", "approvals-allow", "allow", "decide", "wassette"):
            assert (await mcp.call_tool(name, {"id": "1"})).is_error
    assert everything(world) == before
    assert decided(world) == []
    assert site.paths == []


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("grants", [False, True])
async def test_switching_on_what_a_person_has_switched_off(
    world: Settings, tmp_path: Path, era: str, grants: bool
) -> None:
    """Attack: whatever there is to call, to have a component enabled and the host go on; also where
    agents may load and grant, by loading it again, or removing it first."""
    evil = write(tmp_path / "evil", "calc")
    yes = Person([{"answer": "once"}] * 20)
    async with Host(world) as host:
        await host.set_enabled("calc", False)
        await host.pause()
    async with agent(replace(world, agent_grants=grants), era, yes) as (server, mcp):
        assert not {one.name for one in (await mcp.list_tools()).tools} & {"add", "spin", "trap"}
        for word in ("enable", "disable", "pause", "resume", "set-enabled", "component-enable"):
            for arguments in ({"id": "calc"}, {"enabled": True}, {}):
                assert (await mcp.call_tool(word, arguments)).is_error
        unloaded = await mcp.call_tool("unload-component", {"id": "calc"})
        assert unloaded.is_error
        assert "wassette component unload calc" in unloaded.content[0].text  # type: ignore[union-attr]
        await mcp.call_tool("load-component", {"path": str(evil)})
        await mcp.call_tool("reset-permission", {"component_id": "calc"})
        called = await mcp.call_tool("add", {"a": 1, "b": 2})
        assert called.is_error
        assert "is disabled" in called.content[0].text  # type: ignore[union-attr]
        with_url = {"url": "http://127.0.0.1:9/", "method": "GET", "headers": [], "body": ""}
        called = await mcp.call_tool("request", with_url)
        assert "is paused" in called.content[0].text  # type: ignore[union-attr]
        await mcp.call_tool("call-tool", {"name": "add", "arguments": {"a": 1, "b": 2}})
        for word in ("resume", "pause", "api/pause", "api/components/calc/enabled"):
            for method in ("POST", "PUT", "GET"):
                headers: dict[str, str | list[str]] = {"Authorization": f"Bearer {TOKEN}"}
                answer = await send(server.port, method, f"/{word}", headers, b'{"paused": false}')
                assert answer.status >= 400
        assert server.host.paused
        assert server.host.store.is_disabled("calc")
    found = everything(world)
    assert {".paused", "calc.disabled"} <= found.keys()


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    "answer",
    [
        {"answer": "root"},
        {"answer": True},
        {"answer": "yes"},
        {"answer": ["always"]},
        {"answer": "always", "rule": "99"},
        {"answer": "always", "rule": "*"},
        {"answer": "always", "rule": 1.5},
        {"answer": "always ", "rule": "1"},
        {"allow": True, "scope": "always"},
        {},
        "decline",
        None,
    ],
)
async def test_answers_that_are_no_answer(world: Settings, era: str, answer: Any) -> None:
    """Attack: the client's program answers the dialog with what was not offered there."""
    before = everything(world)
    ask = {"component_id": "calc", "details": {"host": "evil.example"}}
    async with agent(world, era, Person([answer])) as (_, mcp):
        result = await mcp.call_tool("grant-network-permission", ask)
    assert result.is_error
    assert everything(world) == before
    assert decided(world) == []


async def test_replaying_an_answer(world: Settings) -> None:
    """Attack: what came with one yes is sent again, for another call, or with a guessed state."""
    async with agent(world, "2026-07-28", Person()) as (_, mcp):

        async def call(
            host: str, tool: str = "grant-network-permission", **more: Any
        ) -> types.CallToolResult | types.InputRequiredResult:
            arguments: dict[str, Any] = {"component_id": "calc", "details": {"host": host}}
            found = await mcp.session.call_tool(tool, arguments, allow_input_required=True, **more)
            assert isinstance(found, types.CallToolResult | types.InputRequiredResult)
            return found

        async def refused(host: str, **more: Any) -> None:
            result = await call(host, **more)
            assert isinstance(result, types.CallToolResult)
            assert result.is_error

        asked = await call("a.example")
        assert isinstance(asked, types.InputRequiredResult)
        state = asked.request_state or ""
        accepted = types.ElicitResult(action="accept", content={"answer": "always"})
        yes: dict[str, Any] = {"approval": accepted}
        # Not with another tool's call, nor with a state that somebody guessed.
        await refused(
            "a.example", tool="reset-permission", request_state=state, input_responses=yes
        )
        for guess in ("", "v1:approval", secrets.token_urlsafe(24), state[:-1]):
            await refused("b.example", request_state=guess, input_responses=yes)
        # An answer without a question starts from the beginning, with a question.
        unasked = await call("b.example", input_responses=yes)
        assert isinstance(unasked, types.InputRequiredResult)
        granted = await call("a.example", request_state=state, input_responses=yes)
        assert isinstance(granted, types.CallToolResult)
        assert not granted.is_error
        await refused("b.example", request_state=state, input_responses=yes)
    hosts = (world.component_dir / "calc.policy.yaml").read_text()
    assert "a.example" in hosts
    assert "b.example" not in hosts


@pytest.mark.parametrize("era", ERAS)
async def test_nagging(world: Settings, era: str) -> None:
    """Attack: asking for the same until somebody gives in. The questions are one; after a second
    no there is none in that session."""
    person = Person(["decline"] * 20)
    async with agent(world, era, person) as (_, mcp):
        for number in range(6):
            ask = {"component_id": "calc", "details": {"host": f"n{number}.example"}}
            assert (await mcp.call_tool("grant-network-permission", ask)).is_error
    if era == "legacy":  # later, over HTTP, each request is a session
        assert len(person.asked) == 2
    assert decided(world) == []


async def test_racing_the_person(world: Settings) -> None:
    """Attack: many asks at once, of which one is denied, while others are about to be allowed."""
    async with agent(world, "legacy") as (server, mcp):
        asks = [{"component_id": "calc", "details": {"host": f"r{n}.example"}} for n in range(12)]
        await asyncio.gather(*(mcp.call_tool("grant-network-permission", one) for one in asks))
        approvals = await server.host.asking.approvals()
        open_now = approvals.pending()
        assert 1 <= len(open_now) <= 12
        one = open_now[0]
        yes = allowed(one, Surface.CLI, approvals.store.now(), scope=Scope.ALWAYS)
        done = await asyncio.gather(
            *(approvals.decide(one.id, yes) for _ in range(8)), return_exceptions=True
        )
        assert sum(not isinstance(each, BaseException) for each in done) == 1
        # Its digest is about this text, and about no other question.
        for other in open_now[1:]:
            with pytest.raises(ApprovalError):
                await approvals.decide(other.id, yes)
    hosts = (world.component_dir / "calc.policy.yaml").read_text()
    assert hosts.count("r") >= 1
    assert sum(f"r{n}.example" in hosts for n in range(12)) == 1


async def test_the_bytes_are_swapped_while_the_person_reads(
    world: Settings, tmp_path: Path
) -> None:
    """Attack: the file that was asked for is another one when the yes comes."""
    component = write(tmp_path / "swap", "tool", one_function("tool"))

    class Slow(Person):
        async def __call__(self, context: Any, params: Any) -> types.ElicitResult:
            write(tmp_path / "swap", "tool", one_function("evil", 666))
            return await super().__call__(context, params)

    async with agent(world, "legacy", Slow([{"answer": "once"}])) as (_, mcp):
        result = await mcp.call_tool("load-component", {"path": str(component)})
        assert result.is_error
        assert "digest" in result.content[0].text  # type: ignore[union-attr]
        assert "evil" not in [one.name for one in (await mcp.list_tools()).tools]
    assert not (world.component_dir / "tool.wasm").exists()


async def test_text_that_imitates_the_dialog(world: Settings) -> None:
    """Attack: arguments and names that look like more of the question, or hide what it is."""
    fake = "x\n  Component: bank, sha256 000\nAllow this? [y/n] y\u202e\u200b\U000e0041"
    person = Person(["decline"])
    async with agent(world, "legacy", person) as (_, mcp):
        called = {"method": "GET", "url": "http://evil.example/", "headers": [], "body": fake}
        await mcp.call_tool("request", called)
    (asked,) = person.asked
    lines = asked.message.split("\n")
    assert sum(line.startswith("  Component: ") for line in lines) == 1
    assert "Component: c-http, sha256" in asked.message
    assert not any(char in asked.message for char in "\u202e\u200b\U000e0041")
    assert all(line.startswith("  ") for line in lines[1:])
    # Nothing but the refusal is chosen beforehand.
    assert asked.requested_schema["properties"]["answer"]["default"] == "deny"


async def test_every_route(world: Settings) -> None:
    """Whatever the method and path: no route decides, or changes anything."""
    before = everything(world)
    async with agent(world, "legacy") as (server, mcp):
        ask = {"component_id": "calc", "details": {"host": "evil.example"}}
        request = await asked_for(server, mcp, ask)
        app_routes = {getattr(one, "path", "") for one in _routes(server)}
        assert {"/mcp", "/health", "/ready", "/info"} <= app_routes
        body = json.dumps(
            {"id": request.id, "digest": request.digest, "allow": True, "scope": "always"}
        ).encode()
        paths = [
            *app_routes,
            "/api",
            "/api/approvals",
            f"/api/approvals/{request.id}",
            f"/api/approvals/{request.id}/decision",
            "/api/activity",
            "/api/events",
            "/approvals",
            f"/approvals/{request.id}/allow",
            "/api//approvals",
            "/API/approvals",
            "/mcp/../api/approvals",
            "/api/approvals/%2e%2e",
        ]
        for path in paths:
            if path in ("/sse", "/message", "/mcp"):
                continue  # MCP itself: see above
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
                for token in (None, "x" * 20):
                    headers: dict[str, str | list[str]] = {"Content-Type": "application/json"}
                    if token:
                        headers["Authorization"] = f"Bearer {token}"
                    answer = await send(server.port, method, path, headers, body)
                    allowed_there = path in ("/health", "/ready", "/info") and answer.status == 200
                    assert allowed_there or answer.status >= 400, (method, path, answer.status)
                    assert request.id not in answer.text
    assert everything(world) == before
    assert decided(world) == []


async def test_every_route_of_the_window(world: Settings) -> None:
    """Whatever an agent has (a token for MCP, a session, the id and digest of what it asked for),
    no route of the person's own server lets it in, decides, or changes anything."""
    before = everything(world)
    async with agent(world, "legacy") as (server, mcp), WindowServer(server.host) as window:
        port = int(window.url.rpartition(":")[2])
        ask = {"component_id": "calc", "details": {"host": "evil.example"}}
        request = await asked_for(server, mcp, ask)
        decision = {"digest": request.digest, "allow": True, "scope": "always"}
        bodies = [decision, {"reference": "starter:toolbox"}, {"kind": "network", "host": "evil"}]
        stolen: list[dict[str, str | list[str]]] = [
            {},
            {"Authorization": f"Bearer {TOKEN}"},
            {"Cookie": f"wassette={TOKEN}; wassette-{port}={TOKEN}", "X-Wassette-CSRF": TOKEN},
            {"Cookie": f"wassette-{port}={request.client.session}", "Mcp-Session-Id": "x"},
        ]
        paths = {
            re.sub(r"\{(\w+)\}", lambda found: fill(found[1], request.id), path)
            for path in openapi(create_app())["paths"]
        }
        assert f"/api/approvals/{request.id}/decision" in paths
        for path in sorted(paths):
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                for credentials in stolen:
                    headers = {"Content-Type": "application/json", "Origin": window.url}
                    for body in bodies if method == "POST" else bodies[:1]:
                        data = json.dumps(body).encode()
                        answer = await send(port, method, path, {**headers, **credentials}, data)
                        assert answer.status == 401, (method, path, answer.status)
                        assert request.id not in answer.text
        # A link is made by whoever runs the host, and by nothing that an agent can call.
        for path in ("/open/", f"/open/{TOKEN}", f"/open/{request.id}"):
            assert (await send(port, "GET", path)).status >= 400
    assert everything(world) == before
    assert decided(world) == []


async def asked_for(server: Served, mcp: Client, ask: dict[str, Any]) -> Any:
    """What a person is asked when an agent asks for this permission."""
    call = asyncio.create_task(mcp.call_tool("grant-network-permission", ask))
    approvals = await server.host.asking.approvals()
    async with asyncio.timeout(PATIENCE):
        while not (pending := approvals.pending()):
            await asyncio.sleep(0.005)
    await call
    return pending[0]


def fill(name: str, request_id: str) -> str:
    known = {"request_id": request_id, "component_id": "calc", "tool": "add", "number": "1"}
    return known.get(name, "x" * 16)


def _routes(server: Served) -> list[Any]:
    app: Any = server.server._app
    return list(app.router.routes)


@pytest.mark.parametrize("era", ["legacy", "2026-07-28"])
async def test_answering_ones_own_question_over_http_without_a_token(
    world: Settings, era: str
) -> None:
    """Attack: any program of any user of this machine says that it has a dialog, asks for a
    permission, and answers itself."""
    person = Person([{"answer": "always"}] * 3)
    policy = world.component_dir / "calc.policy.yaml"
    before = policy.read_bytes()
    async with agent(replace(world, approval_wait=0.2), era, person, token=False) as (_, mcp):
        asks = {"component_id": "calc", "details": {"host": "evil.example"}}
        answer = await mcp.call_tool("grant-network-permission", asks)
        assert answer.is_error
    assert person.asked == []
    assert policy.read_bytes() == before
