"""Being told of changes in a directory."""

from __future__ import annotations

import asyncio
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from wassette.noticing import Noticing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE = 30.0
NEVER = 3600.0
"""Between two looks: who returns sooner was told."""
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is looked for"),
]


async def told(noticing: Noticing, change: Callable[[], object]) -> bool:
    async with asyncio.timeout(PATIENCE):
        waiting = asyncio.create_task(noticing.wait())
        await asyncio.sleep(0)
        await asyncio.to_thread(change)
        return await waiting


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "components"
    place.mkdir()
    (place / "a.policy.yaml").write_text("one")
    return place


async def test_every_kind_of_change(place: Path, tmp_path: Path) -> None:
    async with Noticing(place, NEVER, NEVER) as noticing:
        assert await told(noticing, lambda: (place / "b.wasm").write_text("x"))
        # As an editor may: the directory itself does not change by it.
        assert await told(noticing, lambda: (place / "a.policy.yaml").write_text("two"))
        assert await told(noticing, lambda: (place / "b.wasm").rename(place / "c.wasm"))
        assert await told(noticing, lambda: (place / "c.wasm").rename(tmp_path / "c.wasm"))
        assert await told(noticing, lambda: (tmp_path / "c.wasm").rename(place / "c.wasm"))
        assert await told(noticing, (place / "c.wasm").unlink)
        assert await told(noticing, lambda: (place / "a.policy.yaml").chmod(0o000))


async def test_what_passes_is_no_change(place: Path) -> None:
    async with Noticing(place, NEVER, 0.3) as noticing:
        assert not await told(noticing, lambda: (place / ".lock").write_text(""))
        assert not await told(noticing, lambda: (place / ".incoming-1.wasm").write_text(""))
        assert await told(noticing, lambda: (place / ".paused").write_text(""))


async def test_a_burst_is_one_change(place: Path) -> None:
    def burst() -> None:
        for number in range(300):
            (place / f"{number}.wasm").write_text("x")

    async with Noticing(place, NEVER, 0.3) as noticing:
        assert await told(noticing, burst)
        for _ in range(50):
            if not await noticing.wait():
                return
    pytest.fail("it never came to rest")


async def test_a_directory_that_comes_goes_and_comes_again(place: Path) -> None:
    shutil.rmtree(place)
    async with Noticing(place, 0.01, NEVER) as noticing:
        assert not await noticing.wait()
        place.mkdir()
        async with asyncio.timeout(PATIENCE):
            while not await noticing.wait():  # from here on the system tells
                pass
        assert await told(noticing, lambda: (place / "b.wasm").write_text("x"))
        assert await told(noticing, lambda: place.rename(place.with_name("gone")))
        assert not await noticing.wait()
        place.mkdir()
        async with asyncio.timeout(PATIENCE):
            while not await noticing.wait():
                pass
        assert await told(noticing, lambda: (place / "b.wasm").write_text("x"))


async def test_where_nobody_tells_it_is_looked_for(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("asyncinotify.Inotify", none_left)
    async with Noticing(place, 0.01, NEVER) as noticing:
        for _ in range(3):
            assert not await asyncio.wait_for(noticing.wait(), PATIENCE)
