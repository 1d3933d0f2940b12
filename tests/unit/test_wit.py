"""Our model of types, against what wasmtime says of components."""

from __future__ import annotations

import subprocess
import sys

import pytest
from wasmtime import Engine
from wasmtime import _ffi as ffi
from wasmtime.component import Component, FuncType

from support import echo
from wassette.sandbox import wit

U32 = wit.Int(32, signed=False)
RECORD = wit.Record((("name", wit.String()), ("age-years", wit.Option(U32))))
TYPES: dict[str, wit.Type] = {
    "bool": wit.Bool(),
    **{
        f"{'s' if signed else 'u'}{bits}": wit.Int(bits, signed)
        for bits in (8, 16, 32, 64)
        for signed in (True, False)
    },
    "f32": wit.Float(32),
    "f64": wit.Float(64),
    "char": wit.Char(),
    "string": wit.String(),
    "list": wit.List(wit.U8),
    "tuple": wit.Tuple((wit.Bool(), wit.String())),
    "record": RECORD,
    "variant": wit.Variant((("none", None), ("some-record", RECORD))),
    "enum": wit.Enum(("red", "blue-ish")),
    "option": wit.Option(wit.Option(U32)),
    "result": wit.Result(wit.String(), RECORD),
    "result-ok": wit.Result(U32, None),
    "result-err": wit.Result(None, U32),
    "result-nothing": wit.Result(None, None),
    "flags": wit.Flags(("read", "write")),
    "nested": wit.List(wit.Record((("inner", wit.List(RECORD)),))),
}

# A core module with functions of several shapes, for types that are never called.
SHAPES = """
  (core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
    (func (export "one") (param i32))
    (func (export "two") (param i32 i32))
    (func (export "none") (result i32) i32.const 0))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))
  (alias core export $i "one" (core func $one))
  (alias core export $i "two" (core func $two))
  (alias core export $i "none" (core func $none))
"""
LIFT = "(memory (core memory $memory)) (realloc (core func $realloc))"


def function_of(text: str, engine: Engine | None = None) -> wit.Function:
    engine = engine or echo.engine()
    exports = Component(engine, f"(component {SHAPES} {text})").type.exports(engine)
    ty = exports["f"].ty
    assert isinstance(ty, FuncType)
    return wit.from_wasmtime(ty)


@pytest.fixture(scope="module")
def echoes() -> echo.Echo:
    return echo.Echo(TYPES)


@pytest.mark.parametrize("name", TYPES)
def test_each_type(echoes: echo.Echo, name: str) -> None:
    ty = TYPES[name]
    assert echoes.function(f"echo-{name}") == wit.Function(
        (("x", ty), ("pad", wit.Tuple(echo.PAD))), wit.Tuple((ty, wit.U8))
    )
    assert echoes.function(f"echo-{name}").unavailable is None
    assert isinstance(hash(ty), int)


def test_a_single_type() -> None:
    from wasmtime import component

    assert wit.from_wasmtime(component.U8()) == wit.U8


def test_a_function_without_result() -> None:
    found = function_of('(func (export "f") (param "x" u32) (canon lift (core func $one)))')
    assert found == wit.Function((("x", U32),), None)


@pytest.mark.parametrize(
    ("text", "unavailable"),
    [
        (
            '(type $t (resource (rep i32))) (export $r "r" (type $t))'
            '(func (export "f") (param "x" (own $r)) (canon lift (core func $one)))',
            "parameter 'x' holds a resource, which cannot be passed as JSON",
        ),
        (
            '(type $t (resource (rep i32))) (export $r "r" (type $t))'
            '(func (export "f") (param "x" (borrow $r)) (canon lift (core func $one)))',
            "parameter 'x' holds a resource, which cannot be passed as JSON",
        ),
        (
            '(type $t (resource (rep i32))) (export $r "r" (type $t))'
            '(type $d (record (field "a" (tuple u8 (result (list (own $r)))))))'
            '(export $n "n" (type $d))'
            '(func (export "f") (result $n)'
            f" (canon lift (core func $none) {LIFT}))",
            "the result at 'result.a[1].ok[]' holds a resource, which cannot be passed as JSON",
        ),
        (
            '(func (export "f") (param "x" (future u8)) (canon lift (core func $one)))',
            "parameter 'x' holds a future, which cannot be passed as JSON",
        ),
        (
            '(func (export "f") (result (stream u8)) (canon lift (core func $none)))',
            "the result holds a stream, which cannot be passed as JSON",
        ),
        (
            '(func (export "f") (param "x" (stream)) (canon lift (core func $one)))',
            "parameter 'x' holds a stream, which cannot be passed as JSON",
        ),
        (
            '(func (export "f") (param "x" (option (stream))) (canon lift (core func $two)))',
            "parameter 'x' holds a stream, which cannot be passed as JSON",
        ),
    ],
)
def test_what_cannot_cross_is_named(text: str, unavailable: str) -> None:
    assert function_of(text).unavailable == unavailable


