"""A registry for the tests of a module, and ways to it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from support import registries
from wassette.egress_options import EgressOptions
from wassette.registry.registries import Registries
from wassette.registry_options import RegistryOptions
from wassette.secrets import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.registries import Front, Registry


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that asks nobody who they are."""
    with registries.registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def front(plain: Registry) -> Iterator[Front]:
    """What stands before it, and can be told to misbehave."""
    with registries.front(plain.port) as running:
        yield running


@pytest.fixture
def ways(tmp_path: Path) -> Callable[..., Registries]:
    """`Registries` with these options."""

    def make(
        egress: EgressOptions | None = None, options: RegistryOptions | None = None, **more: object
    ) -> Registries:
        return Registries(
            egress or EgressOptions(),
            options or RegistryOptions(),
            tmp_path / "secrets",
            Place.FILE,
            **more,  # type: ignore[arg-type]
        )

    return make


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("needs to be allowed to mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again at once."""
    monkeypatch.setattr("wassette.registry.download.DELAYS", (0.01, 0.02, 0.03))
    monkeypatch.setattr("wassette.registry.oci.DELAYS", (0.01, 0.02))
