"""What a component may use over all of its workers: CPU as a share, memory in all.

`Bucket` and `at_once` decide; `Keeper` measures and acts. It believes the kernel, not the worker:
a component that has taken its worker over is held to its share like any other.

**CPU.** While calls of a component with a limit run, the CPU time of their workers is looked at
every `TICK`. More than the share is a debt, during which all of them are paused (SIGSTOP); time
pays it back. Debts outlast calls, so that many short ones get no more than a long one. A paused
call's time limit goes on.

**Memory.** As many calls run at once as should fit into the limit, going by the largest of late;
until one is known, they run one at a time. If they take more than the limit all the same, the
youngest is ended. One call alone is held by its worker's own limits.

Where the kernel does not tell (everywhere but on Linux), a component with a CPU limit runs one
call at a time, which its worker slows down, and the memory limit is each call's.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wassette.errors import TooMuchMemory

from . import meter

if TYPE_CHECKING:
    from collections.abc import Callable

    from .process import WorkerProcess

TICK = 0.01
"""Seconds between looks at the CPU time of workers whose component has a limit."""
SAMPLE = 0.05
"""Seconds between looks at the memory of workers whose component runs several calls."""
BURST = 0.05
"""Seconds for which a share that was not used is kept."""
OWN = 8 * 1024 * 1024
"""Bytes that a worker may take during a call without them being the component's: what the runtime
and conversions need, roughly."""
FADING = 0.9
"""What remains of the largest call's memory with each smaller one that follows."""


class Bucket:
    """CPU time that a component has left, in seconds; negative: a debt. Times are of one clock."""

    def __init__(self, share: float, now: float) -> None:
        self.share = share
        self.left = share * BURST
        self._then = now

    def spend(self, used: float, now: float) -> None:
        """`used` seconds of CPU time have gone by `now`."""
        earned = self.share * max(0.0, now - self._then)
        self.left = min(self.share * BURST, self.left + earned - used)
        self._then = now

    @property
    def wait(self) -> float:
        """Seconds until the debt is paid; 0 if there is none."""
        return max(0.0, -self.left / self.share)


