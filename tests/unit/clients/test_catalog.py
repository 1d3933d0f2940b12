"""Each client's entry as it is documented, and where it goes on each system."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.registering import clients_in, installed
from wassette.clients import CLIENTS, Standing
from wassette.clients.catalog import Client, client
from wassette.clients.formats import reader
from wassette.errors import ClientError

if TYPE_CHECKING:
    from wassette.clients.machine import System

GOLDEN = Path(__file__).parent / "golden"
DOCS = Path(__file__).parents[3] / "docs" / "clients.md"
COMMAND = "/home/me/.local/bin/wassette"
ALL = pytest.mark.parametrize("one", CLIENTS, ids=lambda one: one.id)


@ALL
def test_entry_is_as_documented(one: Client, tmp_path: Path) -> None:
    """The file that a client has if there was none before."""
    clients = clients_in(tmp_path, command=COMMAND)
    installed(clients, one.id)
    plan = clients.plan_add(one.id)
    assert plan.after is not None
    [golden] = GOLDEN.glob(f"{one.id}.*")
    assert plan.after.decode() == golden.read_text("utf-8")


@pytest.mark.parametrize("one", [one for one in CLIENTS if one.project], ids=lambda one: one.id)
def test_entry_of_a_project_is_the_same_but_for_the_path(one: Client, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    plan = clients_in(tmp_path, project=project).plan_add(one.id)
    assert plan.after is not None
    [golden] = GOLDEN.glob(f"{one.id}.*")
    assert plan.after.decode() == golden.read_text("utf-8").replace(COMMAND, "wassette")
    assert plan.settings.path.is_relative_to(project)


def test_every_golden_file_is_of_a_client() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {one.id for one in CLIENTS}


@ALL
def test_entry_is_known_again(one: Client, tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    installed(clients, one.id)
    clients.add(one.id)
    state = clients.state(one.id)
    assert (state.standing, state.disabled, state.installed) == (Standing.CURRENT, False, True)
    assert state.command is not None
    assert state.command.arguments == ("serve", "--stdio")


@ALL
def test_client_that_is_not_there_is_not_touched(one: Client, tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert not clients.state(one.id).installed
    with pytest.raises(ClientError, match="not installed here"):
        clients.add(one.id)
    assert sorted(tmp_path.rglob("*")) == before


FILES = {
    "vscode": (
        ".config/Code/User/mcp.json",
        "Library/Application Support/Code/User/mcp.json",
        "AppData/Code/User/mcp.json",
    ),
    "vscode-insiders": (
        ".config/Code - Insiders/User/mcp.json",
        "Library/Application Support/Code - Insiders/User/mcp.json",
        "AppData/Code - Insiders/User/mcp.json",
    ),
    "cursor": (".cursor/mcp.json",) * 3,
    "claude-code": (".claude.json",) * 3,
    "claude-desktop": (
        ".config/Claude/claude_desktop_config.json",
        "Library/Application Support/Claude/claude_desktop_config.json",
        "AppData/Claude/claude_desktop_config.json",
    ),
    "codex": (".codex/config.toml",) * 3,
    "opencode": (".config/opencode/opencode.jsonc",) * 3,
    "devin": (
        ".config/devin/mcp_config.json",
        ".config/devin/mcp_config.json",
        "AppData/devin/mcp_config.json",
    ),
    "zed": (
        ".config/zed/settings.json",
        ".config/zed/settings.json",
        "AppData/Zed/settings.json",
    ),
    "goose": (
        ".config/goose/config.yaml",
        ".config/goose/config.yaml",
        "AppData/Block/goose/config/config.yaml",
    ),
}


@pytest.mark.parametrize(
    ("client_id", "system", "file"),
    [
        (client_id, system, file)
        for client_id, where in FILES.items()
        for system, file in zip(("linux", "macos", "windows"), where, strict=True)
    ],
)
def test_where_the_settings_are(client_id: str, system: System, file: str, tmp_path: Path) -> None:
    assert clients_in(tmp_path, system=system).state(client_id).file == tmp_path / file


@pytest.mark.parametrize(
    ("client_id", "variable", "file"),
    [
        ("claude-code", "CLAUDE_CONFIG_DIR", ".claude.json"),
        ("codex", "CODEX_HOME", "config.toml"),
        ("copilot-cli", "COPILOT_HOME", "mcp-config.json"),
        ("opencode", "XDG_CONFIG_HOME", "opencode/opencode.jsonc"),
        ("vscode", "XDG_CONFIG_HOME", "Code/User/mcp.json"),
    ],
)
def test_variables_of_a_client_count(
    client_id: str, variable: str, file: str, tmp_path: Path
) -> None:
    """Also if there is a file at the usual place."""
    (tmp_path / ".claude.json").write_text("{}")
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex" / "config.toml").touch()
    clients = clients_in(tmp_path, environment={variable: str(tmp_path / "elsewhere")})
    assert clients.state(client_id).file == tmp_path / "elsewhere" / file


def test_of_several_files_the_one_that_is_there_counts(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    other = tmp_path / ".config" / "opencode" / "opencode.json"
    other.parent.mkdir(parents=True)
    other.write_text("{}")
    assert clients.state("opencode").file == other


def test_unknown_client_names_those_that_are() -> None:
    with pytest.raises(ClientError, match=r"'emacs\\u\{202e\}'.*vscode.*kiro"):
        client("emacs\u202e")


@ALL
def test_catalog_is_complete(one: Client) -> None:
    assert re.fullmatch(r"[a-z0-9-]+", one.id)
    assert one.source == "seen" or one.source.startswith("https://")
    reader(one.user.format)
    if one.cli is not None:
        re.compile(one.cli.listed)
        assert one.cli.command in one.commands


@ALL
def test_client_is_documented(one: Client) -> None:
    [row] = [line for line in DOCS.read_text("utf-8").splitlines() if f"`{one.id}`" in line]
    assert one.name in row
