"""Systems that nobody has made walls for: nothing stands but the limits."""

from __future__ import annotations

from . import limits
from .model import Confinement, Name, Wall


def available() -> tuple[Wall, ...]:
    none = "there are no walls for this operating system yet"
    return tuple(
        Wall(name, stands=True, by="resource limits")
        if name is Name.LIMITS
        else Wall(name, stands=False, why=none, possible=False)
        for name in Name
    )


def prepare() -> None:
    """Nothing is the same for all workers."""


def confine(to: Confinement) -> tuple[Wall, ...]:
    limits.apply(to.memory)
    return available()
