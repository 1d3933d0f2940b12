"""What the operating system has to let a worker through to, for its component to use its files.

The guard decides by rules about names; the system's walls know only files and directories. So each
allow rule becomes the smallest thing that holds all it can match:

| the rule is about | opening |
|---|---|
| a directory and everything below | that directory |
| a pattern | the directory before its first wildcard |
| a file that is there, for reading | that file |
| a file for writing, or what is not there yet | the directory above: it may be made, or replaced |

Every mount is an opening too, without access: its names can be listed, since the guard shows those
of them that lead to something granted. Deny rules cannot be said here; the guard alone enforces
those, as it does for whatever else such a directory holds.

An opening is one very file or directory (`device`, `inode`), not whatever has its name. When
another one takes its place, the opening is another one, and so is the worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from wassette.policy import places
from wassette.policy.model import Access
from wassette.policy.patterns import split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from wassette.policy.files import FileRule
    from wassette.policy.places import Found
    from wassette.policy.storage import Mount, Storage

    Look = Callable[[str], Found | None]

_NONE: frozenset[Access] = frozenset()


@dataclass(frozen=True)
class Opening:
    """A directory with everything below, or one file.

    `access` may be empty for a directory: then its names, and those below, can be listed.
    """

    path: str
    device: int
    inode: int
    access: frozenset[Access]

    def plain(self) -> tuple[str, int, int, str]:
        """For a worker; the access as letters, `r` and `w`."""
        letters = "".join(access.value[0] for access in Access if access in self.access)
        return self.path, self.device, self.inode, letters


def openings(storage: Storage, look: Look = places.look) -> tuple[Opening, ...]:
    """Those that `storage` needs, by path; none that another one holds."""
    found: dict[str, Opening] = {}
    for path, access in _wanted(storage, look):
        there = look(path)
        if there is None:
            continue  # gone meanwhile: the call will say so
        if not (there.directory or access):
            continue
        known = found.get(path)
        both = access | (known.access if known else _NONE)
        found[path] = Opening(path, there.device, there.inode, both)
    return tuple(one for _, one in sorted(found.items()) if not _is_held(one, found))


def unchanged(known: Iterable[Opening], look: Look = places.look) -> bool:
    """Whether each is still what its name leads to."""
    for one in known:
        there = look(one.path)
        if there is None or (there.device, there.inode) != (one.device, one.inode):
            return False
    return True


def _wanted(storage: Storage, look: Look) -> Iterator[tuple[str, frozenset[Access]]]:
    for mount in storage.mounts:
        yield mount.host, _NONE
    for rule in storage.rules.rules:
        if not rule.deny:
            path = _holder(rule, storage.mounts[rule.preopen], look)
            if path is not None:
                yield path, rule.access


def _holder(rule: FileRule, mount: Mount, look: Look) -> str | None:
    """The path of what holds all that a rule can match; None if there is nothing of it."""
    pattern = rule.compiled
    fixed = pattern.segments[: pattern.fixed]
    below = fixed[len(split(mount.guest)) :]
    path = PurePath(mount.host, *below)
    there = look(str(path))
    if there is not None and there.directory:
        return str(path)
    if pattern.fixed < len(pattern.segments):
        return None  # a pattern below something that is no directory now
    if Access.WRITE in rule.access:
        return str(path.parent) if below else None
    return str(path) if there is not None and there.file else None


def _is_held(one: Opening, found: dict[str, Opening]) -> bool:
    above = (found.get(str(parent)) for parent in PurePath(one.path).parents)
    return any(outer is not None and one.access <= outer.access for outer in above)
