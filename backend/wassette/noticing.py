"""When something in a directory changes: told by the system where it tells, else looked for.

Looking twenty times a second costs a laptop its rest. Linux tells (inotify), at no cost while
nothing happens; elsewhere, on file systems that others write to as well, and where there is no
inotify left to be had, looking is what there is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

OFTEN = 0.05
"""Seconds between two looks where nobody tells."""
ABSENT = 0.25
"""Seconds between two looks whether the directory is there."""
SELDOM = 2.0
"""Seconds between two looks where the system tells: another machine's changes it does not."""
BURST = 0.02
"""Seconds in which what belongs together comes: a component, what is known of it, its policy."""
_PASSING = (".lock", ".incoming-")
"""Names of what is not there to stay: every look takes the lock."""


class Noticing:
    """Waits for changes in a directory, which need not be there yet. For one task."""

    def __init__(self, directory: Path, often: float = OFTEN, seldom: float = SELDOM) -> None:
        self._directory = directory
        self._often, self._seldom = often, seldom
        self._inotify: Any = None
        """None: the system tells nothing of the directory as it is now."""
        self._possible = sys.platform == "linux"

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._close()

    async def wait(self) -> bool:
        """Whether there was word of a change; if not, it is time for a look."""
        if self._inotify is None:
            await asyncio.sleep(ABSENT if self._possible else self._often)
            await self._listen()
            return self._inotify is not None  # what was before that, nobody told
        try:
            async with asyncio.timeout(self._seldom):
                while not self._matters(await self._inotify.get()):
                    pass
        except TimeoutError:
            return False
        await self._burst()
        return True

    async def _burst(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BURST):
                while self._inotify is not None:
                    self._matters(await self._inotify.get())

    def _matters(self, event: Any) -> bool:
        from asyncinotify import Mask

        if event.mask & (Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.IGNORED):
            self._close()  # another may come to be there
            return True
        return event.name is None or not event.name.name.startswith(_PASSING)

    async def _listen(self) -> None:
        if self._possible and self._directory.is_dir():  # a look is less than a thread
            await asyncio.to_thread(self._open)

    def _open(self) -> None:
        try:
            from asyncinotify import Inotify, Mask

            self._inotify = Inotify()
            what = Mask.CREATE | Mask.DELETE | Mask.MOVE | Mask.CLOSE_WRITE | Mask.ATTRIB
            itself = Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.ONLYDIR
            self._inotify.add_watch(self._directory, what | itself)
        except FileNotFoundError:
            self._close()
        except (OSError, ImportError) as error:
            # The system gives each user so many, and then no more.
            log.info("changes in %s are looked for: %s", self._directory, error)
            self._possible = False
            self._close()

    def _close(self) -> None:
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None
