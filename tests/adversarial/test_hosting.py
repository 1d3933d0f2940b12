"""Attacks on the shared host: on the way to it, by those who reach it, by one client on others."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from support.hosts import (
    PATIENCE,
    Stdio,
    copy_probe,
    eventually,
    hosts,
    probe_home,
    status,
    the_host,
    value,
)
from wassette.host import Host
from wassette.hosting.rendezvous import HostUnavailable, Rendezvous, RuntimeDirectory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wassette.config import Settings

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="unix sockets"),
]
NOBODY = 65534
as_root = pytest.mark.skipif(
    sys.platform == "win32" or os.getuid() != 0, reason="only root can be two users"
)


@pytest.fixture(scope="session")
def probe_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return probe_home(tmp_path_factory.mktemp("probe"))


@pytest.fixture
def probed(settings: Settings, home: Path, probe_template: Path) -> Settings:
    """With `c-probe`."""
    copy_probe(probe_template, home)
    return settings


@pytest.fixture
def place(settings: Settings) -> Iterator[Rendezvous]:
    found = Rendezvous(str(settings.component_dir))
    yield found
    found.close()


# ---- the runtime directory -----------------------------------------------------------------------


def refused(path: Path, why: str) -> None:
    with pytest.raises(HostUnavailable, match=f"{path} {why}.*set XDG_RUNTIME_DIR"):
        RuntimeDirectory(str(path))


@as_root
def test_a_directory_that_another_user_made_first(tmp_path: Path) -> None:
    """In /tmp anybody can make `wassette-1000`, put a socket in it, and be asked for everything."""
    planted = tmp_path / "wassette"
    planted.mkdir(mode=0o700)
    os.chown(planted, NOBODY, NOBODY)
    refused(planted, r"belongs to another user \(uid 65534\)")


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770, 0o755, 0o701])
def test_a_directory_that_is_open_to_others(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "wassette"
    folder.mkdir()
    folder.chmod(mode)
    refused(folder, "is open to others")
    assert folder.stat().st_mode & 0o7777 == mode  # it may be open for a reason: a person decides


def test_a_symbolic_link_in_its_place(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir(mode=0o700)
    (tmp_path / "wassette").symlink_to(real)
    refused(tmp_path / "wassette", "is not a directory")
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file", "is not a directory")


def test_a_parent_in_which_others_can_rename_it(tmp_path: Path) -> None:
    parent = tmp_path / "shared"
    parent.mkdir()
    parent.chmod(0o777)
    refused(parent / "wassette", "is in a directory that others can change")
    parent.chmod(0o1777)  # as /tmp is
    RuntimeDirectory(str(parent / "wassette")).close()


def test_swapping_the_directory_afterwards(settings: Settings, home: Path) -> None:
    """What was checked is what is used: everything goes through its descriptor."""
    place = Rendezvous(str(settings.component_dir))
    (home / "runtime" / "wassette").rename(home / "runtime" / "kept")
    evil = home / "runtime" / "wassette"
    evil.mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        os.chdir(evil)
        listening.bind(f"host-{place.key}.sock")
        listening.listen()
        assert place.connect() is None
        assert place.lock("lock") >= 0
    assert [path.name for path in evil.iterdir()] == [f"host-{place.key}.sock"]
    place.close()


async def test_an_open_directory_is_explained_to_the_client(settings: Settings, home: Path) -> None:
    folder = home / "runtime" / "wassette"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    with Stdio(component_dir=settings.component_dir) as client:
        assert "is open to others" in client.request("initialize")["error"]["message"]
        assert client.end() == 1
    assert not hosts(home)


# ---- sockets -------------------------------------------------------------------------------------


@as_root
def test_a_socket_of_another_user(settings: Settings, place: Rendezvous) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(place.runtime.address(f"host-{place.key}.sock"))
        listening.listen()
        connected = place.connect()
        assert connected is not None  # ours
        connected.close()
        os.chown(place.socket_path, NOBODY, NOBODY)
        with pytest.raises(HostUnavailable, match="belongs to another user"):
            place.connect()


@as_root
async def test_a_server_of_another_user(settings: Settings, place: Rendezvous) -> None:
    """The file is ours, but whoever listens is not."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(place.runtime.address(f"host-{place.key}.sock"))
        # Who listens is who called listen().
        code = (
            "import os, socket, sys\n"
            "os.setuid(65534)\n"
            "socket.socket(fileno=int(sys.argv[1])).listen()"
        )
        subprocess.run(
            [sys.executable, "-c", code, str(listening.fileno())],
            pass_fds=[listening.fileno()],
            check=True,
        )
        with pytest.raises(HostUnavailable, match="belongs to another user"):
            place.connect()


