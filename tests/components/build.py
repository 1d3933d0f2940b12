"""Components for the tests, each built with a real tool chain, once per content.

    python tests/components/build.py [NAME...]

builds the named ones, or all, and prints what they cost. In a test:

    path = build("c-probe")

A built component is kept in `$WASSETTE_TEST_CACHE`, or in `~/.cache/wassette-desktop-tests`,
under a hash of all that it was made of: its sources, the recipe and the versions of the tools.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NODE_MODULES = ROOT / "node_modules"
BUILD_JS = HERE / "build-js.mjs"
COMPONENTIZE = ROOT / "backend" / "wassette" / "projects" / "tools" / "componentize.mjs"


class BuildError(Exception):
    """A tool chain is missing, or refused a fixture."""


@dataclass(frozen=True)
class Recipe:
    """How one fixture is made; `options` are what distinguishes it from others of its kind."""

    kind: str
    options: tuple[str, ...] = ()


_C = Recipe("c")
_JS_OFFLINE = ("--disable", "http", "--disable", "fetch-event")

FIXTURES: Mapping[str, Recipe] = {
    "c-config-rc": _C,
    "c-files": Recipe("c-with-libc"),
    "c-http": _C,
    "c-probe": Recipe("c-with-libc"),
    "c-sockets": _C,
    "js-config": Recipe("js", _JS_OFFLINE),
    "js-fetch": Recipe("js", ("--disable", "fetch-event")),
    "js-files": Recipe("js", _JS_OFFLINE),
    "js-inventory": Recipe("js", (*_JS_OFFLINE, "--docs")),
    "py-fetch": Recipe("python", ("--wasi",)),
    "py-files": Recipe("python"),
    "py-notes": Recipe("python"),
    "resources": _C,
    "types-only": _C,
}


def build(name: str) -> Path:
    """The component of the fixture `name`, built now if it is not in the cache.

    The world of a fixture has its name. Raises `BuildError`.
    """
    recipe = FIXTURES[name]
    target = cache_folder() / _digest(name, recipe) / f"{name}.wasm"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=target.parent) as folder:
                fresh = Path(folder) / target.name
                _KINDS[recipe.kind].make(name, recipe.options, fresh)
                fresh.replace(target)
    return target


def cache_folder() -> Path:
    chosen = os.environ.get("WASSETTE_TEST_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "wassette-desktop-tests"


@dataclass(frozen=True)
class _Kind:
    """A tool chain: what it runs, what it reads beside the fixture, the packages that it is of."""

    make: Callable[[str, tuple[str, ...], Path], None]
    shared: tuple[Path, ...]
    packages: tuple[str, ...]


def _make_c(name: str, _options: tuple[str, ...], output: Path) -> None:
    target = ("-target", "wasm32-freestanding", "-nostdlib", "-fno-builtin", "-Wl,--no-entry")
    _make_with_zig(name, target, (), output)


def _make_c_with_libc(name: str, _options: tuple[str, ...], output: Path) -> None:
    target = ("-target", "wasm32-wasi", "-mexec-model=reactor")
    _make_with_zig(name, target, ("--adapter", "reactor"), output)


def _make_with_zig(
    name: str, target: tuple[str, ...], adapter: tuple[str, ...], output: Path
) -> None:
    core = output.with_suffix(".core.wasm")
    source = HERE / name / "component.c"
    flags = ("-mcpu=generic+bulk_memory", "-Oz", "-Wall", "-Wextra", "-Werror", "-Wl,--strip-all")
    _run(sys.executable, "-m", "ziglang", "cc", *target, *flags, source, "-o", core)
    wit = HERE / name / "component.wit"
    component: tuple[str | Path, ...] = ("--core", core, *adapter, "-o", output)
    _run(_node(), COMPONENTIZE, "--wit", wit, "--world", name, *component)


def _make_js(name: str, options: tuple[str, ...], output: Path) -> None:
    _run(_node(), BUILD_JS, *options, HERE / name, name, output)


def _make_python(name: str, options: tuple[str, ...], output: Path) -> None:
    """`--wasi`: the WIT may import any interface of WASI."""
    folder = HERE / name
    script = "import componentize_py; componentize_py.script()"
    wit = folder / "component.wit"
    if "--wasi" in options:
        imported = json.dumps(COMPONENTIZE.as_uri())
        printing = f"process.stdout.write(await (await import({imported})).wasiPackages())"
        packages = _run(_node(), "--input-type=module", "--eval", printing)
        wit = output.with_suffix(".wit")
        wit.write_text((folder / "component.wit").read_text() + packages)
    world = ("--wit-path", wit, "--world", name)
    component = ("componentize", "component", "--python-path", folder, "--output", output)
    _run(sys.executable, "-c", script, *world, *component)


_WIT_SCRIPTS = (COMPONENTIZE, COMPONENTIZE.with_name("wit-docs.mjs"))
_C_FILES = (HERE / "abi.h", *_WIT_SCRIPTS)
_C_TOOLS = ("ziglang", "@bytecodealliance/jco", "@bytecodealliance/jco-transpile")
_JS_TOOLS = ("@bytecodealliance/componentize-js",)

_KINDS: Mapping[str, _Kind] = {
    "c": _Kind(_make_c, _C_FILES, _C_TOOLS),
    "c-with-libc": _Kind(_make_c_with_libc, _C_FILES, _C_TOOLS),
    "js": _Kind(_make_js, (BUILD_JS, *_WIT_SCRIPTS), _JS_TOOLS),
    "python": _Kind(_make_python, _WIT_SCRIPTS, ("componentize-py", "@bytecodealliance/jco")),
}


def _digest(name: str, recipe: Recipe) -> str:
    kind = _KINDS[recipe.kind]
    # How the tools are called is in this file, the sources are in the others.
    files = (*sorted((HERE / name).glob("component.*")), *kind.shared, Path(__file__))
    made_of = {
        "name": name,
        "options": recipe.options,
        "files": [hashlib.sha256(file.read_bytes()).hexdigest() for file in files],
        "tools": {package: _version(package) for package in kind.packages},
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


@cache
def _version(package: str) -> str:
    if not package.startswith("@"):
        return metadata.version(package)
    manifest = NODE_MODULES / package / "package.json"
    if not manifest.exists():
        raise BuildError(f"{package} is not installed\nhint: run `npm ci`")
    return str(json.loads(manifest.read_text(encoding="utf-8"))["version"])


def _node() -> Path:
    node = NODE_MODULES / ".bin" / ("node.cmd" if os.name == "nt" else "node")
    if not node.exists():
        raise BuildError("node is not installed\nhint: run `npm ci`")
    return node


def _run(*command: str | Path) -> str:
    arguments = [str(argument) for argument in command]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"{' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return done.stdout


def main(names: list[str]) -> None:
    for name in names or FIXTURES:
        if name not in FIXTURES:
            raise SystemExit(f"no fixture {name}\nhint: there are {', '.join(FIXTURES)}")
        start = time.monotonic()
        path = build(name)
        seconds = time.monotonic() - start
        print(f"{name:14} {path.stat().st_size / 1024:8.0f} KiB {seconds:6.1f} s  {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
