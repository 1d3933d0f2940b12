"""Running `wassette` as people do, in a home of its own, and small components to run it on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from wasmtime import wat2wasm

from wassette.components.record import ComponentRecord
from wassette.components.store import ComponentStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_CORE = """
  (core module $m
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param $old i32) (param $size i32) (param $align i32)
        (param $want i32) (result i32)
      (global.get $next)
      (global.set $next (i32.add (global.get $next)
        (i32.and (i32.add (local.get $want) (i32.const 7)) (i32.const -8)))))
    (func (export "echo") (param i32 i32) (result i32)
      (i32.store (i32.const 16) (local.get 0))
      (i32.store (i32.const 20) (local.get 1))
      (i32.const 16))
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    ;; err("no"), as result<string, string>
    (data (i32.const 64) "no")
    (func (export "fail") (result i32)
      (i32.store8 (i32.const 32) (i32.const 1))
      (i32.store (i32.const 36) (i32.const 64))
      (i32.store (i32.const 40) (i32.const 2))
      (i32.const 32))
    (func (export "trap") unreachable)
    (func (export "spin") (loop (br 0))))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))
"""

_FUNCTIONS = {
    "echo": '(param "text" string) (result string)',
    "add": '(param "a" u32) (param "b" u32) (result u32)',
    "fail": "(result (result string (error string)))",
    "trap": "",
    "spin": "",
}
_OPTIONS = "(memory $memory) (realloc $realloc)"


@cache
def component(*functions: str, docs: str | None = None, resource: bool = False) -> bytes:
    """A component with these functions (all of `_FUNCTIONS` if none are named).

    `docs` is the `package-docs` section, as JSON text; `resource` adds a function that cannot be
    called from outside.
    """
    parts = [_CORE]
    for name in functions or _FUNCTIONS:
        ty = _FUNCTIONS[name]
        options = _OPTIONS if "string" in ty else ""
        parts.append(
            f'  (alias core export $i "{name}" (core func ${name}))\n'
            f'  (func (export "{name}") {ty} (canon lift (core func ${name}) {options}))'
        )
    if resource:
        parts.append(
            '  (type $r (resource (rep i32)))\n  (export $exported "thing" (type $r))\n'
            '  (alias core export $i "add" (core func $take))\n'
            '  (func (export "take") (param "a" (own $exported)) (param "b" u32) (result u32)'
            " (canon lift (core func $take)))"
        )
    if docs is not None:
        escaped = "".join(f"\\{byte:02x}" for byte in b"\x00" + docs.encode())
        parts.append(f'  (@custom "package-docs" "{escaped}")')
    return bytes(wat2wasm("(component\n" + "\n".join(parts) + ")"))


def described(text: str, **functions: str) -> str:
    """`docs` for a component: what it is for, and what its functions do."""
    world: dict[str, Any] = {"docs": text}
    if functions:
        world["func_exports"] = {name: {"docs": words} for name, words in functions.items()}
    return json.dumps({"worlds": {"w": world}})


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Cli:
    """`wassette` with `home` for everything that it keeps."""

    home: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def components(self) -> Path:
        return self.home / "data" / "wassette" / "components"

    @property
    def config(self) -> Path:
        return self.home / "config" / "wassette" / "config.toml"

    def environment(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "LD_LIBRARY_PATH")
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "HOME": str(self.home),
            "USERPROFILE": str(self.home),
            "APPDATA": str(self.home / "config"),
            "LOCALAPPDATA": str(self.home / "data"),
            **{
                f"XDG_{name.upper()}_HOME": str(self.home / name)
                for name in ("data", "config", "cache", "state")
            },
            "XDG_RUNTIME_DIR": str(self.home / "runtime"),
            "WASSETTE_IDLE_TIMEOUT": "5",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            **self.env,
            **(env or {}),
        }

    def command(self, *arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "wassette", *map(str, arguments)]

    def __call__(
        self,
        *arguments: str | Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: bytes = b"",
        timeout: float = 60,
    ) -> Done:
        """Run a command to its end."""
        done = subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            env=self.environment(env),
            cwd=cwd or self.home,
            timeout=timeout,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def ok(self, *arguments: str | Path, **options: Any) -> Any:
        """Run a command that has to succeed with JSON on stdout, and nothing on stderr but that
        nobody signed what comes from a registry."""
        done = self(*arguments, **options)
        assert (done.code, done.err.removeprefix("Note: it is not signed.\n")) == (0, ""), done
        return done.json


def copy_of(template: Cli, home: Path) -> Cli:
    """The same home at another place, components and compiled code included."""
    shutil.copytree(template.home, home, dirs_exist_ok=True)
    return Cli(home)


def multiply(cli: Cli, component_id: str, count: int) -> None:
    """Make `count` components of one, without compiling anything."""
    store = ComponentStore(cli.components)
    record = store.get(component_id)
    assert isinstance(record, ComponentRecord)
    for number in range(count - 1):
        incoming = store.incoming()
        shutil.copyfile(store.path(component_id), incoming)
        store.commit(incoming, replace(record, id=f"{component_id}-{number}"))
