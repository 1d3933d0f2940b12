"""Events: what an open window is told as it happens, and what follows after a broken connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from support.asking import web
from support.wat import write
from support.window_api import Windowed, eventually, windowed
from wassette.answers import Client
from wassette.asking import Dialog
from wassette.window import events as window_events

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from wassette.approvals.model import ApprovalRequest
    from wassette.config import Settings

pytestmark = pytest.mark.anyio
CLIENT = Client("claude-code", "2.1", "stdio", "s" * 22)


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[Windowed]:
    async with windowed(settings) as one:
        yield one


class Asks(Dialog):
    """A client's own dialog: says no, and remembers that it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def wants(self, request: ApprovalRequest) -> bool:
        return True

    async def prompt(self, request: ApprovalRequest) -> Any:
        from wassette.approvals.model import Surface, denied

        self.asked.append(request.question)
        return denied(request, Surface.ELICITATION, request.created)


async def test_everything_that_happens_is_told(world: Windowed, tmp_path: Path) -> None:
    page = world.page
    async with page.events() as events:
        hello = await events.next()
        assert (hello.type, hello.data["resumed"]) == ("hello", False)
        started = await page.ok("POST", "/api/loads", {"reference": str(write(tmp_path, "calc"))})
        while (await events.until("load")).data["load"]["stage"] != "review":
            pass
        await page.ok("POST", f"/api/loads/{started['id']}/confirm", {})
        assert (await events.until("components")).data["ids"] == ["calc"]
        world.host.connect(CLIENT)
        await events.until("clients")
        await world.host.call_tool("add", {"a": 1, "b": 1}, CLIENT)
        entry = (await events.until("activity")).data["entry"]
        while entry["kind"] != "call":
            entry = (await events.until("activity")).data["entry"]
        assert (entry["tool"], entry["client"]) == ("add", "claude-code")
        await world.host.grant_network("calc", "example.com")
        assert (await events.until("components")).data["ids"] == ["calc"]


async def test_what_is_asked_is_told_and_dialogs_step_back(
    world: Windowed, fixture_component: Callable[[str], Path]
) -> None:
    """While a window is open, the person has the question before them."""
    page = world.page
    await world.host.load(str(fixture_component("c-http")))
    approvals = await world.host.asking.approvals()
    dialog = Asks()
    with web() as site:
        arguments = {"method": "GET", "url": site.url, "headers": [], "body": ""}
        async with page.events() as events:
            await events.next()
            assert approvals.watched
            call = asyncio.create_task(
                world.host.call_tool("request", arguments, CLIENT, dialog=dialog)
            )
            asked = await events.until("approval", state="pending")
            status = await events.until("status")
            while not status.data["status"]["pending"]:
                status = await events.until("status")
            shown = await page.ok("GET", f"/api/approvals/{asked.data['id']}")
            await page.ok(
                "POST",
                f"/api/approvals/{asked.data['id']}/decision",
                {"digest": shown["digest"], "allow": True},
            )
            await events.until("approval", state="allowed", id=asked.data["id"])
            assert not (await asyncio.wait_for(call, 60)).is_error
        assert dialog.asked == []
        await eventually(lambda: not approvals.watched)
        await world.host.call_tool("request", arguments, CLIENT, dialog=dialog)
        assert len(dialog.asked) == 1
        assert site.paths == ["/"]


async def test_what_was_missed_follows(world: Windowed, tmp_path: Path) -> None:
    page = world.page
    async with page.events() as events:
        last = (await events.next()).id
        await world.host.load(str(write(tmp_path, "one")))
        last = (await events.until("components", ids=["one"])).id
    await eventually(lambda: not world.server.window.events.open)
    await world.host.load(str(write(tmp_path, "two")))
    async with page.events(last) as events:
        hello = await events.next()
        assert hello.data["resumed"]
        assert (await events.until("components")).data["ids"] == ["two"]
    for wrong in ("nonsense", "0000-1", last.partition("-")[0] + "-99999999", "x" * 90):
        async with page.events(wrong) as events:
            assert not (await events.next()).data["resumed"]


async def test_nothing_is_kept_once_nobody_comes_back(
    world: Windowed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_events, "LINGER", 0.05)
    page = world.page
    async with page.events() as events:
        last = (await events.next()).id
    await eventually(lambda: not world.server.window.events.lingers)
    async with page.events(last) as events:
        assert not (await events.next()).data["resumed"]


async def test_several_windows_and_one_that_does_not_read(
    world: Windowed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow one is ended, and costs the others nothing."""
    monkeypatch.setattr(window_events, "KEPT", 50)
    page = world.page
    told = world.server.window.events
    async with page.events() as slow, page.events() as quick:
        await slow.next()
        await quick.next()
        [stuck, _] = told._streams
        for number in range(200):
            # As if this one's connection was full.
            stuck.events.extend([window_events._Event(0, b": x\n\n")] * 50)
            await world.host.load(str(write(tmp_path, f"c{number % 2}")))
            if stuck.over:
                break
            await asyncio.sleep(0)
        assert stuck.over
        await quick.until("components")


async def test_many_windows_are_refused(world: Windowed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_events, "MAX_STREAMS", 1)
    async with world.page.events() as events:
        await events.next()
        assert (await world.page.get("/events")).status == 503


async def test_streams_end_with_the_server(settings: Settings) -> None:
    async with windowed(settings) as world:
        page = world.page
        stream = page.events()
        events = await stream.__aenter__()
        await events.next()
    with pytest.raises((EOFError, asyncio.IncompleteReadError, ValueError)):
        await events.until("nothing")
    await stream.__aexit__(None, None, None)
