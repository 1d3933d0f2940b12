"""Which walls are said to stand, by what a machine has; and the texts for other systems."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from wassette.workers.walls import elsewhere, macos, refusal, syscalls, windows
from wassette.workers.walls.model import Confinement, Name, Opening, Wall

STANDS = Wall(Name.FILES, stands=True, by="x")
MISSING = Wall(Name.NETWORK, stands=False, why="it is raining")


def test_what_is_required_and_missing_is_said() -> None:
    assert refusal([STANDS]) is None
    said = refusal([STANDS, MISSING])
    assert said is not None
    assert "'network'" in said
    assert "because it is raining" in said
    assert refusal([STANDS, replace(MISSING, possible=False)]) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="is about Linux")
@pytest.mark.parametrize(
    ("landlock", "seccomp", "connects", "missing"),
    [
        (7, True, True, ""),
        (7, True, False, ""),
        (4, True, True, ""),
        (3, True, True, "network"),
        (3, True, False, ""),
        (1, True, False, ""),
        (1, True, True, "network"),
        (0, True, False, "files"),
        (0, True, True, "files network"),
        (7, False, False, "network processes kernel"),
        (7, False, True, "network processes kernel"),
        (2, False, False, "files network processes kernel"),
        (0, False, True, "files network processes kernel"),
    ],
)
def test_what_stands_on_linux(landlock: int, seccomp: bool, connects: bool, missing: str) -> None:
    from wassette.workers.walls import linux

    found = linux._walls(
        landlock,
        None if landlock else "no Landlock",
        None if seccomp else "no seccomp",
        None,
        connects=connects,
    )
    assert [wall.name for wall in found] == list(Name)
    assert [wall.name for wall in found if not wall.stands] == missing.split()
    assert all(wall.by if wall.stands else wall.why for wall in found)


@pytest.mark.parametrize(
    "found",
    [macos._walls(None), macos._walls("no"), windows.available(), elsewhere.available()],
    ids=["macos", "macos without", "windows", "elsewhere"],
)
def test_every_wall_is_accounted_for(found: tuple[Wall, ...]) -> None:
    assert [wall.name for wall in found] == list(Name)
    assert all(wall.by if wall.stands else wall.why for wall in found)


def test_what_is_allowed_is_written_once() -> None:
    assert len(set(syscalls.ALWAYS)) == len(syscalls.ALWAYS)


def test_the_profile_for_macos() -> None:
    openings = (
        Opening("/Users/me/notes", 1, 2, "r"),
        Opening("/Users/me/out", 1, 3, "rw"),
        Opening("/Users/me/drop", 1, 4, "w"),
        Opening("/Users/me/one", 1, 5, ""),
    )
    lines = macos.profile(Confinement(1, "/cache/code", openings, 4711)).splitlines()
    assert lines[:2] == ["(version 1)", "(deny default)"]
    assert '(allow file-read* (subpath "/Users/me/notes"))' in lines
    assert '(allow file-write* (subpath "/Users/me/out"))' in lines
    assert '(allow file-read* (subpath "/Users/me/drop"))' not in lines
    assert not any("write" in line and "notes" in line for line in lines)
    assert not any("file-read*" in line and "/one" in line for line in lines)
    assert '(allow network-outbound (remote tcp "localhost:4711"))' in lines
    assert "network" not in macos.profile(Confinement(1))


def test_a_path_cannot_end_its_text_in_the_profile() -> None:
    """Attack: grant a directory whose name is a rule."""
    name = '/tmp/x")) (allow default) (deny file-read* (subpath "\\'
    text = macos.profile(Confinement(1, None, (Opening(name, 1, 1, "r"),)))
    inside, quoted = False, 0
    at = 0
    while at < len(text):
        if inside and text[at] == "\\":
            at += 1
        elif text[at] == '"':
            inside = not inside
            quoted += 1
        at += 1
    assert quoted == 2
    assert not inside
