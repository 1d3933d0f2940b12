"""Requests of a component: by guard and relay, against the runtime's own HTTP to the same server.

    .venv/bin/python benchmarks/outgoing.py [--quick]

Both are the same C component in the same worker; one was woven without the guard of HTTP. The
server is a process of its own. Variants take turns, and the fastest of each counts.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "components")]

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wassette.egress import Door, Exchange, Route, Want
    from wassette.workers.pool import WorkerSpec

BIG = 512 * 1024 * 1024  # bytes
REQUESTS = 200
"""In one call."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
    measure(3 if arguments.quick else 10)


def measure(rounds: int) -> None:
    command = [sys.executable, __file__, "--serve"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdout=subprocess.PIPE) as server,
    ):
        try:
            assert server.stdout is not None
            asyncio.run(compare(int(server.stdout.readline()), Path(folder), rounds))
        finally:
            server.kill()


class Straight:
    """In a door's place, for who asks for no route: the walls let a worker connect to its door and
    to nothing else, so this one is the server's."""

    def __init__(self, port: int) -> None:
        self.port = port

    def abort(self, reason: str) -> None:
        """There is nothing of it here."""

    async def close(self) -> None:
        """There is nothing of it here."""


async def compare(port: int, folder: Path, rounds: int) -> None:
    from wassette.egress import Relay, Rules
    from wassette.outgoing import Requests
    from wassette.policy import NetworkRule, Policy
    from wassette.workers.pool import Pool, WorkerSpec
    from wassette.workers.process import Outcome

    rules = Rules(Policy("1.0", network_allow=(NetworkRule(host=f"127.0.0.1:{port}"),)))

    async def route(want: Want, door: Door, record: Callable[[Exchange], None]) -> Route:
        return await door.route(want, rules, record)

    async with Relay() as relay:

        async def straight() -> Door:
            return cast("Door", Straight(port))

        pools = {"native": Pool(doors=straight), "guarded": Pool(doors=relay.door)}
        specs = {
            "native": WorkerSpec("native", *code(folder, guarded=False), network=True),
            "guard and relay": WorkerSpec("guarded", *code(folder, guarded=True), network=True),
        }

        async def call(spec: WorkerSpec, function: str, **arguments: object) -> object:
            data, asks = json.dumps(arguments).encode(), Requests("bench", route).answer
            pool = pools[spec.component]
            return json.loads(await pool.call(spec, None, function, data, 600, Outcome(), asks))

        url = f"http://127.0.0.1:{port}"

        async def many(spec: WorkerSpec) -> float:
            assert await call(spec, "again", url=f"{url}/100", count=REQUESTS) == REQUESTS
            return REQUESTS

        async def one(spec: WorkerSpec) -> float:
            for _ in range(50):
                assert await call(spec, "again", url=f"{url}/100", count=1) == 1
            return 50

        async def download(spec: WorkerSpec) -> float:
            assert await call(spec, "download", url=f"{url}/{BIG}") == {"ok": BIG}
            return BIG / 1e6

        async def upload(spec: WorkerSpec) -> float:
            assert await call(spec, "upload", url=f"{url}/100", size=BIG // 4) == {"ok": 200}
            return BIG / 4e6

        try:
            each = {"A request of many in a call, ms": many, "A call with one request, ms": one}
            for title, work in each.items():
                best = await fastest(specs, work, rounds)
                print(f"\n{title:52}    best    added")
                for name, rate in best.items():
                    ms, added = 1000 / rate, 1000 / rate - 1000 / best["native"]
                    print(f"  {name:44} {ms:10.2f} {added:8.2f}")
            streams = {f"Download of {BIG >> 20} MB": download, f"Upload of {BIG >> 22} MB": upload}
            for title, work in streams.items():
                best = await fastest(specs, work, max(2, rounds // 3))
                print(f"\n{title:52}    MB/s    ratio")
                for name, rate in best.items():
                    print(f"  {name:44} {rate:10.0f} {best['native'] / rate:8.2f}x")
        finally:
            for pool in pools.values():
                await pool.close()


async def fastest(
    specs: dict[str, WorkerSpec], work: Callable[[WorkerSpec], Awaitable[float]], rounds: int
) -> dict[str, float]:
    """The highest rate of each: what `work` says it has done, in a second."""
    best = dict.fromkeys(specs, 0.0)
    for _ in range(rounds):
        for name in random.sample(list(specs), len(specs)):
            began = time.perf_counter()
            done = await work(specs[name])
            best[name] = max(best[name], done / (time.perf_counter() - began))
    return best


def code(folder: Path, *, guarded: bool) -> tuple[str, str, str]:
    """Path, digest and tier of the component's code."""
    from build import build

    from wassette.sandbox import engine
    from wassette.sandbox.tiers import Tier
    from wassette.sandbox.weave import Guard, shipped, weave

    guard = shipped()
    if not guarded:
        http = b"wasi:http/outgoing-handler@0.2.12#handle"
        kept = tuple(one for one in guard.guards if http not in one)
        assert len(kept) == len(guard.guards) - 1
        guard = Guard(kept, guard.host)
    woven = weave(build("c-http").read_bytes(), guard)
    path = folder / f"{guarded}.cwasm"
    path.write_bytes(engine.serialized(engine.compile_component(woven, Tier.CRANELIFT)))
    return str(path), hashlib.sha256(path.read_bytes()).hexdigest(), Tier.CRANELIFT


# ---- the server ----------------------------------------------------------------------------------


def serve() -> NoReturn:
    """As fast as Python can: a thread for each connection. `/SIZE` is answered with so much."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listening.getsockname()[1], flush=True)
    while True:
        there, _ = listening.accept()
        there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=answer, args=(there,), daemon=True).start()


def answer(there: socket.socket) -> None:
    piece = bytes(256 * 1024)
    with there:
        data = b""
        while b"\r\n\r\n" not in data:
            data += there.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        if b"chunked" in head.lower():
            buffer = bytearray(256 * 1024)
            tail = body[-5:]
            while tail != b"0\r\n\r\n":
                count = there.recv_into(buffer)
                if not count:
                    return
                tail = (tail + bytes(buffer[max(0, count - 5) : count]))[-5:]
        left = int(head.split(b" ")[1][1:])
        there.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % left)
        while left:
            left -= there.send(piece[:left])


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # a thread of the runtime may still be there
