"""Settings, and what this is."""

import asyncio

from fastapi import APIRouter

from wassette.window import about, configured
from wassette.window.models import About, Settings, SettingsChange

from .base import TheWindow

router = APIRouter(prefix="/api", tags=["settings"])


@router.get("/settings")
async def get_settings(window: TheWindow) -> Settings:
    return await asyncio.to_thread(configured.read, window.host.settings)


@router.patch("/settings")
async def change_settings(window: TheWindow, body: SettingsChange) -> Settings:
    """Write to config.toml what is given and not null."""
    await asyncio.to_thread(configured.change, body)
    return await asyncio.to_thread(configured.read, window.host.settings)


@router.get("/about")
async def get_about(window: TheWindow) -> About:
    return await asyncio.to_thread(about.about, window.host.settings)
