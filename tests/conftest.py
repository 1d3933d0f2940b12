"""Fixtures for all tests: every test has a home of its own, and nothing is left running."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wassette.config import Settings
from wassette.host import Host
from wassette.paths import paths

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

sys.path.insert(0, str(Path(__file__).parent / "components"))
# Of the real home directory, since tests have others: components are built once, not in each.
os.environ.setdefault("WASSETTE_TEST_CACHE", str(Path.home() / ".cache" / "wassette-desktop-tests"))

XDG = {
    "XDG_DATA_HOME": "data",
    "XDG_CONFIG_HOME": "config",
    "XDG_CACHE_HOME": "cache",
    "XDG_STATE_HOME": "state",
    "XDG_RUNTIME_DIR": "runtime",
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh home directory; everything that Wassette keeps goes below it."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for variable, name in XDG.items():
        monkeypatch.setenv(variable, str(folder / name))
    for name in ("COMPONENT_DIR", "PLUGIN_DIR", "CONFIG_FILE", "SECRETS", "SECRETS_DIR"):
        monkeypatch.delenv(f"WASSETTE_{name}", raising=False)
    # Never the real keyring of whoever runs the tests.
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    paths.cache_clear()
    yield folder
    paths.cache_clear()


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings(home / "data" / "wassette" / "components")


@pytest.fixture
async def host(settings: Settings) -> AsyncIterator[Host]:
    """A host over an empty component directory."""
    async with Host(settings) as running:
        yield running


@pytest.fixture
def fixture_component() -> Callable[[str], Path]:
    """The path of a component built from tests/components by its real tool chain."""
    from build import build

    return build
