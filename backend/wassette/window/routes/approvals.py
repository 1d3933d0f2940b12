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

from .base import Cursor, Limit

router = APIRouter(prefix="/api/approvals", tags=["approvals"])

ApprovalId = Annotated[str, Path(pattern="^[0-9a-f]{20}$")]


@router.get("")
async def list_approvals(
    state: Literal["pending", "ended"] = "pending", cursor: Cursor = None, limit: Limit = 100
) -> Approvals:
    """Those that can be decided, oldest first; or those that are over, newest first."""
    raise NotImplementedError


@router.get("/{request_id}")
async def get_approval(request_id: ApprovalId) -> Approval:
    raise NotImplementedError


@router.post("/{request_id}/decision")
async def decide_approval(request_id: ApprovalId, body: DecisionRequest) -> Decided:
    """`digest` has to be that of the request that was shown."""
    raise NotImplementedError


@router.post("/{request_id}/revoke")
async def revoke_approval(request_id: ApprovalId) -> Revoked:
    """Take back what was allowed for a session, an hour or (soon after, from here) always."""
    raise NotImplementedError


@router.post("/deny")
async def deny_all(body: DenyAll) -> DeniedAll:
    """Deny everything that a component asks for now."""
    raise NotImplementedError
