"""`wassette serve --http`: host and HTTP server in this process, until it is told to end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

from wassette.host import Host
from wassette.mcp.server import McpServer

from .serve import HttpServer

if TYPE_CHECKING:
    from wassette.config import Settings

    from .options import WebOptions


def serve(settings: Settings, options: WebOptions) -> int:
    """Serve until SIGTERM or Ctrl-C, which end it gracefully; a second one ends it now."""
    return asyncio.run(_serve(settings, options))


async def _serve(settings: Settings, options: WebOptions) -> int:
    ended = asyncio.Event()
    _on_signals(ended)
    async with Host(settings) as host:
        mcp = McpServer(host)
        async with mcp.running(), HttpServer(host, mcp, options) as server:
            print(_listening(server), file=sys.stderr, flush=True)
            await ended.wait()
    return 0


def _listening(server: HttpServer) -> str:
    paths = (("/mcp", server.options.streamable_http), ("/sse", server.options.sse))
    urls = " and ".join(f"{server.url}{path}" for path, on in paths if on)
    token = "with a token" if server.options.tokens else "without a token"
    return f"Wassette listens on {urls}, {token}. Ctrl-C ends it."


def _on_signals(ended: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def end() -> None:
        if ended.is_set():
            os._exit(130)
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, end)
        except NotImplementedError:  # Windows: Ctrl-C cancels the main task instead
            return
