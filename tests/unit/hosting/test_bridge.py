"""The parts of the bridge that need no process: command line, lines, what is unanswered."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wassette.hosting import bridge
from wassette.hosting.bridge import Conversation, Options, parse
from wassette.hosting.lines import TOO_LONG, Lines


def test_imports_next_to_nothing() -> None:
    """What an editor waits for; each of these would cost more than all of the bridge."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "from wassette.hosting import bridge, rendezvous\n"
        "rendezvous.host_key('x'); bridge._writer(1)\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    ours = {name for name in imported if name.startswith("wassette")}
    assert ours == {
        "wassette", "wassette._version", "wassette.hosting", "wassette.hosting.bridge",
        "wassette.hosting.lines", "wassette.hosting.rendezvous", "wassette.runtime",
    }  # fmt: skip
    assert imported - ours <= {
        "__future__", "time", "errno", "_json", "_blake2", "_socket", "select", "_signal",
    }  # fmt: skip


# ---- the command line ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("serve", Options()),
        ("serve --stdio", Options()),
        ("run", Options()),
        ("--component-dir d serve", Options("d")),
        ("--plugin-dir=d run --component-dir e", Options("e")),
        ("serve --plugin-dir=d --stdio -o json", Options("d")),
        ("-o TABLE run --output-format=yaml", Options()),
        ("serve --env A=1 --stdio --env=B=x=y --env -C=2", Options(env=["A=1", "B=x=y", "-C=2"])),
        ("run --env-file a --env-file=b", Options(env_file="b")),
        ("serve --disable-builtin-tools", Options(builtin_tools=False)),
        ("serve --allow-agent-grants --stdio", Options(agent_grants=True)),
        ("run --meta-tools", Options(meta_tools=True)),
    ],
)
def test_understands(line: str, options: Options) -> None:
    assert parse(line.split()) == options


@pytest.mark.parametrize(
    "line",
    [
        "", "component list", "serve extra", "run --stdio", "--stdio serve", "serve --standalone",
        "serve --http", "serve --help", "serve -h", "serve --stdio=yes", "serve --env",
        "--env A=1 serve", "serve --odd", "serve -o xml", "serve -ojson", "serve -- --stdio",
        "tool invoke run", "serve --component-dir=", "--version serve", "run run",
    ],
)  # fmt: skip
def test_leaves_to_the_command_line(line: str) -> None:
    assert parse(line.split()) is None


def test_every_option_of_serve_is_understood_or_left() -> None:
    """A new option of `serve` has to be thought of here too."""
    import click

    from wassette.cli.serve import run_stdio, serve

    known = {*bridge._VALUES, *bridge._FLAGS}
    transport = {"--http", "--streamable-http", "--sse", "--bind-address", "--allowed-host"}
    transport |= {"--token-file", "--insecure-no-token"}
    provided = {"--manifest", "--continue-on-provisioning-failure"}
    left = {*transport, *provided, "--standalone", "--help", "-h"}
    assert all(parse(["serve", option]) is None for option in left)
    for command in (serve, run_stdio):
        for parameter in command.get_params(click.Context(command)):
            assert set(parameter.opts) <= known | left, parameter.opts


# ---- lines ---------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=8)), st.integers(1, 7))
def test_lines_whatever_the_chunks(parts: list[bytes], size: int) -> None:
    data = b"\n".join(parts)
    lines, found = Lines(), []
    for start in range(0, len(data), size):
        found += lines.feed(data[start : start + size])
    found.append(lines.rest())
    assert found == data.split(b"\n")


def test_overlong_lines_are_counted_not_kept() -> None:
    lines = Lines(10)
    assert lines.feed(b"short\n" + b"x" * 11) == [b"short"]
    assert lines.feed(b"y" * 1000) == []
    assert lines._parts == []
    assert lines.feed(b"\nafter\n") == [None, b"after"]


# ---- JSON ----------------------------------------------------------------------------------------


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(_json)
def test_json_there_and_back(value: Any) -> None:
    assert bridge.loads(json.dumps(value).encode()) == value
    assert repr(json.loads(bridge.dumps(value))) == repr(value)  # 1 is not True here


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 100_000, b"nul", b"-", b'{"a":'])
def test_what_is_not_json(text: bytes) -> None:
    assert bridge.loads(text) is None


