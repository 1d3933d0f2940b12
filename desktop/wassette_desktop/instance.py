"""One desktop app for each component directory: the first one stays, another hands over to it.

In the runtime directory, beside those of the host and as well protected (hosting/rendezvous.py):

    desktop-KEY.lock    locked for as long as the app lives; the system frees it, however that ends
    desktop-KEY.sock    where the app hears of what others were started for
    desktop-KEY.json    its process id, for people

On Windows a named pipe is both.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

from wassette.errors import WassetteError
from wassette.hosting import rendezvous
from wassette.hosting.rendezvous import HostUnavailable, Rendezvous

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 15.0
"""Seconds in which an app that starts, or ends, gets as far as to answer or to be gone."""
MAX_LINE = 65536
_TALK = 5.0


class InstanceError(WassetteError):
    """The other app cannot be reached, or there can be none here."""


class Place(Rendezvous):
    """Where the app of a component directory is; of any version, unlike the host."""

    def __init__(self, directory: str) -> None:
        super().__init__(directory, key=rendezvous.host_key(directory, ""))

    def _name(self, kind: str) -> str:
        return f"desktop-{self.key}.{kind}"


class Instance:
    """This process, if it is the app. Another is told to show its window by `hand_over`."""

    def __init__(self, place: Place | None, lock: int, directory: str) -> None:
        self._place = place
        self._lock = lock
        self._directory = directory
        self._server: asyncio.Server | None = None
        self._pipes: list[Any] = []

    async def listen(self, show: Callable[[str], None]) -> None:
        """Hear of other starts: `show` is called with the place in the window that they want."""

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, TimeoutError, ValueError):
                async with asyncio.timeout(_TALK):
                    wanted = _wanted(await reader.readline())
                    if wanted is not None:
                        show(wanted)
                        answer = {"wassette-desktop": 1, "ok": True, "pid": os.getpid()}
                        writer.write(json.dumps(answer).encode() + b"\n")
                        await writer.drain()
            writer.close()

        if sys.platform == "win32":
            loop: Any = asyncio.get_running_loop()
            self._pipes = await loop.start_serving_pipe(
                lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader(), accept),
                _pipe(self._directory),
            )
            return
        assert self._place is not None
        listening = self._place.listen(json.dumps({"pid": os.getpid()}).encode() + b"\n")
        sock = socket.socket(fileno=listening.detach())
        self._server = await asyncio.start_unix_server(
            _of_this_user(accept), sock=sock, limit=MAX_LINE
        )

    def close(self) -> None:
        """Be found by nobody any more. Call in the loop if it listened."""
        for pipe in self._pipes:
            pipe.close()
        if self._server is not None:
            self._server.close()
        if self._place is not None:
            self._place.clear()
            os.close(self._lock)
            self._place.close()
            self._place = None


def _of_this_user(accept: Any) -> Any:
    async def checked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        uid = rendezvous.peer_uid(writer.get_extra_info("socket"))
        if uid == os.getuid():
            await accept(reader, writer)
        else:
            writer.close()

    return checked


def _wanted(line: bytes) -> str | None:
    said = json.loads(line or b"null")
    if not isinstance(said, dict) or said.get("wassette-desktop") != 1:
        return None
    wanted = said.get("show")
    return wanted if isinstance(wanted, str) and is_place(wanted) else None


def is_place(text: str) -> bool:
    """Whether a text is a path (with a query) within the window, and nowhere else: `//host` and
    `/\\host` are another site to a browser."""
    return (
        text.startswith("/")
        and not text.startswith(("//", "/\\"))
        and text.isascii()
        and text.isprintable()
        and len(text) <= MAX_LINE // 2
    )


def claim(directory: str, show: str) -> Instance | None:
    """Be the app. None if there is one, which has been told to show `show`. Raises
    `InstanceError`."""
    if sys.platform == "win32":
        return None if _told_by_pipe(directory, show) else Instance(None, -1, directory)
    try:
        place = Place(directory)
        give_up = time.monotonic() + PATIENCE
        while (lock := place.lock("lock")) < 0:
            if _told(place, show):
                place.close()
                return None
            if time.monotonic() > give_up:
                raise InstanceError(
                    f"another Wassette has held {place.lock_path} for {PATIENCE:g} s but does "
                    f"not answer. {place.json_path} has its process id: end it, and try again"
                )
            time.sleep(0.05)
    except HostUnavailable as error:
        raise InstanceError(str(error)) from None
    return Instance(place, lock, directory)


def _told(place: Place, show: str) -> bool:
    sock = place.connect()
    if sock is None:
        return False
    try:
        answer = rendezvous.greet(sock, _message(show), _TALK)
    finally:
        sock.close()
    return bool(answer)


def _message(show: str) -> bytes:
    return json.dumps({"wassette-desktop": 1, "show": show}).encode() + b"\n"


# ---- Windows: written from its documents, not run there yet --------------------------------------


def _pipe(directory: str) -> str:
    user = "".join(c if c.isalnum() else "-" for c in os.environ.get("USERNAME", "user"))
    return rf"\\.\pipe\wassette-desktop-{user}-{rendezvous.host_key(directory, '')}"


def _told_by_pipe(directory: str, show: str) -> bool:
    try:
        with open(_pipe(directory), "r+b", buffering=0) as pipe:
            pipe.write(_message(show))
            return bool(pipe.read(MAX_LINE))
    except OSError:
        return False
