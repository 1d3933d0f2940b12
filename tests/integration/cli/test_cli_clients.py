"""`wassette clients` from a shell."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wassette.clients import CLIENTS

if TYPE_CHECKING:
    from support.cli import Cli

SERVERS = '{\n  // mine\n  "mcpServers": {}\n}\n'


@pytest.fixture
def cursor(cli: Cli) -> Path:
    file = cli.home / ".cursor" / "mcp.json"
    file.parent.mkdir()
    file.write_text(SERVERS)
    return file


def test_list(cli: Cli, cursor: Path) -> None:
    found = {one["id"]: one for one in cli.ok("clients", "list")["clients"]}
    assert set(found) == {one.id for one in CLIENTS}
    assert found["cursor"] == {
        "id": "cursor",
        "name": "Cursor",
        "installed": True,
        "state": "not registered",
        "disabled": False,
        "file": str(cursor),
        "command": None,
        "install_link": found["cursor"]["install_link"],
    }
    assert found["cursor"]["install_link"].startswith("cursor://")
    assert not found["goose"]["installed"]


def test_add_starts_a_server_and_undo_leaves_nothing(cli: Cli, cursor: Path) -> None:
    """What stands in the client's settings serves tools, from a directory like a project's."""
    added = cli.ok("clients", "add", "cursor")
    assert added == {
        "status": "client registered",
        "client": "cursor",
        "action": "add",
        "file": str(cursor),
        "changes": True,
    }
    assert cursor.read_text().startswith("{\n  // mine\n")
    entry = json.loads(cursor.read_text().replace("  // mine\n", ""))["mcpServers"]["wassette"]
    ping = '{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n'
    done = subprocess.run(
        [entry["command"], *entry["args"]],
        input=ping,
        capture_output=True,
        text=True,
        cwd=cursor.parent,
        env=cli.environment(),
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout) == {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert cli.ok("clients", "add", "cursor")["status"] == "client already registered"
    assert cli.ok("clients", "undo", "cursor")["status"] == "change undone"
    assert cursor.read_text() == SERVERS


def test_remove(cli: Cli, cursor: Path) -> None:
    cli.ok("clients", "add", "cursor")
    assert cli.ok("clients", "remove", "cursor")["status"] == "client removed"
    assert cli.ok("clients", "remove", "cursor")["status"] == "client not registered"
    assert cursor.read_text() == SERVERS


def test_show_diff_changes_nothing(cli: Cli, cursor: Path) -> None:
    done = cli("clients", "show-diff", "cursor")
    assert done.code == 0
    assert done.out.startswith(f"--- {cursor}\n+++ {cursor}\n@@ -1,4 +1,")
    assert '+    "wassette": {' in done.out
    assert cursor.read_text() == SERVERS
    cli.ok("clients", "add", "cursor")
    assert cli("clients", "show-diff", "cursor").out == "Nothing would change.\n"
    for option in ("--remove", "--undo"):
        assert '-    "wassette": {' in cli("clients", "show-diff", "cursor", option).out
    shown = cli("clients", "show-diff", "cursor", "--undo", "-o", "json").json
    assert (shown["action"], shown["changes"]) == ("undo", True)
    assert cli("clients", "show-diff", "cursor", "--undo", "--remove").code == 2


def test_table_and_unreadable_settings(cli: Cli, cursor: Path) -> None:
    cursor.write_text('{\n  "a": 1\n  "b": 2\n}')
    done = cli("clients", "list", "-o", "table")
    [row] = [line for line in done.out.splitlines() if line.startswith("cursor")]
    assert [cell.strip() for cell in row.split("|")][:4] == [
        "cursor",
        "Cursor",
        "yes",
        "unreadable",
    ]
    assert f"Note: {cursor}, line 3: a comma or '}}' was expected." in done.err
    refused = cli("clients", "add", "cursor")
    assert refused.code == 1
    assert "line 3" in refused.err
    assert "left as it is" in refused.err


def test_client_that_is_not_there(cli: Cli) -> None:
    done = cli("clients", "add", "zed")
    assert done.code == 1
    assert done.err.startswith("Error: Zed is not installed here")
    assert cli("clients", "add", "emacs").err.startswith("Error: There is no client 'emacs'.")


def test_project_and_component_directory(cli: Cli, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    done = cli("clients", "add", "vscode", "--project", project, "--component-dir", "relative")
    assert done.code == 0
    entry = json.loads((project / ".vscode" / "mcp.json").read_text())["servers"]["wassette"]
    assert entry["command"] == "wassette"
    assert entry["args"][-2:] == ["--component-dir", str(cli.home / "relative")]
    listed = cli("clients", "list", "--project", project).json["clients"]
    registered = [one["id"] for one in listed if one["state"] == "registered"]
    assert registered == ["vscode", "vscode-insiders", "vscodium"]  # it is one file


def test_verify_asks_the_client(cli: Cli) -> None:
    folder = cli.home / "bin"
    folder.mkdir()
    program = folder / "claude"
    program.write_text("#!/bin/sh\necho 'wassette:'; echo '  Status: ✘ Failed to connect'\n")
    program.chmod(0o755)
    cli.env["PATH"] = f"{folder}:/bin:{Path(sys.executable).parent}"
    done = cli("clients", "add", "claude-code", "--verify")
    assert done.code == 1
    assert "could not start Wassette" in done.err
    program.write_text("#!/bin/sh\necho 'wassette:'; echo '  Status: ✔ Connected'\n")
    done = cli("clients", "add", "claude-code", "--verify")
    assert (done.code, done.err.splitlines()[-1]) == (0, "The client sees it and could start it.")


@pytest.mark.parametrize("portable", [True, False])
def test_bundle(portable: bool, cli: Cli, tmp_path: Path) -> None:
    """Its starter runs this Wassette, found by itself or by where it was made."""
    file = tmp_path / "wassette.mcpb"
    assert cli("clients", "bundle", file, *["--portable"] * portable).out == f"{file}\n"
    with zipfile.ZipFile(file) as archive:
        archive.extractall(tmp_path / "unpacked")
    starter = tmp_path / "unpacked" / "server" / "index.js"
    assert ("known = [];" in starter.read_text()) is portable
    scripts = str(Path(sys.executable).parent)
    environment = cli.environment(
        {"PATH": f"{scripts}:/usr/bin:/bin" if portable else "/usr/bin:/bin"}
    )
    done = subprocess.run(
        ["node", starter],
        input='{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n',
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout)["result"] == {}


def test_bundle_without_a_wassette_says_so(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "wassette.mcpb"
    cli("clients", "bundle", file, "--portable")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(tmp_path)
    done = subprocess.run(
        ["node", tmp_path / "server" / "index.js"],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "Wassette is not installed" in done.stderr


def test_badges(cli: Cli) -> None:
    assert cli("clients", "badges").out.startswith("[![Install in VS Code](https://")
