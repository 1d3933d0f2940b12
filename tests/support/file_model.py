"""What file rules mean, written for reading: the guard is compared with it.

Independent of the product on purpose. A path is a tuple of names; nothing here is quick.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

Path = tuple[str, ...]


def path_of(text: str) -> Path:
    """The names of a path; `.` and `..` as text alone tells."""
    names: list[str] = []
    for name in text.split("/"):
        if name == "..":
            del names[-1:]
        elif name not in ("", "."):
            names.append(name)
    return tuple(names)


@dataclass(frozen=True)
class Rule:
    letters: str
    pattern: str
    mount: int = 0

    @property
    def access(self) -> set[str]:
        return set(self.letters) & set("rw")

    @property
    def denies(self) -> bool:
        return "d" in self.letters

    @property
    def names(self) -> Path:
        return tuple(self.pattern.split("/")[1:]) if self.pattern != "/" else ()

    @property
    def literal(self) -> Path:
        """The names before the first one with a wildcard."""
        if "l" in self.letters:
            return self.names
        wild = [i for i, name in enumerate(self.names) if "*" in name or "?" in name]
        return self.names[: wild[0]] if wild else self.names

    @property
    def rank(self) -> tuple[int, int, int]:
        return len(self.literal), len(self.names), len(self.pattern.encode())

    def encode(self) -> str:
        return f"{self.letters} {self.mount} {self.pattern}\0"

    def covers(self, path: Path) -> bool:
        if self.denies or "t" in self.letters:
            return any(self._matches(path[:size]) for size in range(len(path) + 1))
        return self._matches(path)

    def may_cover_below(self, path: Path) -> bool:
        """Whether the pattern can still match something that begins with this path."""
        return any(_matches(self._segments[:size], path) for size in self._stops(path))

    def _stops(self, path: Path) -> list[int]:
        # Having consumed all of `path`, at least one segment has to be left.
        return [size for size in range(len(self._segments)) if size or not path] + [
            size for size in range(1, len(self._segments) + 1) if self._segments[size - 1] is None
        ]

    @property
    def _segments(self) -> list[re.Pattern[str] | None]:
        return [
            None if name == "**" and "l" not in self.letters else self._expression(name)
            for name in self.names
        ]

    def _expression(self, name: str) -> re.Pattern[str]:
        if "l" in self.letters:
            return re.compile(re.escape(name), re.DOTALL)
        parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in name)
        return re.compile("".join(parts), re.DOTALL)

    def _matches(self, path: Path) -> bool:
        return _matches(self._segments, path)


def _matches(segments: list[re.Pattern[str] | None], path: Path) -> bool:
    """Whether the segments (None: any number of names) consume exactly the path."""
    if not segments:
        return not path
    if segments[0] is None:
        return any(_matches(segments[1:], path[size:]) for size in range(len(path) + 1))
    return (
        bool(path)
        and segments[0].fullmatch(path[0]) is not None
        and _matches(segments[1:], path[1:])
    )


@dataclass(frozen=True)
class Verdict:
    access: frozenset[str]
    visible: bool


@dataclass
class Model:
    rules: list[Rule]
    known: dict[Path, Verdict] = field(default_factory=dict)

    def verdict(self, path: Path) -> Verdict:
        if path not in self.known:
            self.known[path] = self._verdict(path)
        return self.known[path]

    def _verdict(self, path: Path) -> Verdict:
        denied: set[str] = set()
        for rule in self.rules:
            if rule.denies and rule.covers(path):
                denied |= rule.access
        allow = [rule for rule in self.rules if not rule.denies]
        covering = [rule for rule in allow if rule.covers(path)]
        best = max((rule.rank for rule in covering), default=None)
        granted = {a for rule in covering if rule.rank == best for a in rule.access}
        access = frozenset(granted - denied)
        below = any(rule.access - denied and rule.may_cover_below(path) for rule in allow)
        return Verdict(access, not access and (below or not path))


Tree = dict[Path, str]
"""What is on the disk, at its place in the guest: a file's text begins with `=`, a link's target
with `>`; a directory is `/`."""


@dataclass
class Disk:
    """Operations of the guest on a tree under a model."""

    model: Model
    tree: Tree

    def resolve(self, text: str, need: str, *, follow: bool = True) -> Path | None:
        """Where a path leads; None if it may not be used for `need` (`r`, `w`, or `` to see it)
        or if nothing is there. All names on the way have to allow it: the one that is asked for,
        and the one that it is after each link."""
        path, only_directory = path_of(text), False
        for _ in range(40):
            verdict = self.model.verdict(path)
            if not verdict.access >= set(need):
                return None
            if not need and not verdict.access:
                only_directory = True
                if not verdict.visible:
                    return None
            link = self._first_link(path, follow)
            if link is None:
                found = self.tree.get(path)
                return path if found == "/" or (found and not only_directory) else None
            target = self.tree[path[:link]][1:]
            if target.startswith("/"):
                return None
            rest = "/".join((*path[: link - 1], target, *path[link:]))
            path = path_of(rest)
        return None

    def _first_link(self, path: Path, follow: bool) -> int | None:
        for size in range(1, len(path) + (1 if follow else 0)):
            found = self.tree.get(path[:size], "")
            if found.startswith(">"):
                return size
            if found != "/":
                return None
        return None

    def read(self, text: str) -> str | None:
        """The text of a file; None if that cannot be had."""
        found = self.resolve(text, "r")
        content = self.tree[found] if found is not None else ""
        return content[1:] if content.startswith("=") else None

    def may_write(self, text: str) -> bool:
        """Whether an existing file can be opened to write."""
        found = self.resolve(text, "w")
        return found is not None and self.tree[found].startswith("=")

    def is_known(self, text: str) -> bool:
        """Whether something that may be seen is there, itself and not what it leads to."""
        return self.resolve(text, "", follow=False) is not None

    def names(self, folder: Path) -> list[str] | None:
        """What a listing of a directory, which is no link, shows; None if it is refused."""
        verdict = self.model.verdict(folder)
        if not (verdict.visible or "r" in verdict.access):
            return None
        below = [path for path in self.tree if path[:-1] == folder and path]
        return sorted(
            path[-1]
            for path in below
            if self.model.verdict(path).access
            or (self.model.verdict(path).visible and self.tree[path] == "/")
        )
