"""What the fork server loads before it forks, so that a worker starts in milliseconds."""

from __future__ import annotations

from wassette.sandbox import engine, instance, tiers

from . import worker


def preload() -> None:
    """Make the engines and linkers (importing this has loaded the rest). Starts no thread."""
    for tier in tiers.Tier:
        engine.linker(tier)


__all__ = ["instance", "preload", "worker"]
