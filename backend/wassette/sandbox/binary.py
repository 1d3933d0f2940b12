"""Reading the component binary format, as far as weaving needs it.

Source of the layout: the component model's Binary.md. Only what stands at the top level of a
component is read: the names of its imports, and its type and instance index spaces. Everything is
untrusted: each read is bounds-checked, and anything that does not parse is `InvalidComponent`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias

from wassette.errors import InvalidComponent, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"\0asm"
COMPONENT = MAGIC + b"\x0d\0\x01\0"
CORE_MODULE = MAGIC + b"\x01\0\0\0"
MAX_NAME = 4096  # bytes; far above any real name


class Section(IntEnum):
    """Section ids of a component."""

    CUSTOM = 0
    CORE_MODULE = 1
    COMPONENT = 4
    INSTANCE = 5
    ALIAS = 6
    TYPE = 7
    IMPORT = 10
    EXPORT = 11


class Sort(IntEnum):
    """What an index, import or export is about."""

    CORE = 0
    FUNC = 1
    VALUE = 2
    TYPE = 3
    COMPONENT = 4
    INSTANCE = 5


SORT_WORDS = {
    Sort.CORE: "a core module",
    Sort.FUNC: "a function",
    Sort.VALUE: "a value",
    Sort.TYPE: "a type",
    Sort.COMPONENT: "a component",
    Sort.INSTANCE: "an interface",
}


class Reader:
    """A position in some bytes. Every read past the end is `InvalidComponent`."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data, self.at, self.end = data, at, len(data) if end is None else end

    def byte(self) -> int:
        if self.at >= self.end:
            raise malformed(self.at, "it ends in the middle of something")
        self.at += 1
        return self.data[self.at - 1]

    def peek(self) -> int:
        if self.at >= self.end:
            raise malformed(self.at, "it ends in the middle of something")
        return self.data[self.at]

    def u32(self) -> int:
        value = shift = 0
        while True:
            part = self.byte()
            value |= (part & 0x7F) << shift
            if part < 0x80:
                break
            shift += 7
            if shift > 28:
                raise malformed(self.at, "a number is longer than it may be")
        if value > 0xFFFF_FFFF:
            raise malformed(self.at, "a number is larger than it may be")
        return value

    def take(self, size: int) -> bytes:
        if size > self.end - self.at:
            raise malformed(self.at, "it ends in the middle of something")
        self.at += size
        return self.data[self.at - size : self.at]

    def name(self) -> str:
        size = self.u32()
        if size > MAX_NAME:
            raise malformed(self.at, f"a name of {size} bytes")
        try:
            return self.take(size).decode()
        except UnicodeDecodeError:
            raise malformed(self.at, "a name is not UTF-8") from None

    def extern_name(self) -> str:
        """An import or export name; version suffixes and the like are read over."""
        kind = self.byte()
        if kind > 2:
            raise malformed(self.at, "an unknown kind of name")
        name = self.name()
        if kind == 2:
            for _ in range(self.count()):
                self.byte()
                self.take(self.u32())
        return name

    def count(self) -> int:
        """The length of a vector; at least one byte each must follow."""
        count = self.u32()
        if count > self.end - self.at:
            raise malformed(self.at, "a list is longer than the file")
        return count


def malformed(at: int, what: str) -> InvalidComponent:
    return InvalidComponent(f"is not a valid component: {what} (at byte {at})")


def u32(value: int) -> bytes:
    """`value` in LEB128."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def text(value: str) -> bytes:
    data = value.encode()
    return u32(len(data)) + data


def vector(items: list[bytes]) -> bytes:
    return u32(len(items)) + b"".join(items)


def section(kind: Section, body: bytes) -> bytes:
    return bytes([kind]) + u32(len(body)) + body


def sections(data: bytes) -> Iterator[tuple[int, Reader]]:
    """Each section's id and a reader of its body."""
    if data[:8] != COMPONENT:
        raise InvalidComponent(not_a_component(data))
    yield from sections_between(data, 8, len(data))


def sections_between(data: bytes, at: int, end: int) -> Iterator[tuple[int, Reader]]:
    """As `sections`, of what is inside of another section, after its own preamble."""
    while at < end:
        head = Reader(data, at, end)
        kind, size = head.byte(), head.u32()
        if size > end - head.at:
            raise InvalidComponent(
                f"is cut short: a section at byte {at} has {size} bytes, "
                f"of which {end - head.at} are there. Download or build it again."
            )
        at = head.at + size
        yield kind, Reader(data, head.at, at)


def not_a_component(head: bytes) -> str:
    """Why bytes that start with `head` are no component, and what to do about it."""
    if not head:
        return "is an empty file"
    if head[:8] == CORE_MODULE:
        return (
            "is a core WebAssembly module, not a component. "
            "Make a component of it, for example with `wasm-tools component new`."
        )
    if head[:4] == MAGIC:
        return "is WebAssembly of a version that is not known here, not a component"
    return "is not WebAssembly (it does not begin with \\0asm)"


