"""The walls on macOS: a sandbox profile, and limits.

`sandbox_init` is marked as deprecated, but it is what browsers and the system's own programs use,
and there is no other way for a process to confine itself. Everything is denied but what the
profile names. It cannot say which system calls the kernel takes, so that wall does not stand.

Written by the documentation: this has not run on macOS yet (docs/security.md says so, too).
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

from . import limits
from .model import Confinement, Name, Wall

_LIBRARY = "/usr/lib/libSystem.B.dylib"

_BASE = """\
(version 1)
(deny default)
(allow sysctl-read)
(allow process-info* (target self))
(allow signal (target self))
(allow file-read-metadata)
"""


def available() -> tuple[Wall, ...]:
    """The walls that workers on this machine get, without confining this process."""
    try:
        _sandbox_init()
    except (OSError, AttributeError):
        return _walls("the system's library has no sandbox_init")
    return _walls(None)


def prepare() -> None:
    """Nothing is the same for all workers."""


def confine(to: Confinement) -> tuple[Wall, ...]:
    """Put up the walls around this process, for good; which of them stand."""
    limits.apply(to.memory)
    try:
        function = _sandbox_init()
    except (OSError, AttributeError):
        return _walls("the system's library has no sandbox_init")
    error = ctypes.c_char_p()
    if function(profile(to).encode("utf-8", "surrogateescape"), 0, ctypes.byref(error)) != 0:
        said = (error.value or b"no reason").decode("utf-8", "replace")
        return _walls(f"the system refuses the sandbox profile ({said[:200]})")
    return _walls(None)


def profile(to: Confinement) -> str:
    """The sandbox profile, in the system's language for them."""
    lines = [_BASE]
    if to.code is not None:
        # Profiles are about real paths: /tmp and /var are links here. Openings are real already.
        code = _text(os.path.realpath(to.code))
        lines.append(f"(allow file-read* file-map-executable (literal {code}))\n")
    for opening in to.openings:
        place = f"(subpath {_text(opening.path)})"
        if "r" in opening.access:
            lines.append(f"(allow file-read* {place})\n")
        elif not opening.access:
            # To open a directory reads it; what is in the files below stays closed.
            lines.append(f"(allow file-read-data (require-all (vnode-type DIRECTORY) {place}))\n")
        if "w" in opening.access:
            lines.append(f"(allow file-write* {place})\n")
            if "r" not in opening.access:
                lines.append(
                    f"(allow file-read-data (require-all (vnode-type DIRECTORY) {place}))\n"
                )
    if to.relay_port is not None:
        lines.append(f'(allow network-outbound (remote tcp "localhost:{to.relay_port:d}"))\n')
    return "".join(lines)


def _text(value: str) -> str:
    """A string literal: a path can have quotes in it, and must not end the literal."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _sandbox_init() -> Any:
    function = ctypes.CDLL(_LIBRARY).sandbox_init
    function.argtypes = (ctypes.c_char_p, ctypes.c_uint64, ctypes.POINTER(ctypes.c_char_p))
    function.restype = ctypes.c_int
    return function


def _walls(why_not: str | None) -> tuple[Wall, ...]:
    by_profile = (Name.FILES, Name.NETWORK, Name.PROCESSES)
    impossible = {
        Name.KERNEL: "macOS cannot refuse single system calls",
        Name.PRIVILEGES: "a worker keeps what its user may do, as far as the profile lets it",
    }
    return (
        *(
            Wall(name, stands=False, why=why_not)
            if why_not
            else Wall(name, stands=True, by="sandbox profile")
            for name in by_profile
        ),
        *(Wall(name, stands=False, why=why, possible=False) for name, why in impossible.items()),
        Wall(Name.LIMITS, stands=True, by="resource limits (not of memory)"),
    )
