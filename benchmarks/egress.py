"""The relay: requests and streams through it, against the same server without it.

    .venv/bin/python benchmarks/egress.py [--quick]

Server, relay and client are a process each, as with a worker. The client is the same, whether it
is led to the server or to a door. All variants take turns, and the fastest of each counts, since
machines are noisy; for single requests, the median of a turn.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import random
import socket
import statistics
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

BIG = 512 * 1024 * 1024  # bytes
PIECE = 64 * 1024
REQUESTS = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    measure(3 if parser.parse_args().quick else 10)


def measure(rounds: int) -> None:
    with process(serve) as server, process(relay) as asked:
        port = server.recv()
        roads: dict[str, Callable[[], Road]] = {
            "direct": lambda: Road(port, "/"),
            "relay": lambda: by_relay(asked, port, secret=False),
            "relay, a secret taken out": lambda: by_relay(asked, port, secret=True),
        }
        compare("One request, ms", roads, one_request, REQUESTS, rounds)
        speeds(f"Download of {BIG >> 20} MB", roads, download, rounds)
        speeds("The same, chunked", roads, download_chunked, rounds)
        speeds(f"Upload of {BIG >> 20} MB", roads, upload, rounds)
        speeds("The same, chunked", roads, upload_chunked, rounds)


@dataclass(frozen=True)
class Road:
    """Where the client sends its request."""

    port: int
    path: str


def compare(
    title: str,
    roads: dict[str, Callable[[], Road]],
    work: Callable[[Road], None],
    count: int,
    rounds: int,
) -> None:
    best = dict.fromkeys(roads, float("inf"))
    for _ in range(rounds):
        for name in random.sample(list(roads), len(roads)):
            times = []
            for _ in range(count):
                began = time.perf_counter()
                work(roads[name]())
                times.append((time.perf_counter() - began) * 1000)
            best[name] = min(best[name], statistics.median(times))
    print(f"\n{title:52}    best    added")
    for name, value in best.items():
        print(f"  {name:44} {value:10.2f} {value - best['direct']:8.2f}")


def speeds(
    title: str,
    roads: dict[str, Callable[[], Road]],
    work: Callable[[Road], None],
    rounds: int,
) -> None:
    best = dict.fromkeys(roads, 0.0)
    for _ in range(rounds):
        for name in random.sample(list(roads), len(roads)):
            road = roads[name]()
            began = time.perf_counter()
            work(road)
            best[name] = max(best[name], BIG / 1e6 / (time.perf_counter() - began))
    print(f"\n{title:52}    MB/s    ratio")
    for name, value in best.items():
        print(f"  {name:44} {value:10.0f} {best['direct'] / value:8.2f}x")


# ---- the client --------------------------------------------------------------------------------


def one_request(road: Road) -> None:
    with connected(road) as there:
        there.sendall(head(road, "GET", "X-Size: 100"))
        assert drain(there) > 100


def download(road: Road) -> None:
    with connected(road) as there:
        there.sendall(head(road, "GET", f"X-Size: {BIG}"))
        assert drain(there) > BIG


def download_chunked(road: Road) -> None:
    with connected(road) as there:
        there.sendall(head(road, "GET", f"X-Size: {BIG}", "X-Chunked: 1"))
        assert drain(there) > BIG


def upload(road: Road) -> None:
    with connected(road) as there:
        there.sendall(head(road, "GET", f"Content-Length: {BIG}"))
        piece = bytes(PIECE)
        for _ in range(BIG // PIECE):
            there.sendall(piece)
        assert drain(there) > 0


def upload_chunked(road: Road) -> None:
    with connected(road) as there:
        there.sendall(head(road, "GET", "Transfer-Encoding: chunked"))
        piece = b"%x\r\n%b\r\n" % (PIECE, bytes(PIECE))
        for _ in range(BIG // PIECE):
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
    # Without the time that the pipe takes there would be no way to know what a worker's costs.
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
            port, with_secret = await incoming.get()
            here = f"http://127.0.0.1:{port}"
            secrets = (secret(here),) if with_secret else ()
            rules = Rules(policy(here), secrets)
            route = await door.route(
                Want("GET", "http", f"127.0.0.1:{port}", "/"), rules, lambda _: None
            )
            told.send((door.port, route.path))


if __name__ == "__main__":
    main()
