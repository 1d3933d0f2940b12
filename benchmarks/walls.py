"""Starting a worker, from the request to `ready`: with the walls of the operating system, without.

Without is the harness of the tests with `no-walls`; the same processes otherwise, in turns.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wassette.workers.launcher import Launcher
    from wassette.workers.pool import WorkerSpec


def measure(rounds: int) -> None:
    if not sys.platform.startswith("linux"):
        print("\nStarting a worker: measured on Linux only")
        return
    asyncio.run(_measure(rounds))


async def _measure(rounds: int) -> None:
    from build import build

    from support.ward import harness
    from wassette.sandbox.tiers import Tier
    from wassette.workers.compiler import Compiler
    from wassette.workers.launcher import ForkLauncher, SpawnLauncher
    from wassette.workers.pool import WorkerSpec

    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder) / "code"
        fork, spawn = ForkLauncher(), SpawnLauncher()
        compiled = await Compiler(fork).compile(build("c-files"), code, Tier.CRANELIFT)
        place = Path(folder).stat()
        spec = WorkerSpec(
            "walls",
            str(code),
            compiled.sha256,
            Tier.CRANELIFT,
            openings=((folder, place.st_dev, place.st_ino, "rw"),),
        )
        free = ForkLauncher()
        subjects: dict[str, tuple[Launcher, tuple[str, ...]]] = {
            "forked, without walls": (free, ("no-walls",)),
            "forked": (fork, ()),
            "spawned, without walls": (spawn, ("no-walls",)),
            "spawned": (spawn, ()),
        }
        samples: dict[str, list[float]] = {name: [] for name in subjects}
        for turn in range(rounds):
            for name, (launcher, options) in subjects.items():
                if launcher is spawn and turn % 10 and rounds > 10:
                    continue
                with harness(options):
                    samples[name].append(await _start(launcher, spec))
        for launcher in (fork, free, spawn):
            await launcher.close()
    print("\nA worker from start to ready, ms                    p50    ratio")
    for name, values in samples.items():
        p50 = statistics.median(values[1:] or values)  # the first one starts the fork server
        base = statistics.median(samples[f"{name.partition(',')[0]}, without walls"][1:])
        print(f"  {name:44} {p50:8.2f} {p50 / base:8.2f}x")


async def _start(launcher: Launcher, spec: WorkerSpec) -> float:
    from wassette.workers import protocol
    from wassette.workers.process import WorkerProcess

    began = time.perf_counter()
    worker = await WorkerProcess.start(launcher)
    granted = protocol.grants(spec.environment, spec.file_rules, spec.openings)
    reply, _ = await worker.request(spec.load_request(None), granted)
    took = time.perf_counter() - began
    assert reply["kind"] == "ready", reply
    worker.kill()
    await worker.ended()
    return took * 1000
