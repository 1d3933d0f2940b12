"""What a host records of calls, accesses and changes, read back from the real file."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from support.wat import write
from wassette.activity import ActivityLog, ActivityReader, Entry, Filter, Kind, Outcome
from wassette.answers import Client
from wassette.host import Host
from wassette.paths import paths

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wassette.config import Settings

pytestmark = pytest.mark.anyio
EDITOR = Client("Editor", "2.1", "stdio", "session-1")


def recorded(**wanted: object) -> list[Entry]:
    """Oldest first."""
    return ActivityReader(paths().activity).find(Filter(after=0, **wanted))  # type: ignore[arg-type]


async def test_a_call_is_one_entry(settings: Settings, tmp_path: Path) -> None:
    async with Host(settings) as host:
        await host.load(str(write(tmp_path, "calc")))
        good = await host.call_tool("add", {"a": 40, "b": 2}, EDITOR)
        bad = await host.call_tool("trap", {}, EDITOR)
    one, two = recorded(kind=Kind.CALL)
    assert (one.tool, one.outcome, one.call) == ("add", Outcome.OK, good.call)
    assert (one.client, one.session, one.component) == ("Editor", "session-1", "calc")
    assert one.detail["arguments"] == {"a": 40, "b": 2}
    assert one.detail["result_size"] == 2
    assert one.detail["memory"] >= 0
    assert one.seconds is not None
    assert 0 < one.seconds < 60
    assert (two.outcome, two.call) == (Outcome.ERROR, bad.call)
    assert "trapped" in two.reason
    assert one.call != two.call


async def test_a_cancelled_call_is_recorded_as_that(settings: Settings, tmp_path: Path) -> None:
    async with Host(settings) as host:
        await host.load(str(write(tmp_path, "calc")))
        await host.call_tool("add", {"a": 1, "b": 2}, EDITOR)
        task = asyncio.create_task(host.call_tool("spin", {}, EDITOR))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [one.outcome for one in recorded(tool="spin")] == [Outcome.CANCELLED]


async def test_what_was_refused_belongs_to_its_call(
    settings: Settings, tmp_path: Path, fixture_component: Callable[[str], Path]
) -> None:
    async with Host(settings) as host:
        await host.load(str(fixture_component("py-files")))
        path = tmp_path / "secret.txt"
        called = await host.call_tool("evaluate", {"expressions": [f"read({str(path)!r})"]}, EDITOR)
    access = [one for one in recorded(kind=Kind.ACCESS, call=called.call) if "secret" in one.what]
    assert [(one.what, one.outcome) for one in access] == [(f"read {path}", Outcome.DENIED)]


async def test_known_secrets_are_not_in_it(settings: Settings, tmp_path: Path) -> None:
    async with Host(settings) as host:
        await host.load(str(write(tmp_path, "calc")))
        await host.set_secrets("calc", {"API_KEY": "hunter2-hunter2"})
        await host.secrets("calc")  # read, as for a call
        await host.call_tool("add", {"a": "hunter2-hunter2", "b": 2}, EDITOR)
    for name in paths().activity.parent.glob("activity.db*"):
        assert b"hunter2" not in name.read_bytes()
    assert recorded(kind=Kind.CALL)[0].detail["arguments"]["a"] == "<redacted>"


async def test_changes_are_recorded(settings: Settings, tmp_path: Path) -> None:
    async with Host(settings) as host:
        component = write(tmp_path, "calc")
        await host.load(str(component))
        await host.load(str(component))  # nothing changes
        await host.grant_network("calc", "example.com")
        await host.grant_network("calc", "example.com")
        await host.revoke_network("calc", "example.com")
        await host.unload("calc")
    found = [(one.what, one.component) for one in recorded(kind=Kind.CHANGE)]
    assert found == [
        (f"load {component.as_uri()}", "calc"),
        ("grant network example.com", "calc"),
        ("revoke network example.com", "calc"),
        ("unload", "calc"),
    ]


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, wassette.host, wassette.mcp.server, wassette.cli.app;"
        "print([m for m in ('sqlite3', 'publicsuffixlist', 'wasmtime') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


async def test_the_record_is_kept_as_configured_now(
    settings: Settings, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A change counts without a restart; a mistake in the file changes nothing."""
    monkeypatch.setattr("wassette.activity.log.PRUNE_AFTER", 0.0)
    file = home / "config" / "wassette" / "config.toml"
    file.parent.mkdir(parents=True)
    old = Entry(Kind.CHANGE, Outcome.OK, "old", time.time() - 10 * 86_400)
    async with Host(settings) as host:
        for text, kept in (
            ("", True),
            ("activity_days = 'few'", True),
            ("activity_days = 7", False),
        ):
            file.write_text(text)
            log = ActivityLog(paths().activity)
            log.record(old)
            log.close()
            await host.load(str(write(tmp_path, "calc")))
            await host.unload("calc")
            written = host._parts.recorder._log
            assert written is not None
            written.flush()
            assert bool(recorded(text="old")) is kept
