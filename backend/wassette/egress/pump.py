"""Moves one request and its response between the component's connection and the server's.

Both ways at once: a response may begin, and end, before the request has. What cannot be passed on
is not read, so that memory stays flat. Nothing here is said to either side about what went wrong:
their connection ends, and the record has the reason.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import h11

from wassette.egress import heads
from wassette.egress.heads import BadMessage, Framing

if TYPE_CHECKING:
    from wassette.egress.attempt import Attempt
    from wassette.egress.inject import Headers
    from wassette.egress.scrub import Scrubber, Stream
    from wassette.egress.wire import Wire
    from wassette.egress_options import EgressOptions

# The guard's limits are shorter: wasi:http has proper errors for them.
GRACE = 5.0
# How long a component may go on sending when it has its response. The end of its connection would
# take that away again: the runtime fails a request whose connection ends before all of it is sent.
_LINGER = 5.0
# How long a GET or HEAD may take to say that it has no body. Nearly all say it at once; one that
# does not goes out without.
_BODILESS = 1.0
# Answers before the answer. Nobody sends more.
_MAX_INFORMATIONAL = 32
# How many pieces of a chunked body are parsed without letting others do something.
_PIECES = 64


@dataclass(frozen=True)
class Sending:
    """A request, ready to be sent over a connection that is there."""

    method: str
    target: bytes
    headers: Headers
    """Before those that came: Host, and the proxy's."""
    upstream: Wire
    scrubber: Scrubber | None
    """The component has secrets: they are taken out of what comes back."""
    must_read: bool
    """One may have been put in: what comes back has to be readable."""


