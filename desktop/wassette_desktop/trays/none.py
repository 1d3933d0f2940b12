"""No icon: the main thread only waits."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wassette_desktop.icon import Picture
    from wassette_desktop.state import Item


class NoTray:
    visible = False

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def run(self) -> None:
        self._stopped.wait()

    def show(self, picture: Picture, summary: str, menu: Sequence[Item]) -> None:
        """There is nowhere to show it."""

    def stop(self) -> None:
        self._stopped.set()
