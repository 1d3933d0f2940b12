"""The icon in the tray, by whatever means there is here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wassette_desktop.icon import Picture
    from wassette_desktop.state import Action, Item

    Act = Callable[[Action], None]
    """Told of clicks, in whatever thread; returns at once."""


class Tray(Protocol):
    """An icon. `run` is for the main thread, which some systems insist on; the rest for any."""

    @property
    def visible(self) -> bool:
        """Whether a person can see it, as far as that can be known."""
        ...

    def run(self) -> None:
        """Until `stop`."""
        ...

    def show(self, picture: Picture, summary: str, menu: Sequence[Item]) -> None: ...

    def stop(self) -> None: ...
