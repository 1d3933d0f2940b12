"""Which files a component may touch, decided by rules over the paths that it sees.

The same rules are decided twice: here, to explain a decision to people, and in the guard, for
every call of a component. What `FileRules` means is therefore laid down exactly:

1. A rule *covers* a path if its pattern matches it, or (a tree or deny rule) a directory above it.
2. Of the allow rules that cover a path, the one with the most segments before its first wildcard
   decides; then the one with more segments, then with more bytes. Equal ones add up.
3. Every deny rule that covers the path takes its access away.
4. A directory that may not be used is *visible* if something below it could be allowed: it can be
   opened and listed (and the list shows only what may be used or seen), but nothing else.

Paths are resolved by their text (`.`, `..`, `//`) before they are looked up. Names are compared
as they are written; on systems that ignore case, deny rules match whatever the system could take
for the same name, so that another spelling does not lead around one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from wassette.errors import PolicyError
from wassette.policy.model import Access
from wassette.policy.patterns import Pattern, split

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_SEGMENTS = 60
"""Of a pattern, from its first wildcard on: the guard has one bit for each state."""
MAX_PATH = 4096  # bytes, of a path or a pattern
MAX_NAME = 255  # bytes

_NONE: frozenset[Access] = frozenset()
_LETTERS = {Access.READ: "r", Access.WRITE: "w"}

# Separators, drives and streams, 8.3 names; and names that are devices whatever their extension.
_WINDOWS_CHARACTERS = frozenset("\\:~")
_WINDOWS_DEVICE = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9\u0080-\u00bf])[ ]*(\..*)?",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)


class Kind(StrEnum):
    """What a rule's pattern covers."""

    TREE = "tree"
    """What it matches, and everything below."""
    EXACT = "exact"
    """What it matches."""
    LITERAL = "literal"
    """The one path that it is; `*` and `?` are ordinary characters."""


@dataclass(frozen=True)
class FileRule:
    """`pattern` is absolute, in the guest's name space. Deny rules also cover what is below.

    `preopen` is the index of the mount that serves the rule (of no meaning for deny rules).
    `source` says for people where the rule comes from.
    """

    pattern: str
    access: frozenset[Access]
    kind: Kind = Kind.TREE
    deny: bool = False
    preopen: int = 0
    source: str = ""

    @cached_property
    def compiled(self) -> Pattern:
        tree = self.deny or self.kind is Kind.TREE
        return Pattern(split(self.pattern), tree, self.kind is Kind.LITERAL)

    def encode(self) -> str:
        letters = "".join(_LETTERS[access] for access in Access if access in self.access)
        letters += "d" * self.deny + "t" * (self.kind is Kind.TREE and not self.deny)
        letters += "l" * (self.kind is Kind.LITERAL)
        return f"{letters} {0 if self.deny else self.preopen} {self.pattern}\0"


@dataclass(frozen=True)
class FileVerdict:
    """`access` is what the path may be used for. `reasons` are for people, never empty."""

    access: frozenset[Access]
    visible: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class FileRules:
    """`fold_case`: the file system ignores case. `windows_names`: refuse names that Windows
    reads otherwise than they are written."""

    rules: tuple[FileRule, ...] = ()
    fold_case: bool = False
    windows_names: bool = False

    def encode(self) -> str:
        """The rules as the guard reads them."""
        options = "f" * self.fold_case + "w" * self.windows_names
        return options + "\0" + "".join(rule.encode() for rule in self.rules)

    def verdict(self, path: str) -> FileVerdict:
        """Decides about an absolute path in the guest's name space. Raises nothing."""
        try:
            names = resolve_path(path, windows=self.windows_names)
        except PolicyError as error:
            return FileVerdict(_NONE, visible=False, reasons=(str(error),))
        return self.decide(names)

    def decide(self, names: tuple[str, ...]) -> FileVerdict:
        """As `verdict`, for the segments of a resolved path."""
        best: tuple[int, int, int] = (-1, -1, -1)
        deciding: list[FileRule] = []
        below: list[FileRule] = []
        denying: list[FileRule] = []
        for rule in self.rules:
            pattern = rule.compiled
            states = pattern.run(names, fold=rule.deny and self.fold_case)
            if not rule.deny and states - {pattern.full}:
                below.append(rule)
            if pattern.full not in states:
                continue
            if rule.deny:
                denying.append(rule)
            elif pattern.rank > best:
                best, deciding = pattern.rank, [rule]
            elif pattern.rank == best:
                deciding.append(rule)
        allowed = _union(deciding)
        denied = _union(denying)
        below = [rule for rule in below if rule.access - denied]
        reasons = [f"allowed by {rule.source}" for rule in deciding]
        reasons += [f"denied by {rule.source}" for rule in denying if rule.access & allowed]
        # The root is there even if nothing is in it.
        visible = not allowed - denied and (bool(below) or not names)
        if not deciding:
            if below and visible:
                reasons = [f"above {below[0].source}"]
            else:
                reasons = [f"denied by {rule.source}" for rule in denying] or ["no rule"]
        return FileVerdict(allowed - denied, visible, tuple(dict.fromkeys(reasons)))


def resolve_path(path: str, *, windows: bool = False) -> tuple[str, ...]:
    """The segments of an absolute path, resolved by their text. Raises `PolicyError`."""
    if not path.startswith("/"):
        raise PolicyError("the path is not absolute")
    if "\0" in path:
        raise PolicyError("the path contains a NUL character")
    try:
        too_long = len(path.encode()) > MAX_PATH
    except UnicodeEncodeError:
        raise PolicyError("the path is not UTF-8") from None
    if too_long:
        raise PolicyError("the path is too long")
    names: list[str] = []
    for name in path.split("/"):
        if name in ("", "."):
            continue
        if name == "..":
            del names[-1:]
            continue
        if len(name.encode()) > MAX_NAME:
            raise PolicyError("a name in the path is too long")
        if windows and is_misread_by_windows(name):
            raise PolicyError("Windows would read a name in the path as another one")
        names.append(name)
    return tuple(names)


def is_misread_by_windows(name: str) -> bool:
    return (
        name.endswith((".", " "))
        or any(char in _WINDOWS_CHARACTERS or char < " " for char in name)
        or _WINDOWS_DEVICE.fullmatch(name) is not None
    )


def _union(rules: Iterable[FileRule]) -> frozenset[Access]:
    return frozenset(access for rule in rules for access in rule.access)
