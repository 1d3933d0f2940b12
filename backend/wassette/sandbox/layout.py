"""The C API's values in memory: where their parts are, and who owns them.

Who owns the memory (wasmtime's C API, checked by counting):

* arguments of a call are only read and copied, so they are plain Python memory (`Borrowed`);
* the result of a call is ours to delete once, and is not touched when the call fails;
* arguments of a callback are wasmtime's;
* the result of a callback must be allocated by wasmtime (`Owned`), which frees it, also when
  the callback reports an error after all. New memory is zeroed and linked to its parent before it
  is filled, so the tree can be deleted whenever an encode stops.
"""

from __future__ import annotations

import ctypes
import struct
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, cast

from wasmtime import _ffi as ffi

if TYPE_CHECKING:
    from collections.abc import Callable

VAL = 32  # sizeof wasmtime_component_val_t: kind at 0, payload at 8
NAME = 16  # sizeof wasm_name_t: size at 0, data at 8; the vectors are the same
ENTRY = NAME + VAL  # a record's field: name, value

# Kinds of values. They are not the kinds of types (U8 is 2 here and 5 there).
BOOL, S8, U8, S16, U16, S32, U32, S64, U64, F32, F64, CHAR, STRING = range(13)
LIST, RECORD, TUPLE, VARIANT, ENUM, OPTION, RESULT, FLAGS = range(13, 21)


def _check_layout() -> None:
    """The packers below write bytes by position. Refuse to start on a library that differs."""
    val = ffi.wasmtime_component_val_t
    entry = ffi.wasmtime_component_valrecord_entry
    vectors = [
        ffi.wasmtime_component_vallist_t,
        ffi.wasmtime_component_valrecord_t,
        ffi.wasmtime_component_valtuple_t,
        ffi.wasmtime_component_valflags_t,
        ffi.wasm_name_t,
    ]
    offsets: list[tuple[type, dict[str, int]]] = [
        (val, {"kind": 0, "of": 8}),
        (entry, {"name": 0, "val": NAME}),
        (ffi.wasmtime_component_valvariant, {"discriminant": 0, "val": NAME}),
        (ffi.wasmtime_component_valresult, {"is_ok": 0, "val": 8}),
        *((vector, {"size": 0, "data": 8}) for vector in vectors),
    ]
    sizes: list[tuple[Any, int]] = [
        (ctypes.c_void_p, 8),
        (ctypes.c_size_t, 8),
        (val, VAL),
        (entry, ENTRY),
        *((vector, NAME) for vector in vectors),
    ]
    kinds = (
        "BOOL S8 U8 S16 U16 S32 U32 S64 U64 F32 F64 CHAR STRING "
        "LIST RECORD TUPLE VARIANT ENUM OPTION RESULT FLAGS"
    )
    if not (
        all(ctypes.sizeof(ty) == size for ty, size in sizes)
        and all(
            getattr(ty, name).offset == offset
            for ty, fields in offsets
            for name, offset in fields.items()
        )
        and all(
            getattr(ffi, f"WASMTIME_COMPONENT_{name}").value == kind
            for kind, name in enumerate(kinds.split())
        )
    ):
        raise ImportError(
            "the installed wasmtime lays out component values differently from version 50.0.1, "
            "which this version of Wassette is made for; reinstall wasmtime==50.0.1"
        )


_check_layout()

# The whole address space as one buffer, which struct and slices can read and write at an address.
MEMORY = (ctypes.c_char * (1 << 56)).from_address(0)
BYTES = memoryview(MEMORY).cast("B")

# A value in one read or write: kind, then its payload.
TAGGED_WORD = struct.Struct("=B7xQ")
TAGGED_PAIR = struct.Struct("=B7xQQ")
TAGGED_NAME_AND_POINTER = struct.Struct("=B7xQQQ")
PAIR = struct.Struct("=QQ")
POINTER = struct.Struct("=Q")

# A second handle to the library that keeps the interpreter lock: right for calls that take less
# than a microsecond, where giving the lock away and taking it back costs more than the call.
_quick = ctypes.PyDLL(str(ffi.filename))


def _c_function(name: str, result: type | None, *arguments: type) -> Callable[..., int | None]:
    function = _quick[name]
    function.restype = result
    function.argtypes = arguments
    return function


_new_name = _c_function(
    "wasm_byte_vec_new", None, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p
)
_new_value = _c_function("wasmtime_component_val_new", ctypes.c_void_p, ctypes.c_void_p)
delete_value = _c_function("wasmtime_component_val_delete", None, ctypes.c_void_p)
_new_vector = {
    kind: _c_function(
        f"wasmtime_component_{name}_new_uninit", None, ctypes.c_void_p, ctypes.c_size_t
    )
    for kind, name in (
        (LIST, "vallist"),
        (TUPLE, "valtuple"),
        (RECORD, "valrecord"),
        (FLAGS, "valflags"),
    )
}


class Memory(ABC):
    """Where the parts of a value that do not fit in it are put."""

    @abstractmethod
    def name(self, address: int, text: bytes) -> None:
        """Make a string of `text` at `address`."""

    @abstractmethod
    def vector(self, address: int, kind: int, count: int, size: int) -> int:
        """Make a vector of `count` zeroed items of `size` bytes (valid values: `false`) the
        payload of the value at `address`, and return the address of the items."""

    @abstractmethod
    def box(self) -> int:
        """The address of a new zeroed value."""


class Borrowed(Memory):
    """Memory of Python's, alive as long as this object."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: list[object] = []

    def name(self, address: int, text: bytes) -> None:
        pointer = ctypes.c_char_p(text)
        self._kept.append(pointer)
        PAIR.pack_into(MEMORY, address, len(text), *POINTER.unpack(pointer))

    def vector(self, address: int, kind: int, count: int, size: int) -> int:
        items = ctypes.create_string_buffer(count * size)
        self._kept.append(items)
        start = ctypes.addressof(items)
        TAGGED_PAIR.pack_into(MEMORY, address, kind, count, start)
        return start

    def box(self) -> int:
        value = ctypes.create_string_buffer(VAL)
        self._kept.append(value)
        return ctypes.addressof(value)


class Owned(Memory):
    """Memory of wasmtime's, which frees it."""

    __slots__ = ()

    def name(self, address: int, text: bytes) -> None:
        _new_name(address, len(text), text)

    def vector(self, address: int, kind: int, count: int, size: int) -> int:
        _new_vector[kind](address + 8, count)
        start: int = POINTER.unpack_from(MEMORY, address + 16)[0]
        ctypes.memset(start, 0, count * size)
        BYTES[address] = kind
        return start

    def box(self) -> int:
        empty = ffi.wasmtime_component_val_t()
        return cast("int", _new_value(ctypes.addressof(empty)))


OWNED = Owned()
