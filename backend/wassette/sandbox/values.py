"""JSON values in and out of components: codecs that are built once per function.

wasmtime-py has a conversion of its own, which is not used: it keeps state in module globals that
threads share, leaves out the tags of variants where it thinks it can, wraps integers that are out
of range, aborts the process on a lone surrogate as `char`, and takes a second per megabyte of
bytes. The codecs here read and write the C API's values (`wasmtime_component_val_t`) in place.

The JSON form of each type is what `schema` describes. Arguments that do not fit are
`InvalidArguments` with the path of the value, what was expected and what was given:

    items[2].price: expected an integer from 0 to 255, got 300
"""

from __future__ import annotations

import binascii
import ctypes
import math
import re
import struct
from abc import ABC, abstractmethod
from array import array
from base64 import b64encode
from typing import TYPE_CHECKING, Any, NoReturn, cast

from wasmtime import WasmtimeError
from wasmtime import _ffi as ffi

from wassette.errors import FunctionUnavailable, InvalidArguments, visible
from wassette.sandbox import wit
from wassette.sandbox.layout import (
    BOOL,
    BYTES,
    CHAR,
    ENTRY,
    ENUM,
    F32,
    F64,
    FLAGS,
    LIST,
    MEMORY,
    NAME,
    OPTION,
    OWNED,
    PAIR,
    POINTER,
    RECORD,
    RESULT,
    S8,
    S16,
    S32,
    S64,
    STRING,
    TAGGED_NAME_AND_POINTER,
    TAGGED_PAIR,
    TAGGED_WORD,
    TUPLE,
    U8,
    U16,
    U32,
    U64,
    VAL,
    VARIANT,
    Borrowed,
    Memory,
    delete_value,
)
from wassette.sandbox.schema import NON_FINITE, decimal_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wasmtime._store import Storelike
    from wasmtime.component import Func

MAX_BYTE_LIST = 2_796_202
"""The longest `list<u8>` in bytes that wasmtime lets a component return. It allots 128 MiB to
the values of one transfer (its default, without a setting in the C API) and 48 bytes to each."""

SAFE_INTEGER = (1 << 53) - 1
"""Integers up to here are exact in every JSON reader; larger ones are given as strings."""


class KindMismatch(TypeError):
    """A value from wasmtime is not of the type that the codec was built for."""


def is_result_too_large(error: WasmtimeError) -> bool:
    """Whether a call failed because wasmtime would not carry so much data (see `MAX_BYTE_LIST`)."""
    return "too much data is being copied" in str(error)


# --- Mistakes -----------------------------------------------------------------------------------


class _Misfit(Exception):
    """A value that does not fit. Each container adds its segment of the path as it passes."""

    def __init__(self, expected: str, given: str) -> None:
        super().__init__(expected, given)
        self.expected = expected
        self.given = given
        self._segments: list[str] = []

    def within(self, segment: str) -> _Misfit:
        self._segments.append(segment)
        return self

    def __str__(self) -> str:
        path = "".join(reversed(self._segments))
        return f"{path}: expected {self.expected}, got {self.given}"


def _misfit(expected: str, value: object) -> _Misfit:
    return _Misfit(expected, _describe(value))


def _describe(value: object) -> str:
    """A JSON value in a few words, safe to show."""
    match value:
        case None | True | False:
            return {None: "null", True: "true", False: "false"}[value]
        case int():
            # str() of a huge int raises ValueError.
            return str(value) if value.bit_length() <= 128 else "a number of over 38 digits"
        case float():
            return repr(value) if math.isfinite(value) else "a number too large for JSON"
        case str():
            return f'"{visible(value, 40)}"'
        case list() | tuple():
            return f"an array of {len(value)}"
        case dict():
            return "an object"
    return f"a {type(value).__name__}"


def _list_names(names: Iterable[str], limit: int = 20) -> str:
    """Names that a component or a caller chose, quoted, and not too many of them."""
    quoted = [f"'{visible(name, 64)}'" for name in names]
    more = f" and {len(quoted) - limit} more" if len(quoted) > limit else ""
    return ", ".join(quoted[:limit]) + more


