"""Lines out of a stream of bytes, and what is between them on the way to a host. Standard library
only; for both ends.

After the greeting (one line of JSON each way) the stream is MCP: one JSON-RPC message a line.
"""

from __future__ import annotations

MAX_LINE = 32 * 1024 * 1024
"""Bytes of one message. Longer ones are refused, without being kept."""

END = b'{"wassette":"end"}'
"""From a bridge: the client has no more to say, but still listens. A connection that ends without
it is one whose client is gone: what it asked for is cancelled."""

TOO_LONG = (
    b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,'
    b'"message":"the message is over 32 MiB, the most that Wassette takes"}}\n'
)


class Lines:
    """Cuts a stream into lines. An overlong one is given as None, once, when its end comes."""

    def __init__(self, limit: int = MAX_LINE) -> None:
        self.limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes | None]:
        """The lines that `data` ends, without their ends."""
        *ended, rest = data.split(b"\n")
        lines: list[bytes | None] = []
        for piece in ended:
            self._keep(piece)
            lines.append(self._take())
        self._keep(rest)
        return lines

    def rest(self) -> bytes | None:
        """What came after the last line end; the stream is over."""
        return self._take()

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self.limit:
            self._parts.clear()
        elif piece:
            self._parts.append(piece)

    def _take(self) -> bytes | None:
        line = None if self._size > self.limit else b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        return line
