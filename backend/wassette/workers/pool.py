"""The pool of worker processes: a warm one for each call, never more than there is room for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from wassette.errors import (
    CallError,
    NotConfined,
    TooManyCalls,
    WassetteError,
    WorkerDied,
    visible,
)

from . import meter, protocol
from .launcher import Launcher, default_launcher
from .limits import Keeper
from .process import Outcome, WorkerProcess
from .schedule import MAX_WAITING, QueueFull, Schedule

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from .asks import Asks, Door
    from .clock import Clock

_T = TypeVar("_T")
_Waiting: TypeAlias = tuple[str, "asyncio.Future[None]"]
"""A component, and a call of it that waits for its turn."""


class CodeUnusable(CallError):
    """The compiled code was changed, or made by another version; compiling again helps."""


IDLE_SECONDS = 60.0
"""A worker that has had no call for so long is ended."""


@dataclass(frozen=True)
class WorkerSpec:
    """What a worker is for: one component's code, with one set of grants. It never changes."""

    component: str
    """Its id. Limits and turns are the component's, whatever its grants come to be."""
    code: str
    """Path of the compiled component."""
    sha256: str
    """Digest of that file, checked before it is mapped."""
    tier: str
    mounts: tuple[tuple[str, str, bool], ...] = ()
    """(directory of the host, path in the guest, writable)."""
    file_rules: str = ""
    """What of the mounts may be used, for the guard (sandbox/guard/guard.wit); empty: nothing."""
    openings: tuple[tuple[str, int, int, str], ...] = ()
    """What the operating system lets it open (`walls.Opening`); these very files, so that another
    one of the same name makes it another worker."""
    walls: str = "best-effort"
    """Whether all walls of the operating system are required."""
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    memory: int = 512 * 1024 * 1024
    """Bytes, of one call and of all calls of the component together."""
    cpu: float | None = None
    """Share of one core, for all calls of the component together; None for no limit."""
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
            # What can be held from outside is: limits.py.
            "cpu": None if meter.HERE else self.cpu,
            "relay_port": relay_port,
            "walls": self.walls,
        }


