"""Codecs of what is made of other values, or names one of several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wassette.errors import visible
from wassette.sandbox.layout import (
    BYTES,
    ENTRY,
    ENUM,
    FLAGS,
    MEMORY,
    NAME,
    OPTION,
    PAIR,
    POINTER,
    RECORD,
    RESULT,
    TAGGED_NAME_AND_POINTER,
    TAGGED_PAIR,
    TAGGED_WORD,
    TUPLE,
    VAL,
    VARIANT,
)

from .codec import Codec, KindMismatch, Misfit, describe, list_names, mismatch
from .scalars import text_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wassette.sandbox.layout import Memory

MISSING = object()
"""Stands for a value that was not given."""


class Tuple(Codec):
    __slots__ = ("_elements",)

    def __init__(self, elements: list[Codec]) -> None:
        self._elements = elements

    def encode(self, value: object, address: int, memory: Memory) -> None:
        if not isinstance(value, (list, tuple)) or len(value) != len(self._elements):
            raise Misfit.of(f"an array of {len(self._elements)}", value)
        at = memory.vector(address, TUPLE, len(value), VAL)
        for index, (codec, item) in enumerate(zip(self._elements, value, strict=True)):
            try:
                codec.encode(item, at, memory)
            except Misfit as misfit:
                raise misfit.within(f"[{index}]") from None
            at += VAL

    def decode(self, address: int) -> object:
        kind, size, at = TAGGED_PAIR.unpack_from(MEMORY, address)
        if kind != TUPLE or size != len(self._elements):
            mismatch(kind)
        return [codec.decode(at + i * VAL) for i, codec in enumerate(self._elements)]


class Record(Codec):
    __slots__ = ("_fields", "_names")

    def __init__(self, fields: Iterable[tuple[str, Codec, object]]) -> None:
        """`fields`: name, codec, and what stands for one that is left out (`MISSING`: it may not
        be)."""
        self._fields = [(name, name.encode(), codec, default) for name, codec, default in fields]
        self._names = frozenset(name for name, *_ in self._fields)

    def encode(self, value: object, address: int, memory: Memory) -> None:
        if not isinstance(value, dict):
            raise Misfit.of("an object", value)
        if not value.keys() <= self._names:
            extra = next(key for key in value if key not in self._names)
            given = f"the unknown field {describe(extra)}"
            raise Misfit(f"only the fields {list_names(self._in_order())}", given)
        at = memory.vector(address, RECORD, len(self._fields), ENTRY)
        for name, utf8, codec, default in self._fields:
            item = value.get(name, default)
            if item is MISSING:
                raise Misfit(f"the field '{visible(name, 64)}'", "an object without it")
            memory.name(at, utf8)
            try:
                codec.encode(item, at + NAME, memory)
            except Misfit as misfit:
                raise misfit.within(f".{name}") from None
            at += ENTRY

    def _in_order(self) -> list[str]:
        return [name for name, *_ in self._fields]

    def decode(self, address: int) -> object:
        kind, size, at = TAGGED_PAIR.unpack_from(MEMORY, address)
        if kind != RECORD or size != len(self._fields):
            mismatch(kind)
        result: dict[str, object] = {}
        for name, _, codec, _ in self._fields:
            result[name] = codec.decode(at + NAME)
            at += ENTRY
        return result


class Variant(Codec):
    __slots__ = ("_cases", "_expected")

    def __init__(self, cases: Iterable[tuple[str, Codec | None]]) -> None:
        self._cases = {name: (name.encode(), codec) for name, codec in cases}
        self._expected = f'an object with a "tag" of {list_names(self._cases)}'

    def encode(self, value: object, address: int, memory: Memory) -> None:
        if not isinstance(value, dict):
            raise Misfit.of(self._expected, value)
        if "tag" not in value:
            raise Misfit(self._expected, "an object without one")
        tag = value["tag"]
        if not isinstance(tag, str) or tag not in self._cases:
            raise Misfit.of(f"one of {list_names(self._cases)}", tag).within(".tag")
        utf8, codec = self._cases[tag]
        only(value, ("tag", "val"))
        if codec is None:
            if value.get("val") is not None:
                expected = f"nothing, since '{visible(tag, 64)}' has no value"
                raise Misfit.of(expected, value["val"]).within(".val")
        elif "val" not in value:
            raise Misfit(f"a \"val\" for '{visible(tag, 64)}'", "an object without one")
        memory.name(address + 8, utf8)
        BYTES[address] = VARIANT
        if codec is not None:
            encode_box(codec, value["val"], address + 24, memory, ".val")

    def decode(self, address: int) -> object:
        kind, size, data, pointer = TAGGED_NAME_AND_POINTER.unpack_from(MEMORY, address)
        if kind != VARIANT:
            mismatch(kind)
        tag = text_at(size, data)
        _, codec = self._cases.get(tag) or mismatch(kind)
        return {"tag": tag} if codec is None else {"tag": tag, "val": unbox(codec, pointer)}


def only(value: dict[str, object], known: Sequence[str]) -> None:
    for key in value:
        if key not in known:
            given = f"the unknown field {describe(key)}"
            raise Misfit(f"only the fields {list_names(known)}", given)


def encode_box(codec: Codec, value: object, slot: int, memory: Memory, segment: str) -> None:
    """Encode into a new value that `slot` points to."""
    box = memory.box()
    POINTER.pack_into(MEMORY, slot, box)
    try:
        codec.encode(value, box, memory)
    except Misfit as misfit:
        raise (misfit.within(segment) if segment else misfit) from None


def unbox(codec: Codec, pointer: int) -> object:
    if not pointer:
        raise KindMismatch("a component value lacks its payload")
    return codec.decode(pointer)


class Enum(Codec):
    __slots__ = ("_expected", "_names")

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name: name.encode() for name in names}
        self._expected = f"one of {list_names(self._names)}"

    def encode(self, value: object, address: int, memory: Memory) -> None:
        if not isinstance(value, str) or value not in self._names:
            raise Misfit.of(self._expected, value)
        memory.name(address + 8, self._names[value])
        BYTES[address] = ENUM

    def decode(self, address: int) -> object:
        kind, size, data = TAGGED_PAIR.unpack_from(MEMORY, address)
        if kind != ENUM:
            mismatch(kind)
        return text_at(size, data)


class Option(Codec):
    __slots__ = ("_payload",)

    def __init__(self, payload: Codec) -> None:
        self._payload = payload

    def encode(self, value: object, address: int, memory: Memory) -> None:
        BYTES[address] = OPTION
        if value is not None:
            encode_box(self._payload, value, address + 8, memory, "")

    def decode(self, address: int) -> object:
        kind, pointer = TAGGED_WORD.unpack_from(MEMORY, address)
        if kind != OPTION:
            mismatch(kind)
        return self._payload.decode(pointer) if pointer else None


class NestedOption(Option):
    """An option of an option: {"some": …} keeps "some of none" apart from "none"."""

    __slots__ = ()

    def encode(self, value: object, address: int, memory: Memory) -> None:
        BYTES[address] = OPTION
        if value is None:
            return
        if not isinstance(value, dict) or value.keys() != {"some"}:
            raise Misfit.of('null or {"some": …}', value)
        encode_box(self._payload, value["some"], address + 8, memory, ".some")

    def decode(self, address: int) -> object:
        kind, pointer = TAGGED_WORD.unpack_from(MEMORY, address)
        if kind != OPTION:
            mismatch(kind)
        return {"some": self._payload.decode(pointer)} if pointer else None


class Result(Codec):
    __slots__ = ("_err", "_ok")

    def __init__(self, ok: Codec | None, err: Codec | None) -> None:
        self._ok = ok
        self._err = err

    def encode(self, value: object, address: int, memory: Memory) -> None:
        if not isinstance(value, dict) or len(value) != 1 or not value.keys() <= {"ok", "err"}:
            raise Misfit.of('an object with either "ok" or "err"', value)
        is_ok = "ok" in value
        codec = self._ok if is_ok else self._err
        side = "ok" if is_ok else "err"
        payload = value[side]
        if codec is None and payload is not None:
            raise Misfit.of("null", payload).within(f".{side}")
        TAGGED_PAIR.pack_into(MEMORY, address, RESULT, is_ok, 0)
        if codec is not None:
            encode_box(codec, payload, address + 16, memory, f".{side}")

    def decode(self, address: int) -> object:
        kind, is_ok, pointer = TAGGED_PAIR.unpack_from(MEMORY, address)
        if kind != RESULT:
            mismatch(kind)
        # is_ok is one byte; the seven after it are padding.
        side, codec = ("ok", self._ok) if is_ok & 0xFF else ("err", self._err)
        return {side: None if codec is None else unbox(codec, pointer)}


class Flags(Codec):
    __slots__ = ("_expected", "_names")

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name: name.encode() for name in names}
        self._expected = f"one of {list_names(self._names)}"

    def encode(self, value: object, address: int, memory: Memory) -> None:
        if not isinstance(value, (list, tuple)):
            raise Misfit.of("an array of names", value)
        for index, name in enumerate(value):
            if not isinstance(name, str) or name not in self._names:
                raise Misfit.of(self._expected, name).within(f"[{index}]")
        names = dict.fromkeys(value)
        at = memory.vector(address, FLAGS, len(names), NAME)
        for name in names:
            memory.name(at, self._names[name])
            at += NAME

    def decode(self, address: int) -> object:
        kind, size, data = TAGGED_PAIR.unpack_from(MEMORY, address)
        if kind != FLAGS:
            mismatch(kind)
        return [
            text_at(*PAIR.unpack_from(MEMORY, at)) for at in range(data, data + size * NAME, NAME)
        ]
