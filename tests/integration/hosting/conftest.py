"""Component directories to be served by a warm host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.hosts import copy_probe, probe_home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wassette.config import Settings
    from wassette.hosting.rendezvous import Rendezvous


@pytest.fixture(scope="session")
def probe_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return probe_home(tmp_path_factory.mktemp("probe"))


@pytest.fixture
def probed(settings: Settings, home: Path, probe_template: Path) -> Settings:
    """With `c-probe`."""
    copy_probe(probe_template, home)
    return settings


@pytest.fixture
def place(settings: Settings) -> Iterator[Rendezvous]:
    """The way to the host of `settings`."""
    from wassette.hosting.rendezvous import Rendezvous

    found = Rendezvous(str(settings.component_dir))
    yield found
    found.close()
