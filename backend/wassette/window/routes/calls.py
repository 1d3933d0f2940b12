"""Trying a tool."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from wassette.window.models import CallRequest, CallResult

from .base import ComponentId, TheBrowser, TheWindow

router = APIRouter(prefix="/api", tags=["calls"])


@router.post("/components/{component_id}/tools/{tool}/call")
async def call_tool(
    window: TheWindow,
    browser: TheBrowser,
    request: Request,
    component_id: ComponentId,
    tool: Annotated[str, Path(min_length=1, max_length=200)],
    body: CallRequest,
) -> CallResult:
    """Call a tool, as the client "Wassette window" that is asked about like any other."""

    async def gone() -> None:
        # The body was read: what comes next is that the client is gone.
        while (await request.receive())["type"] != "http.disconnect":
            pass

    return await window.calls.call(browser, component_id, tool, body, gone)


@router.delete("/calls/{call_id}", status_code=204)
async def cancel_call(
    window: TheWindow,
    browser: TheBrowser,
    call_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{8,64}$")],
) -> None:
    """By the `call_id` that it was made with."""
    window.calls.cancel(browser, call_id)
