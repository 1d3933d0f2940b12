"""The components that there are."""

import asyncio

from fastapi import APIRouter

from wassette.answers import ComponentState
from wassette.errors import ComponentNotFound, InvalidComponentId, WassetteError
from wassette.window.models import ComponentDetail, Components, Enabled

from .base import ComponentId, Cursor, Limit, TheWindow

router = APIRouter(prefix="/api/components", tags=["components"])


@router.get("")
async def list_components(
    window: TheWindow, cursor: Cursor = None, limit: Limit = 500
) -> Components:
    """By id."""
    return await asyncio.to_thread(window.components.all, cursor, limit)


@router.get("/{component_id}")
async def get_component(window: TheWindow, component_id: ComponentId) -> ComponentDetail:
    """One component: its tools, what it can reach, where it came from, and who signed it."""
    host = window.host
    enabled = component_id not in host.store.disabled()
    try:
        state = ComponentState(component_id, await host.component(component_id), None, enabled)
    except (ComponentNotFound, InvalidComponentId):
        raise
    except WassetteError as error:
        state = ComponentState(component_id, None, str(error), enabled)
    unused = await host.unused_grants(component_id)
    return await asyncio.to_thread(window.components.one, state, unused)


@router.delete("/{component_id}", status_code=204)
async def unload_component(window: TheWindow, component_id: ComponentId) -> None:
    """Remove a component and its policy."""
    await window.host.unload(component_id)


@router.post("/{component_id}/enabled", status_code=204)
async def set_enabled(window: TheWindow, component_id: ComponentId, body: Enabled) -> None:
    """Switch a component off, so that no client sees its tools, or on again."""
    await window.host.set_enabled(component_id, body.enabled)


@router.post("/{component_id}/seen", status_code=204)
async def mark_seen(window: TheWindow, component_id: ComponentId) -> None:
    """The person has been shown what is different about it: its permissions count again."""
    await window.host.mark_seen(component_id)
