"""A component that comes back with other bytes: its permissions wait until a person has seen it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from mcp import Client as McpClient
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from support.asking import Person
from support.http import served
from support.wat import one_function, write
from wassette.answers import Client
from wassette.host import Host
from wassette.policy import PolicyStatus
from wassette.policy.verdict import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from wassette.config import Settings

pytestmark = pytest.mark.anyio
TOKEN = "correct-horse-battery"
ONE = Client("Editor", "1", "stdio", "session-1")


async def granted(settings: Settings, tmp_path: Path) -> Path:
    async with Host(replace(settings, environment={"KEY": "value"})) as host:
        path = write(tmp_path, "tool", one_function("tool"))
        await host.load(str(path))
        await host.grant_environment("tool", "KEY")
        assert dict((await host.current_grants("tool")).environment) == {"KEY": "value"}
    return path


async def test_permissions_wait(settings: Settings, tmp_path: Path) -> None:
    path = await granted(settings, tmp_path)
    settings = replace(settings, environment={"KEY": "value"})
    async with Host(settings) as host:
        write(tmp_path, "tool", one_function("other", 2))
        loaded = await host.load(str(path))
        assert "new tool “other”" in " ".join(loaded.changes)
        assert (await host.current_grants("tool")).environment == ()
        assert host.policy("tool").status is PolicyStatus.BROKEN
        assert "until one has: wassette component load" in str(host.policy("tool").error)
        assert not host.explain("tool", Kind.ENVIRONMENT, "KEY").allowed
        assert (await host.call_tool("other", {}, ONE)).value == 2
        # Loading again is not seeing; what was missed once is not forgotten.
        assert (await host.load(str(path))).changes == loaded.changes
        write(tmp_path, "tool", one_function("third", 3))
        again = await host.load(str(path))
        assert set(loaded.changes) < set(again.changes)
    async with Host(settings) as host:  # also for another process
        assert (await host.current_grants("tool")).environment == ()
        await host.mark_seen("tool")
        assert dict((await host.current_grants("tool")).environment) == {"KEY": "value"}


async def test_other_code_under_the_same_tools_waits_too(
    settings: Settings, tmp_path: Path
) -> None:
    path = await granted(settings, tmp_path)
    async with Host(replace(settings, environment={"KEY": "value"})) as host:
        write(tmp_path, "tool", one_function("tool", 2))
        assert (await host.load(str(path))).changes == ("its code is other code",)
        assert (await host.current_grants("tool")).environment == ()
        await host.reset_permissions("tool")  # then nothing is inherited
        await host.grant_environment("tool", "KEY")
        assert dict((await host.current_grants("tool")).environment) == {"KEY": "value"}


@pytest.mark.parametrize("era", ["legacy", "2026-07-28"])
async def test_an_agents_question_shows_what_is_different(
    settings: Settings, tmp_path: Path, era: str
) -> None:
    path = await granted(settings, tmp_path)
    write(tmp_path, "tool", one_function("upload", 2))
    person = Person(["decline", {"answer": "once"}])
    settings = replace(settings, environment={"KEY": "value"})
    async with (
        served(settings, tokens=(TOKEN,)) as server,
        create_mcp_http_client({"Authorization": f"Bearer {TOKEN}"}) as http,
        McpClient(
            streamable_http_client(f"{server.url}/mcp", http_client=http),
            mode=era,
            elicitation_callback=person,
        ) as mcp,
    ):
        refused = await mcp.call_tool("load-component", {"path": str(path)})
        assert refused.is_error
        assert dict((await server.host.current_grants("tool")).environment) == {"KEY": "value"}
        done = await mcp.call_tool("load-component", {"path": str(path)})
        assert not done.is_error
        assert "new tool" in person.asked[1].message
        assert "upload" in person.asked[1].message
        assert dict((await server.host.current_grants("tool")).environment) == {"KEY": "value"}
