"""Codecs of single values: truth, numbers, characters, texts."""

from __future__ import annotations

import math
import re
import struct
from typing import TYPE_CHECKING, cast

from wassette.sandbox import wit
from wassette.sandbox.layout import (
    BOOL,
    BYTES,
    CHAR,
    F32,
    F64,
    MEMORY,
    S8,
    S16,
    S32,
    S64,
    STRING,
    TAGGED_PAIR,
    TAGGED_WORD,
    U8,
    U16,
    U32,
    U64,
)
from wassette.sandbox.schema import NON_FINITE, decimal_pattern

from .codec import Codec, Misfit, mismatch

if TYPE_CHECKING:
    from wassette.sandbox.layout import Memory

SAFE_INTEGER = (1 << 53) - 1
"""Integers up to here are exact in every JSON reader; larger ones are given as strings."""

# The kind of each number type, and its code in `struct` and `array`.
NUMBERS: dict[wit.Type, tuple[int, str]] = {
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


class Bool(Codec):
    __slots__ = ()

    def encode(self, value: object, address: int, memory: Memory) -> None:  # noqa: ARG002
        if value is not True and value is not False:
            raise Misfit.of("true or false", value)
        TAGGED_WORD.pack_into(MEMORY, address, BOOL, value)

    def decode(self, address: int) -> object:
        if BYTES[address] != BOOL:
            mismatch(BYTES[address])
        return BYTES[address + 8] != 0


class Int(Codec):
    __slots__ = ("_expected", "_kind", "_packer", "_type")

    def __init__(self, ty: wit.Int) -> None:
        self._type = ty
        self._kind, code = NUMBERS[ty]
        self._packer = struct.Struct(f"=B7x{code}")
        self._expected = f"an integer from {ty.minimum} to {ty.maximum}"

    def encode(self, value: object, address: int, memory: Memory) -> None:  # noqa: ARG002
        if value.__class__ is not int:
            value = self._integer(value)
        try:
            self._packer.pack_into(MEMORY, address, self._kind, value)
        except (struct.error, OverflowError):
            raise Misfit.of(self._expected, value) from None

    def _integer(self, value: object) -> int:
        # JSON has one kind of number: 1.0 is an integer. true and false are not.
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise Misfit.of(self._expected, value)

    def decode(self, address: int) -> object:
        kind, value = self._packer.unpack_from(MEMORY, address)
        if kind != self._kind:
            mismatch(kind)
        return value


class LongInt(Int):
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
            raise Misfit.of(self._expected, value)
        return super()._integer(value)

    def decode(self, address: int) -> object:
        return exact(cast("int", super().decode(address)))


def exact(value: int) -> int | str:
    return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else str(value)


class Float(Codec):
    __slots__ = ("_expected", "_kind", "_packer")

    def __init__(self, ty: wit.Float) -> None:
        self._kind, code = NUMBERS[ty]
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
            raise Misfit.of(self._expected, value)
        try:
            self._packer.pack_into(MEMORY, address, self._kind, number)
        except (struct.error, OverflowError):
            raise Misfit.of(self._expected, value) from None

    def decode(self, address: int) -> object:
        kind, value = self._packer.unpack_from(MEMORY, address)
        if kind != self._kind:
            mismatch(kind)
        return finite(value)


def finite(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


class Char(Codec):
    __slots__ = ()

    def encode(self, value: object, address: int, memory: Memory) -> None:  # noqa: ARG002
        # A lone surrogate is valid JSON, but wasmtime would abort the process on it.
        if not isinstance(value, str) or len(value) != 1 or "\ud800" <= value <= "\udfff":
            raise Misfit.of("a string of one character", value)
        TAGGED_WORD.pack_into(MEMORY, address, CHAR, ord(value))

    def decode(self, address: int) -> object:
        kind, value = TAGGED_WORD.unpack_from(MEMORY, address)
        if kind != CHAR:
            mismatch(kind)
        return chr(value & 0xFFFFFFFF)


class String(Codec):
    __slots__ = ()

    def encode(self, value: object, address: int, memory: Memory) -> None:
        if not isinstance(value, str):
            raise Misfit.of("a string", value)
        try:
            text = value.encode()
        except UnicodeEncodeError as error:
            place = value[max(0, error.start - 10) : error.end + 10]
            raise Misfit.of("a string without lone surrogates", place) from None
        memory.name(address + 8, text)
        BYTES[address] = STRING  # last: the value is `false` until it is complete

    def decode(self, address: int) -> object:
        kind, size, data = TAGGED_PAIR.unpack_from(MEMORY, address)
        if kind != STRING:
            mismatch(kind)
        return text_at(size, data)


def text_at(size: int, data: int) -> str:
    return str(BYTES[data : data + size], "utf-8")
