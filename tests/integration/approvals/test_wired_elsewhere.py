"""Decided by another process, by nobody, too late: real hosts, components, clients and commands."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client as McpClient
from mcp.client.stdio import StdioServerParameters, stdio_client

from support.asking import Web, web
from support.http import served
from support.wat import one_function, write
from wassette.activity import ActivityReader, Filter, Kind
from wassette.answers import Client
from wassette.approvals.files import default_directory
from wassette.approvals.model import Surface, allowed, denied
from wassette.approvals.store import Store
from wassette.config import Approvals
from wassette.host import Host
from wassette.paths import paths

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from wassette.approvals.model import ApprovalRequest
    from wassette.config import Settings

pytestmark = pytest.mark.anyio
PATIENCE = 60  # seconds, which only a hang exceeds
ONE = Client("Editor", "1", "stdio", "session-1")
TWO = Client("Agent", "2", "http", "session-2")


@pytest.fixture
def site() -> Iterator[Web]:
    with web() as one:
        yield one


@pytest.fixture
async def fetching(settings: Settings, fixture_component: Callable[[str], Path]) -> Settings:
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-http")))
    return settings


def fetch(site: Web) -> dict[str, Any]:
    return {"method": "GET", "url": f"{site.url}/a", "headers": [], "body": ""}


async def wassette(*arguments: str, code: int = 0) -> str:
    """A command, as a process of its own; what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "wassette", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == code, (out, err)
    return out.decode() + err.decode()


async def pending(settings: Settings, count: int = 1) -> list[ApprovalRequest]:
    """What waits for a person, as any process sees it."""
    store = Store(default_directory(settings.component_dir))
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                found = store.entries() if store.database.exists() else []
                if len(found) == count:
                    return [one.request for one in found]
                await asyncio.sleep(0.02)
    finally:
        store.close()


def decide(settings: Settings, request: ApprovalRequest, yes: bool = True, **how: Any) -> None:
    """As another process would, but for writing to a policy."""
    store = Store(default_directory(settings.component_dir))
    now = store.now()
    decision = (
        allowed(request, Surface.CLI, now, **how) if yes else denied(request, Surface.CLI, now)
    )
    store.decide(request.id, decision)
    store.close()


async def test_a_waiting_fetch_is_allowed_by_a_command(fetching: Settings, site: Web) -> None:
    """From another process; the clock of the call stands still meanwhile."""
    (fetching.component_dir / "c-http.policy.yaml").write_text(
        'version: "1.0"\npermissions: {}\nresources: {limits: {timeout: 1}}\n'
    )
    said: list[str] = []
    async with Host(fetching) as host:
        call = asyncio.create_task(
            host.call_tool(
                "request", fetch(site), ONE, progress=lambda stage, _: said.append(stage)
            )
        )
        (request,) = await pending(fetching)
        await asyncio.sleep(1.5)  # longer than the call may take
        assert not call.done()
        listed = await wassette("approvals", "list")
        assert request.question in json.loads(listed)["approvals"][0]["question"]
        await wassette("approvals", "allow", request.id, "--once", "--yes")
        result = await asyncio.wait_for(call, PATIENCE)
    assert result.error is None
    assert result.value["ok"]["body"] == "hello"
    assert [one.allowed for one in result.exchanges] == [True]
    assert any("waits for a person: Allow component c-http" in one for one in said)
    entries = ActivityReader(paths().activity).find(Filter(call=result.call, after=0))
    kinds = [(one.kind, one.outcome.value) for one in entries]
    assert kinds == [(Kind.DECISION, "allowed"), (Kind.ACCESS, "allowed"), (Kind.CALL, "ok")]
    assert entries[0].detail["by"] == "cli"


async def test_always_is_written_by_a_command(fetching: Settings, site: Web) -> None:
    async with Host(fetching) as host:
        call = asyncio.create_task(host.call_tool("request", fetch(site), ONE))
        (request,) = await pending(fetching)
        await wassette("approvals", "allow", request.id, "--always", "--yes")
        assert (await asyncio.wait_for(call, PATIENCE)).value["ok"]["status"] == 200
        again = await host.call_tool("request", fetch(site), TWO)
        assert again.value["ok"]["status"] == 200
    document = (fetching.component_dir / "c-http.policy.yaml").read_text()
    assert document.count("host:") == 1


