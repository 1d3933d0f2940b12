"""What a component may do: in plain words, as YAML, and why."""

from typing import Annotated

from fastapi import APIRouter, Path

from wassette.window.models import (
    ExplainRequest,
    Explanation,
    Grant,
    Policy,
    PolicyChange,
    Revocation,
    RootBinding,
)

from .base import ComponentId

router = APIRouter(prefix="/api/components/{component_id}", tags=["policy"])


@router.get("/policy")
async def get_policy(component_id: ComponentId) -> Policy:
    raise NotImplementedError


@router.put("/policy")
async def put_policy(component_id: ComponentId, body: PolicyChange) -> Policy:
    """409 if `version` is not that of the text that is there, 422 with `where` if it is wrong."""
    raise NotImplementedError


@router.post("/permissions")
async def grant_permission(component_id: ComponentId, body: Grant) -> Policy:
    raise NotImplementedError


@router.delete("/permissions")
async def revoke_permission(component_id: ComponentId, body: Revocation) -> Policy:
    raise NotImplementedError


@router.post("/explain")
async def explain_access(component_id: ComponentId, body: ExplainRequest) -> Explanation:
    """What would be decided, and why."""
    raise NotImplementedError


@router.put("/roots/{name}")
async def bind_root(
    component_id: ComponentId,
    name: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$")],
    body: RootBinding,
) -> Policy:
    """Have a named root (`fs://workspace/…`) be a directory."""
    raise NotImplementedError
