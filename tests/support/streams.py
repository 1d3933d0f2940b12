"""Server, relay and client as a process each, as with a worker: for sizes and speeds.

The client is the same whether it is led to the server or to a door.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import random
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

PIECE = 64 * 1024


@dataclass(frozen=True)
class Road:
    """Where the client sends its request."""

    port: int
    path: str


# ---- the client --------------------------------------------------------------------------------


def one_request(road: Road) -> None:
    with connected(road) as there:
        there.sendall(head(road, "GET", "X-Size: 100"))
        assert drain(there) > 100


def download(road: Road, size: int) -> None:
    with connected(road) as there:
        there.sendall(head(road, "GET", f"X-Size: {size}"))
        assert drain(there) > size


def download_chunked(road: Road, size: int) -> None:
    with connected(road) as there:
        there.sendall(head(road, "GET", f"X-Size: {size}", "X-Chunked: 1"))
        assert drain(there) > size


def upload(road: Road, size: int) -> None:
    with connected(road) as there:
        there.sendall(head(road, "GET", f"Content-Length: {size}"))
        piece = bytes(PIECE)
        for _ in range(size // PIECE):
            there.sendall(piece)
        assert drain(there) > 0


def upload_chunked(road: Road, size: int) -> None:
    with connected(road) as there:
        there.sendall(head(road, "GET", "Transfer-Encoding: chunked"))
        piece = b"%x\r\n%b\r\n" % (PIECE, bytes(PIECE))
        for _ in range(size // PIECE):
            there.sendall(piece)
        there.sendall(b"0\r\n\r\n")
        assert drain(there) > 0


def head(road: Road, method: str, *headers: str) -> bytes:
    lines = [f"{method} {road.path} HTTP/1.1", f"Host: 127.0.0.1:{road.port}", *headers, "", ""]
    return "\r\n".join(lines).encode()


def connected(road: Road) -> socket.socket:
    return socket.create_connection(("127.0.0.1", road.port))


def drain(there: socket.socket) -> int:
    """Bytes until the end."""
    buffer = bytearray(256 * 1024)
    total = 0
    while count := there.recv_into(buffer):
        total += count
    return total


# ---- the other processes -----------------------------------------------------------------------


@contextlib.contextmanager
def process(work: Callable[[Connection], None]) -> Iterator[Connection]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=work, args=(theirs,), daemon=True)
    child.start()
    try:
        yield ours
    finally:
        child.kill()
        child.join()


def by_relay(asked: Connection, port: int, *, secret: bool) -> Road:
    asked.send((port, secret))
    there = asked.recv()
    return Road(*there)


def serve(told: Connection) -> None:
    """As fast a server as Python can be: a thread for each connection."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    told.send(listening.getsockname()[1])
    while True:
        there, _ = listening.accept()
        threading.Thread(target=answer, args=(there,), daemon=True).start()


def answer(there: socket.socket) -> None:
    with there:
        text = b""
        while b"\r\n\r\n" not in text:
            text += there.recv(PIECE)
        top, _, rest = text.partition(b"\r\n\r\n")
        headers = dict(
            line.lower().split(b": ", 1) for line in top.split(b"\r\n")[1:] if b": " in line
        )
        buffer = bytearray(256 * 1024)
        if b"content-length" in headers:
            left = int(headers[b"content-length"]) - len(rest)
            while left > 0:
                left -= there.recv_into(buffer)
        elif b"transfer-encoding" in headers:
            end = rest[-5:]
            while not end.endswith(b"0\r\n\r\n"):
                count = there.recv_into(buffer)
                end = (end + bytes(buffer[max(0, count - 5) : count]))[-5:]
        size = int(headers.get(b"x-size", b"0"))
        # With bytes of every kind in it, so that looking for secrets has something to do.
        piece = random.Random(1).randbytes(min(size, PIECE))
        if b"x-chunked" in headers:
            there.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            chunk = b"%x\r\n%b\r\n" % (len(piece), piece)
            for _ in range(size // len(piece)):
                there.sendall(chunk)
            there.sendall(b"0\r\n\r\n")
        else:
            there.sendall(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size
            )
            for _ in range(size // len(piece) if piece else 0):
                there.sendall(piece)


def relay(told: Connection) -> None:
    asyncio.run(_relay(told))


async def _relay(told: Connection) -> None:
    from support.egress import policy, secret
    from wassette.egress import Relay, Rules, Want

    loop = asyncio.get_running_loop()
    incoming: asyncio.Queue[Any] = asyncio.Queue()
    loop.add_reader(told.fileno(), lambda: incoming.put_nowait(told.recv()))
    async with Relay() as made:
        door = await made.door()
        while True:
            question = await incoming.get()
            if question is None:
                told.send(os.getpid())
                continue
            port, with_secret = question
            here = f"http://127.0.0.1:{port}"
            secrets = (secret(here),) if with_secret else ()
            rules = Rules(policy(here), secrets)
            route = await door.route(
                Want("GET", "http", f"127.0.0.1:{port}", "/"), rules, lambda _: None
            )
            told.send((door.port, route.path))
