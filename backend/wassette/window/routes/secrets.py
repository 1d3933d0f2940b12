"""A component's secrets. No value ever comes back."""

from typing import Annotated

from fastapi import APIRouter, Path

from wassette.errors import SecretError
from wassette.window import problems
from wassette.window.models import Secret, Secrets, SecretValue

from .base import ComponentId, TheWindow

router = APIRouter(prefix="/api/components/{component_id}/secrets", tags=["secrets"])


@router.get("")
async def list_secrets(window: TheWindow, component_id: ComponentId) -> Secrets:
    """Names of a component's secrets; none of their values."""
    await window.host.component(component_id)
    found = await window.host.secrets(component_id)
    if found.error is not None:
        raise SecretError(found.error)
    policy = window.host.policies.read(component_id).policy
    permitted = {one.variable for one in policy.environment_allow} if policy else set()
    return Secrets(
        items=[
            Secret(key=key, place=found.places[key].value, permitted=key in permitted)
            for key in found.keys
        ],
        next=None,
    )


@router.post("", status_code=204)
async def set_secret(window: TheWindow, component_id: ComponentId, body: SecretValue) -> None:
    """Keep a secret for a component, in place of one with that name."""
    await window.host.component(component_id)
    await window.host.set_secrets(component_id, {body.key: body.value})


@router.delete("/{key}", status_code=204)
async def delete_secret(
    window: TheWindow,
    component_id: ComponentId,
    key: Annotated[str, Path(min_length=1, max_length=256)],
) -> None:
    """Forget a secret."""
    await window.host.component(component_id)
    if not await window.host.delete_secrets(component_id, [key]):
        raise problems.Refusal(404, "There is no such secret (any more)")