# ---- types ------------------------------------------------------------------------------------


class TypeWalk:
    """Reads type definitions and writes them again with their outer type indices replaced.

    `outer` maps an index of the component's own type space to the bytes to write. Everything that
    is local to an instance or component type keeps its index.
    """

    def __init__(self, outer: dict[int, int] | None = None) -> None:
        self.outer = outer
        self.used: set[int] = set()  # indices of the component's type space that were met

    def index(self, index: int, depth: int) -> bytes:
        if depth:
            return u32(index)
        self.used.add(index)
        return u32(index if self.outer is None else self.outer[index])

    def valtype(self, r: Reader, depth: int) -> bytes:
        # A type index is a positive s33; primitives are the single bytes 0x40..0x7f.
        if 0x40 <= r.peek() <= 0x7F:
            return bytes([r.byte()])
        index = r.u32()
        mapped = self.index(index, depth)
        # In s33, bit 6 of the last byte is the sign: an index such as 64 needs one byte more.
        return mapped if mapped[-1] < 0x40 else mapped[:-1] + bytes([mapped[-1] | 0x80, 0])

    def optional(self, r: Reader, depth: int) -> bytes:
        tag = r.byte()
        if tag == 0:
            return b"\0"
        if tag == 1:
            return b"\1" + self.valtype(r, depth)
        raise malformed(r.at, "a type is not understood")

    def fields(self, r: Reader, depth: int) -> bytes:
        count = r.count()
        return u32(count) + b"".join(text(r.name()) + self.valtype(r, depth) for _ in range(count))

    def labels(self, r: Reader) -> bytes:
        count = r.count()
        return u32(count) + b"".join(text(r.name()) for _ in range(count))

    def cases(self, r: Reader, depth: int) -> bytes:
        count = r.count()
        out = [u32(count)]
        for _ in range(count):
            out.append(text(r.name()) + self.optional(r, depth))
            if r.byte() != 0:
                raise malformed(r.at, "a variant case refines another")
            out.append(b"\0")
        return b"".join(out)

    def definition(self, r: Reader, depth: int = 0) -> bytes:
        """One `deftype`. Nesting is bounded, so that it cannot exhaust the stack."""
        if depth > 50:
            raise malformed(r.at, "types are nested too deeply")
        kind = r.byte()
        head = bytes([kind])
        match kind:
            case 0x40 | 0x43:  # func, async func
                out = head + self.fields(r, depth)
                tag = r.byte()
                return out + (b"\0" + self.valtype(r, depth) if tag == 0 else b"\1" + r.take(1))
            case 0x41 | 0x42:  # component type, instance type
                count = r.count()
                return (
                    head
                    + u32(count)
                    + b"".join(self.declaration(r, depth + 1) for _ in range(count))
                )
            case 0x3F:  # resource
                out = head + r.take(1)
                tag = r.byte()
                return out + (b"\0" if tag == 0 else b"\1" + u32(r.u32()))
            case 0x72:
                return head + self.fields(r, depth)
            case 0x71:
                return head + self.cases(r, depth)
            case 0x70 | 0x6B:  # list, option
                return head + self.valtype(r, depth)
            case 0x6F:  # tuple
                count = r.count()
                return head + u32(count) + b"".join(self.valtype(r, depth) for _ in range(count))
            case 0x6E | 0x6D:  # flags, enum
                return head + self.labels(r)
            case 0x6A:  # result
                return head + self.optional(r, depth) + self.optional(r, depth)
            case 0x69 | 0x68:  # own, borrow
                return head + self.index(r.u32(), depth)
            case 0x67:  # list of fixed length
                return head + self.valtype(r, depth) + u32(r.u32())
            case 0x66 | 0x65:  # stream, future
                return head + self.optional(r, depth)
            case 0x63:  # map
                return head + self.valtype(r, depth) + self.valtype(r, depth)
            case _ if 0x64 <= kind <= 0x7F:
                return head
        raise malformed(r.at, f"a type of kind 0x{kind:02x} is not understood")

    def declaration(self, r: Reader, depth: int) -> bytes:
        kind = r.byte()
        match kind:
            case 1:
                return b"\1" + self.definition(r, depth)
            case 2:
                return b"\2" + self.alias(r, depth)
            case 3 | 4:
                return bytes([kind]) + extern_name(r) + self.described(r, depth)
        raise malformed(r.at, "a declaration is not understood")

    def alias(self, r: Reader, depth: int) -> bytes:
        sort = r.byte()
        head = bytes([sort]) + (r.take(1) if sort == Sort.CORE else b"")
        target = r.byte()
        if target in (0, 1):
            return head + bytes([target]) + u32(r.u32()) + text(r.name())
        if target != 2:
            raise malformed(r.at, "an alias is not understood")
        count, index = r.u32(), r.u32()
        if count == depth and sort == Sort.TYPE:
            return head + b"\2" + u32(count) + self.index(index, 0)
        if count >= depth:
            raise malformed(r.at, "an alias reaches out of the component")
        return head + b"\2" + u32(count) + u32(index)

    def described(self, r: Reader, depth: int) -> bytes:
        """An `externdesc`."""
        sort = r.byte()
        head = bytes([sort])
        match sort:
            case Sort.CORE:
                return head + r.take(1) + u32(r.u32())
            case Sort.FUNC | Sort.COMPONENT | Sort.INSTANCE:
                return head + self.index(r.u32(), depth)
            case Sort.TYPE:
                bound = r.byte()
                if bound == 0:
                    return head + b"\0" + self.index(r.u32(), depth)
                if bound == 1:
                    return head + b"\1"
        raise malformed(r.at, "an import or export is not understood")