def _mismatch(kind: int) -> NoReturn:
    raise KindMismatch(f"unexpected component value of kind {kind}")


# --- Codecs -------------------------------------------------------------------------------------


class Codec(ABC):
    """Writes JSON values of one type as component values, and reads them back.

    An address is that of a `wasmtime_component_val_t`. `encode` expects it zeroed and leaves it
    valid, whatever happens. `decode` checks the kind of every value that it follows a pointer
    from, so that a value of another type is an error rather than a read at a wild address.
    """

    __slots__ = ()

    @abstractmethod
    def encode(self, value: object, address: int, memory: Memory) -> None:
        """Raises `_Misfit`."""

    @abstractmethod
    def decode(self, address: int) -> object:
        """Raises `KindMismatch`."""


class _Bool(Codec):
    __slots__ = ()

    def encode(self, value: object, address: int, memory: Memory) -> None:  # noqa: ARG002
        if value is not True and value is not False:
            raise _misfit("true or false", value)
        TAGGED_WORD.pack_into(MEMORY, address, BOOL, value)

    def decode(self, address: int) -> object:
        if BYTES[address] != BOOL:
            _mismatch(BYTES[address])
        return BYTES[address + 8] != 0


class _Int(Codec):
    __slots__ = ("_expected", "_kind", "_packer", "_type")

    def __init__(self, ty: wit.Int) -> None:
        self._type = ty
        self._kind, code = _NUMBERS[ty]
        self._packer = struct.Struct(f"=B7x{code}")
        self._expected = f"an integer from {ty.minimum} to {ty.maximum}"

    def encode(self, value: object, address: int, memory: Memory) -> None:  # noqa: ARG002
        if value.__class__ is not int:
            value = self._integer(value)
        try:
            self._packer.pack_into(MEMORY, address, self._kind, value)
        except (struct.error, OverflowError):
            raise _misfit(self._expected, value) from None

    def _integer(self, value: object) -> int:
        # JSON has one kind of number: 1.0 is an integer. true and false are not.
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise _misfit(self._expected, value)

    def decode(self, address: int) -> object:
        kind, value = self._packer.unpack_from(MEMORY, address)
        if kind != self._kind:
            _mismatch(kind)
        return value


class _LongInt(_Int):
    """64 bits: what JSON readers may round is a decimal string."""

    __slots__ = ("_decimal",)

    def __init__(self, ty: wit.Int) -> None:
        super().__init__(ty)
        self._decimal = re.compile(decimal_pattern(ty))
        self._expected += ", as a number or a decimal string"

    def _integer(self, value: object) -> int:
        # fullmatch: $ alone would let a line break pass.
        if isinstance(value, str) and self._decimal.fullmatch(value):
            number = int(value)
            if self._type.minimum <= number <= self._type.maximum:
                return number
            raise _misfit(self._expected, value)
        return super()._integer(value)

    def decode(self, address: int) -> object:
        return _exact(cast("int", super().decode(address)))


def _exact(value: int) -> int | str:
    return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else str(value)


class _Float(Codec):
    __slots__ = ("_expected", "_kind", "_packer")

    def __init__(self, ty: wit.Float) -> None:
        self._kind, code = _NUMBERS[ty]
        self._packer = struct.Struct(f"=B7x{code}")
        self._expected = f'a number that fits in {ty.bits} bits, or "NaN", "Infinity", "-Infinity"'

    def encode(self, value: object, address: int, memory: Memory) -> None:  # noqa: ARG002
        number = value
        if isinstance(value, str) and value in NON_FINITE:
            number = float(value)
        elif (
            not isinstance(value, (float, int))
            or isinstance(value, bool)
            # Not JSON, but what Python's parser makes of 1e999.
            or (isinstance(value, float) and not math.isfinite(value))
        ):
            raise _misfit(self._expected, value)
        try:
            self._packer.pack_into(MEMORY, address, self._kind, number)
        except (struct.error, OverflowError):
            raise _misfit(self._expected, value) from None

    def decode(self, address: int) -> object:
        kind, value = self._packer.unpack_from(MEMORY, address)
        if kind != self._kind:
            _mismatch(kind)
        return _number(value)


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


