"""A host whose components live in a small internet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.internet import Internet
from support.network_cases import NAMES
from wassette.host import Host

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from wassette.config import Settings


@pytest.fixture
async def internet() -> AsyncIterator[Internet]:
    async with Internet(dict(NAMES)) as running:
        yield running


@pytest.fixture
async def connected(
    internet: Internet, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Host]:
    """A host in `internet`, over an empty component directory."""
    internet.use(monkeypatch, tmp_path)
    async with Host(settings) as running:
        yield running
