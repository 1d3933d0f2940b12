"""MCP clients as their makers publish them, from npm, each in a home of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from build import cache_folder
from filelock import FileLock

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGES = {
    "node": "node@24.21.0",  # some need Node 22 or newer
    "claude": "@anthropic-ai/claude-code@2.1.330",
    "codex": "@openai/codex@0.169.0",
    "gemini": "@google/gemini-cli@0.61.0",
    "opencode": "opencode-ai@1.18.33",
    "copilot": "@github/copilot@1.0.102",
}

# No client may call home, or update itself, in a test.
_QUIET = {
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "GEMINI_TELEMETRY_ENABLED": "false",
    "GEMINI_CLI_TRUST_WORKSPACE": "true",
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "COPILOT_AUTO_UPDATE": "false",
    "DO_NOT_TRACK": "1",
    "NO_COLOR": "1",
    "CI": "1",
}


@cache
def bin_folder(name: str) -> Path:
    """Where the commands of a package are; it is installed once."""
    package = PACKAGES[name]
    folder = cache_folder() / f"npm-{package.replace('/', '-').replace('@', '_')}"
    installed = folder / "node_modules"
    if not installed.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            if not installed.exists():
                _install(package, folder, () if name == "node" else (bin_folder("node"),))
    return installed / ".bin"


def _install(package: str, folder: Path, path: tuple[Path, ...]) -> None:
    npm = shutil.which("npm")
    assert npm is not None, "npm is not installed"
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        environment = {**os.environ, "PATH": _path(*path)}
        command = [npm, "install", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(
            [*command, "--prefix", fresh, package],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        (Path(fresh) / "node_modules").rename(folder / "node_modules")


def _path(*first: Path) -> str:
    return os.pathsep.join([*map(str, first), os.environ["PATH"]])


@dataclass(frozen=True)
class NpmClient:
    """A client, run with `home` for everything that it keeps."""

    name: str
    home: Path

    def environment(self, **more: str) -> Mapping[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": _path(bin_folder(self.name), bin_folder("node")),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            **_QUIET,
            **more,
        }

    def command(self, *arguments: str) -> list[str]:
        return [str(bin_folder(self.name) / self.name), *arguments]

    def run(self, *arguments: str) -> str:
        """A command's output, of both streams."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.home,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout
