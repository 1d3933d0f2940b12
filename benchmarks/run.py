"""What the sandbox costs: each figure against the physical limit, measured in the same run.

    scripts/bench [--quick]

Machines are noisy, so what is compared is run in turns, and ratios are what counts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "components")]

BUSY = {"iterations": 650_000}  # about 1 ms of computing
BIG_JS = "js-inventory"


def main() -> None:
    from benchmarks import egress, files, outgoing, walls

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as folder:
        for name in ("DATA", "CONFIG", "CACHE", "STATE"):
            os.environ[f"XDG_{name}_HOME"] = str(Path(folder) / name.lower())
        os.environ["XDG_RUNTIME_DIR"] = str(Path(folder) / "runtime")
        os.environ["WASSETTE_IDLE_TIMEOUT"] = "1"  # the host that is started ends with this
        asyncio.run(measure(Path(folder), 100 if quick else 600))
    files.measure(3 if quick else 12)
    outgoing.measure(3 if quick else 10)
    egress.measure(3 if quick else 10)
    walls.measure(10 if quick else 100)


async def measure(folder: Path, rounds: int) -> None:
    from build import build

    from wassette.config import Settings
    from wassette.host import Host

    store = folder / "store"
    async with Host(Settings(store)) as host:
        await loads(host, build("c-probe"), build(BIG_JS))
        await calls(host, build("c-probe"), store, rounds)
        await recording(host, rounds)
        await throughput(host, rounds)
    await listing(folder / "fifty", 5 if rounds < 200 else 15)


# ---- loading ------------------------------------------------------------------------------------


async def loads(host: object, small: Path, big: Path) -> None:
    print("\nLoading                                              seconds")
    for label, path in (("C, 63 KB", small), ("JavaScript, 12 MB (Winch)", big)):
        first = await timed(lambda path=path: host.load(str(path)))  # type: ignore[attr-defined,misc]
        again = await timed(lambda path=path: host.load(str(path)))  # type: ignore[attr-defined,misc]
        print(f"  {label:32} first {first:8.3f}   again {again:8.3f}   {first / again:6.1f}x")


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


# ---- one call -----------------------------------------------------------------------------------


async def calls(host: object, component: Path, store: Path, rounds: int) -> None:
    """A fresh instance and about a millisecond of computing: raw, through a worker, over MCP."""
    raw = raw_call(component)
    async with Stdio(store) as mcp:

        async def worker() -> None:
            await host.call_tool("busy", BUSY)  # type: ignore[attr-defined]

        async def raw_async() -> None:
            raw()

        subjects: dict[str, Callable[[], Awaitable[None]]] = {
            "raw wasmtime-py, in process": raw_async,
            "through a warm worker": worker,
            "MCP over stdio": mcp.call,
        }
        samples: dict[str, list[float]] = {name: [] for name in subjects}
        for subject in subjects.values():
            for _ in range(20):
                await subject()
        for _ in range(rounds):
            for name, subject in subjects.items():
                samples[name].append(await timed(subject) * 1000)
    print("\nOne call of about 1 ms (fresh instance), ms      p50      p95    ratio of p50")
    base = statistics.median(samples["raw wasmtime-py, in process"])
    for name, values in samples.items():
        p50, p95 = statistics.median(values), statistics.quantiles(values, n=20)[18]
        print(f"  {name:44} {p50:8.3f} {p95:8.3f} {p50 / base:8.2f}x")


async def recording(host: Any, rounds: int) -> None:
    """The same call with the activity record and without, in turns."""

    class Nothing:
        def call(self, *_: object, **__: object) -> None:
            pass

    samples: dict[str, list[float]] = {"recorded": [], "not recorded": []}
    calling = host._parts.calling
    recorder = calling._recorder

    async def several() -> None:
        for _ in range(25):
            await host.call_tool("busy", BUSY)

    for _ in range(rounds // 5):
        # Long enough for the thread that writes to have its share in it.
        for name, one in (("recorded", recorder), ("not recorded", Nothing())):
            calling._recorder = one
            samples[name].append(await timed(several) * 1000 / 25)
    calling._recorder = recorder
    with_it, without = (statistics.median(samples[name]) for name in samples)
    print("\nThe activity record, ms for a call of about 1 ms")
    print(f"  not recorded {without:8.3f}   recorded {with_it:8.3f}   {with_it / without:6.3f}x")


def raw_call(component: Path) -> Callable[[], object]:
    """A call with nothing of ours: wasmtime's Python classes, no guard, no limits, no JSON."""
    from wasmtime import Config, Engine, Store, WasiConfig
    from wasmtime.component import Component, Linker

    config = Config()
    config.epoch_interruption = True
    engine = Engine(config)
    linker = Linker(engine)
    linker.add_wasip2()
    compiled = Component(engine, component.read_bytes())

    def call() -> object:
        store = Store(engine)
        store.set_wasi(WasiConfig())
        store.set_epoch_deadline(1_000_000)
        instance = linker.instantiate(store, compiled)
        function = instance.get_func(store, "busy")
        assert function is not None
        result = function(store, BUSY["iterations"])
        store.close()
        return result

    return call


