"""The guard's own matcher (rules.c), compiled alone, to be asked directly."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from wasmtime import Engine, Func, Instance, Memory, Module, Store

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[2]
GUARD = ROOT / "backend" / "wassette" / "sandbox" / "guard"
HARNESS = ROOT / "tests" / "components" / "matcher" / "matcher.c"
READ, WRITE, VISIBLE, AMBIGUOUS = 1, 2, 4, 8


class Matcher:
    """Rules as the guard takes them. The state is the instance's, so each has its own."""

    def __init__(self, rules: str, mounts: Iterable[str]) -> None:
        engine, module = _compiled()
        self._store = Store(engine)
        exports = Instance(self._store, module, []).exports(self._store)
        self._functions = {
            name: item for name, item in ((n, exports[n]) for n in _NAMES) if isinstance(item, Func)
        }
        memory = exports["memory"]
        assert isinstance(memory, Memory)
        self._memory = memory
        self._give("set-mounts", "".join(f"{path.rstrip('/')}\0" for path in mounts))
        self._give("set-rules", rules)

    def decide(self, names: Iterable[str]) -> int:
        """Of a resolved path: `READ`, `WRITE`, `VISIBLE`, `AMBIGUOUS`, added up."""
        return self._give("decide", "".join(f"/{name}" for name in names))

    def _give(self, function: str, text: str) -> int:
        data = text.encode()
        at = self._functions["alloc"](self._store, len(data))
        self._memory.write(self._store, data, at)
        result = self._functions[function](self._store, at, len(data))
        return int(result or 0)


_NAMES = ("alloc", "set-mounts", "set-rules", "decide")


@cache
def _compiled() -> tuple[Engine, Module]:
    engine = Engine()
    return engine, Module.from_file(engine, str(_build()))


def _build() -> Path:
    sources = [HARNESS, *(GUARD / name for name in ("rules.c", "memory.c"))]
    digest = hashlib.sha256()
    for path in [*sources, *sorted(GUARD.glob("*.h"))]:
        digest.update(path.read_bytes())
    folder = Path(os.environ["WASSETTE_TEST_CACHE"]) / f"matcher-{digest.hexdigest()[:32]}"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "matcher.wasm"
    with FileLock(folder / "lock"):
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=folder) as fresh:
                made = Path(fresh) / "matcher.wasm"
                flags = ["-target", "wasm32-freestanding", "-mcpu=generic+bulk_memory", "-O2"]
                flags += ["-nostdlib", "-fno-builtin", "-Wl,--no-entry", f"-I{GUARD}"]
                subprocess.run(
                    [sys.executable, "-m", "ziglang", "cc", *flags, *map(str, sources), "-o", made],
                    check=True,
                )
                made.replace(target)
    return target
