"""Switching components off and on, and pausing everything."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING

import pytest

from support import wat
from wassette.activity import ActivityReader, Filter, Kind
from wassette.answers import Change, Client
from wassette.errors import (
    ComponentDisabled,
    ComponentNotFound,
    HostPaused,
    NeedsPerson,
    ToolNotFound,
)
from wassette.host import Host
from wassette.paths import paths
from wassette.recording import CALLER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wassette.config import Settings

pytestmark = pytest.mark.anyio


def names(host: Host) -> list[str]:
    return [tool.name for tool in host.tools().all()]


@contextlib.contextmanager
def as_client() -> Iterator[None]:
    token = CALLER.set(Client("Agent", "1", "http", "s"))
    try:
        yield
    finally:
        CALLER.reset(token)


async def test_a_disabled_component_has_no_tools(settings: Settings, tmp_path: Path) -> None:
    async with Host(settings) as host:
        await host.load(str(wat.write(tmp_path, "calc")))
        await host.set_enabled("calc", False)
        assert names(host) == []
        with pytest.raises(ComponentDisabled, match="wassette component enable calc"):
            await host.call_tool("add", {"a": 1, "b": 2})
        (state,) = host.components()
        assert not state.enabled
        assert state.listed([])["enabled"] is False
        assert [tool.name for tool in host.tools().all_of("calc")] == ["add", "spin", "trap"]
        with pytest.raises(ToolNotFound):
            await host.call_tool("nothing", {})
        with pytest.raises(ComponentNotFound):
            await host.set_enabled("other", False)
    async with Host(settings) as host:  # it is remembered
        assert names(host) == []
        await host.set_enabled("calc", True)
        assert (await host.call_tool("add", {"a": 1, "b": 2})).value == 3
    found = ActivityReader(paths().activity).find(Filter(kind=Kind.CHANGE, after=0))
    assert [one.what for one in found][1:] == ["disable", "enable"]


async def test_another_component_keeps_the_names_of_its_tools(
    settings: Settings, tmp_path: Path
) -> None:
    async with Host(settings) as host:
        await host.load(str(wat.write(tmp_path, "one", wat.one_function("go", 1))))
        await host.load(str(wat.write(tmp_path, "two", wat.one_function("go", 2))))
        assert names(host) == ["go", "two__go"]
        await host.set_enabled("one", False)
        assert names(host) == ["two__go"]
        assert (await host.call_tool("two__go", {})).value == 2
        with pytest.raises(ComponentDisabled):
            await host.call_tool("go", {})


async def test_other_bytes_stay_disabled(settings: Settings, tmp_path: Path) -> None:
    """Attack: loading it again, also when what is known of it was lost."""
    async with Host(settings) as host:
        await host.load(str(wat.write(tmp_path, "calc")))
        await host.set_enabled("calc", False)
        await host.load(str(wat.write(tmp_path, "calc", wat.one_function("new"))))
        assert names(host) == []
        (settings.component_dir / "calc.metadata.json").write_text("{}")
    async with Host(settings) as host:
        await host.examined()
        assert names(host) == []
        with pytest.raises(ComponentDisabled):
            await host.call_tool("new", {})
        # A person who removes it, and loads it again, wants it.
        await host.unload("calc")
        await host.load(str(wat.write(tmp_path, "calc")))
        assert names(host) == ["add", "spin", "trap"]


async def test_paused_no_call_starts(
    settings: Settings, fixture_component: Callable[[str], Path]
) -> None:
    """Those that run may finish; other processes are paused, too; it outlives them."""
    async with Host(settings) as host, Host(settings) as other:
        await host.load(str(fixture_component("c-probe")))
        await host.call_tool("add", {"a": 1, "b": 2})
        running = asyncio.create_task(host.call_tool("sleep", {"seconds": 0.5}))
        await asyncio.sleep(0.2)
        assert not host.paused
        await other.pause()
        assert host.paused
        with pytest.raises(HostPaused, match="wassette host resume"):
            await host.call_tool("add", {"a": 1, "b": 2})
        assert (await running).error is None
        assert "add" in names(host)  # they are there; they are not called
    async with Host(settings) as host:
        with pytest.raises(HostPaused):
            await host.call_tool("add", {"a": 1, "b": 2})
        await host.resume()
        assert (await host.call_tool("add", {"a": 1, "b": 2})).value == 3
        await host.resume()  # nothing to do
    found = ActivityReader(paths().activity).find(Filter(kind=Kind.CHANGE, after=0))
    assert [one.what for one in found][1:] == ["pause", "resume"]


async def test_those_who_watch_are_told(settings: Settings, tmp_path: Path) -> None:
    """Whoever changes it: here another process's host, as the command line would."""
    changes: list[Change] = []
    came = asyncio.Event()

    def changed(change: Change) -> None:
        changes.append(change)
        came.set()

    async with Host(settings) as host, Host(settings) as other:
        await other.load(str(wat.write(tmp_path, "calc")))
        async with host.watching(changed):
            for change in (
                partial(other.set_enabled, "calc", False),
                other.pause,
                partial(other.set_enabled, "calc", True),
                other.resume,
            ):
                came.clear()
                await change()
                await asyncio.wait_for(came.wait(), 30)
    assert [(one.tools, one.components, one.paused) for one in changes] == [
        (True, True, False),
        (False, False, True),
        (True, True, False),
        (False, False, True),
    ]
    assert changes[0].updated == {"calc"}


async def test_no_client_switches_anything(settings: Settings, tmp_path: Path) -> None:
    async with Host(settings) as host:
        await host.load(str(wat.write(tmp_path, "calc")))
        await host.set_enabled("calc", False)
        await host.pause()
        with as_client():
            for attempt in (
                partial(host.set_enabled, "calc", True),
                partial(host.set_enabled, "calc", False),
                host.pause,
                host.resume,
                partial(host.unload, "calc"),
            ):
                with pytest.raises(NeedsPerson, match="Only a person"):
                    await attempt()
        assert host.paused
        assert host.store.is_disabled("calc")