class _Char(Codec):
    __slots__ = ()

    def encode(self, value: object, address: int, memory: Memory) -> None:  # noqa: ARG002
        # A lone surrogate is valid JSON, but wasmtime would abort the process on it.
        if not isinstance(value, str) or len(value) != 1 or "\ud800" <= value <= "\udfff":
            raise _misfit("a string of one character", value)
        TAGGED_WORD.pack_into(MEMORY, address, CHAR, ord(value))

    def decode(self, address: int) -> object:
        kind, value = TAGGED_WORD.unpack_from(MEMORY, address)
        if kind != CHAR:
            _mismatch(kind)
        return chr(value & 0xFFFFFFFF)


class _String(Codec):
    __slots__ = ()

    def encode(self, value: object, address: int, memory: Memory) -> None:
        if not isinstance(value, str):
            raise _misfit("a string", value)
        try:
            text = value.encode()
        except UnicodeEncodeError as error:
            place = value[max(0, error.start - 10) : error.end + 10]
            raise _misfit("a string without lone surrogates", place) from None
        memory.name(address + 8, text)
        BYTES[address] = STRING  # last: the value is `false` until it is complete

    def decode(self, address: int) -> object:
        kind, size, data = TAGGED_PAIR.unpack_from(MEMORY, address)
        if kind != STRING:
            _mismatch(kind)
        return _text(size, data)


def _text(size: int, data: int) -> str:
    return str(BYTES[data : data + size], "utf-8")


class _List(Codec):
    __slots__ = ("_element",)

    def __init__(self, element: Codec) -> None:
        self._element = element

    def encode(self, value: object, address: int, memory: Memory) -> None:
        if not isinstance(value, (list, tuple)):
            raise _misfit("an array", value)
        encode = self._element.encode
        at = memory.vector(address, LIST, len(value), VAL)
        for index, item in enumerate(value):
            try:
                encode(item, at, memory)
            except _Misfit as misfit:
                raise misfit.within(f"[{index}]") from None
            at += VAL

    def decode(self, address: int) -> object:
        size, data = self._items(address)
        decode = self._element.decode
        return [decode(at) for at in range(data, data + size * VAL, VAL)]

    def _items(self, address: int) -> tuple[int, int]:
        kind, size, data = TAGGED_PAIR.unpack_from(MEMORY, address)
        if kind != LIST:
            _mismatch(kind)
        return size, data


