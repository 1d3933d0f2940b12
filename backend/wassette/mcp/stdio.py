"""MCP over standard input and output, with the host in this process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from typing import TYPE_CHECKING

import anyio
import mcp_types as types
from mcp.server.stdio import stdio_server
from mcp.shared._context_streams import create_context_streams
from mcp.shared.message import SessionMessage

from wassette.host import Host

from .server import McpServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from mcp.shared._stream_protocols import ReadStream, WriteStream

    from wassette.config import Settings

log = logging.getLogger(__name__)

LAST_ANSWERS = 5.0
"""Seconds that requests have which were made before the end, to be answered."""
_CANCELLED = "notifications/cancelled"


def serve(settings: Settings) -> int:
    """Serve until the client closes standard input; the exit code. SIGTERM ends it cleanly."""
    return asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> int:
    async with Host(settings) as host:
        mcp = McpServer(host)
        with _ended_by_signal(host):
            async with mcp.running(), stdio_server() as outer, _answering(*outer) as (read, write):
                await mcp.serve(read, write)
    return 0


@contextlib.asynccontextmanager
async def _answering(
    read: ReadStream[SessionMessage | Exception], write: WriteStream[SessionMessage]
) -> AsyncIterator[tuple[ReadStream[SessionMessage | Exception], WriteStream[SessionMessage]]]:
    """The same streams, but the end comes only once what was asked before it is answered: who
    writes requests into a pipe and closes it wants the answers."""
    waiting: set[types.RequestId] = set()
    quiet = asyncio.Event()
    to_server, from_client = create_context_streams[SessionMessage | Exception](0)
    to_client, from_server = create_context_streams[SessionMessage](0)

    def settle(request: object) -> None:
        # What a client cancels is its own word: anything that JSON has, or nothing.
        if isinstance(request, str | int):
            waiting.discard(request)
        if not waiting:
            quiet.set()

    async def listen() -> None:
        async with to_server:
            async for item in read:
                message = item.message if isinstance(item, SessionMessage) else None
                if isinstance(message, types.JSONRPCRequest):
                    waiting.add(message.id)
                    quiet.clear()
                elif (
                    isinstance(message, types.JSONRPCNotification) and message.method == _CANCELLED
                ):
                    settle((message.params or {}).get("requestId"))
                await to_server.send(item)
            settle(None)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(quiet.wait(), LAST_ANSWERS)

    async def answer() -> None:
        async with write:
            async for item in from_server:
                await write.send(item)
                if isinstance(item.message, types.JSONRPCResponse | types.JSONRPCError):
                    settle(item.message.id)

    async with from_client, to_client, from_server, anyio.create_task_group() as group:
        group.start_soon(listen)
        group.start_soon(answer)
        yield from_client, to_client
        group.cancel_scope.cancel()


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
