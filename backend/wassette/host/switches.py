"""Switching off and on, which only people do: all of Wassette, or one component."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wassette.errors import visible
from wassette.recording import only_a_person

if TYPE_CHECKING:
    from wassette.components.store import ComponentStore
    from wassette.recording import Recorder

    from .changes import Changes


class Switches:
    """Of one host. They are in its component directory, and so the same for every process."""

    def __init__(self, store: ComponentStore, recorder: Recorder, changes: Changes) -> None:
        self._store, self._recorder, self._changes = store, recorder, changes

    @property
    def paused(self) -> bool:
        return self._store.paused

    async def set_paused(self, paused: bool) -> None:
        only_a_person("pause Wassette, or have it go on", "wassette host resume")
        if await asyncio.to_thread(self._store.set_paused, paused):
            self._recorder.change("pause" if paused else "resume", "")
        self._changes.tell()

    async def set_enabled(self, component_id: str, enabled: bool) -> None:
        word = "enable" if enabled else "disable"
        only_a_person(f"{word} a component", f"wassette component {word} {visible(component_id)}")
        if await asyncio.to_thread(self._store.set_enabled, component_id, enabled):
            self._recorder.change(word, component_id)
        self._changes.tell()
