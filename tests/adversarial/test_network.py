"""A hostile component, or a hostile worker, tries to get out by another way than it may.

Each attack has a name, and fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from support import wat
from support.internet import Internet
from support.network_cases import NAMES
from wassette.egress import Rules, Want
from wassette.errors import CallTimeout, InvalidArguments, WorkerDied
from wassette.host import Host
from wassette.workers import asks, protocol
from wassette.workers.launcher import Started
from wassette.workers.process import Outcome, WorkerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from wassette.answers import CallResult
    from wassette.config import Settings

    Component = Callable[[str], Path]

pytestmark = pytest.mark.anyio

HANG = 60.0
"""Seconds that only a hang would take."""


@pytest.fixture
async def internet() -> AsyncIterator[Internet]:
    async with Internet(dict(NAMES)) as running:
        yield running


@pytest.fixture
async def guest(
    internet: Internet,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fixture_component: Component,
) -> AsyncIterator[Host]:
    """A host with `c-http`, which may ask x.com."""
    internet.use(monkeypatch, tmp_path)
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-http")))
        await host.grant_network("c-http", "x.com")
        yield host


async def call(host: Host, tool: str, /, **arguments: object) -> CallResult:
    async with asyncio.timeout(HANG):
        return await host.call_tool(tool, arguments)


async def get(host: Host, url: str) -> CallResult:
    return await call(host, "request", method="GET", url=url, headers=[], body="")


async def works(host: Host) -> bool:
    result = await get(host, "http://x.com/")
    return bool(result.value["ok"]["status"] == 200)


# ---- past the relay ------------------------------------------------------------------------------


async def test_the_relay_s_own_door_is_no_destination(
    guest: Host, internet: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every rule there can be: a door is Wassette itself."""
    assert await works(guest)
    relay: Any = guest._parts.way_out._relay
    [port] = relay.closed_ports
    internet.names["mine.x.com"] = ["127.0.0.1"]
    for rule in (f"127.0.0.1:{port}", f"localhost:{port}", f"*:{port}"):
        await guest.grant_network("c-http", rule)
    for host in ("127.0.0.1", "localhost", "mine.x.com", "[::ffff:127.0.0.1]"):
        internet.dialed.clear()
        result = await get(guest, f"http://{host}:{port}/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
        assert result.value == {"err": "destination-IP-prohibited"}, host
        assert "Wassette itself" in result.exchanges[0].reason
        assert not internet.dialed


async def test_ports_on_which_wassette_serves(guest: Host, internet: Internet) -> None:
    """The host's own API, before the relay was started and after."""
    guest.serves_on(9001)
    await guest.grant_network("c-http", "127.0.0.1:9001")
    await guest.grant_network("c-http", "127.0.0.1:9002")
    assert (await get(guest, "http://127.0.0.1:9001/api")).value == {
        "err": "destination-IP-prohibited"
    }
    assert (await get(guest, "http://127.0.0.1:9002/")).value["ok"]["status"] == 200
    guest.serves_on(9002)
    internet.dialed.clear()
    result = await get(guest, "http://127.0.0.1:9002/")
    assert result.value == {"err": "destination-IP-prohibited"}
    assert "Wassette itself" in result.refusals[0]
    assert "Only a person" not in result.refusals[0]
    assert not internet.dialed


async def test_other_ports_of_this_machine(guest: Host) -> None:
    """A server here that somebody forgot: refused without a rule that is about it."""
    reached = []

    def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(writer)
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for rules in ((), ("*", f"*:{port}")):
        for rule in rules:
            await guest.grant_network("c-http", rule)
        for host in ("127.0.0.1", "localhost", "loop.x.com", "[::1]", "0.0.0.0", "zero.x.com"):
            result = await get(guest, f"http://{host}:{port}/")
            assert result.value["err"] in ("HTTP-request-denied", "destination-IP-prohibited"), host
    server.close()
    assert not reached


async def knock(port: int, path: str, host: str | None = None) -> bytes:
    """What a program on this machine gets from a door."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = f"GET {path} HTTP/1.1\r\nhost: {host or f'127.0.0.1:{port}'}\r\n\r\n"
        writer.write(head.encode())
        async with asyncio.timeout(HANG):
            with contextlib.suppress(ConnectionError):
                return await reader.read()
        return b""
    finally:
        writer.close()


async def test_knocking_without_a_token_or_with_another_s(guest: Host, internet: Internet) -> None:
    """As a worker that was taken over could: each door only knows the tokens it has given."""
    assert await works(guest)
    relay: Any = guest._parts.way_out._relay
    [door] = relay._doors
    other = await relay.door()
    policy = guest.policies.read("c-http").policy
    records: list[object] = []
    want = Want("GET", "http", "x.com", "/secret")
    route = await other.route(want, Rules(policy), records.append)
    internet.seen.clear()
    for path in ("/", "/x", "/" + "A" * 32, route.path, f"{route.path}/", f"/..{route.path}"):
        assert not (await knock(door.port, path)).startswith(b"HTTP/1.1 200"), path
    assert not internet.seen
    # At its own door it works, once.
    assert b" 200 " not in await knock(other.port, route.path, "evil.com")
    assert not internet.seen
    assert b" 200 " in await knock(other.port, route.path)
    assert [seen.path for seen in internet.seen] == ["/secret"]
    assert b" 200 " not in await knock(other.port, route.path)
    assert len(internet.seen) == 1
    await other.close()
    assert await works(guest)


# ---- strange requests ----------------------------------------------------------------------------

LINES = "x.com\r\nhost: evil.com"
ODD: dict[str, tuple[str, str, str, str]] = {
    "CR LF in the authority": ("GET", "http", LINES, "/"),
    "CR LF in the path": ("GET", "http", "x.com", "/ HTTP/1.1\r\nx: y\r\n\r\nGET /two"),
    "CR LF in the method": ("GET / HTTP/1.1\r\nx: y\r\n\r\nGET", "http", "x.com", "/"),
    "CR LF in the scheme": ("GET", "http\r\nx: y", "x.com", "/"),
    "NUL in the path": ("GET", "http", "x.com", "/a\0b"),
    "NUL in the authority": ("GET", "http", "x.com\0.evil.com", "/"),
    "a blank in the authority": ("GET", "http", "x.com evil.com", "/"),
    "a tab in the path": ("GET", "http", "x.com", "/a\tb"),
    "another line's beginning": ("GET", "http", "x.com", "/\u2028x"),
    "a path in the authority": ("GET", "http", "x.com/", "/"),
    "a query in the authority": ("GET", "http", "x.com?", "/"),
    "a user in the authority": ("GET", "http", "x.com:80@evil.com", "/"),
    "a path that is a URL": ("GET", "http", "x.com", "http://evil.com/"),
    "a path that is an authority": ("GET", "http", "x.com", "evil.com:80"),
    "a path that is a star": ("OPTIONS", "http", "x.com", "*"),
    "a path with a fragment": ("GET", "http", "x.com", "/a#b"),
    "an empty authority": ("GET", "http", "", "/"),
    "no port after the colon": ("GET", "http", "x.com:", "/"),
    "two ports": ("GET", "http", "x.com:80:80", "/"),
    "a path of 64 KB": ("GET", "http", "x.com", "/" + "a" * 65_000),
    "a path of 17 KB": ("GET", "http", "x.com", "/" + "a" * 17_000),
    "a path of a megabyte": ("GET", "http", "x.com", "/" + "a" * 2**20),
    "a query of 17 KB": ("GET", "http", "x.com", "/?" + "a" * 17_000),
    "an authority of a megabyte": ("GET", "http", "a." * 2**19 + "x.com", "/"),
    "a method of a megabyte": ("G" * 2**20, "http", "x.com", "/"),
    "a scheme of a megabyte": ("GET", "h" * 2**20, "x.com", "/"),
    "a method with a blank": ("GE T", "http", "x.com", "/"),
    "an empty method": ("", "http", "x.com", "/"),
    "a tunnel": ("CONNECT", "http", "x.com", "/"),
    "another tunnel": ("CONNECT", "http", "x.com:443", ""),
    "an echo of what was sent": ("TRACE", "http", "x.com", "/"),
    "files": ("GET", "file", "", "/etc/passwd"),
    "another protocol": ("GET", "ftp", "x.com", "/"),
    "a web socket": ("GET", "ws", "x.com", "/"),
    "a socket of the system": ("GET", "unix", "x.com", "/run/docker.sock"),
    "a name with a star": ("GET", "http", "*.x.com", "/"),
    "a name of dots": ("GET", "http", "..", "/"),
}


async def test_strange_requests(guest: Host, internet: Internet) -> None:
    assert await works(guest)
    internet.dialed.clear()
    for what, (method, scheme, authority, path) in ODD.items():
        result = await call(
            guest, "odd", method=method, scheme=scheme, authority=authority, path=path
        )
        assert result.error is None, what
        assert "err" in result.value, what
        for shown in (*result.refusals, *(one.url for one in result.exchanges)):
            assert shown.isprintable(), what
            assert len(shown) < 20_000, what
        for record in result.exchanges:
            assert not record.allowed, what
    assert not internet.dialed
    assert await works(guest)


async def test_text_that_is_no_text(guest: Host) -> None:
    for field in ("url", "method"):
        arguments = {"method": "GET", "url": "http://x.com/", "headers": [], "body": ""}
        result = await call(guest, "request", **{**arguments, field: "http://x.com/\ud800"})
        assert isinstance(result.error, InvalidArguments)
    assert await works(guest)


@pytest.mark.parametrize("value", ["a\r\nhost: evil.com", "a\nb", "a\0b", "a\rb"])
async def test_lines_in_headers(guest: Host, internet: Internet, value: str) -> None:
    internet.seen.clear()
    for name, content in (("x-a", value), (value, "b")):
        result = await call(
            guest, "request", method="GET", url="http://x.com/", headers=[[name, content]], body=""
        )
        assert result.value == {"err": "the header is not valid"}
    assert not internet.seen


async def test_a_second_request_in_a_body(guest: Host, internet: Internet) -> None:
    """Smuggling: what follows a body is part of it, or goes nowhere."""
    smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x.com\r\n\r\n"
    for headers in ([], [["content-length", "5"]], [["content-length", str(len(smuggled))]]):
        await call(
            guest, "request", method="POST", url="http://x.com/", headers=headers, body=smuggled
        )
    assert internet.seen
    assert {seen.path for seen in internet.seen} == {"/"}


# ---- keeping everybody busy ----------------------------------------------------------------------


async def test_a_million_requests_that_are_refused(
    guest: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host serves others meanwhile, and keeps little of it."""
    await guest.load(str(wat.write(tmp_path, "calc")))
    await guest.call_tool("add", {"a": 1, "b": 1})
    policy = guest.policies.path("c-http")
    policy.write_text(policy.read_text() + "  resources:\n    limits:\n      timeout: 4s\n")
    url = "http://evil.com/"
    flood = [asyncio.create_task(call(guest, "again", url=url, count=1_000_000)) for _ in range(2)]
    await asyncio.sleep(1)
    waits = []
    for number in range(30):
        began = time.monotonic()
        assert (await call(guest, "add", a=number, b=1)).value == number + 1
        waits.append(time.monotonic() - began)
        await asyncio.sleep(0.05)
    assert sorted(waits)[15] < 1
    for result in await asyncio.gather(*flood):
        assert isinstance(result.error, CallTimeout)
        assert 100 < len(result.exchanges) <= 1000
        assert len(result.refused) == 1  # of one server, so one
    assert await works(guest)


async def test_a_thousand_answers_that_are_left_lying(guest: Host) -> None:
    result = await call(guest, "together", url="http://x.com/do/wait/0.1", count=1000)
    assert set(result.value) <= {"200", "connection-limit-reached"}
    assert await works(guest)


# ---- a worker that was taken over ----------------------------------------------------------------


class Scripted:
    """A launcher whose worker is this test: the other end of the socket is `theirs`."""

    def __init__(self) -> None:
        self.killed = False

    async def start(self) -> Started:
        ours, self.theirs = socket.socketpair()
        self.theirs.setblocking(False)
        self.started = Started(1, ours)
        return self.started

    def kill(self, started: Started) -> None:
        self.killed = True
        if not started.ended.done():
            started.ended.set_result(-9)

    def pause(self, started: Started, paused: bool) -> None: ...

    async def close(self) -> None: ...

    async def say(self, *frames: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.theirs, b"".join(frames))

    async def hear(self, kind: str) -> dict[str, Any]:
        """The header of the next frame of a kind; its body, if JSON, is under `body`."""
        loop = asyncio.get_running_loop()
        data = b""
        while True:
            while len(data) < protocol.HEAD or len(data) < protocol.HEAD + sum(
                protocol.sizes(data)
            ):
                piece = await loop.sock_recv(self.theirs, 65536)
                if not piece:
                    raise EOFError
                data += piece
            head, body = protocol.sizes(data)
            header = protocol.parse_header(data[protocol.HEAD :][:head])
            content = data[protocol.HEAD + head :][:body]
            data = data[protocol.HEAD + head + body :]
            if header["kind"] == kind:
                return {**header, "body": content}


class Way:
    """A door that leads nowhere."""

    port = 1

    def __init__(self) -> None:
        self.aborted: list[str] = []

    def abort(self, reason: str) -> None:
        self.aborted.append(reason)

    async def close(self) -> None: ...


REQUEST = {"method": "GET", "scheme": "http", "authority": "x.com", "path": "/"}


def ask(number: object = 1, call: object = 1, what: object = "route", **other: object) -> bytes:
    header = {"kind": "ask", "call": call, "ask": number, "what": what}
    return protocol.frame(header, json.dumps({**REQUEST, **other}).encode())


HOSTILE: dict[str, bytes] = {
    "two at once": ask(1) + ask(2),
    "the same twice": ask(1) + ask(1),
    "not the first": ask(2),
    "a number that is none": ask("1"),
    "of another call": ask(call=2),
    "of no call": ask(call=None),
    "something else": ask(what="secrets"),
    "no texts": ask(path=None),
    "a text without end": ask(path="/" * 2**20),
    "no question": protocol.frame({"kind": "ask", "call": 1, "ask": 1, "what": "route"}, b"\xff"),
    "garbage": b"\xff" * 64,
    "a frame without end": b"\xff\xff\x00\x00\xff\xff\xff\xff",
}


async def a_call(
    answered: Callable[[asks.Ask, Any], Any] | None, door: Way | None
) -> tuple[Scripted, WorkerProcess, asyncio.Task[bytes]]:
    launcher = Scripted()
    worker = await WorkerProcess.start(launcher)
    worker.door = door
    running = asyncio.create_task(worker.call(None, "f", b"{}", HANG, Outcome(), answered))
    await launcher.hear("call")
    return launcher, worker, running


async def never(_: asks.Ask, __: object) -> asks.Answer:
    await asyncio.sleep(3600)
    raise AssertionError


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_worker_that_asks_what_none_asks(what: str) -> None:
    """It is killed; an answer that is under way is given up with it."""
    launcher, worker, running = await a_call(never, Way())
    await launcher.say(HOSTILE[what])
    async with asyncio.timeout(HANG):
        with pytest.raises(WorkerDied):
            await running
    assert launcher.killed
    assert not worker.usable
    launcher.theirs.close()


@pytest.mark.parametrize("way", [None, Way()])
async def test_a_worker_that_may_ask_nothing(way: Way | None) -> None:
    launcher, _, running = await a_call(never if way is None else None, way)
    await launcher.say(ask())
    with pytest.raises(WorkerDied):
        await running
    assert launcher.killed
    launcher.theirs.close()


async def test_a_worker_that_asks_outside_of_a_call() -> None:
    launcher, worker, running = await a_call(never, Way())
    await launcher.say(protocol.frame({"kind": "result", "call": 1}, b"1"))
    assert await running == b"1"
    await launcher.say(ask())
    async with asyncio.timeout(HANG):
        await worker.closed
    assert launcher.killed
    launcher.theirs.close()


async def test_asks_are_answered_one_after_the_other() -> None:
    """What an honest worker does, over the same socket."""

    async def answered(ask: asks.Ask, _: object) -> asks.Answer:
        if ask.path == "/broken":
            raise RuntimeError("a bug of ours")
        return asks.Destination("127.0.0.1:1", ask.path, 1, 1)

    way = Way()
    launcher, _, running = await a_call(answered, way)
    for number, path in enumerate(("/a", "/broken", "/c"), 1):
        await launcher.say(ask(number, path=path))
        answer = await launcher.hear("answer")
        assert (answer["call"], answer["ask"]) == (1, number)
        expected = {"code": "internal-error", "detail": None}
        body = json.loads(answer["body"])
        assert body == expected if path == "/broken" else body["path"] == path
    await launcher.say(protocol.frame({"kind": "result", "call": 1}, b"1"))
    assert await running == b"1"
    assert way.aborted == ["the call is over"]
    assert not launcher.killed
    launcher.theirs.close()


async def test_an_ask_that_crosses_the_end_of_its_call() -> None:
    """An honest worker asks while the host tells it to stop: it is not answered, and not killed."""
    began = asyncio.Event()
    ended = asyncio.Event()

    async def answered(_: asks.Ask, __: object) -> asks.Answer:
        began.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()
        raise AssertionError

    way = Way()
    launcher, worker, running = await a_call(answered, way)
    await launcher.say(ask(1))
    await began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not way.aborted  # together with the cancel frame, not before
    stopping = asyncio.create_task(worker.stop("cancelled"))
    await launcher.hear("cancel")
    await ended.wait()
    assert way.aborted == ["cancelled"]
    stopped = {"kind": "error", "call": 1, "error": "stopped", "message": "cancelled"}
    await launcher.say(ask(2), protocol.frame(stopped))
    assert await stopping is not None
    assert worker.usable
    assert not launcher.killed
    worker.kill()
    launcher.theirs.close()
