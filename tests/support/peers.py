"""MCP servers that people use for what the starters do, as their makers publish them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from build import NODE_MODULES, cache_folder
from filelock import FileLock
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

if TYPE_CHECKING:
    from collections.abc import Callable

FILESYSTEM = "@modelcontextprotocol/server-filesystem@2026.8.31"
FETCH = "mcp-server-fetch==2026.10.24"


def _once(name: str, install: Callable[[Path], None]) -> Path:
    """A folder that `install` has filled; in the cache of the tests."""
    folder = cache_folder() / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{name}.lock")):
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent) as fresh:
                install(Path(fresh) / name)
                (Path(fresh) / name).rename(folder)
    return folder


def _run(*command: str | Path) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _npm(package: str) -> Callable[[Path], None]:
    def install(folder: Path) -> None:
        npm = shutil.which("npm")
        assert npm is not None, "npm is not installed"
        options = ("--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts")
        _run(npm, "install", *options, "--prefix", folder, package)

    return install


def _pip(package: str) -> Callable[[Path], None]:
    def install(folder: Path) -> None:
        # A virtual environment cannot be moved; a directory of packages can.
        with tempfile.TemporaryDirectory() as scratch:
            _run(sys.executable, "-m", "venv", scratch)
            python = Path(scratch) / ("Scripts" if os.name == "nt" else "bin") / "python"
            _run(python, "-m", "pip", "install", "--quiet", "--target", folder, package)

    return install


def _filesystem() -> Path:
    return _once("npm-server-filesystem-2026.8.31", _npm(FILESYSTEM))


def _fetch() -> Path:
    return _once("pypi-mcp-server-fetch-2026.10.24", _pip(FETCH))


def install() -> None:
    """Have them here before the tests run, which need no network then."""
    _filesystem()
    _fetch()


def filesystem(*directories: Path) -> Any:
    """A client of the file system server of the protocol's authors."""
    folder = _filesystem()
    script = folder / "node_modules/@modelcontextprotocol/server-filesystem/dist/index.js"
    node = NODE_MODULES / ".bin" / "node"
    return _client(str(node), str(script), *map(str, directories))


def fetch() -> Any:
    """A client of their fetch server."""
    folder = _fetch()
    options = ("--ignore-robots-txt", "--allow-private-ips")
    return _client(sys.executable, "-m", "mcp_server_fetch", *options, PYTHONPATH=str(folder))


def _client(command: str, *arguments: str, **variables: str) -> Any:
    environment = {**os.environ, **variables}
    return Client(
        stdio_client(StdioServerParameters(command=command, args=[*arguments], env=environment))
    )
