"""wassette doctor, and the setting of the walls."""

from __future__ import annotations

import platform
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from support import registries
from support.cli import component
from support.registries import needs_registry
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


def test_a_directory_that_others_may_write_to(cli: Cli) -> None:
    folder = cli.home / "data/wassette/components"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    asked = cli("doctor", "-o", "json", "--component-dir", folder)
    [wrong] = [one for one in asked.json["files"] if one["problem"]]
    assert wrong["problem"] == f"others may write there: chmod go-w '{folder}'"
    assert (asked.code, wrong["name"], wrong["mode"]) == (0, "components", "drwxrwxrwx")
    assert f"- {folder}: others may write there" in cli("doctor", "--component-dir", folder).out


def test_no_secret_is_in_it(loaded: Cli) -> None:
    done = loaded("secret", "set", "tools", "API_KEY=hunter2-stored")
    assert done.code == 0, done.err
    loaded.config.parent.mkdir(parents=True, exist_ok=True)
    loaded.config.write_text('[environment]\nTOKEN = "hunter2-configured"\n')
    for form in ("json", "yaml", "table"):
        done = loaded("doctor", "-o", form, env={"OTHER": "hunter2-variable"})
        assert done.code == 0, done.err
        assert "hunter2" not in done.out + done.err


def teapot(_seen: registries.Seen, handler: Any) -> bool:
    handler.reply(418, b"")
    return True


@needs_registry
def test_registries(cli: Cli, tmp_path: Path) -> None:
    assert cli("doctor", "-o", "json").json["registries"] == []
    with registries.registry(tmp_path / "registry") as plain, registries.front() as other:
        other.before = teapot
        file = tmp_path / "tool.wasm"
        file.write_bytes(component())
        cli.ok("component", "push", file, plain.oci("me/tool:1"))
        cli.ok("component", "load", plain.oci("me/tool:1"))
        # The one that a component came from is asked without being named.
        there = {"registry": plain.place, "ok": True, "says": "it answers"}
        assert cli("doctor", "-o", "json").json["registries"] == [there]
        assert cli("doctor", "-o", "json", "--offline").json["registries"] == []
        asked = cli("doctor", "-o", "json", "--registry", other.place).json["registries"]
        assert there in asked
        [wrong] = [one for one in asked if one["registry"] == other.place]
        assert not wrong["ok"]
        assert "answers 418 to GET /v2/, which a registry does not" in wrong["says"]
    [gone] = cli("doctor", "-o", "json").json["registries"]
    assert (gone["ok"], "does not accept connections" in gone["says"]) == (False, True)
    assert gone["says"] in cli("doctor").out
    done = cli("doctor", "--registry", "https://ghcr.io")
    assert (done.code, "is not a registry" in done.err) == (1, True)


def test_the_host_process(cli: Cli) -> None:
    assert cli("doctor", "-o", "json").json["host"] == {"running": False, "problem": None}
    assert "none is running" in cli("doctor").out


def test_what_the_desktop_has(cli: Cli) -> None:
    env = dict.fromkeys(("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"), "")
    found = cli("doctor", "-o", "json", env=env).json["desktop"]
    assert found == {
        "window": "none: there is no display; a link is printed",
        "tray": "none: there is no session bus",
        "notifications": "none: there is no session bus",
    }
    assert "there is no display" in cli("doctor", env=env).out
