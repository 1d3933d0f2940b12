"""Changes to a policy's text that leave every other character of it alone.

Rewriting the file from loaded data would move comments (a YAML library attaches a comment to
what stands before it, so a rule that is appended or removed tears it from what it is about).
So an edit is a few insertions and deletions, at places that the node tree knows.

The functions take the text, its root node and a path of keys, and return the new text. They do
not know every way in which YAML can be written: the caller re-reads the result and refuses it
unless it says exactly what was meant (`PolicyDocument` does).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from wassette.policy.nodes import Mapping, Node, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Sequence as Items

Item: TypeAlias = str | dict[str, "Item"] | list["Item"]

_STEP = "  "
# Words that need no quotes and are the same text in every version of YAML.
_BARE = re.compile(r"read|write")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def append(text: str, root: Mapping, path: Items[str | int], item: Item) -> str:
    """Adds `item` to the list at `path`, which is made if it is not there."""
    chain, rest = _descend(root, path)
    target = chain[-1]
    if rest or not (isinstance(target, Sequence) and target.items):
        return _put(text, chain, rest, [item])
    if target.flow:
        return _splice(text, target.items[-1].end, target.items[-1].end, f", {_flow(item)}")
    return _insert_lines(text, target.end, _block([item], " " * target.column))


def assign(text: str, root: Mapping, path: Items[str | int], value: str) -> str:
    """Sets the scalar at `path`, which is made if it is not there."""
    chain, rest = _descend(root, path)
    target = chain[-1]
    if not rest and isinstance(target, Scalar):
        space = " " if target.start == target.end else ""
        return _splice(text, target.start, target.end, space + _flow(value))
    return _put(text, chain, rest, value)


def remove(text: str, root: Mapping, path: Items[str | int], index: int) -> str:
    """Takes the item at `index` out of the list at `path`; an empty list remains as `[]`."""
    chain, _ = _descend(root, path)
    target = chain[-1]
    assert isinstance(target, Sequence)
    items = target.items
    if target.flow:
        if len(items) == 1:
            return _splice(text, target.start, target.end, "[]")
        if index:
            return _splice(text, items[index - 1].end, items[index].end, "")
        return _splice(text, items[0].start, items[1].start, "")
    start = _dash_line(text, target, index)
    end = _line_end(text, items[index].end)
    text = _splice(text, start, end, "")
    if len(items) > 1:
        return text
    parent = chain[-2]
    assert isinstance(parent, Mapping)
    colon = text.index(":", parent.keys[str(path[-1])].end)
    return _splice(text, colon + 1, colon + 1, " []")


def block(value: dict[str, Item]) -> str:
    """A mapping as lines of text. Its keys are written as they are."""
    return "".join(line + "\n" for line in _block(value, ""))


def _descend(root: Mapping, path: Items[str | int]) -> tuple[list[Node], list[str]]:
    """The nodes along `path` as far as they are there, and the keys that are not."""
    chain: list[Node] = [root]
    for depth, key in enumerate(path):
        node = chain[-1]
        child: Node | None = None
        if isinstance(node, Mapping):
            child = node.items.get(str(key))
        elif isinstance(node, Sequence) and isinstance(key, int):
            child = node.items[key]
        if child is None:
            return chain, [str(key) for key in path[depth:]]
        chain.append(child)
    return chain, []


def _put(text: str, chain: list[Node], rest: list[str], leaf: Item) -> str:
    """Places `leaf` below the keys of `rest` in the last node of `chain`."""
    node = chain[-1]
    if isinstance(node, Mapping) and node.items:
        value = _nest(rest[1:], leaf)
        if node.flow:
            last = list(node.items.values())[-1]
            # "x:," would be a key of two characters.
            comma = " , " if last.start == last.end else ", "
            return _splice(text, last.end, last.end, f"{comma}{rest[0]}: {_flow(value)}")
        return _insert_lines(text, node.end, _block({rest[0]: value}, " " * node.column))
    # An empty mapping or list, or null: it is replaced.
    value = _nest(rest, leaf)
    parents = [parent for parent in chain[:-1] if isinstance(parent, Mapping | Sequence)]
    if not parents or any(parent.flow for parent in parents) or isinstance(value, str):
        space = " " if node.start == node.end else ""
        return _splice(text, node.start, node.end, space + _flow(value))
    start = len(text[: node.start].rstrip(" "))
    text = _splice(text, start, node.end, "")
    return _insert_lines(text, start, _block(value, " " * parents[-1].column + _STEP))


def _nest(keys: list[str], leaf: Item) -> Item:
    for key in reversed(keys):
        leaf = {key: leaf}
    return leaf


def _block(value: Item, indent: str) -> list[str]:
    if isinstance(value, dict):
        lines: list[str] = []
        for key, child in value.items():
            if _is_inline(child):
                lines.append(f"{indent}{key}: {_flow(child)}")
            else:
                lines += [f"{indent}{key}:", *_block(child, indent + _STEP)]
        return lines
    if isinstance(value, list):
        lines = []
        for item in value:
            if _is_inline(item):
                lines.append(f"{indent}- {_flow(item)}")
            else:
                first, *others = _block(item, indent + _STEP)
                lines += [f"{indent}- {first.lstrip(' ')}", *others]
        return lines
    return [indent + _flow(value)]


def _is_inline(value: Item) -> bool:
    """Scalars, and lists of scalars (`access: [read, write]`)."""
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return isinstance(value, str)


def _flow(value: Item) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(child)}" for key, child in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return value if _BARE.fullmatch(value) else quote(value)


def quote(value: str) -> str:
    """`value` as a YAML scalar that cannot be read as anything else."""
    return '"' + "".join(map(_escape, value)) + '"'


def _escape(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    return f"\\x{ord(char):02x}" if ord(char) < 0x100 else f"\\U{ord(char):08x}"


def _splice(text: str, start: int, end: int, replacement: str) -> str:
    return text[:start] + replacement + text[end:]


def _insert_lines(text: str, index: int, lines: list[str]) -> str:
    """Inserts after the line of `index`, so behind a comment at the end of it."""
    newline = "\r\n" if "\r\n" in text else "\n"
    place = _line_end(text, index)
    before = "" if text[:place].endswith("\n") else newline
    return _splice(text, place, place, before + "".join(line + newline for line in lines))


def _line_end(text: str, index: int) -> int:
    """Where the next line begins, or the end of the text."""
    newline = text.find("\n", index)
    return len(text) if newline < 0 else newline + 1


def _dash_line(text: str, sequence: Sequence, index: int) -> int:
    """Where the line of the item's dash begins; the item itself may begin on a later one."""
    start = text.rfind("\n", 0, sequence.items[index].start) + 1
    lowest = sequence.items[index - 1].end if index else 0
    while text[start : start + sequence.column + 1].strip() != "-" and start > lowest:
        start = text.rfind("\n", 0, start - 1) + 1
    return start
