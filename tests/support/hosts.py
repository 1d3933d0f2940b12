"""Warm host processes that tests started."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from pathlib import Path


def end_hosts(home: Path) -> None:
    """End every host of a home, at once, and wait until it is gone."""
    for file in home.glob("runtime/wassette/host-*.json"):
        with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
            process = psutil.Process(json.loads(file.read_text())["pid"])
            if "wassette.hosting.process" in process.cmdline():
                os.kill(process.pid, signal.SIGKILL)
                process.wait(10)
