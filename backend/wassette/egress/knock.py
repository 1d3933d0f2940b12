"""The head of a request at a door, which is open to every program of this machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import h11

from wassette.egress.heads import BadMessage, check_strict

if TYPE_CHECKING:
    from wassette.egress.wire import Wire

_TARGET = re.compile(rb"/[A-Za-z0-9_-]{16,64}")


async def knock(wire: Wire, here: str, limit: int) -> tuple[h11.Connection, h11.Request]:
    """Reads as strictly as it can: only a guard's client should be there. Raises `BadMessage`."""
    head = bytearray()
    while (end := head.find(b"\r\n\r\n")) < 0:
        if len(head) > limit:
            raise BadMessage("the head is too long")
        data = await wire.read()
        if not data:
            raise BadMessage("no request")
        head += data
    if end > limit:
        raise BadMessage("the head is too long")
    check_strict(bytes(head[: end + 2]))
    conn = h11.Connection(h11.SERVER, max_incomplete_event_size=limit)
    try:
        conn.receive_data(bytes(head))
        request = conn.next_event()
    except h11.ProtocolError:
        raise BadMessage("not HTTP") from None
    if not isinstance(request, h11.Request) or request.http_version != b"1.1":
        raise BadMessage("not HTTP/1.1")
    hosts = [value for name, value in request.headers if name == b"host"]
    if hosts != [here.encode()]:
        # A page in a browser that was led here has another one.
        raise BadMessage("another host")
    if not _TARGET.fullmatch(request.target):
        raise BadMessage("no token")
    return conn, request
