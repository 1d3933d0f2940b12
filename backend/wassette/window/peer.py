"""Whose program is at the other end of a connection.

Browsers send a cookie to every port of a machine. A server of another user on this machine that the
person visits gets ours, too, and could use it; but it cannot connect as the person. Linux tells who
does; where nothing does, the cookie alone counts.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wassette.web.protocol import LimitedProtocol

if TYPE_CHECKING:
    import asyncio

_TABLE = Path("/proc/net/tcp")


class OwnProtocol(LimitedProtocol):
    """Takes connections of this user (and root) only."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        ends = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        if sys.platform == "linux" and not is_own(*ends):
            transport.abort()


def is_own(peer: tuple[str, int], here: tuple[str, int], table: Path = _TABLE) -> bool:
    """Whether the other end (IPv4) of a connection on this machine is this user's, or root's."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return True  # nobody tells
    ends = [_end(peer), _end(here)]
    for line in lines:
        fields = line.split()
        if fields[1:3] == ends:
            return int(fields[7]) in (os.getuid(), 0)
    return False


def _end(address: tuple[str, int]) -> str:
    """As the table has it: the address as the machine's own number."""
    [number] = struct.unpack("=I", socket.inet_aton(address[0]))
    return f"{number:08X}:{address[1]:04X}"
