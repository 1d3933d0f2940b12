"""Counting what is left running or open."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable


def descendants() -> list[psutil.Process]:
    """Every live process that this one started, however deep."""
    alive = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process)
        except psutil.NoSuchProcess:
            continue
    return alive


def environment_of(process: psutil.Process) -> dict[str, str]:
    """Its variables; none for a worker, whose memory only root may look into, unless we are."""
    try:
        return process.environ()
    except psutil.AccessDenied:
        return {}


def open_files() -> int:
    """How many file descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


def eventually(true: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether `true()` comes to be within a time that only a hang would exceed."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
