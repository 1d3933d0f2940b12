"""The examples, each built by its real tool chain once for each content."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

from build import ROOT, cache_folder
from filelock import FileLock

from support import toolchains
from wassette.projects.build import build
from wassette.projects.project import read
from wassette.projects.tools import Tools

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

EXAMPLES = ROOT / "examples"
PROJECTS = ROOT / "backend" / "wassette" / "projects"
_BUILT = (".wasm", ".new", ".pyc", ".lock")


def use_tool_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was installed when the tests were set up, without a network."""
    toolchains.folder().mkdir(parents=True, exist_ok=True)
    for name, value in toolchains.variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CARGO_NET_OFFLINE", "true")


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
            component = build(read(copy), Tools(toolchains.folder(), lambda _: None))
            component.replace(target)
    return target


def _sources(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return [f for f in files if f.suffix not in _BUILT and "target" not in f.parts]
