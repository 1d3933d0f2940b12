"""Frames between the host and a worker.

A frame is a header (a JSON object with at least `kind`) and a body (bytes, never re-encoded):

    u32 header size | u32 body size | header | body        (little-endian)

    host → worker   load    {version, code, sha256, tier, mounts, memory, cpu, relay_port, walls}
                                                                   body: grants, JSON
                    call    {call, interface, function, reports?}  body: arguments, JSON
                    cancel  {call, reason}
                    answer  {call, ask}                            body: the answer, JSON
                    compile {version, source, output, tier, walls}
    worker → host   ready   {walls}   the names of those that stand
                    output  {call, stream}                         body: what the guest printed
                    refused {call, target, what}
                    ask     {call, ask, what}                      body: the question, JSON
                    result  {call, memory}                         body: the value, JSON
                    error   {call, error, message, memory}
                            error: a class in errors.py, or `stopped`; memory: bytes taken
                    compiled {}                                    body: what was found, JSON

An ask is part of a call, which waits for its answer: there is one at a time, and they are counted
from 1. `asks.py` has what is asked and answered. `relay_port`: of the one door on this machine that
the component's requests go through, null if it makes none.

Nothing is ever unpickled. The host takes a worker for hostile: sizes are bounded, and a frame that
does not parse ends the worker.
"""

from __future__ import annotations

import json
import select
import struct
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

VERSION = 3
MAX_HEADER = 64 * 1024
MAX_BODY = 64 * 1024 * 1024
_SIZES = struct.Struct("<II")
HEAD = _SIZES.size

Header = dict[str, Any]
_COMPACT = json.JSONEncoder(separators=(",", ":"))


class ProtocolError(Exception):
    """The other side sent something that is not a frame."""


def frame(header: Header, body: bytes = b"") -> bytes:
    """One frame as bytes. Raises `ProtocolError` when it is too large to be taken."""
    head = _COMPACT.encode(header).encode()
    if len(head) > MAX_HEADER or len(body) > MAX_BODY:
        raise ProtocolError(f"a frame of {len(head)} + {len(body)} bytes is too large")
    return _SIZES.pack(len(head), len(body)) + head + body


def sizes(data: bytes | bytearray) -> tuple[int, int]:
    """Header and body size from the first `HEAD` bytes of a frame."""
    head, body = _SIZES.unpack_from(data)
    if head > MAX_HEADER or body > MAX_BODY:
        raise ProtocolError(f"a frame of {head} + {body} bytes is too large")
    return head, body


def parse_header(data: bytes | bytearray) -> Header:
    try:
        header = json.loads(data)
    except (ValueError, RecursionError):
        raise ProtocolError("a frame's header is not JSON") from None
    if not isinstance(header, dict) or not isinstance(header.get("kind"), str):
        raise ProtocolError("a frame's header has no kind")
    return header


def grants(
    environment: tuple[tuple[str, str], ...],
    file_rules: str,
    openings: Sequence[tuple[str, int, int, str]] = (),
) -> bytes:
    """The body of a load request: what the component was granted, of any size."""
    granted = {"environment": environment, "file_rules": file_rules, "openings": openings}
    return json.dumps(granted, separators=(",", ":")).encode()


class Channel:
    """The worker's end, blocking. Any thread sends; one at a time receives."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._sending = threading.Lock()
        self._early = bytearray()  # read while a call ran, not yet a whole frame

    def send(self, header: Header, body: bytes = b"") -> None:
        data = frame(header, body)
        with self._sending:
            self.sock.sendall(data)

    def receive(self) -> tuple[Header, bytes]:
        """The next frame. Raises `EOFError` when the host is gone."""
        head, body = sizes(self._exactly(HEAD))
        header = parse_header(self._exactly(head))
        return header, self._exactly(body)

    def poll(self) -> tuple[Header, bytes] | None:
        """The next frame if all of it is here already. Raises `EOFError` as `receive` does."""
        while True:
            if len(self._early) >= HEAD:
                head, body = sizes(self._early)
                if len(self._early) >= HEAD + head + body:
                    return self.receive()
            if not select.select([self.sock], [], [], 0)[0]:
                return None
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self._early += data

    def _exactly(self, size: int) -> bytes:
        while len(self._early) < size:
            data = self.sock.recv(max(65536, size - len(self._early)))
            if not data:
                raise EOFError
            self._early += data
        taken = bytes(self._early[:size])
        del self._early[:size]
        return taken
