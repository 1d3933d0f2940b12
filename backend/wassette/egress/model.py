"""What goes into the relay and comes out of it, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import socket

    from wassette.policy import Policy
    from wassette.policy.injection import BoundSecret


@dataclass(frozen=True)
class Want:
    """A request as the component wrote it: nothing of it was checked."""

    method: str
    scheme: str
    authority: str
    path: str
    """With the query; may be empty."""
    connect_timeout: float | None = None
    """Seconds; the component's own wish."""


@dataclass(frozen=True)
class Route:
    """Where the guard sends the request now, and how long it should wait there (seconds)."""

    authority: str
    path: str
    first_byte: float
    idle: float


@dataclass(frozen=True)
class Rules:
    """What a component may do at this moment; the caller reads them again for each request."""

    policy: Policy | None
    secrets: tuple[BoundSecret, ...] = ()


@dataclass
class Exchange:
    """The record of one request: filled while it runs, given away when it is over.

    `url` and the texts have neither secrets in them nor what stands for them.
    """

    method: str
    url: str
    address: str | None = None
    """What was connected to; `proxy host:port` if that was a proxy."""
    status: int | None = None
    sent: int = 0
    """Bytes of the request's body."""
    received: int = 0
    """Bytes of the response's body."""
    seconds: float = 0.0
    allowed: bool = False
    reason: str = ""
    rule: str | None = None
    error: str | None = None
    """Why it failed, or was cut off; None if it went well. What is refused is no error."""


class Resolver(Protocol):
    async def resolve(self, host: str, port: int) -> list[str]:
        """The addresses of a name, the one to try first first; `OSError` if it has none."""


class Dial(Protocol):
    async def __call__(self, address: str, port: int) -> socket.socket:
        """A connected, non-blocking socket; `OSError` if there is none."""
