"""What has changed in a project since it was built."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .project import FILE

if TYPE_CHECKING:
    from .project import Project

_SOURCES = (".js", ".mjs", ".ts", ".json", ".py", ".c", ".h", ".rs", ".go", ".toml", ".wit", ".mod")
_LEFT_OUT = frozenset({"node_modules", "target", "__pycache__", "venv", "dist", "build"})
MAX_FILES = 5000

Stamp = dict[str, tuple[int, int]]


def stamp(project: Project) -> Stamp:
    """Size and time of each source, by its path: two of them differ if something has changed."""
    found: Stamp = {}
    for folder, folders, files in os.walk(project.folder):
        folders[:] = [one for one in folders if one not in _LEFT_OUT and not one.startswith(".")]
        for name in files:
            if not name.endswith(_SOURCES) and name != FILE:
                continue
            path = os.path.join(folder, name)  # noqa: PTH118  (thousands of them)
            try:
                status = os.stat(path)  # noqa: PTH116
            except OSError:
                continue
            found[path] = (status.st_mtime_ns, status.st_size)
            if len(found) >= MAX_FILES:
                return found
    return found
