"""A component tries to have more than its share: of workers, of the CPU, of memory, of the queue.

What is counted is what the kernel says of the worker processes.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from support import wat
from support.processes import descendants, open_files
from wassette.errors import CallTimeout, TooManyCalls, TooMuchMemory, WorkerDied
from wassette.host import Host
from wassette.workers import limits, meter, schedule

if TYPE_CHECKING:
    from wassette.answers import CallResult
    from wassette.config import Settings

pytestmark = pytest.mark.anyio

Component = Callable[[str], Path]
HANG = 120.0
"""Seconds that only a hang would take."""
LONG = 10**12
"""Iterations of `busy` that nobody waits for."""

LATE = """
(component
  (core module $m
    (memory 1)
    (func $spin (param i64)
      (loop $again
        (local.set 0 (i64.sub (local.get 0) (i64.const 1)))
        (br_if $again (i64.gt_s (local.get 0) (i64.const 0)))))
    (func (export "late") (param i64 i32 i64) (result i32)
      (local $page i32)
      (call $spin (local.get 0))
      (local.set $page (memory.grow (local.get 1)))
      (call $spin (local.get 2))
      (local.get $page)))
  (core instance $i (instantiate $m))
  (func (export "late") (param "before" s64) (param "pages" u32) (param "after" s64) (result s32)
    (canon lift (core func $i "late"))))
"""
"""Computes, takes memory, and computes on."""


@pytest.fixture
async def probe(host: Host, fixture_component: Component) -> Host:
    """A host with `c-probe`, and the same under the name `modest`."""
    built = fixture_component("c-probe")
    await host.load(str(built))
    folder = host.settings.component_dir.parent / "in"
    folder.mkdir(parents=True)
    shutil.copy(built, folder / "modest.wasm")
    await host.load(str(folder / "modest.wasm"))
    return host


def limit(host: Host, *lines: str, component: str = "c-probe") -> None:
    """Write a policy that has nothing but limits."""
    path = host.policies.path(component)
    text = "".join(f"\n      {line}" for line in lines)
    path.write_text(f'version: "1.0"\npermissions:\n  resources:\n    limits:{text}\n')


async def call(host: Host, tool: str, **arguments: object) -> CallResult:
    async with asyncio.timeout(HANG):
        return await host.call_tool(tool, arguments)


def start(host: Host, tool: str, **arguments: object) -> asyncio.Task[CallResult]:
    return asyncio.create_task(call(host, tool, **arguments))


async def works(host: Host) -> bool:
    return bool((await call(host, "add", a=2, b=3)).value == 5)


def workers() -> list[psutil.Process]:
    """Below the fork server."""
    found = []
    for process in descendants():
        with suppress(psutil.NoSuchProcess):
            parent = process.parent()
            if parent is not None and "forkserver" in " ".join(parent.cmdline()):
                found.append(process)
    return found


def cpu(processes: list[psutil.Process]) -> dict[int, float]:
    """Seconds of CPU time, by process."""
    used = {}
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            used[process.pid] = sum(process.cpu_times()[:2])
    return used


async def spent(seconds: float) -> float:
    """CPU time of all workers in a while."""
    began = cpu(workers())
    await asyncio.sleep(seconds)
    return sum(used - began.get(pid, 0) for pid, used in cpu(workers()).items())


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(HANG):
        while not true():
            await asyncio.sleep(0.01)


async def give_up(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


# ---- workers ------------------------------------------------------------------------------------


async def test_a_hundred_calls_beside_one(probe: Host) -> None:
    """Attack: take every worker, and every one that becomes free."""
    await works(probe)
    greedy = [start(probe, "sleep", seconds=0.5) for _ in range(100)]
    pool = probe._parts.pool
    await until(lambda: pool._schedule.running_of("c-probe") == pool.at_once - 1)
    for _ in range(5):
        done = sum(task.done() for task in greedy)
        assert (await call(probe, "modest__add", a=20, b=22)).value == 42
        # A worker was there, or in the time of one call of the other.
        assert sum(task.done() for task in greedy) - done < pool.at_once
    assert not all(task.done() for task in greedy)
    await give_up(greedy)
    assert await works(probe)


async def test_a_hundred_short_calls_beside_one(probe: Host) -> None:
    await asyncio.gather(works(probe), call(probe, "modest__add", a=1, b=1))
    stop = asyncio.Event()

    async def lane() -> None:
        while not stop.is_set():
            await call(probe, "busy", iterations=500_000)

    lanes = [asyncio.create_task(lane()) for _ in range(100)]
    for _ in range(50):
        assert (await call(probe, "modest__add", a=20, b=22)).value == 42
    stop.set()
    await asyncio.gather(*lanes)


async def test_all_the_room_for_other_components(
    host: Host, tmp_path: Path, fixture_component: Component
) -> None:
    """More components than workers, all at once: each is served, and none is left over."""
    count = host._parts.pool.size + 2
    for number in range(count):
        await host.load(str(wat.write(tmp_path, f"c{number}", wat.one_function(f"f{number}"))))
    for _ in range(3):
        results = await asyncio.gather(*(call(host, f"f{n % count}") for n in range(4 * count)))
        assert all(result.value == 1 for result in results)
        assert host._parts.pool.processes <= host._parts.pool.size
    assert host._parts.pool._schedule.running == 0
    assert not host._parts.pool._room


async def test_more_calls_than_may_wait(probe: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attack: fill the host's memory with calls that wait."""
    await works(probe)
    running = probe._parts.pool.at_once - 1
    count = running + schedule.MAX_WAITING
    greedy = [start(probe, "sleep", seconds=60) for _ in range(count)]
    await until(lambda: probe._parts.pool._schedule.waiting_of("c-probe") == schedule.MAX_WAITING)
    refused = await call(probe, "sleep", seconds=60)
    assert isinstance(refused.error, TooManyCalls)
    assert str(refused.error) == (
        "sleep (c-probe) was not called: 256 calls of this component wait already, the most that "
        "may. Call it again when some of them are done."
    )
    assert (await call(probe, "modest__add", a=1, b=1)).value == 2
    await give_up(greedy)
    assert await works(probe)


