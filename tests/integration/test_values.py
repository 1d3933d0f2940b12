"""JSON values through real components and back."""

from __future__ import annotations

import base64
import ctypes
import json
import os
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from wasmtime import WasmtimeError
from wasmtime import _ffi as ffi

from support import echo, typed
from wassette.errors import FunctionUnavailable, InvalidArguments
from wassette.sandbox import layout, values, wit
from wassette.sandbox.schema import input_schema, json_schema
from wassette.sandbox.values import FunctionCodec

if TYPE_CHECKING:
    from collections.abc import Iterator

S8, U8 = wit.Int(8, signed=True), wit.U8
U16, S32, U32 = wit.Int(16, signed=False), wit.Int(32, signed=True), wit.Int(32, signed=False)
S64, U64 = wit.Int(64, signed=True), wit.Int(64, signed=False)
F32, F64 = wit.Float(32), wit.Float(64)
TEXT = wit.String()

PERSON = wit.Record((("name", TEXT), ("age-years", U32), ("tags", wit.List(TEXT))))
COLOUR = wit.Enum(("red", "green", "blue-ish"))
SHAPE = wit.Variant(
    (("none", None), ("text", TEXT), ("pair", wit.Tuple((TEXT, U8))), ("person", PERSON))
)
RIGHTS = wit.Flags(("read", "write", "exec-it"))
ITEM = wit.Record(
    (
        ("id", U64),
        ("shape", SHAPE),
        ("owner", wit.Option(PERSON)),
        ("outcome", wit.Result(wit.List(U8), COLOUR)),
        ("rights", RIGHTS),
        ("at", wit.Tuple((S32, F32))),
        ("people", wit.List(PERSON)),
    )
)

BOB = {"name": "bob", "age-years": 7, "tags": ["a", "", "ccc"]}
THING = {
    "id": 1,
    "shape": {"tag": "person", "val": BOB},
    "owner": BOB,
    "outcome": {"ok": "eHl6"},
    "rights": ["read", "exec-it"],
    "at": [-5, 1.5],
    "people": [BOB, BOB],
}

TYPES: dict[str, wit.Type] = {
    "bool": wit.Bool(),
    "s8": S8,
    "u8": U8,
    "s16": wit.Int(16, signed=True),
    "u16": U16,
    "s32": S32,
    "u32": U32,
    "s64": S64,
    "u64": U64,
    "f32": F32,
    "f64": F64,
    "char": wit.Char(),
    "string": TEXT,
    "bytes": wit.List(U8),
    "s8s": wit.List(S8),
    "u16s": wit.List(U16),
    "u32s": wit.List(U32),
    "u64s": wit.List(U64),
    "f32s": wit.List(F32),
    "f64s": wit.List(F64),
    "bools": wit.List(wit.Bool()),
    "strings": wit.List(TEXT),
    "byte-lists": wit.List(wit.List(U8)),
    "tuple": wit.Tuple((U8, TEXT, F64)),
    "record": PERSON,
    "variant": SHAPE,
    "enum": COLOUR,
    "option": wit.Option(TEXT),
    "options": wit.Option(wit.Option(wit.Option(U32))),
    "result": wit.Result(TEXT, COLOUR),
    "nothing": wit.Result(None, None),
    "failure": wit.Result(None, TEXT),
    "flags": RIGHTS,
    "item": ITEM,
    "items": wit.List(ITEM),
}