class Pump:
    """For one request whose head has arrived. `run` moves everything, `end` stops it at once."""

    def __init__(
        self,
        guest: Wire,
        conn: h11.Connection,
        framing: Framing,
        headers: Headers,
        sending: Sending,
        attempt: Attempt,
        options: EgressOptions,
        *,
        as_post: bool,
    ) -> None:
        """`as_post`: the guard has sent another method as POST."""
        self._guest = guest
        self._conn = conn
        self._upstream = sending.upstream
        self._sending = sending
        self._attempt = attempt
        self._options = options
        self._framing = framing
        self._headers = headers
        self._as_post = as_post
        self._loop = asyncio.get_running_loop()
        self._moved = self._began = self._loop.time()
        self._limit = options.first_byte_timeout + GRACE
        self._timer = self._loop.call_later(self._limit, self._look)
        self._task: asyncio.Task[None] | None = None
        self._upload: asyncio.Task[None] | None = None
        self._first: asyncio.Task[bytes] | None = None
        self._why: str | None = None

    async def run(self) -> None:
        """Until both sides are done with each other. Never raises but when it is cancelled."""
        self._task = asyncio.current_task()
        guest = self._guest
        try:
            if self._why is None:
                guest.on_end = lambda: self.end("The component closed the connection")
                if guest.ended:
                    self.end("The component closed the connection")
                else:
                    await self._exchange()
        except asyncio.CancelledError:
            if self._why is None:
                self.end("The request was ended")
                raise
        except (BadMessage, h11.ProtocolError) as error:
            # h11 quotes what it got: never shown.
            text = str(error) if isinstance(error, BadMessage) else "it is not valid HTTP"
            self.end(f"The response was not passed on: {text}")
        except ConnectionError:
            self.end("The server closed the connection before the end of the response")
        except Exception as error:  # noqa: BLE001 - one request, whatever it was
            self.end(f"The request failed ({type(error).__name__})")
        finally:
            self._timer.cancel()
            self._upstream.abort()
            uploaded = self._upload is None or self._upload.done()
            for task in (self._upload, self._first):
                if task is not None:
                    task.cancel()
            self._attempt.finish(self._why)
            if self._why is not None:
                guest.abort()
        if self._why is None:
            await self._leave(uploaded)

    def end(self, why: str) -> None:
        """At once: both connections are gone when this returns."""
        if self._why is not None or self._attempt.over:
            return
        self._why = why
        self._guest.abort()
        self._upstream.abort()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    # ---- out -----------------------------------------------------------------------------------

    async def _exchange(self) -> None:
        sending = self._sending
        client = h11.Connection(
            h11.CLIENT, max_incomplete_event_size=self._options.max_header_bytes
        )
        body = None if self._framing.empty else _body(self._conn, self._guest, self._framing)
        framing = self._framing if body is None else await self._outgoing(body)
        request = h11.Request(
            method=sending.method,
            target=sending.target,
            headers=[
                *sending.headers,
                *self._headers,
                *heads.framing_headers(framing, always=sending.method in ("POST", "PUT", "PATCH")),
                (b"Connection", b"close"),
            ],
        )
        self._upstream.write(client.send(request))
        if body is None:
            self._sent_all(_leftover(self._conn))
        else:
            self._upload = self._loop.create_task(self._send_body(body, framing))
        if self._why is None:
            await self._receive(client)

    async def _outgoing(self, body: _Body) -> Framing:
        """How the server gets the body: as it came, but that a GET or HEAD without one has none.

        The guard sends them as POST (see its `http.c`), so that only the body's end says that
        there is nothing in it. That is waited for: a component whose request is answered before
        finds that its body is gone, and takes it for a lost connection.
        """
        if self._sending.method not in heads.BODILESS or not self._framing.chunked:
            return self._framing
        self._first = first = self._loop.create_task(body.read())
        await asyncio.wait([first], timeout=_BODILESS)
        silent = not first.done() or (first.exception() is None and not first.result())
        return heads.EMPTY if silent else self._framing

    async def _send_body(self, body: _Body, framing: Framing) -> None:
        limit, exchange = self._options.max_request_bytes, self._attempt.exchange
        upstream, chunked = self._upstream, framing.chunked
        try:
            while data := await self._next(body):
                if framing.empty:
                    self.end("The body came late: without a content-length, it was sent as empty")
                    return
                exchange.sent += len(data)
                if exchange.sent > limit:
                    self.end(f"The request is over its limit of {limit} bytes")
                    return
                upstream.write(_chunk(data) if chunked else data)
                self._moved = self._loop.time()
                if upstream.full:
                    await upstream.drain()
                    self._moved = self._loop.time()
            if chunked:
                upstream.write(b"0\r\n\r\n")
            self._sent_all(body.left)
        except (BadMessage, h11.ProtocolError):
            self.end("The request's body is not as its head says")
        except ConnectionError:
            # The server wants no more of it; it may have answered nevertheless.
            return

    async def _next(self, body: _Body) -> bytes:
        first, self._first = self._first, None
        return await (body.read() if first is None else first)

    def _sent_all(self, left: bytes) -> None:
        """There is one request for each connection: whatever comes now was smuggled."""
        if left or self._guest.unread:
            self.end("More came after the request")
        else:
            self._guest.on_data = lambda: self.end("More came after the request")

    # ---- in ------------------------------------------------------------------------------------

    async def _receive(self, client: h11.Connection) -> None:
        response = await self._response(client)
        exchange = self._attempt.exchange
        exchange.status = response.status_code
        framing = heads.response_framing(response, self._sending.method)
        limit = self._options.max_response_bytes
        if framing.length is not None and framing.length > limit:
            raise BadMessage(f"it is over its limit of {limit} bytes")
        headers, stream = self._checked(response, framing)
        self._limit = self._options.idle_timeout + GRACE
        self._timer.cancel()
        self._look()
        guest = self._guest
        guest.write(self._head(response, framing, headers))
        chunked = framing.length is None
        body = _body(client, self._upstream, framing)
        while data := await body.read():
            exchange.received += len(data)
            if exchange.received > limit:
                raise BadMessage(f"it is over its limit of {limit} bytes")
            self._moved = self._loop.time()
            if stream is not None and not (data := stream.feed(data)):
                continue
            guest.write(_chunk(data) if chunked else data)
            if guest.full:
                await guest.drain()
                self._moved = self._loop.time()
        if stream is not None and (data := stream.finish()):
            guest.write(_chunk(data) if chunked else data)
        if chunked:
            guest.write(b"0\r\n\r\n")
        await guest.flush()

    async def _response(self, client: h11.Connection) -> h11.Response:
        informational = 0
        while True:
            event = client.next_event()
            if event is h11.NEED_DATA:
                data = await self._upstream.read()
                if not data:
                    raise BadMessage("the server closed the connection without answering")
                client.receive_data(data)
            elif isinstance(event, h11.InformationalResponse):
                informational += 1
                if informational > _MAX_INFORMATIONAL:
                    raise BadMessage("it does not begin")
            elif isinstance(event, h11.Response):
                if heads.size(event) > self._options.max_header_bytes:
                    raise BadMessage("its headers are too long")
                return event
            else:
                raise BadMessage("it is not valid HTTP")

    def _checked(self, response: h11.Response, framing: Framing) -> tuple[Headers, Stream | None]:
        headers = heads.passing(response)
        scrubber = self._sending.scrubber
        if scrubber is None:
            return headers, None
        if self._sending.must_read and not framing.empty and heads.is_encoded(headers):
            raise BadMessage("it is compressed, so that a secret could be in it unseen")
        return heads.clean(headers, scrubber), scrubber.stream()

    def _head(self, response: h11.Response, framing: Framing, headers: Headers) -> bytes:
        ours, after = heads.framing_headers(framing, always=True), b""
        if framing is heads.EMPTY:
            # What the body of another request would be like; a 204 has none.
            length = dict(response.headers).get(b"content-length")
            ours = [(b"Content-Length", length)] if length and response.status_code != 204 else []
            if self._as_post and response.status_code not in heads.NO_CONTENT:
                # To a POST, it is followed by that many bytes; but not if there are chunks.
                after = b"".join(b"%b: %b\r\n" % one for one in ours) + b"\r\n0\r\n\r\n"
                ours = heads.framing_headers(heads.CHUNKED)
        head = self._conn.send(
            h11.Response(
                status_code=response.status_code,
                headers=[*headers, *ours, (b"Connection", b"close")],
            )
        )
        assert head is not None
        return head.removesuffix(b"\r\n") + after if after else head

    # ---- the end -------------------------------------------------------------------------------

    def _look(self) -> None:
        """Whether a limit is over; else, when to look again."""
        now = self._loop.time()
        quiet = self._moved + self._limit
        last = self._began + self._options.total_timeout
        if now >= last:
            self.end(f"The request took longer than {self._options.total_timeout:g} s")
        elif now >= quiet:
            begun = self._attempt.exchange.status is not None
            what = "Nothing moved" if begun else "The server did not begin to answer"
            self.end(f"{what} for {self._limit - GRACE:g} s")
        else:
            self._timer = self._loop.call_at(min(quiet, last), self._look)

    async def _leave(self, uploaded: bool) -> None:
        """Closes the component's connection; one that still sends may do so for a while."""
        guest = self._guest
        guest.on_end = guest.on_data = None
        try:
            if uploaded:
                return
            async with asyncio.timeout(_LINGER):
                while await guest.read():
                    pass
        except (OSError, TimeoutError):
            return
        finally:
            guest.close()


