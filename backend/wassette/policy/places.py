"""Where paths really lead. The only part of a grant's evaluation that looks at the disk."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wassette.errors import NotEnforceable

if TYPE_CHECKING:
    from collections.abc import Sequence

# What Linux allows in one path.
_MAX_LINKS = 40


@dataclass(frozen=True)
class Place:
    """`path` without symbolic links, and the real path of every link on the way to it."""

    path: str
    links: tuple[str, ...] = ()


def find_directory(written: str) -> Place:
    """Follows an absolute path to a directory. Raises `NotEnforceable` with the reason."""
    try:
        place = _follow(written)
        mode = os.lstat(place.path).st_mode
    except FileNotFoundError:
        raise NotEnforceable("it does not exist; make the directory first") from None
    except NotADirectoryError:
        raise NotEnforceable("a part of its path is not a directory") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NotEnforceable(f"it cannot be reached ({reason})") from None
    if not stat.S_ISDIR(mode):
        raise NotEnforceable(
            "it is a single file, which is not enforceable yet; "
            "allow its directory, or move it to a directory of its own"
        )
    return place


def real(path: str) -> str:
    """The canonical path, as far as it exists."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return path


def within(path: str, directory: str) -> bool:
    """Whether the canonical `path` is the canonical `directory` or lies below it.

    By name, and by what the file system says is the same directory: a name can differ in case,
    or be a second mount of the same place.
    """
    return _named_within(path, directory) or _holds(directory, path)


def overlaps(path: str, other: str) -> bool:
    """Whether one of two paths contains the other, links followed."""
    path, other = real(path), real(other)
    return within(path, other) or within(other, path)


def touches(path: str, other: str) -> bool:
    """As `overlaps`, for the paths as they are written."""
    return _named_within(path, other) or _named_within(other, path)


def overlapping(path: str, others: Sequence[Path]) -> Path | None:
    """The first of `others` that overlaps `path`."""
    return next((other for other in others if overlaps(path, str(other))), None)


def _named_within(path: str, directory: str) -> bool:
    path, directory = os.path.normcase(path), os.path.normcase(directory)
    return path == directory or path.startswith(directory.rstrip(os.sep) + os.sep)


def _holds(directory: str, path: str) -> bool:
    """Whether `directory` is the same directory as `path` or one above it, by identity."""
    identity = _identity(directory)
    return identity is not None and any(
        _identity(place) == identity for place in (path, *map(str, Path(path).parents))
    )


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _follow(written: str) -> Place:
    here = os.sep
    links: list[str] = []
    left = [part for part in reversed(written.split("/")) if part not in ("", ".")]
    while left:
        part = left.pop()
        if part == "..":
            here = os.path.dirname(here)  # noqa: PTH120
            continue
        step = os.path.join(here, part)  # noqa: PTH118
        mode = os.lstat(step).st_mode
        if not stat.S_ISLNK(mode):
            here = step
            continue
        links.append(step)
        if len(links) > _MAX_LINKS:
            raise OSError(0, "too many symbolic links")
        target = os.readlink(step)  # noqa: PTH115
        if target.startswith("/"):
            here = os.sep
        left += [part for part in reversed(target.split("/")) if part not in ("", ".")]
    return Place(here, tuple(links))