def extern_name(r: Reader) -> bytes:
    start = r.at
    r.extern_name()
    return r.data[start : r.at]


# ---- the top level of a component ----------------------------------------------------------------


@dataclass(frozen=True)
class Defined:
    """A type that stands in a type section, at this byte range."""

    start: int
    end: int


@dataclass(frozen=True)
class FromInstance:
    """A type that an instance exports."""

    instance: int
    name: str


@dataclass(frozen=True)
class SameAs:
    """A type imported or exported under a name, equal to this one."""

    index: int


TypeEntry: TypeAlias = Defined | FromInstance | SameAs | None
"""None: something that cannot be imported."""


@dataclass(frozen=True)
class Import:
    """One import. `type` is the index of its type; None for a resource (`sub`) bound."""

    name: str
    sort: Sort
    type: int | None
    defines: int
    """For a type: the index that it has from then on."""


@dataclass
class Outline:
    """The top level of a component."""

    data: bytes
    imports: list[Import] = field(default_factory=list)
    exports: list[tuple[str, Sort]] = field(default_factory=list)
    types: list[TypeEntry] = field(default_factory=list)
    instances: list[str | None] = field(default_factory=list)  # name, where it is an import
    customs: dict[str, tuple[int, int]] = field(default_factory=dict)  # name: byte range
    has_code: bool = False


def outline(data: bytes) -> Outline:
    """Read the top level of a component. Raises `InvalidComponent`."""
    out = Outline(data)
    walk = TypeWalk()
    for kind, r in sections(data):
        match kind:
            case Section.CUSTOM:
                out.customs.setdefault(r.name(), (r.at, r.end))
            case Section.CORE_MODULE | Section.COMPONENT:
                out.has_code = True
            case Section.INSTANCE:
                out.instances.extend([None] * r.count())
            case Section.TYPE:
                for _ in range(r.count()):
                    start = r.at
                    walk.definition(r)
                    out.types.append(Defined(start, r.at))
            case Section.ALIAS:
                for _ in range(r.count()):
                    _read_alias(out, r)
            case Section.IMPORT:
                for _ in range(r.count()):
                    _read_import(out, r)
            case Section.EXPORT:
                for _ in range(r.count()):
                    _read_export(out, r, walk)
    return out


def _read_alias(out: Outline, r: Reader) -> None:
    sort = r.byte()
    if sort == Sort.CORE:
        r.byte()
    target = r.byte()
    entry: TypeEntry = None
    first = r.u32()
    if target == 0:
        entry = FromInstance(first, r.name())
    elif target == 1:
        r.name()
    elif target == 2:
        r.u32()
    else:
        raise malformed(r.at, "an alias is not understood")
    if sort == Sort.TYPE:
        out.types.append(entry)
    elif sort == Sort.INSTANCE:
        out.instances.append(None)


def _read_import(out: Outline, r: Reader) -> None:
    name = r.extern_name()
    sort, index = _description(r)
    out.imports.append(Import(name, sort, index, len(out.types)))
    if sort == Sort.TYPE:
        out.types.append(None if index is None else SameAs(index))
    elif sort == Sort.INSTANCE:
        out.instances.append(name)


def _read_export(out: Outline, r: Reader, walk: TypeWalk) -> None:
    name = r.extern_name()
    sort = r.byte()
    if sort == Sort.CORE:
        r.byte()
    if sort > Sort.INSTANCE:
        raise malformed(r.at, "an export is not understood")
    index = r.u32()
    if r.byte() == 1:
        walk.described(r, 0)
    out.exports.append((name, Sort(sort)))
    if sort == Sort.TYPE:
        out.types.append(SameAs(index))
    elif sort == Sort.INSTANCE:
        out.instances.append(None)


def _description(r: Reader) -> tuple[Sort, int | None]:
    sort = r.byte()
    if sort > Sort.INSTANCE:
        raise malformed(r.at, "an import is not understood")
    if sort == Sort.CORE:
        r.byte()
    if sort == Sort.TYPE and r.byte() == 1:
        return Sort.TYPE, None
    return Sort(sort), r.u32()


def describe(found: Import) -> str:
    """An import, for an error message."""
    return f"{visible(found.name)} ({SORT_WORDS[found.sort]})"
