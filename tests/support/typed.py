"""Hypothesis strategies for WIT types and JSON values, and what a value becomes on a round trip."""

from __future__ import annotations

import base64
import math
import struct
from typing import Any

from hypothesis import strategies as st

from wassette.sandbox import wit
from wassette.sandbox.schema import NON_FINITE
from wassette.sandbox.values import SAFE_INTEGER

NAMES = ["a", "b", "ok", "err", "tag", "val", "some", "long-name", "x2", "type"]

_names = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True).map(tuple)
_integers = st.builds(wit.Int, st.sampled_from([8, 16, 32, 64]), st.booleans())
_numbers = _integers | st.builds(wit.Float, st.sampled_from([32, 64]))
_leaves: st.SearchStrategy[Any] = (
    _numbers
    | st.sampled_from([wit.Bool(), wit.Char(), wit.String()])
    | st.builds(wit.List, _numbers)
    | st.builds(wit.Enum, _names)
    | st.builds(wit.Flags, _names)
)


def _compound(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, min_size=1, max_size=4)
    maybe = st.none() | inner
    return (
        st.builds(wit.List, inner)
        | st.builds(lambda elements: wit.Tuple(tuple(elements)), some)
        | st.builds(lambda n, t: wit.Record(tuple(zip(n, t, strict=False))), _names, some)
        | st.builds(
            lambda n, t: wit.Variant(tuple(zip(n, t, strict=False))),
            _names,
            st.lists(maybe, min_size=1, max_size=4),
        )
        | st.builds(wit.Option, inner)
        | st.builds(wit.Result, maybe, maybe)
    )


types: st.SearchStrategy[wit.Type] = st.recursive(_leaves, _compound, max_leaves=8)

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def values(ty: wit.Type) -> st.SearchStrategy[Any]:
    """JSON values that the schema of the type accepts, in every form that it accepts."""
    match ty:
        case wit.Bool():
            return st.booleans()
        case wit.Int():
            edges = st.sampled_from([ty.minimum, ty.maximum, 0, 1])
            number = edges | st.integers(ty.minimum, ty.maximum)
            small = st.integers(max(ty.minimum, -100), 100).map(float)
            return number | small | number.map(str) if ty.bits == 64 else number | small
        case wit.Float(bits):
            finite = st.floats(width=64 if bits == 64 else 32, allow_nan=False).filter(
                math.isfinite
            )
            return finite | st.integers(-1000, 1000) | st.sampled_from(NON_FINITE)
        case wit.Char():
            return st.characters(exclude_categories=["Cs"])
        case wit.String():
            return _text
        case wit.List(element) if element == wit.U8:
            encoded = st.binary(max_size=9).map(lambda data: base64.b64encode(data).decode())
            return encoded | encoded.map(lambda text: text.rstrip("="))
        case wit.List(element):
            return st.lists(values(element), max_size=4)
        case wit.Tuple(elements):
            return st.tuples(*map(values, elements)).map(list)
        case wit.Record(fields):
            optional = {n: values(t) for n, t in fields if isinstance(t, wit.Option)}
            required = {n: values(t) for n, t in fields if not isinstance(t, wit.Option)}
            return st.fixed_dictionaries(required, optional=optional)
        case wit.Variant(cases):
            return st.one_of(
                [
                    st.fixed_dictionaries(
                        {"tag": st.just(name), **({} if t is None else {"val": values(t)})}
                    )
                    for name, t in cases
                ]
            )
        case wit.Enum(names):
            return st.sampled_from(names)
        case wit.Option(payload):
            some = values(payload)
            if isinstance(payload, wit.Option):
                some = st.fixed_dictionaries({"some": some})
            return st.none() | some
        case wit.Result(ok, err):
            return st.one_of(
                [
                    st.fixed_dictionaries({side: st.none() if t is None else values(t)})
                    for side, t in (("ok", ok), ("err", err))
                ]
            )
        case wit.Flags(names):
            return st.lists(st.sampled_from(names), unique=True)
    raise AssertionError(ty)


def normal(ty: wit.Type, value: Any) -> Any:
    """The form in which an accepted value comes back."""
    match ty:
        case wit.Int(bits):
            number = int(value)
            return str(number) if bits == 64 and abs(number) > SAFE_INTEGER else number
        case wit.Float(bits):
            if isinstance(value, str):
                return value
            return struct.unpack("f", struct.pack("f", value))[0] if bits == 32 else float(value)
        case wit.List(element) if element == wit.U8:
            if isinstance(value, str):
                value = base64.b64decode(value + "=" * (-len(value) % 4))
            return base64.b64encode(bytes(value)).decode()
        case wit.List(element):
            return [normal(element, item) for item in value]
        case wit.Tuple(elements):
            return [normal(t, item) for t, item in zip(elements, value, strict=True)]
        case wit.Record(fields):
            return {name: normal(t, value.get(name)) for name, t in fields}
        case wit.Variant(cases):
            payload = dict(cases)[value["tag"]]
            tag = {"tag": value["tag"]}
            return tag if payload is None else {**tag, "val": normal(payload, value["val"])}
        case wit.Option(payload):
            if value is None:
                return None
            if isinstance(payload, wit.Option):
                return {"some": normal(payload, value["some"])}
            return normal(payload, value)
        case wit.Result(ok, err):
            [(side, item)] = value.items()
            t = ok if side == "ok" else err
            return {side: None if t is None else normal(t, item)}
        case wit.Flags(names):
            return [name for name in names if name in value]
    return value


_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.sampled_from([-1, 256, 2**63, 2**64, 1.5, 1e39, 1e300, float("inf"), float("nan")])
    | st.floats()
    | st.text(max_size=4)  # lone surrogates too
    | st.sampled_from([*NAMES, *NON_FINITE, "5\n", "-0", "007", str(2**64), "YQ", "Y", "-_-_"])
)
junk: st.SearchStrategy[Any] = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def damaged(draw: st.DrawFn, ty: wit.Type) -> Any:
    """A value of the type with one part, at any depth, replaced or removed or added."""
    value = draw(values(ty))
    return _damage(draw, value)


def _damage(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, list) and value and draw(st.booleans()):
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], _damage(draw, value[index]), *value[index + 1 :]]
    if isinstance(value, dict) and value and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(value)))
        if draw(st.integers(0, 4)) == 0:
            return {k: v for k, v in value.items() if k != key}
        if draw(st.integers(0, 4)) == 0:
            return {**value, draw(st.sampled_from(NAMES)): draw(junk)}
        return {**value, key: _damage(draw, value[key])}
    return draw(junk)