class _NumberList(_List):
    """A list of numbers, all of them moved at once: 7 ns rather than a microsecond each."""

    __slots__ = ("_code", "_is_float", "_kind", "_size")

    def __init__(self, element: Codec, ty: wit.Int | wit.Float) -> None:
        super().__init__(element)
        self._is_float = isinstance(ty, wit.Float)
        self._kind, self._code = _NUMBERS[ty]
        self._size = struct.calcsize(self._code)

    def encode(self, value: object, address: int, memory: Memory) -> None:
        numbers = self._numbers(value) if isinstance(value, (list, tuple)) else None
        if numbers is None:
            # Empty, wrong, or right in an unusual way (1.0, "9007199254740993"): one by one.
            super().encode(value, address, memory)
        else:
            self._fill(memoryview(numbers), address, memory)

    def _numbers(self, values: Sequence[object]) -> array[int] | array[float] | None:
        types = set(map(type, values))
        if not types or not types <= ({int, float} if self._is_float else {int}):
            return None
        try:
            numbers = array(self._code, cast("Sequence[int]", values))
        except (OverflowError, TypeError):
            return None
        # Neither an infinity in, nor one that came of rounding to 32 bits.
        return None if self._is_float and not all(map(math.isfinite, numbers)) else numbers

    def _fill(self, numbers: memoryview, address: int, memory: Memory) -> None:
        count = len(numbers)
        start = memory.vector(address, LIST, count, VAL)
        items = BYTES[start : start + count * VAL]
        items[::VAL] = bytes((self._kind,)) * count
        self._payloads(items)[:] = numbers

    def _payloads(self, items: memoryview) -> memoryview:
        """The payload of each item, as numbers."""
        numbers: memoryview[Any] = cast("Any", items).cast(self._code)
        return numbers[8 // self._size :: VAL // self._size]

    def decode(self, address: int) -> object:
        size, data = self._items(address)
        if not size:
            return []
        if BYTES[data] != self._kind:
            _mismatch(BYTES[data])
        values = self._payloads(BYTES[data : data + size * VAL]).tolist()
        if self._is_float:
            return values if all(map(math.isfinite, values)) else [_number(v) for v in values]
        return [_exact(v) for v in values] if self._size == 8 else values


class _ByteList(_NumberList):
    """`list<u8>`: base64, or an array of integers as any other list."""

    __slots__ = ()

    def encode(self, value: object, address: int, memory: Memory) -> None:
        if not isinstance(value, str):
            if not isinstance(value, (list, tuple)):
                raise _misfit(_BASE64, value)
            super().encode(value, address, memory)
            return
        try:
            data = binascii.a2b_base64(value + "=" * (-len(value) % 4), strict_mode=True)
        except ValueError:
            raise _misfit(_BASE64, value) from None
        if data:
            self._fill(memoryview(data), address, memory)
        else:
            memory.vector(address, LIST, 0, VAL)

    def decode(self, address: int) -> object:
        size, data = self._items(address)
        if not size:
            return ""
        if BYTES[data] != self._kind:
            _mismatch(BYTES[data])
        return b64encode(bytes(self._payloads(BYTES[data : data + size * VAL]))).decode()


_BASE64 = "a base64 string (standard alphabet, RFC 4648 section 4) or an array of bytes"


class _Tuple(Codec):
    __slots__ = ("_elements",)

    def __init__(self, elements: list[Codec]) -> None:
        self._elements = elements

    def encode(self, value: object, address: int, memory: Memory) -> None:
        if not isinstance(value, (list, tuple)) or len(value) != len(self._elements):
            raise _misfit(f"an array of {len(self._elements)}", value)
        at = memory.vector(address, TUPLE, len(value), VAL)
        for index, (codec, item) in enumerate(zip(self._elements, value, strict=True)):
            try:
                codec.encode(item, at, memory)
            except _Misfit as misfit:
                raise misfit.within(f"[{index}]") from None
            at += VAL

    def decode(self, address: int) -> object:
        kind, size, at = TAGGED_PAIR.unpack_from(MEMORY, address)
        if kind != TUPLE or size != len(self._elements):
            _mismatch(kind)
        return [codec.decode(at + i * VAL) for i, codec in enumerate(self._elements)]


_MISSING = object()


class _Record(Codec):
    __slots__ = ("_fields", "_names")

    def __init__(self, fields: Iterable[tuple[str, wit.Type]]) -> None:
        self._fields = [
            # An option that is left out is none.
            (name, name.encode(), build(ty), None if isinstance(ty, wit.Option) else _MISSING)
            for name, ty in fields
        ]
        self._names = frozenset(name for name, *_ in self._fields)

    def encode(self, value: object, address: int, memory: Memory) -> None:
        if not isinstance(value, dict):
            raise _misfit("an object", value)
        if not value.keys() <= self._names:
            extra = next(key for key in value if key not in self._names)
            given = f"the unknown field {_describe(extra)}"
            raise _Misfit(f"only the fields {_list_names(self._in_order())}", given)
        at = memory.vector(address, RECORD, len(self._fields), ENTRY)
        for name, utf8, codec, default in self._fields:
            item = value.get(name, default)
            if item is _MISSING:
                raise _Misfit(f"the field '{visible(name, 64)}'", "an object without it")
            memory.name(at, utf8)
            try:
                codec.encode(item, at + NAME, memory)
            except _Misfit as misfit:
                raise misfit.within(f".{name}") from None
            at += ENTRY

    def _in_order(self) -> list[str]:
        return [name for name, *_ in self._fields]

    def decode(self, address: int) -> object:
        kind, size, at = TAGGED_PAIR.unpack_from(MEMORY, address)
        if kind != RECORD or size != len(self._fields):
            _mismatch(kind)
        result: dict[str, object] = {}
        for name, _, codec, _ in self._fields:
            result[name] = codec.decode(at + NAME)
            at += ENTRY
        return result


class _Variant(Codec):
    __slots__ = ("_cases", "_expected")

    def __init__(self, cases: Iterable[tuple[str, wit.Type | None]]) -> None:
        self._cases = {
            name: (name.encode(), None if ty is None else build(ty)) for name, ty in cases
        }
        self._expected = f'an object with a "tag" of {_list_names(self._cases)}'

    def encode(self, value: object, address: int, memory: Memory) -> None:
        if not isinstance(value, dict):
            raise _misfit(self._expected, value)
        if "tag" not in value:
            raise _Misfit(self._expected, "an object without one")
        tag = value["tag"]
        if not isinstance(tag, str) or tag not in self._cases:
            raise _misfit(f"one of {_list_names(self._cases)}", tag).within(".tag")
        utf8, codec = self._cases[tag]
        _only(value, ("tag", "val"))
        if codec is None:
            if value.get("val") is not None:
                expected = f"nothing, since '{visible(tag, 64)}' has no value"
                raise _misfit(expected, value["val"]).within(".val")
        elif "val" not in value:
            raise _Misfit(f"a \"val\" for '{visible(tag, 64)}'", "an object without one")
        memory.name(address + 8, utf8)
        BYTES[address] = VARIANT
        if codec is not None:
            _encode_box(codec, value["val"], address + 24, memory, ".val")

    def decode(self, address: int) -> object:
        kind, size, data, pointer = TAGGED_NAME_AND_POINTER.unpack_from(MEMORY, address)
        if kind != VARIANT:
            _mismatch(kind)
        tag = _text(size, data)
        _, codec = self._cases.get(tag) or _mismatch(kind)
        return {"tag": tag} if codec is None else {"tag": tag, "val": _unbox(codec, pointer)}


def _only(value: dict[str, object], known: Sequence[str]) -> None:
    for key in value:
        if key not in known:
            given = f"the unknown field {_describe(key)}"
            raise _Misfit(f"only the fields {_list_names(known)}", given)


def _encode_box(codec: Codec, value: object, slot: int, memory: Memory, segment: str) -> None:
    """Encode into a new value that `slot` points to."""
    box = memory.box()
    POINTER.pack_into(MEMORY, slot, box)
    try:
        codec.encode(value, box, memory)
    except _Misfit as misfit:
        raise (misfit.within(segment) if segment else misfit) from None


def _unbox(codec: Codec, pointer: int) -> object:
    if not pointer:
        raise KindMismatch("a component value lacks its payload")
    return codec.decode(pointer)


class _Enum(Codec):
    __slots__ = ("_expected", "_names")

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name: name.encode() for name in names}
        self._expected = f"one of {_list_names(self._names)}"

    def encode(self, value: object, address: int, memory: Memory) -> None:
        if not isinstance(value, str) or value not in self._names:
            raise _misfit(self._expected, value)
        memory.name(address + 8, self._names[value])
        BYTES[address] = ENUM

    def decode(self, address: int) -> object:
        kind, size, data = TAGGED_PAIR.unpack_from(MEMORY, address)
        if kind != ENUM:
            _mismatch(kind)
        return _text(size, data)


