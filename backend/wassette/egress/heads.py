"""Which headers pass, and how a message is framed: pure functions about h11's events.

What belongs to one connection only is ours on each side. Whatever lengths and encodings came in,
both sides get one framing, made here from what was understood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import h11

    from wassette.egress.inject import Headers
    from wassette.egress.scrub import Scrubber

# About the connection (RFC 9110, 7.6.1), or about how to get through it.
_OURS = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"http2-settings",
        b"keep-alive",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# A line that ends in one character, or goes on in the next: read in two ways by two programs.
_DOUBTFUL = re.compile(rb"(?<!\r)\n|\r(?!\n)|\r\n[ \t]|\0")


class BadMessage(Exception):
    """What came is not as it should be. The text is ours and quotes nothing."""


@dataclass(frozen=True)
class Framing:
    """How long a body is: `length`, or None for pieces (`chunked`) or until the connection ends."""

    length: int | None
    chunked: bool = False

    @property
    def empty(self) -> bool:
        return self.length == 0


EMPTY = Framing(0)
CHUNKED = Framing(None, chunked=True)
NO_CONTENT = (204, 304)
"""Statuses whose responses have no body, whatever was asked for."""
BODILESS = ("GET", "HEAD")
"""Methods that the guard sends as POST, so that only the end of the body says that it is empty."""


def check_strict(head: bytes) -> None:
    """For a head from the component's side, where only our own guard should be writing."""
    if _DOUBTFUL.search(head):
        raise BadMessage("a line that can be read in two ways")


def request_framing(request: h11.Request) -> Framing:
    headers = dict(request.headers)
    if b"transfer-encoding" in headers:
        if b"content-length" in headers:
            raise BadMessage("two lengths")
        return CHUNKED
    return Framing(int(headers.get(b"content-length", b"0")))


def response_framing(response: h11.Response, method: str) -> Framing:
    if method == "HEAD" or response.status_code in NO_CONTENT:
        return EMPTY
    headers = dict(response.headers)
    if b"transfer-encoding" in headers:
        return CHUNKED
    length = headers.get(b"content-length")
    return Framing(None if length is None else int(length))


def passing(message: h11.Request | h11.Response) -> Headers:
    """Those that are neither about a connection nor about a proxy, as they were spelled."""
    named = {
        name.strip().lower()
        for key, value in message.headers
        if key == b"connection"
        for name in value.split(b",")
    }
    return [
        (raw, value)
        for raw, value in message.headers.raw_items()
        if not ((name := raw.lower()) in _OURS or name in named or name.startswith(b"proxy-"))
    ]


def framing_headers(framing: Framing, *, always: bool = False) -> Headers:
    """`always` also says that there is nothing."""
    if framing.length is None:
        return [(b"Transfer-Encoding", b"chunked")]
    if framing.length or always:
        return [(b"Content-Length", b"%d" % framing.length)]
    return []


def identity_only(headers: Headers) -> Headers:
    """Asks for a body that can be read on the way."""
    kept = [(name, value) for name, value in headers if name.lower() != b"accept-encoding"]
    return [*kept, (b"Accept-Encoding", b"identity")]


def is_encoded(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    return any(
        name.lower() == b"content-encoding" and value.strip().lower() not in (b"", b"identity")
        for name, value in headers
    )


def clean(headers: Headers, scrubber: Scrubber) -> Headers:
    """Without secrets in the values; a header that has one in its name is left out."""
    return [
        (name, scrubber.clean(value)) for name, value in headers if scrubber.clean(name) == name
    ]


def size(response: h11.Response) -> int:
    return sum(len(name) + len(value) + 4 for name, value in response.headers)
