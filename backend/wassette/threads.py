"""Work in threads, seen from an event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


async def to_its_end(work: Callable[..., _T], *arguments: Any) -> _T:
    """`work` in a thread, which cannot be interrupted: when cancelled, wait for it all the same, so
    that what it works on is not taken away from under it."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
        except Exception:  # noqa: BLE001  (raised below)
            break
    if cancelled:
        task.exception()
        raise asyncio.CancelledError
    return task.result()