@as_root
async def test_another_user_connects(probed: Settings, home: Path, place: Rendezvous) -> None:
    """Were the directory and the socket open by mistake, the host still looks who is there."""
    code = (
        "import os, socket, sys\n"
        "os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX); s.settimeout(30)\n"
        "try: s.connect(sys.argv[1])\n"
        "except PermissionError: print('closed'); sys.exit()\n"
        'try: s.sendall(b\'{"wassette":1,"want":"status"}\\n\'); print(s.recv(1000))\n'
        "except ConnectionError: print(b'')"
    )
    link = Path("/tmp") / f"wassette-test-{os.getpid()}.sock"

    def as_nobody() -> str:
        command = ["/usr/bin/env", "python3", "-I", "-c", code, str(link)]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": "/usr/bin:/bin:/usr/local/bin"},
        )
        return done.stdout.strip()

    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        Path(place.socket_path).rename(link)  # out of the directory that keeps others out
        try:
            assert as_nobody() == "closed"  # mode 0600
            link.chmod(0o777)
            assert as_nobody() == "b''"
            with socket.socket(socket.AF_UNIX) as ours:
                ours.connect(str(link))
                ours.sendall(b'{"wassette":1,"want":"status"}\n')
                assert b'"ok": true' in ours.recv(65536)
        finally:
            link.unlink()


# ---- greetings -----------------------------------------------------------------------------------


def say(place: Rendezvous, data: bytes, *, end: bool = True) -> bytes:
    """What the host answers to raw bytes, until it closes or has answered a line."""
    sock = place.connect()
    assert sock is not None
    sock.settimeout(PATIENCE)
    answer = b""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        sock.sendall(data)
        if end:
            sock.shutdown(socket.SHUT_WR)
        while not answer.endswith(b"\n") and (more := sock.recv(65536)):
            answer += more
    sock.close()
    return answer


def greeting(settings: Settings, **changed: Any) -> bytes:
    from wassette._version import __version__

    said = {
        "wassette": 1,
        "want": "session",
        "version": __version__,
        "component_dir": str(settings.component_dir),
        "environment": {},
        "env": [],
        "env_file": None,
        "builtin_tools": True,
        "agent_grants": False,
        "meta_tools": False,
    }
    return json.dumps({**said, **changed}).encode() + b"\n"


async def test_greetings_that_are_none(probed: Settings, home: Path, place: Rendezvous) -> None:
    """Closed without a word, and without harm to others."""
    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        for data in (
            b"",
            b"\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}\n',
            os.urandom(5000),
            b"\0" * 100_000 + b"\n",
            b"[" * 100_000 + b"\n",
            b'{"wassette":2,"want":"session"}\n',
            b"null\n",
        ):
            assert say(place, data) == b"", data[:40]
        assert value(client.call("add", a=1, b=1)) == 2
        assert len(status(place)["clients"]) == 1


LIES: list[tuple[dict[str, Any], str]] = [
    ({"version": "9.9.9"}, "not 9.9.9"),
    ({"version": "\x1b[2J"}, r"\\u{1b}[2J"),
    ({"component_dir": "/etc"}, "not another directory"),
    ({"environment": ["PATH"]}, "variables are not texts"),
    ({"environment": {"A": 1}}, "variables are not texts"),
    ({"env": {"A": "1"}}, "variables are not texts"),
    ({"env": ["A"]}, "--env takes KEY=VALUE"),
    ({"env_file": "/etc/passwd"}, "file of variables is not a text"),
    ({"env_file": ["/etc/passwd"]}, "file of variables is not a text"),
    ({"env_file": ["x", "no equals sign"]}, "at line 1 of x"),
    ({"agent_grants": "yes"}, "neither true nor false"),
    ({"builtin_tools": 1}, "neither true nor false"),
    ({"meta_tools": None}, "neither true nor false"),
    ({"want": "shell"}, "not something that a host does"),
    ({"want": ["session"]}, "not something that a host does"),
]


