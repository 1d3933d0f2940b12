"""The warm host: one, however many come; and how it ends, by itself, by order and by force."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from support import wat
from support.hosts import META, PATIENCE, Stdio, eventually, hosts, status, the_host, value
from wassette.host import Host

if TYPE_CHECKING:
    from wassette.config import Settings
    from wassette.hosting.rendezvous import Rendezvous

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="unix sockets"),
]
SLOW = 2.5  # seconds of a call that something happens during


def work(client: Stdio) -> str:
    client.initialize()
    tools = {tool["name"] for tool in client.request("tools/list")["result"]["tools"]}
    assert {"add", "list-components"} <= tools
    return str(value(client.call("add", a=40, b=2)))


async def test_ten_at_once_have_one_host(probed: Settings, home: Path) -> None:
    clients = [Stdio(component_dir=probed.component_dir) for _ in range(10)]
    try:
        with ThreadPoolExecutor(10) as threads:
            assert list(threads.map(work, clients)) == ["42"] * 10
        assert len(hosts(home)) == 1
        assert [client.end() for client in clients] == [0] * 10
    finally:
        for client in clients:
            client.__exit__()


async def test_the_host_outlives_its_clients(probed: Settings, home: Path) -> None:
    with Stdio(component_dir=probed.component_dir) as client:
        work(client)
        host = the_host(home)
        assert client.end() == 0
    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        os.kill(client.process.pid, signal.SIGKILL)
        client.wait()
    with Stdio(component_dir=probed.component_dir) as client:
        work(client)
        assert the_host(home) == host


async def test_the_host_is_detached(probed: Settings, home: Path) -> None:
    """In a session of its own, at /, with nothing of ours open."""
    read, write = os.pipe()
    os.set_inheritable(write, True)
    with Stdio(component_dir=probed.component_dir, close_fds=False) as client:
        client.initialize()
        os.close(write)
        host = the_host(home)
        assert os.getsid(host.pid) == host.pid
        eventually(lambda: host not in psutil.Process(client.process.pid).children(recursive=True))
        assert host.cwd() == "/"
        client.end()
        assert os.read(read, 1) == b""  # nobody else has the other end
        os.close(read)
        standard = [os.readlink(f"/proc/{host.pid}/fd/{fd}") for fd in (0, 1, 2)]
        assert standard[:2] == ["/dev/null"] * 2
        assert standard[2].startswith(f"{home}/state/wassette/logs/host-")


async def test_what_is_in_the_runtime_directory(
    probed: Settings, home: Path, place: Rendezvous
) -> None:
    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        folder = home / "runtime" / "wassette"
        assert folder.stat().st_mode & 0o7777 == 0o700
        kinds = {file.suffix: file.stat().st_mode & 0o777 for file in folder.iterdir()}
        assert kinds == {".sock": 0o600, ".json": 0o600, ".lock": 0o600, ".start": 0o600}
        said = json.loads(Path(place.json_path).read_text())
        assert said["pid"] == the_host(home).pid
        assert said["component_dir"] == str(probed.component_dir)
        assert abs(said["started"] - time.time()) < 600


async def test_killing_the_host(probed: Settings, home: Path) -> None:
    """What is pending gets an error at once; the bridge ends; the next start works."""
    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        pending = [
            client.ask("tools/call", {"name": "sleep", "arguments": {"seconds": 300}})
            for _ in range(2)
        ]
        first = the_host(home)
        eventually(lambda: first.children(recursive=True))
        first.kill()
        for number in pending:
            error = client.answer(number)["error"]
            assert error["code"] == -32000
            assert "host process ended before it answered" in error["message"]
        assert client.message() is None
        assert client.wait() == 1
        assert "host process ended" in client.errors()
    with Stdio(component_dir=probed.component_dir) as client:
        work(client)
        assert the_host(home) != first


async def test_killing_the_host_between_calls(probed: Settings, home: Path) -> None:
    with Stdio(component_dir=probed.component_dir) as client:
        work(client)
        the_host(home).kill()
        assert client.message() is None
        assert client.wait() == 1


async def test_a_stateless_client_goes_on_with_another_host(probed: Settings, home: Path) -> None:
    """From 2026-07-28 on each request stands for itself: only what was running is lost."""
    call = {"name": "add", "arguments": {"a": 1, "b": 2}, "_meta": META}
    with Stdio(component_dir=probed.component_dir) as client:
        assert value(client.request("tools/call", call)) == 3
        slow = {"name": "sleep", "arguments": {"seconds": 300}, "_meta": META}
        pending = client.ask("tools/call", slow)
        first = the_host(home)
        first.kill()
        assert client.answer(pending)["error"]["code"] == -32000
        assert value(client.request("tools/call", call)) == 3
        assert the_host(home) != first
        assert client.end() == 0


async def test_killing_a_bridge_cancels_its_calls(
    probed: Settings, home: Path, place: Rendezvous
) -> None:
    with (
        Stdio(component_dir=probed.component_dir) as other,
        Stdio(component_dir=probed.component_dir) as client,
    ):
        other.initialize()
        client.initialize()
        client.ask("tools/call", {"name": "spin", "arguments": {}})
        eventually(lambda: busy(home), "the component computes")
        client.process.kill()
        eventually(lambda: not busy(home), "the component was ended")
        assert [c["running"] for c in status(place)["clients"]] == [0]
        assert value(other.call("add", a=1, b=1)) == 2


def busy(home: Path) -> bool:
    """Whether a worker is computing."""

    def used() -> float:
        total = 0.0
        for process in the_host(home).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                total += process.cpu_times().user
        return total

    before = used()
    time.sleep(0.5)
    return used() - before > 0.04


async def test_idle_hosts_end(probed: Settings, home: Path, place: Rendezvous) -> None:
    short = {"WASSETTE_IDLE_TIMEOUT": "0.5"}
    with Stdio(component_dir=probed.component_dir, env=short) as client:
        client.initialize()
        host = the_host(home)
        time.sleep(1)
        assert value(client.call("add", a=1, b=1)) == 2  # a client that says nothing is a client
        client.end()
        eventually(lambda: host not in hosts(home))
    assert not Path(place.socket_path).exists()
    assert not Path(place.json_path).exists()
    with Stdio(component_dir=probed.component_dir) as client:
        work(client)


async def test_left_overs_do_not_matter(probed: Settings, home: Path, place: Rendezvous) -> None:
    """Of a host that was killed, and of nobody at all: a file, locks that nobody holds."""
    for name in ("sock", "json", "lock", "start"):
        (home / "runtime" / "wassette" / f"host-{place.key}.{name}").write_text("old")
    with Stdio(component_dir=probed.component_dir) as client:
        work(client)
        assert json.loads(Path(place.json_path).read_text())["pid"] == the_host(home).pid


async def test_a_host_that_cannot_be_found_ends(
    probed: Settings, home: Path, place: Rendezvous
) -> None:
    """Whoever sweeps /tmp takes the socket away."""
    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        host = the_host(home)
        os.unlink(place.socket_path)
        assert value(client.call("add", a=1, b=1)) == 2
    eventually(lambda: host not in hosts(home))


async def test_sigterm_lets_calls_finish(probed: Settings, home: Path, place: Rendezvous) -> None:
    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        running = client.ask("tools/call", {"name": "sleep", "arguments": {"seconds": SLOW}})
        eventually(lambda: status(place)["clients"][0]["running"] == 1)
        host = the_host(home)
        os.kill(host.pid, signal.SIGTERM)
        eventually(lambda: not Path(place.socket_path).exists())
        # One that comes meanwhile waits for the next host.
        with Stdio(component_dir=probed.component_dir) as later:
            assert client.answer(running)["result"]["isError"] is False
            assert client.message() is None
            assert client.wait() == 1
            work(later)
        eventually(lambda: host not in hosts(home))
        assert the_host(home) != host


async def test_sigterm_does_not_wait_for_ever(
    probed: Settings, home: Path, place: Rendezvous
) -> None:
    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        running = client.ask("tools/call", {"name": "sleep", "arguments": {"seconds": 300}})
        eventually(lambda: status(place)["clients"][0]["running"] == 1)
        host = the_host(home)
        os.kill(host.pid, signal.SIGTERM)
        assert "error" in client.answer(running)
        assert client.wait() == 1
        eventually(lambda: host not in hosts(home))
    assert not Path(place.socket_path).exists()
    assert not Path(place.json_path).exists()


async def test_another_component_directory_is_another_host(
    probed: Settings, home: Path, tmp_path: Path
) -> None:
    with (
        Stdio(component_dir=probed.component_dir) as one,
        Stdio(component_dir=tmp_path / "other", env={"XDG_RUNTIME_DIR": f"{home}/runtime"}) as two,
    ):
        one.initialize()
        two.initialize()
        assert len(hosts(home)) == 2
        tools = {tool["name"] for tool in two.request("tools/list")["result"]["tools"]}
        assert "add" not in tools


async def test_deep_directories(probed: Settings, home: Path) -> None:
    """A socket's path has room for 108 bytes; a runtime directory may be as deep as it likes."""
    deep = home / ("d" * 90) / ("e" * 90)
    deep.mkdir(parents=True)
    with Stdio(component_dir=probed.component_dir, env={"XDG_RUNTIME_DIR": str(deep)}) as client:
        work(client)
        assert [f.suffix for f in (deep / "wassette").glob("*.sock")] == [".sock"]