SAME: dict[str, list[Any]] = {
    "bool": [True, False],
    "s8": [-128, 127],
    "u8": [0, 255],
    "s16": [-32768, 32767],
    "u16": [65535],
    "s32": [-(2**31), 2**31 - 1],
    "u32": [0, 2**32 - 1],
    "s64": [2**53 - 1, 1 - 2**53, str(2**53), str(-(2**53)), str(2**63 - 1), str(-(2**63)), 0],
    "u64": [2**53 - 1, str(2**53), str(2**64 - 1), 0],
    "f32": [1.5, 0.0, -0.0, 3.4028234663852886e38, "NaN", "Infinity", "-Infinity"],
    "f64": [1e308, 5e-324, 0.1, "NaN", "Infinity", "-Infinity"],
    "char": ["a", "\0", "\ud7ff", "\ue000", "\U0010ffff"],
    "string": ["", "héllo", "\0", "\U0001f600" * 3, "x" * 100_000],
    "bytes": ["", "AA==", "AAE=", "AAEC", base64.b64encode(bytes(range(256))).decode()],
    "s8s": [[], [-128, 127]],
    "u16s": [[0, 65535]],
    "u32s": [[0, 2**32 - 1]],
    "u64s": [[0, 2**53 - 1, str(2**64 - 1)]],
    "f32s": [[0.5, "NaN", "-Infinity"]],
    "f64s": [[], [0.1, -1e308], [0.1, "Infinity"]],
    "bools": [[], [True, False, True]],
    "strings": [[], ["a", "", "ccc"]],
    "byte-lists": [[], ["AA==", "", "AAEC"]],
    "tuple": [[1, "x", 2.5]],
    "record": [BOB],
    "variant": [
        {"tag": "none"},
        {"tag": "text", "val": "t"},
        {"tag": "pair", "val": ["p", 1]},
        {"tag": "person", "val": BOB},
    ],
    "enum": ["red", "blue-ish"],
    "option": [None, "x", ""],
    "options": [None, {"some": None}, {"some": {"some": None}}, {"some": {"some": 5}}],
    "result": [{"ok": "x"}, {"err": "green"}],
    "nothing": [{"ok": None}, {"err": None}],
    "failure": [{"ok": None}, {"err": "why"}],
    "flags": [[], ["read", "exec-it"], ["read", "write", "exec-it"]],
    "item": [THING],
    "items": [[], [THING] * 3],
}

OTHER_FORMS: list[tuple[str, Any, Any]] = [
    ("u8", 1.0, 1),
    ("u8", -0.0, 0),
    ("s64", 2**63 - 1, "9223372036854775807"),
    ("s64", -3.0, -3),
    ("u64", "5", 5),
    ("f64", 3, 3.0),
    ("f64", 2**53 + 1, 2.0**53),
    ("f32", 0.1, 0.10000000149011612),
    ("bytes", "AA", "AA=="),
    ("bytes", "AAE", "AAE="),
    ("bytes", [1, 2.0, 255], "AQL/"),
    ("bytes", [], ""),
    ("u32s", [1, 2.0], [1, 2]),
    ("u64s", ["7", 2**64 - 1], [7, str(2**64 - 1)]),
    ("f64s", [1, 2.5], [1.0, 2.5]),
    ("f32s", [1, 2.5], [1.0, 2.5]),
    ("variant", {"tag": "none", "val": None}, {"tag": "none"}),
    ("flags", ["write", "read", "write"], ["read", "write"]),
]

HUGE = 10**5000  # str() of it raises

