"""One connection: bytes in, bytes out, with backpressure both ways.

asyncio's streams copy everything through one buffer; this hands on the pieces as they arrive.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

# Bytes that arrived and were not read, after which reading stops; bytes that were written and not
# sent, after which `drain` waits. Memory for a connection is about the sum.
_UNREAD = 256 * 1024
_UNSENT = 256 * 1024


class Wire(asyncio.Protocol):
    """`on_end` is called when the other side ends the connection (not when we do), and `on_data`
    for bytes that arrive while nothing may; both at once, not when the bytes before are read."""

    def __init__(self, on_made: Callable[[Wire], None] | None = None) -> None:
        self.on_end: Callable[[], None] | None = None
        self.on_data: Callable[[], None] | None = None
        self._on_made = on_made
        self._transport: asyncio.Transport | None = None
        self._received: deque[bytes] = deque()
        self._unread = 0
        self._reading = True
        self._writable = True
        self._ended = False
        self._error: Exception | None = None
        self._lost = False
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None

    @property
    def transport(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport

    @property
    def unread(self) -> bool:
        """Whether bytes have arrived that nobody has read."""
        return bool(self._received)

    @property
    def ended(self) -> bool:
        return self._ended or self._lost

    # ---- reading and writing -------------------------------------------------------------------

    async def read(self) -> bytes:
        """The next bytes; none at the end. `ConnectionError` if there was no proper end."""
        while not self._received:
            if self._ended:
                return b""
            if self._lost:
                if self._error is not None:
                    raise ConnectionResetError("connection lost") from None
                return b""
            self._reader = waiting = asyncio.get_running_loop().create_future()
            try:
                await waiting
            finally:
                # One that is cancelled ends only when another may be waiting already.
                if self._reader is waiting:
                    self._reader = None
        data = self._received.popleft()
        self._unread -= len(data)
        if not self._reading and not self._received and not self._lost:
            self._reading = True
            self.transport.resume_reading()
        return data

    def write(self, data: bytes) -> None:
        """Sends what it can, keeps the rest. `ConnectionError` if the connection is gone."""
        if self._lost or self.transport.is_closing():
            raise ConnectionResetError("connection lost")
        self.transport.write(data)

    @property
    def full(self) -> bool:
        """Whether to `drain` before the next `write`."""
        return not self._writable

    async def drain(self) -> None:
        """Until more may be written."""
        while not self._writable:
            if self._lost:
                raise ConnectionResetError("connection lost")
            self._writer = asyncio.get_running_loop().create_future()
            try:
                await self._writer
            finally:
                self._writer = None

    async def flush(self) -> None:
        """Until the system has taken everything."""
        self.transport.set_write_buffer_limits(high=0)
        if self.transport.get_write_buffer_size():
            self._writable = False
        await self.drain()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """At once, with what was not sent."""
        self.on_end = self.on_data = None
        if self._transport is not None:
            self._transport.abort()

    def secured(self, transport: asyncio.Transport) -> None:
        """The same connection, from now on through TLS."""
        self._transport = transport
        transport.set_write_buffer_limits(high=_UNSENT)

    # ---- what asyncio calls --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_UNSENT)
        if self._on_made is not None:
            self._on_made(self)

    def data_received(self, data: bytes) -> None:
        if self.on_data is not None:
            self.on_data()
            return
        self._received.append(data)
        self._unread += len(data)
        if self._unread > _UNREAD and self._reading:
            self._reading = False
            self.transport.pause_reading()
        self._wake(self._reader)

    def eof_received(self) -> None:
        self._ended = True
        self._wake(self._reader)
        self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._error = exc
        self._wake(self._reader)
        self._wake(self._writer)
        self._tell()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._wake(self._writer)

    def _tell(self) -> None:
        on_end, self.on_end = self.on_end, None
        if on_end is not None:
            on_end()

    @staticmethod
    def _wake(waiting: asyncio.Future[None] | None) -> None:
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