def test_a_kind_that_wasmtime_py_does_not_know() -> None:
    from wasmtime import Config

    config = Config()
    ffi.wasmtime_config_wasm_component_model_map_set(config.ptr(), True)
    found = function_of(
        f'(func (export "f") (param "x" (map string u8)) (canon lift (core func $two) {LIFT}))',
        Engine(config),
    )
    assert found.unavailable == (
        "parameter '?' holds a type that this version does not know, which cannot be passed as JSON"
    )


def _doubling(levels: int) -> str:
    """A record that has 2^levels leaves and is described in `levels` lines."""
    lines = ['(type $d0 (record (field "a" u8)))', '(export $t0 "t0" (type $d0))']
    for i in range(levels):
        lines.append(f'(type $d{i + 1} (record (field "a" $t{i}) (field "b" $t{i})))')
        lines.append(f'(export $t{i + 1} "t{i + 1}" (type $d{i + 1}))')
    lines.append(f'(func (export "f") (param "x" $t{levels}) (canon lift (core func $one) {LIFT}))')
    return "".join(lines)


def test_a_type_that_unfolds_without_end() -> None:
    found = function_of(_doubling(16))
    assert found.params == (("x", wit.Unsupported("a type of more than 10000 parts")),)


def test_the_budget_is_that_of_the_whole_function() -> None:
    text = _doubling(11).replace('(param "x" $t11)', '(param "x" $t11) (param "y" $t11)')
    (_, first), (_, second) = function_of(text).params
    assert isinstance(first, wit.Record)
    assert second == wit.Unsupported("a type of more than 10000 parts")


def test_a_type_that_is_too_deep() -> None:
    text = "(option " * 80 + "bool" + ")" * 80
    found = function_of(
        f'(func (export "f") (param "x" {text}) (canon lift (core func $one) {LIFT}))'
    )
    assert found.unavailable == (
        "parameter 'x' holds a type nested more than 64 levels deep, which cannot be passed as JSON"
    )


def test_a_hostile_name_is_made_visible() -> None:
    function = wit.Function((("a\u202eb\n", wit.Unsupported("a resource")),))
    assert function.unavailable is not None
    assert "'a\\u{202e}b\\u{a}'" in function.unavailable


def test_calling_a_function_that_returns_a_stream_aborts_the_process() -> None:
    """Why streams are refused by type; if this fails, wasmtime has learnt to carry them."""
    program = '''
import ctypes
from wasmtime import Engine, Store, _ffi as ffi
from wasmtime.component import Component, Linker
engine = Engine()
component = Component(engine, """(component
  (type $s (stream u8))
  (core func $new (canon stream.new $s))
  (core module $m (import "" "new" (func $new (result i64)))
    (func (export "f") (result i32) call $new i32.wrap_i64))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
  (alias core export $i "f" (core func $f))
  (func (export "f") (result $s) (canon lift (core func $f))))""")
store = Store(engine)
func = Linker(engine).instantiate(store, component).get_func(store, "f")
result = ffi.wasmtime_component_val_t()
ffi.wasmtime_component_func_call(
    ctypes.byref(func._func), store._context(), None, 0, ctypes.byref(result), 1)
'''
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode != 0
