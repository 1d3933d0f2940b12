"""What a component can call in this process: host functions, output streams, the epoch callback.

wasmtime calls Python through ctypes, and ctypes drops an exception that a callback raises and
hands wasmtime a garbage return value instead: the guest then reads it as an answer ("allowed"),
or the process crashes. wasmtime-py catches `Exception` only, so that a KeyboardInterrupt or a
CancelledError does just that, and it keeps the exception in a module global, where another
thread's call finds it. Here every callback contains every exception and returns an error; the
exception is kept on the `CallContext` of the call that is running on this thread.

    with CallContext(listener, file_rules) as context:
        context.watch(store, lambda: None)
        try:
            result = codec.call(func, store, arguments)
        except WasmtimeError as error:
            ...  # context.failure is what a callback raised, context.stopped why it was ended

Two things are beyond reach. A signal handler that raises can do so before a callback's first
instruction: Python runs signal handlers in the main thread only, so make calls in another, or
install no handler that raises. And a guest's output that is still under way when the interpreter
shuts down aborts the process (see `capture_output`): leave with `os._exit`.
"""

from __future__ import annotations

import ctypes
import errno
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol, Self

from wasmtime import WasmtimeError
from wasmtime import _ffi as ffi
from wasmtime.component import FuncType

from wassette.sandbox import wit
from wassette.sandbox.values import FunctionCodec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wasmtime import Store, WasiConfig
    from wasmtime.component import LinkerInstance


class Listener(Protocol):
    """Told what a call does while it runs, and asked whether it should.

    The calls that report (`output`, `refused`) come one at a time, from more than one thread, and
    only until the context's `with` block is left.
    """

    def route(self, request: RequestLine) -> Mapping[str, object]:
        """The guest wants to make a request: `{"ok": destination}` or `{"err": refusal}` of
        guard/guard.wit. The guest waits for as long as this takes. If it raises, the call ends."""

    def output(self, stream: str, data: bytes) -> None:
        """The guest wrote to `stdout` or `stderr`. If this raises, its write fails: with the
        `errno` of an OSError, or else EIO. Called on a thread of wasmtime's."""

    def refused(self, kind: str, target: str) -> None:
        """The guard refused something; or tells what it allowed (guard/guard.wit)."""

    def stop(self) -> str | None:
        """Asked every few milliseconds: why the call should end now, or None to go on."""


@dataclass(frozen=True)
class RequestLine:
    """A request as the guest wrote it; checked by nobody. `connect_timeout` in nanoseconds."""

    method: str
    scheme: str
    authority: str
    path: str
    connect_timeout: int | None


class CallContext:
    """What callbacks know of the call they are part of: the one that this thread is making while
    it is in the context's `with` block. A context serves one call."""

    def __init__(self, listener: Listener, file_rules: str = "") -> None:
        self.listener = listener
        self._file_rules = file_rules
        self.failure: BaseException | None = None
        """The first exception that a callback of this call raised."""
        self.stopped: str | None = None
        """The text that the epoch callback ended the call with."""
        self._outer: CallContext | None = None
        self._reporting = threading.Lock()
        self._captured: list[int] = []

    def __enter__(self) -> Self:
        self._outer, _thread.context = _thread.context, self
        return self

    def __exit__(self, *_: object) -> None:
        _thread.context = self._outer
        with self._reporting:
            for number in self._captured:
                _forget(number)
            self._captured.clear()

    def contain(self, error: BaseException) -> None:
        """Keep what a callback raised."""
        if self.failure is None:
            self.failure = error

    def refused(self, kind: str, target: str) -> None:
        """Tell the listener."""
        with self._reporting:
            self.listener.refused(kind, target)

    def file_rules(self) -> str:
        """What the call may use of files, as the guard reads it (guard/guard.wit)."""
        return self._file_rules

    def route(
        self, method: str, scheme: str, authority: str, path: str, connect_timeout: int | str | None
    ) -> Mapping[str, object]:
        """Where a request of the guest goes (guard/guard.wit)."""
        # A text, where JSON's numbers could not hold it.
        timeout = None if connect_timeout is None else int(connect_timeout)
        return self.listener.route(RequestLine(method, scheme, authority, path, timeout))

    def watch(self, store: Store, check: Callable[[], str | None]) -> None:
        """Have `check` decide at every tick of the epoch (see `EpochCallback`) whether the call
        goes on, and keep its text in `stopped`."""

        def keep() -> str | None:
            reason = check()
            if reason is not None and self.stopped is None:
                self.stopped = reason
            return reason

        EpochCallback(keep).attach(store)


class _Thread(threading.local):
    context: CallContext | None = None


_thread = _Thread()

# What native code refers to by number. wasmtime calls the finalizer when it lets go of it.
_registered: dict[int, Any] = {}
_numbers = count(1)  # ctypes shows 0 as None


def _register(item: object) -> int:
    number = next(_numbers)
    _registered[number] = item
    return number


def _forget(number: int | None) -> None:
    with suppress(BaseException):  # at exit, the module's names may be gone
        _registered.pop(number or 0, None)


def _native_error(text: str) -> int:
    """A new wasmtime error, as the number that a callback returns to pass it on."""
    utf8 = text.encode("utf-8", "replace").replace(b"\0", b"")
    return ctypes.cast(ffi.wasmtime_error_new(utf8), ctypes.c_void_p).value or 0