class _Option(Codec):
    __slots__ = ("_payload",)

    def __init__(self, payload: Codec) -> None:
        self._payload = payload

    def encode(self, value: object, address: int, memory: Memory) -> None:
        BYTES[address] = OPTION
        if value is not None:
            _encode_box(self._payload, value, address + 8, memory, "")

    def decode(self, address: int) -> object:
        kind, pointer = TAGGED_WORD.unpack_from(MEMORY, address)
        if kind != OPTION:
            _mismatch(kind)
        return self._payload.decode(pointer) if pointer else None


class _NestedOption(_Option):
    """An option of an option: {"some": …} keeps "some of none" apart from "none"."""

    __slots__ = ()

    def encode(self, value: object, address: int, memory: Memory) -> None:
        BYTES[address] = OPTION
        if value is None:
            return
        if not isinstance(value, dict) or value.keys() != {"some"}:
            raise _misfit('null or {"some": …}', value)
        _encode_box(self._payload, value["some"], address + 8, memory, ".some")

    def decode(self, address: int) -> object:
        kind, pointer = TAGGED_WORD.unpack_from(MEMORY, address)
        if kind != OPTION:
            _mismatch(kind)
        return {"some": self._payload.decode(pointer)} if pointer else None


class _Result(Codec):
    __slots__ = ("_err", "_ok")

    def __init__(self, ok: Codec | None, err: Codec | None) -> None:
        self._ok = ok
        self._err = err

    def encode(self, value: object, address: int, memory: Memory) -> None:
        if not isinstance(value, dict) or len(value) != 1 or not value.keys() <= {"ok", "err"}:
            raise _misfit('an object with either "ok" or "err"', value)
        is_ok = "ok" in value
        codec = self._ok if is_ok else self._err
        side = "ok" if is_ok else "err"
        payload = value[side]
        if codec is None and payload is not None:
            raise _misfit("null", payload).within(f".{side}")
        TAGGED_PAIR.pack_into(MEMORY, address, RESULT, is_ok, 0)
        if codec is not None:
            _encode_box(codec, payload, address + 16, memory, f".{side}")

    def decode(self, address: int) -> object:
        kind, is_ok, pointer = TAGGED_PAIR.unpack_from(MEMORY, address)
        if kind != RESULT:
            _mismatch(kind)
        # is_ok is one byte; the seven after it are padding.
        side, codec = ("ok", self._ok) if is_ok & 0xFF else ("err", self._err)
        return {side: None if codec is None else _unbox(codec, pointer)}