# ---- bodies ------------------------------------------------------------------------------------


class _Body(Protocol):
    left: bytes
    """What came after it."""

    async def read(self) -> bytes:
        """The next piece; none at the end. Raises if that is not where it should be."""


class _Sized:
    """Bytes whose number is known: h11 has nothing to do."""

    def __init__(self, conn: h11.Connection, wire: Wire, length: int) -> None:
        self.left = _leftover(conn)
        self._wire = wire
        self._remaining = length

    async def read(self) -> bytes:
        if not self._remaining:
            return b""
        if self.left:
            data, self.left = self.left, b""
        elif not (data := await self._wire.read()):
            raise BadMessage("the connection was closed in the middle of it")
        if len(data) > self._remaining:
            self.left = data[self._remaining :]
            data = data[: self._remaining]
        self._remaining -= len(data)
        return data


class _Parsed:
    """Bytes whose end h11 has to find."""

    def __init__(self, conn: h11.Connection, wire: Wire) -> None:
        self.left = b""
        self._ended = False
        self._conn = conn
        self._wire = wire

    async def read(self) -> bytes:
        pieces: list[bytes] = []
        while not self._ended:
            event = self._conn.next_event()
            if isinstance(event, h11.Data):
                pieces.append(event.data)
                if len(pieces) >= _PIECES:
                    # Tiny pieces cost time that others wait for.
                    await asyncio.sleep(0)
                    break
            elif isinstance(event, h11.EndOfMessage):
                self.left = _leftover(self._conn)
                self._ended = True
            elif event is not h11.NEED_DATA:
                raise BadMessage("it is not valid HTTP")
            elif pieces:
                break
            else:
                self._conn.receive_data(await self._wire.read())
        return b"".join(pieces)


def _body(conn: h11.Connection, wire: Wire, framing: Framing) -> _Body:
    if framing.length is not None:
        return _Sized(conn, wire, framing.length)
    return _Parsed(conn, wire)


def _leftover(conn: h11.Connection) -> bytes:
    return conn.trailing_data[0]


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
