"""The record, written and read by several processes."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from wassette.activity import ActivityLog, ActivityReader, Entry, Filter, Kind, Outcome, Redactor
from wassette.activity.log import MAX_QUEUED
from wassette.activity_options import Retention
from wassette.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2-hunter2"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "activity.db"


def call(what: str = "greet", **rest: object) -> Entry:
    return Entry(Kind.CALL, Outcome.OK, what, time.time(), **rest)  # type: ignore[arg-type]


def write(path: Path, *entries: Entry) -> None:
    log = ActivityLog(path, Redactor(lambda: [SECRET]))
    log.record(*entries)
    log.close()


def find(path: Path, **wanted: object) -> list[Entry]:
    reader = ActivityReader(path)
    try:
        return reader.find(Filter(**wanted))  # type: ignore[arg-type]
    finally:
        reader.close()


def test_what_was_recorded_is_found(path: Path) -> None:
    entry = Entry(
        Kind.ACCESS,
        Outcome.DENIED,
        "GET https://api.example.com:443/",
        1_700_000_000_000.5,
        "weather",
        "d1",
        "forecast",
        "Claude Code",
        "s1",
        "c1",
        "no rule allows it",
        0.25,
        {"address": "1.2.3.4", "status": None, "sent": 0},
    )
    write(path, entry)
    (found,) = find(path)
    assert found.number == 1
    assert {**found.to_plain(), "number": None} == {**entry.to_plain(), "number": None}


def test_only_the_user_can_read_it(path: Path) -> None:
    write(path, call())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    log = ActivityLog(path)
    log.record(call())
    assert log.flush()
    for sibling in path.parent.iterdir():
        assert stat.S_IMODE(sibling.stat().st_mode) == 0o600, sibling
    log.close()


def test_secrets_are_not_in_the_file(path: Path) -> None:
    detail = {"arguments": {"text": SECRET, "api_key": "abc"}, "output": f"token {SECRET}"}
    write(path, call(f"say {SECRET}", reason=SECRET, detail=detail))
    for file in path.parent.iterdir():
        assert SECRET.encode() not in file.read_bytes()
    assert find(path)[0].detail["arguments"]["api_key"] == "<redacted>"


FILTERS = [
    ({"kind": Kind.CALL}, [1, 2, 3]),
    ({"kind": Kind.ACCESS}, [4]),
    ({"outcome": Outcome.DENIED}, [4]),
    ({"component": "b"}, [2]),
    ({"tool": "t3"}, [3]),
    ({"client": "c"}, [1, 2]),
    ({"session": "s"}, [3]),
    ({"call": "one"}, [1, 4]),
    ({"text": "ETC"}, [4]),
    ({"since": 20.0}, [2, 3, 4]),
    ({"until": 20.0}, [1]),
    ({"before": 3}, [1, 2]),
    ({"text": "%"}, []),
    ({"component": "x' OR '1'='1"}, []),
    ({"component": "a", "kind": Kind.ACCESS}, [4]),
    ({"limit": 2}, [3, 4]),
]


@pytest.mark.parametrize(("wanted", "numbers"), FILTERS)
def test_filters(path: Path, wanted: dict[str, object], numbers: list[int]) -> None:
    ok, denied = Outcome.OK, Outcome.DENIED
    write(
        path,
        Entry(Kind.CALL, ok, "t1", 10.0 + 1e12, "a", tool="t1", client="c", call="one"),
        Entry(Kind.CALL, ok, "t2", 20.0 + 1e12, "b", tool="t2", client="c"),
        Entry(Kind.CALL, ok, "t3", 30.0 + 1e12, "a", tool="t3", session="s"),
        Entry(Kind.ACCESS, denied, "read /etc/passwd", 40.0 + 1e12, "a", call="one"),
    )
    for name in ("since", "until"):
        if name in wanted:
            wanted = {**wanted, name: float(str(wanted[name])) + 1e12}
    assert sorted(e.number or 0 for e in find(path, **wanted)) == numbers


def test_newest_first_unless_from_a_place_on(path: Path) -> None:
    write(path, *(call(str(n)) for n in range(5)))
    assert [e.what for e in find(path, limit=2)] == ["4", "3"]
    assert [e.what for e in find(path, after=1, limit=2)] == ["1", "2"]


def test_nothing_recorded_yet(path: Path) -> None:
    assert find(path) == []
    assert ActivityReader(path).last() == 0


def test_text_that_is_not_unicode_is_kept(path: Path) -> None:
    write(path, call("\ud800", detail={"arguments": {"\udcff": "\ud800\0"}}))
    assert find(path)[0].what == "\\ud800"


def test_recording_takes_no_time_while_somebody_else_has_the_lock(path: Path) -> None:
    write(path, call("first"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    log = ActivityLog(path)
    began = time.monotonic()
    for number in range(1000):
        log.record(call(str(number)))
    took = time.monotonic() - began
    other.execute("ROLLBACK")
    other.close()
    assert log.flush()
    log.close()
    assert took < 2  # the lock would be waited for 5 s; a thousand entries take a few ms
    assert len(find(path, limit=5000)) == 1001


def test_what_cannot_be_written_is_counted_and_calls_go_on(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("wassette.activity.log.RETRY_DELAY", 0.01)
    path.parent.parent.joinpath("state").write_text("a file where the directory should be")
    log = ActivityLog(path)
    log.record(*(call() for _ in range(7)))
    deadline = time.monotonic() + 10
    while "entries of the activity record are lost" not in caplog.text:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    path.parent.unlink()
    log.record(call("after"))
    log.close()
    assert [e.what for e in find(path)] == ["7 entries could not be written", "after"]


def test_a_full_queue_loses_entries_and_says_so(path: Path) -> None:
    log = ActivityLog(path)
    log.record(*(call() for _ in range(MAX_QUEUED + 3)))
    log.close(30)
    assert find(path)[0].what == "3 entries could not be written"


@pytest.mark.parametrize(
    "damage", [b"not a database at all" * 100, b"SQLite format 3\0" + b"x" * 5000]
)
def test_a_broken_file_is_kept_aside(path: Path, damage: bytes) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(damage)
    write(path, call("new"))
    assert [e.what for e in find(path)] == ["new"]
    (aside,) = path.parent.glob("*.broken-*")
    assert aside.read_bytes() == damage


def test_another_version_is_left_alone(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(path, call("old"))
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    log = ActivityLog(path)
    log.record(call("new"))
    log.close()
    assert "another version" in caplog.text
    with pytest.raises(StoreError, match="another version"):
        find(path)


def test_a_link_is_not_written_through(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    target = tmp_path / "victim"
    target.write_text("precious")
    path.symlink_to(target)
    write(path, call())
    assert target.read_text() == "precious"
    with pytest.raises(StoreError, match="not a file"):
        find(path)


def test_old_entries_go(path: Path) -> None:
    log = ActivityLog(path, retention=lambda: Retention(days=1))
    log.record(Entry(Kind.CALL, Outcome.OK, "old", time.time() - 90_000), call("new"))
    log.close()
    assert [e.what for e in find(path)] == ["new"]


def test_a_large_record_loses_its_oldest_entries(path: Path) -> None:
    log = ActivityLog(path, retention=lambda: Retention(megabytes=0.3))
    for start in range(0, 6000, 500):
        log.record(*(call(f"{n:05}", reason="r" * 200) for n in range(start, start + 500)))
        assert log.flush()
    log.close()
    kept = find(path, limit=10_000)
    assert kept[0].what == "05999"
    assert 0 < len(kept) < 6000
    assert [e.what for e in kept] == sorted((e.what for e in kept), reverse=True)


def test_less_is_kept_without_a_restart_and_the_file_is_smaller(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a person sets while the host runs counts at the next look, here with every entry."""
    monkeypatch.setattr("wassette.activity.log.PRUNE_AFTER", 0.0)
    kept = [Retention(megabytes=2)]
    log = ActivityLog(path, retention=lambda: kept[-1])
    log.record(*(call(f"{n:05}", reason="r" * 500) for n in range(2000)))
    assert log.flush()
    assert len(find(path, limit=10_000)) == 2000
    kept.append(Retention(megabytes=0.3))
    log.record(call("last"))
    assert log.flush()
    found = find(path, limit=10_000)
    assert found[0].what == "last"
    assert 0 < len(found) < 1000
    log.close()
    assert path.stat().st_size < 600_000


