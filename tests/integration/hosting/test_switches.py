"""Pausing and switching off while clients are connected, by the command line."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from support.cli import Cli
from support.hosts import Stdio, eventually, status

if TYPE_CHECKING:
    from pathlib import Path

    from wassette.config import Settings
    from wassette.hosting.rendezvous import Rendezvous

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="unix sockets")


def text(answer: dict[str, Any]) -> str:
    assert answer["result"]["isError"]
    return str(answer["result"]["content"][0]["text"])


def told(client: Stdio) -> None:
    """Wait until the client hears that its tools are others."""
    while True:
        message = client.message()
        assert message is not None
        if message.get("method") == "notifications/tools/list_changed":
            return


def tools(client: Stdio) -> set[str]:
    return {one["name"] for one in client.request("tools/list")["result"]["tools"]}


def test_a_client_that_is_connected(probed: Settings, home: Path, place: Rendezvous) -> None:
    cli = Cli(home)
    with Stdio() as client:
        client.initialize()
        assert "add" in tools(client)
        cli.ok("component", "disable", "c-probe")
        told(client)
        assert "add" not in tools(client)
        assert "component enable c-probe" in text(client.call("add", a=1, b=2))
        cli.ok("component", "enable", "c-probe")
        told(client)
        assert "add" in tools(client)
        assert status(place)["paused"] is False
        done = cli.ok("host", "pause", "-o", "json")
        assert (done["status"], len(done["processes"])) == ("paused", 1)
        assert status(place)["paused"] is True
        assert "wassette host resume" in text(client.call("add", a=1, b=2))
        assert "(paused)" in cli("host", "status").out
        found = cli.ok("doctor", "-o", "json")["host"]
        assert (found["running"], found["pid"]) == (True, status(place)["pid"])
        refused = cli("tool", "invoke", "add", "--args", '{"a": 1, "b": 2}')
        assert (refused.code, "is paused" in refused.err) == (1, True)
        assert cli("host", "resume").out == "Resumed.\n"
        assert client.call("add", a=1, b=2)["result"]["structuredContent"] == {"result": 3}


def test_without_a_host_process(probed: Settings, home: Path) -> None:
    cli = Cli(home)
    assert cli.ok("host", "pause", "-o", "json")["processes"] == []
    with Stdio() as client:
        client.initialize()
        assert "is paused" in text(client.call("add", a=1, b=2))
        assert cli("host", "resume").code == 0
        assert "result" in client.call("add", a=1, b=2)["result"]["structuredContent"]


def test_a_client_says_what_only_the_command_line_says(
    probed: Settings, home: Path, place: Rendezvous
) -> None:
    """Attack: what the command line says to the host, among the messages of a client."""
    assert Cli(home)("host", "pause").code == 0
    with Stdio() as client:
        client.initialize()
        for word in ("resume", "end", "session"):
            client.write(json.dumps({"wassette": 1, "want": word}).encode() + b"\n")
            client.send({"jsonrpc": "2.0", "id": 77, "method": word, "wassette": 1, "want": word})
            client.send({"jsonrpc": "2.0", "method": f"notifications/{word}"})
        assert "is paused" in text(client.call("add", a=1, b=2))
        eventually(lambda: status(place)["paused"])
