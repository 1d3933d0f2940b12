"""What the formats share: paths to values, and what an edit means for the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias


class Unreadable(Exception):
    """Not of the format. `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


class CannotEdit(Exception):
    """The text is fine, but the change cannot be made in it."""


class _Absent:
    def __repr__(self) -> str:
        return "Absent"


Absent: Final = _Absent()
"""In place of a value: there is none, or there shall be none."""


@dataclass(frozen=True)
class Named:
    """The object in a list whose `key` is `value`."""

    key: str
    value: str

    def __str__(self) -> str:
        return self.value


Key: TypeAlias = str | Named
Path: TypeAlias = tuple[Key, ...]
Change: TypeAlias = tuple[Path, Any]


class Format(Protocol):
    """One way to write settings. Text has no byte order mark; line ends are as in the file."""

    def read(self, text: str) -> Any:
        """Its value: objects, lists, scalars. A text without any value is an empty object."""

    def put(self, text: str, path: Path, value: Any) -> str:
        """Sets what is at `path`; objects and lists on the way are made."""

    def drop(self, text: str, path: Path) -> str:
        """Takes out what is at `path`, which is there."""


def found(value: Any, path: Path) -> Any:
    """What is at `path`, or `Absent`."""
    for key in path:
        value = _child(value, key)
        if value is Absent:
            return Absent
    return value


def changed(value: Any, path: Path, new: Any) -> Any:
    """A copy of `value` with `new` at `path` (taken out for `Absent`). Raises `CannotEdit` where
    something else than an object or a list is in the way."""
    if not path:
        return new
    key, rest = path[0], path[1:]
    child = changed(_child(value, key), rest, new)
    if isinstance(key, Named):
        items = [] if value is Absent or value is None else value
        if not isinstance(items, list):
            raise CannotEdit(f"a list was expected where {key} belongs, not {_kind(items)}")
        others = [one for one in items if not _is(one, key)]
        if child is Absent:
            return others
        at = next((i for i, one in enumerate(items) if _is(one, key)), 0)
        return [*others[:at], child, *others[at:]]
    members = {} if value is Absent or value is None else value
    if not isinstance(members, dict):
        raise CannotEdit(f"an object was expected where '{key}' belongs, not {_kind(members)}")
    if child is Absent:
        return {name: one for name, one in members.items() if name != key}
    return {**members, key: child}


def without_empty(value: Any, path: Path) -> Any:
    """Without the objects and lists on the way to `path` that have nothing in them: a table of
    TOML goes with the last table in it."""
    for end in range(len(path) - 1, 0, -1):
        if found(value, path[:end]) in ({}, []):
            value = changed(value, path[:end], Absent)
    return value


def _child(value: Any, key: Key) -> Any:
    if isinstance(key, Named):
        items = value if isinstance(value, list) else []
        return next((one for one in items if _is(one, key)), Absent)
    return value.get(key, Absent) if isinstance(value, dict) else Absent


def _is(one: Any, key: Named) -> bool:
    return isinstance(one, dict) and one.get(key.key) == key.value


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else "a single value"


def nested(path: Path, value: Any) -> Any:
    """`value` inside new objects and lists for the keys of `path`."""
    for key in reversed(path):
        value = [value] if isinstance(key, Named) else {key: value}
    return value


def splice(text: str, start: int, end: int, new: str) -> str:
    return text[:start] + new + text[end:]


def line_number(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def line_end(text: str, at: int) -> int:
    """Where the next line begins, or the text ends."""
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def newline_of(text: str) -> str:
    """How its lines end, by the first."""
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"
