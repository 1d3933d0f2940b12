"""The walls: what the operating system keeps a worker from, whatever runs in it.

The sandbox is the first line: a component can only do what wasmtime and the guards let it. The
walls are for the day that one of those has a hole. A worker puts them up itself (`confine`), before
it reads the first byte that is not trusted, and cannot take them down again.

    available()   which walls this machine has, without confining anything
    confine(…)    puts them up around this process; says which of them stand
    refusal(…)    why, if all of them are required, a worker must not run

`model` has the words, and one module for each operating system does the work. A wall that is not
there is said not to stand, with the reason; nothing here pretends.
"""

from __future__ import annotations

import sys

from .model import BEST_EFFORT, REQUIRE, Confinement, Opening, Wall, refusal

__all__ = [
    "BEST_EFFORT",
    "REQUIRE",
    "Confinement",
    "Opening",
    "Wall",
    "available",
    "confine",
    "prepare",
    "refusal",
]

if sys.platform.startswith("linux"):
    from .linux import available, confine, prepare
elif sys.platform == "darwin":
    from .macos import available, confine, prepare
elif sys.platform == "win32":
    from .windows import available, confine, prepare
else:
    from .elsewhere import available, confine, prepare
