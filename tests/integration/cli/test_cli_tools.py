"""tool list, read, invoke."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from wassette import host
from wassette.answers import CallResult, Refusal
from wassette.errors import GuestTrap

if TYPE_CHECKING:
    from support.cli import Cli


def test_list_and_read(loaded: Cli, inside: Any) -> None:
    tools = inside("tool", "list").json["tools"]
    assert [tool["name"] for tool in tools] == ["echo", "add", "fail", "trap", "spin"]
    add = tools[1]
    assert add["description"] == "Adds two numbers"
    assert add["input_schema"]["required"] == ["a", "b"]
    assert add["output_schema"]["properties"]["result"]["type"] == "integer"
    assert tools[3]["output_schema"] is None
    assert inside("tool", "read", "add").json == add
    assert YAML(typ="safe").load(inside("tool", "read", "add", "-o", "yaml").out) == add
    table = inside("tool", "list", "-o", "table").out.splitlines()
    assert table[:3] == [
        "Name | Component | Description",
        "-----|-----------|------------------------------------------",
        "echo | tools     | Says it again",
    ]
    done = inside("tool", "read", "nope")
    assert (done.code, done.out, done.err) == (1, "", "Error: Unknown tool: nope\n")


def test_invoke_in_a_process_of_its_own(loaded: Cli) -> None:
    done = loaded("tool", "invoke", "echo", "--args", '{"text": "hé \\u001b[1m\\n\\u202e"}')
    # Piped, a text is what the tool gave, to the byte.
    assert (done.code, done.out, done.err) == (0, "hé \x1b[1m\n\u202e\n", "")
    done = loaded("tool", "invoke", "add", "--args", "-", stdin=b'\xef\xbb\xbf{"a": 1, "b": 2}\r\n')
    assert (done.code, done.out, done.err) == (0, "3\n", "")


def test_invoke_formats(loaded: Cli, inside: Any) -> None:
    (loaded.home / "args.json").write_text('{"a": 1, "b": 2}')
    call = ("tool", "invoke", "add", "--args", "@args.json")
    assert inside(*call).out == "3\n"
    assert inside(*call, "-o", "json").json == {"result": 3}
    assert inside(*call, "-o", "yaml").out == "result: 3\n"
    assert inside(*call, "-o", "table").out.splitlines()[2] == "result | 3"
    done = inside("-o", "json", "tool", "invoke", "echo", "--args", '{"text": "hi"}')
    assert done.json == {"result": "hi"}


def test_failures(loaded: Cli, inside: Any) -> None:
    done = inside("tool", "invoke", "fail")
    assert (done.code, json.loads(done.out), done.err) == (1, {"err": "no"}, "")
    done = inside("tool", "invoke", "trap", "-o", "json")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: trap (tools) trapped: ")
    done = inside("tool", "invoke", "nope")
    assert (done.code, done.out, done.err) == (1, "", "Error: Unknown tool: nope\n")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "missing argument"),
        ('{"a": 1, "b": -1}', "b"),
        ('{"a": 1, "b": 2, "c": 3}', "c"),
        ("\udcff", ""),
    ],
)
def test_wrong_arguments(loaded: Cli, inside: Any, arguments: str, text: str) -> None:
    done = inside("tool", "invoke", "add", "--args", arguments)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: Invalid arguments for add: ")
    assert text in done.err


def test_arguments_file_that_is_not_there(loaded: Cli, inside: Any) -> None:
    done = inside("tool", "invoke", "add", "--args", "@nope.json")
    assert done.code == 2
    assert "--args: nope.json cannot be read: No such file or directory" in done.err


def given(monkeypatch: pytest.MonkeyPatch, **result: Any) -> None:
    """Have calls come to this."""

    async def call_tool(self: host.Host, name: str, *_: object, **__: object) -> CallResult:
        return CallResult(self.tools().get(name), **result)

    monkeypatch.setattr(host.Host, "call_tool", call_tool)


def test_output_goes_to_stderr_and_is_made_visible(
    loaded: Cli, inside: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(monkeypatch, value=None, output="one\r\n\ttwo \x1b[2J\u202e\n")
    done = inside("tool", "invoke", "add")
    assert (done.code, done.out) == (0, "null\n")
    assert done.err == "one\n\ttwo \\u{1b}[2J\\u{202e}\n"


def test_refusals_name_the_way_out(
    loaded: Cli, inside: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("wassette", "permission", "grant", "network", "tools", "a.com")
    refused = (
        Refusal("network", "https://a.com", "no rule allows GET https://a.com:443/", command),
        Refusal("network", "https://a.com", "no rule allows GET https://a.com:443/", command),
        Refusal("network", "https://b.com", "GET https://b.com:443/ is denied by network.deny[0]"),
        Refusal.of_file("tools", "storage-read", "/a b"),
    )
    given(monkeypatch, value={"err": "denied"}, is_error=True, refused=refused)
    done = inside("tool", "invoke", "add")
    assert (done.code, json.loads(done.out)) == (1, {"err": "denied"})
    assert done.err.splitlines() == [
        "The sandbox refused network access to https://a.com: no rule allows GET "
        "https://a.com:443/. Only a person can grant it, for example with: "
        "wassette permission grant network tools a.com",
        "The sandbox refused network access to https://b.com: GET https://b.com:443/ is denied by "
        "network.deny[0].",
        "The sandbox refused read access to /a b. Only a person can grant it, for example with: "
        "wassette permission grant storage tools 'fs:///a b' --access read",
    ]


def test_output_before_an_error(loaded: Cli, inside: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, error=GuestTrap("broke"), is_error=True, output="almost")
    done = inside("tool", "invoke", "add")
    assert (done.code, done.out, done.err) == (1, "", "almost\nError: broke\n")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process there")
def test_ctrl_c_ends_a_call(loaded: Cli) -> None:
    process = subprocess.Popen(
        loaded.command("tool", "invoke", "spin"),
        env=loaded.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    time.sleep(1.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert out == b""
    assert err.strip() == b""


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals there")
def test_a_terminal_is_protected_from_a_result(loaded: Cli) -> None:
    import pty

    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            loaded.command("tool", "invoke", "echo", "--args", '{"text": "a\\u001b[2Jb"}'),
            env=loaded.environment(),
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.PIPE,
        )
        _, err = process.communicate(timeout=30)
        os.close(theirs)
        assert (process.returncode, err) == (0, b"")
        assert os.read(ours, 4096) == b"a\\u{1b}[2Jb\r\n"
    finally:
        os.close(ours)
    assert Path(loaded.home).exists()
