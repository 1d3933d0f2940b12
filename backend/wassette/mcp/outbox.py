"""What a client is told while its call runs: progress, and what the component prints.

In the order that it happened, and before the answer. Only what the client asked for is sent, and
one that does not read cannot hold up anything but its own call, for a moment.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, get_args

import mcp_types as types
from mcp.server.connection import allowed_log_levels

from wassette.errors import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from .sessions import ClientSession

MAX_WAITING = 200
"""Lines of output that may wait to be sent; the rest is left out. The answer has what counts."""

MAX_LINE = 2000  # characters
LAST_WAIT = 2.0  # seconds that a client may take to read the rest before its answer

_LEVELS: tuple[str, ...] = get_args(types.LoggingLevel)
OUTPUT_LEVEL: types.LoggingLevel = "info"
"""The level of what a component prints."""


class Outbox:
    """Of one request. `close` before it is answered."""

    def __init__(self, ctx: Any, session: ClientSession | None) -> None:
        self._ctx = ctx
        self._waiting: list[Callable[[], Any]] = []
        self._sender: asyncio.Task[None] | None = None
        self._steps = 0
        self._left_out = 0
        self._line = bytearray()
        self._logger = ""
        self.wants_output = _wants(ctx, session)
        self.wants_progress = bool(ctx.meta and ctx.meta.get("progress_token") is not None)

    def progress(self, stage: str, done: float | None) -> None:
        """What is being done now; parts of it are not told."""
        if self.wants_progress and done in (None, 1.0):
            self._steps += 1
            step = self._steps
            self._send(lambda: self._ctx.session.report_progress(step, None, stage))

    def output(self, component_id: str) -> Callable[[bytes], None] | None:
        """What takes the output of a component, if the client wants it."""
        if not self.wants_output:
            return None
        self._logger = component_id
        return self._printed

    def _printed(self, data: bytes) -> None:
        self._line += data
        *lines, rest = bytes(self._line).split(b"\n")
        self._line = bytearray(rest)
        for line in lines:
            self._log(line)
        if len(self._line) > MAX_LINE * 4:
            self._log(bytes(self._line))
            self._line.clear()

    def _log(self, line: bytes) -> None:
        text = visible(line.decode("utf-8", "replace").rstrip("\r"), MAX_LINE)
        if not text:
            return
        if len(self._waiting) >= MAX_WAITING:
            self._left_out += 1
            return
        self._send(lambda: self._message(text))

    def _message(self, text: str) -> Any:
        params = types.LoggingMessageNotificationParams(
            level=OUTPUT_LEVEL, data=text, logger=self._logger
        )
        return self._ctx.session.send_notification(
            types.LoggingMessageNotification(params=params), related_request_id=self._ctx.request_id
        )

    def _send(self, message: Callable[[], Any]) -> None:
        self._waiting.append(message)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while self._waiting:
            try:
                await self._waiting.pop(0)()
            except Exception:  # noqa: BLE001  (the client is gone)
                self._waiting.clear()

    async def close(self) -> None:
        """Send the rest, if the client reads."""
        if self._line:
            self._log(bytes(self._line))
            self._line.clear()
        if self._left_out:
            text = f"[{self._left_out} lines left out]"
            self._send(lambda: self._message(text))
        if self._sender is not None and not self._sender.done():
            await asyncio.wait([self._sender], timeout=LAST_WAIT)
        self.drop()

    def drop(self) -> None:
        self._waiting.clear()
        if self._sender is not None:
            self._sender.cancel()


def _wants(ctx: Any, session: ClientSession | None) -> bool:
    """Whether output is sent: only to who asked, in the way of its era."""
    if session is None:
        return False
    if session.modern:
        return OUTPUT_LEVEL in allowed_log_levels(ctx.protocol_version, ctx.meta)
    level = session.log_level
    return level is not None and _LEVELS.index(level) <= _LEVELS.index(OUTPUT_LEVEL)