async def test_greetings_that_lie(probed: Settings, place: Rendezvous) -> None:
    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        for changed, why in LIES:
            answer = say(place, greeting(probed, **changed), end=False)
            assert why in answer.decode(), changed
            assert json.loads(answer).keys() == {"wassette", "error"}
        assert json.loads(say(place, greeting(probed), end=False)) == {"wassette": 1, "ok": True}


async def test_greetings_that_never_end(settings: Settings, place: Rendezvous) -> None:
    """Neither a silent client nor an endless first line is kept."""
    code = (
        "import sys\n"
        "from wassette.hosting import connection, process\n"
        "connection.GREETING_TIMEOUT = 0.5\n"
        "from wassette.config import load\n"
        "sys.exit(process.run(load(component_dir=sys.argv[1]), foreground=True))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(settings.component_dir)])
    try:
        eventually(lambda: Path(place.socket_path).exists())
        for data in (b"", b'{"wassette":1', b"x"):
            assert say(place, data, end=False) == b""
        before = psutil.Process(process.pid).memory_info().rss
        sock = place.connect()
        assert sock is not None
        with contextlib.suppress(OSError):
            for _ in range(100):
                sock.sendall(b"x" * 1_000_000)
        sock.close()
        assert psutil.Process(process.pid).memory_info().rss - before < 60e6
        assert status(place)["clients"] == []
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0


# ---- messages ------------------------------------------------------------------------------------


def test_a_gigabyte_in_one_line(settings: Settings, home: Path) -> None:
    """Through the bridge: neither it nor the host keeps it, and the session goes on."""
    with Stdio(component_dir=settings.component_dir) as client:
        client.initialize()
        chunk = b"x" * (1 << 20)
        client.write(b'{"jsonrpc":"2.0","id":1,"method":"')
        for _ in range(1024):
            client.write(chunk)
        client.write(b'"}\n')
        message = client.message()
        assert message is not None
        assert (message["id"], message["error"]["code"]) == (None, -32600)
        assert client.request("ping")["result"] == {}
        peak = psutil.Process(client.process.pid).memory_info()
        assert peak.rss < 150e6
        assert the_host(home).memory_info().rss < 200e6


async def test_a_gigabyte_past_the_bridge(probed: Settings, home: Path, place: Rendezvous) -> None:
    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        sock = place.connect()
        assert sock is not None
        sock.sendall(greeting(probed))
        assert b'"ok": true' in sock.recv(1000)
        host, peak = the_host(home), 0
        for _ in range(256):
            sock.sendall(b"y" * (1 << 22))
            peak = max(peak, host.memory_info().rss)
        sock.sendall(b"\n")
        assert b"over 32 MiB" in sock.recv(1000)
        assert peak < 250e6
        assert value(client.call("add", a=1, b=1)) == 2
        sock.close()


async def test_a_client_that_asks_and_never_reads(
    probed: Settings, home: Path, place: Rendezvous
) -> None:
    """Its answers pile up in the kernel, then it is no longer read from; others do not notice."""
    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        sock = place.connect()
        assert sock is not None
        sock.sendall(greeting(probed))
        assert b'"ok": true' in sock.recv(1000)
        line = b'{"jsonrpc":"2.0","id":%d,"method":"tools/list"}\n'
        sock.settimeout(1)
        stopped = threading.Event()

        def flood() -> None:
            number = 0
            try:
                while number < 500_000:
                    sock.sendall(b"".join(line % n for n in range(number, number + 100)))
                    number += 100
            except OSError:
                stopped.set()

        thread = threading.Thread(target=flood)
        thread.start()
        thread.join(PATIENCE)
        assert stopped.is_set()
        assert the_host(home).memory_info().rss < 400e6
        for _ in range(5):
            assert value(client.call("add", a=1, b=1)) == 2
        sock.close()
        eventually(lambda: len(status(place)["clients"]) == 1)


async def test_garbage_for_messages(probed: Settings) -> None:
    lines = (
        b"{", b"\xff\xfe", b"[]", b"[" * 5000, b'"x"', b"1", b'{"jsonrpc":"1.0","id":1}',
        b'{"wassette":"stop"}', b'{"jsonrpc":"2.0","id":{},"method":"ping"}',
        b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}',
        b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":[1]}',
        b'{"jsonrpc":"2.0","id":99,"result":{}}',
        b'{"jsonrpc":"2.0","id":3,"method":"initialize","params":{"clientInfo":7}}',
        b'{"jsonrpc":"2.0","id":4,"method":"tools/list","params":{"_meta":[]}}',
    )  # fmt: skip
    with Stdio(component_dir=probed.component_dir) as client:
        for line in lines:
            client.write(line + b"\n")
        client.initialize()
        assert value(client.call("add", a=1, b=1)) == 2
        assert client.end() == 0


