"""Starting worker processes, from the host.

`ForkLauncher` asks the fork server (Linux, macOS). `SpawnLauncher` starts a fresh interpreter for
each, which works everywhere and is what Windows has.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from typing import Protocol

from wassette.errors import WorkerDied

from .forkserver import MESSAGE

# What a native library may need to be found. Nothing else of the host's environment is passed on:
# it holds secrets, and a worker is where an attacker would read it.
_PASSED_ON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "WASSETTE_WORKER_STDERR")


def child_environment() -> dict[str, str]:
    """The environment of the fork server and of every worker."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


def command(module: str) -> list[str]:
    """How to run one of our modules in a new process; `-I`: isolated from user and directory."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "_internal", module]
    return [sys.executable, "-I", "-m", module]


class Started:
    """A worker process as its launcher knows it."""

    def __init__(self, pid: int, sock: socket.socket) -> None:
        self.pid = pid
        self.sock = sock
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """Exit code; negative: the signal that ended it."""


class Launcher(Protocol):
    async def start(self) -> Started: ...
    def kill(self, started: Started) -> None: ...
    def pause(self, started: Started, paused: bool) -> None: ...
    async def close(self) -> None: ...


def ended_how(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"ended by itself with status {code}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"


class ForkLauncher:
    """Workers forked off one fork server, which is started when first needed."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None
        self._lost: list[subprocess.Popen[bytes]] = []  # ended by now, or about to
        self._control: socket.socket | None = None
        self._waiting: deque[tuple[asyncio.Future[Started], socket.socket]] = deque()
        self._running: dict[int, Started] = {}
        self._inbox = bytearray()
        self._sending = asyncio.Lock()

    async def start(self) -> Started:
        """A new worker. Raises `WorkerDied` when the fork server cannot run."""
        async with self._sending:
            control = self._control or self._start_server()
            ours, theirs = socket.socketpair()
            answer: asyncio.Future[Started] = asyncio.get_running_loop().create_future()
            self._waiting.append((answer, ours))
            try:
                # 9 bytes into an empty buffer: never blocks.
                socket.send_fds(control, [MESSAGE.pack(b"S", 0, 0)], [theirs.fileno()])
            except OSError:
                self._server_lost()
            finally:
                theirs.close()
        try:
            return await answer
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                # It was started already, and nobody else knows of it.
                started = answer.result()
                started.sock.close()
                self.kill(started)
            raise

    def kill(self, started: Started) -> None:
        self._signal(b"K", started)

    def pause(self, started: Started, paused: bool) -> None:
        """Stop a worker where it is, or have it go on."""
        self._signal(b"H" if paused else b"G", started)

    def _signal(self, kind: bytes, started: Started) -> None:
        if self._control is not None and started.pid in self._running:
            with contextlib.suppress(OSError):
                self._control.send(MESSAGE.pack(kind, started.pid, 0))

    async def close(self) -> None:
        """End the fork server, and with it every worker, and wait for that."""
        self._server_lost()
        while self._lost:
            server = self._lost.pop()
            try:
                await asyncio.to_thread(server.wait, 5)
            except subprocess.TimeoutExpired:
                server.kill()
                await asyncio.to_thread(server.wait)

    def _start_server(self) -> socket.socket:
        self._lost = [server for server in self._lost if server.poll() is None]
        ours, theirs = socket.socketpair()
        self._server = subprocess.Popen(
            command("wassette.workers.forkserver"),
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            env=child_environment(),
            cwd="/",
            start_new_session=True,  # a Ctrl-C in the terminal is for the host alone
        )
        theirs.close()
        ours.setblocking(False)
        self._control = ours
        self._inbox.clear()
        asyncio.get_running_loop().add_reader(ours, self._readable)
        return ours

    def _readable(self) -> None:
        assert self._control is not None
        try:
            data = self._control.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._server_lost()
            return
        self._inbox += data
        while len(self._inbox) >= MESSAGE.size:
            kind, pid, status = MESSAGE.unpack_from(self._inbox)
            del self._inbox[: MESSAGE.size]
            if kind == b"P":
                self._started(pid)
            elif kind == b"X" and pid in self._running:
                _set(self._running.pop(pid).ended, os.waitstatus_to_exitcode(status))

    def _started(self, pid: int) -> None:
        answer, ours = self._waiting.popleft()
        started = self._running[pid] = Started(pid, ours)
        if answer.cancelled():
            ours.close()
            self.kill(started)
        else:
            answer.set_result(started)

    def _server_lost(self) -> None:
        if self._control is not None:
            asyncio.get_running_loop().remove_reader(self._control)
            self._control.close()
        if self._server is not None:
            self._lost.append(self._server)
        self._server = self._control = None
        for answer, ours in self._waiting:
            ours.close()
            if not answer.done():
                answer.set_exception(WorkerDied("the worker processes could not be started"))
        self._waiting.clear()
        for started in self._running.values():
            _set(started.ended, -signal.SIGKILL)
        self._running.clear()


class SpawnLauncher:
    """A fresh interpreter for each worker."""

    def __init__(self) -> None:
        self._running: dict[int, tuple[asyncio.subprocess.Process, asyncio.Task[None]]] = {}

    async def start(self) -> Started:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    *command("wassette.workers.worker"),
                    stdin=subprocess.PIPE if sys.platform == "win32" else theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=None if "WASSETTE_WORKER_STDERR" in os.environ else subprocess.DEVNULL,
                    env=child_environment(),
                    cwd=None if sys.platform == "win32" else "/",
                )
            except OSError as error:
                ours.close()
                raise WorkerDied(f"a worker process could not be started: {error}") from error
            except BaseException:
                ours.close()
                raise
            if sys.platform == "win32":
                from .walls.windows import hold

                with contextlib.suppress(OSError):  # it ends when its socket closes, too
                    hold(process.pid)
                assert process.stdin is not None
                process.stdin.write(theirs.share(process.pid))
                process.stdin.close()
        started = Started(process.pid, ours)
        waiter = asyncio.create_task(self._wait(process, started))
        self._running[process.pid] = (process, waiter)
        return started

    async def _wait(self, process: asyncio.subprocess.Process, started: Started) -> None:
        code = await process.wait()
        self._running.pop(process.pid, None)
        _set(started.ended, code)

    def kill(self, started: Started) -> None:
        running = self._running.get(started.pid)
        if running is not None:
            with contextlib.suppress(ProcessLookupError):
                running[0].kill()

    def pause(self, started: Started, paused: bool) -> None:
        running = self._running.get(started.pid)
        if running is not None and sys.platform != "win32":
            with contextlib.suppress(ProcessLookupError):
                running[0].send_signal(signal.SIGSTOP if paused else signal.SIGCONT)

    async def close(self) -> None:
        running = list(self._running.values())
        for process, _ in running:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(*(waiter for _, waiter in running))


def _set(future: asyncio.Future[int], value: int) -> None:
    if not future.done():
        future.set_result(value)


def default_launcher() -> Launcher:
    """The one for this system."""
    return ForkLauncher() if sys.platform.startswith("linux") else SpawnLauncher()
