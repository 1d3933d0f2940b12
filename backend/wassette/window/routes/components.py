"""The components that there are."""

from fastapi import APIRouter

from wassette.window.models import ComponentDetail, Components, Enabled

from .base import ComponentId, Cursor, Limit

router = APIRouter(prefix="/api/components", tags=["components"])


@router.get("")
async def list_components(cursor: Cursor = None, limit: Limit = 500) -> Components:
    """By id."""
    raise NotImplementedError


@router.get("/{component_id}")
async def get_component(component_id: ComponentId) -> ComponentDetail:
    raise NotImplementedError


@router.delete("/{component_id}", status_code=204)
async def unload_component(component_id: ComponentId) -> None:
    """Remove a component and its policy."""
    raise NotImplementedError


@router.post("/{component_id}/enabled", status_code=204)
async def set_enabled(component_id: ComponentId, body: Enabled) -> None:
    raise NotImplementedError


@router.post("/{component_id}/seen", status_code=204)
async def mark_seen(component_id: ComponentId) -> None:
    """The person has been shown what is different about it: its permissions count again."""
    raise NotImplementedError
