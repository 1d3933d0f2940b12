"""A component's world as WIT text, for people and models to read.

A component has no WIT text in it, only types; what they were called is known where an interface
exports them. Other records, variants, enums and flags, for which WIT has no form without a name,
get one here (`record-1`). What the component imports is listed by name.

The text is the component's own word, so it is bounded, and nothing in it can deceive a reader.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wassette.errors import visible

from . import wit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_TEXT = 256 * 1024
"""Characters of one component's text; a world of a hundred functions has some 20,000."""

_WORDS = """
as async bool borrow char constructor enum error-context export f32 f64 flags from func future
import include interface list map option own package record resource result s16 s32 s64 s8 static
stream string tuple type u16 u32 u64 u8 use variant with world
"""
_KEYWORDS = frozenset(_WORDS.split())
_NAMED = (wit.Record, wit.Variant, wit.Enum, wit.Flags)


@dataclass(frozen=True)
class FunctionText:
    """A function as it is written down."""

    name: str
    function: wit.Function
    docs: str = ""


@dataclass
class Exports:
    """What the world, or one interface of it, exports."""

    functions: list[FunctionText] = field(default_factory=list)
    types: dict[str, wit.Type] = field(default_factory=dict)
    """Named types, in the order that they are exported in."""


def world(
    imports: Iterable[str], exports: Mapping[str | None, Exports], description: str = ""
) -> str:
    """The text. `exports` has the world's own functions under None, else interfaces by name."""
    page = _Page()
    try:
        _write(page, imports, exports, description)
    except _Full:
        page.lines.append(f"// … the rest is left out: the text is over {MAX_TEXT} characters")
    return "\n".join(page.lines) + "\n"


class _Full(Exception):
    """The text is as long as it may be."""


@dataclass
class _Page:
    lines: list[str] = field(default_factory=list)
    depth: int = 0
    size: int = 0

    def add(self, text: str) -> None:
        line = "  " * self.depth + text if text else ""
        self.size += len(line) + 1
        if self.size > MAX_TEXT:
            raise _Full
        self.lines.append(line)

    def docs(self, text: str) -> None:
        for line in text.splitlines():
            self.add(f"/// {visible(line, 1000)}".rstrip())


def _write(
    page: _Page, imports: Iterable[str], exports: Mapping[str | None, Exports], description: str
) -> None:
    page.add("package root:component;")
    page.add("")
    page.docs(description)
    page.add("world root {")
    page.depth += 1
    for name in imports:
        # Types that are imported by themselves have no package, and cannot be written like this.
        page.add(f"import {_path(name)};" if ":" in name else f"// import {visible(name)}")
    if None in exports:
        _write_items(page, exports[None], export=True)
    packages: dict[str, dict[str, Exports]] = {}
    for interface, items in exports.items():
        if interface is None:
            continue
        package, name = _split(interface)
        if package:
            page.add(f"export {_path(interface)};")
            packages.setdefault(package, {})[name] = items
        else:
            page.add(f"export {_name(name)}: interface {{")
            page.depth += 1
            _write_items(page, items)
            page.depth -= 1
            page.add("}")
    page.depth -= 1
    page.add("}")
    for package, interfaces in packages.items():
        page.add("")
        page.add(f"package {_path(package)} {{")
        page.depth += 1
        for name, items in interfaces.items():
            page.add(f"interface {_name(name)} {{")
            page.depth += 1
            _write_items(page, items)
            page.depth -= 1
            page.add("}")
        page.depth -= 1
        page.add("}")


def _split(interface: str) -> tuple[str, str]:
    """`a:b/c@1.0.0` is `c` of `a:b@1.0.0`; one without a package is written in the world."""
    path, at, version = interface.partition("@")
    package, _, name = path.rpartition("/")
    return f"{package}{at}{version}" if package else "", name


def _write_items(page: _Page, items: Exports, *, export: bool = False) -> None:
    shown = [one for one in items.functions if one.function.unavailable is None]
    names = _Names(items.types)
    for one in shown:
        names.need(one.function)
    for line in names.definitions():
        page.add(line)
    for one in shown:
        page.docs(one.docs)
        word = "export " if export else ""
        page.add(f"{word}{_name(one.name)}: {names.signature(one.function)};")
    for one in items.functions:
        if one.function.unavailable is not None:
            page.add(f"// {visible(one.name)}: {one.function.unavailable}")


