"""The examples, each built by its real tool chain once for each content."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from build import NODE_MODULES, ROOT, cache_folder
from filelock import FileLock

from wassette.projects.build import build
from wassette.projects.project import read
from wassette.projects.tools import Tools

if TYPE_CHECKING:
    import pytest

REAL_HOME = Path.home()  # tests have others
EXAMPLES = ROOT / "examples"
PROJECTS = ROOT / "backend" / "wassette" / "projects"
_BUILT = (".wasm", ".new", ".pyc", ".lock")


def use_tool_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found by the tests' own Node.js, and kept from one test to the next."""
    kept = cache_folder() / "tools"
    kept.mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("PATH", f"{NODE_MODULES / '.bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("GOCACHE", str(kept / "go"))
    monkeypatch.setenv("CARGO_HOME", str(kept / "cargo"))
    rustup = os.environ.get("RUSTUP_HOME", str(REAL_HOME / ".rustup"))
    monkeypatch.setenv("RUSTUP_HOME", rustup)


def built(name: str) -> Path:
    """Where the example's component is."""
    folder = EXAMPLES / name
    made_of = [*_sources(folder), *_sources(PROJECTS)]
    digest = hashlib.sha256(
        b"".join(hashlib.sha256(file.read_bytes()).digest() for file in made_of)
    )
    target = cache_folder() / f"example-{digest.hexdigest()}" / f"{name}.wasm"
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):
        if not target.exists():
            copy = target.parent / "project"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(folder, copy)
            component = build(read(copy), Tools(cache_folder() / "tools", lambda _: None))
            component.replace(target)
    return target


def _sources(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return [f for f in files if f.suffix not in _BUILT and "target" not in f.parts]