async def test_changes_are_told_and_used(probed: Settings, tmp_path: Path) -> None:
    """`component load` and `permission grant` work on the directory; the host sees it."""
    with Stdio(component_dir=probed.component_dir, env={"COLOUR": "red"}) as client:
        client.initialize()
        assert value(client.call("get-env", name="COLOUR")) is None
        async with Host(probed) as other:
            await other.grant_environment("c-probe", "COLOUR")
            assert value(client.call("get-env", name="COLOUR")) == "red"
            await other.load(str(wat.write(tmp_path, "more", wat.one_function("more-of-it"))))
        while (message := client.message()) is not None:
            if message.get("method") == "notifications/tools/list_changed":
                break
        assert message is not None
        assert value(client.call("more-of-it")) == 1


# ---- when there is no host -----------------------------------------------------------------------


async def test_a_host_that_cannot_start_is_explained(probed: Settings) -> None:
    """As an answer to every request, in both eras, until the client has enough."""
    with Stdio(component_dir=probed.component_dir, env={"WASSETTE_LOG": "loud"}) as client:
        for method in ("server/discover", "initialize", "tools/list"):
            error = client.request(method)["error"]
            assert error["code"] == -32603
            assert "could not be started: Error: WASSETTE_LOG is one of trace" in error["message"]
        assert client.end() == 1
        assert "WASSETTE_LOG is one of" in client.errors()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--env", "no-equals-sign"], "--env takes KEY=VALUE"),
        (["--env-file", "/nowhere/.env"], "--env-file /nowhere/.env cannot be read"),
        (["--env-file", "{bad}"], "Invalid environment variable format at line 2 of"),
    ],
)
async def test_wrong_options_are_explained(
    probed: Settings, tmp_path: Path, options: list[str], says: str
) -> None:
    (tmp_path / "bad").write_text("A=1\nnonsense\n")
    options = [option.format(bad=tmp_path / "bad") for option in options]
    with Stdio(*options, component_dir=probed.component_dir) as client:
        assert says in client.request("initialize")["error"]["message"]
        assert client.end() == 1
        assert says in client.errors()