WRONG: list[tuple[wit.Type, Any, str]] = [
    (wit.Bool(), 1, "x: expected true or false, got 1"),
    (wit.Bool(), None, "x: expected true or false, got null"),
    (U8, 256, "x: expected an integer from 0 to 255, got 256"),
    (U8, -1, "x: expected an integer from 0 to 255, got -1"),
    (U8, True, "x: expected an integer from 0 to 255, got true"),
    (U8, 1.5, "x: expected an integer from 0 to 255, got 1.5"),
    (U8, float("inf"), "x: expected an integer from 0 to 255, got a number too large for JSON"),
    (U8, "1", 'x: expected an integer from 0 to 255, got "1"'),
    (U8, HUGE, "x: expected an integer from 0 to 255, got a number of over 38 digits"),
    (S8, 1e30, f"x: expected an integer from -128 to 127, got {int(1e30)}"),
    (U32, [], "x: expected an integer from 0 to 4294967295, got an array of 0"),
    *(
        (
            U64,
            given,
            f"x: expected an integer from 0 to {2**64 - 1}, as a number or a decimal string, "
            f"got {said}",
        )
        for given, said in [
            (2**64, str(2**64)),
            (str(2**64), f'"{2**64}"'),
            ("-1", '"-1"'),
            ("007", '"007"'),
            ("5\n", '"5\\u{a}"'),
            ("1.0", '"1.0"'),
            ("٣", '"٣"'),
            (False, "false"),
        ]
    ),
    *(
        (
            ty,
            given,
            f'x: expected a number that fits in {ty.bits} bits, or "NaN", "Infinity", '
            f'"-Infinity", got {said}',
        )
        for ty, given, said in [
            (F32, 1e39, "1e+39"),
            (F32, 3.4028235677973366e38, "3.4028235677973366e+38"),
            (F64, HUGE, "a number of over 38 digits"),
            (F64, json.loads("1e999"), "a number too large for JSON"),
            (F64, float("nan"), "a number too large for JSON"),
            (F64, "nan", '"nan"'),
            (F64, "1.5", '"1.5"'),
            (F64, True, "true"),
        ]
    ),
    (wit.Char(), "", 'x: expected a string of one character, got ""'),
    (wit.Char(), "ab", 'x: expected a string of one character, got "ab"'),
    (wit.Char(), "\ud800", 'x: expected a string of one character, got "\\u{d800}"'),
    (wit.Char(), "\udfff", 'x: expected a string of one character, got "\\u{dfff}"'),
    (TEXT, 5, "x: expected a string, got 5"),
    (TEXT, "a\ud800", 'x: expected a string without lone surrogates, got "a\\u{d800}"'),
    (wit.List(TEXT), "a", 'x: expected an array, got "a"'),
    (wit.List(TEXT), {}, "x: expected an array, got an object"),
    (wit.List(TEXT), ["a", None], "x[1]: expected a string, got null"),
    (wit.List(U16), [1, 2, -3], "x[2]: expected an integer from 0 to 65535, got -3"),
    (wit.List(U16), [1, True], "x[1]: expected an integer from 0 to 65535, got true"),
    (wit.List(U16), [1, HUGE], "x[1]: expected an integer from 0 to 65535, got a number of over"),
    (wit.List(F32), [1, 1e39], "x[1]: expected a number that fits in 32 bits"),
    (wit.List(F64), [1.0, float("inf")], "x[1]: expected a number that fits in 64 bits"),
    (wit.List(F64), [1.0, HUGE], "x[1]: expected a number that fits in 64 bits"),
    (wit.List(U8), [1, 256], "x[1]: expected an integer from 0 to 255, got 256"),
    *(
        (wit.List(U8), text, "x: expected a base64 string (standard alphabet")
        for text in ("A", "A===", "AA==AA==", "A A=", "AA\n==", "-_-_", "é", "====", "\ud800")
    ),
    (wit.List(U8), 5, "x: expected a base64 string (standard alphabet"),
    (wit.Tuple((U8, U8)), [1], "x: expected an array of 2, got an array of 1"),
    (wit.Tuple((U8, U8)), [1, "a"], 'x[1]: expected an integer from 0 to 255, got "a"'),
    (PERSON, [], "x: expected an object, got an array of 0"),
    (PERSON, {"name": "n"}, "x: expected the field 'age-years', got an object without it"),
    (
        PERSON,
        {**BOB, "z\u202e": 1},
        "x: expected only the fields 'name', 'age-years', 'tags', "
        'got the unknown field "z\\u{202e}"',
    ),
    (PERSON, {**BOB, "tags": ["a", 1]}, "x.tags[1]: expected a string, got 1"),
    (
        SHAPE,
        "none",
        "x: expected an object with a \"tag\" of 'none', 'text', 'pair', 'person', got",
    ),
    (SHAPE, {"val": 1}, "x: expected an object with a \"tag\" of 'none', 'text', 'pair', 'person'"),
    (SHAPE, {"tag": "x"}, "x.tag: expected one of 'none', 'text', 'pair', 'person', got \"x\""),
    (SHAPE, {"tag": []}, "x.tag: expected one of 'none', 'text', 'pair', 'person', got an array"),
    (SHAPE, {"tag": "text"}, "x: expected a \"val\" for 'text', got an object without one"),
    (SHAPE, {"tag": "none", "val": 1}, "x.val: expected nothing, since 'none' has no value, got 1"),
    (SHAPE, {"tag": "none", "x": 1}, "x: expected only the fields 'tag', 'val', got the unknown"),
    (SHAPE, {"tag": "pair", "val": ["a", 999]}, "x.val[1]: expected an integer from 0 to 255"),
    (COLOUR, "pink", "x: expected one of 'red', 'green', 'blue-ish', got \"pink\""),
    (COLOUR, [], "x: expected one of 'red', 'green', 'blue-ish', got an array of 0"),
    (wit.Option(U8), "a", 'x: expected an integer from 0 to 255, got "a"'),
    (wit.Option(wit.Option(U8)), 5, 'x: expected null or {"some": …}, got 5'),
    (wit.Option(wit.Option(U8)), {"some": -1}, "x.some: expected an integer from 0 to 255"),
    (wit.Result(U8, None), 5, 'x: expected an object with either "ok" or "err", got 5'),
    (wit.Result(U8, None), {}, 'x: expected an object with either "ok" or "err", got an object'),
    (wit.Result(U8, None), {"ok": 1, "err": None}, 'x: expected an object with either "ok" or'),
    (wit.Result(U8, None), {"ok": None}, "x.ok: expected an integer from 0 to 255, got null"),
    (wit.Result(U8, None), {"err": 1}, "x.err: expected null, got 1"),
    (RIGHTS, "read", 'x: expected an array of names, got "read"'),
    (RIGHTS, ["read", "own"], "x[1]: expected one of 'read', 'write', 'exec-it', got \"own\""),
    (RIGHTS, [[]], "x[0]: expected one of 'read', 'write', 'exec-it', got an array of 0"),
    (
        ITEM,
        {**THING, "people": [BOB, {**BOB, "age-years": -1}]},
        "x.people[1].age-years: expected an integer from 0 to 4294967295, got -1",
    ),
    (TEXT, object(), "x: expected a string, got a object"),
    (U8, "y" * 1000, f'x: expected an integer from 0 to 255, got "{"y" * 40}…"'),
]


