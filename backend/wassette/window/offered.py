"""What the process that a window is in has to offer besides the host. Each may be missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Autostart(Protocol):
    """Starting at login, of the program that the host is a part of. For any thread."""

    def enabled(self) -> bool: ...

    def set(self, enabled: bool) -> None:
        """Raises `WassetteError`."""
        ...


@dataclass(frozen=True)
class Offered:
    autostart: Autostart | None = None
    """That of the desktop app, where the host is in it."""


NOTHING = Offered()