# ---- between sessions ----------------------------------------------------------------------------


async def test_reading_what_another_session_may_read(probed: Settings, home: Path) -> None:
    """A granted variable is the caller's own: whoever started the host, whoever called before."""
    async with Host(probed) as host:
        await host.grant_environment("c-probe", "TOKEN")
    secret = "s3cret-of-the-first"
    with (
        Stdio(component_dir=probed.component_dir, env={"TOKEN": secret}) as first,
        Stdio(component_dir=probed.component_dir) as second,
        Stdio("--env", "TOKEN=other", component_dir=probed.component_dir) as third,
    ):
        for client in (first, second, third):
            client.initialize()
        for _ in range(5):
            assert value(first.call("get-env", name="TOKEN")) == secret
            assert value(second.call("get-env", name="TOKEN")) is None
            assert value(third.call("get-env", name="TOKEN")) == "other"
        # Nor is it anywhere else that the others, or other programs, could look.
        shared = the_host(home)
        looked = 0
        for process in (shared, *shared.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):  # a worker that ended meanwhile
                assert secret not in json.dumps([process.environ(), process.cmdline()])
                looked += 1
        assert looked > 1
        for folder in (home / "runtime", home / "state"):
            for file in folder.rglob("*"):
                if file.is_file():
                    assert secret.encode() not in file.read_bytes(), file


async def test_cancelling_what_another_session_runs(probed: Settings, place: Rendezvous) -> None:
    """Numbers of requests are each session's own."""
    with (
        Stdio(component_dir=probed.component_dir) as one,
        Stdio(component_dir=probed.component_dir) as two,
    ):
        one.initialize()
        two.initialize()
        number = one.ask("tools/call", {"name": "sleep", "arguments": {"seconds": 1}})
        for guess in range(20):
            cancel = {"method": "notifications/cancelled", "params": {"requestId": guess}}
            two.send({"jsonrpc": "2.0", **cancel})
        assert two.request("ping")["result"] == {}
        assert one.answer(number)["result"]["isError"] is False


async def test_stopping_in_the_name_of_a_message(probed: Settings, home: Path) -> None:
    """What controls the host is said instead of a session, never in one."""
    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        client.send({"wassette": 1, "want": "end"})
        client.send({"jsonrpc": "2.0", "id": 50, "method": "end"})
        assert "error" in client.answer(50)
        time.sleep(0.2)
        assert value(client.call("add", a=1, b=1)) == 2
        assert len(hosts(home)) == 1


async def test_a_component_that_is_granted_what_is_above_the_socket(
    probed: Settings, home: Path, place: Rendezvous
) -> None:
    """It could take the socket away, or leave locks and files in its place."""
    async with Host(probed) as host:
        await host.grant_storage("c-probe", f"fs://{home}/runtime", ["read", "write"])
    (home / "runtime" / "other").write_text("x")
    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        assert value(client.call("list-dir", path=f"{home}/runtime")) == {"ok": ["other"]}
        for file in (place.json_path, place.lock_path, f"{place.runtime.path}/host-new.sock"):
            assert "err" in value_or_error(client.call("write-file", path=file, text="mine"))
            assert "err" in value_or_error(client.call("read-file", path=file))
        assert json.loads(Path(place.json_path).read_text())["pid"] == the_host(home).pid


def value_or_error(answer: dict[str, Any]) -> Any:
    return answer["result"]["structuredContent"]["result"]
