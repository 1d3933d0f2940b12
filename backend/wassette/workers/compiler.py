"""Compiling, from the host's side: one worker for each piece of work, killed when not wanted."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wassette.errors import InvalidComponent, NotConfined, WorkerDied, visible

from . import protocol
from .process import WorkerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from wassette.sandbox.tiers import Tier

    from .launcher import Launcher

TIMEOUT = 300.0
"""Seconds; a 20 MB component takes about 20 on a slow machine."""


@dataclass(frozen=True)
class Compiled:
    """What the compiling worker found. All of it is the component's own word."""

    examination: dict[str, Any]
    """`sandbox.examine.Examination` as JSON; shapes are checked by whoever keeps it."""
    source_sha256: str
    """Digest of the bytes that were compiled."""
    sha256: str
    """Digest of the compiled code that was written."""


class Compiler:
    """Compiles components, one at a time: each takes up to 450 MB and both cores."""

    def __init__(self, launcher: Launcher, walls: str = "best-effort") -> None:
        self._launcher = launcher
        self._walls = walls
        self._turn = asyncio.Lock()

    async def compile(self, source: Path, output: Path, tier: Tier) -> Compiled:
        """Compile `source`, write code to `output`. Cancelling kills the work at once.

        Raises `InvalidComponent` saying what is wrong with the component; `NotConfined`.
        """
        async with self._turn:
            worker = await WorkerProcess.start(self._launcher)
            request = {
                "kind": "compile",
                "version": protocol.VERSION,
                "source": str(source),
                "output": str(output),
                "tier": tier,
                "walls": self._walls,
            }
            try:
                async with asyncio.timeout(TIMEOUT):
                    header, body = await worker.request(request)
            except TimeoutError:
                raise InvalidComponent(
                    f"did not compile within {TIMEOUT:g} s. Ask its author for a smaller build."
                ) from None
            except WorkerDied as error:
                # The one thing that a component can do to the compiler: crash or exhaust it.
                raise InvalidComponent(
                    f"cannot be compiled: {error} It may need more memory than there is."
                ) from None
            finally:
                worker.kill()
                await worker.ended()
        if header.get("error") == NotConfined.__name__:
            raise NotConfined(visible(str(header.get("message")), 1000))
        if header["kind"] != "compiled":
            raise InvalidComponent(visible(str(header.get("message")), 4000))
        return _read(body)


def _read(body: bytes) -> Compiled:
    try:
        report = json.loads(body)
        return Compiled(report, str(report["source_sha256"]), str(report["sha256"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InvalidComponent("made the compiler answer something that cannot be read") from None
