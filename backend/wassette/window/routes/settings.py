"""Settings, and what this is."""

import asyncio

from fastapi import APIRouter

from wassette.window import about, configured, tokens
from wassette.window.models import About, AutostartChange, Settings, SettingsChange, Tokens

from .base import TheWindow

router = APIRouter(prefix="/api", tags=["settings"])


@router.get("/settings")
async def get_settings(window: TheWindow) -> Settings:
    """The settings as they come to now; which a variable sets, which the next start brings."""
    return await asyncio.to_thread(configured.read, window.host.settings, window.offered)


@router.patch("/settings")
async def change_settings(window: TheWindow, body: SettingsChange) -> Settings:
    """Write to config.toml what is given and not null."""
    await asyncio.to_thread(configured.change, body)
    return await asyncio.to_thread(configured.read, window.host.settings, window.offered)


@router.put("/settings/autostart")
async def set_autostart(window: TheWindow, body: AutostartChange) -> Settings:
    """Have the desktop app start at login, or not. Refused where the host is not in it."""
    await asyncio.to_thread(configured.start_at_login, window.offered, body.enabled)
    return await asyncio.to_thread(configured.read, window.host.settings, window.offered)


@router.get("/tokens")
async def get_tokens(window: TheWindow) -> Tokens:
    """Which tokens a server for HTTP has and would have; none of their values."""
    return await asyncio.to_thread(tokens.read, window.offered)


@router.post("/tokens")
async def make_token(window: TheWindow) -> Tokens:
    """Make a token in a file that config.toml names, in place of one that was made so before."""
    await asyncio.to_thread(tokens.make)
    return await asyncio.to_thread(tokens.read, window.offered)


@router.get("/about")
async def get_about(window: TheWindow) -> About:
    """Versions, the walls around workers, licences, and what is wrong with entries in clients."""
    return await asyncio.to_thread(about.about, window.host.settings)
