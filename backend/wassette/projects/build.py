"""Building a project: its sources → a component beside them, with its doc comments in it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from wassette.errors import ProjectError

from . import docs
from .tools import Tools, require, run, wasi

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .project import Project


def build(project: Project, tools: Tools) -> Path:
    """Build it; where the component is. Raises `ProjectError`."""
    wit = project.wit
    section = docs.section(wit, project.name)
    with tempfile.TemporaryDirectory(prefix="wassette-") as scratch:
        work = _Work(project, tools, Path(scratch))
        work.wit.write_text(wit + "\n" + wasi(), encoding="utf-8")
        made = _BUILDERS[project.language.id](work)
        try:
            # Beside it and renamed: whoever loads it sees the old one or the new one.
            fresh = project.component.with_suffix(".wasm.new")
            fresh.write_bytes(made.read_bytes() + section)
            fresh.replace(project.component)
        except OSError as error:
            raise ProjectError(f"the component cannot be written: {error}") from None
    return project.component


class _Work:
    """One build: the project, the tool chains, and a directory that goes away."""

    def __init__(self, project: Project, tools: Tools, scratch: Path) -> None:
        self.project, self.tools, self.scratch = project, tools, scratch
        self.wit = scratch / "world.wit"
        """The WIT of the project and of WASI in one file."""
        self.core = scratch / "core.wasm"
        self.output = scratch / f"{project.name}.wasm"

    def componentized(self) -> Path:
        """A component of the core module, which uses WASI preview 1."""
        node, folder = self.tools.node("component")
        world = ("--wit", str(self.wit), "--world", self.project.name)
        made = ("--core", str(self.core), "--adapter", "reactor", "-o", str(self.output))
        run((node, str(folder / "componentize.mjs"), "--plain", *world, *made), self.scratch)
        return self.output


def _js(work: _Work) -> Path:
    node, folder = work.tools.node("js")
    project = work.project
    disabled = ("fetch-event",) if project.http else ("http", "fetch-event")
    source = (str(project.source.resolve()), str(work.wit), project.name, str(work.output))
    run((node, str(folder / "build.mjs"), *source, *disabled), work.scratch)
    return work.output


def _python(work: _Work) -> Path:
    python, project = work.tools.python("python"), work.project
    script = "import componentize_py; componentize_py.script()"
    world = ("--wit-path", str(work.wit), "--world", project.name)
    path = ("--python-path", str(project.source.parent.resolve()))
    made = ("componentize", project.source.stem, *path, "--output", str(work.output))
    run((str(python), "-c", script, *world, *made), work.scratch)
    return work.output


def _c(work: _Work) -> Path:
    python, project = work.tools.python("zig"), work.project
    target = ("-target", "wasm32-wasi", "-mexec-model=reactor", "-mcpu=generic+bulk_memory")
    flags = ("-Oz", "-Wall", "-Wextra", "-Wl,--strip-all", f"-I{project.source.parent.resolve()}")
    sources = sorted(str(file.resolve()) for file in project.source.parent.glob("*.c"))
    # What it has compiled of its own C library is of use to the next build, too.
    cache = {"ZIG_GLOBAL_CACHE_DIR": str(work.tools.folder / "zig-cache")}
    compiler = (str(python), "-m", "ziglang", "cc")
    run((*compiler, *target, *flags, *sources, "-o", str(work.core)), work.scratch, cache)
    return work.componentized()


def _rust(work: _Work) -> Path:
    cargo = require(
        "cargo", "Rust is needed, with `rustup target add wasm32-wasip2`: https://rustup.rs"
    )
    project = work.project
    target = ("--release", "--target", "wasm32-wasip2")
    output = project.folder / "target"
    run((cargo, "build", "--quiet", *target, "--target-dir", str(output.resolve())), project.folder)
    return output / "wasm32-wasip2" / "release" / f"{project.snake}.wasm"


def _go(work: _Work) -> Path:
    go = require("go", "Go 1.24 or newer is needed: https://go.dev")
    # Reactors of WASI preview 1 are all that Go itself makes; the rest is as for C.
    variables = {"GOOS": "wasip1", "GOARCH": "wasm", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    flags = ("-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", str(work.core))
    run((go, "build", *flags, "."), work.project.folder, variables)
    return work.componentized()


_BUILDERS: Mapping[str, Callable[[_Work], Path]] = {
    "js": _js,
    "py": _python,
    "c": _c,
    "rust": _rust,
    "go": _go,
}
