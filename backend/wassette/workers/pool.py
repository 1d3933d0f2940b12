"""The pool of worker processes: a warm one for each call, never more than there is room for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from wassette.errors import CallError, WassetteError, WorkerDied, visible

from . import protocol
from .launcher import Launcher, default_launcher
from .process import Outcome, WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from .asks import Asks, Door

_T = TypeVar("_T")


class CodeUnusable(CallError):
    """The compiled code was changed, or made by another version; compiling again helps."""


IDLE_SECONDS = 60.0
"""A worker that has had no call for so long is ended."""


@dataclass(frozen=True)
class WorkerSpec:
    """What a worker is for: one component's code, with one set of grants. It never changes."""

    code: str
    """Path of the compiled component."""
    sha256: str
    """Digest of that file, checked before it is mapped."""
    tier: str
    mounts: tuple[tuple[str, str, bool], ...] = ()
    """(directory of the host, path in the guest, writable)."""
    file_rules: str = ""
    """What of the mounts may be used, for the guard (sandbox/guard/guard.wit); empty: nothing."""
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    memory: int = 512 * 1024 * 1024
    """Bytes."""
    cpu: float | None = None
    """Share of one core; None for no limit."""
    network: bool = False
    """Whether the component makes requests, and so needs a door of the relay."""

    def load_request(self, relay_port: int | None) -> protocol.Header:
        return {
            "kind": "load",
            "version": protocol.VERSION,
            "code": self.code,
            "sha256": self.sha256,
            "tier": self.tier,
            "mounts": self.mounts,
            "memory": self.memory,
            "cpu": self.cpu,
            "relay_port": relay_port,
        }


class Pool:
    """Workers by what they are for. At most `size` processes; least recently used goes first.

    `doors` opens a way out for one worker, which is closed when the worker is gone.
    """

    def __init__(
        self,
        size: int | None = None,
        launcher: Launcher | None = None,
        doors: Callable[[], Awaitable[Door]] | None = None,
    ) -> None:
        self.size = size or max(4, 2 * (os.cpu_count() or 1))
        self._launcher = launcher or default_launcher()
        self._open_door = doors
        self._doors: set[Door] = set()
        self._idle: dict[WorkerSpec, list[tuple[float, WorkerProcess]]] = {}
        self._count = 0  # processes that live or are being started
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    async def call(
        self,
        spec: WorkerSpec,
        interface: str | None,
        function: str,
        arguments: bytes,
        timeout: float,  # noqa: ASYNC109
        outcome: Outcome,
        asks: Asks | None = None,
    ) -> bytes:
        """One call in a worker for `spec`; the value as JSON. Raises `CallError`.

        `asks` answers what the component wants to know meanwhile (`WorkerProcess.call`).
        """
        worker = await self._acquire(spec)
        try:
            result = await worker.call(interface, function, arguments, timeout, outcome, asks)
        except asyncio.CancelledError:
            # In a task of its own: some callers (anyio's cancel scopes) cancel again and again,
            # which would interrupt the ending of the guest too.
            self._background(self._end(spec, worker))
            raise
        except BaseException:
            self._release(spec, worker)
            raise
        self._release(spec, worker)
        return result

    async def _end(self, spec: WorkerSpec, worker: WorkerProcess) -> None:
        try:
            await worker.stop("cancelled")
        finally:
            self._release(spec, worker)

    def warm(self, spec: WorkerSpec) -> None:
        """Have a worker for `spec` ready soon, if there is room for it."""
        if self._closed or self._idle.get(spec) or self._count >= self.size:
            return
        self._count += 1
        self._background(self._warm(spec))

    async def close(self) -> None:
        """End every worker, and wait until they are gone."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        idle = [worker for workers in self._idle.values() for _, worker in workers]
        self._idle.clear()
        for worker in idle:
            worker.kill()
        await self._launcher.close()
        for door in list(self._doors):
            await self._shut(door)
        for waiter in self._waiting:
            waiter.cancel()

    @property
    def processes(self) -> int:
        """How many workers live or are being started."""
        return self._count

    # -- taking and giving back ------------------------------------------------------------------

    async def _acquire(self, spec: WorkerSpec) -> WorkerProcess:
        while True:
            idle = self._idle.get(spec)
            while idle:
                _, worker = idle.pop()
                if worker.usable:
                    return worker
                self._forget(worker)
            if self._closed:
                raise WorkerDied("Wassette is shutting down")
            if self._count < self.size:
                self._count += 1
                return await self._start(spec)
            if not self._evict():
                waiter = asyncio.get_running_loop().create_future()
                self._waiting.append(waiter)
                try:
                    await waiter
                except asyncio.CancelledError:
                    if waiter.done() and not waiter.cancelled():
                        self._wake()  # it was our turn: pass it on
                    elif waiter in self._waiting:
                        self._waiting.remove(waiter)
                    raise

    def _release(self, spec: WorkerSpec, worker: WorkerProcess) -> None:
        if worker.usable and not self._closed:
            self._idle.setdefault(spec, []).append((time.monotonic(), worker))
            self._sweep_later()
            self._wake()
        else:
            self._forget(worker)

    async def _start(self, spec: WorkerSpec) -> WorkerProcess:
        """Start and load a worker. The caller has counted it already."""
        worker = None
        try:
            worker = await WorkerProcess.start(self._launcher)
            if spec.network and self._open_door is not None:
                worker.door = await self._open_door()
                self._doors.add(worker.door)
            request = spec.load_request(worker.door.port if worker.door else None)
            granted = protocol.grants(spec.environment, spec.file_rules)
            reply, _ = await worker.request(request, granted)
            if reply["kind"] != "ready":
                raise CodeUnusable(visible(str(reply.get("message")), 1000))
        except BaseException:
            if worker is None:
                self._count -= 1
                self._wake()
            else:
                self._forget(worker)
            raise
        return worker

    async def _warm(self, spec: WorkerSpec) -> None:
        with contextlib.suppress(WassetteError):
            self._release(spec, await self._start(spec))

    def _forget(self, worker: WorkerProcess) -> None:
        """Kill a worker and make room once it is gone."""
        worker.kill()
        if self._closed:
            self._count -= 1
        else:
            self._background(self._gone(worker))

    async def _gone(self, worker: WorkerProcess) -> None:
        try:
            await worker.ended()
        finally:
            self._count -= 1
            self._wake()
            if worker.door is not None:
                await self._shut(worker.door)

    async def _shut(self, door: Door) -> None:
        self._doors.discard(door)
        await door.close()

    def _evict(self) -> bool:
        """Make room by ending the idle worker that was used longest ago."""
        oldest = min(
            ((workers[0][0], spec) for spec, workers in self._idle.items() if workers),
            key=lambda one: one[0],
            default=None,
        )
        if oldest is None:
            return False
        _, worker = self._idle[oldest[1]].pop(0)
        self._forget(worker)
        return False  # room comes when it is gone

    def _wake(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    # -- idle workers ------------------------------------------------------------------------------

    def _sweep_later(self) -> None:
        if self._sweeper is None:
            loop = asyncio.get_running_loop()
            self._sweeper = loop.call_later(IDLE_SECONDS / 2, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        before = time.monotonic() - IDLE_SECONDS
        for spec in list(self._idle):
            kept = []
            for since, worker in self._idle[spec]:
                if since < before or not worker.usable:
                    self._forget(worker)
                else:
                    kept.append((since, worker))
            if kept:
                self._idle[spec] = kept
            else:
                del self._idle[spec]
        if self._idle:
            self._sweep_later()

    def _background(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen, also when nobody waits for it any more
