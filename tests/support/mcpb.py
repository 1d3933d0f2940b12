"""The check of `.mcpb` bundles by those who made the format, from npm."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from typing import TYPE_CHECKING

from build import cache_folder
from filelock import FileLock

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = "@anthropic-ai/mcpb@2.1.2"


def validate(bundle: Path, unpacked: Path) -> None:
    """That the manifest is valid, and that its tool can unpack the bundle."""
    command = _installed() / "mcpb"
    _run(str(command), "unpack", str(bundle), str(unpacked))
    _run(str(command), "validate", str(unpacked / "manifest.json"))
    with zipfile.ZipFile(bundle) as archive:
        for name in archive.namelist():
            assert (unpacked / name).read_bytes() == archive.read(name)


def _installed() -> Path:
    folder = cache_folder() / "npm-mcpb-2.1.2"
    commands = folder / "node_modules" / ".bin"
    with FileLock(cache_folder() / "npm-mcpb.lock"):
        if not commands.exists():
            npm = shutil.which("npm")
            assert npm is not None, "npm is not installed"
            options = ["--no-audit", "--no-fund", "--loglevel=error"]
            _run(npm, "install", *options, "--prefix", str(folder), PACKAGE)
    return commands


def _run(*command: str) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