@pytest.fixture(scope="module")
def echoes() -> Iterator[echo.Echo]:
    made = echo.Echo(TYPES)
    yield made
    made.close()


@pytest.mark.parametrize("name", TYPES)
def test_values_come_back_as_they_were(echoes: echo.Echo, name: str) -> None:
    for value in SAME[name]:
        assert _text(echoes(name, value)) == _text(value)
        assert Draft202012Validator(json_schema(TYPES[name])).is_valid(value)


def _text(value: Any) -> str:
    """JSON, which tells 1 from 1.0 and from true."""
    return json.dumps(value, sort_keys=True)


@pytest.mark.parametrize(("name", "value", "expected"), OTHER_FORMS)
def test_other_forms_are_accepted(echoes: echo.Echo, name: str, value: Any, expected: Any) -> None:
    assert _text(echoes(name, value)) == _text(expected)


def test_the_sign_of_zero(echoes: echo.Echo) -> None:
    assert str(echoes("f64", -0.0)) == "-0.0"


# By number: pytest cannot make a name of a huge number.
@pytest.mark.parametrize(("ty", "value", "message"), WRONG, ids=map(str, range(len(WRONG))))
def test_mistakes_are_explained(ty: wit.Type, value: Any, message: str) -> None:
    codec = FunctionCodec(wit.Function((("x", ty),)))
    with pytest.raises(InvalidArguments) as caught:
        codec.encode_args({"x": value})
    assert str(caught.value).startswith(message)
    assert caught.value.__cause__ is None


