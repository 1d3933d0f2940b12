"""Sees to it that there is a host: the one that runs already, or else one in this process.

Either way it is spoken to as from anywhere else, over its socket and the window's API. There are
never two over one component directory, since the host's lock decides (hosting/rendezvous.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any

from wassette.errors import WassetteError, visible
from wassette.hosting import rendezvous
from wassette.hosting.rendezvous import HostUnavailable, Rendezvous

if TYPE_CHECKING:
    from collections.abc import Callable

    from wassette.config import Settings
    from wassette.window.offered import Autostart

ANSWER_TIMEOUT = 30.0
"""Seconds; the window's server is imported when it is first wanted."""


class NoHost(WassetteError):
    """There is no host to talk to, and none could be started."""


class Keeper:
    """Use in one loop. `ended` is called when a host that was ours has ended, as somebody told it
    to."""

    def __init__(
        self, settings: Settings, ended: Callable[[], None], autostart: Autostart | None = None
    ) -> None:
        """`autostart`: what the window of a host of ours can set, too."""
        self._settings = settings
        self._autostart = autostart
        self._directory = str(settings.component_dir)
        self._ended = ended
        self._ending = asyncio.Event()
        self._ours: asyncio.Task[bool] | None = None

    @property
    def owns(self) -> bool:
        """Whether the host is in this process."""
        return self._ours is not None and not self._ours.done()

    async def link(self) -> str:
        """A one-time link to the window of the host, which is started if there is none. Raises
        `NoHost`."""
        answer = await self._ask({"want": "window"})
        if answer is None:
            await self._start()
            answer = await self._ask({"want": "window"})
        if answer is None:
            raise NoHost("Wassette's host process ended before it answered")
        url = answer.get("url")
        if answer.get("ok") is not True or not isinstance(url, str):
            raise NoHost(visible(str(answer.get("error") or "the host gave no proper answer"), 500))
        return url

    async def end(self) -> None:
        """End our host, if it is ours: running calls may finish, clients are disconnected."""
        self._ending.set()
        if self._ours is not None:
            await asyncio.wait([self._ours])

    async def _start(self) -> None:
        if self._ending.is_set() or self.owns:
            return
        from wassette.hosting.process import serve_within

        started = asyncio.Event()
        ours = self._ours = asyncio.create_task(
            serve_within(self._settings, started.set, self._ending, self._autostart), name="host"
        )
        waiting = asyncio.create_task(started.wait())
        await asyncio.wait([ours, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not ours.done():
            ours.add_done_callback(self._over)
            return
        self._ours = None
        try:
            ours.result()  # False: another one was there first
        except WassetteError as error:
            raise NoHost(str(error)) from None

    def _over(self, ours: asyncio.Task[bool]) -> None:
        if not self._ending.is_set() and not ours.cancelled():
            self._ended()

    async def _ask(self, question: dict[str, Any]) -> dict[str, Any] | None:
        """What the host says; None if there is none."""
        hello = json.dumps({"wassette": rendezvous.PROTOCOL, **question}).encode() + b"\n"
        try:
            ask = _ask_pipe if sys.platform == "win32" else _ask_socket
            line = await asyncio.to_thread(ask, self._directory, hello)
        except HostUnavailable as error:
            raise NoHost(str(error)) from None
        said = None
        with contextlib.suppress(ValueError):
            said = json.loads(line) if line else None
        return said if isinstance(said, dict) else None


def _ask_socket(directory: str, hello: bytes) -> bytes:
    place = Rendezvous(directory)
    try:
        sock = place.connect()
        if sock is None:
            return b""
        try:
            return rendezvous.greet(sock, hello, ANSWER_TIMEOUT)
        finally:
            sock.close()
    finally:
        place.close()


def _ask_pipe(directory: str, hello: bytes) -> bytes:
    """On Windows, where a pipe can be opened like a file. Not run there yet."""
    from wassette.hosting.windows import pipe_name

    try:
        with open(pipe_name(directory), "r+b", buffering=0) as pipe:
            pipe.write(hello)
            return pipe.readline()
    except OSError:
        return b""
