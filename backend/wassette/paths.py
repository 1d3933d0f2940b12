"""Where Wassette keeps its files on this system.

The XDG directories on Linux and macOS (as Wassette documents for both), the known folders on
Windows. See docs/files.md for what is in each.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .runtime import runtime_directory

if sys.platform == "win32":
    from platformdirs.windows import Windows as _PlatformDirs
else:
    from platformdirs.unix import Unix as _PlatformDirs


@dataclass(frozen=True)
class Paths:
    """Directories. None of them need exist."""

    data: Path
    """Components and the private directories that named roots stand for."""
    config: Path
    """config.toml, and secrets that are kept in files."""
    cache: Path
    """Compiled code; safe to delete."""
    state: Path
    """Logs."""
    runtime: Path
    """Sockets, for as long as a host runs. Whoever could write here could pretend to be it."""

    @property
    def components(self) -> Path:
        """The component directory when none is configured."""
        return self.data / "components"

    @property
    def code(self) -> Path:
        return self.cache / "code"

    @property
    def tools(self) -> Path:
        """Tool chains that components are built with."""
        return self.cache / "tools"

    @property
    def secrets(self) -> Path:
        """The directory of secrets when none is configured."""
        return self.config / "secrets"

    @property
    def roots(self) -> Path:
        return self.data / "roots"

    @property
    def activity(self) -> Path:
        """The record of what was asked, decided and done."""
        return self.state / "activity.db"

    @property
    def usage(self) -> Path:
        """When grants were used last, and what components that are watched used."""
        return self.state / "usage.db"

    @property
    def all(self) -> tuple[Path, ...]:
        """Everything of ours. A component that could write here could widen its permissions."""
        return self.data, self.config, self.cache, self.state, self.runtime


@cache
def paths() -> Paths:
    """This user's directories, from the environment at first use."""
    dirs = _PlatformDirs("wassette", appauthor=False, roaming=True)
    return Paths(
        data=dirs.user_data_path,
        config=dirs.user_config_path,
        cache=dirs.user_cache_path,
        state=dirs.user_state_path,
        runtime=_runtime(dirs),
    )


def _runtime(dirs: _PlatformDirs) -> Path:
    if sys.platform == "win32":
        return dirs.user_state_path / "run"  # named pipes are in no directory
    return Path(runtime_directory(os.environ, os.getuid()))
