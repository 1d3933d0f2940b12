"""Functions: arguments in, a value out."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from wasmtime import WasmtimeError
from wasmtime import _ffi as ffi

from wassette.errors import FunctionUnavailable, InvalidArguments
from wassette.sandbox.layout import OWNED, VAL, Borrowed, delete_value

from .build import build, if_left_out
from .codec import Codec, KindMismatch, Misfit, describe, list_names
from .compounds import MISSING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasmtime._store import Storelike
    from wasmtime.component import Func

    from wassette.sandbox import wit

MAX_BYTE_LIST = 2_796_202
"""The longest `list<u8>` in bytes that wasmtime lets a component return. It allots 128 MiB to
the values of one transfer (its default, without a setting in the C API) and 48 bytes to each."""


def is_result_too_large(error: WasmtimeError) -> bool:
    """Whether a call failed because wasmtime would not carry so much data (see `MAX_BYTE_LIST`)."""
    return "too much data is being copied" in str(error)


class EncodedArguments:
    """The arguments of a call, ready to be passed any number of times, to any instance."""

    __slots__ = ("_memory", "count", "values")

    def __init__(self, count: int) -> None:
        self.count = count
        self.values = (ffi.wasmtime_component_val_t * count)()
        self._memory = Borrowed()

    def encode(self, index: int, codec: Codec, value: object) -> None:
        codec.encode(value, ctypes.addressof(self.values) + index * VAL, self._memory)


class FunctionCodec:
    """Calls functions of one type with JSON, and answers callbacks of that type.

    Immutable after construction: one serves every thread and every instance. Raises
    `FunctionUnavailable` for a function whose types cannot cross.
    """

    def __init__(self, function: wit.Function) -> None:
        reason = function.unavailable
        if reason is not None:
            raise FunctionUnavailable(reason)
        self.function = function
        self._params = [(name, build(ty), if_left_out(ty)) for name, ty in function.params]
        self._names = frozenset(name for name, _ in function.params)
        self._result = None if function.result is None else build(function.result)

    def encode_args(self, arguments: Mapping[str, object]) -> EncodedArguments:
        """The arguments by name; options may be left out. Raises InvalidArguments."""
        unknown = [name for name in arguments if name not in self._names]
        if unknown:
            raise InvalidArguments(f"unknown {_plural(unknown)}; {self._takes()}")
        values = [arguments.get(name, default) for name, _, default in self._params]
        if MISSING in values:
            missing = [
                name
                for (name, _, _), value in zip(self._params, values, strict=True)
                if value is MISSING
            ]
            raise InvalidArguments(f"missing {_plural(missing)}; {self._takes()}")
        encoded = EncodedArguments(len(values))
        for index, ((name, codec, _), value) in enumerate(zip(self._params, values, strict=True)):
            try:
                encoded.encode(index, codec, value)
            except Misfit as misfit:
                raise InvalidArguments(str(misfit.within(name))) from None
        return encoded

    def _takes(self) -> str:
        if not self._params:
            return "this tool takes no arguments"
        return f"this tool takes {list_names(name for name, *_ in self._params)}"

    def call(self, func: Func, store: Storelike, arguments: EncodedArguments) -> object:
        """Call a component's function, which must have this codec's type, and return the result
        as JSON (None without one). Raises `WasmtimeError` for what went wrong inside; see
        `is_result_too_large`. The interpreter lock is free during the call."""
        result = ffi.wasmtime_component_val_t()
        address = ctypes.addressof(result)
        try:
            error = ffi.wasmtime_component_func_call(
                ctypes.byref(func._func),
                store._context(),
                arguments.values,
                arguments.count,
                ctypes.byref(result),
                0 if self._result is None else 1,
            )
            if error:
                raise WasmtimeError._from_ptr(error)
            return None if self._result is None else self._result.decode(address)
        finally:
            delete_value(address)  # still `false` after an error, which has nothing to free

    def decode_params(self, address: int, count: int) -> list[object]:
        """The arguments of a callback, which are at `address` and stay wasmtime's."""
        if count != len(self._params):
            raise KindMismatch(f"expected {len(self._params)} arguments, got {count}")
        return [codec.decode(address + i * VAL) for i, (_, codec, _) in enumerate(self._params)]

    def encode_result(self, value: object, address: int, count: int) -> None:
        """Give a callback's result to wasmtime. Raises TypeError if it is not of the type."""
        if count != (0 if self._result is None else 1):
            raise KindMismatch("the function was imported with another result")
        if self._result is None:
            if value is not None:
                raise TypeError(f"expected no result, got {describe(value)}")
            return
        try:
            self._result.encode(value, address, OWNED)
        except Misfit as misfit:
            raise TypeError(str(misfit.within("result"))) from None


def _plural(names: list[str]) -> str:
    return f"argument{'s' if len(names) > 1 else ''} {list_names(names)}"
