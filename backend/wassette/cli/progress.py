"""How far a load has come, in one line on the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from typing import Self

_INTERVAL = 0.1  # seconds between two looks of the line
_PATIENCE = 0.3  # seconds before it appears: quick work needs no line


class ProgressLine:
    """A line on stderr that is there while the block runs; nothing if stderr is no terminal.

    Called with a stage and how much of it is done (0 to 1), or None if that is not known.
    """

    def __init__(self) -> None:
        self._stage = ""
        self._done: float | None = None
        self._stage_begun = time.monotonic()
        self._shown = 0
        self._ticker: asyncio.Task[None] | None = None

    def __call__(self, stage: str, done: float | None) -> None:
        if stage != self._stage:
            self._stage, self._stage_begun = stage, time.monotonic()
        self._done = done

    async def __aenter__(self) -> Self:
        if sys.stderr.isatty():
            self._ticker = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()

    async def end(self) -> None:
        """Take the line away for good: something else is to be read."""
        ticker, self._ticker = self._ticker, None
        if ticker is not None:
            ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticker
            if self._shown:
                self._draw("")

    async def _tick(self) -> None:
        await asyncio.sleep(_PATIENCE)
        while True:
            self._draw(self._text())
            await asyncio.sleep(_INTERVAL)

    def _text(self) -> str:
        if not self._stage:
            return ""
        if self._done is not None:
            return f"{self._stage} {self._done:.0%}"
        return f"{self._stage} {time.monotonic() - self._stage_begun:.0f} s"

    def _draw(self, text: str) -> None:
        # Blanks rather than a control sequence, which older Windows consoles print.
        sys.stderr.write("\r" + text.ljust(self._shown) + ("" if text else "\r"))
        sys.stderr.flush()
        self._shown = len(text)
