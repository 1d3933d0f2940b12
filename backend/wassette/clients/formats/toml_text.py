"""TOML: tables of their own lines are added, changed and taken out; other ways are refused."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from typing import Any

from .base import (
    CannotEdit,
    Named,
    Path,
    Unreadable,
    line_end,
    line_number,
    line_start,
    newline_of,
    splice,
)

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRINGS = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' + r"|'''.*?'{3,5}" + r'|"(?:[^"\\\n]|\\.)*+"' + r"|'[^'\n]*+'",
    re.DOTALL,
)


@dataclass(frozen=True)
class _Line:
    """A table's header, or a key with its value. `end` is past its last character."""

    start: int
    end: int
    table: tuple[str, ...]  # the table it is in; of a header: the one that it opens
    keys: tuple[str, ...]  # empty for a header
    value: int = 0  # where the value begins
    array: bool = False  # [[…]]


class Toml:
    def read(self, text: str) -> Any:
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            at = re.search(r"at line (\d+)", str(error))
            line = int(at[1]) if at else line_number(text, len(text))
            reason = re.sub(r" \(at .*\)$", "", str(error))
            raise Unreadable(line, reason[:1].lower() + reason[1:]) from None
        except RecursionError:
            raise Unreadable(1, "too many lists and tables in each other") from None

    def put(self, text: str, path: Path, value: Any) -> str:
        names = _names(path)
        lines = _lines(text)
        if isinstance(value, dict):
            group = _group(lines, names)
            if group:
                at = line_start(text, group[0].start)
                text = _without(text, group)
                return splice(text, at, at, _table(names, value, newline_of(text)))
            return _append(text, names, value)
        table, key = names[:-1], names[-1:]
        for line in lines:
            if line.table == table and line.keys == key:
                return splice(text, line.value, line.end, _scalar(value))
        for line in lines:
            if line.table == table and not line.keys and not line.array:
                at = line_end(text, line.end)
                new = f"{_key(key[0])} = {_scalar(value)}{newline_of(text)}"
                return splice(text, at, at, new if at > line.end else newline_of(text) + new)
        raise CannotEdit(f"{'.'.join(names)} is not in a table with lines of its own")

    def drop(self, text: str, path: Path) -> str:
        names = _names(path)
        lines = _lines(text)
        pair = [one for one in lines if one.keys and (*one.table, *one.keys) == names]
        group = _group(lines, names)
        if not group and not pair:
            raise CannotEdit(f"{'.'.join(names)} is not in a table with lines of its own")
        return _without(text, group or pair)


def _names(path: Path) -> tuple[str, ...]:
    assert not any(isinstance(key, Named) for key in path)
    return tuple(map(str, path))


def _lines(text: str) -> list[_Line]:
    """Of a valid text."""
    lines: list[_Line] = []
    table: tuple[str, ...] = ()
    at = 0
    while at < len(text):
        if text[at] in " \t\r\n":
            at += 1
        elif text[at] == "#":
            at = line_end(text, at)
        elif text[at] == "[":
            array = text.startswith("[[", at)
            end = _end(text, at + 2 if array else at + 1, "]") + (2 if array else 1)
            table = _keys(text[at:end].strip("[]"))
            lines.append(_Line(at, end, table, (), array=array))
            at = end
        else:
            equals = _end(text, at, "=")
            value = equals + 1
            while text[value] in " \t":
                value += 1
            end = _value_end(text, value)
            lines.append(_Line(at, end, table, _keys(text[at:equals]), value))
            at = end
    return lines


def _end(text: str, at: int, mark: str) -> int:
    """Where `mark` is next, outside of quotes."""
    while text[at] != mark:
        string = _STRINGS.match(text, at) if text[at] in "\"'" else None
        at = string.end() if string else at + 1
    return at


def _value_end(text: str, at: int) -> int:
    depth = 0
    end = at
    while at < len(text):
        char = text[at]
        if char in "\"'":
            string = _STRINGS.match(text, at)
            assert string is not None
            at = end = string.end()
            continue
        if char == "#":
            if depth == 0:
                return end
            at = line_end(text, at)
            continue
        if char in "\r\n" and depth == 0:
            return end
        depth += (char in "[{") - (char in "]}")
        at += 1
        if char not in " \t\r\n":
            end = at
    return end


def _keys(text: str) -> tuple[str, ...]:
    keys: list[str] = []
    value: Any = tomllib.loads(f"{text} = 0")
    while isinstance(value, dict):
        [(key, value)] = value.items()
        keys.append(key)
    return tuple(keys)


def _group(lines: list[_Line], names: tuple[str, ...]) -> list[_Line]:
    """The lines of a table and of the tables in it."""
    group = [one for one in lines if one.table[: len(names)] == names]
    return group if any(not one.keys for one in group) else []


def _without(text: str, group: list[_Line]) -> str:
    """Comments after the last line of a table stay: they are about what comes next."""
    runs: list[tuple[int, int]] = []
    for line in group:
        start, end = line_start(text, line.start), line_end(text, line.end)
        if runs and line.keys:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    for start, end in reversed(runs):
        before = line_start(text, start - 1) if start else 0
        # The blank line that set it off, unless it sets off what comes now.
        if start and not text[before:start].strip() and not text[end : line_end(text, end)].strip():
            start = before
        text = splice(text, start, end, "")
    return text


def _append(text: str, names: tuple[str, ...], value: dict[str, Any]) -> str:
    newline = newline_of(text)
    if text and not text.endswith("\n"):
        text += newline
    gap = newline if text else ""
    return text + gap + _table(names, value, newline)


def _table(names: tuple[str, ...], value: dict[str, Any], newline: str) -> str:
    lines = [f"[{'.'.join(map(_key, names))}]"]
    inner: list[str] = []
    for key, one in value.items():
        if isinstance(one, dict):
            inner.append(_table((*names, key), one, newline))
        else:
            lines.append(f"{_key(key)} = {_scalar(one)}")
    return newline.join([*lines, ""]) + "".join(newline + one for one in inner)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _scalar(name)


def _scalar(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_scalar, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {_scalar(v)}" for k, v in value.items()) + "}"
    if isinstance(value, str | bool | int):
        # Strings of JSON are strings of TOML, but for one character.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    raise CannotEdit(f"a value of type {type(value).__name__} cannot be written back")
