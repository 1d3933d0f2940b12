"""Telling those who watch of what is otherwise than before, whoever changed it."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wassette.answers import Change
from wassette.errors import WassetteError
from wassette.noticing import Noticing

from .inventory import UNEXAMINED, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from wassette.components.store import ComponentStore
    from wassette.policy import PolicyStore
    from wassette.toolset import Toolset

    from .background import Background
    from .changes import Changes
    from .inventory import Inventory
    from .permissions import Permissions
    from .workers import Workers

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Seen:
    """What those who watch were told of last."""

    version: object
    toolset: Toolset
    paused: bool
    components: Mapping[str, tuple[object, ...]]
    """By id: digest or error and whether it is enabled, and what its policy says."""

    def changed_since(self, before: Seen) -> Change:
        ids = self.components.keys() | before.components.keys()
        differ = {one for one in ids if self.components.get(one) != before.components.get(one)}
        return Change(
            tools=self.toolset != before.toolset,
            components={one: found[0] for one, found in self.components.items()}
            != {one: found[0] for one, found in before.components.items()},
            updated=frozenset(differ),
            paused=self.paused != before.paused,
        )


class Watching:
    """One for each host."""

    def __init__(
        self,
        store: ComponentStore,
        policies: PolicyStore,
        *,
        inventory: Inventory,
        permissions: Permissions,
        workers: Workers,
        background: Background,
        changes: Changes,
    ) -> None:
        self._store, self._policies = store, policies
        self._inventory, self._permissions, self._workers = inventory, permissions, workers
        self._background, self._changes = background, changes
        self._told: list[Callable[[Change], None]] = []
        self._seen: Seen | None = None

    @contextlib.asynccontextmanager
    async def watching(self, changed: Callable[[Change], None]) -> AsyncIterator[None]:
        if not self._told:
            self._seen = self._look()
            self._changes.follower = self._tell
            self._background.run(self._watch(), "watch")
        self._told.append(changed)
        try:
            yield
        finally:
            self._told.remove(changed)
            if not self._told:
                self._changes.follower = None

    async def _watch(self) -> None:
        for state in await self._inventory.examined():
            if state.error is not None:
                log.warning("component %s: %s", state.id, state.error)
        for state in self._inventory.all():
            if state.record is not None:
                self._workers.warm(state.id)
                break  # one, so that the fork server runs; the others when they are called
        async with Noticing(self._store.directory) as noticing:
            while self._told:
                told = await noticing.wait()
                version, seen = self._store.version(), self._seen
                known = seen is not None and version is not None and version == seen.version
                if known and not told:
                    continue
                try:
                    if any(state.error == UNEXAMINED for state in self._inventory.all()):
                        await self._inventory.examined()
                    self._tell()
                except WassetteError as error:
                    log.warning("%s", error)

    def _look(self) -> Seen:
        version = settled(self._store.version())
        components: dict[str, tuple[object, ...]] = {}
        for state in self._inventory.all():
            policy = self._policies.read(state.id)
            known = state.record.digest if state.record is not None else state.error
            what = known, state.enabled
            roots = self._permissions.bound(state.id)[0]
            components[state.id] = what, policy.policy, str(policy.error), roots
        return Seen(version, self._inventory.tools(), self._store.paused, components)

    def _tell(self) -> None:
        """Of what is otherwise than they know."""
        if self._seen is None:
            return
        now = self._look()
        change = now.changed_since(self._seen)
        self._seen = now
        if change:
            for changed in list(self._told):
                changed(change)
