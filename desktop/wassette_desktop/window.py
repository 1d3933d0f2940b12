"""The window: a process of its own (`webview_process`), or where there can be none, the browser."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from wassette.errors import visible

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

SHOW_TIMEOUT = 5.0
"""Seconds after which a window that does not answer is left alone: it may be loading."""
CLOSE_TIMEOUT = 5.0
"""Seconds in which the window's process has to be gone once it was told."""
_MODULE = "wassette_desktop.webview_process"


def command() -> list[str]:
    """How to run the window's process."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "_internal", _MODULE]
    return [sys.executable, "-P", "-m", _MODULE]


class Window:
    """Use in one loop. `link` gives a one-time link; `browse` is given one when there is no window,
    with the reason; `closed` is called when a person closed it."""

    def __init__(
        self,
        link: Callable[[], Awaitable[str]],
        browse: Callable[[str, str], Awaitable[None]],
        closed: Callable[[], None],
        *,
        icon: str | None = None,
        possible: bool = True,
    ) -> None:
        self._link = link
        self._browse = browse
        self._closed = closed
        self._icon = icon
        self._possible = possible
        """Whether there can be a window at all; it may turn out that there cannot."""
        self._why_not = ""
        self._process: Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._busy = asyncio.Lock()
        self._closing = False
        self._shown = asyncio.Event()

    @property
    def open(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def show(self, place: str) -> None:
        """Open it at a place, or bring it to the front there. Raises `WassetteError`, if there is
        no link."""
        async with self._busy:
            if self._closing or (self.open and await self._to_the_front(place)):
                return
            if not self._possible:
                await self._browse(await self._link_to(place), self._why_not)
                return
            await self._start(place)

    async def renew(self) -> None:
        """The host is another one now: have the window log in there."""
        async with self._busy:
            if self.open:
                await self._say(url=await self._link())

    async def close(self) -> None:
        """End its process."""
        self._closing = True
        process = self._process
        if process is not None and process.returncode is None:
            await self._say(quit=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), CLOSE_TIMEOUT)
            if process.returncode is None:
                process.kill()
                await process.wait()
        if self._watching is not None:
            await asyncio.wait([self._watching])

    async def _to_the_front(self, place: str) -> bool:
        """Whether it came. It may just be closing."""
        process = self._process
        assert process is not None
        self._shown.clear()
        if not await self._say(show=place if place != "/" else ""):
            return False
        shown = asyncio.create_task(self._shown.wait())
        gone = asyncio.create_task(process.wait())
        done, _ = await asyncio.wait(
            (shown, gone), timeout=SHOW_TIMEOUT, return_when=asyncio.FIRST_COMPLETED
        )
        shown.cancel()
        gone.cancel()
        return gone not in done

    async def _link_to(self, place: str) -> str:
        link = await self._link()
        return link if place == "/" else f"{link}?to={quote(place, safe='')}"

    async def _start(self, place: str) -> None:
        link = await self._link_to(place)
        try:
            process = await asyncio.create_subprocess_exec(
                *command(), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
        except OSError as error:
            self._possible, self._why_not = False, str(error)
            await self._browse(link, self._why_not)
            return
        self._process = process
        await self._say(url=link, icon=self._icon)
        self._watching = asyncio.create_task(self._watch(process, place))

    async def _watch(self, process: Process, place: str) -> None:
        assert process.stdout is not None
        loaded, why = False, ""
        while line := await process.stdout.readline():
            with contextlib.suppress(ValueError):
                said = json.loads(line)
                loaded = loaded or said.get("event") == "loaded"
                if said.get("event") == "shown":
                    self._shown.set()
                why = said.get("why") or why
        code = await process.wait()
        if self._closing:
            return
        if loaded:
            self._closed()
            return
        self._possible = False
        self._why_not = visible(why, 300) or f"its process ended with status {code}"
        log.info("no window: %s", self._why_not)
        # Another link: that one may be used up.
        await self._browse(await self._link_to(place), self._why_not)

    async def _say(self, **what: Any) -> bool:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(what).encode() + b"\n")
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True


def has_display(system: str = sys.platform) -> bool:
    """Whether a window could be shown at all."""
    if system != "linux":
        return True
    return bool(os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY"))
