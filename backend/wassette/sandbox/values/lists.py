"""Codecs of lists. Numbers and bytes are moved all at once."""

from __future__ import annotations

import binascii
import math
import struct
from array import array
from base64 import b64encode
from typing import TYPE_CHECKING, Any, cast

from wassette.sandbox import wit
from wassette.sandbox.layout import BYTES, LIST, MEMORY, TAGGED_PAIR, VAL

from .codec import Codec, Misfit, mismatch
from .scalars import NUMBERS, exact, finite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wassette.sandbox.layout import Memory


class List(Codec):
    __slots__ = ("_element",)

    def __init__(self, element: Codec) -> None:
        self._element = element

    def encode(self, value: object, address: int, memory: Memory) -> None:
        if not isinstance(value, (list, tuple)):
            raise Misfit.of("an array", value)
        encode = self._element.encode
        at = memory.vector(address, LIST, len(value), VAL)
        for index, item in enumerate(value):
            try:
                encode(item, at, memory)
            except Misfit as misfit:
                raise misfit.within(f"[{index}]") from None
            at += VAL

    def decode(self, address: int) -> object:
        size, data = self._items(address)
        decode = self._element.decode
        return [decode(at) for at in range(data, data + size * VAL, VAL)]

    def _items(self, address: int) -> tuple[int, int]:
        kind, size, data = TAGGED_PAIR.unpack_from(MEMORY, address)
        if kind != LIST:
            mismatch(kind)
        return size, data


class NumberList(List):
    """A list of numbers, all of them moved at once: 7 ns rather than a microsecond each."""

    __slots__ = ("_code", "_is_float", "_kind", "_size")

    def __init__(self, element: Codec, ty: wit.Int | wit.Float) -> None:
        super().__init__(element)
        self._is_float = isinstance(ty, wit.Float)
        self._kind, self._code = NUMBERS[ty]
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
            mismatch(BYTES[data])
        values = self._payloads(BYTES[data : data + size * VAL]).tolist()
        if self._is_float:
            return values if all(map(math.isfinite, values)) else [finite(v) for v in values]
        return [exact(v) for v in values] if self._size == 8 else values


class ByteList(NumberList):
    """`list<u8>`: base64, or an array of integers as any other list."""

    __slots__ = ()

    def encode(self, value: object, address: int, memory: Memory) -> None:
        if not isinstance(value, str):
            if not isinstance(value, (list, tuple)):
                raise Misfit.of(_BASE64, value)
            super().encode(value, address, memory)
            return
        try:
            data = binascii.a2b_base64(value + "=" * (-len(value) % 4), strict_mode=True)
        except ValueError:
            raise Misfit.of(_BASE64, value) from None
        if data:
            self._fill(memoryview(data), address, memory)
        else:
            memory.vector(address, LIST, 0, VAL)

    def decode(self, address: int) -> object:
        size, data = self._items(address)
        if not size:
            return ""
        if BYTES[data] != self._kind:
            mismatch(BYTES[data])
        return b64encode(bytes(self._payloads(BYTES[data : data + size * VAL]))).decode()


_BASE64 = "a base64 string (standard alphabet, RFC 4648 section 4) or an array of bytes"