def test_what_is_not_json_without_the_json_module() -> None:
    """The C scanner raises a class of a module that the bridge does not import."""
    code = "import sys; from wassette.hosting import bridge; print(bridge.loads(b'{') is None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True\n", "")


# ---- what is unanswered --------------------------------------------------------------------------


def asked(*numbers: object) -> Conversation:
    conversation = Conversation()
    for number in numbers:
        conversation.client_says(
            json.dumps({"jsonrpc": "2.0", "id": number, "method": "x"}).encode() + b"\n"
        )
    return conversation


def answer(number: object, **more: object) -> bytes:
    fields = more or {"result": {"id": 9}}
    message = {"jsonrpc": "2.0", "id": number, **fields}
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def failed(conversation: Conversation) -> list[object]:
    """The ids of the requests that are told so."""
    lines = conversation.failed(-1, 'no "host"').decode().splitlines()
    errors = [json.loads(line) for line in lines if line]
    assert all(one["error"] == {"code": -1, "message": 'no "host"'} for one in errors)
    assert not any(isinstance(one["id"], bool) for one in errors)
    return [one["id"] for one in errors]


def test_answers_settle_requests() -> None:
    conversation = asked(1, "ü\n", 2, 3)
    conversation.host_says(answer("ü\n") + answer(2, error={"code": 1, "message": "m"}))
    assert failed(conversation) == [1, 3]
    assert failed(conversation) == []


@pytest.mark.parametrize("size", [1, 7, 30])
def test_answers_in_pieces(size: int) -> None:
    conversation = asked(*range(20))
    data = b"".join(answer(number) for number in range(0, 20, 2))
    for start in range(0, len(data), size):
        conversation.host_says(data[start : start + size])
    assert failed(conversation) == list(range(1, 20, 2))


def test_what_is_no_answer() -> None:
    """A request of the server's with the same number, notifications, and numbers further inside."""
    conversation = asked(1)
    conversation.host_says(answer(1, method="elicitation/create", params={}))
    conversation.host_says(b'{"jsonrpc":"2.0","method":"notifications/x","params":{"id":1}}\n')
    assert failed(conversation) == [1]


def test_what_is_no_request() -> None:
    conversation = Conversation()
    conversation.client_says(
        b'{"method":"a"}\n{"id":1,"result":{}}\n[]\n{"id":true,"method":"a"}\n'
        b'{"id":null,"method":"a"}\n{"id":[1],"method":"a"}\nnonsense\n\n'
    )
    assert failed(conversation) == []


def test_cancelled_requests_get_no_answer() -> None:
    conversation = asked(1, 2)
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    conversation.client_says(json.dumps(cancel).encode() + b"\n")
    conversation.client_says(b'{"method":"notifications/cancelled","params":{"requestId":[]}}\n')
    conversation.client_says(b'{"method":"notifications/cancelled","params":[]}\n')
    assert failed(conversation) == [2]


def test_a_half_written_line_is_ended_first() -> None:
    """Or the error would be a part of it."""
    conversation = asked(1)
    conversation.host_says(b'{"jsonrpc":"2.0","id":1,"result":{"te')
    said = conversation.failed(-1, "gone")
    assert said.startswith(b"\n{")
    assert json.loads(said)["id"] == 1


def test_whole_lines_only_reach_the_host() -> None:
    conversation = Conversation()
    assert conversation.client_says(b'{"a":') == (b"", b"")
    assert conversation.client_says(b'1}\r\n\n {"b"') == (b'{"a":1}\r\n', b"")
    assert conversation.client_ends() == (b' {"b"\n', b"")


def test_overlong_messages_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "MAX_LINE", 30)
    conversation = Conversation()
    assert conversation.client_says(b"x" * 31 + b"\n{}\n") == (b"{}\n", TOO_LONG)
    assert json.loads(TOO_LONG)["id"] is None


def test_the_handshake_era() -> None:
    assert not asked(1).handshake
    conversation = Conversation()
    conversation.client_says(b'{"id":0,"method":"initialize","params":{}}\n')
    assert conversation.handshake
