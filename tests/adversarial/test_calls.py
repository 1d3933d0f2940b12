"""A hostile component tries to hang, exhaust, crash or outlive the host. Each attack has a name."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from support import wat
from support.processes import descendants, environment_of, eventually, open_files
from wassette.config import Settings
from wassette.errors import CallTimeout, GuestExit, GuestTrap, ResultTooLarge, WorkerDied
from wassette.host import Host
from wassette.workers import pool
from wassette.workers import process as worker_process
from wassette.workers import worker as worker_module

if TYPE_CHECKING:
    from wassette.answers import CallResult

pytestmark = pytest.mark.anyio

Component = Callable[[str], Path]
HANG = 60.0
"""Seconds that only a hang would take."""


@pytest.fixture
async def probe(host: Host, fixture_component: Component, tmp_path: Path) -> Host:
    """A host with `c-probe`, which may write below tmp_path/shared and has one second a call."""
    (tmp_path / "shared").mkdir()
    await host.load(str(fixture_component("c-probe")))
    await host.grant_storage("c-probe", f"fs://{tmp_path}/shared", ["read", "write"])
    set_limit(host, "timeout: 1s", "memory: 64Mi")
    return host


def set_limit(host: Host, *limits: str) -> None:
    path = host.policies.path("c-probe")
    lines = "".join(f"\n      {limit}" for limit in limits)
    path.write_text(path.read_text() + f"  resources:\n    limits:{lines}\n")


async def call(host: Host, tool: str, **arguments: object) -> CallResult:
    async with asyncio.timeout(HANG):
        return await host.call_tool(tool, arguments)


async def works(host: Host) -> bool:
    """Whether the host still serves other calls."""
    return bool((await call(host, "add", a=2, b=3)).value == 5)


async def test_endless_loop(probe: Host) -> None:
    result = await call(probe, "spin")
    assert isinstance(result.error, CallTimeout)
    assert "did not finish within its time limit of 1 s" in str(result.error)
    assert "resources.limits.timeout" in str(result.error)
    assert await works(probe)


async def test_endless_loop_leaves_its_worker_usable(
    probe: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy guest ends by its epoch: no process has to be killed for it."""
    monkeypatch.setattr(worker_process, "GRACE", HANG)
    await works(probe)
    before = {process.pid for process in descendants()}
    await call(probe, "spin")
    assert await works(probe)
    assert {process.pid for process in descendants()} == before


async def test_sleeping_on_a_clock(probe: Host) -> None:
    """Blocked in native code, where no epoch reaches."""
    began = time.monotonic()
    result = await call(probe, "sleep", seconds=60)
    assert isinstance(result.error, CallTimeout)
    assert time.monotonic() - began < 30
    assert await works(probe)


async def test_reading_a_fifo(probe: Host, tmp_path: Path) -> None:
    fifo = tmp_path / "shared" / "fifo"
    os.mkfifo(fifo)
    result = await call(probe, "read-file", path=str(fifo))
    assert result.is_error
    assert result.error is None  # refused before it was opened, which would have blocked
    assert await works(probe)


async def test_memory_bomb(probe: Host) -> None:
    result = await call(probe, "eat-memory", **{"chunk-kib": 256})
    if result.error is None:
        assert 16 * 2**20 < result.value <= 64 * 2**20
    else:
        assert isinstance(result.error, GuestTrap)
    assert await works(probe)


async def test_taking_all_of_a_core(probe: Host) -> None:
    """`cpu` is a share of one core: what takes a second of it takes ten at a tenth."""
    policy = probe.policies.path("c-probe")
    policy.write_text(policy.read_text().replace("timeout: 1s", "timeout: 50s"))
    arguments = {"iterations": 150_000_000}

    async def seconds() -> float:
        began = time.monotonic()
        assert (await call(probe, "busy", **arguments)).error is None
        return time.monotonic() - began

    await works(probe)
    free = min([await seconds() for _ in range(3)])
    policy.write_text(policy.read_text().replace("memory: 64Mi", "memory: 64Mi\n      cpu: 100m"))
    await works(probe)
    assert await seconds() > 3 * free


