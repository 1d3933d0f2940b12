"""What the guard tells of what it allows, and that it tells nothing unless it is asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.files import Guest, rule, rules

if TYPE_CHECKING:
    from pathlib import Path

EVERYTHING = [
    ["read", "/v/a.txt"],
    ["read", "/v/link"],
    ["list", "/v/sub"],
    ["stat", "/v/missing"],
    ["write", "/v/out/new.txt", "x"],
    ["read", "/v/no/secret"],
]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    for folder in ("sub", "out", "no"):
        (tmp_path / folder).mkdir()
    for name in ("a.txt", "b.txt", "sub/c", "sub/d", "no/secret"):
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("sub/c")
    return tmp_path


def guest(disk: Path, options: str) -> Guest:
    parts = rule("rt", "/v"), rule("rwt", "/v/out"), rule("rwd", "/v/no")
    return Guest("c-files", ((str(disk), "/v", True),), rules(*parts, options=options))


def uses(one: Guest) -> list[tuple[str, str]]:
    return [(kind, path) for kind, path in one.refused if kind.startswith("used-")]


def test_nothing_is_told_unless_it_is_wanted(disk: Path) -> None:
    one = guest(disk, "")
    one.run(EVERYTHING)
    assert one.refused == [("storage-changed", "/"), ("storage-read", "/v/no/secret")]


def test_every_name_that_was_used_is_told_once(disk: Path) -> None:
    one = guest(disk, "a")
    one.run([*EVERYTHING, *EVERYTHING])
    found = uses(one)
    assert len(found) == len(set(found))
    assert set(found) >= {
        ("used-read", "/v/a.txt"),
        ("used-read", "/v/link"),
        ("used-read", "/v/sub/c"),  # where the link led
        ("used-list", "/v/sub"),
        ("used-look", "/v/missing"),
        ("used-write", "/v/out/new.txt"),
    }
    names = {path for _, path in found}
    assert "/v/b.txt" not in names  # not used
    assert "/v/no/secret" not in names  # refused
    # What is refused is told as ever.
    assert ("storage-read", "/v/no/secret") in one.refused


def test_links_in_a_wholly_allowed_directory_are_told_by_where_they_lead(disk: Path) -> None:
    """Such a directory is left to the runtime, but not while somebody wants to know."""
    one = Guest("c-files", ((str(disk), "/v", True),), rules(rule("rwt", "/v"), options="a"))
    assert one.do("read", "/v/link") == "sub/c"
    assert ("used-read", "/v/sub/c") in uses(one)


def test_the_first_use_of_each_rule(disk: Path) -> None:
    one = guest(disk, "u")
    one.run([*EVERYTHING, ["read", "/v/b.txt"], ["read", "/v/out/new.txt"]])
    found = uses(one)
    assert [one for one in found if one[0] == "used-read"] == [
        ("used-read", "/v/a.txt"),
        ("used-read", "/v/out/new.txt"),
    ]
    assert [one for one in found if one[0] == "used-write"] == [("used-write", "/v/out/new.txt")]


@pytest.mark.parametrize("count", [1000, 1500])
def test_so_many_and_no_more(disk: Path, count: int) -> None:
    for number in range(count):
        (disk / f"f{number}").touch()
    one = guest(disk, "a")
    one.run([["read", f"/v/f{number}"] for number in range(count)])
    found = uses(one)
    assert len([1 for kind, _ in found if kind == "used-read"]) == min(count, 1000)
    assert found.count(("used-more", "/v/f1000")) == (count > 1000)


def test_an_option_that_is_none_refuses_everything(disk: Path) -> None:
    one = guest(disk, "x")
    assert one.do("read", "/v/a.txt") == "EACCES"