class Stdio:
    """The leanest client there can be of `wassette serve --stdio`: one line out, one line in."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._number = 0

    async def __aenter__(self) -> Self:
        arguments = ["-m", "wassette", "serve", "--stdio", "--component-dir", str(self._store)]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        info = {"name": "bench", "version": "0"}
        params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info}
        await self._request("initialize", params)
        await self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def call(self) -> None:
        answer = await self._request("tools/call", {"name": "busy", "arguments": BUSY})
        assert not answer["result"].get("isError"), answer

    async def _request(self, method: str, params: Mapping[str, object]) -> dict[str, Any]:
        self._number += 1
        message = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        await self._send(message)
        assert self._process.stdout is not None
        while True:
            answer: dict[str, Any] = json.loads(await self._process.stdout.readline())
            if answer.get("id") == self._number:
                return answer

    async def _send(self, message: dict[str, object]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        await self._process.stdin.drain()


async def throughput(host: object, rounds: int) -> None:
    print("\nCalls a second of `add`, by calls at a time")
    for lanes in (1, 2, 4):

        async def lane() -> None:
            for _ in range(rounds):
                await host.call_tool("add", {"a": 1, "b": 2})  # type: ignore[attr-defined]

        await asyncio.gather(*(lane() for _ in range(lanes)))  # starts the workers
        seconds = await timed(lambda: asyncio.gather(*(lane() for _ in range(lanes))))  # noqa: B023
        print(f"  {lanes}: {lanes * rounds / seconds:8.0f}")


# ---- listing ------------------------------------------------------------------------------------


async def listing(store: Path, runs: int) -> None:
    """`wassette component list` with 50 components, as a process."""
    from support import wat
    from wassette.config import Settings
    from wassette.host import Host

    async with Host(Settings(store)) as host:
        for number in range(50):
            source = wat.write(store.parent / "in", f"c{number}", wat.one_function(f"f{number}"))
            await host.load(str(source))
    python = [sys.executable, "-c", "pass"]
    command = [sys.executable, "-m", "wassette", "component", "list", "--component-dir", str(store)]
    version = [sys.executable, "-m", "wassette", "--version"]
    samples: dict[str, list[float]] = {"python -c pass": [], "--version": [], "component list": []}
    for _ in range(runs):
        for name, one in zip(samples, (python, version, command), strict=True):
            began = time.perf_counter()
            subprocess.run(one, stdout=subprocess.DEVNULL, check=True)
            samples[name].append((time.perf_counter() - began) * 1000)
    base = statistics.median(samples["python -c pass"])
    print("\nA process, ms                                     p50    ratio")
    for name, values in samples.items():
        label = f"{name} (50 components)" if name == "component list" else name
        p50 = statistics.median(values)
        print(f"  {label:40} {p50:10.1f} {p50 / base:8.2f}x")
    traced = subprocess.run(
        [sys.executable, "-X", "importtime", *command[1:]],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in traced.stderr.splitlines()}
    heavy = sorted(imported & {"wasmtime", "mcp", "mcp_types", "pydantic", "fastapi"})
    print(f"  heavy modules that listing imports: {', '.join(heavy) or 'none'}")


if __name__ == "__main__":
    main()
