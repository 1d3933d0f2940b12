"""wassette doctor, and the setting of the walls."""

from __future__ import annotations

import platform
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from wassette.workers import walls
from wassette.workers.walls import model

if TYPE_CHECKING:
    from pathlib import Path

    from support.cli import Cli


def test_says_what_is_there(cli: Cli) -> None:
    done = cli("doctor", "-o", "json")
    assert done.code == 0, done.err
    found = done.json
    assert found["versions"]["python"] == platform.python_version()
    assert found["paths"]["data"].startswith(str(cli.home))
    assert found["walls"]["setting"] == "best-effort"
    assert found["walls"]["walls"] == [
        {
            "name": wall.name,
            "stands": wall.stands,
            "does": wall.does,
            "by": wall.by,
            "why": wall.why,
            "possible": wall.possible,
        }
        for wall in walls.available()
    ]


def test_for_people(inside: Any) -> None:
    done = inside("doctor")
    assert done.code == 0, done.err
    for wall in walls.available():
        assert wall.name in done.out
        assert (wall.does if wall.stands else wall.why) in done.out
    assert 'Walls are set to "best-effort"' in done.out


def test_does_not_load_the_runtime(cli: Cli) -> None:
    program = (
        "import sys; from wassette import cli; cli.main(['doctor']); "
        "sys.exit('wasmtime' in sys.modules)"
    )
    command = [sys.executable, "-c", program]
    subprocess.run(command, env=cli.environment(), stdout=subprocess.DEVNULL, check=True)


@pytest.mark.parametrize("where", ["file", "variable"])
def test_all_can_be_required(
    cli: Cli, inside: Any, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "file":
        path = cli.home / "other.toml"
        path.write_text("walls = 'require'")
        monkeypatch.setenv("WASSETTE_CONFIG_FILE", str(path))
    else:
        monkeypatch.setenv("WASSETTE_WALLS", "require")
    done = inside("doctor", "-o", "json")
    assert done.json["walls"]["setting"] == "require"
    assert done.code == (1 if walls.refusal(walls.available()) else 0)


def test_a_required_wall_that_is_missing(inside: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = model.Wall(model.Name.FILES, stands=False, why="the kernel is too old")
    monkeypatch.setattr(walls, "available", lambda: (missing,))
    monkeypatch.setenv("WASSETTE_WALLS", "require")
    done = inside("doctor")
    assert done.code == 1
    assert "the kernel is too old" in done.out
    assert "Every component would be refused" in done.err


@pytest.mark.parametrize(
    ("variable", "text", "says"),
    [
        ("maybe", "", "WASSETTE_WALLS is one of best-effort, require; not 'maybe'"),
        ("", "walls = 'none'", "is one of best-effort, require; not 'none'"),
        ("", "walls = true", "is one of best-effort, require; not 'True'"),
        ("", "walls = ['require']", "is one of best-effort, require; not"),
    ],
)
def test_a_wrong_setting(
    cli: Cli, inside: Any, monkeypatch: pytest.MonkeyPatch, variable: str, text: str, says: str
) -> None:
    path = cli.home / "other.toml"
    path.write_text(text)
    monkeypatch.setenv("WASSETTE_CONFIG_FILE", str(path))
    monkeypatch.setenv("WASSETTE_WALLS", variable)
    done = inside("component", "list")
    assert done.code == 1
    assert says in done.err


def broken_entry(cli: Cli) -> tuple[Path, str]:
    """Cursor's settings, with an entry that runs what is not there."""
    file = cli.home / ".cursor" / "mcp.json"
    file.parent.mkdir()
    text = '{"mcpServers": {"wassette": {"command": "/gone/wassette", "args": ["run"]}}}\n'
    file.write_text(text)
    return file, text


def test_entries_in_clients_that_are_wrong(cli: Cli) -> None:
    file, text = broken_entry(cli)
    shown = cli("doctor", "-o", "table")
    assert shown.code == 0, shown.err
    assert "/gone/wassette run, which is not there" in shown.out
    assert "wassette doctor --fix" in shown.out
    (finding,) = cli.ok("doctor", "-o", "json")["clients"]
    assert (finding["client"], finding["kind"], finding["fixable"]) == ("cursor", "broken", True)
    assert file.read_text() == text


@pytest.mark.parametrize(("answer", "mended"), [(b"y\n", True), (b"n\n", False), (b"", False)])
def test_mends_what_a_person_agrees_to(cli: Cli, answer: bytes, mended: bool) -> None:
    file, text = broken_entry(cli)
    done = cli("doctor", "--fix", "-o", "json", stdin=answer)
    assert "-" in done.err
    assert "/gone/wassette" in done.err
    assert (file.read_text() != text) == mended
    assert (cli.ok("doctor", "-o", "json")["clients"] == []) == mended


def test_nothing_to_mend(cli: Cli) -> None:
    done = cli("doctor", "--fix", "-o", "json")
    assert (done.code, done.err) == (0, "There is nothing to mend.\n")
