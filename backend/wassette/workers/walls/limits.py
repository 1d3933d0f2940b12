"""Limits that every POSIX system has. They hold for root too: they are only ever lowered."""

from __future__ import annotations

import sys

MAX_FILES = 1024

if sys.platform != "win32":
    import resource  # takes more than a millisecond: here, so that forked workers have it already

    def _limit(what: int, value: int) -> None:
        _, hard = resource.getrlimit(what)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        resource.setrlimit(what, (value, value))


def apply(memory: int) -> None:
    """Limit this process for good. `memory`: bytes it may map for writing, guest and all."""
    if sys.platform != "win32":
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_NOFILE, MAX_FILES)
    if sys.platform.startswith("linux"):
        # Private writable mappings. The address space (RLIMIT_AS) would count the 4 GB that
        # wasmtime reserves, unmapped, for each memory.
        _limit(resource.RLIMIT_DATA, memory)
    # Not RLIMIT_NPROC: it counts all processes of the user, so it would depend on what else runs,
    # threads of the runtime count too, and root is exempt. seccomp refuses new processes.
