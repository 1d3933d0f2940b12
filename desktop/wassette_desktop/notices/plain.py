"""Notifications without buttons: macOS, Windows. To decide, a person opens the window."""

from __future__ import annotations

import asyncio
import logging
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from . import Notice

log = logging.getLogger(__name__)

_MAX_TITLE, _MAX_BODY = 60, 250
"""Characters; Windows refuses more than 63 and 255."""
_TIMEOUT = 10.0


class PlainNotifier:
    """Says each thing once; what was said cannot be withdrawn."""

    def __init__(self, say: Callable[[str, str], None]) -> None:
        self._say = say
        """Given a title and a text. May take its time."""
        self._shown: set[str] = set()

    async def available(self) -> bool:
        return True

    async def show(self, notice: Notice) -> None:
        if notice.key in self._shown:
            return
        self._shown.add(notice.key)
        # The first line: the rest may have what only its owner should see, on a screen that others
        # look at, and there is no room for it.
        text = notice.body.partition("\n")[0][:_MAX_BODY]
        try:
            await asyncio.to_thread(self._say, notice.title[:_MAX_TITLE], text)
        except Exception as error:  # noqa: BLE001  (of three systems)
            log.info("no notification: %s: %s", type(error).__name__, error)

    async def withdraw(self, key: str) -> None:
        self._shown.discard(key)

    async def close(self) -> None:
        self._shown.clear()


class NoNotifier:
    async def available(self) -> bool:
        return False

    async def show(self, notice: Notice) -> None:
        """There is nobody to show it."""

    async def withdraw(self, key: str) -> None:
        """Nothing was shown."""

    async def close(self) -> None:
        """Nothing was shown."""


def by_osascript(run: Callable[..., Any] = subprocess.run) -> Callable[[str, str], None]:
    """On macOS. The text goes in on stdin: every user can see the arguments of a process."""

    def say(title: str, text: str) -> None:
        script = f"display notification {_quoted(text)} with title {_quoted(title)}"
        run(
            ["/usr/bin/osascript", "-"],
            input=script.encode(),
            check=True,
            timeout=_TIMEOUT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    return say


def _quoted(text: str) -> str:
    """A string of AppleScript, which ends at a quote and goes on after a backslash."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + " ".join(escaped.splitlines()) + '"'