def at_once(limit: int, largest: int | None) -> int:
    """How many calls fit into `limit` bytes if each takes `largest`; one if that is not known."""
    return 1 if largest is None else max(1, limit // max(1, largest))


@dataclass
class _Call:
    cpu: float | None
    """The worker's CPU time, as far as it is accounted for."""
    resting: int | None
    """The worker's memory when the call began."""


@dataclass
class _Account:
    """Of one component."""

    memory: int
    share: float | None
    bucket: Bucket | None = None
    largest: int | None = None
    fits: int | None = None
    calls: dict[WorkerProcess, _Call] = field(default_factory=dict)  # oldest first
    paused: bool = False
    wanted: bool = False
    """Whether its memory is to be looked at as soon as there is a call."""
    ticking: asyncio.TimerHandle | None = None
    sampling: asyncio.TimerHandle | None = None


class Keeper:
    """Holds components to their limits. `hold(component, n)`: at most so many calls at once."""

    def __init__(self, hold: Callable[[str, int | None], None]) -> None:
        self._hold = hold
        self._accounts: dict[str, _Account] = {}

    def know(self, component: str, memory: int, share: float | None) -> None:
        """A component's limits, which count from now on, for the calls that run too."""
        account = self._accounts.get(component)
        if account is not None and account.memory == memory and account.share == share:
            return
        if account is None:
            account = self._accounts[component] = _Account(memory, None)
        account.memory = memory
        if account.share != share:
            account.share = share
            self._set_share(account)
        self._fit(component, account)

    def begin(self, component: str, worker: WorkerProcess) -> None:
        """A call of `component` is about to begin in `worker`."""
        account = self._accounts.get(component)
        if account is None:
            return  # closed meanwhile
        gauge = worker.gauge
        account.calls[worker] = _Call(
            gauge.cpu_seconds() if account.bucket else None, gauge.data_bytes()
        )
        if account.bucket is not None:
            if account.ticking is None:
                self._tick(account)
            elif account.paused:
                worker.pause()
        if len(account.calls) > 1 or account.wanted:
            self.watch(component)

    def end(self, component: str, worker: WorkerProcess) -> None:
        """The call in `worker` is over."""
        account = self._accounts.get(component)
        call = account.calls.get(worker) if account is not None else None
        if account is None or call is None:
            return
        self._charge(account)
        del account.calls[worker]
        worker.resume()
        if not account.calls:
            _cancel(account.ticking, account.sampling)
            account.ticking = account.sampling = None
            account.paused = False
        if worker.taken is not None and call.resting is not None:
            taken = max(0, worker.taken - OWN)
            self._learn(component, account, max(taken, int((account.largest or 0) * FADING)))

    def watch(self, component: str) -> None:
        """Look at how much memory its calls take: several run, or one waits for room."""
        account = self._accounts.get(component)
        if account is None or account.sampling is not None or not meter.HERE:
            return
        account.wanted = not account.calls  # the first is on its way
        if account.calls:
            loop = asyncio.get_running_loop()
            account.sampling = loop.call_later(SAMPLE, self._sample, component, account)

    def close(self) -> None:
        for account in self._accounts.values():
            _cancel(account.ticking, account.sampling)
        self._accounts.clear()

    # -- CPU -----------------------------------------------------------------------------------

    def _set_share(self, account: _Account) -> None:
        if account.share is None or not meter.HERE:
            account.bucket = None
            _cancel(account.ticking)
            account.ticking = None
            self._pause(account, False)
            return
        now = asyncio.get_running_loop().time()
        if account.bucket is None:
            account.bucket = Bucket(account.share, now)
            for worker, call in account.calls.items():
                call.cpu = worker.gauge.cpu_seconds()
            if account.calls:
                self._tick(account)
        else:
            account.bucket.spend(0, now)
            account.bucket.share = account.share

    def _charge(self, account: _Account) -> None:
        if account.bucket is None:
            return
        used = 0.0
        for worker, call in account.calls.items():
            now = worker.gauge.cpu_seconds()
            if now is not None:  # or it is gone, with what it used since the last look
                used += now - (now if call.cpu is None else call.cpu)
                call.cpu = now
        account.bucket.spend(used, asyncio.get_running_loop().time())

    def _tick(self, account: _Account) -> None:
        assert account.bucket is not None
        self._charge(account)
        wait = account.bucket.wait
        self._pause(account, wait > 0)
        # Not right after the debt is paid: it would be a very short turn.
        later = asyncio.get_running_loop().call_later
        account.ticking = later(wait + TICK / 2 if wait else TICK, self._tick, account)

    def _pause(self, account: _Account, paused: bool) -> None:
        if account.paused != paused:
            account.paused = paused
            for worker in account.calls:
                if paused:
                    worker.pause()
                else:
                    worker.resume()

    # -- memory --------------------------------------------------------------------------------

    def _sample(self, component: str, account: _Account) -> None:
        account.sampling = None
        taken = {worker: _taken(worker, call) for worker, call in account.calls.items()}
        if len(taken) > 1 and sum(taken.values()) > account.memory:
            youngest = next(reversed(taken))
            youngest.end_call(
                TooMuchMemory(
                    f"was stopped: the component's {len(taken)} calls at once took "
                    f"{sum(taken.values()) // 2**20} MiB together, and its memory limit is "
                    f"{account.memory // 2**20} MiB. Call it again when others have finished; a "
                    "higher limit can be granted with `wassette permission grant memory`."
                )
            )
        if taken:
            self._learn(component, account, max(account.largest or 0, *taken.values()))
            self.watch(component)

    def _learn(self, component: str, account: _Account, largest: int) -> None:
        account.largest = largest
        self._fit(component, account)

    def _fit(self, component: str, account: _Account) -> None:
        fits: int | None = None
        if meter.HERE:
            fits = at_once(account.memory, account.largest)
        elif account.share is not None:
            fits = 1
        if account.fits != fits:
            account.fits = fits
            self._hold(component, fits)


def _taken(worker: WorkerProcess, call: _Call) -> int:
    now = worker.gauge.data_bytes()
    return 0 if now is None or call.resting is None else max(0, now - call.resting - OWN)


def _cancel(*timers: asyncio.TimerHandle | None) -> None:
    for timer in timers:
        if timer is not None:
            timer.cancel()
