"""Components that give back what they are given, for any type, as text (WAT).

An `echo` function takes a value and a pad, and returns the value and a byte. The pad makes the
parameters too many for registers, so the host passes them in memory, where the value comes first;
two results are returned in memory too, the value first. So the guest can return the address it
was given, whatever the type is, and one line of code echoes them all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from wasmtime import Config, Engine, Store
from wasmtime.component import Component, Func, Instance, Linker

from wassette.sandbox import wit
from wassette.sandbox.values import FunctionCodec

if TYPE_CHECKING:
    from collections.abc import Mapping

PAD = (wit.Int(64, signed=False),) * 16

CORE = """
  (core module $m
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param $old i32) (param $size i32) (param $align i32)
        (param $want i32) (result i32)
      (local $at i32) (local $lack i32)
      (local.set $at (i32.and
        (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $want)))
      (local.set $lack (i32.sub (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
      (if (i32.gt_s (local.get $lack) (i32.const 0))
        (then (if (i32.eq (i32.const -1) (memory.grow
            (i32.add (i32.const 1) (i32.shr_u (local.get $lack) (i32.const 16)))))
          (then unreachable))))
      (local.get $at))
    (func (export "echo") (param i32) (result i32) (local.get 0))
    (func (export "reset") (param i32) (global.set $next (i32.const 1024)))
    ;; a list or string of so many zero bytes
    (func (export "zeros") (param $size i32) (result i32)
      (if (i32.gt_u (local.get $size) (i32.mul (memory.size) (i32.const 65536)))
        (then (drop (memory.grow
          (i32.add (i32.const 1) (i32.shr_u (local.get $size) (i32.const 16)))))))
      (i32.store (i32.const 16) (i32.const 4096))
      (i32.store (i32.const 20) (local.get $size))
      (i32.const 16)))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))
  (alias core export $i "echo" (core func $echo))
  (alias core export $i "reset" (core func $reset))
  (alias core export $i "zeros" (core func $zeros))
"""


@dataclass
class Writer:
    """Types as WAT. Those that need a name are defined and exported once each."""

    lines: list[str] = field(default_factory=list)
    _named: dict[wit.Type, str] = field(default_factory=dict)

    def type(self, ty: wit.Type) -> str:
        match ty:
            case wit.Bool():
                return "bool"
            case wit.Int():
                return f"{'s' if ty.signed else 'u'}{ty.bits}"
            case wit.Float():
                return f"f{ty.bits}"
            case wit.Char():
                return "char"
            case wit.String():
                return "string"
            case wit.List(element):
                return f"(list {self.type(element)})"
            case wit.Tuple(elements):
                return f"(tuple {' '.join(map(self.type, elements))})"
            case wit.Option(payload):
                return f"(option {self.type(payload)})"
            case wit.Result(ok, err):
                okay = "" if ok is None else " " + self.type(ok)
                return f"(result{okay}{'' if err is None else f' (error {self.type(err)})'})"
        if ty not in self._named:
            definition = self._definition(ty)
            name = f"t{len(self._named)}"
            self.lines.append(f"(type ${name}-is {definition})")
            self.lines.append(f'(export ${name} "{name}" (type ${name}-is))')
            self._named[ty] = f"${name}"
        return self._named[ty]

    def _definition(self, ty: wit.Type) -> str:
        match ty:
            case wit.Record(fields):
                parts = [f'(field "{name}" {self.type(t)})' for name, t in fields]
                return f"(record {' '.join(parts)})"
            case wit.Variant(cases):
                parts = [
                    f'(case "{name}"{"" if t is None else " " + self.type(t)})' for name, t in cases
                ]
                return f"(variant {' '.join(parts)})"
            case wit.Enum(names):
                return f"(enum {' '.join(map(_quoted, names))})"
            case wit.Flags(names):
                return f"(flags {' '.join(map(_quoted, names))})"
        raise AssertionError(ty)


def _quoted(name: str) -> str:
    return f'"{name}"'


def component_text(types: Mapping[str, wit.Type]) -> str:
    """A component with a function `echo-NAME` for each, and `zeros` and `zero-text`."""
    writer = Writer()
    lift = "(memory (core memory $memory)) (realloc (core func $realloc))"
    functions = []
    for name, ty in types.items():
        text = writer.type(ty)
        functions.append(
            f'(func (export "echo-{name}") (param "x" {text}) (param "pad" {writer.type(_PADS)})'
            f" (result (tuple {text} u8))"
            f" (canon lift (core func $echo) {lift} (post-return (core func $reset))))"
        )
    for name, result in (("zeros", "(list u8)"), ("zero-text", "string")):
        functions.append(
            f'(func (export "{name}") (param "size" u32) (result {result})'
            f" (canon lift (core func $zeros) {lift}))"
        )
    return "\n".join(["(component", CORE, *writer.lines, *functions, ")"])


_PADS = wit.Tuple(PAD)


@cache
def engine() -> Engine:
    config = Config()
    config.epoch_interruption = True
    return Engine(config)


def new_store() -> Store:
    store = Store(engine())
    store.set_epoch_deadline(1 << 40)
    return store


class Echo:
    """One instance that echoes values of some types."""

    def __init__(self, types: Mapping[str, wit.Type]) -> None:
        self.types = dict(types)
        self.component = Component(engine(), component_text(types))
        self.store = new_store()
        self.instance: Instance = Linker(engine()).instantiate(self.store, self.component)
        self.codecs: dict[str, FunctionCodec] = {}

    def func(self, name: str) -> Func:
        func = self.instance.get_func(self.store, name)
        assert func is not None
        return func

    def function(self, name: str) -> wit.Function:
        return wit.from_wasmtime(self.func(name).type(self.store))

    def codec(self, name: str) -> FunctionCodec:
        if name not in self.codecs:
            self.codecs[name] = FunctionCodec(self.function(name))
        return self.codecs[name]

    def call(self, name: str, arguments: dict[str, object]) -> object:
        codec = self.codec(name)
        return codec.call(self.func(name), self.store, codec.encode_args(arguments))

    def __call__(self, name: str, value: object) -> object:
        """`value`, through the component and back."""
        result = self.call(f"echo-{name}", {"x": value, "pad": [0] * len(PAD)})
        assert isinstance(result, list)
        return result[0]

    def close(self) -> None:
        self.store.close()
        self.component.close()


def echo_once(ty: wit.Type, value: object) -> object:
    echo = Echo({"x": ty})
    try:
        return echo("x", value)
    finally:
        echo.close()
