"""Who the page is, and how the host is."""

from fastapi import APIRouter

from wassette.window.models import Pause, Paused, Session, Status

router = APIRouter(prefix="/api", tags=["session"])


@router.get("/session")
async def get_session() -> Session:
    raise NotImplementedError


@router.get("/status")
async def get_status() -> Status:
    raise NotImplementedError


@router.post("/pause")
async def set_paused(body: Pause) -> Paused:
    """While paused, no tool is called."""
    raise NotImplementedError