async def test_an_hour_is_for_all_sessions_and_a_session_for_one(
    fetching: Settings, site: Web
) -> None:
    settings = replace(fetching, approval_timeout=0.5)
    async with Host(settings) as host:
        slow = replace(settings, approval_timeout=30)
        host.asking.timeout = slow.approval_timeout
        call = asyncio.create_task(host.call_tool("request", fetch(site), ONE))
        (request,) = await pending(settings)
        await wassette("approvals", "allow", request.id, "--session", "--yes")
        await asyncio.wait_for(call, PATIENCE)
        assert (await host.call_tool("request", fetch(site), ONE)).value["ok"]["status"] == 200
        other = asyncio.create_task(host.call_tool("request", fetch(site), TWO))
        (request,) = await pending(settings)
        await wassette("approvals", "allow", request.id, "--hour", "--yes")
        await asyncio.wait_for(other, PATIENCE)
        third = Client("Third", "3", "stdio", "session-3")
        assert (await host.call_tool("request", fetch(site), third)).value["ok"]["status"] == 200
        # A deny rule beats it, at once.
        (settings.component_dir / "c-http.policy.yaml").write_text(
            'version: "1.0"\npermissions: {network: {deny: [{host: 127.0.0.1}]}}\n'
        )
        denied_now = await host.call_tool("request", fetch(site), third)
        assert denied_now.value == {"err": "HTTP-request-denied"}
    # Taken back, or with the session's end, it is over.
    (settings.component_dir / "c-http.policy.yaml").unlink()
    await wassette("approvals", "revoke", request.id)
    async with Host(settings) as host:
        over = await host.call_tool("request", fetch(site), ONE)
        assert over.value == {"err": "HTTP-request-denied"}
        assert "nobody decided in time" in over.refusals[0]


async def test_nobody_decides_in_time(fetching: Settings, site: Web) -> None:
    async with Host(replace(fetching, approval_timeout=0.3)) as host:
        result = await host.call_tool("request", fetch(site), ONE)
    assert result.value == {"err": "HTTP-request-denied"}
    assert "nobody decided in time" in result.refusals[0]
    assert "wassette permission grant network" in result.refusals[0]
    assert site.paths == []


async def test_a_client_that_gives_up_takes_the_question_back(
    fetching: Settings, site: Web
) -> None:
    async with Host(fetching) as host:
        call = asyncio.create_task(host.call_tool("request", fetch(site), ONE))
        (request,) = await pending(fetching)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await pending(fetching, 0)
        said = await wassette("approvals", "allow", request.id, "--once", "--yes", code=1)
        assert "withdrawn" in said
        # The worker is free again.
        assert (await host.call_tool("again", {"url": f"{site.url}/", "count": 0})).value == 0
    assert site.paths == []


async def test_a_host_that_ends_leaves_its_question(fetching: Settings, site: Web) -> None:
    """What is allowed then is for the next same call, once."""
    async with Host(fetching) as host:
        call = asyncio.create_task(host.call_tool("request", fetch(site), ONE))
        (request,) = await pending(fetching)
        await host.asking.close()
        assert (await asyncio.wait_for(call, PATIENCE)).value == {"err": "HTTP-request-denied"}
    await wassette("approvals", "allow", request.id, "--once", "--yes")
    async with Host(replace(fetching, approval_timeout=0.3)) as host:
        other = {**fetch(site), "body": "x"}
        assert "err" in (await host.call_tool("request", other, TWO)).value
        assert (await host.call_tool("request", fetch(site), TWO)).value["ok"]["status"] == 200
        assert "err" in (await host.call_tool("request", fetch(site), TWO)).value
    assert len(site.paths) == 1


async def test_two_clients_ask_the_same(fetching: Settings, site: Web) -> None:
    """Two sessions are two questions, since each shows who asks; an hour answers both."""
    async with Host(fetching) as host:
        calls = [
            asyncio.create_task(host.call_tool("request", fetch(site), one)) for one in (ONE, TWO)
        ]
        first, second = await pending(fetching, 2)
        assert {first.client.name, second.client.name} == {"Editor", "Agent"}
        await wassette("approvals", "deny", first.id)
        await pending(fetching, 1)
        assert [one.done() for one in calls].count(True) <= 1
        await wassette("approvals", "allow", second.id, "--hour", "--yes")
        results = [await asyncio.wait_for(one, PATIENCE) for one in calls]
    assert sorted(next(iter(one.value)) for one in results) == ["err", "ok"]


async def test_one_wider_answer_is_for_all_who_wait(fetching: Settings, site: Web) -> None:
    async with Host(fetching) as host:
        calls = [
            asyncio.create_task(host.call_tool("request", fetch(site), one))
            for one in (ONE, ONE, TWO)
        ]
        first = (await pending(fetching, 2))[0]
        await wassette("approvals", "allow", first.id, "--hour", "--yes")
        for one in calls:
            assert (await asyncio.wait_for(one, PATIENCE)).value["ok"]["status"] == 200


@pytest.mark.parametrize("how", ["setting", "no client"])
async def test_where_nobody_is_asked(fetching: Settings, site: Web, how: str) -> None:
    settings = replace(fetching, approvals=Approvals.DENY) if how == "setting" else fetching
    async with Host(settings) as host:
        client = ONE if how == "setting" else None
        result = await asyncio.wait_for(host.call_tool("request", fetch(site), client), PATIENCE)
    assert result.value == {"err": "HTTP-request-denied"}
    assert not default_directory(settings.component_dir).exists()


