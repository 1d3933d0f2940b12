"""An agent asks for a component that is elsewhere: nothing is fetched before a person allows it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client as McpClient
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from support import registries
from support.asking import Person
from support.cli import component
from support.http import served
from support.registries import needs_registry, put
from wassette.config import Approvals
from wassette.host import Host
from wassette.registry import artifact

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from support.http import Served
    from support.registries import Front, Registry
    from wassette.config import Settings

pytestmark = [pytest.mark.anyio, needs_registry]

TOKEN = "a-token-of-the-tests"
ONE, TWO = component("add"), component("add", "echo")
ERAS = pytest.mark.parametrize("era", ["legacy", "2026-07-28"])


@pytest.fixture
def watched(plain: Registry) -> Iterator[Front]:
    put(plain, "agents/tool", "1", (artifact.WASM, ONE))
    with registries.front(plain.port) as front:
        yield front


@asynccontextmanager
async def client(
    settings: Settings, era: str = "legacy", person: Person | None = None
) -> AsyncIterator[tuple[Served, McpClient]]:
    """With a token, so that its dialog is a person's."""
    async with (
        served(settings, tokens=(TOKEN,)) as server,
        create_mcp_http_client({"Authorization": f"Bearer {TOKEN}"}) as http,
        McpClient(
            streamable_http_client(f"{server.url}/mcp", http_client=http),
            mode=era,
            elicitation_callback=person,
        ) as mcp,
    ):
        yield server, mcp


def text(result: Any) -> str:
    return str(result.content[0].text)


@ERAS
async def test_nothing_is_fetched_before_a_person_allows_it(
    settings: Settings, watched: Front, era: str
) -> None:
    stages: list[str | None] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        stages.append(message)

    class Looks(Person):
        async def __call__(self, context: Any, params: Any) -> Any:
            assert watched.seen == []
            return await super().__call__(context, params)

    person = Looks(["decline", {"answer": "once"}])
    asks = {"path": watched.oci("agents/tool:1")}
    async with client(settings, era, person) as (_, mcp):
        refused = await mcp.call_tool("load-component", asks)
        assert refused.is_error
        assert watched.seen == []
        loaded = await mcp.call_tool("load-component", asks, progress_callback=on_progress)
        assert not loaded.is_error, text(loaded)
        assert "add" in [one.name for one in (await mcp.list_tools()).tools]
        for _ in range(500):
            if "loaded" in stages:
                break
            await asyncio.sleep(0.01)
        assert "downloading" in stages
        assert "verifying" in stages
    message = person.asked[0].message
    assert f"it is fetched from {watched.place} when you allow it" in message
    assert "its bytes are not known yet" in message


async def test_other_bytes_have_no_permissions_until_a_person_has_seen_them(
    settings: Settings, plain: Registry, watched: Front
) -> None:
    settings = replace(settings, environment={"KEY": "value"})
    reference = watched.oci("agents/tool:1")
    async with Host(settings) as host:
        await host.load(reference)
        await host.grant_environment("agents_tool", "KEY")
    put(plain, "agents/tool", "1", (artifact.WASM, TWO))
    person = Person([{"answer": "once"}])
    async with client(settings, person=person) as (server, mcp):
        refused = await mcp.call_tool("load-component", {"path": reference})
        assert "wait until you have seen what is different" in person.asked[0].message
        # Whoever said yes was not shown that the tag leads elsewhere now: nobody had looked yet.
        assert refused.is_error
        assert "it leads to other bytes than before" in text(refused)
        assert dict((await server.host.current_grants("agents_tool")).environment) == {
            "KEY": "value"
        }
        await server.host.load(reference, accept_change=True)
        assert (await server.host.current_grants("agents_tool")).environment == ()


@pytest.mark.parametrize("approvals", [Approvals.DENY, Approvals.ALLOW_AGENT])
async def test_where_nobody_is_asked(
    settings: Settings, watched: Front, approvals: Approvals
) -> None:
    """Denied; or allowed in advance, and then nothing on this machine or its network."""
    settings = replace(settings, approvals=approvals, agent_grants=False)
    async with client(settings) as (_, mcp):
        refused = await mcp.call_tool("load-component", {"path": watched.oci("agents/tool:1")})
        assert refused.is_error
        assert (
            "Only a person can" if approvals is Approvals.DENY else "an agent, sends nobody"
        ) in text(refused)
    assert watched.seen == []


async def test_search(settings: Settings, tmp_path: Path) -> None:
    async with client(settings) as (_, mcp):
        found = text(await mcp.call_tool("search-components", {"query": "time"}))
        assert '"Component list found"' in found
        assert found.index("time-server-js") < found.index("starter:toolbox")