class _Flags(Codec):
    __slots__ = ("_expected", "_names")

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name: name.encode() for name in names}
        self._expected = f"one of {_list_names(self._names)}"

    def encode(self, value: object, address: int, memory: Memory) -> None:
        if not isinstance(value, (list, tuple)):
            raise _misfit("an array of names", value)
        for index, name in enumerate(value):
            if not isinstance(name, str) or name not in self._names:
                raise _misfit(self._expected, name).within(f"[{index}]")
        names = dict.fromkeys(value)
        at = memory.vector(address, FLAGS, len(names), NAME)
        for name in names:
            memory.name(at, self._names[name])
            at += NAME

    def decode(self, address: int) -> object:
        kind, size, data = TAGGED_PAIR.unpack_from(MEMORY, address)
        if kind != FLAGS:
            _mismatch(kind)
        return [
            _text(*PAIR.unpack_from(MEMORY, at)) for at in range(data, data + size * NAME, NAME)
        ]


# The kind of each number type, and its code in `struct` and `array`.
_NUMBERS: dict[wit.Type, tuple[int, str]] = {
    wit.Int(8, signed=True): (S8, "b"),
    wit.Int(8, signed=False): (U8, "B"),
    wit.Int(16, signed=True): (S16, "h"),
    wit.Int(16, signed=False): (U16, "H"),
    wit.Int(32, signed=True): (S32, "i"),
    wit.Int(32, signed=False): (U32, "I"),
    wit.Int(64, signed=True): (S64, "q"),
    wit.Int(64, signed=False): (U64, "Q"),
    wit.Float(32): (F32, "f"),
    wit.Float(64): (F64, "d"),
}


def build(ty: wit.Type) -> Codec:
    """The codec of a type. Raises FunctionUnavailable for one that cannot cross as JSON."""
    match ty:
        case wit.Bool():
            return _Bool()
        case wit.Int():
            return _LongInt(ty) if ty.bits == 64 else _Int(ty)
        case wit.Float():
            return _Float(ty)
        case wit.Char():
            return _Char()
        case wit.String():
            return _String()
        case wit.List(element):
            if element == wit.U8:
                return _ByteList(build(element), wit.U8)
            if isinstance(element, (wit.Int, wit.Float)):
                return _NumberList(build(element), element)
            return _List(build(element))
        case wit.Tuple(elements):
            return _Tuple([build(element) for element in elements])
        case wit.Record(fields):
            return _Record(fields)
        case wit.Variant(cases):
            return _Variant(cases)
        case wit.Enum(names):
            return _Enum(names)
        case wit.Option(payload):
            nested = isinstance(payload, wit.Option)
            return (_NestedOption if nested else _Option)(build(payload))
        case wit.Result(ok, err):
            return _Result(None if ok is None else build(ok), None if err is None else build(err))
        case wit.Flags(names):
            return _Flags(names)
        case wit.Unsupported(reason):
            raise FunctionUnavailable(f"{reason} cannot be passed as JSON")


