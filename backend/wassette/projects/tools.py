"""Tool chains: what a language is built with, installed once, in the cache of Wassette.

Each is named in a directory of `tools/` here: a `package.json` with its lock file for npm, or a
`requirements.txt` with digests for pip. So the same bytes are installed everywhere, whatever the
registries have later; and nothing of a package is run while it is installed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from wassette.errors import ProjectError, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MAX_OUTPUT = 8000
"""Characters that are kept of what a tool chain says."""


@dataclass(frozen=True)
class Tools:
    """Where tool chains are installed, and whom to tell."""

    folder: Path
    say: Callable[[str], None]

    def node(self, name: str) -> tuple[str, Path]:
        """The command of Node.js, and the directory that the npm tool chain `name` is in, with our
        own scripts beside its packages."""
        node = _command("node", "Node.js 20 or newer is needed: https://nodejs.org")
        scripts = [_ours(file) for file in ("build.mjs", "componentize.mjs", "wit-docs.mjs")]
        lock = _ours(f"{name}/package-lock.json")
        made_of = [lock.read_bytes(), *(script.read_bytes() for script in scripts)]

        def install(folder: Path) -> None:
            npm = _command("npm", "npm is needed, which comes with Node.js: https://nodejs.org")
            for file in (_ours(f"{name}/package.json"), lock, *scripts):
                shutil.copyfile(file, folder / file.name)
            # Not `npm ci`: it refuses a lock file that lacks optional packages of other platforms.
            # This installs what the lock file says, checks its digests, and leaves it alone.
            options = (
                "--no-save",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--loglevel=error",
            )
            run((npm, "install", *options), folder)

        return node, self._once(f"npm-{name}", made_of, install)

    def python(self, name: str) -> Path:
        """The Python that has the packages of `name`."""
        requirements = _ours(f"{name}/requirements.txt")
        made_of = [requirements.read_bytes(), sys.version.encode()]

        def install(folder: Path) -> None:
            _make_environment(folder / "env")
            # Only wheels: to build a package from its source is to run it.
            pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
            checked = ("--require-hashes", "--only-binary", ":all:", "-r", str(requirements))
            run((str(_python_of(folder / "env")), *pip, *checked), folder)

        return _python_of(self._once(f"pip-{name}", made_of, install) / "env")

    def _once(self, name: str, made_of: Sequence[bytes], install: Callable[[Path], None]) -> Path:
        from filelock import FileLock

        digest = hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in made_of))
        # Resolved: Node.js compares where a script is with how it was called.
        folder = self.folder.resolve() / f"{name}-{digest.hexdigest()[:16]}"
        done = folder / ".installed"
        if done.exists():
            return folder
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / f"{name}.lock"):
                if done.exists():
                    return folder
                self.say(f"Installing the tool chain {name} into {visible(str(self.folder))}, once")
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                install(folder)
                done.touch()
        except OSError as error:
            raise ProjectError(
                f"the tool chain {name} cannot be installed into {visible(str(folder))}: {error}"
            ) from None
        return folder


def run(command: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None) -> None:
    """Run a tool. Raises `ProjectError` with what it says, if it fails."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(variables or {})},
            check=False,
        )
    except OSError as error:
        raise ProjectError(f"{visible(command[0])} cannot be run: {error.strerror}") from None
    if done.returncode:
        said = done.stdout.decode("utf-8", "replace").strip()
        if len(said) > MAX_OUTPUT:
            said = "…" + said[-MAX_OUTPUT:]
        raise ProjectError(f"{Path(command[0]).name} failed:\n{said or f'code {done.returncode}'}")


def _ours(file: str) -> Path:
    return Path(str(resources.files(__package__) / "tools")) / file


def _command(name: str, missing: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ProjectError(f"there is no {name} on this machine. {missing}")
    return found


def require(name: str, missing: str) -> str:
    """The path of a command that we do not install. Raises `ProjectError`."""
    return _command(name, missing)


def _make_environment(folder: Path) -> None:
    # As a packaged program we are no Python that could make one.
    frozen = bool(getattr(sys, "frozen", False))
    python = _command("python3", "Python 3.11 or newer is needed") if frozen else sys.executable
    try:
        run((python, "-m", "venv", str(folder)), folder.parent)
    except ProjectError as error:
        uv = shutil.which("uv")
        if uv is None:
            raise ProjectError(
                "a virtual environment cannot be made; on Debian, `apt install python3-venv` "
                f"helps:\n{error}"
            ) from None
        shutil.rmtree(folder, ignore_errors=True)
        run((uv, "venv", "--quiet", "--seed", "--python", python, str(folder)), folder.parent)


def _python_of(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def wasi() -> str:
    """The WIT of WASI, to be appended to that of a project."""
    return _ours("wasi.wit").read_text(encoding="utf-8")
