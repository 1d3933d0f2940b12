"""A person decides in the client's own dialog: the official client, every transport, both eras."""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from support.approvals import until
from support.asking import Person, Web, web
from support.http import served
from wassette.activity import ActivityReader, Filter, Kind
from wassette.host import Host
from wassette.paths import paths

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from wassette.config import Settings

pytestmark = pytest.mark.anyio
TOKEN = "correct-horse-battery"
EVERY = [(transport, era) for transport in ("stdio", "http") for era in ("legacy", "2026-07-28")]
every_one = pytest.mark.parametrize(("transport", "era"), EVERY)


@pytest.fixture
def site() -> Iterator[Web]:
    with web() as one:
        yield one


@asynccontextmanager
async def client(
    settings: Settings, transport: str, era: str, person: Person | None
) -> AsyncIterator[Client]:
    if transport == "stdio":
        arguments = ["-m", "wassette", "serve", "--stdio"]
        arguments += ["--component-dir", str(settings.component_dir)]
        parameters = StdioServerParameters(
            command=sys.executable, args=arguments, env=dict(os.environ)
        )
        async with Client(
            stdio_client(parameters), mode=era, elicitation_callback=person
        ) as connected:
            yield connected
        return
    async with (
        served(settings, tokens=(TOKEN,)) as server,
        create_mcp_http_client({"Authorization": f"Bearer {TOKEN}"}) as http,
        Client(
            streamable_http_client(f"{server.url}/mcp", http_client=http),
            mode=era,
            elicitation_callback=person,
        ) as connected,
    ):
        yield connected


async def load(settings: Settings, component: Path) -> None:
    async with Host(settings) as host:
        await host.load(str(component))


def text(result: Any) -> str:
    return " ".join(one.text for one in result.content)


def policy(settings: Settings, component_id: str) -> str | None:
    file = settings.component_dir / f"{component_id}.policy.yaml"
    return file.read_text() if file.exists() else None


def fetch(site: Web) -> dict[str, Any]:
    return {"method": "GET", "url": f"{site.url}/a", "headers": [], "body": ""}


ONCE, ALWAYS = {"answer": "once"}, {"answer": "always"}


@every_one
async def test_a_fetch_waits_for_a_person(
    settings: Settings,
    fixture_component: Callable[[str], Path],
    site: Web,
    transport: str,
    era: str,
) -> None:
    await load(settings, fixture_component("c-http"))
    person = Person([ONCE, ONCE, ALWAYS])
    async with client(settings, transport, era, person) as mcp:
        for number in (1, 2):  # once is once
            result = await mcp.call_tool("request", fetch(site))
            assert not result.is_error, text(result)
            assert result.structured_content["result"]["ok"]["body"] == "hello"
            assert len(person.asked) == number
            assert len(site.paths) == number
            assert policy(settings, "c-http") is None
        await mcp.call_tool("request", fetch(site))
        written = policy(settings, "c-http")
        assert written is not None
        rules = written.partition("permissions:")[2]
        assert rules.split("allow:")[1].split() == [
            "-", "host:", f'"{site.url}"', "methods:", '["GET"]',
        ]  # fmt: skip
        # It is permitted now: nobody is asked, or the person would have no answer.
        result = await mcp.call_tool("request", fetch(site))
        assert not result.is_error
    assert (
        person.questions
        == [
            "Allow component c-http to send GET to 127.0.0.1?",
        ]
        * 3
    )
    assert f"{site.url}/a" in person.asked[0].message


