"""Loading: what a component is and asks for is shown before it is taken in."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from wassette.window.models import Load, LoadConfirm, LoadRequest, Loads, LoadStarted

router = APIRouter(prefix="/api/loads", tags=["loads"])

LoadId = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]


@router.post("", status_code=202)
async def start_load(body: LoadRequest) -> LoadStarted:
    raise NotImplementedError


@router.post(
    "/upload",
    status_code=202,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def upload_component(
    request: Request, name: Annotated[str, Query(min_length=1, max_length=255)]
) -> LoadStarted:
    """The component's bytes. `name`: of the file, which names the component."""
    raise NotImplementedError


@router.get("")
async def list_loads() -> Loads:
    """Newest first."""
    raise NotImplementedError


@router.get("/{load_id}")
async def get_load(load_id: LoadId) -> Load:
    raise NotImplementedError


@router.post("/{load_id}/confirm", status_code=202)
async def confirm_load(load_id: LoadId, body: LoadConfirm) -> Load:
    """Take it in, as it was shown (stage `review`)."""
    raise NotImplementedError


@router.delete("/{load_id}", status_code=204)
async def cancel_load(load_id: LoadId) -> None:
    """Cancel it, or forget one that has ended."""
    raise NotImplementedError
