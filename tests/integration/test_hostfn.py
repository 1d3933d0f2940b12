"""What components can call in this process, and what happens when it fails."""

from __future__ import annotations

import asyncio
import errno
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from wasmtime import Config, Engine, Store, WasiConfig, WasmtimeError
from wasmtime.component import Component, Linker

from support import echo
from wassette.sandbox import hostfn, wit
from wassette.sandbox.values import FunctionCodec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MEMORY = """
  (core module $memory-module
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $mi (instantiate $memory-module))
  (alias core export $mi "memory" (core memory $memory))
  (alias core export $mi "realloc" (core func $realloc))
"""
OPTIONS = "(memory (core memory $memory)) (realloc (core func $realloc))"

ASK = f"""(component
  (import "host" (instance $host
    (export "f" (func (param "x" u32) (result (result string (error string)))))))
  {MEMORY}
  (alias export $host "f" (func $f))
  (core func $lowered (canon lower (func $f) {OPTIONS}))
  (core module $m
    (import "host" "f" (func $f (param i32 i32)))
    (func (export "ask") (param i32) (result i32)
      (call $f (local.get 0) (i32.const 16))
      (i32.const 16)))
  (core instance $i (instantiate $m (with "host" (instance (export "f" (func $lowered))))))
  (alias core export $i "ask" (core func $ask))
  (func (export "ask") (param "x" u32) (result (result string (error string)))
    (canon lift (core func $ask) {OPTIONS})))"""

# The same import under other types: a parameter and a result that are something else.
ASK_OTHERWISE = """(component
  (import "host" (instance $host (export "f" (func (param "x" bool) (result u32)))))
  (alias export $host "f" (func $f))
  (core func $lowered (canon lower (func $f)))
  (core module $m
    (import "host" "f" (func $f (param i32) (result i32)))
    (func (export "ask") (param i32) (result i32) (call $f (local.get 0))))
  (core instance $i (instantiate $m (with "host" (instance (export "f" (func $lowered))))))
  (alias core export $i "ask" (core func $ask))
  (func (export "ask") (param "x" bool) (result u32) (canon lift (core func $ask))))"""

TELL = """(component
  (import "host" (instance $host (export "f" (func (param "x" u32)))))
  (alias export $host "f" (func $f))
  (core func $lowered (canon lower (func $f)))
  (core module $m
    (import "host" "f" (func $f (param i32)))
    (func (export "ask") (param i32) (call $f (local.get 0))))
  (core instance $i (instantiate $m (with "host" (instance (export "f" (func $lowered))))))
  (alias core export $i "ask" (core func $ask))
  (func (export "ask") (param "x" u32) (canon lift (core func $ask))))"""

LOOP = """(component
  (core module $m (func (export "ask") (param i32) (loop $again (br $again))))
  (core instance $i (instantiate $m))
  (alias core export $i "ask" (core func $ask))
  (func (export "ask") (param "x" u32) (canon lift (core func $ask))))"""

# Writes "hello" to stdout and returns whether that worked.
PRINT = f"""(component
  (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error-type))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $stream (sub resource)))
    (alias outer 1 $error-type (type $e0))
    (export "error" (type $e (eq $e0)))
    (type $s0 (variant (case "last-operation-failed" (own $e)) (case "closed")))
    (export "stream-error" (type $s (eq $s0)))
    (export "[method]output-stream.blocking-write-and-flush" (func
      (param "self" (borrow $stream)) (param "contents" (list u8)) (result (result (error $s)))))))
  (alias export $streams "output-stream" (type $stream-type))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $stream-type (type $o0))
    (export "output-stream" (type $o (eq $o0)))
    (export "get-stdout" (func (result (own $o))))))
  {MEMORY}
  (alias export $stdout "get-stdout" (func $get))
  (alias export $streams "[method]output-stream.blocking-write-and-flush" (func $write))
  (core func $get-core (canon lower (func $get)))
  (core func $write-core (canon lower (func $write) {OPTIONS}))
  (core module $m
    (import "host" "memory" (memory 1))
    (import "host" "get" (func $get (result i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (data (i32.const 100) "hello")
    (func (export "print") (result i32)
      (call $write (call $get) (i32.const 100) (i32.const 5) (i32.const 16))
      (i32.eqz (i32.load8_u (i32.const 16)))))
  (core instance $i (instantiate $m (with "host" (instance
    (export "memory" (memory $memory))
    (export "get" (func $get-core)) (export "write" (func $write-core))))))
  (alias core export $i "print" (core func $print))
  (func (export "print") (result bool) (canon lift (core func $print))))"""


class Told:
    """A listener that keeps what it is told."""

    def __init__(self, tag: int = 0, output: Callable[[bytes], object] | None = None) -> None:
        self.tag = tag
        self.written: list[tuple[str, bytes]] = []
        self._output = output

    def output(self, stream: str, data: bytes) -> None:
        self.written.append((stream, data))
        if self._output is not None:
            self._output(data)

    def refused(self, kind: str, target: str) -> None:
        raise AssertionError

    def route(self, request: hostfn.RequestLine) -> Mapping[str, object]:
        raise AssertionError

    def stop(self) -> str | None:
        return None


