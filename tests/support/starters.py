"""The starters without a host: thousands of calls in the time that a host takes for a hundred.

One instance serves all calls, as it never does in the product: so what a call leaves behind would
be seen by the next. Work is counted, not timed, and memory is what a component has by default.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wasmtime import Config, Engine, Store, WasiConfig
from wasmtime.component import Component, Instance, Linker

from wassette.components.sources import starters
from wassette.sandbox import wit
from wassette.sandbox.values import FunctionCodec

if TYPE_CHECKING:
    from wassette.host import Host

MEMORY = 512 * 1024 * 1024
WORK = 60_000_000_000
"""Instructions that a call may take: some ten seconds. What takes more would not end."""


class Starter:
    """One of them, called directly. It has a clock and randomness, no files and no network."""

    def __init__(self, name: str) -> None:
        config = Config()
        config.consume_fuel = True
        self._engine = Engine(config)
        self._component = Component(self._engine, starters()[name].read_bytes())
        self._linker = Linker(self._engine)
        self._linker.add_wasip2()
        self._linker.add_wasi_http()
        self._codecs: dict[str, FunctionCodec] = {}
        self._fresh()

    def _fresh(self) -> None:
        self._store = Store(self._engine)
        self._store.set_wasi(WasiConfig())
        self._store.set_wasi_http()
        self._store.set_limits(memory_size=MEMORY)
        self._store.set_fuel(WORK)
        self._instance: Instance = self._linker.instantiate(self._store, self._component)

    def __call__(self, tool: str, **arguments: object) -> Any:
        """What the tool answers; a trap is raised as wasmtime raises it."""
        self._store.set_fuel(WORK)
        func = self._instance.get_func(self._store, tool)
        assert func is not None, tool
        if tool not in self._codecs:
            self._codecs[tool] = FunctionCodec(wit.from_wasmtime(func.type(self._store)))
        codec = self._codecs[tool]
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        try:
            return codec.call(func, self._store, codec.encode_args(named))
        except Exception:
            self._fresh()  # an instance that trapped is of no more use
            raise

    def ok(self, tool: str, **arguments: object) -> Any:
        answer = self(tool, **arguments)
        assert "ok" in answer, answer
        return answer["ok"]

    def error(self, tool: str, **arguments: object) -> str:
        answer = self(tool, **arguments)
        assert "err" in answer, answer
        return str(answer["err"])


@dataclass(frozen=True)
class Hosted:
    """A host's tools, called by name; `_` in an argument's name stands for `-`."""

    host: Host

    async def __call__(self, tool: str, **arguments: object) -> Any:
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        result = await self.host.call_tool(tool, named)
        assert result.error is None, result.error
        return result.value

    async def ok(self, tool: str, **arguments: object) -> Any:
        answer = await self(tool, **arguments)
        assert "ok" in answer, answer
        return answer["ok"]

    async def error(self, tool: str, **arguments: object) -> str:
        answer = await self(tool, **arguments)
        assert "err" in answer, answer
        return str(answer["err"])


def patched(old: str, diff: str) -> str:
    """`old` with a unified diff applied to it; every line of the diff has to fit."""
    lines, out, at = old.splitlines(keepends=True), [], 0
    body = diff.split("\n")
    assert body.pop() == ""
    for number, line in enumerate(body):
        if line.startswith(("--- ", "+++ ")) and number < 2:
            continue
        if line.startswith("@@ "):
            start, _, count = line.split()[1][1:].partition(",")
            first = int(start) - (1 if count != "0" else 0)
            out += lines[at:first]
            at = first
            continue
        if line.startswith("\\"):
            continue
        ended = number + 1 == len(body) or not body[number + 1].startswith("\\")
        text = line[1:] + ("\n" if ended else "")
        if line[0] in " -":
            assert lines[at] == text, (line, lines[at])
            at += 1
        if line[0] in " +":
            out.append(text)
    return "".join(itertools.chain(out, lines[at:]))
