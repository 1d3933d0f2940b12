"""Real MCP clients, as published on npm: each registers the command as its documents say, and finds
its tools where it has a way to look."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from support import wat
from support.clients import NpmClient
from support.hosts import end_hosts, hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Make = Callable[[str], NpmClient]

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or shutil.which("npm") is None, reason="needs npm, and unix sockets"
)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """A client in a home of its own, where `calc` is loaded."""
    home = tmp_path / "home"
    (home / "runtime").mkdir(parents=True, mode=0o700)

    def client(name: str) -> NpmClient:
        made = NpmClient(name, home)
        load = [*WASSETTE, "component", "load", str(wat.write(tmp_path, "calc"))]
        subprocess.run(load, env=dict(made.environment()), check=True, capture_output=True)
        return made

    yield client
    assert len(hosts(home)) <= 1
    end_hosts(home)


WASSETTE = (sys.executable, "-m", "wassette")
SERVE = (*WASSETTE, "serve", "--stdio")


def variables(client: NpmClient, option: str) -> list[str]:
    """Clients pass little of their environment on; this is how they are told what to pass."""
    found = (f"XDG_RUNTIME_DIR={client.home}/runtime", "WASSETTE_IDLE_TIMEOUT=30")
    return [word for one in found for word in (option, one)]


def test_claude_code(make: Make) -> None:
    client = make("claude")
    client.run("mcp", "add", "wassette", "-s", "user", *variables(client, "-e"), "--", *SERVE)
    [line] = [one for one in client.run("mcp", "list").splitlines() if one.startswith("wassette:")]
    assert line.endswith("✔ Connected")
    assert len(hosts(client.home)) == 1


def test_gemini_cli(make: Make) -> None:
    client = make("gemini")
    add = ("mcp", "add", "-s", "user", *variables(client, "-e"), "wassette")
    client.run(*add, SERVE[0], "--", *SERVE[1:])
    assert "✓ wassette" in (listed := client.run("mcp", "list"))
    assert "- Connected" in listed
    assert len(hosts(client.home)) == 1


def test_opencode(make: Make) -> None:
    client = make("opencode")
    client.run("mcp", "add", "wassette", *variables(client, "--env"), "--", *SERVE)
    [line] = [one for one in client.run("mcp", "list").splitlines() if "✓ wassette" in one]
    assert "connected" in line
    assert len(hosts(client.home)) == 1


def test_codex(make: Make) -> None:
    """`codex mcp list` does not look; its app server does, and says which tools there are."""
    client = make("codex")
    client.run("mcp", "add", "wassette", *variables(client, "--env"), "--", *SERVE)
    [listed] = _codex_json(client.run("mcp", "list", "--json"))
    assert (listed["name"], listed["enabled"]) == ("wassette", True)
    with subprocess.Popen(
        client.command("app-server"), cwd=client.home, env=dict(client.environment()),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip

        def ask(number: int, method: str, params: dict[str, Any]) -> Any:
            assert process.stdin is not None
            assert process.stdout is not None
            line = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
            for answer in process.stdout:
                said = json.loads(answer)
                if said.get("id") == number:
                    return said["result"]
            raise AssertionError("it ended")

        try:
            ask(1, "initialize", {"clientInfo": {"name": "test", "version": "1"}})
            [server] = ask(2, "mcpServerStatus/list", {})["data"]
            assert server["name"] == "wassette"
            assert {"add", "list-components"} <= set(server["tools"])
            assert len(hosts(client.home)) == 1
        finally:
            process.kill()


def _codex_json(text: str) -> Any:
    return json.loads(text[text.index("[\n") :])  # after its warnings


def test_copilot_cli(make: Make) -> None:
    """It has no check short of a conversation, which needs an account. It knows the command."""
    client = make("copilot")
    client.run("mcp", "add", "wassette", *variables(client, "--env"), "--", *SERVE)
    known = json.loads(client.run("mcp", "list", "--json"))["mcpServers"]["wassette"]
    assert (known["command"], known["args"]) == (SERVE[0], list(SERVE[1:]))
    assert known["enabled"]
