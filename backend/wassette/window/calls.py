"""Trying a tool from the window, as a client of its own that is asked about like any other."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from wassette import errors
from wassette.mcp.results import compact
from wassette.session import Session

from . import models, problems
from .auth import client_of
from .words import clean

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from wassette.answers import CallResult
    from wassette.host import Host

    from .auth import Browser

MAX_RUNNING = 64
_CANCELLED = "You cancelled this call."


class Calls:
    """One for each server."""

    def __init__(self, host: Host, environment: Mapping[str, str]) -> None:
        """`environment`: what components can be granted variables from; only what is configured,
        since that of whoever started the host is not a person's at the window."""
        self._host = host
        own = host.session
        self._session = Session(environment=environment, approvals=own.approvals)
        self._running: dict[tuple[Browser, str], asyncio.Task[CallResult]] = {}

    async def call(
        self,
        browser: Browser,
        component_id: str,
        tool: str,
        request: models.CallRequest,
        gone: Callable[[], Awaitable[None]],
    ) -> models.CallResult:
        """`gone` returns when nobody waits for the answer any more: the call then ends."""
        found = self._host.tools().get(tool)
        if found.component_id != component_id:
            raise errors.ToolNotFound(tool)
        if len(self._running) >= MAX_RUNNING:
            raise problems.Refusal(503, f"{MAX_RUNNING} calls from the window run already")
        key = (browser, request.call_id or f"#{id(request)}")
        if key in self._running:
            raise problems.Refusal(409, "A call with this call_id runs already")
        client = client_of(browser)
        began = time.monotonic()
        task = asyncio.create_task(
            self._host.call_tool(found.name, request.arguments, client, session=self._session),
            name=f"window call {found.name}",
        )
        self._running[key] = task
        left = asyncio.ensure_future(gone())
        try:
            await asyncio.wait({task, left}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        finally:
            task.cancel()
            left.cancel()
            await asyncio.gather(task, left, return_exceptions=True)
            del self._running[key]
        seconds = time.monotonic() - began
        return _cancelled(seconds) if task.cancelled() else _shown(task.result(), seconds)

    def cancel(self, browser: Browser, call_id: str) -> None:
        task = self._running.get((browser, call_id))
        if task is None:
            raise problems.Refusal(404, "There is no such call, or it is over")
        task.cancel()

    def end(self) -> None:
        """The server ends."""
        for task in self._running.values():
            task.cancel()


def _shown(result: CallResult, seconds: float) -> models.CallResult:
    structured: dict[str, Any] | None = None
    if result.error is not None:
        text = f"Error: {result.error}"
    else:
        value = result.value
        text = value if isinstance(value, str) else compact(value)
        if result.tool.function.output_schema is not None:
            structured = {"result": value}
    return models.CallResult(
        is_error=result.is_error,
        content=[models.CallContent(type="text", text=clean(text))],
        structured=structured,
        seconds=seconds,
        output=clean(result.output),
        refused=[clean(one) for one in result.refusals],
        call=result.call,
    )


def _cancelled(seconds: float) -> models.CallResult:
    return models.CallResult(
        is_error=True,
        content=[models.CallContent(type="text", text=_CANCELLED)],
        structured=None,
        seconds=seconds,
        output="",
        refused=[],
        call="",
    )
