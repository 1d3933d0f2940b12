"""Who the page is, and how the host is."""

import sys
from pathlib import Path

from fastapi import APIRouter

from wassette._version import __version__
from wassette.window import words
from wassette.window.models import Pause, Paused, Session, Status

from .base import TheBrowser, TheWindow

router = APIRouter(prefix="/api", tags=["session"])


@router.get("/session")
async def get_session(window: TheWindow, browser: TheBrowser) -> Session:
    """What a page needs to begin with, such as the value for `X-Wassette-CSRF`."""
    return Session(
        csrf=browser.csrf,
        version=__version__,
        component_dir=words.clean(str(window.host.settings.component_dir)),
        home=words.clean(str(Path.home())),
        paused=window.host.paused,
        platform=sys.platform,
    )


@router.get("/status")
async def get_status(window: TheWindow) -> Status:
    """What runs, who is connected, and what waits for a person."""
    return await window.status()


@router.post("/pause")
async def set_paused(window: TheWindow, body: Pause) -> Paused:
    """While paused, no tool is called."""
    await (window.host.pause() if body.paused else window.host.resume())
    window.events.status_changed()
    return Paused(paused=window.host.paused)