async def test_a_host_that_does_not_answer(
    probed: Settings, home: Path, place: Rendezvous, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wassette.hosting import rendezvous

    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        host = the_host(home)
        host.suspend()
        try:
            monkeypatch.setattr(rendezvous, "START_TIMEOUT", 0.5)
            with pytest.raises(rendezvous.HostUnavailable, match=r"did not answer within 0\.5 s"):
                place.attach(b'{"wassette":1,"want":"status"}\n')
        finally:
            host.resume()


# ---- by hand -------------------------------------------------------------------------------------


def wassette(*arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "wassette", *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


async def test_status_and_stop(probed: Settings, home: Path, tmp_path: Path) -> None:
    here = ("--component-dir", str(probed.component_dir))
    assert wassette("host", "status") == "No host process is running.\n"
    assert wassette("host", "stop") == "No host process is running.\n"
    with (
        Stdio(component_dir=probed.component_dir) as client,
        Stdio(component_dir=tmp_path / "other") as other,
    ):
        client.initialize()
        other.initialize()
        host = the_host_of(home, probed)
        found = json.loads(wassette("host", "status", "-o", "json"))["hosts"]
        [one] = [one for one in found if one["component_dir"] == str(probed.component_dir)]
        assert (len(found), one["pid"], one["idle_timeout"]) == (2, host.pid, 60)
        [known] = one["clients"]
        assert (known["name"], known["pid"], known["running"]) == ("test 1", client.process.pid, 0)
        assert "test 1" in wassette("host", "status")
        said = f"Ended process {host.pid}, which served {probed.component_dir}.\n"
        assert wassette("host", "stop", *here) == said
        assert host not in hosts(home)
        assert client.wait() == 1
        assert len(hosts(home)) == 1
        [stopped] = json.loads(wassette("host", "stop", "--all", "-o", "json"))["stopped"]
        assert stopped["component_dir"] == str(tmp_path / "other")
        assert not hosts(home)


def the_host_of(home: Path, settings: Settings) -> psutil.Process:
    [found] = [
        one
        for one in hosts(home)
        if one.environ()["WASSETTE_COMPONENT_DIR"] == str(settings.component_dir)
    ]
    return found


FOREGROUND = """
import sys
from pathlib import Path
from wassette.config import load
from wassette.hosting.process import run

class Http:
    url = "http://127.0.0.1:9001"
    def __init__(self, host, mcp): print(type(host).__name__, type(mcp).__name__, flush=True)
    async def __aenter__(self): return self
    async def __aexit__(self, *_): print("closed", flush=True)

sys.exit(run(load(component_dir=sys.argv[1]), http=Http, foreground=True))
"""


async def test_a_host_in_the_foreground(probed: Settings, home: Path, place: Rendezvous) -> None:
    """It serves bridges too, and is never idle; a second one serves only what else it serves."""
    command = [sys.executable, "-c", FOREGROUND, str(probed.component_dir)]
    environment = {**os.environ, "WASSETTE_IDLE_TIMEOUT": "0.1"}
    processes = []
    for _ in range(2):
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, env=environment, text=True
        )  # fmt: skip
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "Host McpServer\n"
        eventually(lambda: Path(place.json_path).exists())
    first, second = processes
    with Stdio(component_dir=probed.component_dir) as client:
        work(client)
    with Stdio(component_dir=probed.component_dir) as client:
        work(client)
        said = status(place)
        assert (said["pid"], said["url"]) == (first.pid, "http://127.0.0.1:9001")
        assert said["idle_timeout"] is None
    assert not hosts(home)
    for process, how, code in ((second, signal.SIGTERM, 0), (first, signal.SIGINT, 130)):
        process.send_signal(how)
        rest, _ = process.communicate(timeout=PATIENCE)
        assert (rest, process.returncode) == ("closed\n", code)
    assert not Path(place.socket_path).exists()