async def test_workers_have_limits_of_the_operating_system(probe: Host) -> None:
    """Behind the guest's own limits: files, core dumps, and memory of the whole process."""
    await works(probe)
    [worker] = [one for one in descendants() if one.ppid() != os.getpid()]
    assert worker.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    assert worker.rlimit(psutil.RLIMIT_NOFILE)[1] <= 1024
    assert worker.rlimit(psutil.RLIMIT_DATA)[1] == 64 * 2**20 + worker_module.OVERHEAD


async def test_more_memory_than_the_limit_to_start(probe: Host) -> None:
    path = probe.policies.path("c-probe")
    path.write_text(path.read_text().replace("64Mi", "64Ki"))
    result = await call(probe, "add", a=1, b=1)
    assert isinstance(result.error, GuestTrap)
    assert "more memory than its limit" in str(result.error)
    assert "wassette permission grant memory" in str(result.error)


async def test_killing_its_own_worker(probe: Host) -> None:
    """As a hole in the runtime would: the process is gone in the middle of a call."""
    policy = probe.policies.path("c-probe")
    policy.write_text(policy.read_text().replace("timeout: 1s", "timeout: 50s"))
    await works(probe)
    running = asyncio.create_task(call(probe, "sleep", seconds=40))
    await asyncio.sleep(0.3)
    for worker in descendants():
        if not worker.children() and "forkserver" in " ".join(worker.cmdline()):
            with_parent = worker.parent()
            if with_parent is not None and with_parent.pid != os.getpid():
                worker.send_signal(signal.SIGABRT)
    result = await running
    assert isinstance(result.error, WorkerDied)
    assert "was ended by SIGABRT" in str(result.error)
    assert await works(probe)


async def test_killing_the_fork_server(probe: Host) -> None:
    await works(probe)
    for process in psutil.Process().children():
        process.kill()
    result = await call(probe, "add", a=2, b=3)
    if result.error is not None:  # the worker died with it: one call is lost, not the next
        assert isinstance(result.error, WorkerDied)
    assert await works(probe)


async def test_trap_exit_and_deep_recursion(probe: Host) -> None:
    trapped = await call(probe, "trap")
    assert isinstance(trapped.error, GuestTrap)
    assert "trapped" in str(trapped.error)
    quitting = await call(probe, "quit", code=3)
    assert isinstance(quitting.error, GuestExit)
    assert "exit code" in str(quitting.error)
    deep = await call(probe, "recurse", depth=100_000_000)
    assert isinstance(deep.error, GuestTrap | CallTimeout)
    assert await works(probe)


async def test_results_too_large(probe: Host) -> None:
    for tool, size in (("big-bytes", 3_000_000), ("big-string", 20_000_000)):
        result = await call(probe, tool, n=size)
        assert isinstance(result.error, ResultTooLarge), result.error
        assert await works(probe)
    assert len((await call(probe, "big-string", n=1_000_000)).value) == 1_000_000


async def test_flood_of_output(probe: Host, capfd: pytest.CaptureFixture[str]) -> None:
    """Attack: corrupt the MCP transport, or fill memory, by printing."""
    result = await call(probe, "print", text="x" * 10_000, times=1000)
    assert len(result.output) < 1_100_000
    assert "left out" in result.output
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


async def test_hostile_text_is_data(probe: Host) -> None:
    result = await call(probe, "hostile-text")
    assert "\x1b" in result.value
    printed = await call(probe, "read-file", path="/\x1b[31m\u202e")
    assert printed.is_error