class Program:
    """A component with host function `f`, called in a fresh store each time."""

    def __init__(self, text: str, f: Callable[..., object] | None = None) -> None:
        self.component = Component(echo.engine(), text)
        self.linker = Linker(echo.engine())
        if f is not None:
            with self.linker.root() as root, root.add_instance("host") as instance:
                hostfn.add_function(instance, "f", f)

    def call(self, context: hostfn.CallContext, x: object) -> object:
        store = echo.new_store()
        try:
            func = self.linker.instantiate(store, self.component).get_func(store, "ask")
            assert func is not None
            codec = FunctionCodec(wit.from_wasmtime(func.type(store)))
            with context:
                return codec.call(func, store, codec.encode_args({"x": x}))
        finally:
            store.close()


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def test_a_host_function_gets_its_call_and_arguments() -> None:
    def f(context: hostfn.CallContext, x: int) -> object:
        assert context.listener is told
        return {"ok": f"{x} é\0"}

    told = Told()
    assert Program(ASK, f).call(hostfn.CallContext(told), 5) == {"ok": "5 é\0"}


@pytest.mark.parametrize(
    "error",
    [
        ValueError("why\0not"),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
        SystemExit(3),
        GeneratorExit(),
        MemoryError(),
        Unprintable(),
        ValueError("\ud800"),
    ],
)
@pytest.mark.parametrize("text", [ASK, TELL])
def test_whatever_a_host_function_raises_ends_the_call(text: str, error: BaseException) -> None:
    def f(_context: hostfn.CallContext, _x: int) -> object:
        raise error

    context = hostfn.CallContext(Told())
    with pytest.raises(WasmtimeError) as caught:
        Program(text, f).call(context, 5)
    assert context.failure is error
    if type(error) is ValueError and "why" in str(error):
        assert "ValueError: whynot" in str(caught.value)


@pytest.mark.parametrize("result", [5, None, {"ok": 5}, {"ok": "a", "err": "b"}, {"ok": "\ud800"}])
def test_a_result_of_another_type_ends_the_call(result: object) -> None:
    context = hostfn.CallContext(Told())
    with pytest.raises(WasmtimeError, match="TypeError: result"):
        Program(ASK, lambda _context, _x: result).call(context, 5)
    assert isinstance(context.failure, TypeError)


def test_a_result_where_none_is_declared_ends_the_call() -> None:
    with pytest.raises(WasmtimeError, match="TypeError: expected no result, got 5"):
        Program(TELL, lambda _context, _x: 5).call(hostfn.CallContext(Told()), 5)


def test_values_are_converted_by_the_type_of_the_import() -> None:
    seen: list[object] = []

    def f(_context: hostfn.CallContext, x: object) -> object:
        seen.append(x)
        return 7 if isinstance(x, bool) else {"ok": "fine"}

    first, second = Program(ASK, f), Program(ASK_OTHERWISE, f)
    for _ in range(2):
        assert first.call(hostfn.CallContext(Told()), 1) == {"ok": "fine"}
        assert second.call(hostfn.CallContext(Told()), True) == 7
    assert seen == [1, True, 1, True]
    assert [type(x) for x in seen] == [int, bool, int, bool]


def test_outside_of_a_call_there_is_no_host_function() -> None:
    program = Program(ASK, lambda _context, _x: {"ok": "x"})
    store = echo.new_store()
    func = program.linker.instantiate(store, program.component).get_func(store, "ask")
    assert func is not None
    codec = FunctionCodec(wit.from_wasmtime(func.type(store)))
    with pytest.raises(WasmtimeError, match="outside of a call"):
        codec.call(func, store, codec.encode_args({"x": 1}))
    store.close()


def test_a_call_within_a_call_has_its_own_context() -> None:
    inner = Program(ASK, lambda context, x: {"ok": f"{context.listener.tag} {x}"})

    def f(context: hostfn.CallContext, _x: int) -> object:
        result = inner.call(hostfn.CallContext(Told(2)), 3)
        assert isinstance(context.listener, Told)
        assert context.listener.tag == 1
        return result

    assert Program(ASK, f).call(hostfn.CallContext(Told(1)), 5) == {"ok": "2 3"}


def test_a_name_can_be_taken_once() -> None:
    linker = Linker(echo.engine())
    with linker.root() as root, root.add_instance("host") as instance:
        hostfn.add_function(instance, "f", lambda _: None)
        with pytest.raises(WasmtimeError, match="twice"):
            hostfn.add_function(instance, "f", lambda _: None)


def test_functions_are_let_go_with_the_linker() -> None:
    before = len(hostfn._registered)
    program = Program(ASK, lambda _context, _x: {"ok": "x"})
    assert len(hostfn._registered) == before + 1
    program.linker.close()
    assert len(hostfn._registered) == before


