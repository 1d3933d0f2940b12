"""What the kernel says a worker uses. Only Linux tells of another process for nothing; elsewhere
the answer is None, and whoever asks has to do without."""

from __future__ import annotations

import contextlib
import os
import sys
import time

HERE = sys.platform.startswith("linux")
"""Whether there are answers, and workers can be paused."""

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class Gauge:
    """Of one process. Asking takes a microsecond; its file stays open until `close`."""

    def __init__(self, pid: int) -> None:
        # The clock that clock_getcpuclockid(3) gives for a process.
        self._clock = (~pid << 3) | 2
        self._statm: int | None = None
        if HERE:
            with contextlib.suppress(OSError):
                # Of this process for good: once it is gone, another of its number is not read.
                self._statm = os.open(f"/proc/{pid}/statm", os.O_RDONLY | os.O_CLOEXEC)

    def cpu_seconds(self) -> float | None:
        """CPU time of all its threads, to the nanosecond; None if it is gone."""
        if self._statm is None:
            return None
        try:
            return time.clock_gettime(self._clock)
        except OSError:
            return None

    def data_bytes(self) -> int | None:
        """Private memory that it may write to (proc(5): the sixth number); None if it is gone."""
        if self._statm is None:
            return None
        try:
            return int(os.pread(self._statm, 256, 0).split()[5]) * _PAGE
        except (OSError, ValueError, IndexError):
            return None

    def close(self) -> None:
        if self._statm is not None:
            os.close(self._statm)
            self._statm = None