async def test_sees_no_environment_and_no_arguments(
    settings: Settings, fixture_component: Component
) -> None:
    pool_of_variables = {"SECRET": "s3cret", "GRANTED": "yes", "PATH": "/bin"}
    async with Host(Settings(settings.component_dir, pool_of_variables)) as host:
        await host.load(str(fixture_component("c-probe")))
        assert (await call(host, "all-env")).value == []
        assert (await call(host, "args")).value == []
        await host.grant_environment("c-probe", "GRANTED")
        assert (await call(host, "all-env")).value == [["GRANTED", "yes"]]
        assert (await call(host, "get-env", name="SECRET")).value is None
        await host.revoke_environment("c-probe", "GRANTED")
        assert (await call(host, "all-env")).value == []


async def test_worker_has_no_secrets_in_its_memory(
    probe: Host,
) -> None:
    """Attack: read the host's environment from inside a compromised worker."""
    await works(probe)
    for process in descendants():
        assert "HOME" not in environment_of(process)


async def test_no_files_without_a_grant(host: Host, fixture_component: Component) -> None:
    await host.load(str(fixture_component("c-probe")))
    for path in ("/etc/passwd", "/etc", "/proc/self/environ", str(host.settings.component_dir)):
        for tool in ("read-file", "list-dir"):
            result = await call(host, tool, path=path)
            assert result.is_error, (tool, path)
    for path in ("/", "."):
        assert (await call(host, "read-file", path=path)).is_error
        assert (await call(host, "list-dir", path=path)).value == {"ok": []}


