"""The types of the WebAssembly component model, as values of our own.

wasmtime describes a type by objects that wrap native memory, cannot be hashed and ask the
library again on every look. Schemas and codecs are built from these instead: frozen, hashable,
comparable, and free of wasmtime.

`from_wasmtime` is the only way from one to the other. It never raises and it is bounded, since
the types belong to an untrusted component. What it meets that cannot cross as JSON becomes
`Unsupported`, and `Function.unavailable` says which parameter it is in.

What wasmtime 50.0.1 does with the kinds we refuse (each tried in a process of its own):

* `own`, `borrow`, `future`, `stream`: can be looked at; a *call* that returns a stream or future
  aborts the process in the C API, so nothing that mentions one is ever called. Both are accepted
  by an engine with default settings.
* `error-context` and fixed-length lists: refused when the component is compiled; the C API has
  no setting to allow them.
* `map`: refused unless the engine allows it, and then wasmtime-py raises TypeError.
* `async` functions: look and are called like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, overload

from wasmtime import component

from wassette.errors import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PARTS = 10_000
"""How many types one function may be made of. Types can be shared, so a few hundred bytes can
describe a record with billions of fields."""

MAX_DEPTH = 64
"""How deep types may nest; schemas and codecs recurse once per level."""


@dataclass(frozen=True, slots=True)
class Bool:
    """`bool`"""


@dataclass(frozen=True, slots=True)
class Int:
    """`s8` to `u64`"""

    bits: int
    signed: bool

    @property
    def minimum(self) -> int:
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        return (1 << (self.bits - self.signed)) - 1


@dataclass(frozen=True, slots=True)
class Float:
    """`f32` or `f64`"""

    bits: int


@dataclass(frozen=True, slots=True)
class Char:
    """`char`, one Unicode scalar value"""


@dataclass(frozen=True, slots=True)
class String:
    """`string`"""


@dataclass(frozen=True, slots=True)
class List:
    """`list<T>`"""

    element: Type


@dataclass(frozen=True, slots=True)
class Tuple:
    """`tuple<A, B, …>`"""

    elements: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """`record { name: T, … }`"""

    fields: tuple[tuple[str, Type], ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """`variant { a, b(T), … }`; None for a case without a value"""

    cases: tuple[tuple[str, Type | None], ...]


@dataclass(frozen=True, slots=True)
class Enum:
    """`enum { a, b, … }`"""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Option:
    """`option<T>`"""

    payload: Type


@dataclass(frozen=True, slots=True)
class Result:
    """`result<T, E>`; None for a side without a value"""

    ok: Type | None
    err: Type | None


@dataclass(frozen=True, slots=True)
class Flags:
    """`flags { a, b, … }`"""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A type that cannot cross as JSON; `reason` is a noun phrase such as "a resource"."""

    reason: str


Type: TypeAlias = (
    Bool
    | Int
    | Float
    | Char
    | String
    | List
    | Tuple
    | Record
    | Variant
    | Enum
    | Option
    | Result
    | Flags
    | Unsupported
)

U8 = Int(8, signed=False)


@dataclass(frozen=True, slots=True)
class Function:
    """A function's parameters in order, and its result if it has one."""

    params: tuple[tuple[str, Type], ...] = ()
    result: Type | None = None

    @property
    def unavailable(self) -> str | None:
        """Why the function cannot be called with JSON, or None if it can."""
        for name, ty in self.params:
            for path, reason in _unsupported(name, ty):
                return f"parameter '{visible(path)}' holds {reason}, {_CANNOT}"
        if self.result is not None:
            for path, reason in _unsupported("result", self.result):
                where = "the result" if path == "result" else f"the result at '{visible(path)}'"
                return f"{where} holds {reason}, {_CANNOT}"
        return None


_CANNOT = "which cannot be passed as JSON"


def _unsupported(path: str, ty: Type) -> Iterator[tuple[str, str]]:
    """The path and reason of everything in `ty` that cannot cross."""
    match ty:
        case Unsupported(reason):
            yield path, reason
        case List(element):
            yield from _unsupported(f"{path}[]", element)
        case Option(payload):
            yield from _unsupported(path, payload)
        case Tuple(elements):
            for index, element in enumerate(elements):
                yield from _unsupported(f"{path}[{index}]", element)
        case Record(members) | Variant(members):
            for name, member in members:
                if member is not None:
                    yield from _unsupported(f"{path}.{name}", member)
        case Result(ok, err):
            for name, side in (("ok", ok), ("err", err)):
                if side is not None:
                    yield from _unsupported(f"{path}.{name}", side)


