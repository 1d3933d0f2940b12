"""What there is to know of this installation when something does not work: facts, as plain data.

Cheap and without effects: nothing is started, compiled or confined for it.
"""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import clients
from ._version import __version__
from .config import config_file
from .paths import paths
from .workers import walls

if TYPE_CHECKING:
    from .config import Settings


@dataclass(frozen=True)
class Report:
    """What `wassette doctor` says."""

    versions: dict[str, str]
    paths: dict[str, Path]
    walls: tuple[walls.Wall, ...]
    """What the operating system would keep a component from that got out of the sandbox."""
    walls_setting: str
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
        findings=tuple(clients.check()),
    )
