"""`wassette tool invoke` and `component load` at a real terminal: a person is asked there."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from support.asking import web
from support.cli import Cli, component
from support.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals")


@pytest.mark.parametrize("typed", ["y\n", "a\n", "n\n"])
def test_a_call_asks(tmp_path: Path, fixture_component: Callable[[str], Path], typed: str) -> None:
    cli = Cli(tmp_path)
    cli.ok("component", "load", fixture_component("c-http"))
    with web() as site:
        ask = {"method": "GET", "url": f"{site.url}/", "headers": [], "body": ""}
        command = cli.command("tool", "invoke", "request", "--args", json.dumps(ask))
        terminal = Terminal(command, cli.environment())
        text = terminal.until("or a rule (a 2)")
        assert "Allow component c-http to send GET to 127.0.0.1?" in text
        assert site.paths == []
        time.sleep(0.1)
        terminal.type(typed)
        code = terminal.end()
    policy = cli.components / "c-http.policy.yaml"
    if typed == "n\n":
        assert (code, site.paths) == (1, [])
        assert "a person said no" in terminal.text
    else:
        assert (code, site.paths) == (0, ["/"])
        assert "hello" in terminal.text
    assert policy.exists() == (typed == "a\n")


def test_loading_other_bytes_shows_what_is_different(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    source = tmp_path / "x.wasm"
    source.write_bytes(component("add"))
    cli.ok("component", "load", source)
    cli.ok("permission", "grant", "network", "x", "a.com")
    source.write_bytes(component("add", "echo"))
    terminal = Terminal(cli.command("component", "load", str(source)), cli.environment())
    terminal.until("reloaded successfully")
    assert terminal.end() == 0
    assert "new tool “echo”" in terminal.text
    assert "It keeps its permissions" in terminal.text.replace("\r\n", " ")
    assert cli("policy", "explain", "x", "network", "a.com").out.startswith("allowed")