class _Names:
    """The names that types have in one interface."""

    def __init__(self, given: Mapping[str, wit.Type]) -> None:
        self._definitions: dict[str, wit.Type] = {}
        self._by_type: dict[wit.Type, str] = {}
        self._numbers: dict[str, int] = {}
        self._given = given
        for name, ty in given.items():
            if not isinstance(ty, wit.Unsupported) and _writable(ty):
                # A name for a simple type says nothing about others of that type.
                if not isinstance(ty, wit.Bool | wit.Int | wit.Float | wit.Char | wit.String):
                    self._by_type.setdefault(ty, name)
                self._definitions[name] = ty
        for ty in given.values():
            for part in _parts(ty):
                self._give(part)

    def need(self, function: wit.Function) -> None:
        """Give a name to everything in a signature that needs one."""
        for _, ty in function.params:
            for part in _parts(ty):
                self._give(part)
        if function.result is not None:
            for part in _parts(function.result):
                self._give(part)

    def _give(self, ty: wit.Type) -> None:
        if not isinstance(ty, _NAMED) or ty in self._by_type or not _writable(ty):
            return
        kind = type(ty).__name__.lower()
        while True:
            self._numbers[kind] = number = self._numbers.get(kind, 0) + 1
            name = f"{kind}-n{number}"
            if name not in self._given:
                break
        self._by_type[ty] = name
        self._definitions[name] = ty

    def signature(self, function: wit.Function) -> str:
        params = ", ".join(f"{_name(name)}: {self.text(ty)}" for name, ty in function.params)
        result = "" if function.result is None else f" -> {self.text(function.result)}"
        return f"func({params}){result}"

    def text(self, ty: wit.Type) -> str:
        known = self._by_type.get(ty)
        return _name(known) if known is not None else self._form(ty)

    def _form(self, ty: wit.Type) -> str:
        match ty:
            case wit.Bool() | wit.Char() | wit.String():
                return type(ty).__name__.lower()
            case wit.Int(bits, signed):
                return f"{'s' if signed else 'u'}{bits}"
            case wit.Float(bits):
                return f"f{bits}"
            case wit.List(element):
                return f"list<{self.text(element)}>"
            case wit.Option(payload):
                return f"option<{self.text(payload)}>"
            case wit.Tuple(elements):
                return f"tuple<{', '.join(self.text(one) for one in elements)}>"
            case wit.Result(ok, err):
                return self._result(ok, err)
        return "string"  # nothing that is not writable is written

    def _result(self, ok: wit.Type | None, err: wit.Type | None) -> str:
        if ok is None and err is None:
            return "result"
        if err is None:
            return f"result<{self.text(ok)}>" if ok is not None else "result"
        return f"result<{'_' if ok is None else self.text(ok)}, {self.text(err)}>"

    def definitions(self) -> Iterator[str]:
        for name, ty in self._definitions.items():
            match ty:
                case wit.Record(fields):
                    yield f"record {_name(name)} {{"
                    for label, one in fields:
                        yield f"  {_name(label)}: {self.text(one)},"
                    yield "}"
                case wit.Variant(cases):
                    yield f"variant {_name(name)} {{"
                    for label, payload in cases:
                        held = "" if payload is None else f"({self.text(payload)})"
                        yield f"  {_name(label)}{held},"
                    yield "}"
                case wit.Enum(labels) | wit.Flags(labels):
                    word = type(ty).__name__.lower()
                    yield f"{word} {_name(name)} {{"
                    for label in labels:
                        yield f"  {_name(label)},"
                    yield "}"
                case _:
                    known = self._by_type.get(ty)
                    form = self._form(ty) if known in (None, name) else _name(known or "")
                    yield f"type {_name(name)} = {form};"


def _parts(ty: wit.Type) -> Iterator[wit.Type]:
    """`ty` and what it is made of, from the inside out."""
    inner: tuple[wit.Type | None, ...]
    match ty:
        case wit.List(one) | wit.Option(one):
            inner = (one,)
        case wit.Tuple(elements):
            inner = elements
        case wit.Record(members) | wit.Variant(members):
            inner = tuple(member for _, member in members)
        case wit.Result(ok, err):
            inner = (ok, err)
        case _:
            inner = ()
    for part in inner:
        if part is not None:
            yield from _parts(part)
    yield ty


def _writable(ty: wit.Type) -> bool:
    return not any(isinstance(part, wit.Unsupported) for part in _parts(ty))


def _path(text: str) -> str:
    """The name of a package or an interface in one: `a:b/c@1.0.0`."""
    names, at, version = text.partition("@")
    parts = [part if part in ":/" else _name(part) for part in re.split("([:/])", names)]
    return "".join(parts) + at + visible(version)


def _name(name: str) -> str:
    """As WIT has it: a `%` before what would be a keyword."""
    return f"%{name}" if name in _KEYWORDS else visible(name)
