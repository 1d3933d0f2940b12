"""Small components from text, for tests that need no tool chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasmtime import wat2wasm

if TYPE_CHECKING:
    from pathlib import Path


def component(text: str) -> bytes:
    """A component binary from WebAssembly text."""
    return bytes(wat2wasm(text))


CALC = """
(component
  (core module $m
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "spin") (loop $again (br $again)))
    (func (export "trap") unreachable))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" s32) (param "b" s32) (result s32)
    (canon lift (core func $i "add")))
  (func (export "spin") (canon lift (core func $i "spin")))
  (func (export "trap") (canon lift (core func $i "trap"))))
"""
"""`add`, an endless loop, and a trap."""


def one_function(name: str, value: int = 1, padding: int = 0) -> str:
    """A component with one function, `name() -> u32`, which returns `value`."""
    data = f'(memory 1) (data (i32.const 0) "{"x" * padding}")' if padding else ""
    return f"""
(component
  (core module $m {data} (func (export "f") (result i32) (i32.const {value})))
  (core instance $i (instantiate $m))
  (func (export "{name}") (result u32) (canon lift (core func $i "f"))))
"""


def write(folder: Path, name: str, text: str = CALC) -> Path:
    """`folder/name.wasm` with the component."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.wasm"
    path.write_bytes(component(text))
    return path
