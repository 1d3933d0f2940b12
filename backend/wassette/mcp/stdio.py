"""MCP over standard input and output, with the host in this process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from typing import TYPE_CHECKING

from mcp.server.stdio import stdio_server

from wassette.host import Host

from .server import McpServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wassette.config import Settings

log = logging.getLogger(__name__)


def serve(settings: Settings) -> int:
    """Serve until the client closes standard input; the exit code. SIGTERM ends it cleanly."""
    return asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> int:
    async with Host(settings) as host:
        mcp = McpServer(host)
        with _ended_by_signal(host):
            async with mcp.running(), stdio_server() as (read, write):
                await mcp.serve(read, write)
    return 0


@contextlib.contextmanager
def _ended_by_signal(host: Host) -> Iterator[None]:
    """SIGTERM ends the workers, then this process, although a thread still waits for stdin."""
    loop = asyncio.get_running_loop()
    ending: list[asyncio.Task[None]] = []

    async def end() -> None:
        log.info("ended by SIGTERM")
        await host.close()
        os._exit(0)  # the thread that reads stdin cannot be interrupted

    try:
        loop.add_signal_handler(signal.SIGTERM, lambda: ending.append(loop.create_task(end())))
    except NotImplementedError:  # Windows has no SIGTERM to handle
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
