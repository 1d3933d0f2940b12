"""Where things are on this machine: the directories and programs of others."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

System = Literal["linux", "macos", "windows"]


def _this_system() -> System:
    if sys.platform == "win32":
        return "windows"
    return "macos" if sys.platform == "darwin" else "linux"


@dataclass(frozen=True)
class Machine:
    """The system, and who is asking. Tests make their own."""

    system: System = field(default_factory=_this_system)
    home: Path = field(default_factory=Path.home)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def path(self, template: str) -> Path | None:
        """What a path of the catalog stands for here; None if it is not for this system.

        - `~` is the home directory;
        - `{app}` is where desktop applications keep their settings, `{xdg}` is `~/.config` or where
          `XDG_CONFIG_HOME` says, on every system;
        - `$NAME/…` is there only if the variable is set;
        - `windows=…`, `macos=…`, `linux=…` and `unix=…` are for these systems only.
        """
        system, _, rest = template.rpartition("=")
        if system not in ("", self.system) and not (system == "unix" and self.system != "windows"):
            return None
        if rest.startswith("$"):
            name, _, below = rest[1:].partition("/")
            value = self.environment.get(name)
            return Path(value) / below if value else None
        if rest.startswith("~/"):
            return self.home / rest[2:]
        if rest.startswith("{app}/"):
            return self._app() / rest[6:]
        if rest.startswith("{xdg}/"):
            return self._xdg() / rest[6:]
        return Path(rest)

    def paths(self, templates: Iterable[str]) -> list[Path]:
        return [path for one in templates if (path := self.path(one)) is not None]

    def _xdg(self) -> Path:
        value = self.environment.get("XDG_CONFIG_HOME")
        return Path(value) if value and Path(value).is_absolute() else self.home / ".config"

    def _app(self) -> Path:
        if self.system == "windows":
            value = self.environment.get("APPDATA")
            return Path(value) if value else self.home / "AppData" / "Roaming"
        if self.system == "macos":
            return self.home / "Library" / "Application Support"
        return self._xdg()

    def program(self, name: str) -> str | None:
        """Where a command is, by this machine's PATH."""
        return shutil.which(name, path=self.environment.get("PATH", ""))

    def running(self, names: Iterable[str]) -> bool:
        """Whether a program of one of these names (`system=name`) runs; False where that cannot be
        found out."""
        pairs = (name.split("=") for name in names)
        wanted = {name for system, name in pairs if system == self.system}
        return bool(wanted) and not wanted.isdisjoint(_processes(self.system))


def _processes(system: System) -> set[str]:
    if system == "linux":
        names = set()
        for comm in Path("/proc").glob("[0-9]*/comm"):
            try:
                names.add(comm.read_text(errors="replace").strip())
            except OSError:
                continue
        return names
    if system == "windows":
        out = _output("tasklist", "/fo", "csv", "/nh")
        found = re.findall(r'^"([^"]+)"', out, re.MULTILINE)
        return {name.lower().removesuffix(".exe") for name in found}
    return {Path(line.strip()).name for line in _output("ps", "-axo", "comm=").splitlines()}


def _output(*command: str) -> str:
    program = shutil.which(command[0])
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, *command[1:]],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")


@cache
def this_machine() -> Machine:
    return Machine()
