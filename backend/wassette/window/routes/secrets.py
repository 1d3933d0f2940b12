"""A component's secrets. No value ever comes back."""

from typing import Annotated

from fastapi import APIRouter, Path

from wassette.window.models import Secrets, SecretValue

from .base import ComponentId

router = APIRouter(prefix="/api/components/{component_id}/secrets", tags=["secrets"])


@router.get("")
async def list_secrets(component_id: ComponentId) -> Secrets:
    raise NotImplementedError


@router.post("", status_code=204)
async def set_secret(component_id: ComponentId, body: SecretValue) -> None:
    raise NotImplementedError


@router.delete("/{key}", status_code=204)
async def delete_secret(
    component_id: ComponentId, key: Annotated[str, Path(min_length=1, max_length=256)]
) -> None:
    raise NotImplementedError