async def test_leaving_a_granted_directory(probe: Host, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    shared = tmp_path / "shared"
    (shared / "link").symlink_to(secret)
    (shared / "up").symlink_to("..")
    for path in (
        f"{shared}/../secret.txt",
        f"{shared}/link",
        f"{shared}/up/secret.txt",
        f"{shared}/./../secret.txt",
        f"{shared}//..//secret.txt",
        "/proc/self/root/etc/passwd",
    ):
        result = await call(probe, "read-file", path=path)
        assert result.is_error, path
    wrote = await call(probe, "write-file", path=f"{shared}/../new.txt", text="x")
    assert wrote.is_error
    assert not (tmp_path / "new.txt").exists()


async def test_granting_itself_permissions(host: Host, fixture_component: Component) -> None:
    """Attack: have the directory with the policies granted, and write one."""
    await host.load(str(fixture_component("c-probe")))
    folder = host.settings.component_dir
    policy = host.policies.path("c-probe")
    for granted in (folder, folder.parent):
        with pytest.raises(Exception, match="Wassette"):
            await host.grant_storage("c-probe", f"fs://{granted}", ["read", "write"])
        policy.write_text(
            'version: "1.0"\npermissions:\n  storage:\n    allow:\n'
            f'      - uri: "fs://{granted}"\n        access: [read, write]\n'
        )
        assert host.grants("c-probe").mounts == ()
        wrote = await call(host, "write-file", path=str(policy), text="x")
        assert wrote.is_error
        policy.unlink()
    # What is above them can be granted, but for them.
    for granted in (folder.parent.parent, Path("/")):
        await host.grant_storage("c-probe", f"fs://{granted}", ["read", "write"])
        before = policy.read_text()
        for target in (policy, folder / "new.policy.yaml", folder / "c-probe.wasm"):
            wrote = await call(host, "write-file", path=str(target), text="x")
            assert wrote.is_error, target
        assert policy.read_text() == before
        assert (await call(host, "read-file", path=str(policy))).is_error
        beside = folder.parent.parent / "beside.txt"
        assert not (await call(host, "write-file", path=str(beside), text="x")).is_error
        assert beside.read_text() == "x"
        policy.unlink()


async def test_a_thousand_mixed_calls_leave_nothing_behind(
    settings: Settings,
    fixture_component: Component,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded: dict[int, str] = {}
    request = worker_process.WorkerProcess.request

    async def noting(
        worker: worker_process.WorkerProcess, header: dict[str, Any], body: bytes = b""
    ) -> worker_process.Reply:
        loaded[worker.pid] = header.get("code", "")
        return await request(worker, header, body)

    monkeypatch.setattr(worker_process.WorkerProcess, "request", noting)
    before_files, before_processes = open_files(), len(descendants())
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "a.txt").write_text("hello")
    os.mkfifo(shared / "fifo")
    choices = random.Random(7)
    counts: dict[str, int] = {}
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-probe")))
        await host.grant_storage("c-probe", f"fs://{shared}", ["read"])
        set_limit(host, "timeout: 2s", "memory: 64Mi")
        victim = await host.load(str(wat.write(tmp_path, "victim")))

        async def one(number: int) -> None:
            kind = "add"
            if number % 50 == 0:  # each of these costs a second and a process
                kind = choices.choice(["spin", "sleep", "fifo", "cancel", "kill"])
            elif number % 5 == 0:
                kind = choices.choice(["trap", "quit", "bad", "print", "read", "recurse"])
            counts[kind] = counts.get(kind, 0) + 1
            if kind == "add":
                # Another call's crash never reaches this one.
                assert (await call(host, "add", a=number, b=1)).value == number + 1
            elif kind == "kill":
                task = asyncio.create_task(call(host, "victim__spin"))
                while not task.done():
                    for process in descendants():
                        if victim.record.digest in loaded.get(process.pid, ""):
                            process.kill()
                    await asyncio.sleep(0.05)
                assert isinstance((await task).error, WorkerDied)
            elif kind == "cancel":
                task = asyncio.create_task(call(host, "sleep", seconds=60))
                await asyncio.sleep(0.1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            else:
                tool, arguments = {
                    "spin": ("spin", {}),
                    "sleep": ("sleep", {"seconds": 60}),
                    "fifo": ("read-file", {"path": f"{shared}/fifo"}),
                    "trap": ("trap", {}),
                    "quit": ("quit", {"code": 1}),
                    "bad": ("add", {"a": "x"}),
                    "print": ("print", {"text": "hello", "times": 3}),
                    "read": ("read-file", {"path": f"{shared}/a.txt"}),
                    "recurse": ("recurse", {"depth": 100_000_000}),
                }[kind]
                result = await call(host, tool, **arguments)  # type: ignore[arg-type]
                assert result.is_error == (kind not in ("print", "read")), (kind, result)

        numbers = iter(range(1000))

        async def lane() -> None:
            for number in numbers:
                await one(number)

        await asyncio.gather(*(lane() for _ in range(4)))
        assert sum(counts.values()) == 1000
        assert host._parts.pool.processes <= host._parts.pool.size
    assert eventually(lambda: len(descendants()) <= before_processes), descendants()
    assert eventually(lambda: open_files() <= before_files)


async def test_idle_workers_go_away(
    settings: Settings, fixture_component: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "IDLE_SECONDS", 0.4)
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-probe")))
        assert await works(host)
        assert host._parts.pool.processes == 1
        async with asyncio.timeout(HANG):
            while host._parts.pool.processes:
                await asyncio.sleep(0.05)
        assert await works(host)


async def test_more_calls_than_workers(settings: Settings, fixture_component: Component) -> None:
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-probe")))
        results = await asyncio.gather(*(call(host, "add", a=n, b=0) for n in range(60)))
        assert [result.value for result in results] == list(range(60))
        assert host._parts.pool.processes <= host._parts.pool.size


async def test_dead_host_takes_its_workers_along(
    settings: Settings, fixture_component: Component, home: Path
) -> None:
    """`kill -9` of the host while a guest is blocked in native code."""
    script = f"""
import asyncio, pathlib
from wassette.config import Settings
from wassette.host import Host
async def main():
    async with Host(Settings(pathlib.Path({str(settings.component_dir)!r}))) as host:
        await host.load({str(fixture_component("c-probe"))!r})
        print("ready", flush=True)
        await host.call_tool("sleep", {{"seconds": 600}})
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(HANG):
        assert await process.stdout.readline() == b"ready\n"
    started = psutil.Process(process.pid)
    assert eventually(lambda: len(started.children(recursive=True)) >= 2)
    family = started.children(recursive=True)
    await asyncio.sleep(0.3)
    process.kill()
    await process.wait()
    assert eventually(lambda: not any(one.is_running() for one in family)), family
