"""GTK for a Python that has not got it: PyGObject as the system installed it for its own Python.

PyGObject is seldom in a virtual environment: it has to be compiled, with a compiler and headers.
Where the system's Python is of the same version as this one, its `gi` works here too. Only `gi` is
taken from there; the other packages of that directory would take the place of ours.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

PLACES = (
    "/usr/lib/python3/dist-packages",
    f"/usr/lib64/python3.{sys.version_info.minor}/site-packages",
    f"/usr/lib/python3.{sys.version_info.minor}/site-packages",
)
"""Where Debian, Fedora and others have it; only root writes there."""


class _SystemGi:
    @staticmethod
    def find_spec(
        name: str,
        path: Sequence[str] | None = None,  # noqa: ARG004
        target: ModuleType | None = None,  # noqa: ARG004
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(name, PLACES) if name == "gi" else None


def use_system_gi() -> None:
    """Have `import gi` find that of the system, unless there is one of ours."""
    if sys.platform == "linux" and find_spec("gi") is None:
        sys.meta_path.append(_SystemGi)