# --- Functions ----------------------------------------------------------------------------------


class EncodedArguments:
    """The arguments of a call, ready to be passed any number of times, to any instance."""

    __slots__ = ("_memory", "count", "values")

    def __init__(self, count: int) -> None:
        self.count = count
        self.values = (ffi.wasmtime_component_val_t * count)()
        self._memory = Borrowed()

    def encode(self, index: int, codec: Codec, value: object) -> None:
        codec.encode(value, ctypes.addressof(self.values) + index * VAL, self._memory)


class FunctionCodec:
    """Calls functions of one type with JSON, and answers callbacks of that type.

    Immutable after construction: one serves every thread and every instance. Raises
    `FunctionUnavailable` for a function whose types cannot cross.
    """

    def __init__(self, function: wit.Function) -> None:
        reason = function.unavailable
        if reason is not None:
            raise FunctionUnavailable(reason)
        self.function = function
        self._params = [
            (name, build(ty), None if isinstance(ty, wit.Option) else _MISSING)
            for name, ty in function.params
        ]
        self._names = frozenset(name for name, _ in function.params)
        self._result = None if function.result is None else build(function.result)

    def encode_args(self, arguments: Mapping[str, object]) -> EncodedArguments:
        """The arguments by name; options may be left out. Raises InvalidArguments."""
        unknown = [name for name in arguments if name not in self._names]
        if unknown:
            raise InvalidArguments(f"unknown {_plural(unknown)}; {self._takes()}")
        values = [arguments.get(name, default) for name, _, default in self._params]
        if _MISSING in values:
            missing = [
                name
                for (name, _, _), value in zip(self._params, values, strict=True)
                if value is _MISSING
            ]
            raise InvalidArguments(f"missing {_plural(missing)}; {self._takes()}")
        encoded = EncodedArguments(len(values))
        for index, ((name, codec, _), value) in enumerate(zip(self._params, values, strict=True)):
            try:
                encoded.encode(index, codec, value)
            except _Misfit as misfit:
                raise InvalidArguments(str(misfit.within(name))) from None
        return encoded

    def _takes(self) -> str:
        if not self._params:
            return "this tool takes no arguments"
        return f"this tool takes {_list_names(name for name, *_ in self._params)}"

    def call(self, func: Func, store: Storelike, arguments: EncodedArguments) -> object:
        """Call a component's function, which must have this codec's type, and return the result
        as JSON (None without one). Raises `WasmtimeError` for what went wrong inside; see
        `is_result_too_large`. The interpreter lock is free during the call."""
        result = ffi.wasmtime_component_val_t()
        address = ctypes.addressof(result)
        try:
            error = ffi.wasmtime_component_func_call(
                ctypes.byref(func._func),
                store._context(),
                arguments.values,
                arguments.count,
                ctypes.byref(result),
                0 if self._result is None else 1,
            )
            if error:
                raise WasmtimeError._from_ptr(error)
            return None if self._result is None else self._result.decode(address)
        finally:
            delete_value(address)  # still `false` after an error, which has nothing to free

    def decode_params(self, address: int, count: int) -> list[object]:
        """The arguments of a callback, which are at `address` and stay wasmtime's."""
        if count != len(self._params):
            raise KindMismatch(f"expected {len(self._params)} arguments, got {count}")
        return [codec.decode(address + i * VAL) for i, (_, codec, _) in enumerate(self._params)]

    def encode_result(self, value: object, address: int, count: int) -> None:
        """Give a callback's result to wasmtime. Raises TypeError if it is not of the type."""
        if count != (0 if self._result is None else 1):
            raise KindMismatch("the function was imported with another result")
        if self._result is None:
            if value is not None:
                raise TypeError(f"expected no result, got {_describe(value)}")
            return
        try:
            self._result.encode(value, address, OWNED)
        except _Misfit as misfit:
            raise TypeError(str(misfit.within("result"))) from None


def _plural(names: list[str]) -> str:
    return f"argument{'s' if len(names) > 1 else ''} {_list_names(names)}"
