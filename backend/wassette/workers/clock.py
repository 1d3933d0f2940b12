"""How long a call may take. The time in which a person is asked something does not count."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Clock:
    """Of one call. Runs from `start` on, but for what is done in `stopped`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._left = seconds
        self._since = 0.0
        self._stops = 0
        self._expired: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self, expired: Callable[[], None]) -> None:
        """`expired` is called when the time is up."""
        self._expired = expired
        self._run()

    def end(self) -> None:
        self._halt()
        self._expired = None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self._halt()
        self._stops += 1
        try:
            yield
        finally:
            self._stops -= 1
            self._run()

    def _run(self) -> None:
        if self._expired is not None and not self._stops and self._timer is None:
            loop = asyncio.get_running_loop()
            self._since = loop.time()
            self._timer = loop.call_later(self._left, self._expired)

    def _halt(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._left = max(0.0, self._left - (asyncio.get_running_loop().time() - self._since))
