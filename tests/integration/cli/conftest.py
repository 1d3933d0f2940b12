"""Homes for the command line, empty or with a component; and running it in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from support.cli import Cli, Done, component, copy_of, described
from wassette import cli as commands
from wassette.paths import paths

if TYPE_CHECKING:
    from pathlib import Path

Inside = Callable[..., Done]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Nothing loaded yet."""
    return Cli(tmp_path)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    cli = Cli(tmp_path_factory.mktemp("template"))
    docs = described("Says things.\nAnd more.", echo="Says it again", add="Adds two numbers")
    source = cli.home / "tools.wasm"
    source.write_bytes(component(docs=docs, resource=True))
    cli.ok("component", "load", source)
    return cli


@pytest.fixture
def loaded(template: Cli, tmp_path: Path) -> Cli:
    """With the component `tools` (all functions, and one that cannot be called)."""
    return copy_of(template, tmp_path)


@pytest.fixture
def inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Inside]:
    """Runs a command in this process, which is quicker: the same home as `cli` and `loaded`."""
    for name, value in Cli(tmp_path).environment().items():
        monkeypatch.setenv(name, value)
    for name in ("COMPONENT_DIR", "PLUGIN_DIR", "CONFIG_FILE", "SECRETS", "SECRETS_DIR", "LOG"):
        monkeypatch.delenv(f"WASSETTE_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    paths.cache_clear()

    def run(*arguments: str | Path) -> Done:
        capfd.readouterr()
        try:
            code = commands.main([str(one) for one in arguments])
        except SystemExit as error:
            code = int(error.code or 0)
        captured = capfd.readouterr()
        return Done(code, captured.out, captured.err)

    yield run
    paths.cache_clear()
