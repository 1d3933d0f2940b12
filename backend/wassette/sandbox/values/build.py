"""Types → codecs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wassette.errors import FunctionUnavailable
from wassette.sandbox import wit

from .compounds import (
    MISSING,
    Enum,
    Flags,
    NestedOption,
    Option,
    Record,
    Result,
    Tuple,
    Variant,
)
from .lists import ByteList, List, NumberList
from .scalars import Bool, Char, Float, Int, LongInt, String

if TYPE_CHECKING:
    from .codec import Codec


def build(ty: wit.Type) -> Codec:
    """The codec of a type. Raises FunctionUnavailable for one that cannot cross as JSON."""
    match ty:
        case wit.Bool():
            return Bool()
        case wit.Int():
            return LongInt(ty) if ty.bits == 64 else Int(ty)
        case wit.Float():
            return Float(ty)
        case wit.Char():
            return Char()
        case wit.String():
            return String()
        case wit.List(element):
            if element == wit.U8:
                return ByteList(build(element), wit.U8)
            if isinstance(element, (wit.Int, wit.Float)):
                return NumberList(build(element), element)
            return List(build(element))
        case wit.Tuple(elements):
            return Tuple([build(element) for element in elements])
        case wit.Record(fields):
            return Record((name, build(field), if_left_out(field)) for name, field in fields)
        case wit.Variant(cases):
            return Variant((name, None if case is None else build(case)) for name, case in cases)
        case wit.Enum(names):
            return Enum(names)
        case wit.Option(payload):
            nested = isinstance(payload, wit.Option)
            return (NestedOption if nested else Option)(build(payload))
        case wit.Result(ok, err):
            return Result(None if ok is None else build(ok), None if err is None else build(err))
        case wit.Flags(names):
            return Flags(names)
        case wit.Unsupported(reason):
            raise FunctionUnavailable(f"{reason} cannot be passed as JSON")


def if_left_out(ty: wit.Type) -> object:
    """What stands for a field or an argument that is left out: an option is none then."""
    return None if isinstance(ty, wit.Option) else MISSING
