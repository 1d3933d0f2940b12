"""Wassette in the editors and agents of this machine."""

import asyncio

from fastapi import APIRouter

from wassette.window.models import (
    ApplyRequest,
    ClientChanged,
    ClientPlan,
    Clients,
    ClientVerified,
    PlanRequest,
)
from wassette.window.models import ClientsEvent as Changed

from .base import ClientId, TheWindow

router = APIRouter(prefix="/api/clients", tags=["clients"])


@router.get("")
async def list_clients(window: TheWindow) -> Clients:
    """Every client that is known: whether it is here, registered, and connected now."""

    def look() -> Clients:
        return window.registered.all(window.record.clients())

    return await asyncio.to_thread(look)


@router.post("/{client_id}/plan")
async def plan_client(window: TheWindow, client_id: ClientId, body: PlanRequest) -> ClientPlan:
    """What would change in its settings. Changes nothing."""
    return await asyncio.to_thread(window.registered.plan, client_id, body)


@router.post("/{client_id}/apply")
async def apply_client(window: TheWindow, client_id: ClientId, body: ApplyRequest) -> ClientChanged:
    """Make the change that was planned; 409 if it would be another one by now."""
    changed = await asyncio.to_thread(window.registered.apply, client_id, body)
    window.events.tell(Changed(type="clients"))
    return changed


@router.post("/{client_id}/verify")
async def verify_client(window: TheWindow, client_id: ClientId) -> ClientVerified:
    """Ask the client's own command, which may start Wassette."""
    return await asyncio.to_thread(window.registered.verify, client_id)
