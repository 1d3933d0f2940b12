"""What there is to know of this installation when something does not work: facts, as plain data.

Cheap and without effects: nothing is started, compiled or confined for it, and only `reach` asks
anybody outside.
"""

from __future__ import annotations

import asyncio
import os
import platform
import stat
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import clients
from ._version import __version__
from .components.record import ComponentRecord
from .components.remote import OciReference, parse_remote
from .components.store import ComponentStore
from .config import config_file
from .errors import RegistryError, WassetteError
from .fetching import make_registries
from .paths import paths
from .workers import walls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .config import Settings

REACH_TIMEOUT = 5.0
"""Seconds that a registry has to answer."""


@dataclass(frozen=True)
class Place:
    """A file or directory of ours, and who may do what there."""

    name: str
    path: Path
    mode: str | None
    """As `ls` writes it; None if nothing is there yet."""
    problem: str | None = None
    """What is wrong with it, and the way out; None if nothing is."""

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "path": str(self.path),
            "mode": self.mode,
            "problem": self.problem,
        }


@dataclass(frozen=True)
class Reached:
    """What came of knocking at a registry."""

    registry: str
    ok: bool
    says: str

    def to_json(self) -> dict[str, Any]:
        return {"registry": self.registry, "ok": self.ok, "says": self.says}


@dataclass(frozen=True)
class Report:
    """What `wassette doctor` says."""

    versions: dict[str, str]
    paths: dict[str, Path]
    walls: tuple[walls.Wall, ...]
    """What the operating system would keep a component from that got out of the sandbox."""
    walls_setting: str
    places: tuple[Place, ...] = ()
    findings: tuple[clients.Finding, ...] = ()
    """What is wrong with the entries for Wassette in MCP clients."""

    @property
    def refusal(self) -> str | None:
        """Why nothing can run here as it is set; None if it can."""
        if self.walls_setting != walls.REQUIRE:
            return None
        return walls.refusal(self.walls)

    def to_json(self) -> dict[str, Any]:
        return {
            "versions": self.versions,
            "paths": {name: str(path) for name, path in self.paths.items()},
            "walls": {
                "setting": self.walls_setting,
                "walls": [
                    {
                        "name": wall.name.value,
                        "stands": wall.stands,
                        "does": wall.does,
                        "by": wall.by,
                        "why": wall.why,
                        "possible": wall.possible,
                    }
                    for wall in self.walls
                ],
            },
            "files": [one.to_json() for one in self.places],
            "clients": [
                {
                    "client": one.client,
                    "file": None if one.file is None else str(one.file),
                    "kind": one.kind,
                    "message": one.message,
                    "fixable": one.fixable,
                }
                for one in self.findings
            ],
        }


def examine(settings: Settings) -> Report:
    """Look at this machine."""
    ours = paths()
    return Report(
        versions={
            "wassette": __version__,
            "wasmtime": metadata.version("wasmtime"),
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        },
        paths={
            "components": settings.component_dir,
            "data": ours.data,
            "config": config_file(),
            "cache": ours.cache,
            "state": ours.state,
            "program": Path(sys.executable),
        },
        walls=walls.available(),
        walls_setting=settings.walls,
        places=tuple(_places(settings)),
        findings=tuple(clients.check()),
    )


# -- files ---------------------------------------------------------------------------------------


def _places(settings: Settings) -> Iterable[Place]:
    """What others could harm us by, or read what is not for them."""
    ours = paths()
    for name, path, private in (
        ("components", settings.component_dir, False),
        ("data", ours.data, False),
        ("config", ours.config, False),
        ("config.toml", config_file(), False),
        ("secrets", Path(settings.secrets_dir or ours.secrets), True),
        ("cache", ours.cache, False),
        ("state", ours.state, False),
        ("activity", ours.activity, True),
        ("runtime", ours.runtime, True),
    ):
        yield look_at(name, path, private=private)


def look_at(name: str, path: Path, *, private: bool) -> Place:
    """A place of ours. `private`: it is nobody else's to read either."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return Place(name, path, None)
    except OSError as error:
        return Place(name, path, None, f"it cannot be looked at: {error.strerror}")
    mode = stat.filemode(found.st_mode)
    if sys.platform == "win32":
        return Place(name, path, mode)  # whose mode says nothing: the user's folders are theirs
    return Place(name, path, mode, _wrong(path, found, private))


def _wrong(path: Path, found: os.stat_result, private: bool) -> str | None:
    if found.st_uid not in (os.getuid(), 0):
        return f"it belongs to user {found.st_uid}, who could change what components may do"
    needed = os.R_OK | os.W_OK | (os.X_OK if stat.S_ISDIR(found.st_mode) else 0)
    if not os.access(path, needed):
        return f"you may not read and write there: chmod u+rwX '{path}'"
    others = found.st_mode & (0o077 if private else 0o022)
    if others & 0o022:
        return f"others may write there: chmod go-w '{path}'"
    if others:
        return f"others may read it: chmod go= '{path}'"
    return None


# -- registries ----------------------------------------------------------------------------------


def registries_used(settings: Settings) -> tuple[str, ...]:
    """Those that components here came from, and those that are configured."""
    found = set(settings.registries.hosts)
    store = ComponentStore(settings.component_dir)
    for component in store.ids():
        try:
            record = store.get(component)
            if not isinstance(record, ComponentRecord):
                continue
            remote = parse_remote(record.source)
        except WassetteError:
            continue  # what is wrong with it is said where it is used
        if isinstance(remote, OciReference):
            found.add(remote.registry)
    return tuple(sorted(found))


async def reach(settings: Settings, registries: Iterable[str]) -> tuple[Reached, ...]:
    """Knock at registries, at all of them at once, without credentials."""
    registries = tuple(registries)
    if not registries:
        return ()
    ways = await asyncio.to_thread(make_registries, settings)

    async def knock(registry: str) -> Reached:
        try:
            async with asyncio.timeout(REACH_TIMEOUT):
                return Reached(registry, True, await ways.reach(registry))
        except TimeoutError:
            return Reached(registry, False, f"no answer within {REACH_TIMEOUT:g} s")
        except RegistryError as error:
            return Reached(registry, False, str(error))

    return tuple(await asyncio.gather(*map(knock, registries)))
