"""Running one component: a fresh store and instance for every call, so no call sees another's."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from wasmtime import ExitTrap, Store, WasiConfig, WasmtimeError

from wassette.errors import (
    CallError,
    FunctionUnavailable,
    GuestExit,
    GuestTrap,
    InvalidArguments,
    ResultTooLarge,
    visible,
)

from . import hostfn, values, wit
from .engine import engine, linker
from .examine import exported_functions
from .weave import TARGET

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wasmtime.component import Component, ExportIndex

    from .hostfn import Listener
    from .tiers import Tier

MAX_RESULT = 16 * 1024 * 1024
"""Bytes of a result as JSON."""

MAX_TRAP = 1000  # characters of a trap's message


class Stopped(Exception):
    """The call was ended because `Listener.stop` said so, or because the listener raised this."""


@dataclass(frozen=True)
class Limits:
    """Of one call."""

    memory: int
    """Bytes of one linear memory."""
    cpu: float | None = None
    """Share of one core, where the host cannot hold the process to it."""
    memories: int = 16  # the guards', the component's, and a few for composed components
    tables: int = 64
    table_elements: int = 2_000_000
    instances: int = 256


class Sandbox:
    """A compiled component with the grants it runs under.

    `mounts`: (directory of the host, path in the guest, writable); the guest sees of them what
    `file_rules` (guard/guard.wit) allow, which refer to them by their order. Empty rules: nothing.
    """

    def __init__(
        self,
        component: Component,
        tier: Tier,
        *,
        mounts: Sequence[tuple[str, str, bool]],
        file_rules: str,
        environment: Sequence[tuple[str, str]],
        limits: Limits,
    ) -> None:
        self._component = component
        self._tier = tier
        self._mounts = mounts
        self._file_rules = file_rules
        self._environment = list(environment)
        self._limits = limits
        self._exports = {
            (interface, name): ty for interface, name, ty in exported_functions(component, tier)
        }
        self._functions: dict[tuple[str | None, str], _Function] = {}
        self._resting = 0  # bytes before the call; what a guest takes is gone after it
        self.taken = 0
        """Bytes of memory that the last call took, at its end."""

    def call(
        self,
        interface: str | None,
        name: str,
        arguments: bytes,
        listener: Listener,
        reports: str = "",
    ) -> bytes:
        """Call a function with JSON arguments (an object); its result as JSON, `null` for none.

        `reports`: options of the file rules by which the guard tells what it allows.
        Raises the `CallError` that fits, or `Stopped`. Any other exception is a bug of ours, and
        the process should not be used again.
        """
        self.taken = 0
        function = self._function(interface, name)
        parsed = _parse(arguments)
        self._resting = _data_bytes()
        governor = _Governor(listener, self._limits.cpu)
        with hostfn.CallContext(listener, reports + self._file_rules) as context:
            store = self._store(context, governor)
            try:
                result = self._run(store, function, parsed, context)
            finally:
                self.taken = max(0, _data_bytes() - self._resting)
                store.close()
                governor.settle()
        data = json.dumps(
            result, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        ).encode()
        if len(data) > MAX_RESULT:
            raise ResultTooLarge(
                f"gave a result of {len(data):,} bytes as JSON; the limit is {MAX_RESULT:,}"
            )
        return data

    def _function(self, interface: str | None, name: str) -> _Function:
        key = interface, name
        known = self._functions.get(key)
        if known is None:
            ty = self._exports.get(key)
            if ty is None:
                raise FunctionUnavailable(f"exports no function '{visible(name)}'")
            function = wit.from_wasmtime(ty)
            if function.unavailable:
                raise FunctionUnavailable(f"cannot be called: {function.unavailable}")
            index = self._component.get_export_index(TARGET)
            if interface is not None:
                index = self._component.get_export_index(interface, index)
            index = self._component.get_export_index(name, index)
            assert index is not None
            known = self._functions[key] = _Function(index, values.FunctionCodec(function))
        return known

    def _store(self, context: hostfn.CallContext, governor: _Governor) -> Store:
        wasi = WasiConfig()
        wasi.env = self._environment
        for host, guest, writable in self._mounts:
            try:
                wasi.preopen_dir(host, guest, writable)
            except WasmtimeError:
                raise CallError(
                    f"may use the directory {host}, but it cannot be opened now"
                ) from None
        hostfn.capture_output(wasi, context)
        store = Store(engine(self._tier))
        try:
            store.set_wasi(wasi)
            store.set_wasi_http()
            store.set_limits(
                memory_size=self._limits.memory,
                table_elements=self._limits.table_elements,
                instances=self._limits.instances,
                tables=self._limits.tables,
                memories=self._limits.memories,
            )
            # Before instantiating: start functions can loop too.
            context.watch(store, governor.check)
        except BaseException:
            store.close()
            raise
        return store

    def _run(
        self,
        store: Store,
        function: _Function,
        arguments: dict[str, object],
        context: hostfn.CallContext,
    ) -> object:
        encoded = function.codec.encode_args(arguments)
        try:
            instance = linker(self._tier).instantiate(store, self._component)
            found = instance.get_func(store, function.index)
            assert found is not None
            return function.codec.call(found, store, encoded)
        except WasmtimeError as error:
            if context.failure is not None:
                # Either the call is `Stopped`; or a callback of ours broke, which is no fault of
                # the guest: this process ends, and the call is reported as lost with it.
                raise context.failure from None
            if context.stopped is not None:
                raise Stopped(context.stopped) from None
            raise self._explain(error, _data_bytes() - self._resting) from None

    def _explain(self, error: WasmtimeError, grown: int) -> CallError:
        if isinstance(error, ExitTrap):
            return GuestExit(f"ended itself with exit code {error.code} instead of giving a result")
        if values.is_result_too_large(error):
            return ResultTooLarge(
                "gave a result that is too large to be taken out of the sandbox: a list<u8> can "
                f"hold {values.MAX_BYTE_LIST:,} bytes. A string can be larger."
            )
        reason = _reason(str(error))
        limit = self._limits.memory
        if "exceeds memory limits" in reason:
            return GuestTrap(
                f"needs more memory than its limit of {_mib(limit)} to start. "
                "A higher limit can be granted with `wassette permission grant memory`."
            )
        hint = ""
        if grown > 0.75 * limit:
            hint = (
                f" (it had taken {_mib(grown)}; its memory limit is {_mib(limit)}, which "
                "`wassette permission grant memory` can raise)"
            )
        return GuestTrap(f"trapped: {visible(reason, MAX_TRAP)}{hint}")


@dataclass(frozen=True)
class _Function:
    index: ExportIndex
    codec: values.FunctionCodec


class _Governor:
    """Decides at each epoch tick whether the guest goes on, and holds it to its CPU share."""

    def __init__(self, listener: Listener, cpu: float | None) -> None:
        self._stop: Callable[[], str | None] = listener.stop
        self._cpu = cpu
        self._wall = time.monotonic()
        self._used = time.thread_time()

    def check(self) -> str | None:
        behind = self._behind()
        if behind > 0:
            time.sleep(min(behind, 0.1))
        return self._stop()

    def settle(self) -> None:
        """Wait until what was used is within the share: a short call has met no tick."""
        while (behind := self._behind()) > 0 and self._stop() is None:
            time.sleep(min(behind, 0.1))

    def _behind(self) -> float:
        """Seconds until the share allows what was used."""
        if self._cpu is None:
            return 0.0
        used = time.thread_time() - self._used
        return used / self._cpu - (time.monotonic() - self._wall)


def _parse(arguments: bytes) -> dict[str, object]:
    try:
        parsed = json.loads(arguments)
    except (ValueError, RecursionError) as error:
        raise InvalidArguments(f"the arguments are not JSON that can be read: {error}") from None
    if not isinstance(parsed, dict):
        raise InvalidArguments("the arguments are not a JSON object")
    return parsed


def _reason(message: str) -> str:
    """What follows `Caused by:` in wasmtime's message, without the guest's own backtrace."""
    _, found, cause = message.rpartition("Caused by:")
    lines = [line.strip() for line in (cause if found else message).splitlines()]
    text = "; ".join(line for line in lines if line)
    return text.removeprefix("wasm trap: ").replace(
        "wasm `unreachable` instruction executed",
        "it gave up (an `unreachable` instruction, as after a panic or an abort)",
    )


def prepare() -> None:
    """Open what calls need of the system, before the process is confined and cannot any more."""
    _statm()


@cache
def _statm() -> int | None:
    """This process's own; opened once, since asking it then takes a microsecond."""
    try:
        return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _data_bytes() -> int:
    """Writable memory that this process has mapped; 0 where that cannot be asked."""
    statm = _statm()
    if statm is None or sys.platform == "win32":
        return 0
    try:
        return int(os.pread(statm, 256, 0).split()[5]) * 4096
    except (OSError, ValueError, IndexError):
        return 0


def _mib(size: int) -> str:
    return f"{size / 1024 / 1024:.0f} MiB"