NAMED = wit.Function((("path", TEXT), ("limit", wit.Option(U32)), ("deep", wit.Bool())))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "x"}, "missing argument 'deep'; this tool takes 'path', 'limit', 'deep'"),
        ({}, "missing arguments 'path', 'deep'; this tool takes 'path', 'limit', 'deep'"),
        (
            {"path": "x", "deep": True, "a\n": 1},
            "unknown argument 'a\\u{a}'; this tool takes 'path', 'limit', 'deep'",
        ),
    ],
)
def test_names_of_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidArguments) as caught:
        FunctionCodec(NAMED).encode_args(arguments)
    assert str(caught.value) == message


def test_unknown_arguments_of_a_function_without_any() -> None:
    with pytest.raises(InvalidArguments, match="'a'; this tool takes no arguments"):
        FunctionCodec(wit.Function()).encode_args({"a": 1})


def test_many_unknown_names_are_cut_short() -> None:
    with pytest.raises(InvalidArguments) as caught:
        FunctionCodec(wit.Function()).encode_args({"n" * 1000 + str(i): 1 for i in range(1000)})
    assert len(str(caught.value)) < 2000
    assert "and 980 more" in str(caught.value)


def test_options_may_be_left_out() -> None:
    FunctionCodec(NAMED).encode_args({"path": "x", "deep": True})


def test_a_function_that_cannot_be_called() -> None:
    function = wit.Function((("x", wit.Unsupported("a resource")),))
    with pytest.raises(FunctionUnavailable, match="parameter 'x' holds a resource"):
        FunctionCodec(function)


def test_arguments_can_be_passed_again(echoes: echo.Echo) -> None:
    codec = echoes.codec("echo-item")
    arguments = codec.encode_args({"x": THING, "pad": [0] * 16})
    first = codec.call(echoes.func("echo-item"), echoes.store, arguments)
    assert codec.call(echoes.func("echo-item"), echoes.store, arguments) == first


def test_a_codec_of_another_type_is_an_error_not_a_wild_read(echoes: echo.Echo) -> None:
    pads = (("pad", wit.Tuple(echo.PAD)),)
    for name, value in (("u64", 2**63), ("string", "x"), ("bytes", "AAEC"), ("record", BOB)):
        for other, ty in TYPES.items():
            if other == name:
                continue
            function = wit.Function((("x", TYPES[name]), *pads), wit.Tuple((ty, U8)))
            codec = FunctionCodec(function)
            arguments = codec.encode_args({"x": value, "pad": [0] * 16})
            try:
                result = codec.call(echoes.func(f"echo-{name}"), echoes.store, arguments)
            except values.KindMismatch:
                continue
            raise AssertionError((name, other, result))


# --- Size ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "fits"), [(values.MAX_BYTE_LIST, True), (None, False)])
def test_the_longest_byte_list(size: int | None, fits: bool) -> None:
    made = echo.Echo({"x": U8})
    size = size or values.MAX_BYTE_LIST + 1
    if fits:
        result = made.call("zeros", {"size": size})
        assert isinstance(result, str)
        assert result == base64.b64encode(bytes(size)).decode()
    else:
        with pytest.raises(WasmtimeError) as caught:
            made.call("zeros", {"size": size})
        assert values.is_result_too_large(caught.value)
    made.close()


def test_text_may_be_longer() -> None:
    made = echo.Echo({"x": U8})
    result = made.call("zero-text", {"size": 20_000_000})
    assert isinstance(result, str)
    assert len(result) == 20_000_000
    made.close()


