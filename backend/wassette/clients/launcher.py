"""The command that a client shall run, right for how Wassette was installed.

It has to be absolute, since editors started from a desktop have another PATH than a shell, and it
has to be right after an upgrade too: never a path with a version or a hash in it.

| installed by | command |
|---|---|
| pip, uv, in a virtual environment or for the user | the `wassette` script beside its Python |
| pipx, uv tool | the `wassette` that they put among the user's commands |
| Nix | the profile's `wassette`, not the one in the store |
| Homebrew | the link in its `bin`, not the one in the Cellar |
| a packaged app | the app itself; for an AppImage the image |
| anything else | `python -P -m wassette` |
"""

from __future__ import annotations

import json
import os
import re
import site
import sys
import sysconfig
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wassette.errors import ClientError, visible

from .machine import this_machine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .machine import Machine

SERVE = ("serve", "--stdio")
_STORE = Path("/nix/store")
NAME = "wassette"


@dataclass(frozen=True)
class Launcher:
    """A program and its arguments, up to `serve`."""

    command: str
    arguments: tuple[str, ...] = ()
    note: str | None = None
    """What a person should know: that it will not last."""

    def serve(self, component_dir: str | None = None) -> tuple[str, ...]:
        """The arguments for a client."""
        more = () if component_dir is None else ("--component-dir", component_dir)
        return (*self.arguments, *SERVE, *more)


SHARED = Launcher(NAME)
"""For files that several people share: each has their own path."""


@dataclass(frozen=True)
class Python:
    """The interpreter that runs this, which tells how we were installed. Tests make theirs."""

    executable: str = field(default_factory=lambda: sys.executable)
    prefix: Path = field(default_factory=lambda: Path(sys.prefix))
    frozen: bool = field(default_factory=lambda: bool(getattr(sys, "frozen", False)))
    package: Path = field(default_factory=lambda: Path(__file__).parents[1])
    scripts: Path = field(default_factory=lambda: Path(sysconfig.get_path("scripts")))


def find_launcher(machine: Machine | None = None, python: Python | None = None) -> Launcher:
    """How a client starts this Wassette. Raises `ClientError` if it will soon be gone."""
    machine = machine or this_machine()
    python = python or Python()
    if python.frozen:
        return _frozen(machine, python)
    where = str(python.prefix).replace("\\", "/")
    if re.search(r"/uv/(archive-v\d+|builds-v\d+|environments-v\d+)/", where) or re.search(
        r"/pipx/(\.cache|cache)/|/\.local/pipx/\.cache/", where
    ):
        raise ClientError(
            "This Wassette runs from a temporary environment that will be deleted. Install it "
            "first: uv tool install wassette-desktop (or pipx install wassette-desktop)"
        )
    for found in (_of_uv(python), _of_pipx(machine, python), _of_store(machine, python)):
        if found is not None:
            return found
    script = _script(machine, python)
    if script is not None:
        return Launcher(_text(script))
    # -P: a project directory with a `wassette` folder in it must not be what is imported.
    return Launcher(_text(Path(python.executable)), ("-P", "-m", NAME))


def _frozen(machine: Machine, python: Python) -> Launcher:
    image = machine.environment.get("APPIMAGE")
    if machine.system == "linux" and image and Path(image).is_file():
        return Launcher(_text(Path(image)))
    if "/AppTranslocation/" in python.executable:
        raise ClientError(
            "macOS runs this app from a temporary place, since it was not moved after the "
            "download. Move it to the Applications folder, open it from there, and try again"
        )
    if python.executable.startswith("/Volumes/"):
        raise ClientError(
            f"This app runs from the disk image {visible(python.executable, 500)}. Move it to the "
            "Applications folder, open it from there, and try again"
        )
    stable = _outside_store(machine, Path(python.executable))
    return stable or Launcher(_text(Path(python.executable)))


def _of_uv(python: Python) -> Launcher | None:
    try:
        receipt = tomllib.loads((python.prefix / "uv-receipt.toml").read_text("utf-8"))
        entries = receipt["tool"]["entrypoints"]
        places = [Path(one["install-path"]) for one in entries if one["name"] == NAME]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return _first(places)