def test_processes_write_together(path: Path) -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from wassette.activity import *\n"
        "log = ActivityLog(Path(sys.argv[1]))\n"
        "for n in range(200):\n"
        "    log.record(Entry(Kind.CALL, Outcome.OK, f'{sys.argv[2]}-{n}', time.time()))\n"
        "    time.sleep(0.001)\n"
        "log.close()\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(path), str(n)]) for n in range(4)
    ]
    assert [one.wait(60) for one in running] == [0] * 4
    assert len({e.what for e in find(path, limit=1000)}) == 800


@pytest.mark.anyio
async def test_what_another_process_records_is_followed(path: Path) -> None:
    write(path, call("before"))
    reader = ActivityReader(path)
    seen: list[str] = []

    async def follow() -> None:
        async for entry in reader.follow(Filter(kind=Kind.CALL)):
            seen.append(entry.what)  # noqa: PERF401  (it never ends)

    task = asyncio.create_task(follow())
    await asyncio.sleep(0.2)
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from wassette.activity import *\n"
        "log = ActivityLog(Path(sys.argv[1]))\n"
        "log.record(Entry(Kind.CALL, Outcome.OK, 'live', time.time()))\n"
        "log.close()\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(path))
    assert await process.wait() == 0
    async with asyncio.timeout(10):
        while not seen:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    reader.close()
    assert seen == ["live"]


