"""What several components cost each other: calls a second, and one beside a greedy one."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wassette.host import Host

MILLISECOND = 650_000  # iterations of `busy`
LANES = 8
GREEDY = 100


def measure(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_measure(Path(folder), rounds))


async def _measure(folder: Path, rounds: int) -> None:
    from build import build

    from wassette.config import Settings
    from wassette.host import Host

    built = build("c-probe")
    async with Host(Settings(folder / "store")) as host:
        (folder / "in").mkdir()
        for number in range(LANES):
            copy = folder / "in" / f"c{number}.wasm"
            shutil.copy(built, copy)
            await host.load(str(copy))
        print(f"\n{LANES} calls of `add` at a time, by components        calls a second")
        for components in (1, 2, LANES):
            await _lanes(host, components, 5)
            seconds = await _lanes(host, components, rounds)
            print(f"  {components}: {LANES * rounds / seconds:52.0f}")
        await _beside(host, rounds)
        await _share(host)


async def _lanes(host: Host, components: int, rounds: int) -> float:
    async def lane(number: int) -> None:
        for _ in range(rounds):
            await host.call_tool(_tool(number % components, "add"), {"a": 1, "b": 2})

    began = time.perf_counter()
    await asyncio.gather(*(lane(number) for number in range(LANES)))
    return time.perf_counter() - began


async def _beside(host: Host, rounds: int) -> None:
    """A modest component's calls of a millisecond, alone and beside a hundred of another's."""
    print("\nA call of 1 ms of one component, ms                 p50      p95")
    for label, lanes in (("alone", 0), (f"beside {GREEDY} of another at once", GREEDY)):
        stop = asyncio.Event()

        async def greedy(stop: asyncio.Event = stop) -> None:
            while not stop.is_set():
                await host.call_tool(_tool(1, "busy"), {"iterations": 10 * MILLISECOND})

        others = [asyncio.create_task(greedy()) for _ in range(lanes)]
        samples = []
        for _ in range(min(rounds, 200)):
            began = time.perf_counter()
            await host.call_tool(_tool(0, "busy"), {"iterations": MILLISECOND})
            samples.append((time.perf_counter() - began) * 1000)
        stop.set()
        await asyncio.gather(*others)
        p50, p95 = statistics.median(samples), statistics.quantiles(samples, n=20)[18]
        print(f"  {label:44} {p50:8.2f} {p95:8.2f}")


async def _share(host: Host) -> None:
    """What four calls at once get of the share that their component has."""
    import psutil

    def used() -> float:
        children = psutil.Process().children(recursive=True)
        return sum(sum(child.cpu_times()[:2]) for child in children)

    print("\nFour calls that compute at once                  of a core")
    for share in ("100m", "500m", "1"):
        policy = host.policies.path("c0")
        limits = f'limits: {{cpu: "{share}", timeout: 100s}}'
        policy.write_text(f'version: "1.0"\npermissions: {{resources: {{{limits}}}}}\n')
        calls = [
            asyncio.create_task(host.call_tool(_tool(0, "busy"), {"iterations": 10**12}))
            for _ in range(4)
        ]
        await asyncio.sleep(1)
        began, before = time.monotonic(), used()
        await asyncio.sleep(2)
        held = (used() - before) / (time.monotonic() - began)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        print(f"  cpu: {share:8} {held:40.3f}")


def _tool(component: int, function: str) -> str:
    # The first that was loaded has the short names.
    return function if component == 0 else f"c{component}__{function}"