def _of_pipx(machine: Machine, python: Python) -> Launcher | None:
    try:
        data = json.loads((python.prefix / "pipx_metadata.json").read_text("utf-8"))
        apps = data["main_package"]["apps"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    file = NAME + _suffix(machine)
    if file not in apps and NAME not in apps:
        return None
    return _first(
        one / file for one in (*machine.paths(["$PIPX_BIN_DIR/"]), machine.home / ".local" / "bin")
    )


def _first(places: Iterable[Path]) -> Launcher | None:
    return next((Launcher(_text(one)) for one in places if one.is_file()), None)


def _of_store(machine: Machine, python: Python) -> Launcher | None:
    script = python.package
    if not (_in_nix(script) or _keg(script)):
        return None
    return _outside_store(machine, _script(machine, python) or Path(python.executable), script)


def _in_nix(path: Path) -> bool:
    return path.is_relative_to(_STORE)


def _keg(path: Path) -> Path | None:
    """Homebrew's own directory, for a path like /opt/homebrew/Cellar/wassette/1.0/…."""
    parts = path.parts
    return Path(*parts[: parts.index("Cellar")]) if "Cellar" in parts else None


def _outside_store(machine: Machine, path: Path, package: Path | None = None) -> Launcher | None:
    keg = _keg(path) or (_keg(package) if package else None)
    if keg is not None:
        return _first([keg / "bin" / NAME])
    if not _in_nix(path) and not (package and _in_nix(package)):
        return None
    user = machine.environment.get("USER", "")
    profiles = (
        machine.home / ".nix-profile",
        machine.home / ".local" / "state" / "nix" / "profile",
        Path("/etc/profiles/per-user") / user,
        Path("/run/current-system/sw"),
        Path("/nix/var/nix/profiles/default"),
    )
    for profile in profiles:
        command = profile / "bin" / NAME
        if command.is_file() and _in_nix(command.resolve()):
            return Launcher(_text(command))
    return Launcher(
        _text(path),
        () if path.name == NAME else ("-P", "-m", NAME),
        note="This is in the Nix store but in no profile, so it goes away with the next garbage "
        "collection. Install it into a profile, and add it again",
    )


def _script(machine: Machine, python: Python) -> Path | None:
    """The `wassette` script of this interpreter."""
    file = NAME + _suffix(machine)
    places = [python.scripts]
    if site.ENABLE_USER_SITE and site.getuserbase():
        places.append(Path(sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user"))))
    return next((one / file for one in places if _starts(one / file, python)), None)


def _starts(script: Path, python: Python) -> bool:
    """Whether a script is there, and is run by this interpreter."""
    try:
        with open(script, "rb") as opened:
            head = opened.read(4096)
    except OSError:
        return False
    if not head.startswith(b"#!"):
        return True  # an executable on Windows, or a wrapper
    names = {python.executable, os.path.realpath(python.executable), str(python.prefix)}
    return any(os.fsencode(name) in head for name in names) or b"/bin/sh" in head


def _suffix(machine: Machine) -> str:
    return ".exe" if machine.system == "windows" else ""


def _text(path: Path) -> str:
    text = str(path if path.is_absolute() else Path.cwd() / path)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ClientError(
            f"Wassette is installed at {visible(text, 500)}, which is not valid UTF-8, so it "
            "cannot be written into a client's settings. Install it elsewhere"
        ) from None
    return text


def same_program(command: str, arguments: tuple[str, ...], own: Launcher, machine: Machine) -> bool:
    """Whether a command is this Wassette, written in whatever way."""
    path = resolved(command, machine)
    mine = Path(own.command)
    if path is None or not mine.is_absolute():
        return (command, arguments[: len(own.arguments)]) == (own.command, own.arguments)
    if path.absolute() == mine:
        return arguments[: len(own.arguments)] == own.arguments
    # Links to an interpreter are not links to us.
    return not own.arguments and os.path.realpath(path) == os.path.realpath(mine)


def resolved(command: str, machine: Machine) -> Path | None:
    """The program that a client would start; None if there is none."""
    if "/" not in command and "\\" not in command:
        found = machine.program(command)
        return Path(found) if found else None
    path = Path(_expanded(command, machine.environment, machine.home))
    return path if path.is_file() else None


def _expanded(command: str, environment: Mapping[str, str], home: Path) -> str:
    """With the variables that clients put in themselves: `${HOME}`, `${env:HOME}`, `~/`."""
    if command.startswith("~/"):
        return str(home / command[2:])
    return re.sub(
        r"\$\{(?:env:)?(\w+)\}", lambda match: environment.get(match[1], match[0]), command
    )


def looks_like_wassette(command: str, arguments: tuple[str, ...]) -> bool:
    name = re.split(r"[/\\]", command)[-1].lower().removesuffix(".exe")
    return name == NAME or ("-m" in arguments and NAME in arguments)
