"""Fixtures for all tests: every test has a home of its own, and nothing is left running."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from support.hosts import end_hosts
from wassette.clients.machine import this_machine
from wassette.config import Settings
from wassette.host import Host
from wassette.paths import paths

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from wassette.hosting.rendezvous import Rendezvous

sys.path.insert(0, str(Path(__file__).parent / "components"))
# Of the real home directory, since tests have others: components are built once, not in each.
os.environ.setdefault("WASSETTE_TEST_CACHE", str(Path.home() / ".cache" / "wassette-desktop-tests"))

# How long an example takes says nothing on a machine that does other things as well.
hypothesis.settings.register_profile(
    "ours", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("ours")

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
    monkeypatch.setenv("WASSETTE_IDLE_TIMEOUT", "60")
    for cached in (paths, this_machine):
        cached.cache_clear()
    yield folder
    for cached in (paths, this_machine):
        cached.cache_clear()
    end_hosts(folder)


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


@pytest.fixture(scope="session")
def probe_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from support.hosts import probe_home

    return probe_home(tmp_path_factory.mktemp("probe"))


@pytest.fixture
def probed(settings: Settings, home: Path, probe_template: Path) -> Settings:
    """With `c-probe`."""
    from support.hosts import copy_probe

    copy_probe(probe_template, home)
    return settings


@pytest.fixture(scope="session")
def calc_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from support.cli import Cli
    from support.wat import write

    folder = tmp_path_factory.mktemp("calc")
    Cli(folder).ok("component", "load", str(write(folder, "calc")))
    return folder


@pytest.fixture
def with_calc(settings: Settings, home: Path, calc_template: Path) -> Settings:
    """With the component `calc` of `support.wat`."""
    from support.hosts import copy_probe

    copy_probe(calc_template, home)
    return settings


@pytest.fixture
def place(settings: Settings) -> Iterator[Rendezvous]:
    """The way to the warm host of `settings`."""
    from wassette.hosting.rendezvous import Rendezvous

    found = Rendezvous(str(settings.component_dir))
    yield found
    found.close()
