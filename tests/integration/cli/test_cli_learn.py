"""policy learn, and grants that are pointed out as unused."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from wassette.paths import paths

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def files(inside: Any, tmp_path: Path, fixture_component: Callable[[str], Path]) -> Path:
    """`c-files` with a directory that it may use."""
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.md").write_text("a")
    (folder / "b.md").write_text("b")
    assert inside("component", "load", fixture_component("c-files")).code == 0
    grant = ("permission", "grant", "storage", "c-files", f"fs://{folder}")
    assert inside(*grant, "--access", "read,write").code == 0
    return folder


def read(folder: Path, name: str = "a.md") -> str:
    return json.dumps({"operations": [["read", str(folder / name)]]})


def test_watch_call_compare_apply(inside: Any, files: Path) -> None:
    done = inside("policy", "learn", "c-files", "--for", "1h")
    assert (done.code, done.json["status"]) == (0, "learning")
    assert inside("tool", "invoke", "run", "--args", read(files)).code == 0
    done = inside("policy", "learn", "c-files")
    assert done.code == 0, done.err
    assert "1 call since" in done.out
    assert f'+      - uri: "fs://{files}/a.md"' in done.out
    assert "wassette policy learn c-files --apply" in done.out
    assert inside("policy", "learn", "c-files", "--stop").code == 0
    inside("tool", "invoke", "run", "--args", read(files, "b.md"))
    done = inside("policy", "learn", "c-files", "--apply", "-o", "json")
    assert (done.code, done.json["applied"]) == (0, True)
    storage = inside("policy", "get", "c-files").json["permissions"]["storage"]
    assert storage == [{"uri": f"fs://{files}/a.md", "access": ["read"]}]
    assert "nothing is suggested" in inside("policy", "learn", "c-files").out


def test_one_call(inside: Any, files: Path) -> None:
    done = inside("policy", "learn", "c-files", "--", "run", read(files))
    assert done.code == 0, done.err
    assert f'+      - uri: "fs://{files}/a.md"' in done.out
    # It is not watched any more.
    inside("tool", "invoke", "run", "--args", read(files, "b.md"))
    assert "b.md" not in inside("policy", "learn", "c-files").out


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ((), 1, "Nobody has watched"),
        (("--for", "soon"), 2, "is not a time such as"),
        (("--for", "1h", "--apply"), 2, "say one of them"),
        (("--", "run", "{}", "x"), 2, "as one text"),
        (("--", "nothing"), 1, "Unknown tool"),
    ],
)
def test_what_cannot_be_learned(
    inside: Any, files: Path, words: tuple[str, ...], code: int, text: str
) -> None:
    done = inside("policy", "learn", "c-files", *words)
    assert (done.code, text in done.err) == (code, True), done.err


def test_grants_that_are_not_used_are_pointed_out(inside: Any, files: Path) -> None:
    assert "unused" not in inside("policy", "get", "c-files").json
    with sqlite3.connect(paths().usage) as db:
        db.execute("UPDATE grants SET since = since - ?", (45 * 86_400,))
    rule = f"read,write fs://{files}"
    done = inside("policy", "get", "c-files")
    assert done.json["unused"] == [{"kind": "storage", "rule": rule, "days": 45}]
    done = inside("policy", "get", "c-files", "-o", "table")
    assert f"Note: storage '{rule}' was not used for 45 days" in done.out
    inside("tool", "invoke", "run", "--args", read(files))
    assert "unused" not in inside("policy", "get", "c-files").json


def test_names_that_deceive_are_shown(inside: Any, files: Path) -> None:
    """A file's name cannot pretend to be another line of the difference."""
    name = "a\u202ev.md\n+++ nothing"
    (files / name).write_text("x")
    done = inside("policy", "learn", "c-files", "--", "run", read(files, name))
    assert done.code == 0, done.err
    assert "\u202e" not in done.out
    assert "\n+++ nothing" not in done.out
