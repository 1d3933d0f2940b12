"""What a component says about itself in custom sections: documentation and producers.

`package-docs` is where WIT doc comments go: one version byte, then JSON (wit-parser's package
metadata). `producers` is the tool conventions' record of languages and tools. Both are the
author's words: they are shown, quoted, and never trusted. A section that does not parse is ignored,
as wasm tools do.
"""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from wassette.errors import InvalidComponent

from .binary import COMPONENT, CORE_MODULE, Outline, Reader, Section, sections_between

MAX_DOCS = 4 * 1024 * 1024  # bytes of a docs section that are read at all
MAX_TEXT = 4096  # characters kept of one description
_MAX_DEPTH = 4  # of modules and components in components, where producers are looked for


@dataclass(frozen=True)
class FunctionDocs:
    """The description of a function, and of its parameters by name."""

    text: str
    parameters: dict[str, str] = field(default_factory=dict)


# `- \`name\`: text`, `* name: text`, `@param name text`; how people document parameters.
_PARAMETER = re.compile(
    r"^\s*(?:[-*]\s+`?(?P<a>[a-z][a-z0-9-]*)`?\s*(?::|\u2014|\u2013|-)\s+|@param\s+`?(?P<b>[a-z][a-z0-9-]*)`?:?\s+)"
    r"(?P<text>\S.*)$",
    re.IGNORECASE,
)


def split(text: str, parameters: list[str]) -> FunctionDocs:
    """A doc comment's text, with lines about a known parameter taken out of it."""
    kept: list[str] = []
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in text.splitlines():
        match = _PARAMETER.match(line)
        name = (match["a"] or match["b"]) if match else None
        if match and name in parameters:
            current = found.setdefault(name, [])
            current.append(match["text"].strip())
        elif current is not None and line[:2] == "  " and line.strip():
            current.append(line.strip())  # continued
        else:
            current = None
            kept.append(line.rstrip())
    return FunctionDocs(
        "\n".join(kept).strip()[:MAX_TEXT],
        {name: " ".join(lines)[:MAX_TEXT] for name, lines in found.items()},
    )


class PackageDocs:
    """The docs section of one component. Look-ups never fail: absent is empty."""

    def __init__(self, data: Any = None) -> None:
        self._data = data if isinstance(data, dict) else {}

    @classmethod
    def of(cls, outline: Outline) -> PackageDocs:
        span = outline.customs.get("package-docs")
        if span is None or span[1] - span[0] > MAX_DOCS or span[1] - span[0] < 2:
            return cls()
        body = outline.data[span[0] : span[1]]
        if body[0] > 1:  # a version that is not known
            return cls()
        try:
            return cls(json.loads(body[1:]))
        except (ValueError, RecursionError):
            return cls()

    def component(self) -> str:
        """What the component is for: its world's documentation, or its package's."""
        worlds = self._get("worlds")
        texts = [_text(world) for world in worlds.values()] if len(worlds) == 1 else []
        return next((t for t in [*texts, _text(self._data)] if t), "")[:MAX_TEXT]

    def function(self, interface: str | None, name: str) -> str:
        """The doc comment of a function that the world or an exported interface has."""
        for world in self._get("worlds").values():
            if interface is None:
                found = _text(_child(_child(world, "func_exports"), name))
            else:
                inline = _child(_child(world, "interface_exports"), interface)
                found = _text(_child(_child(inline, "funcs"), name))
            if found:
                return found
        if interface is None:
            return ""
        bare = interface.rpartition("/")[2].partition("@")[0]
        return _text(_child(_child(_child(self._get("interfaces"), bare), "funcs"), name))

    def _get(self, key: str) -> dict[str, Any]:
        return _child(self._data, key)


def _child(parent: Any, key: str) -> dict[str, Any]:
    child = parent.get(key) if isinstance(parent, dict) else None
    if isinstance(child, str):  # version 0 wrote a function's docs as its value
        return {"docs": child}
    return child if isinstance(child, dict) else {}


def _text(parent: Any) -> str:
    docs = parent.get("docs") if isinstance(parent, dict) else None
    return docs.strip() if isinstance(docs, str) else ""


def producers(outline: Outline) -> dict[str, list[str]]:
    """`producers`: for each field (`language`, `processed-by`, `sdk`), "name version" of each.

    Of the component and of everything in it, since it is the core module that has a language.
    """
    found: dict[str, list[str]] = {}
    span = outline.customs.get("producers")
    if span is not None:
        _add_producers(found, Reader(outline.data, *span))
    with contextlib.suppress(InvalidComponent):  # what was found until there
        _producers_inside(found, outline.data, 8, len(outline.data), 0)
    return found


def _producers_inside(
    found: dict[str, list[str]], data: bytes, start: int, end: int, depth: int
) -> None:
    for kind, r in sections_between(data, start, end):
        if depth and kind == Section.CUSTOM and r.name() == "producers":
            _add_producers(found, r)
        elif depth < _MAX_DEPTH and r.end - r.at >= 8:
            inner = data[r.at : r.at + 8]
            if (depth == 0 or not _is_module(data, start)) and (
                (kind == Section.CORE_MODULE and inner == CORE_MODULE)
                or (kind == Section.COMPONENT and inner == COMPONENT)
            ):
                _producers_inside(found, data, r.at + 8, r.end, depth + 1)


def _is_module(data: bytes, start: int) -> bool:
    # In a core module, sections 1 and 4 are types and tables.
    return data[start - 8 : start] == CORE_MODULE


def _add_producers(found: dict[str, list[str]], r: Reader) -> None:
    read: list[tuple[str, str]] = []
    try:
        for _ in range(min(r.count(), 16)):
            field_name = r.name()[:40]
            read += [
                (field_name, f"{r.name()} {r.name()}".strip()[:200])
                for _ in range(min(r.count(), 64))
            ]
    except InvalidComponent:
        return
    for name, value in read:
        if name in found or len(found) < 16:
            values = found.setdefault(name, [])
            if value not in values and len(values) < 64:
                values.append(value)
