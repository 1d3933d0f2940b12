"""A small internet on loopback for the relay: names, public addresses, servers, and a client.

Sockets, TLS and HTTP are real. Only where a public address leads is made up: to a server here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import h11
import trustme

from wassette.egress import Exchange, Relay, Rules, Want, connect
from wassette.egress_options import EgressOptions
from wassette.errors import RequestRefused
from wassette.policy import NetworkRule, Policy
from wassette.policy.injection import BoundSecret, Injection

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from pathlib import Path

    from wassette.egress import Door, Route

    Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
    Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

PUBLIC = "93.184.216.34"
PUBLIC6 = "2606:2800:220:1:248:1893:25c8:1946"
ELSEWHERE = "151.101.1.69"


def policy(*allow: str, deny: Iterable[str] = (), cidr: Iterable[str] = ()) -> Policy:
    return Policy(
        "1.0",
        network_allow=(
            *(NetworkRule(host=one) for one in allow),
            *(NetworkRule(cidr=one) for one in cidr),
        ),
        network_deny=tuple(NetworkRule(host=one) for one in deny),
    )


SECRET = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
PLACEHOLDER = "wst_5f0c2b9d77e14a6d8c3b1f2e4d5a6978bb01"


def secret(*hosts: str, value: str = SECRET, placeholder: str = PLACEHOLDER, **where: Any) -> Any:
    binding = Injection("TOKEN", tuple(NetworkRule(host=one) for one in hosts), **where)
    return BoundSecret(binding, placeholder, value)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name.lower()), None)

    @property
    def seen(self) -> dict[str, Any]:
        """What `echo` saw."""
        return json.loads(self.body)  # type: ignore[no-any-return]


class Broken(Exception):
    """The door ended the connection before the end of the response."""

    def __init__(self, received: bytes = b"") -> None:
        super().__init__(f"after {len(received)} bytes")
        self.received = received


@dataclass
class World:
    """Use as an async context manager. `names` may be changed at any time."""

    options: EgressOptions = field(default_factory=EgressOptions)
    names: dict[str, list[str]] = field(default_factory=dict)
    resolver: Any = None
    leads: dict[tuple[str, int], int] = field(default_factory=dict)
    """(address, port) → the port of a server here."""
    asked: list[tuple[str, int]] = field(default_factory=list)
    """What was connected to."""
    records: list[Exchange] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._stack = contextlib.AsyncExitStack()
        self._handlers: set[asyncio.Task[Any]] = set()
        self.relay = await self._stack.enter_async_context(
            Relay(self.options, resolver=self.resolver or self, dial=self.dial)
        )
        self.door = await self.relay.door()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()
        for task in self._handlers:
            task.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)
        await asyncio.sleep(0.01)  # what was closed is, after another round of the loop

    async def ask(self, route: Route, *lines: str, reading: bool = True) -> Connection:
        """Sends the head of a request, with `lines` in it, and leaves the rest to the caller."""
        reader, writer = await open_door(route)
        self._stack.callback(lambda: writer.transport.abort())  # holds the writer, too
        if not reading:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
        first = lines[0] if lines else "GET"
        text = [f"{first} {route.path} HTTP/1.1", f"Host: {route.authority}", *lines[1:], "", ""]
        writer.write("\r\n".join(text).encode())
        return reader, writer

    async def resolve(self, host: str, port: int) -> list[str]:
        if host not in self.names:
            raise OSError("no such name")
        return self.names[host]

    async def dial(self, address: str, port: int) -> socket.socket:
        self.asked.append((address, port))
        there = self.leads.get((address, port))
        if there is not None:
            return await connect.dial("127.0.0.1", there)
        if address.startswith("127.") or address == "::1":
            return await connect.dial(address, port)
        raise ConnectionRefusedError("nobody there")

    async def serve(self, handler: Handler, context: ssl.SSLContext | None = None) -> int:
        """A server on loopback; its port."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._handlers.add(task)
            try:
                await handler(reader, writer)
            except (OSError, EOFError, h11.RemoteProtocolError, asyncio.CancelledError):
                pass
            finally:
                self._handlers.discard(task)
                writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context, limit=2**20)
        self._stack.callback(server.close)
        return int(server.sockets[0].getsockname()[1])

    async def site(
        self, name: str, handler: Handler, *, address: str = PUBLIC, tls: TLS | None = None
    ) -> None:
        """A server that `name` leads to, on the usual port."""
        port = await self.serve(handler, tls.server(name) if tls else None)
        self.leads[address, 443 if tls else 80] = port
        self.names[name] = [address]

    async def route(
        self,
        url: str,
        method: str = "GET",
        rules: Policy | Rules | None = None,
        *,
        door: Door | None = None,
        connect_timeout: float | None = None,
    ) -> Route:
        scheme, _, rest = url.partition("://")
        cut = min((at for at in map(rest.find, "/?") if at >= 0), default=len(rest))
        want = Want(method, scheme, rest[:cut], rest[cut:], connect_timeout)
        if not isinstance(rules, Rules):
            rules = Rules(rules or policy("*"))
        return await (door or self.door).route(want, rules, self.records.append)

    async def fetch(
        self,
        url: str,
        method: str = "GET",
        rules: Policy | Rules | None = None,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | Iterable[bytes] = b"",
    ) -> Answer:
        """The whole way, as a guard and its component would go it."""
        route = await self.route(url, method, rules)
        return await send(route, method, headers=headers, body=body)

    async def refused(self, url: str, *args: Any, **named: Any) -> RequestRefused:
        """The error of a request that must not get a route."""
        try:
            await self.route(url, *args, **named)
        except RequestRefused as error:
            return error
        raise AssertionError(f"{url} got a route")

    async def over(self, count: int = 1) -> Exchange:
        """The last record, when there are so many."""
        async with asyncio.timeout(20):
            while len(self.records) < count:
                await asyncio.sleep(0.005)
        assert len(self.records) == count
        return self.records[-1]


