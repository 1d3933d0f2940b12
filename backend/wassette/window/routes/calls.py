"""Trying a tool."""

from typing import Annotated

from fastapi import APIRouter, Path

from wassette.window.models import CallRequest, CallResult

from .base import ComponentId

router = APIRouter(prefix="/api", tags=["calls"])


@router.post("/components/{component_id}/tools/{tool}/call")
async def call_tool(
    component_id: ComponentId,
    tool: Annotated[str, Path(min_length=1, max_length=200)],
    body: CallRequest,
) -> CallResult:
    """Call a tool, as the client "Wassette window" that is asked about like any other."""
    raise NotImplementedError


@router.delete("/calls/{call_id}", status_code=204)
async def cancel_call(call_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{8,64}$")]) -> None:
    """By the `call_id` that it was made with."""
    raise NotImplementedError
