"""The doc comments of a WIT package, as the `package-docs` custom section of a component.

A component's types carry no comments, so tool chains drop them. `tools/wit-docs.mjs` says more;
this does the same, for tool chains that need no Node.js. A test holds them together.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from wassette.errors import ProjectError, visible

_TOKEN = re.compile(r"//[^\n]*|/\*[\s\S]*?\*/|%?[A-Za-z0-9][A-Za-z0-9-]*|->|\S")
_TYPES = frozenset({"record", "variant", "enum", "flags", "resource", "type"})
_OPEN, _CLOSE = frozenset("{(<"), frozenset("})>")

Tree = dict[str, Any]


@dataclass
class _Token:
    text: str
    docs: str | None


def section(wit: str, world: str) -> bytes:
    """The section, to be appended to a component; empty if nothing is documented.

    Raises `ProjectError` if the WIT has no such world, or is none.
    """
    reader = _Reader(wit)
    try:
        reader.read()
    except IndexError:
        raise ProjectError("the WIT ends where something should follow") from None
    found = reader.worlds.get(world)
    if found is None:
        raise ProjectError(
            f"the WIT has no world '{visible(world)}', which is the name of the component; "
            f"it has: {', '.join(map(visible, reader.worlds)) or 'none'}"
        )
    exported = found.pop("exported")
    interfaces = {
        name: kept
        for name in exported
        if name in reader.interfaces and (kept := _pruned(reader.interfaces[name]))
    }
    described = _pruned(found)
    everything = _pruned(
        {
            "docs": reader.docs,
            "worlds": {"root": described} if described else {},
            "interfaces": interfaces,
        }
    )
    if not everything:
        return b""
    text = json.dumps(everything, ensure_ascii=False, separators=(",", ":")).encode()
    name = b"package-docs"
    body = bytes([len(name)]) + name + b"\1" + text
    return b"\0" + _leb128(len(body)) + body


class _Reader:
    """The first package of a text: its docs, worlds and interfaces; nested packages are skipped."""

    def __init__(self, wit: str) -> None:
        self.tokens = list(_tokens(wit))
        self.at = 0
        self.docs: str | None = None
        self.worlds: dict[str, Tree] = {}
        self.interfaces: dict[str, Tree] = {}

    def read(self) -> None:
        while self.at < len(self.tokens):
            token = self._next()
            if token.text == "package":
                while self.at < len(self.tokens) and self._head not in (";", "{"):
                    self.at += 1
                if self.at < len(self.tokens) and self._head == "{":
                    self._skip()
                else:
                    self.docs = token.docs
                    self.at += 1
            elif token.text == "interface":
                name = self._name()
                self.interfaces[name] = self._interface(token.docs)
            elif token.text == "world":
                name = self._name()
                self.worlds[name] = self._world(token.docs)
            elif token.text == "@":
                self._attribute(token.docs)
            else:
                while self.at < len(self.tokens) and self._head != ";":
                    self.at += 1
                self.at += 1

    @property
    def _head(self) -> str:
        return self.tokens[self.at].text

    def _next(self) -> _Token:
        self.at += 1
        return self.tokens[self.at - 1]

    def _name(self) -> str:
        return self._next().text.removeprefix("%")

    def _world(self, docs: str | None) -> Tree:
        exports: Tree = {}
        found: Tree = {"docs": docs, "exported": [], "types": {}, "func_exports": {}}
        found["interface_exports"] = exports
        self.at += 1
        while self._head != "}":
            item = self._next()
            if item.text == "@":
                self._attribute(item.docs)
            elif item.text == "export":
                self._export(item, found)
            elif item.text in _TYPES:
                self._type(item, found["types"], {})
            else:
                self._end()
        self.at += 1
        found["interface_exports"] = {name: _pruned(one) for name, one in exports.items()}
        return found

    def _export(self, item: _Token, found: Tree) -> None:
        name = self._head.removeprefix("%")
        after, kind = self.tokens[self.at + 1].text, self.tokens[self.at + 2].text
        if after != ":":
            found["exported"].append(name)
        elif kind == "interface":
            self.at += 3
            found["interface_exports"][name] = self._interface(item.docs)
            return
        elif kind in ("func", "async") and item.docs:
            found["func_exports"][name] = {"docs": item.docs}
        self._end()

    def _interface(self, docs: str | None) -> Tree:
        found: Tree = {"docs": docs, "funcs": {}, "types": {}}
        self.at += 1
        while self._head != "}":
            item = self._next()
            if item.text == "@":
                self._attribute(item.docs)
            elif item.text in _TYPES:
                self._type(item, found["types"], found["funcs"])
            else:
                if item.docs and self._head == ":":
                    found["funcs"][item.text.removeprefix("%")] = {"docs": item.docs}
                self._end()
        self.at += 1
        return found

    def _type(self, kind: _Token, types: Tree, functions: Tree) -> None:
        name = self._name()
        found: Tree = {"docs": kind.docs, "items": {}}
        if self._head != "{":
            self._end()
        elif kind.text == "resource":
            self._methods(name, functions)
        else:
            self._items(found["items"])
        kept = _pruned(found)
        if kept:
            types[name] = kept

    def _items(self, items: Tree) -> None:
        """The fields or cases of a type."""
        self.at += 1
        while self._head != "}":
            token = self.tokens[self.at]
            if token.docs:
                items[token.text.removeprefix("%")] = token.docs
            while self._head not in (",", "}"):
                if self._head in _OPEN:
                    self._skip()
                else:
                    self.at += 1
            if self._head == ",":
                self.at += 1
        self.at += 1

    def _methods(self, resource: str, functions: Tree) -> None:
        """A resource's functions, under the names that the binary format gives them."""
        self.at += 1
        while self._head != "}":
            token = self._next()
            kind = "static" if self.tokens[self.at + 1].text == "static" else "method"
            name = f"[{kind}]{resource}.{token.text.removeprefix('%')}"
            if token.docs:
                key = f"[constructor]{resource}" if token.text == "constructor" else name
                functions[key] = {"docs": token.docs}
            self._end()
        self.at += 1

    def _skip(self) -> None:
        """Goes behind the bracket that closes the one here."""
        depth = 0
        while True:
            text = self._next().text
            depth += (text in _OPEN) - (text in _CLOSE)
            if depth <= 0:
                return

    def _end(self) -> None:
        """Goes behind the item: behind its `;`, or its block."""
        while True:
            text = self._head
            if text == ";":
                self.at += 1
                return
            if text in _OPEN:
                self._skip()
            else:
                self.at += 1
            if text == "{":
                if self.at < len(self.tokens) and self._head == ";":
                    self.at += 1
                return

    def _attribute(self, docs: str | None) -> None:
        """Goes behind `@since(…)`; the docs before it belong to what follows."""
        self.at += 1
        if self._head == "(":
            self._skip()
        token = self.tokens[self.at]
        token.docs = docs if token.docs is None else token.docs


def _tokens(wit: str) -> list[_Token]:
    """Words, punctuation and names, each with the doc comment that stands before it."""
    found: list[_Token] = []
    lines: list[str] = []
    for match in _TOKEN.finditer(wit):
        text = match[0]
        if text.startswith("///"):
            lines.append(text[3:].lstrip("/").strip())
        elif text.startswith("/**") and len(text) > 4:
            lines += text[3:-2].strip().split("\n")
        elif not text.startswith(("//", "/*")):
            found.append(_Token(text, "\n".join(lines).rstrip() or None))
            lines = []
    return found


def _pruned(tree: Tree) -> Tree:
    """Without what is None or empty."""
    return {key: value for key, value in tree.items() if value not in (None, {}, [])}


def _leb128(number: int) -> bytes:
    out = bytearray()
    while True:
        out.append(number & 127 | (128 if number > 127 else 0))
        number >>= 7
        if not number:
            return bytes(out)