@every_one
async def test_a_file_is_asked_for_and_the_call_is_run_again(
    settings: Settings,
    fixture_component: Callable[[str], Path],
    tmp_path: Path,
    transport: str,
    era: str,
) -> None:
    await load(settings, fixture_component("py-notes"))
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.md").write_text("# First\n")
    (notes / "b.md").write_text("# Second\n")
    person = Person([ONCE, ONCE, {"answer": "always", "rule": "1"}])
    async with client(settings, transport, era, person) as mcp:
        for number in (1, 2):
            result = await mcp.call_tool("read-note", {"path": str(notes / "a.md")})
            assert result.structured_content == {"result": {"ok": "# First\n"}}
            assert len(person.asked) == number
        await mcp.call_tool("read-note", {"path": str(notes / "a.md")})
        written = policy(settings, "py-notes")
        assert written is not None
        assert written.count("uri:") == 1
        assert f'"fs://{notes}/a.md"' in written
        person.answers.append("decline")
        refused = await mcp.call_tool("read-note", {"path": str(notes / "b.md")})
        assert refused.is_error
    assert len(person.asked) == 4
    assert "a.md" in person.questions[0]
    calls = Filter(kind=Kind.CALL, after=0)
    await until(lambda: len(ActivityReader(paths().activity).find(calls)) == 4)  # a call is one
    found = [one.outcome.value for one in ActivityReader(paths().activity).find(calls)]
    assert found == ["ok", "ok", "ok", "error"]
    access = ActivityReader(paths().activity).find(Filter(kind=Kind.ACCESS, after=0))
    assert [(one.what, one.outcome.value) for one in access] == [
        *[(f"read {notes}/a.md", "allowed")] * 3,
        (f"read {notes}/b.md", "denied"),
    ]


@every_one
@pytest.mark.parametrize("answer", ["decline", {"answer": "deny"}, None, {"answer": "root"}])
async def test_what_is_no_plain_yes_allows_nothing(
    settings: Settings,
    fixture_component: Callable[[str], Path],
    site: Web,
    transport: str,
    era: str,
    answer: Any,
) -> None:
    if (transport, era) not in (("stdio", "legacy"), ("http", "2026-07-28")) and answer is None:
        pytest.skip("closing is the same everywhere")
    await load(settings, fixture_component("c-http"))
    person = Person([answer])
    async with client(settings, transport, era, person) as mcp:
        result = await mcp.call_tool("request", fetch(site))
    assert result.is_error
    assert "HTTP-request-denied" in text(result)
    assert site.paths == []
    assert policy(settings, "c-http") is None


@every_one
async def test_an_agent_asks_for_a_permission(
    settings: Settings, fixture_component: Callable[[str], Path], transport: str, era: str
) -> None:
    await load(settings, fixture_component("c-http"))
    person = Person([{"answer": "always", "rule": "2"}, "decline"])
    asks = {"component_id": "c-http", "details": {"host": "api.example.com"}}
    async with client(settings, transport, era, person) as mcp:
        granted = await mcp.call_tool("grant-network-permission", asks)
        assert not granted.is_error, text(granted)
        assert 'host: "api.example.com"' in (policy(settings, "c-http") or "")
        assert not (await mcp.call_tool("grant-network-permission", asks)).is_error
        assert len(person.asked) == 1  # it has that one already
        other = {"component_id": "c-http", "details": {"host": "other.example.com"}}
        refused = await mcp.call_tool("grant-network-permission", other)
        assert refused.is_error
        assert "a person said no" in text(refused)
    assert "other.example.com" not in (policy(settings, "c-http") or "")


@every_one
async def test_an_agent_asks_for_a_component(
    settings: Settings, fixture_component: Callable[[str], Path], transport: str, era: str
) -> None:
    component = fixture_component("c-http")
    person = Person([ONCE, ONCE])
    async with client(settings, transport, era, person) as mcp:
        loaded = await mcp.call_tool("load-component", {"path": str(component)})
        assert not loaded.is_error, text(loaded)
        assert "sha256" in person.asked[0].message
        assert "request" in [one.name for one in (await mcp.list_tools()).tools]
        gone = await mcp.call_tool("unload-component", {"id": "c-http"})
        assert not gone.is_error, text(gone)
        assert "request" not in [one.name for one in (await mcp.list_tools()).tools]
    assert len(person.asked) == 2