def _as_native_error(error: BaseException) -> int:
    """Keep what a callback raised for the caller, and make an error of it."""
    try:
        context = _thread.context
        if context is not None:
            context.contain(error)
        return _native_error(f"{type(error).__name__}: {error}")
    except BaseException:  # noqa: BLE001  (such as an exception whose __str__ raises)
        return _native_error("host function failed")


# --- Host functions -----------------------------------------------------------------------------


def add_function(linker_instance: LinkerInstance, name: str, fn: Callable[..., object]) -> None:
    """Offer `fn` to components as `name`.

    `fn` gets the `CallContext` and then the arguments in order, and returns the result, all in
    their JSON form (`schema`); it runs on the thread of the call. What it raises ends the call.

    A component chooses the type under which it imports a host function, and wasmtime compares it
    with nothing. Values are converted by that type, so nothing is misread; but a function that
    untrusted components can import has to look at what it was given.
    """
    linker_instance._assert_not_locked()
    utf8 = name.encode()
    number = _register(fn)
    error = ffi.wasmtime_component_linker_instance_add_func(
        linker_instance.ptr(),
        ctypes.create_string_buffer(utf8),
        len(utf8),
        _CALL_HOST,
        number,
        _FORGET,
    )
    if error:
        _forget(number)
        raise WasmtimeError._from_ptr(error)


def _call_host(
    number: int | None,
    _store: object,
    ty: Any,
    args: Any,
    nargs: int,
    results: Any,
    nresults: int,
) -> int:
    try:
        fn = _registered[number or 0]
        context = _thread.context
        if context is None:
            raise RuntimeError("a host function was called outside of a call")
        # Of this call: another component may import the function under another type. The owner
        # makes wasmtime-py leave the type to wasmtime.
        codec = _codec(wit.from_wasmtime(FuncType._from_ptr(ty, owner=_BORROWED)))
        values = codec.decode_params(_address(args), nargs)
        codec.encode_result(fn(context, *values), _address(results), nresults)
    except BaseException as error:  # noqa: BLE001  (see the module's docstring)
        return _as_native_error(error)
    return 0


_codec = lru_cache(maxsize=64)(FunctionCodec)
_BORROWED = object()


def _address(pointer: Any) -> int:
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0


# --- Output -------------------------------------------------------------------------------------


def capture_output(config: WasiConfig, context: CallContext) -> None:
    """Tell the context's listener what the guest writes, until the context is left.

    wasmtime writes from a thread of its own runtime, while the guest may go on: what the guest
    has flushed was told before its next instruction, the rest may come late, and is dropped once
    the call is over. The same thread would run a finalizer, at any time. If that were while the
    interpreter shuts down, the interpreter would end the thread and thereby abort the process, so
    there is none: the context lets go of the callback.
    """
    for stream, install in (
        ("stdout", ffi.wasi_config_set_stdout_custom),
        ("stderr", ffi.wasi_config_set_stderr_custom),
    ):
        number = _register((context, stream))
        context._captured.append(number)
        install(config.ptr(), _WRITE, number, _NO_FINALIZER)


def _write(number: int | None, data: Any, size: int) -> int:
    context: CallContext | None = None
    try:
        written = ctypes.string_at(data, size)
        context, stream = _registered[number or 0]
        with context._reporting:
            if number not in _registered:  # left meanwhile
                return -errno.EIO
            context.listener.output(stream, written)
    except OSError as error:
        code = error.errno
        return -code if isinstance(code, int) and 0 < code < 4096 else -errno.EIO
    except BaseException as error:  # noqa: BLE001  (see the module's docstring)
        if context is not None:
            context.contain(error)
        return -errno.EIO
    return size


# --- Epochs -------------------------------------------------------------------------------------


class EpochCallback:
    """Decides at every tick of the engine's epoch whether a call goes on.

    `fn` returns None to continue, or a text to end the call with: it becomes the last line of
    the error's text. It is called on the thread of the call and may sleep, which slows the guest
    down. If it raises, the call ends and the exception is the context's `failure`.
    """

    def __init__(self, fn: Callable[[], str | None]) -> None:
        self._fn = fn

    def attach(self, store: Store) -> None:
        """To be done before instantiating: start functions can loop too. The store keeps the
        callback alive."""
        store.set_epoch_deadline(1)
        ffi.wasmtime_store_epoch_deadline_callback(store.ptr(), _TICK, _register(self._fn), _FORGET)


_CONTINUE = 0


def _tick(_store: object, number: int | None, delta: Any, kind: Any) -> int:
    try:
        delta[0] = 1
        kind[0] = _CONTINUE
        reason = _registered[number or 0]()
        return 0 if reason is None else _native_error(reason)
    except BaseException as error:  # noqa: BLE001  (see the module's docstring)
        return _as_native_error(error)


# The callbacks as C function pointers; kept for ever, since native code holds on to them.
_Finalizer = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_FORGET = _Finalizer(_forget)
_NO_FINALIZER = _Finalizer()
_CALL_HOST = ffi.wasmtime_component_func_callback_t(_call_host)
_WRITE = ctypes.CFUNCTYPE(
    ctypes.c_ssize_t, ctypes.c_void_p, ctypes.POINTER(ctypes.c_ubyte), ctypes.c_size_t
)(_write)
_TICK = ctypes.CFUNCTYPE(
    ctypes.c_size_t,
    ctypes.POINTER(ffi.wasmtime_context_t),
    ctypes.c_void_p,
    ctypes.POINTER(ctypes.c_uint64),
    ctypes.POINTER(ffi.wasmtime_update_deadline_kind_t),
)(_tick)