async def test_giving_up_while_waiting_leaves_nothing(probe: Host) -> None:
    await works(probe)
    files, pool = open_files(), probe._parts.pool
    for _ in range(3):
        tasks = [start(probe, "sleep", seconds=30) for _ in range(40)]
        await asyncio.sleep(0.1)
        await give_up(tasks)
        await until(lambda: pool._schedule.running == 0)
        assert pool._schedule.waiting_of("c-probe") == 0
    assert await works(probe)
    assert pool.processes <= pool.size
    await until(lambda: len(workers()) <= pool.size)
    assert open_files() <= files + 2 * pool.size  # a socket and a gauge for each idle worker


async def test_giving_up_at_the_very_moment_of_ones_turn(probe: Host) -> None:
    """Turns that are given to somebody who leaves go to the next."""
    await works(probe)
    for _ in range(30):
        tasks = [start(probe, "add", a=1, b=1) for _ in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            asyncio.get_running_loop().call_later(0.002, task.cancel)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(not isinstance(one, BaseException) for one in results[1::2])
    await until(lambda: probe._parts.pool._schedule.running == 0)
    assert await works(probe)


async def test_closing_with_a_queue(settings: Settings, fixture_component: Component) -> None:
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-probe")))
        tasks = [start(host, "sleep", seconds=60) for _ in range(20)]
        await until(lambda: host._parts.pool._schedule.waiting_of("c-probe") > 0)
    results = await asyncio.gather(*tasks)
    assert all(isinstance(result.error, WorkerDied) for result in results)
    assert any("shutting down" in str(result.error) for result in results)


async def test_a_changed_policy_is_the_same_component(probe: Host) -> None:
    """Attack: be granted or denied something again and again, for a new queue each time."""
    await works(probe)
    pool = probe._parts.pool
    running = []
    for number in range(pool.at_once + 3):
        limit(probe, f"timeout: {50 + number}s")
        running.append(start(probe, "sleep", seconds=40))
        await asyncio.sleep(0.05)
    await until(lambda: pool._schedule.waiting_of("c-probe") == 4)
    assert pool._schedule.running_of("c-probe") == pool.at_once - 1
    assert (await call(probe, "modest__add", a=1, b=1)).value == 2
    await give_up(running)
    assert await works(probe)
    await until(lambda: pool._schedule.running == 0)


async def test_workers_with_past_grants_are_ended(probe: Host) -> None:
    await asyncio.gather(*(call(probe, "sleep", seconds=0.1) for _ in range(3)))
    before = {process.pid for process in workers()}
    await probe.grant_environment("c-probe", "HOME")
    await probe.grant_memory("c-probe", "100Mi")
    assert await works(probe)
    await until(lambda: not before & {process.pid for process in workers()})


# ---- the CPU ------------------------------------------------------------------------------------

WITHIN = 1.15
"""Of the share, over two seconds and more."""


@pytest.mark.skipif(not meter.HERE, reason="only Linux tells what another process uses")
async def test_four_calls_share_one_share(probe: Host) -> None:
    """Attack: compute in as many workers as there are."""
    limit(probe, "cpu: 500m", "timeout: 100s")
    calls = [start(probe, "busy", iterations=LONG) for _ in range(4)]
    await until(lambda: probe._parts.pool._schedule.running_of("c-probe") == 4)
    await asyncio.sleep(0.5)
    began = time.monotonic()
    used = await spent(2.5)
    share = used / (time.monotonic() - began)
    assert share <= 0.5 * WITHIN
    assert share >= 0.1, "and they do go on"
    # Others have what is left.
    assert (await call(probe, "modest__add", a=1, b=1)).value == 2
    await give_up(calls)
    await until(lambda: all(one.status() != psutil.STATUS_STOPPED for one in workers()))


@pytest.mark.skipif(not meter.HERE, reason="only Linux tells what another process uses")
async def test_many_short_calls_share_one_share(probe: Host) -> None:
    """Attack: be over before anybody looks. Each call takes about three milliseconds."""
    limit(probe, "cpu: 200m", "timeout: 100s")
    stop = asyncio.Event()

    async def lane() -> int:
        done = 0
        while not stop.is_set():
            assert (await call(probe, "busy", iterations=2_000_000)).error is None
            done += 1
        return done

    lanes = [asyncio.create_task(lane()) for _ in range(4)]
    await asyncio.sleep(1)
    began = time.monotonic()
    used = await spent(3)
    share = used / (time.monotonic() - began)
    stop.set()
    assert sum(await asyncio.gather(*lanes)) > 4
    assert share <= 0.2 * WITHIN


async def test_a_paused_call_can_be_ended(probe: Host) -> None:
    """A share so small that its calls are paused nearly always."""
    limit(probe, "cpu: 1m", "timeout: 1s")
    timed_out = await call(probe, "busy", iterations=LONG)
    assert isinstance(timed_out.error, CallTimeout)
    limit(probe, "cpu: 1m", "timeout: 100s")
    calls = [start(probe, "busy", iterations=LONG) for _ in range(3)]
    await asyncio.sleep(0.3)
    await give_up(calls)
    await until(lambda: probe._parts.pool._schedule.running == 0)
    limit(probe, "timeout: 100s")
    assert await works(probe)
    await until(lambda: all(one.status() != psutil.STATUS_STOPPED for one in workers()))


async def test_a_limit_that_changes_meanwhile(probe: Host) -> None:
    """The newest policy counts for the calls that run already: they are one component's."""
    limit(probe, "cpu: 1m", "timeout: 100s")
    slow = start(probe, "busy", iterations=300_000_000)
    await asyncio.sleep(0.3)
    assert not slow.done()
    limit(probe, "timeout: 100s")
    assert await works(probe)
    assert (await slow).error is None


async def test_dying_in_the_middle_of_a_share(probe: Host) -> None:
    """A worker that is killed takes its call along; the others' share goes on being held."""
    limit(probe, "cpu: 300m", "timeout: 100s")
    calls = [start(probe, "busy", iterations=LONG) for _ in range(3)]
    await until(lambda: probe._parts.pool._schedule.running_of("c-probe") == 3)
    await until(lambda: len(workers()) >= 3)
    for process in workers()[:2]:
        process.kill()
    await until(lambda: sum(task.done() for task in calls) == 2)
    for task in calls:
        if task.done():
            assert isinstance(task.result().error, WorkerDied)
    began = time.monotonic()
    used = await spent(2)
    assert 0.05 <= used / (time.monotonic() - began) <= 0.3 * WITHIN
    await give_up(calls)
    assert await works(probe)


async def test_where_the_kernel_does_not_tell(probe: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls of a component with a CPU limit run one by one, slowed down by their worker."""
    monkeypatch.setattr(meter, "HERE", False)
    limit(probe, "cpu: 200m", "timeout: 100s")
    stop = asyncio.Event()

    async def lane(iterations: int) -> None:
        while not stop.is_set():
            assert (await call(probe, "busy", iterations=iterations)).error is None

    lanes = [asyncio.create_task(lane(size)) for size in (2_000_000, 2_000_000, 100_000_000)]
    await asyncio.sleep(1)
    assert probe._parts.pool._schedule.running_of("c-probe") == 1
    began = time.monotonic()
    used = await spent(3)
    share = used / (time.monotonic() - began)
    stop.set()
    await asyncio.gather(*lanes)
    assert share <= 0.2 * 1.5  # the worker's own work is not counted here
    limit(probe, "timeout: 100s")
    calls = [start(probe, "sleep", seconds=30) for _ in range(3)]
    await until(lambda: probe._parts.pool._schedule.running_of("c-probe") == 3)
    await give_up(calls)


# ---- memory -------------------------------------------------------------------------------------


@pytest.mark.skipif(not meter.HERE, reason="only Linux tells what another process uses")
async def test_memory_in_many_calls(host: Host, tmp_path: Path) -> None:
    """Attack: each call stays below the limit, but look small first and are many."""
    await host.load(str(wat.write(tmp_path, "late", LATE)))
    limit(host, "memory: 64Mi", "timeout: 100s", component="late")
    assert (await call(host, "late", before=1, pages=1, after=1)).value == 1
    pages = 480  # 30 MiB
    rounds = {"before": 300_000_000, "pages": pages, "after": 3_000_000_000}
    results = await asyncio.gather(*(call(host, "late", **rounds) for _ in range(4)))
    ended = [result.error for result in results if result.error is not None]
    assert ended, "30 MiB in each of four do not fit into 64"
    assert all(isinstance(error, TooMuchMemory) for error in ended)
    assert len(ended) <= 2, "two do"
    assert "its memory limit is 64 MiB" in str(ended[0])
    assert "wassette permission grant memory" in str(ended[0])
    # Now that it is known what a call takes, so many run at once as fit, and all of them end well.
    again = [start(host, "late", before=1, pages=pages, after=300_000_000) for _ in range(6)]
    await asyncio.sleep(0.1)
    assert host._parts.pool._schedule.running_of("late") <= 2
    assert [(await task).error for task in again] == [None] * 6


async def test_one_call_may_have_all_the_memory(probe: Host) -> None:
    limit(probe, "memory: 64Mi", "timeout: 100s")
    eaten = await asyncio.gather(*(call(probe, "eat-memory", **{"chunk-kib": 256}) for _ in "1234"))
    for result in eaten:
        if result.error is None:
            assert 16 * 2**20 < result.value <= 64 * 2**20
        else:  # two of them began before it was known how much one takes
            assert isinstance(result.error, TooMuchMemory)
    assert any(result.error is None for result in eaten)
    alone = await call(probe, "eat-memory", **{"chunk-kib": 256})
    assert alone.value > 16 * 2**20


async def test_small_calls_fit_again_after_a_large_one(probe: Host) -> None:
    limit(probe, "memory: 128Mi", "timeout: 100s")
    await call(probe, "eat-memory", **{"chunk-kib": 256})
    for _ in range(40):
        await works(probe)
    calls = [start(probe, "sleep", seconds=30) for _ in range(2)]
    await until(lambda: probe._parts.pool._schedule.running_of("c-probe") == 2)
    await give_up(calls)
    assert limits.FADING < 1
