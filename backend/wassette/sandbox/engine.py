"""Engines, compiling, and loading compiled code.

One engine per tier and process: code of one tier does not load in the engine of the other.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING

from wasmtime import Config, Engine, WasmtimeError
from wasmtime import _ffi as ffi
from wasmtime.component import Component, Linker

from wassette.errors import InvalidComponent, visible

from . import hostfn
from .tiers import Tier

if TYPE_CHECKING:
    from pathlib import Path

GUARD_HOST = "wassette:guard/host@0.1.0"
"""What the guard asks of us; provided to it alone (weave.py)."""


_STRATEGY = {Tier.CRANELIFT: 1, Tier.WINCH: 2}  # wasmtime_strategy_enum; Python wraps only 1


@cache
def engine(tier: Tier) -> Engine:
    """This process's engine for a tier."""
    config = Config()
    config.epoch_interruption = True
    # What these settings are is part of `tiers.fingerprint`.
    config.wasm_threads = False  # nothing of ours provides shared memory or threads
    config.wasm_memory64 = False  # limits and the canonical ABI are about 32-bit memories
    ffi.wasmtime_config_strategy_set(config.ptr(), _STRATEGY[tier])
    return Engine(config)


@cache
def linker(tier: Tier) -> Linker:
    """The native interfaces, and ours for the guard. One per engine; read-only once made."""
    made = Linker(engine(tier))
    made.add_wasip2()
    made.add_wasi_http()
    with made.root() as root, root.add_instance(GUARD_HOST) as instance:
        hostfn.add_function(instance, "refused", hostfn.CallContext.refused)
        hostfn.add_function(instance, "file-rules", hostfn.CallContext.file_rules)
        hostfn.add_function(instance, "route", hostfn.CallContext.route)
    return made


def compile_component(woven: bytes, tier: Tier) -> Component:
    """Compile a woven component. Raises `InvalidComponent` with what wasmtime says of it.

    Takes seconds and up to 450 MB for a 12 MB component, and cannot be interrupted: only ever
    called in a process that can be killed.
    """
    try:
        return Component(engine(tier), woven)
    except WasmtimeError as error:
        raise InvalidComponent(f"cannot be compiled: {visible(first_lines(error), 600)}") from None


def load(path: Path, sha256: str, tier: Tier) -> Component:
    """Map compiled code, after checking that it is what was compiled.

    Garbled code would crash the process and planted code would run, so the digest is not optional.
    Raises `InvalidComponent` when it does not match or was made by another version.
    """
    try:
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InvalidComponent(f"has no compiled code: {error.strerror}") from None
    if found != sha256:
        raise InvalidComponent(f"has compiled code that was changed on disk ({path.name})")
    try:
        return Component.deserialize_file(engine(tier), str(path))
    except WasmtimeError as error:
        raise InvalidComponent(f"has compiled code that does not load: {error}") from None


def first_lines(error: WasmtimeError) -> str:
    """wasmtime's message as one line, without the frames of a backtrace."""
    lines = (line.strip() for line in str(error).splitlines())
    return " ".join(line for line in lines if line and not line[0].isdigit())


def serialized(component: Component) -> bytes:
    """Compiled code as bytes, for `load`. Copies once; wasmtime's own copies byte by byte."""
    return bytes(component.serialize())