def test_other_errors_are_not_about_size(echoes: echo.Echo) -> None:
    made = echo.Echo({"x": U8})
    with pytest.raises(WasmtimeError) as caught:
        made.call("zeros", {"size": 2**32 - 1})
    assert not values.is_result_too_large(caught.value)
    made.close()


def test_megabytes_of_bytes_are_quick() -> None:
    made = echo.Echo({"x": wit.List(U8)})
    data = base64.b64encode(os.urandom(1_000_000)).decode()
    start = time.perf_counter()
    assert made("x", data) == data
    # 0.2 s here, of which conversion is a fifth; a second for each direction if done one by one.
    assert time.perf_counter() - start < 2
    made.close()


# --- Any type, any value ------------------------------------------------------------------------

BOUNDED = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@settings(BOUNDED, max_examples=80)
@given(st.data())
def test_any_value_of_any_type_comes_back(data: st.DataObject) -> None:
    ty = data.draw(typed.types)
    made = echo.Echo({"x": ty})
    try:
        assert made.function("echo-x").params[0] == ("x", ty)
        schema = json_schema(ty)
        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator(schema)
        for value in data.draw(st.lists(typed.values(ty), min_size=1, max_size=4)):
            result = made("x", value)
            assert _text(result) == _text(typed.normal(ty, value))
            assert validator.is_valid(value)
            assert validator.is_valid(result)
            assert made("x", result) == result
    finally:
        made.close()


# What the codec refuses and the schema cannot say; `schema` lists the same.
STRICTER = (
    "a base64 string",
    "a string without lone surrogates",
    'a string of one character, got "\\u{d',
    "a number that fits in",
    'as a number or a decimal string, got "',
)


@settings(BOUNDED, max_examples=400)
@given(st.data())
def test_any_other_value_is_explained_and_the_schema_agrees(data: st.DataObject) -> None:
    ty = data.draw(typed.types)
    function = wit.Function((("x", ty),))
    value = data.draw(typed.damaged(ty) | typed.junk)
    valid = Draft202012Validator(input_schema(function, {})).is_valid({"x": value})
    try:
        FunctionCodec(function).encode_args({"x": value})
    except InvalidArguments as error:
        message = str(error)
        assert message.startswith("x")
        assert len(message) < 2000
        if valid:
            assert any(reason in message for reason in STRICTER), message


# --- Memory -------------------------------------------------------------------------------------


def test_nothing_leaks(echoes: echo.Echo) -> None:
    """Calls, and results of host functions in wasmtime's memory, whole and abandoned half-way."""
    wrong = {
        "strings": ["long enough to be allocated" * 10, None],
        "items": [THING, {**THING, "people": [BOB, {**BOB, "age-years": -1}]}],
        "variant": {"tag": "pair", "val": ["text" * 50, 999]},
        "u32s": [1] * 100 + ["x"],
        "result": {"err": "pink"},
    }
    codecs = {
        name: FunctionCodec(wit.Function((), TYPES[name])) for name in (*wrong, "item", "bytes")
    }
    value = ffi.wasmtime_component_val_t()
    address = ctypes.addressof(value)
    process = psutil.Process()

    def round_() -> int:
        for _ in range(400):
            for name, codec in codecs.items():
                for sample in (*SAME[name], *([wrong[name]] if name in wrong else [])):
                    ctypes.memset(address, 0, layout.VAL)
                    try:
                        codec.encode_result(sample, address, 1)
                    except TypeError:
                        assert sample == wrong[name]
                    layout.delete_value(address)
            echoes("items", SAME["items"][1])
        return int(process.memory_info().rss)

    round_()
    before = round_()
    for _ in range(3):
        after = round_()
    # One leaked value in each would be over 20 MB.
    assert after - before < 3_000_000


def test_another_layout_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "VAL", 40)
    with pytest.raises(ImportError, match=r"wasmtime==50\.0\.1"):
        layout._check_layout()
