"""The process of the desktop app: the main thread is the tray's, as some systems insist; all else
is in a loop in another thread, the host too, if it is ours.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

from wassette import config, logs
from wassette.cli.ui import open_in_browser
from wassette.errors import WassetteError
from wassette.paths import paths

from . import instance
from .app import App, Options
from .autostart import autostart
from .trays import detect
from .trays.none import NoTray
from .window import has_display

if TYPE_CHECKING:
    from types import FrameType

    from wassette.config import Settings

    from .instance import Instance
    from .trays import Tray

log = logging.getLogger(__name__)

AT_ONCE = 0.5
"""Seconds within which two signals are one: to a process, and to its group."""


def run(options: Options, component_dir: str | None = None) -> int:
    """Be the desktop app until somebody quits, or have the one that runs show its window; the exit
    code. Raises `WassetteError`."""
    settings = config.load(component_dir=component_dir)
    directory = str(settings.component_dir)
    first = instance.claim(directory, options.place)
    if first is None:
        say("Wassette is running; its window comes to the front.")
        return 0
    _without_console()
    return _Process(settings, options, first).run()


def say(text: str) -> None:
    """To whoever started it on a terminal."""
    print(text, file=sys.stderr, flush=True)


class _Process:
    def __init__(self, settings: Settings, options: Options, first: Instance) -> None:
        self._settings = settings
        self._options = options
        self._instance = first
        self._ready: Future[tuple[App, Tray | None]] = Future()
        self._go = threading.Event()
        """The tray is there."""
        self._failed: BaseException | None = None
        self._asked = 0.0
        """When somebody last asked us to end."""

    def run(self) -> int:
        thread = threading.Thread(target=self._in_thread, name="loop")
        thread.start()
        try:
            app, tray = self._ready.result()
        except BaseException:
            thread.join()
            raise
        self._take_signals(app)
        if tray is None:
            # Only now: what draws it wants to be made in this thread.
            tray = detect.in_main_thread(app.act) or NoTray()
        app.tray = tray
        self._go.set()
        tray.run()
        app.quit()
        thread.join()
        if self._failed is not None:
            raise self._failed
        return 0

    def _in_thread(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001  (raised in the main thread)
            self._failed = error
            if not self._ready.done():
                self._ready.set_exception(error)

    async def _main(self) -> None:
        app = App(self._settings, self._options, autostart(), say, open_in_browser, _icon_file())
        try:
            surroundings = await detect.look(app.act, app.pressed)
            app.notifier = surroundings.notifier
            self._ready.set_result((app, surroundings.tray))
            await asyncio.to_thread(self._go.wait)
            if not app.tray.visible:
                say(_without_tray(self._options))
            try:
                await app.run(self._instance)
            finally:
                surroundings.close()
        finally:
            app.tray.stop()

    def _take_signals(self, app: App) -> None:
        def ended(number: int, _frame: FrameType | None) -> None:
            before, self._asked = self._asked, time.monotonic()
            if before and self._asked - before > AT_ONCE:
                os._exit(128 + number)  # asked for again: somebody does not want to wait
            app.quit()

        for name in ("SIGTERM", "SIGINT", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), ended)


def _without_tray(options: Options) -> str:
    if options.background or options.browser or not has_display():
        return "There is no tray here, so there is no icon. Ctrl-C ends Wassette."
    return (
        "There is no tray here, so there is no icon. Ctrl-C, or closing the window, ends Wassette."
    )


def _icon_file() -> str | None:
    """The icon of the window, for systems that want a file."""
    from .icon import Picture, draw

    path = paths().cache / "icon.png"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(Picture(), 128).save(path)
    except OSError as error:
        log.info("no icon for the window: %s", error)
        return None
    return str(path)


def _without_console() -> None:
    """A windowed program has no stderr on Windows: what is said goes to a file."""
    if sys.stderr is not None:
        return
    path = paths().state / "logs" / "desktop.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout = sys.stderr = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
    logs.set_up("%(asctime)s %(levelname)s %(name)s: %(message)s")


def main() -> int:
    """`wassette-desktop`, for systems that start programs without a terminal: the same as
    `wassette desktop`."""
    from wassette import cli

    try:
        return cli.main(["desktop", *sys.argv[1:]])
    except WassetteError as error:  # pragma: no cover  (the command line explains it)
        say(f"Error: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
