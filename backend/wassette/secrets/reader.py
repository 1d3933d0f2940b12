"""Reading secrets within an event loop, which no keyring may hold up.

A keyring can ask a person to unlock it, and takes as long as the person does. So it is asked in a
thread that nobody has to wait for: neither the other calls, nor the process when it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from wassette.secrets.store import ComponentSecrets, SecretStore

_T = TypeVar("_T")

PATIENCE = 30.0
"""Seconds that a call waits for the keyring; then it goes on without the secrets."""


class SecretReader:
    """For one event loop."""

    def __init__(self, store: SecretStore) -> None:
        self._store = store
        self._asked: dict[str, asyncio.Future[ComponentSecrets]] = {}

    async def read(self, component_id: str) -> ComponentSecrets:
        """As `SecretStore.read`. All who ask meanwhile share one question to the keyring."""
        known = self._store.peek(component_id, retry=True)
        if known is not None:
            return known
        asked = self._asked.get(component_id)
        if asked is None:
            asked = in_thread(lambda: self._store.read(component_id))
            self._asked[component_id] = asked
            asked.add_done_callback(lambda _: self._asked.pop(component_id, None))
        done, _ = await asyncio.wait([asked], timeout=PATIENCE)
        return asked.result() if done else self._store.unread(component_id)


def in_thread(work: Callable[[], _T]) -> asyncio.Future[_T]:
    """What `work` gives, done in a thread that keeps no process from ending.

    Unlike those of asyncio, of which there are few, and which are waited for.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()
    # Whoever waited may have gone: then nobody has to hear of an error.
    future.add_done_callback(lambda done: done.cancelled() or done.exception())

    def settle(set_: Callable[..., None], value: object) -> None:
        if not future.done():
            set_(value)

    def run() -> None:
        try:
            value = work()
        except BaseException as error:  # noqa: BLE001  (raised where it is awaited)
            outcome: tuple[Callable[..., None], object] = (future.set_exception, error)
        else:
            outcome = (future.set_result, value)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=run, daemon=True, name="keyring").start()
    return future
