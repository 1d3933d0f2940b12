"""The starter `memory`: notes that are there in the next call, and nowhere but in its directory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from support.starters import Hosted

if TYPE_CHECKING:
    from pathlib import Path

    from wassette.host import Host

pytestmark = pytest.mark.anyio


@pytest.fixture
async def memory(host: Host, tmp_path: Path) -> Hosted:
    await host.load("starter:memory")
    await host.grant_storage("memory", "fs://notes", ["read", "write"])
    (tmp_path / "notes").mkdir()
    await host.bind_root("memory", "notes", tmp_path / "notes")
    return Hosted(host)


async def test_notes(memory: Hosted, tmp_path: Path) -> None:
    await memory.ok("remember", key="project/Goals", text="ship it")
    await memory.ok("remember", key="project/goals", text="another one")
    await memory.ok("add-to-note", key="project/Goals", text="soon")
    await memory.ok("add-to-note", key="new", text="first")
    assert await memory.ok("recall", key="project/Goals") == "ship it\nsoon"
    listed = await memory.ok("list-notes")
    assert {one["key"]: one["size"] for one in listed} == {
        "new": 5,
        "project/Goals": 12,
        "project/goals": 11,
    }
    assert {one["key"] for one in await memory.ok("list-notes", prefix="project/G")} == {
        "project/Goals"
    }
    found = await memory.ok("search-notes", words="SHIP soon")
    assert found == [{"key": "project/Goals", "text": "ship it\nsoon"}]
    await memory.ok("forget", key="project/Goals")
    assert "no note" in await memory.error("recall", key="project/Goals")
    assert "no note" in await memory.error("forget", key="project/Goals")
    assert len(os.listdir(tmp_path / "notes")) == 2


KEYS = [
    "../../x",
    "/etc/passwd",
    ".",
    "..",
    "a\\b",
    "CON",
    "ü/ß",
    "%2e",
    "a b",
    "x" * 120,
    "💾" * 10,
]


async def test_no_key_leads_out_of_the_directory(memory: Hosted, tmp_path: Path) -> None:
    for number, key in enumerate(KEYS):
        await memory.ok("remember", key=key, text=str(number))
    for number, key in enumerate(KEYS):
        assert await memory.ok("recall", key=key) == str(number)
    names = os.listdir(tmp_path / "notes")
    assert len(names) == len(KEYS)
    assert len({name.lower() for name in names}) == len(KEYS)
    assert {one["key"] for one in await memory.ok("list-notes")} == set(KEYS)
    assert sorted(os.listdir(tmp_path)) == ["home", "notes"]


REFUSED = [
    ("", "x", "1 to 120"),
    ("x" * 121, "x", "1 to 120"),
    ("a\nb", "x", "control character"),
    ("ü" * 120, "x", "too long"),
    ("a", "x" * (1 << 20) + "x", "1 MiB"),
]


async def test_what_is_not_kept(memory: Hosted) -> None:
    for key, text, why in REFUSED:
        assert why in await memory.error("remember", key=key, text=text)
    assert await memory.ok("list-notes") == []


async def test_a_foreign_file_is_no_note(memory: Hosted, tmp_path: Path) -> None:
    for name in ("readme.txt", "BAD.md", "%zz.md", "%ff.md"):
        (tmp_path / "notes" / name).write_text("x")
    assert await memory.ok("list-notes") == []


async def test_its_own_directory_is_enough(host: Host) -> None:
    """What it asks for: a root that is private until it is bound, and outlives the call."""
    await host.load("starter:memory")
    memory = Hosted(host)
    assert "permitted" in await memory.error("remember", key="a", text="b")
    await host.grant_storage("memory", "fs://notes/**", ["read", "write"])
    await memory.ok("remember", key="a", text="b")
    assert await memory.ok("recall", key="a") == "b"
