"""Components that use files, in a sandbox of their own: behind the guard, or natively."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from build import build, cache_folder
from wasmtime import Store, WasiConfig
from wasmtime.component import Linker

from wassette.sandbox import engine
from wassette.sandbox.instance import Limits, Sandbox
from wassette.sandbox.tiers import Tier, fingerprint
from wassette.sandbox.weave import weave

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wasmtime.component import Component

    from wassette.sandbox.hostfn import RequestLine

Mounts = tuple[tuple[str, str, bool], ...]
"""(directory of the host, path in the guest, writable)."""

MEMORY = 512 * 1024 * 1024


def rule(letters: str, pattern: str, mount: int = 0) -> str:
    """One rule, as the guard reads it."""
    return f"{letters} {mount} {pattern}\0"


def rules(*parts: str, options: str = "") -> str:
    return f"{options}\0{''.join(parts)}"


@cache
def compiled(fixture: str, woven: bool = True) -> tuple[Component, Tier]:
    """A fixture's code; kept on disk, since Python's takes seconds."""
    data = build(fixture).read_bytes()
    tier = Tier.CRANELIFT if len(data) < 2**20 else Tier.WINCH
    digest = hashlib.sha256(data).hexdigest()
    kind = f"woven-{fingerprint()}" if woven else f"bare-{fingerprint()}"
    path = cache_folder() / f"{digest}-{kind}-{tier}.cwasm"
    if not path.exists():
        component = engine.compile_component(weave(data) if woven else data, tier)
        fresh = path.with_suffix(f".{id(data)}")
        fresh.write_bytes(engine.serialized(component))
        fresh.replace(path)
    code = hashlib.sha256(path.read_bytes()).hexdigest()
    return engine.load(path, code, tier), tier


class Guest:
    """One component with rules for files; each call is a fresh instance."""

    def __init__(
        self, fixture: str, mounts: Mounts, file_rules: str, *, memory: int = MEMORY
    ) -> None:
        component, tier = compiled(fixture)
        self._sandbox = Sandbox(
            component,
            tier,
            mounts=mounts,
            file_rules=file_rules,
            environment=(),
            limits=Limits(memory),
        )
        self.refused: list[tuple[str, str]] = []
        """What the last call was refused: (kind, path)."""

    def call(self, function: str, **arguments: Any) -> Any:
        told: list[tuple[str, str]] = []
        listener = _Listener(told)
        try:
            data = self._sandbox.call(None, function, json.dumps(arguments).encode(), listener)
        finally:
            self.refused = told
        return json.loads(data)

    def run(self, operations: Iterable[Sequence[str]]) -> list[str]:
        """`c-files`: the result of each operation."""
        result: list[str] = self.call("run", operations=[list(one) for one in operations])
        return result

    def do(self, *operation: str) -> str:
        return self.run([operation])[0]

    def evaluate(self, *expressions: str) -> list[str]:
        """`py-files`: the value of each expression."""
        result: list[str] = self.call("evaluate", expressions=list(expressions))
        return result


class _Listener:
    def __init__(self, told: list[tuple[str, str]]) -> None:
        self._told = told

    def output(self, stream: str, data: bytes) -> None: ...

    def refused(self, kind: str, target: str) -> None:
        self._told.append((kind, target))

    def route(self, request: RequestLine) -> Mapping[str, object]:
        raise AssertionError("these components make no requests")

    def stop(self) -> str | None:
        return None


class Native:
    """The same component with native preopens: nothing of ours."""

    def __init__(self, fixture: str, mounts: Mounts) -> None:
        self._component, tier = compiled(fixture, woven=False)
        self._engine = engine.engine(tier)
        self._linker = Linker(self._engine)
        self._linker.add_wasip2()
        self._mounts = mounts

    def call(self, function: str, *arguments: Any) -> Any:
        wasi = WasiConfig()
        for host, guest, writable in self._mounts:
            wasi.preopen_dir(host, guest, writable)
        store = Store(self._engine)
        store.set_wasi(wasi)
        store.set_epoch_deadline(1_000_000)
        try:
            instance = self._linker.instantiate(store, self._component)
            found = instance.get_func(store, function)
            assert found is not None
            return found(store, *arguments)
        finally:
            store.close()

    def run(self, operations: Iterable[Sequence[str]]) -> list[str]:
        result: list[str] = self.call("run", [list(one) for one in operations])
        return result
