"""What walls there are, and what a process is confined to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

REQUIRE = "require"
"""Nothing runs where a wall does not stand that this operating system could have."""
BEST_EFFORT = "best-effort"
"""Walls that cannot be put up are done without."""


class Name(StrEnum):
    """The walls, by what they are around."""

    FILES = "files"
    NETWORK = "network"
    PROCESSES = "processes"
    KERNEL = "kernel"
    PRIVILEGES = "privileges"
    LIMITS = "limits"


DOES = {
    Name.FILES: "only files that the component was granted can be opened",
    Name.NETWORK: "only Wassette's own relay can be connected to, or nothing",
    Name.PROCESSES: "no other program can be started, looked into or signalled",
    Name.KERNEL: "of the kernel, only what a component needs can be used",
    Name.PRIVILEGES: "an administrator's privileges are given up",
    Name.LIMITS: "memory, open files and core dumps are limited",
}


@dataclass(frozen=True)
class Wall:
    """One wall, and whether it stands. All texts are for people."""

    name: Name
    stands: bool
    by: str = ""
    """What it is made of: `Landlock 7`."""
    why: str = ""
    """Why it does not stand."""
    possible: bool = True
    """Whether this operating system could have it: newer, or set up in another way."""

    @property
    def does(self) -> str:
        return DOES[self.name]


class Opening(NamedTuple):
    """What the wall of files lets through: a directory with everything below, or one file."""

    path: str
    device: int
    inode: int
    access: str
    """`r` and `w`; neither: the names in a directory."""


@dataclass(frozen=True)
class Confinement:
    """What a process may still do when the walls stand."""

    memory: int
    """Bytes that it may map for writing, all in all."""
    code: str | None = None
    """Path of a file of ours that it still has to read."""
    openings: tuple[Opening, ...] = field(default=())
    relay_port: int | None = None
    """The one TCP port, on this machine, that it may connect to; None: no connections at all."""


def refusal(walls: Iterable[Wall]) -> str | None:
    """What to say if all walls are required, but one of them does not stand; else None."""
    for wall in walls:
        if wall.possible and not wall.stands:
            return (
                f"was not run: the wall '{wall.name}' around its process does not stand here, "
                f"because {wall.why}. All walls are required (`walls` in config.toml, or "
                'WASSETTE_WALLS); with "best-effort" it runs without those that are missing. '
                "`wassette doctor` lists them."
            )
    return None
