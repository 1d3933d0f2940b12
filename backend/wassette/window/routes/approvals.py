"""What a person is asked, and decides."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path

from wassette.window.models import (
    Approval,
    Approvals,
    Decided,
    DecisionRequest,
    DeniedAll,
    DenyAll,
    Revoked,
)

from .base import Cursor, Limit, TheWindow

router = APIRouter(prefix="/api/approvals", tags=["approvals"])

ApprovalId = Annotated[str, Path(pattern="^[0-9a-f]{20}$")]


@router.get("")
async def list_approvals(
    window: TheWindow,
    state: Literal["pending", "ended"] = "pending",
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Approvals:
    """Those that can be decided, oldest first; or those that are over, newest first."""
    if state == "pending":
        return await window.asked.pending(cursor, limit)
    return await window.asked.ended(cursor, limit)


@router.get("/{request_id}")
async def get_approval(window: TheWindow, request_id: ApprovalId) -> Approval:
    """One request, pending or over."""
    return await window.asked.get(request_id)


@router.post("/{request_id}/decision")
async def decide_approval(
    window: TheWindow, request_id: ApprovalId, body: DecisionRequest
) -> Decided:
    """`digest` has to be that of the request that was shown."""
    return await window.asked.decide(request_id, body)


@router.post("/{request_id}/revoke")
async def revoke_approval(window: TheWindow, request_id: ApprovalId) -> Revoked:
    """Take back what was allowed for a session, an hour or (soon after, from here) always."""
    return await window.asked.revoke(request_id)


@router.post("/deny")
async def deny_all(window: TheWindow, body: DenyAll) -> DeniedAll:
    """Deny everything that a component asks for now."""
    return DeniedAll(denied=await window.asked.deny_all(body.component_id))