def test_threads_never_see_the_failure_of_another_call() -> None:
    errors = (ValueError, asyncio.CancelledError, KeyboardInterrupt)

    def f(context: hostfn.CallContext, x: int) -> object:
        assert isinstance(context.listener, Told)
        assert context.listener.tag == x
        if x % 7 == 0:
            raise errors[x % 3](x)
        return {"ok" if x % 2 else "err": str(x)}

    program = Program(ASK, f)

    def one(x: int) -> bool:
        context = hostfn.CallContext(Told(x))
        try:
            result = program.call(context, x)
        except WasmtimeError as error:
            failure = context.failure
            return (
                x % 7 == 0
                and failure is not None
                and failure.args == (x,)
                and (f"{errors[x % 3].__name__}: {x}" in str(error))
            )
        return context.failure is None and result == {"ok" if x % 2 else "err": str(x)}

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(one, range(1, 8001)))
    finally:
        sys.setswitchinterval(interval)


# --- Epochs -------------------------------------------------------------------------------------


@pytest.fixture
def ticking() -> Iterator[Engine]:
    import threading

    config = Config()
    config.epoch_interruption = True
    made = Engine(config)
    done = threading.Event()

    def tick() -> None:
        while not done.wait(0.002):
            made.increment_epoch()

    thread = threading.Thread(target=tick)
    thread.start()
    yield made
    done.set()
    thread.join()


def _loop(engine: Engine, context: hostfn.CallContext, attach: Callable[[Store], None]) -> None:
    store = Store(engine)
    try:
        attach(store)
        func = Linker(engine).instantiate(store, Component(engine, LOOP)).get_func(store, "ask")
        assert func is not None
        codec = FunctionCodec(wit.from_wasmtime(func.type(store)))
        with context:
            codec.call(func, store, codec.encode_args({"x": 1}))
    finally:
        store.close()


def test_the_epoch_callback_ends_a_call(ticking: Engine) -> None:
    before = len(hostfn._registered)
    context = hostfn.CallContext(Told())
    end = time.monotonic() + 0.05
    with pytest.raises(WasmtimeError) as caught:
        _loop(
            ticking,
            context,
            lambda store: context.watch(
                store, lambda: "over its time" if time.monotonic() > end else None
            ),
        )
    assert str(caught.value).strip().endswith("over its time")
    assert context.stopped == "over its time"
    assert context.failure is None
    assert len(hostfn._registered) == before


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), Unprintable()])
def test_an_epoch_callback_that_raises_ends_the_call(ticking: Engine, error: BaseException) -> None:
    def check() -> str | None:
        raise error

    context = hostfn.CallContext(Told())
    with pytest.raises(WasmtimeError):
        _loop(ticking, context, hostfn.EpochCallback(check).attach)
    assert context.failure is error
    assert context.stopped is None


# --- Output -------------------------------------------------------------------------------------


def _print(context: hostfn.CallContext) -> object:
    engine = echo.engine()
    linker = Linker(engine)
    linker.add_wasip2()
    config = WasiConfig()
    hostfn.capture_output(config, context)
    store = echo.new_store()
    try:
        store.set_wasi(config)
        func = linker.instantiate(store, Component(engine, PRINT)).get_func(store, "print")
        assert func is not None
        codec = FunctionCodec(wit.from_wasmtime(func.type(store)))
        with context:
            return codec.call(func, store, codec.encode_args({}))
    finally:
        store.close()


def test_output_is_told_to_the_listener() -> None:
    before = len(hostfn._registered)
    told = Told()
    assert _print(hostfn.CallContext(told)) is True
    assert told.written == [("stdout", b"hello")]
    assert len(hostfn._registered) == before


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "full"),
        OSError("no number"),
        OSError(-5, "odd"),
        ValueError("x"),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
        Unprintable(),
    ],
)
def test_output_that_fails_is_an_error_for_the_guest(
    error: BaseException, capfd: pytest.CaptureFixture[str]
) -> None:
    def output(_data: bytes) -> None:
        raise error

    context = hostfn.CallContext(Told(output=output))
    assert _print(context) is False
    assert context.failure is (None if isinstance(error, OSError) else error)
    assert capfd.readouterr() == ("", "")


def test_output_after_the_call_is_dropped() -> None:
    told = Told()
    context = hostfn.CallContext(told)
    with context:
        hostfn.capture_output(WasiConfig(), context)
        [stdout, _stderr] = context._captured
        assert hostfn._write(stdout, b"in time", 7) == 7
    assert hostfn._write(stdout, b"late", 4) == -errno.EIO
    assert told.written == [("stdout", b"in time")]


def test_a_process_that_captured_output_can_end() -> None:
    """A callback of wasmtime's own thread while the interpreter shuts down would abort it."""
    here = Path(__file__)
    program = (
        f"import sys; sys.path[:0] = {[str(here.parent), str(here.parent.parent)]!r}\n"
        f"import {here.stem} as t; assert t._print(t.hostfn.CallContext(t.Told()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
