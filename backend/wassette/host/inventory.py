"""Which components there are, what is known of them, and the tools that they have."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wassette.answers import ComponentState
from wassette.components.record import ComponentRecord
from wassette.components.store import Unexamined
from wassette.errors import (
    ComponentError,
    ComponentNotFound,
    NotSigned,
    ToolNotFound,
    WassetteError,
)
from wassette.toolset import Toolset

if TYPE_CHECKING:
    from wassette.approvals.model import Component
    from wassette.components.store import ComponentStore
    from wassette.provenance import Provenances
    from wassette.toolset import Tool

    from .changes import Changes
    from .examining import Examining

UNEXAMINED = "has not been examined yet"
_RACY_NS = 100_000_000  # a directory changed this recently may change again unnoticed


@dataclass
class _Tools:
    version: object = None
    toolset: Toolset = field(default_factory=lambda: Toolset(()))


class Inventory:
    """Of one host."""

    def __init__(
        self,
        store: ComponentStore,
        provenances: Provenances,
        examining: Examining,
        changes: Changes,
    ) -> None:
        self._store, self._provenances = store, provenances
        self._examining, self._changes = examining, changes
        self._tools = _Tools()

    def all(self) -> list[ComponentState]:
        """By id. Cheap: nothing is compiled, and wasmtime is not loaded."""
        found = []
        disabled = self._store.disabled()
        for component_id in self._store.ids():
            enabled = component_id not in disabled
            try:
                known = self._store.get(component_id)
            except ComponentNotFound:
                continue  # removed meanwhile
            except WassetteError as error:
                found.append(ComponentState(component_id, None, str(error), enabled))
                continue
            if isinstance(known, Unexamined):
                found.append(ComponentState(component_id, None, UNEXAMINED, enabled))
            elif (reason := self._provenances.refusal(known)) is not None:
                found.append(ComponentState(component_id, None, reason, enabled))
            else:
                trusted = self._provenances.trusts(known.signature)
                found.append(ComponentState(component_id, known, None, enabled, trusted))
        return found

    async def get(self, component_id: str) -> ComponentRecord:
        """One that may be used, examined if it was put there by hand.

        Raises `ComponentNotFound`, `ComponentChanged`, `InvalidComponent`, `NotSigned`.
        """
        known = self._store.get(component_id)
        if isinstance(known, Unexamined):
            record = await self._examining.adopt(known)
            self._changes.tell()
            return record
        reason = self._provenances.refusal(known)
        if reason is not None:
            raise NotSigned(reason)
        return known

    async def examined(self) -> list[ComponentState]:
        """As `all`; those that were put into the directory by hand are examined first."""
        found = []
        for state in self.all():
            if state.error == UNEXAMINED:
                try:
                    record = await self.get(state.id)
                    state = ComponentState(state.id, record, None, state.enabled)
                except ComponentNotFound:
                    continue  # removed meanwhile
                except WassetteError as error:
                    state = ComponentState(state.id, None, str(error), state.enabled)
            found.append(state)
        return found

    def record(self, component_id: str) -> ComponentRecord | None:
        """What is known already of one, whether it may be used or not."""
        with contextlib.suppress(ComponentError):
            known = self._store.get(component_id)
            if isinstance(known, ComponentRecord):
                return known
        return None

    def digest(self, component_id: str) -> str | None:
        record = self.record(component_id)
        return record.digest if record is not None else None

    def loaded(self, component_id: str) -> Component | None:
        """As approvals name it."""
        from wassette.approvals.model import Component

        record = self.record(component_id)
        return None if record is None else Component(record.id, record.digest)

    def check(self, component_id: str) -> None:
        """Raises `ComponentNotFound`. Cheap: nothing of it is read."""
        if not self._store.path(component_id).is_file():
            raise ComponentNotFound(component_id)

    # -- tools -------------------------------------------------------------------------------------

    def tools(self) -> Toolset:
        """Those of all components that can be used now."""
        version = self._store.version()
        if version is None or version != self._tools.version:
            states = self.all()
            records = [state.record for state in states if state.record is not None]
            disabled = {state.id for state in states if not state.enabled}
            self._tools = _Tools(settled(version), Toolset(records, disabled))
        return self._tools.toolset

    def tool(self, name: str) -> Tool:
        """Raises `ToolNotFound`, which names what cannot be used, `ComponentDisabled`."""
        try:
            return self.tools().get(name)
        except ToolNotFound as unknown:
            broken = [f"{s.id}: {s.error}" for s in self.all() if s.error is not None]
            raise (ToolNotFound(name, broken) if broken else unknown) from None


def settled(version: object) -> object:
    """`version`, or None while it is so young that another change might not show in it."""
    if isinstance(version, tuple) and abs(time.time_ns() - version[0]) < _RACY_NS:
        return None
    return version
