"""Loading components and unloading them: what changes which components there are."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from wassette.answers import Loaded
from wassette.errors import ComponentChanged, visible
from wassette.recording import only_a_person
from wassette.threads import to_its_end

if TYPE_CHECKING:
    from wassette.answers import Progress, Review
    from wassette.asking import Asking
    from wassette.components.store import ComponentStore
    from wassette.policy import PolicyStore
    from wassette.provenance import Provenances
    from wassette.recording import Recorder
    from wassette.usage import Usage

    from .arriving import Arriving
    from .changes import Changes
    from .granting import Granting
    from .inventory import Inventory
    from .workers import Workers


class Loading:
    """One for each host."""

    def __init__(
        self,
        store: ComponentStore,
        policies: PolicyStore,
        *,
        arriving: Arriving,
        inventory: Inventory,
        granting: Granting,
        workers: Workers,
        provenances: Provenances,
        asking: Asking,
        usage: Usage,
        recorder: Recorder,
        changes: Changes,
    ) -> None:
        self._store, self._policies, self._arriving = store, policies, arriving
        self._inventory, self._granting, self._workers = inventory, granting, workers
        self._provenances, self._asking, self._usage = provenances, asking, usage
        self._recorder, self._changes = recorder, changes

    async def load(
        self,
        reference: str,
        tell: Progress,
        *,
        digest: str | None,
        seen: bool,
        accept_change: bool,
        by_person: bool,
        source: str | None,
        review: Review | None,
    ) -> Loaded:
        async with self._arriving.arrived(
            reference,
            tell,
            digest=digest,
            by_person=by_person,
            check=True,
            accept_change=accept_change or review is not None,
            source=source,
        ) as arrival:
            record, before = arrival.record, arrival.before
            if review is not None:
                seen |= await review(arrival)
                if self._inventory.digest(record.id) != (before and before.digest):
                    raise ComponentChanged(
                        f"Component '{record.id}' was loaded, changed or removed meanwhile, so "
                        "what was shown is not what would happen. Load it again."
                    )
            if seen:
                record = replace(record, unseen=())
            if record == before:
                replaced = True  # nothing is other than it was
            else:
                replaced = await to_its_end(self._store.commit, arrival.pulled.path, record)
        tell("loaded", 1.0)
        self._changes.tell()
        self._workers.warm(record.id)
        changed = before.digest if before and before.digest != record.digest else None
        if changed is not None:
            await self._asking.component_changed(record.id, record.digest)
        if record != before:
            word = "reload" if before is not None else "load"
            self._recorder.change(f"{word} {record.source}", record.id, digest=record.digest)
        await asyncio.to_thread(self._provenances.keep, arrival.evidence, record.signature)
        names = tuple(tool.name for tool in self._inventory.tools().of(record.id))
        asks = self._granting.wanted(record.id)
        lines = asks.lines if asks is not None else ()
        return Loaded(record, replaced, names, changed, record.unseen, arrival.remarks, lines)

    async def mark_seen(self, component_id: str) -> None:
        record = await self._inventory.get(component_id)
        if record.unseen:
            await asyncio.to_thread(self._store.mark_seen, component_id, record.digest)
            self._recorder.change("seen by a person", component_id, digest=record.digest)
            self._changes.tell()

    async def unload(self, component_id: str) -> None:
        if self._store.is_disabled(component_id):
            # Loaded again, it would be enabled.
            only_a_person(
                "remove a component that is disabled",
                f"wassette component unload {visible(component_id)}",
            )
        await asyncio.to_thread(self._store.remove, component_id)
        await asyncio.to_thread(self._policies.reset, component_id)
        await self._asking.component_changed(component_id, None)
        self._usage.forget(component_id)
        self._recorder.change("unload", component_id)
        self._changes.tell()
