"""What a person switches: everything, or one component."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from . import problems

if TYPE_CHECKING:
    from wassette.host import Host


def paused(host: Host) -> bool:
    return bool(getattr(host, "paused", False))


async def pause(host: Host, *, on: bool) -> None:
    await _do(host, "pause" if on else "resume")


def is_enabled(host: Host, component_id: str) -> bool:
    is_on = getattr(host, "is_enabled", None)
    return True if is_on is None else bool(is_on(component_id))


async def enable(host: Host, component_id: str, *, on: bool) -> None:
    await _do(host, "set_enabled", component_id, on)


async def _do(host: Host, name: str, *arguments: Any) -> None:
    method = getattr(host, name, None)
    if method is None:
        raise problems.Refusal(501, "This version cannot do that yet", name="not-there")
    done = method(*arguments)
    if inspect.isawaitable(done):
        await done
