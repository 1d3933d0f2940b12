"""Wassette in the editors and agents of this machine."""

from fastapi import APIRouter

from wassette.window.models import (
    ApplyRequest,
    ClientChanged,
    ClientPlan,
    Clients,
    ClientVerified,
    PlanRequest,
)

from .base import ClientId

router = APIRouter(prefix="/api/clients", tags=["clients"])


@router.get("")
async def list_clients() -> Clients:
    raise NotImplementedError


@router.post("/{client_id}/plan")
async def plan_client(client_id: ClientId, body: PlanRequest) -> ClientPlan:
    """What would change in its settings. Changes nothing."""
    raise NotImplementedError


@router.post("/{client_id}/apply")
async def apply_client(client_id: ClientId, body: ApplyRequest) -> ClientChanged:
    """Make the change that was planned; 409 if it would be another one by now."""
    raise NotImplementedError


@router.post("/{client_id}/verify")
async def verify_client(client_id: ClientId) -> ClientVerified:
    """Ask the client's own command, which may start Wassette."""
    raise NotImplementedError