async def test_a_broken_policy_is_not_asked_about(fetching: Settings, site: Web) -> None:
    """Its deny rules are not known."""
    (fetching.component_dir / "c-http.policy.yaml").write_text("version: [")
    async with Host(fetching) as host:
        result = await asyncio.wait_for(host.call_tool("request", fetch(site), ONE), PATIENCE)
    assert result.value == {"err": "HTTP-request-denied"}
    assert not default_directory(fetching.component_dir).exists()


async def test_a_call_with_an_effect_is_not_run_again(
    settings: Settings, fixture_component: Callable[[str], Path], tmp_path: Path
) -> None:
    """It wrote a file, and then wanted another one: twice would be once too often."""
    log, secret = tmp_path / "log", tmp_path / "secret.txt"
    log.mkdir()
    secret.write_text("s")
    async with Host(settings) as host:
        await host.load(str(fixture_component("py-notes")))
        await host.grant_storage("py-notes", f"fs://{log}/**", ["read", "write"])
        # What is only granted is no effect: this is asked about, and run again.
        reading = asyncio.create_task(host.call_tool("read-note", {"path": str(secret)}, ONE))
        (request,) = await pending(settings)
        decide(settings, request)
        assert (await asyncio.wait_for(reading, PATIENCE)).value == {"ok": "s"}
        # A file that was opened for writing is one.
        target = log / "not-there" / "a.md"
        result = await asyncio.wait_for(
            host.call_tool("write-note", {"path": str(target), "text": "x"}, ONE), PATIENCE
        )
        assert "err" in result.value
        await pending(settings, 0)


async def test_what_a_grant_would_not_cure_is_not_asked_about(
    settings: Settings, fixture_component: Callable[[str], Path]
) -> None:
    """Wassette's own files."""
    async with Host(settings) as host:
        await host.load(str(fixture_component("py-notes")))
        for path in (settings.component_dir / "py-notes.wasm", "/proc/self/environ"):
            result = await asyncio.wait_for(
                host.call_tool("read-note", {"path": str(path)}, ONE), PATIENCE
            )
            assert "err" in result.value
        await pending(settings, 0)


@pytest.mark.parametrize(
    ("transport", "era"), [("stdio", "legacy"), ("stdio", "2026-07-28"), ("http", "2026-07-28")]
)
async def test_an_agent_is_told_who_decides_and_comes_back(
    settings: Settings, tmp_path: Path, transport: str, era: str
) -> None:
    """A client without a dialog: what it asks for is done when a person says so, not before."""
    config = paths().config
    config.mkdir(parents=True)
    (config / "config.toml").write_text("approval_wait = 0.3\n")
    component = write(tmp_path, "other", one_function("other"))
    asks = {"path": str(component)}
    async with without_dialog(settings, transport, era) as mcp:
        first = await mcp.call_tool("load-component", asks)
        assert first.is_error
        (request,) = await pending(settings)
        assert f"wassette approvals show {request.id[:12]}" in said(first)
        assert (await mcp.call_tool("load-component", asks)).is_error  # not before
        await pending(settings, 1)
        await wassette("approvals", "allow", request.id, "--yes")
        async with asyncio.timeout(PATIENCE):
            while (done := await mcp.call_tool("load-component", asks)).is_error:
                await asyncio.sleep(0.05)
        assert json.loads(said(done))["id"] == "other"
        assert "other" in [one.name for one in (await mcp.list_tools()).tools]
        # The same bytes again are no change: nobody is asked.
        assert not (await mcp.call_tool("load-component", asks)).is_error
        await pending(settings, 0)
        # Others under the same name are.
        write(tmp_path, "other", one_function("other", 2))
        assert (await mcp.call_tool("load-component", asks)).is_error
        (request,) = await pending(settings)
        assert "takes its place" in request.text
        await wassette("approvals", "deny", request.id)
        async with asyncio.timeout(PATIENCE):
            while "a person said no" not in (
                refused := said(await mcp.call_tool("load-component", asks))
            ):
                await asyncio.sleep(0.05)
        assert refused.startswith("Error: This was not allowed")


def said(result: Any) -> str:
    return str(result.content[0].text)


@asynccontextmanager
async def without_dialog(settings: Settings, transport: str, era: str) -> AsyncIterator[McpClient]:
    if transport == "http":
        async with (
            served(replace(settings, approval_wait=0.3)) as server,
            McpClient(f"{server.url}/mcp", mode=era) as mcp,
        ):
            yield mcp
        return
    arguments = ["-m", "wassette", "serve", "--stdio"]
    arguments += ["--component-dir", str(settings.component_dir)]
    process = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))
    async with McpClient(stdio_client(process), mode=era) as mcp:
        yield mcp
