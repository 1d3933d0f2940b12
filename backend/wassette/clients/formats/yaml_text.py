"""YAML: entries of mappings, and of lists, that have lines of their own; or in braces."""

from __future__ import annotations

import json
import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.tokens import AliasToken

from .base import (
    CannotEdit,
    Key,
    Named,
    Path,
    Unreadable,
    line_end,
    line_number,
    line_start,
    nested,
    newline_of,
    splice,
)

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
_ALIASES = 20
_NOT_TEXT = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


class Yaml:
    def read(self, text: str) -> Any:
        try:
            _check_aliases(text)
            value = _yaml().load(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            reason = (error.problem or "not valid").partition("\n")[0]
            raise Unreadable(mark.line + 1 if mark else 1, reason) from None
        except (YAMLError, ValueError) as error:
            raise Unreadable(1, str(error).partition("\n")[0]) from None
        except RecursionError:
            raise Unreadable(1, "too many lists and mappings in each other") from None
        return {} if value is None else value

    def put(self, text: str, path: Path, value: Any) -> str:
        root = _compose(text)
        if root is None:
            newline = newline_of(text)
            gap = newline if text and not text.endswith("\n") else ""
            return text + gap + _block(nested(path, value), "", newline)
        parents: list[tuple[Node, Node | None]] = [(root, None)]
        for depth, key in enumerate(path):
            node, _ = parents[-1]
            child = _child(node, key)
            if child is None:
                return _insert(text, parents, path[: depth + 1], nested(path[depth + 1 :], value))
            parents.append(child)
        old, name = parents[-1]
        outer = parents[-2][0]
        if not isinstance(old, CollectionNode) or old.flow_style:
            return splice(text, old.start_mark.index, old.end_mark.index, _flow(value))
        start, end = _lines_of(text, outer, parents[-1])
        entry: Any = [value] if name is None else {path[-1]: value}
        indent = " " * outer.start_mark.column
        return splice(text, start, end, _block(entry, indent, newline_of(text)))

    def drop(self, text: str, path: Path) -> str:
        root = _compose(text)
        assert root is not None
        node, key_node = root, None
        for key in path[:-1]:
            child = _child(node, key)
            assert child is not None
            node, key_node = child
        child = _child(node, path[-1])
        assert child is not None
        if isinstance(node, CollectionNode) and node.flow_style:
            return _drop_flow(text, node, child)
        return _drop_block(text, node, key_node, child)


def _check_aliases(text: str) -> None:
    """A few lines with aliases of aliases can stand for more than fits in memory."""
    if "&" in text and "*" in text:
        aliases = sum(isinstance(one, AliasToken) for one in _yaml().scan(text))
        if aliases > _ALIASES:
            raise Unreadable(1, f"more than {_ALIASES} aliases")


def _yaml() -> Any:
    return YAML(typ="safe", pure=True)


def _compose(text: str) -> Node | None:
    root = _yaml().compose(text)
    if root is None or (isinstance(root, ScalarNode) and not root.value):
        return None
    assert isinstance(root, Node)
    return root


def _child(node: Node, key: Key) -> tuple[Node, Node | None] | None:
    """The value at `key`, and the node of the key if it has one."""
    if isinstance(key, Named):
        if isinstance(node, ScalarNode) and not node.value:
            return None
        if not isinstance(node, SequenceNode):
            raise CannotEdit(f"line {node.start_mark.line + 1}: a list was expected")
        for item in node.value:
            if isinstance(item, MappingNode):
                name = _child(item, key.key)
                if name is not None and name[0].value == key.value:
                    return item, None
        return None
    if isinstance(node, ScalarNode) and node.value in ("", "null", "~"):
        return None
    if not isinstance(node, MappingNode):
        raise CannotEdit(f"line {node.start_mark.line + 1}: a mapping was expected")
    for name, value in node.value:
        if isinstance(name, ScalarNode) and name.value == key:
            return value, name
    return None


def _insert(text: str, parents: list[tuple[Node, Node | None]], path: Path, value: Any) -> str:
    """As the first entry of the innermost mapping or list, right below the line of its key."""
    node, key_node = parents[-1]
    newline = newline_of(text)
    key = path[-1]
    entry: Any = [value] if isinstance(key, Named) else {key: value}
    if isinstance(node, CollectionNode) and node.flow_style:
        at = node.start_mark.index + 1
        new = _flow(entry)[1:-1]
        return splice(text, at, at, new + (", " if node.value else ""))
    if key_node is None:
        return _insert_at_end(text, node, entry, newline)
    colon = text.index(":", key_node.end_mark.index)
    below = line_end(text, colon)
    if isinstance(node, ScalarNode):
        if node.value:  # `null` or `~` as a word
            end = node.end_mark.index
            text = splice(text, node.start_mark.index, end, "")
            below = line_end(text, colon)
        outer = parents[-2][0]
        column = outer.start_mark.column if isinstance(outer, MappingNode) else 0
        indent = " " * (column + 2)
    else:
        indent = " " * node.start_mark.column
    if below == len(text) and not text.endswith("\n"):
        text += newline
        below = len(text)
    return splice(text, below, below, _block(entry, indent, newline))


def _insert_at_end(text: str, root: Node, entry: Any, newline: str) -> str:
    if re.search(r"^(\.\.\.|---)", text[root.start_mark.index :], re.MULTILINE):
        raise CannotEdit("it has an explicit end, or more than one document")
    if text and not text.endswith("\n"):
        text += newline
    return text + _block(entry, " " * root.start_mark.column, newline)


def _drop_flow(text: str, node: Node, child: tuple[Node, Node | None]) -> str:
    items = [one if isinstance(one, tuple) else (None, one) for one in node.value]
    spans = [((key or value).start_mark.index, value.end_mark.index) for key, value in items]
    index = next(i for i, (_, value) in enumerate(items) if value is child[0])
    if len(spans) == 1:
        return splice(text, node.start_mark.index + 1, node.end_mark.index - 1, "")
    if index:
        return splice(text, spans[index - 1][1], spans[index][1], "")
    return splice(text, spans[0][0], spans[1][0], "")


def _drop_block(
    text: str, node: Node, key_node: Node | None, child: tuple[Node, Node | None]
) -> str:
    start, end = _lines_of(text, node, child)
    text = splice(text, start, end, "")
    if len(node.value) > 1 or key_node is None:
        return text
    colon = text.index(":", key_node.end_mark.index)
    empty = " []" if isinstance(node, SequenceNode) else " {}"
    return splice(text, colon + 1, colon + 1, empty)


def _lines_of(text: str, node: Node, child: tuple[Node, Node | None]) -> tuple[int, int]:
    """Where the lines of an entry of a mapping or a list begin and end. Comments below it stay:
    they are about what comes next."""
    value, name = child
    first = (name or value).start_mark.index
    start = line_start(text, first)
    if text[start:first].strip(" -" if name is None else " "):
        raise CannotEdit(f"line {line_number(text, start)}: it shares its line with something else")
    end = at = line_end(text, first)
    while at < len(text):
        line = text[at : line_end(text, at)]
        content = line.strip()
        deep = len(line) - len(line.lstrip(" ")) > node.start_mark.column
        if content and not deep and not _same_list(line, node.start_mark.column, name):
            break
        at += len(line)
        if content and not content.startswith("#"):
            end = at
    return start, end


def _same_list(line: str, column: int, name: Node | None) -> bool:
    """A list that is the value of a key may stand as far left as the key."""
    return name is not None and re.match(r"-(\s|$)", line[column:]) is not None


def _flow(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _block(value: Any, indent: str, newline: str) -> str:
    """Lines, each with its end."""
    lines: list[str] = []
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict) and item:
                inner = _block(item, indent + "  ", newline)
                lines.append(f"{indent}- {inner[len(indent) + 2 :]}")
            else:
                lines.append(f"{indent}- {_scalar(item)}{newline}")
    else:
        for key, one in value.items():
            if isinstance(one, dict | list) and one:
                lines += [f"{indent}{_scalar(key)}:{newline}", _block(one, indent + "  ", newline)]
            else:
                lines.append(f"{indent}{_scalar(key)}: {_scalar(one)}{newline}")
    return "".join(lines)


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    return json.dumps(value, ensure_ascii=False)
