"""Settings, and what this is."""

from fastapi import APIRouter

from wassette.window.models import About, Settings, SettingsChange

router = APIRouter(prefix="/api", tags=["settings"])


@router.get("/settings")
async def get_settings() -> Settings:
    raise NotImplementedError


@router.patch("/settings")
async def change_settings(body: SettingsChange) -> Settings:
    """Write to config.toml what is given and not null."""
    raise NotImplementedError


@router.get("/about")
async def get_about() -> About:
    raise NotImplementedError