def test_chart(path: Path) -> None:
    start = time.time() - 100
    write(
        path,
        Entry(Kind.CALL, Outcome.OK, "a", start + 1, seconds=0.1),
        Entry(Kind.CALL, Outcome.ERROR, "a", start + 2, seconds=0.3),
        Entry(Kind.ACCESS, Outcome.DENIED, "a", start + 3),
        Entry(Kind.CALL, Outcome.OK, "a", start + 55, seconds=0.2),
    )
    reader = ActivityReader(path)
    first, second = reader.chart(start, start + 100, 2)
    reader.close()
    assert (first.calls, first.errors, first.denied, first.p50, first.p95) == (2, 1, 1, 0.3, 0.3)
    assert (second.calls, second.denied, second.p50) == (1, 0, 0.2)


# ---- the command -------------------------------------------------------------------------------


def wassette(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wassette", "activity", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ,
        check=False,
    )


def test_command(home: Path) -> None:
    path = home / "state" / "wassette" / "activity.db"
    bidi = "\u202egpj.exe"
    write(
        path,
        call("greet", component="hello", client="Cursor", seconds=0.012),
        Entry(
            Kind.ACCESS, Outcome.DENIED, f"read /etc/{bidi}", time.time(), "hello", reason="no rule"
        ),
    )
    shown = wassette("-o", "table")
    assert shown.returncode == 0
    assert "greet" in shown.stdout
    assert "12 ms" in shown.stdout
    assert bidi not in shown.stdout
    assert "\\u{202e}" in shown.stdout
    denied = json.loads(wassette("--outcome", "denied", "-o", "json").stdout)
    assert denied["count"] == 1
    assert denied["activity"][0]["reason"] == "no rule"
    lines = wassette("--limit", "0", "--jsonl").stdout.splitlines()
    assert [json.loads(line)["number"] for line in lines] == [1, 2]
    assert wassette("--since", "1h", "--until", "2000-01-01").stdout.startswith("Nothing")
    wrong = wassette("--since", "soon")
    assert wrong.returncode == 2
    assert "15m" in wrong.stderr


def test_command_with_nothing_recorded(home: Path) -> None:
    shown = wassette()
    assert (shown.returncode, shown.stdout) == (0, "Nothing was recorded that fits.\n")
