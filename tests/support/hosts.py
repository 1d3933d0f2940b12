"""Warm host processes that tests start, and the leanest client of `wassette serve --stdio`."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Self

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

PATIENCE = 60.0
"""Seconds after which something hangs."""
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
}
"""What every request of the stateless era carries."""


def end_hosts(home: Path) -> None:
    """End every host of a home, at once, and wait until it is gone."""
    for process in hosts(home):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    eventually(lambda: not hosts(home))  # not `wait`: nobody may be there to bury them


def hosts(home: Path) -> list[psutil.Process]:
    """The host processes of a home that are running."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        with contextlib.suppress(psutil.Error, OSError):
            if (
                "wassette.hosting.process" in (process.info["cmdline"] or [])
                and process.environ().get("XDG_RUNTIME_DIR", "").startswith(str(home))
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(process)
    return found


def the_host(home: Path) -> psutil.Process:
    [process] = hosts(home)
    return process


def status(one: Any) -> dict[str, Any]:
    """What a host says of itself; `one` is the way to it."""
    from wassette.hosting import rendezvous

    sock = one.connect()
    assert sock is not None
    answer = rendezvous.greet(sock, b'{"wassette":1,"want":"status"}\n', PATIENCE)
    sock.close()
    said: dict[str, Any] = json.loads(answer)["status"]
    return said


def eventually(condition: Callable[[], object], what: str = "") -> None:
    """Wait until something is so."""
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, what or condition
        time.sleep(0.02)


def probe_home(folder: Path) -> Path:
    """A home in which `c-probe` is loaded, to be copied."""
    from build import build

    from support.cli import Cli

    cli = Cli(folder)
    cli.ok("component", "load", build("c-probe"))
    return folder


def copy_probe(template: Path, home: Path) -> None:
    for name in ("data", "cache"):
        shutil.copytree(template / name, home / name, dirs_exist_ok=True)


class Stdio:
    """A client of `wassette serve --stdio`."""

    def __init__(
        self,
        *options: str,
        component_dir: Path | None = None,
        env: Mapping[str, str] | None = None,
        command: Sequence[str] = (sys.executable, "-m", "wassette", "serve", "--stdio"),
        **popen: Any,
    ) -> None:
        chosen = [] if component_dir is None else ["--component-dir", str(component_dir)]
        self.process = subprocess.Popen(
            [*command, *options, *chosen],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, **(env or {})},
            **popen,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        self._number = 0
        self._lines: list[bytes] = []
        self._left = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.stdin, self.stdout, self.process.stderr):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()

    def initialize(self) -> dict[str, Any]:
        info = {"name": "test", "version": "1"}
        params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info}
        answer = self.request("initialize", params)
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer

    def request(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask, and wait for the answer; whatever else comes is passed over."""
        return self.answer(self.ask(method, params))

    def call(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        return self.request("tools/call", {"name": name, "arguments": arguments})

    def ask(self, method: str, params: Mapping[str, Any] | None = None) -> int:
        self._number += 1
        self.send({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params or {}})
        return self._number

    def answer(self, number: int) -> dict[str, Any]:
        while True:
            message = self.message()
            assert message is not None, "the server ended"
            if message.get("id") == number and "method" not in message:
                return message

    def send(self, message: Mapping[str, Any]) -> None:
        self.write(json.dumps(message).encode() + b"\n")

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self.stdin.fileno(), view) :]

    def message(self) -> dict[str, Any] | None:
        """The next one; None at the end."""
        while not self._lines:
            data = self.read()
            if not data:
                assert not self._left, self._left
                return None
            *self._lines, self._left = (self._left + data).split(b"\n")
        message = json.loads(self._lines.pop(0))
        assert isinstance(message, dict)
        return message

    def read(self) -> bytes:
        readable, _, _ = select.select([self.stdout], [], [], PATIENCE)
        assert readable, "nothing came"
        return os.read(self.stdout.fileno(), 1 << 20)

    def end(self) -> int:
        """Say no more, and wait for it; the exit code."""
        self.stdin.close()
        return self.wait()

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def errors(self) -> str:
        """What it said on stderr; it has ended."""
        assert self.process.stderr is not None
        return bytes(self.process.stderr.read()).decode()


def value(answer: Mapping[str, Any]) -> Any:
    """What a tool returned."""
    result = answer["result"]
    assert not result.get("isError"), result
    return result["structuredContent"]["result"]