@overload
def from_wasmtime(ty: component.FuncType) -> Function: ...


@overload
def from_wasmtime(ty: component.ValType) -> Type: ...


def from_wasmtime(ty: component.FuncType | component.ValType) -> Function | Type:
    """Our model of a type or function type of wasmtime. Never raises."""
    converter = _Converter()
    if isinstance(ty, component.FuncType):
        return converter.function(ty)
    return converter.value(ty)


_TOO_LARGE = Unsupported(f"a type of more than {MAX_PARTS} parts")
_TOO_DEEP = Unsupported(f"a type nested more than {MAX_DEPTH} levels deep")
_UNKNOWN = Unsupported("a type that this version does not know")

_SIMPLE: dict[type, Type] = {
    component.Bool: Bool(),
    component.S8: Int(8, signed=True),
    component.U8: U8,
    component.S16: Int(16, signed=True),
    component.U16: Int(16, signed=False),
    component.S32: Int(32, signed=True),
    component.U32: Int(32, signed=False),
    component.S64: Int(64, signed=True),
    component.U64: Int(64, signed=False),
    component.F32: Float(32),
    component.F64: Float(64),
    component.Char: Char(),
    component.String: String(),
    component.OwnType: Unsupported("a resource"),
    component.BorrowType: Unsupported("a resource"),
    component.FutureType: Unsupported("a future"),
    component.StreamType: Unsupported("a stream"),
    component.ErrorContext: Unsupported("an error context"),
}


class _TooLarge(Exception):
    """The budget of parts is used up."""


class _Converter:
    """One conversion, with what is left of its budget."""

    def __init__(self) -> None:
        self._left = MAX_PARTS

    def function(self, ty: component.FuncType) -> Function:
        try:
            params = ty.params
        except Exception:  # noqa: BLE001  (whatever wasmtime-py cannot describe)
            # The names are lost with it: wasmtime-py reads all parameters or none.
            converted: tuple[tuple[str, Type], ...] = (("?", _UNKNOWN),)
        else:
            converted = tuple((name, self.value(param)) for name, param in params)
        try:
            result = ty.result
        except Exception:  # noqa: BLE001
            return Function(converted, _UNKNOWN)
        return Function(converted, None if result is None else self.value(result))

    def value(self, ty: component.ValType) -> Type:
        try:
            return self._type(ty, 0)
        except _TooLarge:
            return _TOO_LARGE

    def _type(self, ty: component.ValType, depth: int) -> Type:
        self._left -= 1
        if self._left < 0:
            raise _TooLarge
        simple = _SIMPLE.get(type(ty))
        if simple is not None:
            return simple
        if depth >= MAX_DEPTH:
            return _TOO_DEEP
        try:
            return self._compound(ty, depth + 1)
        except _TooLarge:
            raise
        except Exception:  # noqa: BLE001  (whatever wasmtime-py cannot describe)
            return _UNKNOWN

    def _compound(self, ty: component.ValType, depth: int) -> Type:
        match ty:
            case component.ListType():
                return List(self._type(ty.element, depth))
            case component.TupleType():
                return Tuple(tuple(self._type(element, depth) for element in ty.elements))
            case component.RecordType():
                return Record(tuple((name, self._type(t, depth)) for name, t in ty.fields))
            case component.VariantType():
                return Variant(tuple((name, self._maybe(t, depth)) for name, t in ty.cases))
            case component.EnumType():
                return Enum(tuple(ty.names))
            case component.OptionType():
                return Option(self._type(ty.payload, depth))
            case component.ResultType():
                return Result(self._maybe(ty.ok, depth), self._maybe(ty.err, depth))
            case component.FlagsType():
                return Flags(tuple(ty.names))
        return _UNKNOWN

    def _maybe(self, ty: component.ValType | None, depth: int) -> Type | None:
        return None if ty is None else self._type(ty, depth)
