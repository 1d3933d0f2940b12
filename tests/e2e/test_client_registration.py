"""Registered by us, seen by the clients themselves as their makers publish them; and the other way
round."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from support.clients import NpmClient
from support.mcpb import validate
from wassette.clients import Clients, Standing, bundle, find_launcher
from wassette.clients.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Real:
    """`add`: how the client registers a server itself; then comes the command. `lists`: how it
    lists them, and `seen` is in that then. `prepared`: settings of its own, as it likes them."""

    id: str
    program: str
    file: str
    prepared: str
    add: tuple[str, ...]
    lists: tuple[str, ...]
    seen: str
    starts: bool


REAL = (
    Real(
        "claude-code",
        "claude",
        ".claude.json",
        '{\n  "numStartups": 3,\n  "mcpServers": {\n    "other": {\n      "type": "http",\n'
        '      "url": "http://127.0.0.1:9/mcp"\n    }\n  }\n}\n',
        ("mcp", "add", "wassette", "-s", "user", "--"),
        ("mcp", "get", "wassette"),
        "✔ Connected",
        True,
    ),
    Real(
        "codex",
        "codex",
        ".codex/config.toml",
        '# mine\nmodel = "gpt-5" # the good one\n\n[mcp_servers.other]\ncommand = "true"\n',
        ("mcp", "add", "wassette", "--"),
        ("mcp", "get", "wassette", "--json"),
        '"command": "{command}"',
        False,
    ),
    Real(
        "gemini-cli",
        "gemini",
        ".gemini/settings.json",
        '{\n  // mine\n  "ui": {\n    "theme": "GitHub" // dark\n  }\n}\n',
        ("mcp", "add", "-s", "user", "wassette"),
        ("mcp", "list"),
        "wassette: {command} serve --stdio (stdio) - Connected",
        True,
    ),
    Real(
        "opencode",
        "opencode",
        ".config/opencode/opencode.jsonc",
        '{\n\t"$schema": "https://opencode.ai/config.json",\n\t// mine\n\t"mcp": {},\n}\n',
        ("mcp", "add", "wassette", "--"),
        ("mcp", "list"),
        "✓ wassette",
        True,
    ),
    Real(
        "copilot-cli",
        "copilot",
        ".copilot/mcp-config.json",
        '{\n    "mcpServers": {\n        "other": {"type": "http", "url": "http://127.0.0.1:9"}\n'
        "    }\n}\n",
        ("mcp", "add", "wassette", "--"),
        ("mcp", "get", "wassette"),
        "Command: {command} serve --stdio",
        False,
    ),
)


@pytest.fixture(params=REAL, ids=lambda one: one.id)
def real(request: pytest.FixtureRequest) -> Real:
    assert isinstance(request.param, Real)
    return request.param


@pytest.fixture
def npm(real: Real, tmp_path: Path) -> Iterator[NpmClient]:
    home = tmp_path / "home"
    home.mkdir()
    yield NpmClient(real.program, home)
    _end_hosts(home)


def _end_hosts(home: Path) -> None:
    """Of this home, if Wassette keeps one running between clients."""
    try:
        hosts = importlib.import_module("support.hosts")
    except ImportError:
        return
    hosts.end_hosts(home)


def ours(npm: NpmClient) -> Clients:
    return Clients(
        machine=Machine("linux", npm.home, npm.environment(**_dirs(npm.home))),
        state=npm.home / "our-state",
    )


def _dirs(home: Path) -> dict[str, str]:
    return {"XDG_RUNTIME_DIR": str(home / "run")}


def run(npm: NpmClient, *arguments: str) -> str:
    (npm.home / "run").mkdir(mode=0o700, exist_ok=True)
    done = subprocess.run(
        npm.command(*arguments),
        cwd=npm.home,
        env=npm.environment(**_dirs(npm.home)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", done.stdout)


def test_added_by_us_seen_by_them_removed_by_us(real: Real, npm: NpmClient) -> None:
    file = npm.home / real.file
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_text(real.prepared)
    run(npm, *real.lists[:2], *(["other"] if real.lists[1] == "get" else []))  # its first start
    clients = ours(npm)
    before = file.read_bytes()
    clients.add(real.id)
    added = file.read_bytes()
    command = find_launcher().command
    assert real.seen.format(command=command) in run(npm, *real.lists)
    verified = clients.verify(real.id)
    assert verified is not None
    assert (verified.listed, verified.healthy) == (True, True if real.starts else None)
    touched = file.read_bytes() != added
    clients.remove(real.id)
    if touched:  # Claude Code notes in it when it was used
        assert settings(file.read_bytes()) == settings(before)
    else:
        assert file.read_bytes() == before
    assert "other" not in real.prepared or b"other" in file.read_bytes()


def settings(data: bytes) -> Any:
    """What is said of servers."""
    return json.loads(data)["mcpServers"]


def test_added_by_them_seen_and_removed_by_us(real: Real, npm: NpmClient) -> None:
    command = [find_launcher().command, "serve", "--stdio"]
    if real.program == "gemini":
        command.insert(2, "--")
    run(npm, *real.add, *command)
    clients = ours(npm)
    state = clients.state(real.id)
    assert state.file == npm.home / real.file
    assert state.standing is Standing.CURRENT
    assert clients.plan_add(real.id).action == "none"
    clients.remove(real.id)
    assert clients.state(real.id).standing is Standing.ABSENT
    clients.undo(real.id)
    assert clients.state(real.id).standing is Standing.CURRENT


def test_bundle_is_one_by_its_maker(tmp_path: Path) -> None:
    file = tmp_path / "wassette.mcpb"
    file.write_bytes(bundle())
    validate(file, tmp_path / "unpacked")
