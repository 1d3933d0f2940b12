"""A small internet on this machine: names, addresses, and servers behind them that behave, or not.

The relay gets a resolver and a dial of its own, so that a test can say where a name leads. Every
address is then one of the servers here: by port, 443 and 8443 with TLS, all others without. What
they do is in the path (`/do/…`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import trustme

from wassette import outgoing
from wassette.egress import EgressOptions, Relay

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest

    from wassette.config import Settings

PUBLIC = "93.184.216.34"
WITH_TLS = frozenset({443, 8443})
CLOSED, NOWHERE = 9, 10
"""Ports where nobody listens, and where nobody even says so."""


@dataclass(frozen=True)
class Seen:
    """A request that has arrived at a server."""

    method: str
    path: str
    headers: Mapping[str, str]
    size: int
    """Bytes of its body."""


@dataclass
class Internet:
    """`names`: what the resolver answers; what is not in it does not exist."""

    names: dict[str, list[str]]
    untrusted: tuple[str, ...] = ()
    """Names that the servers with TLS have no certificate for."""
    dialed: list[tuple[str, int]] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    gone: int = 0
    """Connections that the other side has ended while it was being answered or kept waiting."""
    _forgotten: asyncio.Event = field(default_factory=asyncio.Event)  # never set
    _plain: int = 0
    _tls: int = 0
    _servers: list[asyncio.Server] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self.authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        names = [name for name in self.names if "_" not in name and name not in self.untrusted]
        self.authority.issue_cert(*names).configure_cert(context)
        for tls in (None, context):
            server = await asyncio.start_server(self._served, "127.0.0.1", 0, ssl=tls)
            self._servers.append(server)
        self._plain, self._tls = (one.sockets[0].getsockname()[1] for one in self._servers)
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- the relay's view of it ------------------------------------------------------------------

    async def resolve(self, host: str, port: int) -> list[str]:
        if host == "slow.x.com":
            await asyncio.sleep(3600)
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return self.names[host]

    async def dial(self, address: str, port: int) -> socket.socket:
        self.dialed.append((address, port))
        if port == CLOSED:
            raise ConnectionRefusedError
        if port == NOWHERE:
            await asyncio.sleep(3600)
        made = socket.socket()
        try:
            made.setblocking(False)
            there = self._tls if port in WITH_TLS else self._plain
            await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", there))
        except BaseException:
            made.close()
            raise
        return made

    def use(self, monkeypatch: pytest.MonkeyPatch, folder: Path, **options: float) -> None:
        """Have hosts made from now on use this internet. `options`: of the relay."""
        file = folder / "authority.pem"
        self.authority.cert_pem.write_to_path(str(file))

        def make(_: Settings) -> Relay:
            chosen = EgressOptions(ca_file=file, **options)  # type: ignore[arg-type]
            return Relay(chosen, resolver=self, dial=self.dial)

        monkeypatch.setattr(outgoing, "make_relay", make)

    # -- the servers -----------------------------------------------------------------------------

    def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            try:
                seen = await self._read(reader)
            except (ConnectionError, asyncio.IncompleteReadError, ValueError):
                self.gone += 1
                return
            with contextlib.suppress(ConnectionError):
                await self._respond(seen, reader, writer)
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Seen:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head[:-4].split("\r\n")
        method, path, _ = line.split(" ")
        headers = {
            name.lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)
        }
        size = 0
        if path.startswith("/do/unread"):
            await self._forgotten.wait()
        if headers.get("transfer-encoding") == "chunked":
            while piece := int(await reader.readline(), 16):
                await reader.readexactly(piece)
                await reader.readline()
                size += piece
            await reader.readline()
        else:
            size = int(headers.get("content-length", 0))
            left = size
            while left:
                left -= len(await reader.readexactly(min(left, 65536)))
        seen = Seen(method, path, headers, size)
        self.seen.append(seen)
        return seen

    async def _respond(
        self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        what, _, argument = seen.path.partition("?")[0].removeprefix("/do/").partition("/")
        match what:
            case "silence":
                await self._until_gone(reader)
            case "half":  # a body that stops, and no end
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc")
                await self._until_gone(reader)
            case "short":  # a body that ends too early
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc")
            case "nothing":
                pass
            case "garbage":
                writer.write(b"220 mail.x.com ESMTP\r\n")
            case "drip":  # a byte now and then, for ever
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
                gone = asyncio.create_task(self._until_gone(reader))
                while not gone.done():
                    writer.write(b".")
                    await asyncio.sleep(float(argument))
            case "redirect":
                writer.write(b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: ")
                writer.write(seen.path.partition("?")[2].encode() + b"\r\n\r\n")
            case "wait":
                await asyncio.sleep(float(argument))
                self._answer(seen, writer)
            case "bytes":
                await self._stream(int(argument), writer)
            case _:
                self._answer(seen, writer)
        with contextlib.suppress(ConnectionError):
            await writer.drain()

    def _answer(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        body = json.dumps(
            {
                "method": seen.method,
                "path": seen.path,
                "headers": dict(seen.headers),
                "size": seen.size,
            }
        ).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
        body = b"" if seen.method == "HEAD" else body
        writer.write(b"content-length: %d\r\n\r\n%s" % (len(body), body))

    @staticmethod
    async def _stream(size: int, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        piece = bytes(256 * 1024)
        while size:
            writer.write(piece[:size])
            size -= min(size, len(piece))
            await writer.drain()

    async def _until_gone(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        self.gone += 1
