"""The bridge as a process: pipes, ends, signals, large messages; and what is each session's own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from support.hosts import META, PATIENCE, Stdio, eventually, status, the_host, value
from wassette.host import Host
from wassette.toolset import BUILTIN_NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from wassette.config import Settings
    from wassette.hosting.rendezvous import Rendezvous

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="unix sockets"),
]


# ---- ends ----------------------------------------------------------------------------------------


async def test_answers_come_out_after_the_last_request(probed: Settings) -> None:
    """A client that closes its end may still listen, as a shell pipe does."""
    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        slow = client.ask("tools/call", {"name": "sleep", "arguments": {"seconds": 1}})
        unended = {"jsonrpc": "2.0", "id": "last", "method": "ping"}
        client.write(json.dumps(unended).encode())  # without an end of line
        client.stdin.close()
        answers = [client.message(), client.message()]
        assert {one["id"] for one in answers if one} == {slow, "last"}
        assert client.message() is None
        assert client.wait() == 0


async def test_a_subscription_does_not_keep_it_open(probed: Settings) -> None:
    """`subscriptions/listen` has no end of its own."""
    with Stdio(component_dir=probed.component_dir) as client:
        client.ask(
            "subscriptions/listen", {"notifications": {"toolsListChanged": True}, "_meta": META}
        )
        assert client.request("tools/list", {"_meta": META})["result"]["tools"]
        client.stdin.close()
        while client.message() is not None:
            pass
        assert client.wait() == 0


async def test_a_client_that_no_longer_listens(
    probed: Settings, home: Path, place: Rendezvous
) -> None:
    """An editor that crashed: its calls are cancelled, the bridge goes."""
    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        client.ask("tools/call", {"name": "sleep", "arguments": {"seconds": 300}})
        eventually(lambda: status(place)["clients"][0]["running"] == 1)
        client.stdout.close()
        assert client.wait() == 0
        eventually(lambda: status(place)["clients"] == [])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_signals(probed: Settings, number: int, code: int, place: Rendezvous) -> None:
    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        client.ask("tools/call", {"name": "sleep", "arguments": {"seconds": 300}})
        eventually(lambda: status(place)["clients"][0]["running"] == 1)
        client.process.send_signal(number)
        assert client.wait() == code
        eventually(lambda: status(place)["clients"] == [])


async def test_closed_standard_streams(probed: Settings) -> None:
    """No socket of ours takes the place of a stream that is closed."""
    command = [sys.executable, "-m", "wassette", "serve", "--component-dir", "$0"]
    line = f"{' '.join(command)} <&- >&- 2>&-"
    done = subprocess.run(
        ["bash", "-c", line, str(probed.component_dir)], timeout=PATIENCE, check=False
    )
    assert done.returncode == 0


async def test_at_a_terminal_an_error_ends_it(probed: Settings) -> None:
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "wassette", "serve", "--env", "wrong",
         "--component-dir", str(probed.component_dir)],
        stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    out, err = process.communicate(timeout=PATIENCE)
    assert (out, process.returncode) == ("", 1)
    assert "--env takes KEY=VALUE" in err
    os.close(ours)
    os.close(theirs)


# ---- large and many ------------------------------------------------------------------------------


async def test_large_messages(probed: Settings) -> None:
    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        text = "ü" * 500_000
        answer = client.call("get-env", name=text)
        assert value(answer) is None
        assert len(value(client.call("big-string", n=8_000_000))) == 8_000_000


async def test_a_client_that_does_not_read_for_a_while(probed: Settings) -> None:
    """Both directions fill up; nothing blocks for good, nothing is lost, memory stays bounded."""
    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        os.set_blocking(client.stdin.fileno(), False)
        pad = "x" * 100_000
        line = b""
        asked = []
        for number in range(1000, 1120):
            call = {"name": "big-string", "arguments": {"n": 50_000}, "_meta": {"pad": pad}}
            message = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": call}
            line += json.dumps(message).encode() + b"\n"
            asked.append(number)
        view = memoryview(line)
        stuck = 0
        while view and stuck < 50:  # write as much as it takes, and read nothing
            try:
                view = view[os.write(client.stdin.fileno(), view) :]
                stuck = 0
            except BlockingIOError:
                stuck += 1
                time.sleep(0.02)
        bridge = psutil.Process(client.process.pid)
        assert bridge.memory_info().rss < 150e6
        got: set[int] = set()
        while len(got) < len(asked):
            if view:
                with contextlib.suppress(BlockingIOError):
                    view = view[os.write(client.stdin.fileno(), view) :]
            answer = client.message()
            assert answer is not None
            if "id" in answer:
                assert len(value(answer)) == 50_000
                got.add(answer["id"])
        assert got == set(asked)


async def test_over_sockets_as_node_starts_it(probed: Settings) -> None:
    """Node's pipes are socket pairs."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        [sys.executable, "-m", "wassette", "run", "--component-dir", str(probed.component_dir)],
        stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=subprocess.PIPE,
    )  # fmt: skip
    theirs.close()
    ours.settimeout(PATIENCE)
    call = {"name": "big-string", "arguments": {"n": 4_000_000}, "_meta": META}
    ours.sendall(
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}).encode()
        + b"\n"
    )
    with ours, ours.makefile("rb") as answers:
        assert len(value(json.loads(answers.readline()))) == 4_000_000
        ours.shutdown(socket.SHUT_WR)
        assert answers.read() == b""
    assert process.wait(PATIENCE) == 0
    assert process.stderr is not None
    process.stderr.close()


