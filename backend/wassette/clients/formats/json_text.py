"""JSON, and JSON with comments and trailing commas (JSONC), as editors keep it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from .base import (
    CannotEdit,
    Key,
    Named,
    Path,
    Unreadable,
    line_number,
    line_start,
    nested,
    newline_of,
    splice,
)

_DEPTH = 100  # of objects and lists in each other
_SPACE = re.compile(r"[ \t\r\n]*+")
_COMMENT = re.compile(r"//[^\n\r]*+|/\*(?:[^*]|\*(?!/))*+\*/")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}


@dataclass
class _Node:
    start: int
    end: int
    value: Any


@dataclass
class _Member:
    key: str
    start: int  # of the key, or of an item in a list
    node: _Node
    comma: int | None = None  # where the comma after it is


@dataclass
class _Inner(_Node):
    """An object or a list."""

    members: list[_Member] = field(default_factory=list)


class _Parser:
    def __init__(self, text: str, comments: bool = True, commas: bool = True) -> None:
        self.text = text
        self.comments = comments
        self.commas = commas

    def document(self) -> _Node | None:
        start = self.skip(0)
        if start == len(self.text):
            return None
        node = self.value(start, 0)
        end = self.skip(node.end)
        if end < len(self.text):
            raise self.fault(end, "there is more after the end of the value")
        return node

    def fault(self, at: int, reason: str) -> Unreadable:
        return Unreadable(line_number(self.text, at), reason)

    def skip(self, at: int) -> int:
        """Past white space and comments."""
        text = self.text
        while True:
            space = _SPACE.match(text, at)
            assert space is not None
            at = space.end()
            if at >= len(text) or text[at] != "/":
                return at
            comment = _COMMENT.match(text, at)
            if comment is None:
                raise self.fault(at, "a comment that does not end, or a stray '/'")
            if not self.comments:
                raise self.fault(at, "a comment, which is not allowed in this file")
            at = comment.end()

    def value(self, at: int, depth: int) -> _Node:
        text = self.text
        if at >= len(text):
            raise self.fault(len(text), "it ends too early")
        if text[at] in "{[":
            if depth == _DEPTH:
                raise self.fault(at, f"more than {_DEPTH} objects and lists in each other")
            return self.inner(at, depth)
        if text[at] == '"':
            return self.string(at)
        for word, value in _WORDS.items():
            if text.startswith(word, at):
                return _Node(at, at + len(word), value)
        number = _NUMBER.match(text, at)
        if number is None:
            raise self.fault(at, "a value was expected")
        return _Node(at, number.end(), _number(number[0]))

    def string(self, at: int) -> _Node:
        match = _STRING.match(self.text, at)
        if match is None:
            raise self.fault(at, "a string in double quotes was expected")
        return _Node(at, match.end(), json.loads(match[0]))

    def inner(self, at: int, depth: int) -> _Inner:
        is_object = self.text[at] == "{"
        close = "}" if is_object else "]"
        node = _Inner(at, at, {} if is_object else [])
        at = self.skip(at + 1)
        while self.text[at : at + 1] != close:
            member = self.member(at, depth) if is_object else self.item(at, depth)
            node.members.append(member)
            at = self.skip(member.node.end)
            if self.text[at : at + 1] == ",":
                member.comma = at
                at = self.skip(at + 1)
                if not self.commas and self.text[at : at + 1] == close:
                    raise self.fault(member.comma, "a comma after the last entry")
            elif self.text[at : at + 1] != close:
                raise self.fault(at, f"a comma or '{close}' was expected")
        node.end = at + 1
        if is_object:
            node.value.update((one.key, one.node.value) for one in node.members)
        else:
            node.value.extend(one.node.value for one in node.members)
        return node

    def member(self, at: int, depth: int) -> _Member:
        key = self.string(at)
        colon = self.skip(key.end)
        if self.text[colon : colon + 1] != ":":
            raise self.fault(colon, "a colon was expected after the key")
        return _Member(key.value, at, self.value(self.skip(colon + 1), depth + 1))

    def item(self, at: int, depth: int) -> _Member:
        return _Member("", at, self.value(at, depth + 1))


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:  # a fraction, or more digits than Python converts
        return float(text)


@dataclass(frozen=True)
class Json:
    """What the client itself could not read is refused: an entry would be of no use."""

    comments: bool = False
    commas: bool = False
    """After the last entry."""

    def read(self, text: str) -> Any:
        root = _Parser(text, self.comments, self.commas).document()
        return {} if root is None else root.value

    def put(self, text: str, path: Path, value: Any) -> str:
        root = _Parser(text, self.comments, self.commas).document()
        if root is None:
            return _into_nothing(text, nested(path, value))
        node: _Node = root
        for depth, key in enumerate(path):
            member = _find(text, node, key)
            if member is None:
                return _insert(text, node, key, nested(path[depth + 1 :], value), _style(text))
            node = member.node
        style = _style(text)
        at_line = _indent(text, node.start)
        new = _written(value, style, at_line, inline="\n" not in text[root.start : root.end])
        return splice(text, node.start, node.end, new)

    def drop(self, text: str, path: Path) -> str:
        node = _Parser(text, self.comments, self.commas).document()
        for key in path[:-1]:
            assert node is not None
            member = _find(text, node, key)
            assert member is not None
            node = member.node
        assert isinstance(node, _Inner)
        member = _find(text, node, path[-1])
        assert member is not None
        return _remove(text, node, node.members.index(member))


@dataclass(frozen=True)
class _Style:
    unit: str
    newline: str
    colon: str  # what is after it: minified files have nothing there


def _style(text: str) -> _Style:
    unit = re.search(r"^([ \t]+)\S", text, re.MULTILINE)
    minified = re.search(r'":\S', text) and not re.search(r'":\s', text)
    return _Style(unit[1] if unit else "  ", newline_of(text), "" if minified else " ")


def _find(text: str, node: _Node, key: Key) -> _Member | None:
    wanted = list if isinstance(key, Named) else dict
    if not isinstance(node, _Inner) or not isinstance(node.value, wanted):
        kind = "a list" if wanted is list else "an object"
        raise CannotEdit(f"line {line_number(text, node.start)}: {kind} was expected")
    if isinstance(key, Named):
        same = [one for one in node.members if _named(one.node.value, key)]
    else:
        same = [one for one in node.members if one.key == key]
    if len(same) > 1:
        lines = " and ".join(str(line_number(text, one.start)) for one in same)
        raise CannotEdit(f"lines {lines}: '{key}' is there twice; keep one of them")
    return same[0] if same else None


def _named(value: Any, key: Named) -> bool:
    return isinstance(value, dict) and value.get(key.key) == key.value


def _into_nothing(text: str, value: Any) -> str:
    """For an empty file, or one that has comments only, which stay."""
    style = _style(text)
    new = _written(value, style, "", inline=False) + style.newline
    if not text.strip():
        return new
    return text + ("" if text.endswith("\n") else style.newline) + new


def _insert(text: str, node: _Node, key: Key, value: Any, style: _Style) -> str:
    assert isinstance(node, _Inner)
    last = node.members[-1] if node.members else None
    own_line = last is not None and not text[line_start(text, last.start) : last.start].strip()
    root_inline = "\n" not in text.strip()
    if (last is not None and not own_line) or (last is None and root_inline and text[0] != "{"):
        indent = None
    elif last is None and root_inline and node.start > 0:
        indent = None  # `{"mcpServers": {}}`
    elif last is not None:
        indent = text[line_start(text, last.start) : last.start]
    else:
        indent = _indent(text, node.start) + style.unit
    inline = indent is None
    body = _written(value, style, indent or "", inline=inline)
    if not isinstance(key, Named):
        body = json.dumps(key, ensure_ascii=False) + ":" + style.colon + body
    if last is None:
        return _insert_first(text, node, body, indent, style)
    after = last.node.end if last.comma is None else last.comma + 1
    trailing = "," if last.comma is not None else ""
    lead = style.colon if inline else style.newline + (indent or "")
    at = after if inline else _past_comments(text, after, node.end - 1)
    text = splice(text, at, at, lead + body + trailing)
    return text if last.comma is not None else splice(text, after, after, ",")


def _insert_first(text: str, node: _Inner, body: str, indent: str | None, style: _Style) -> str:
    inside = text[node.start + 1 : node.end - 1]
    if indent is None:
        return splice(text, node.start + 1, node.start + 1, body)
    close = style.newline + _indent(text, node.start)
    if not inside.strip():
        new = style.newline + indent + body + close
        return splice(text, node.start + 1, node.end - 1, new)
    at = _past_comments(text, node.start + 1, node.end - 1)
    rest = text[at : node.end - 1]
    new = style.newline + indent + body + ("" if "\n" in rest else close)
    return splice(text, at, at, new)


def _past_comments(text: str, at: int, end: int) -> int:
    """Past comments that begin on the line of `at`."""
    while True:
        spaces = re.compile(r"[ \t]*+").match(text, at, end)
        assert spaces is not None
        comment = _COMMENT.match(text, spaces.end(), end)
        if comment is None:
            return at
        at = comment.end()


def _remove(text: str, node: _Inner, index: int) -> str:
    member = node.members[index]
    end = member.node.end if member.comma is None else member.comma + 1
    start = member.start
    begins_line = not text[line_start(text, start) : start].strip()
    if begins_line:
        start = line_start(text, start) - 1  # with the line break before it
        if start > 0 and text[start - 1] == "\r":
            start -= 1
        start = max(start, node.start + 1)
    elif index:
        before = text[node.start + 1 : start]
        start -= len(before) - len(before.rstrip(" \t"))
    else:
        spaces = re.compile(r"[ \t]*+").match(text, end)
        assert spaces is not None
        end = spaces.end() if len(node.members) > 1 else end
    text = splice(text, start, end, "")
    previous = node.members[index - 1] if index else None
    is_last = index == len(node.members) - 1
    if previous is not None and is_last and member.comma is None and previous.comma is not None:
        text = splice(text, previous.comma, previous.comma + 1, "")
    if len(node.members) == 1:
        inner_end = _Parser(text).skip(node.start + 1)
        if not text[node.start + 1 : inner_end].strip():
            text = splice(text, node.start + 1, inner_end, "")
    return text


def _indent(text: str, at: int) -> str:
    """The white space that the line of `at` begins with."""
    match = re.compile(r"[ \t]*+").match(text, line_start(text, at))
    assert match is not None
    return match[0]


def _written(value: Any, style: _Style, indent: str, inline: bool) -> str:
    if inline:
        separators = ("," + style.colon, ":" + style.colon)
        return json.dumps(value, ensure_ascii=False, separators=separators)
    text = json.dumps(value, ensure_ascii=False, indent=style.unit)
    return text.replace("\n", style.newline + indent)
