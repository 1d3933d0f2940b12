"""Where paths really lead. The only part of a grant's evaluation that looks at the disk."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

from wassette.errors import NotEnforceable

if TYPE_CHECKING:
    from collections.abc import Iterator

# What Linux allows in one path.
_MAX_LINKS = 40


# File systems that show the kernel, the processes and the hardware: what is a file there can be
# another program's memory, or a disk.
_KERNEL_TYPES = re.compile(
    "proc|sysfs|devtmpfs|devpts|cgroup2?|debugfs|tracefs|securityfs|bpf|configfs|fusectl|mqueue"
    "|pstore|efivarfs|binfmt_misc"
)
_KERNEL_PLACES = ("/proc", "/sys", "/dev")
_MOUNT_TABLE = "/proc/self/mountinfo"


class What(Enum):
    """What is at a path."""

    DIRECTORY = auto()
    FILE = auto()
    OTHER = auto()
    MISSING = auto()


@dataclass(frozen=True)
class Place:
    """`path` without symbolic links, and the real path of every link on the way to it.

    What is missing has its path as far as it was found, and `what` says so.
    """

    path: str
    links: tuple[str, ...] = ()
    what: What = What.DIRECTORY


def find(written: str) -> Place:
    """Follows an absolute path. Raises `NotEnforceable` if it cannot be followed."""
    try:
        place = _follow(written)
        mode = os.lstat(place.path).st_mode
    except FileNotFoundError:
        return Place(written, (), What.MISSING)
    except NotADirectoryError:
        raise NotEnforceable("a part of its path is not a directory") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NotEnforceable(f"it cannot be reached ({reason})") from None
    if stat.S_ISDIR(mode):
        return place
    return replace(place, what=What.FILE if stat.S_ISREG(mode) else What.OTHER)


def find_directory(written: str) -> Place:
    """Follows an absolute path to a directory. Raises `NotEnforceable` with the reason."""
    place = find(written)
    if place.what is What.MISSING:
        raise NotEnforceable("it does not exist; make the directory first")
    if place.what is not What.DIRECTORY:
        raise NotEnforceable("it is not a directory")
    return place


@dataclass(frozen=True)
class Found:
    """What is at a path itself, which is not followed if it is a link."""

    device: int
    inode: int
    directory: bool
    file: bool


def look(path: str) -> Found | None:
    """What is at a path now; None if there is nothing, or it cannot be reached."""
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
        return None
    mode = status.st_mode
    return Found(status.st_dev, status.st_ino, stat.S_ISDIR(mode), stat.S_ISREG(mode))


def exists(path: str) -> bool:
    """Whether there is anything, if only a link that leads nowhere."""
    return os.path.lexists(path)


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


def relation(path: str, directory: str) -> tuple[str, ...] | None:
    """The names that lead from the canonical `directory` down to `path`; None if it is not in it.

    As `within`: by name, or by what is the same directory.
    """
    if _named_within(path, directory):
        return Path(path).parts[len(Path(directory).parts) :]
    identity = _identity(directory)
    if identity is None:
        return None
    here = Path(path)
    for place in (here, *here.parents):
        if _identity(str(place)) == identity:
            return here.relative_to(place).parts
    return None


@dataclass(frozen=True)
class _Mounted:
    """A line of the mount table: `root` within the file system `device` is at `point`."""

    device: str
    root: str
    point: str
    type: str


class Mounts:
    """The system's mount table, as far as there is one: directories with more than one name."""

    def __init__(self, text: str | None = None) -> None:
        self._mounted = list(_parse_mounts(_read_mounts() if text is None else text))

    def names(self, path: str) -> list[str]:
        """The canonical path and all others of the same directory, or of parts of it."""
        found = [path]
        home = max(
            (one for one in self._mounted if _named_within(path, one.point)),
            key=lambda one: len(one.point),
            default=None,
        )
        if home is None:
            return found
        place = _join(home.root, path[len(home.point) :])
        for other in self._mounted:
            if other.device != home.device or other is home:
                continue
            if _named_within(place, other.root):
                found.append(_join(other.point, place[len(other.root) :]))
            elif _named_within(other.root, place):
                found.append(other.point)
        return list(dict.fromkeys(found))

    def kernel(self) -> list[str]:
        """Where the kernel's own file systems are."""
        mounted = [one.point for one in self._mounted if _KERNEL_TYPES.fullmatch(one.type)]
        return list(dict.fromkeys((*_KERNEL_PLACES, *mounted)))


def _read_mounts() -> str:
    try:
        with open(_MOUNT_TABLE, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""  # not Linux


def _parse_mounts(text: str) -> Iterator[_Mounted]:
    """`36 35 98:0 /root /point options [fields] - type source options`, with octal escapes."""
    for line in text.splitlines():
        fields = line.split(" ")
        if "-" in fields[6:] and len(fields) > fields.index("-", 6) + 1:
            root, point = (_OCTAL.sub(lambda m: chr(int(m[1], 8)), one) for one in fields[3:5])
            yield _Mounted(fields[2], root, point, fields[fields.index("-", 6) + 1])


_OCTAL = re.compile(r"\\([0-7]{3})")


def _join(directory: str, rest: str) -> str:
    return (directory.rstrip("/") + "/" + rest.strip("/")).rstrip("/") or "/"


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
