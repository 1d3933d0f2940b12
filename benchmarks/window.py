"""The window's API with much in it: 500 components with policies, and 100,000 entries of activity.

    .venv/bin/python benchmarks/window.py [--quick]

The smallest answer of the same server is what a request costs in any case. Medians, over one
connection for each request; the time of the processor is that of server and client together.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "backend")]

COMPONENTS = 500
ENTRIES = 100_000
PATHS = {
    "500 components": "/api/components",
    "one of them": "/api/components/c250",
    "100 entries of activity": "/api/activity?limit=100",
    "a page from the middle": "/api/activity?limit=100&before=50000",
    "of one component": "/api/activity?limit=100&component=c250",
    "of one client, seldom": "/api/activity?limit=100&client=seldom",
    "with a text, seldom": "/api/activity?limit=100&q=needle",
    "a chart of everything": "/api/activity/chart?since={since}&until={until}&buckets=60",
    "status": "/api/status",
    "clients": "/api/clients",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = 5 if parser.parse_args().quick else 20
    with tempfile.TemporaryDirectory() as folder:
        for name in ("HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
            os.environ[name] = folder
        os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"
        asyncio.run(measure(Path(folder), rounds))


async def measure(folder: Path, rounds: int) -> None:
    from support.window_api import windowed
    from wassette.config import Settings

    settings = Settings(folder / "components")
    await fill(settings.component_dir, folder)
    async with windowed(settings) as world:
        page = world.page
        until = time.time()

        async def timed(path: str) -> tuple[float, float, int]:
            times, busy, size = [], [], 0
            for _ in range(rounds + 1):
                start, used = time.perf_counter(), time.process_time()
                answer = await page.get(path.format(since=until - 86_400, until=until))
                times.append(time.perf_counter() - start)
                busy.append(time.process_time() - used)
                assert answer.status == 200, answer.text
                size = len(answer.body)
            return statistics.median(times[1:]) * 1000, statistics.median(busy[1:]) * 1000, size

        paths = {"the smallest answer": "/api/session", **PATHS}
        for name, path in paths.items():
            took, cpu, size = await timed(path)
            print(f"{name:<26} {took:8.1f} ms, of CPU {cpu:8.1f} ms, {size / 1024:8.0f} KB")


async def fill(directory: Path, folder: Path) -> None:
    """Components that differ in their name, and what may have happened to them in a day."""
    from support.wat import write
    from wassette.activity import Entry, Kind, Outcome, database
    from wassette.components.store import ComponentStore
    from wassette.config import Settings
    from wassette.host import Host
    from wassette.paths import paths
    from wassette.policy import PolicyStore

    async with Host(Settings(directory)) as host:
        await host.load(str(write(folder, "c0")))
        await host.grant_network("c0", "api.example.com")
        await host.grant_storage("c0", f"fs://{folder}", ["read"])
        record = await host.component("c0")
        text, _ = host.policies.text("c0")
    store, policies, code = ComponentStore(directory), PolicyStore(directory), store_bytes(folder)
    for number in range(1, COMPONENTS):
        incoming = store.incoming()
        incoming.write_bytes(code)
        store.commit(incoming, replace(record, id=f"c{number}", loaded_at=record.loaded_at + 1))
        policies.write(f"c{number}", text, "")
    connection = database.open_for_writing(paths().activity)
    now = time.time()
    rows = [
        database.to_row(
            Entry(
                Kind.CALL,
                Outcome.OK if number % 7 else Outcome.ERROR,
                "needle" if number % 5000 == 0 else "add",
                now - 86_400 * (1 - number / ENTRIES),
                component=f"c{number % COMPONENTS}",
                digest=record.digest,
                tool="add",
                client="seldom" if number % 5000 == 0 else f"client-{number % 5}",
                session="s" * 22,
                call=f"{number:016x}",
                seconds=0.01,
                detail={"arguments": {"a": number, "b": 2}, "result_size": 2, "memory": 65536},
            )
        )
        for number in range(ENTRIES)
    ]
    connection.execute("BEGIN")
    connection.executemany(database.INSERT, rows)
    connection.execute("COMMIT")
    connection.close()


def store_bytes(folder: Path) -> bytes:
    return (folder / "c0.wasm").read_bytes()


if __name__ == "__main__":
    main()
