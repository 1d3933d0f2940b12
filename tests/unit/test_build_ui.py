"""When the window is built anew: by what it is made from, not by times."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[2]


@pytest.fixture
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_ui", ROOT / "scripts" / "build_ui.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    sources = tmp_path / "frontend" / "src"
    sources.mkdir(parents=True)
    (tmp_path / "frontend" / "package.json").write_text("{}")
    (sources / "main.ts").write_text("1")
    return tmp_path


def built(builder: ModuleType, root: Path) -> None:
    builder.output(root).mkdir(parents=True, exist_ok=True)
    (builder.output(root) / ".stamp").write_text(builder.digest(root))


def test_it_is_built_once_for_each_state_of_its_sources(
    builder: ModuleType, checkout: Path
) -> None:
    assert not builder.current(checkout)
    built(builder, checkout)
    assert builder.current(checkout)
    (checkout / "frontend" / "src" / "main.ts").write_text("2")
    assert not builder.current(checkout)


@pytest.mark.parametrize(
    "name", ["node_modules/x/index.js", "src/lib/api/schema.d.ts", "src/main.test.ts"]
)
def test_what_makes_no_difference_builds_nothing(
    builder: ModuleType, checkout: Path, name: str
) -> None:
    built(builder, checkout)
    other = checkout / "frontend" / name
    other.parent.mkdir(parents=True, exist_ok=True)
    other.write_text("changed")
    assert builder.current(checkout)


def test_a_renamed_file_is_another_state(builder: ModuleType, checkout: Path) -> None:
    built(builder, checkout)
    (checkout / "frontend" / "src" / "main.ts").rename(checkout / "frontend" / "src" / "app.ts")
    assert not builder.current(checkout)


def test_without_sources_there_is_nothing_to_build(builder: ModuleType, tmp_path: Path) -> None:
    assert builder.current(tmp_path)


@pytest.mark.parametrize(
    ("version", "suits"),
    [
        ("v18.20.4", False),
        ("v20.18.1", False),
        ("v20.19.0", True),
        ("v21.7.0", False),
        ("v22.11.0", False),
        ("v22.12.0", True),
        ("v24.1.0", True),
        ("nonsense", False),
    ],
)
def test_which_node_suits(builder: ModuleType, tmp_path: Path, version: str, suits: bool) -> None:
    node = tmp_path / "node"
    node.write_text(f"#!/bin/sh\necho {version}\n")
    node.chmod(0o755)
    assert builder._suits(str(node)) is suits


def test_lock_files_name_no_mirror() -> None:
    for name in ("package-lock.json", "frontend/package-lock.json"):
        assert '"resolved"' not in (ROOT / name).read_text(), name