class Pool:
    """Workers by what they are for: at most `at_once` that run a call, and `size` with idle ones.

    `schedule` says whose turn it is, `limits` holds components to what they may use; what is here
    finds each call that has its turn a worker: an idle one, a new one, or a new one in the place of
    the one that has been idle for longest. `doors` opens a way out for one worker, which is closed
    when the worker is gone.
    """

    def __init__(
        self,
        launcher: Launcher | None = None,
        *,
        at_once: int | None = None,
        doors: Callable[[], Awaitable[Door]] | None = None,
    ) -> None:
        # Twice the cores, and the one that a single component does not get.
        self.at_once = at_once or max(4, 2 * (os.cpu_count() or 1)) + 1
        # More than run, so that components that take turns need not start anew for each.
        self.size = 3 * self.at_once
        self._launcher = launcher or default_launcher()
        self._open_door = doors
        self._doors: set[Door] = set()
        self._schedule: Schedule[_Waiting] = Schedule(self.at_once)
        self._keeper = Keeper(self._hold)
        self._idle: dict[WorkerSpec, list[tuple[float, WorkerProcess]]] = {}
        self._count = 0  # processes that live or are being started
        self._leaving = 0  # those of them that were killed
        self._room: deque[asyncio.Future[None]] = deque()  # calls that have their turn
        self._tasks: set[asyncio.Task[Any]] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    async def call(
        self,
        spec: WorkerSpec,
        interface: str | None,
        function: str,
        arguments: bytes,
        timeout: float | Clock,  # noqa: ASYNC109
        outcome: Outcome,
        asks: Asks | None = None,
    ) -> bytes:
        """One call in a worker for `spec`; the value as JSON. Raises `CallError`.

        `timeout` is for the call; waiting for a worker does not count. `asks` answers what the
        component wants to know meanwhile (`WorkerProcess.call`).
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
            self._finished(spec, worker)
            raise
        self._finished(spec, worker)
        return result

    async def _end(self, spec: WorkerSpec, worker: WorkerProcess) -> None:
        try:
            await worker.stop("cancelled")
        finally:
            self._finished(spec, worker)

    def _finished(self, spec: WorkerSpec, worker: WorkerProcess) -> None:
        self._keeper.end(spec.component, worker)
        self._release(spec, worker)
        self._leave(spec.component)

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
        self._keeper.close()
        for _, waiter in self._schedule.clear():
            _refuse(waiter)
        while self._room:
            _refuse(self._room.popleft())
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

    @property
    def processes(self) -> int:
        """How many workers live or are being started."""
        return self._count

    # -- whose turn it is ------------------------------------------------------------------------

    async def _turn(self, spec: WorkerSpec) -> None:
        """Wait until it is this call's turn; `_leave` when it is over."""
        if self._closed:
            raise WorkerDied("Wassette is shutting down")
        name = spec.component
        self._keeper.know(name, spec.memory, spec.cpu)
        if self._schedule.enter(name):
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            ticket = self._schedule.wait(name, (name, waiter))
        except QueueFull:
            raise TooManyCalls(
                f"was not called: {MAX_WAITING} calls of this component wait already, the most "
                "that may. Call it again when some of them are done."
            ) from None
        self._keeper.watch(name)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._leave(name)  # it was our turn: pass it on
            else:
                self._schedule.give_up(name, ticket)
            raise

    def _leave(self, component: str) -> None:
        self._schedule.leave(component)
        self._give_turns()

    def _hold(self, component: str, at_once: int | None) -> None:
        self._schedule.hold(component, at_once)
        self._give_turns()

    def _give_turns(self) -> None:
        while (call := self._schedule.next()) is not None:
            component, waiter = call
            if waiter.done():  # it was given up, and has not yet said so
                self._schedule.leave(component)
            else:
                waiter.set_result(None)

    # -- taking and giving back ------------------------------------------------------------------

    async def _acquire(self, spec: WorkerSpec) -> WorkerProcess:
        await self._turn(spec)
        try:
            worker = await self._find(spec)
        except BaseException:
            self._leave(spec.component)
            raise
        self._keeper.begin(spec.component, worker)
        return worker

    async def _find(self, spec: WorkerSpec) -> WorkerProcess:
        while True:
            idle = self._idle.get(spec)
            while idle:
                _, worker = idle.pop()
                if worker.usable:
                    return worker
                self._forget(worker)
            if self._closed:
                raise WorkerDied("Wassette is shutting down")
            self._retire(spec)
            if self._count < self.size:
                self._count += 1
                return await self._start(spec)
            if self._leaving <= len(self._room):
                self._evict()
            waiter = asyncio.get_running_loop().create_future()
            self._room.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()  # there is room: pass it on
                elif waiter in self._room:
                    self._room.remove(waiter)
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
            granted = protocol.grants(spec.environment, spec.file_rules, spec.openings)
            reply, _ = await worker.request(request, granted)
            if reply.get("error") == NotConfined.__name__:
                raise NotConfined(visible(str(reply.get("message")), 1000))
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
        self._leaving += 1
        if self._closed:
            self._count -= 1
            self._leaving -= 1
        else:
            self._background(self._gone(worker))

    async def _gone(self, worker: WorkerProcess) -> None:
        try:
            await worker.ended()
        finally:
            self._count -= 1
            self._leaving -= 1
            self._wake()
            if worker.door is not None:
                await self._shut(worker.door)

    async def _shut(self, door: Door) -> None:
        self._doors.discard(door)
        await door.close()

    def _retire(self, spec: WorkerSpec) -> None:
        """End the idle workers that have other grants of the same component: they are of the past,
        and so is what they may do."""
        for other in [one for one in self._idle if one.component == spec.component]:
            if other != spec:
                for _, worker in self._idle.pop(other):
                    self._forget(worker)

    def _evict(self) -> None:
        """Make room, soon, by ending the idle worker that was used longest ago."""
        oldest = min(
            ((workers[0][0], spec) for spec, workers in self._idle.items() if workers),
            key=lambda one: one[0],
            default=None,
        )
        if oldest is not None:
            _, worker = self._idle[oldest[1]].pop(0)
            self._forget(worker)

    def _wake(self) -> None:
        while self._room:
            waiter = self._room.popleft()
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


def _refuse(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(WorkerDied("Wassette is shutting down"))
