"""What the desktop app costs while nothing happens: processor time, and the memory of each process.

    .venv/bin/python benchmarks/desktop.py [--quick]

Once with its icon only, on a bus with a tray that only remembers, and once with its window open on
a screen of its own, if there are the programs for that (see `need_desktop` in scripts/lib.sh). The
physical limit is nothing: whoever waits needs no processor.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.cli import Cli  # noqa: E402
from support.desktop import App, Screen, app_env, missing_programs, screen  # noqa: E402
from support.session_bus import Daemon, Watcher, connected, session_bus  # noqa: E402

SETTLE = 10.0
"""Seconds after which whatever belongs to the start is over."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10 seconds instead of 60")
    seconds = 10.0 if parser.parse_args().quick else 60.0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        Cli(home).ok("component", "load", "starter:toolbox")
        for name, value in Cli(home).environment().items():
            os.environ[name] = value
        asyncio.run(with_icon(seconds))
        missing = missing_programs()
        if missing:
            print(f"\nNot measured with a window: {', '.join(missing)} is missing")
            return
        with screen(Path(folder) / "screen") as on:
            with_window(on, seconds)


async def with_icon(seconds: float) -> None:
    with ExitStack() as stack:
        address = stack.enter_context(session_bus())
        async with connected(address) as bus:
            watcher = Watcher()
            await watcher.appear(bus)
            await Daemon().appear(bus)
            app = stack.enter_context(
                App("--background", env={"DBUS_SESSION_BUS_ADDRESS": address})
            )
            while not watcher.items:
                await asyncio.sleep(0.05)
            await asyncio.sleep(SETTLE)
            await asyncio.to_thread(report, app, "icon only", seconds)
            app.end()


def with_window(on: Screen, seconds: float) -> None:
    with App(env=app_env(on)) as app:
        while not on.window("--name", "^Wassette$"):
            time.sleep(0.1)
        time.sleep(SETTLE)
        report(app, "window open", seconds)
        app.end()


def report(app: App, what: str, seconds: float) -> None:
    processes = [psutil.Process(app.process.pid), *app.note()]
    before = {one: used(one) for one in processes}
    time.sleep(seconds)
    print(f"\nThe desktop app, {what}, {seconds:g} s in which nothing happens\n")
    print(f"{'':44}{'of a core':>10}{'resident':>10}{'its own':>10}")
    total = own = 0.0
    for one in sorted(processes, key=lambda one: one.pid):
        if not one.is_running():
            continue
        share = (used(one) - before[one]) / seconds
        memory = one.memory_full_info()
        total += share
        own += memory.uss
        print(f"{name_of(one):44}{share:>10.2%}{mb(memory.rss):>10}{mb(memory.uss):>10}")
    print(f"{'together':44}{total:>10.2%}{'':>10}{mb(own):>10}")


def used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def mb(size: float) -> str:
    return f"{size / 1e6:.0f} MB"


def name_of(process: psutil.Process) -> str:
    words = process.cmdline()
    if "desktop" in words:
        return "app: tray, host"
    for word, name in (
        ("webview_process", "window"),
        ("forkserver", "forks workers"),
        ("resource_tracker", "watches what the forker leaves"),
    ):
        if word in " ".join(words):
            return name
    return process.name()


if __name__ == "__main__":
    main()
