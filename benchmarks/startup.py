"""What one warm host gives a client of `wassette serve --stdio`, and what it costs.

    .venv/bin/python benchmarks/startup.py [--quick]

A bridge to the host is compared with `--standalone`, which has everything in one process, and with
an interpreter that does nothing, which is the least that a program in Python can take.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

HOMES = ("data", "config", "cache", "state")
FROM_SOURCES = (sys.executable, "-m", "wassette")
CLIENT = {"name": "bench", "version": "0"}
INITIALIZE = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": CLIENT}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": CLIENT,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    measure(quick=parser.parse_args().quick)


def measure(*, quick: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        try:
            home.load_component()
            starts(home, 8 if quick else 40, 2 if quick else 6)
            calls(home, 1.0 if quick else 4.0)
            memory(home, quick=quick)
            changes(home, 5 if quick else 20)
        finally:
            home.stop()


class Home:
    """A home directory with a component, and a host of its own."""

    def __init__(self, folder: Path, program: tuple[str, ...] = FROM_SOURCES) -> None:
        self.folder = folder
        self.program = program
        for name in (*HOMES, "runtime"):
            (folder / name).mkdir(mode=0o700)
        self.env = {
            **os.environ,
            "HOME": str(folder),
            "WASSETTE_IDLE_TIMEOUT": "120",
            "XDG_RUNTIME_DIR": str(folder / "runtime"),
            **{f"XDG_{n.upper()}_HOME": str(folder / n) for n in HOMES},
        }

    def load_component(self) -> None:
        from support import wat

        source = wat.write(self.folder / "in", "calc")
        self.run("component", "load", str(source))

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self.program, *arguments], env=self.env, check=True, capture_output=True, text=True
        )
        return done.stdout

    def stop(self) -> None:
        self.run("host", "stop")

    def host(self) -> psutil.Process:
        [host] = json.loads(self.run("host", "status", "-o", "json"))["hosts"]
        return psutil.Process(host["pid"])


class Stdio:
    """The leanest client there can be: lines out, lines in."""

    def __init__(self, home: Home, *options: str) -> None:
        self._command = [*home.program, "serve", "--stdio", *options]
        self._home = home
        self._number = 0
        self._left = b""

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self._command,
            env=self._home.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def initialize(self) -> None:
        self.request("initialize", INITIALIZE)
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def request(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        self._number += 1
        self.send({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params or {}})
        while True:
            for line in self.lines():
                answer: dict[str, Any] = json.loads(line)
                if answer.get("id") == self._number:
                    return answer

    def send(self, message: Mapping[str, Any]) -> None:
        self.write(json.dumps(message).encode() + b"\n")

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def lines(self) -> list[bytes]:
        """Those that have come; at least one."""
        assert self.process.stdout is not None
        found: list[bytes] = []
        while not found:
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, "the server ended"
            *found, self._left = (self._left + data).split(b"\n")
        return found


# ---- starting -----------------------------------------------------------------------------------


def starts(home: Home, rounds: int, cold_rounds: int) -> None:
    def listed(*options: str) -> None:
        with Stdio(home, *options) as client:
            client.initialize()
            assert client.request("tools/list")["result"]["tools"]

    def modern() -> None:
        with Stdio(home) as client:
            assert client.request("tools/list", {"_meta": META})["result"]["tools"]

    warm: dict[str, Callable[[], None]] = {
        "python -c pass": lambda: _run([sys.executable, "-c", "pass"]),
        "--version": lambda: _run([*home.program, "--version"]),
        "bridge, warm host": listed,
        "bridge, warm host, 2026-07-28": modern,
    }
    slow: dict[str, Callable[[], None]] = {
        "bridge, no host yet": listed,
        "--standalone": lambda: listed("--standalone"),
    }
    samples: dict[str, list[float]] = {name: [] for name in (*warm, *slow)}
    listed()
    for _ in range(rounds):
        for name, work in warm.items():
            samples[name].append(_timed(work))
    for _ in range(cold_rounds):
        for name, work in slow.items():
            home.stop()
            samples[name].append(_timed(work))
    base = statistics.median(samples["python -c pass"])
    print("\nFrom nothing to tools/list, and its end, ms         p50      min    ratio")
    for name, values in samples.items():
        p50 = statistics.median(values)
        print(f"  {name:44} {p50:8.1f} {min(values):8.1f} {p50 / base:8.2f}x")


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


# ---- calling ------------------------------------------------------------------------------------


def calls(home: Home, seconds: float) -> None:
    print("\nCalls of `add` over stdio          in flight   calls/s   p50 ms   p99 ms")
    for label, options in (("bridge", ()), ("--standalone", ("--standalone",))):
        for lanes in (1, 16):
            with Stdio(home, *options) as client:
                client.initialize()
                flood(client, lanes, min(1.0, seconds))  # starts the workers
                rate, times = flood(client, lanes, seconds)
            p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
            print(f"  {label:32} {lanes:10} {rate:9.0f} {p50:8.2f} {p99:8.2f}")


def flood(client: Stdio, lanes: int, seconds: float) -> tuple[float, list[float]]:
    """Calls a second with so many always under way, and how long each took, in ms."""
    params = '"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2}}'
    sent: dict[int, float] = {}
    times: list[float] = []
    number = 1_000_000

    def send(count: int) -> None:
        nonlocal number
        text = ""
        for _ in range(count):
            number += 1
            sent[number] = time.perf_counter()
            text += f'{{"jsonrpc":"2.0","id":{number},{params}}}\n'
        client.write(text.encode())

    began = time.perf_counter()
    send(lanes)
    while sent:
        answered = 0
        for line in client.lines():
            answer = json.loads(line)
            if answer.get("id") in sent:
                assert answer["result"]["structuredContent"] == {"result": 3}, answer
                times.append((time.perf_counter() - sent.pop(answer["id"])) * 1000)
                answered += 1
        if answered and time.perf_counter() - began < seconds:
            send(answered)
    return len(times) / (time.perf_counter() - began), times


# ---- what it costs ------------------------------------------------------------------------------


def memory(home: Home, *, quick: bool) -> None:
    print("\nMemory, MB                                  RSS      PSS")
    with Stdio(home) as client, Stdio(home, "--standalone") as standalone:
        for one in (client, standalone):
            one.initialize()
            one.request("tools/call", {"name": "add", "arguments": {"a": 1, "b": 2}})
        host = home.host()
        subjects = {
            "a bridge": [psutil.Process(client.process.pid)],
            "the host": [host],
            "its fork server and workers": host.children(recursive=True),
            "--standalone": [psutil.Process(standalone.process.pid)],
        }
        for name, processes in subjects.items():
            found = [process.memory_full_info() for process in processes]
            rss, pss = sum(one.rss for one in found), sum(one.pss for one in found)
            print(f"  {name:36} {rss / 1e6:8.1f} {pss / 1e6:8.1f}")
        seconds = 30 if not quick else 5
        before = sum(host.cpu_times()[:2])
        time.sleep(seconds)
        used = (sum(host.cpu_times()[:2]) - before) / seconds
    print(f"  the host with a client that does nothing: {used:.2%} of a core")


def changes(home: Home, rounds: int) -> None:
    """From a change in the directory, made by another program, to the client being told."""
    store = home.folder / "data" / "wassette" / "components"
    spare = home.folder / "spare"
    spare.mkdir()
    from support import wat

    home.run("component", "load", str(wat.write(home.folder / "in", "more", wat.one_function("m"))))
    with Stdio(home) as client:
        client.initialize()
        client.request("tools/list")
        times = []
        for number in range(rounds):
            for source, target in ((store, spare), (spare, store)):
                time.sleep(0.3 + number * 0.0137 % 0.05)  # at any time between two looks
                began = time.perf_counter()
                shutil.move(source / "more.wasm", target / "more.wasm")
                while not any(b"tools/list_changed" in line for line in client.lines()):
                    pass
                times.append((time.perf_counter() - began) * 1000)
    p50, worst = statistics.median(times), max(times)
    print(f"\nA change by another process is told after {p50:.0f} ms (p50), {worst:.0f} ms (most)")


if __name__ == "__main__":
    main()