async def send(
    route: Route,
    method: str = "GET",
    *,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes | Iterable[bytes] = b"",
) -> Answer:
    reader, writer = await open_door(route)
    try:
        conn = h11.Connection(h11.CLIENT)
        given: list[tuple[str, str]] = [("Host", route.authority), *headers]
        if isinstance(body, bytes):
            if body:
                given.append(("Content-Length", str(len(body))))
            pieces: Iterable[bytes] = [body] if body else []
        else:
            given.append(("Transfer-Encoding", "chunked"))
            pieces = body
        writer.write(conn.send(h11.Request(method=method, target=route.path, headers=given)))
        for piece in pieces:
            writer.write(conn.send(h11.Data(data=piece)))
            await writer.drain()
        writer.write(conn.send(h11.EndOfMessage()))
        return await read_answer(reader, conn)
    except ConnectionError:
        raise Broken from None
    finally:
        writer.close()


async def open_door(route: Route) -> Connection:
    host, _, port = route.authority.partition(":")
    return await asyncio.open_connection(host, int(port), limit=2**20)


async def read_answer(reader: asyncio.StreamReader, conn: h11.Connection) -> Answer:
    status, found, body = 0, [], bytearray()
    try:
        async with asyncio.timeout(30):
            while True:
                event = conn.next_event()
                if event is h11.NEED_DATA:
                    conn.receive_data(await reader.read(2**18))
                elif isinstance(event, h11.Response):
                    status = event.status_code
                    found = [(name.decode(), value.decode()) for name, value in event.headers]
                elif isinstance(event, h11.Data):
                    body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    return Answer(status, found, bytes(body))
                else:
                    raise Broken(bytes(body))
    except (h11.RemoteProtocolError, ConnectionError):
        raise Broken(bytes(body)) from None


async def raw(port: int, data: bytes, seconds: float = 10) -> bytes:
    """What a door says to these bytes until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(seconds):
            writer.write(data)
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


# ---- servers -----------------------------------------------------------------------------------


@dataclass
class Request:
    method: str
    target: str
    headers: list[tuple[str, str]]
    reader: asyncio.StreamReader
    conn: h11.Connection
    raw_head: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name.lower()), None)

    async def pieces(self) -> AsyncIterator[bytes]:
        while True:
            event = self.conn.next_event()
            if event is h11.NEED_DATA:
                self.conn.receive_data(await self.reader.read(2**18))
            elif isinstance(event, h11.Data):
                yield bytes(event.data)
            else:
                return

    async def body(self) -> bytes:
        return b"".join([piece async for piece in self.pieces()])


async def receive(reader: asyncio.StreamReader) -> Request:
    head = await reader.readuntil(b"\r\n\r\n")
    conn = h11.Connection(h11.SERVER)
    conn.receive_data(head)
    event = conn.next_event()
    assert isinstance(event, h11.Request)
    return Request(
        event.method.decode(),
        event.target.decode(),
        [(name.decode(), value.decode("latin-1")) for name, value in event.headers],
        reader,
        conn,
        head,
    )


def reply(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says what it was sent, as JSON."""
    request = await receive(reader)
    seen = {
        "method": request.method,
        "target": request.target,
        "headers": request.headers,
        "body": (await request.body()).decode("latin-1"),
        "raw": request.raw_head.decode("latin-1"),
    }
    writer.write(reply(json.dumps(seen).encode(), "Content-Type: application/json"))
    await writer.drain()


def says(*pieces: bytes, wait: float = 0.0, hold: bool = False) -> Handler:
    """A server that reads the head of a request and sends exactly this."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(wait)
        if hold:
            await reader.read()

    return handler


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts, reads, and never answers."""
    while await reader.read(2**16):
        pass


# ---- TLS ---------------------------------------------------------------------------------------


class TLS:
    """A certificate authority of the test's own."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.ca_file))

    def server(self, *names: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*names).configure_cert(context)
        return context


# ---- a proxy -----------------------------------------------------------------------------------


@dataclass
class ProxyServer:
    """A forward proxy: CONNECT, and requests in absolute form. Resolves names by `leads`."""

    leads: dict[tuple[str, int], int]
    credentials: str | None = None
    heads: list[bytes] = field(default_factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        if self.credentials is not None and (
            f"\r\nproxy-authorization: {self.credentials}\r\n".lower()
            not in head.decode("latin-1").lower()
        ):
            writer.write(reply(b"who are you?", status="407 Proxy Authentication Required"))
            await writer.drain()
            return
        if method == "CONNECT":
            name, _, port = target.rpartition(":")
            place = (name.strip("[]"), int(port))
        else:
            parts = urlsplit(target)
            place = (parts.hostname or "", parts.port or 80)
        if place not in self.leads:
            writer.write(reply(b"no way", status="502 Bad Gateway"))
            await writer.drain()
            return
        there_reader, there = await asyncio.open_connection("127.0.0.1", self.leads[place])
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = target.split("/", 3)[3]
            rest = head.partition(b"\r\n")[2]
            there.write(f"{method} /{path} HTTP/1.1\r\n".encode() + rest)
        try:
            await asyncio.gather(_copy(reader, there), _copy(there_reader, writer))
        finally:
            there.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(2**16):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except (OSError, RuntimeError):
        writer.close()