# ---- what is each session's own ------------------------------------------------------------------


async def test_variables_are_those_of_the_session(
    probed: Settings, home: Path, tmp_path: Path
) -> None:
    """From its environment, its --env and --env-file, and config.toml for all; last wins."""
    config = home / "config" / "wassette" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[environment_vars]\nA = 'config'\nB = 'config'\nC = 'config'\n")
    (tmp_path / "vars").write_text("A=file\nB=file\n")
    async with Host(probed) as host:
        for key in "ABCDE":
            await host.grant_environment("c-probe", key)
    options = ("--env-file", "vars", "--env", "A=flag")
    with (
        Stdio(
            *options, component_dir=probed.component_dir, cwd=tmp_path, env={"C": "x", "D": "d"}
        ) as one,
        Stdio(component_dir=probed.component_dir, env={"E": "e"}) as two,
    ):
        one.initialize()
        two.initialize()
        for _ in range(3):  # and not only for whoever calls first
            assert dict(value(one.call("all-env"))) == {
                "A": "flag", "B": "file", "C": "config", "D": "d",
            }  # fmt: skip
            assert dict(value(two.call("all-env"))) == {
                "A": "config", "B": "config", "C": "config", "E": "e",
            }  # fmt: skip


async def test_options_are_those_of_the_session(probed: Settings, tmp_path: Path) -> None:
    grant = {"component_id": "c-probe", "details": {"key": "HOME"}}
    with (
        Stdio("--disable-builtin-tools", component_dir=probed.component_dir) as without,
        Stdio("--allow-agent-grants", component_dir=probed.component_dir) as trusting,
        Stdio(component_dir=probed.component_dir, env={"WASSETTE_APPROVALS": "deny"}) as plain,
    ):
        for client in (without, trusting, plain):
            client.initialize()
        names = {
            client: {tool["name"] for tool in client.request("tools/list")["result"]["tools"]}
            for client in (without, trusting, plain)
        }
        assert not names[without] & set(BUILTIN_NAMES)
        assert names[plain] == names[trusting] == names[without] | set(BUILTIN_NAMES)
        assert without.call("list-components")["result"]["isError"]
        refused = plain.call("grant-environment-variable-permission", **grant)["result"]
        assert refused["isError"]
        assert "Only a person can" in refused["content"][0]["text"]
        assert not trusting.call("grant-environment-variable-permission", **grant)["result"][
            "isError"
        ]
        assert plain.call("grant-environment-variable-permission", **grant)["result"]["isError"]


async def test_standalone_needs_no_host(probed: Settings, home: Path) -> None:
    with Stdio("--standalone", component_dir=probed.component_dir) as client:
        client.initialize()
        assert value(client.call("add", a=1, b=1)) == 2
        assert client.end() == 0
    assert not (home / "runtime").exists()


async def test_requests_of_both_eras(probed: Settings) -> None:
    """Side by side on one host."""
    with (
        Stdio(component_dir=probed.component_dir) as old,
        Stdio(component_dir=probed.component_dir) as new,
    ):
        assert old.initialize()["result"]["protocolVersion"] == "2025-06-18"
        found = new.request("server/discover", {"_meta": META})["result"]
        assert "2026-07-28" in found["supportedVersions"]
        assert value(old.call("add", a=1, b=2)) == 3
        call = {"name": "add", "arguments": {"a": 1, "b": 2}, "_meta": META}
        assert value(new.request("tools/call", call)) == 3


async def test_the_host_is_the_same_for_the_real_command(probed: Settings, home: Path) -> None:
    """Given in any order, and when the command line proper has to read it."""
    where = str(probed.component_dir)
    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        host = the_host(home)
    for arguments in (
        ["--component-dir", where, "run"],
        ["-ojson", "serve", "--stdio", f"--plugin-dir={where}"],
    ):
        with Stdio(command=[sys.executable, "-m", "wassette", *arguments]) as client:
            client.initialize()
            assert value(client.call("add", a=1, b=1)) == 2
            assert client.end() == 0
        assert the_host(home) == host
