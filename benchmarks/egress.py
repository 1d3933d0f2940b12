"""The relay: requests and streams through it, against the same server without it.

    .venv/bin/python benchmarks/egress.py [--quick]

Server, relay and client are a process each, as with a worker. The client is the same, whether it
is led to the server or to a door. All variants take turns, and the fastest of each counts, since
machines are noisy; for single requests, the median of a turn.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]

from support import streams  # noqa: E402
from support.streams import Road  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

BIG = 512 * 1024 * 1024  # bytes
REQUESTS = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    measure(3 if parser.parse_args().quick else 10)


def measure(rounds: int) -> None:
    with streams.process(streams.serve) as server, streams.process(streams.relay) as asked:
        port = server.recv()
        roads: dict[str, Callable[[], Road]] = {
            "direct": lambda: Road(port, "/"),
            "relay": lambda: streams.by_relay(asked, port, secret=False),
            "relay, a secret taken out": lambda: streams.by_relay(asked, port, secret=True),
        }
        compare("One request, ms", roads, streams.one_request, REQUESTS, rounds)
        speeds(f"Download of {BIG >> 20} MB", roads, streams.download, rounds)
        speeds("The same, chunked", roads, streams.download_chunked, rounds)
        speeds(f"Upload of {BIG >> 20} MB", roads, streams.upload, rounds)
        speeds("The same, chunked", roads, streams.upload_chunked, rounds)


def compare(
    title: str,
    roads: dict[str, Callable[[], Road]],
    work: Callable[[Road], None],
    count: int,
    rounds: int,
) -> None:
    best = dict.fromkeys(roads, float("inf"))
    for _ in range(rounds):
        for name in random.sample(list(roads), len(roads)):
            times = []
            for _ in range(count):
                began = time.perf_counter()
                work(roads[name]())
                times.append((time.perf_counter() - began) * 1000)
            best[name] = min(best[name], statistics.median(times))
    print(f"\n{title:52}    best    added")
    for name, value in best.items():
        print(f"  {name:44} {value:10.2f} {value - best['direct']:8.2f}")


def speeds(
    title: str,
    roads: dict[str, Callable[[], Road]],
    work: Callable[[Road, int], None],
    rounds: int,
) -> None:
    best = dict.fromkeys(roads, 0.0)
    for _ in range(rounds):
        for name in random.sample(list(roads), len(roads)):
            road = roads[name]()
            began = time.perf_counter()
            work(road, BIG)
            best[name] = max(best[name], BIG / 1e6 / (time.perf_counter() - began))
    print(f"\n{title:52}    MB/s    ratio")
    for name, value in best.items():
        print(f"  {name:44} {value:10.0f} {best['direct'] / value:8.2f}x")


if __name__ == "__main__":
    main()
