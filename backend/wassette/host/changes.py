"""Where the parts of a host say that something is otherwise than before."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Changes:
    """One for each host: between the parts that change something and `Watching`."""

    def __init__(self) -> None:
        self.follower: Callable[[], None] | None = None
        """Called at once, by whatever changed something; None while nobody watches."""

    @property
    def followed(self) -> bool:
        """Whether this is a host that stays, which may prepare what will be needed."""
        return self.follower is not None

    def tell(self) -> None:
        """Something was changed, or may have been."""
        if self.follower is not None:
            self.follower()
