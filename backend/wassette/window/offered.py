"""What the process that a window is in has to offer besides the host. Each may be missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from wassette.web.options import WebOptions


class Autostart(Protocol):
    """Starting at login, of the program that the host is a part of. For any thread."""

    def enabled(self) -> bool: ...

    def set(self, enabled: bool) -> None:
        """Raises `WassetteError`."""
        ...


class Http(Protocol):
    """A server of MCP over HTTP, in this process."""

    @property
    def url(self) -> str: ...

    options: WebOptions


@dataclass(frozen=True)
class Offered:
    autostart: Autostart | None = None
    """That of the desktop app, where the host is in it."""
    http: Http | None = None


NOTHING = Offered()
