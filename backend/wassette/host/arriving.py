"""A component's bytes before it is loaded: fetched, examined, compared with what is there.

Nothing here changes which components there are: see `loading`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from wassette.answers import Arrival, Prospect
from wassette.components import sources
from wassette.errors import DigestMismatch
from wassette.policy import PolicyStatus

from .examining import incoming, naming, of_origin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from wassette.answers import Preview, Progress
    from wassette.components.record import ComponentRecord
    from wassette.components.remote import OciReference
    from wassette.components.store import ComponentStore
    from wassette.fetching import Fetching
    from wassette.policy import PolicyStore
    from wassette.provenance import Provenances
    from wassette.registry.push import Pushed

    from .examining import Examining
    from .inventory import Inventory

MAX_CHANGES = 100
"""Differences between components that are kept for a person."""
MAX_NOTES, MAX_NOTE = 12, 500
"""Differences, and characters of each, that the question of an agent has room for."""


class Arriving:
    """One for each host."""

    def __init__(
        self,
        store: ComponentStore,
        policies: PolicyStore,
        *,
        fetching: Fetching,
        provenances: Provenances,
        examining: Examining,
        inventory: Inventory,
    ) -> None:
        self._store, self._policies, self._fetching = store, policies, fetching
        self._provenances, self._examining, self._inventory = provenances, examining, inventory

    @contextlib.asynccontextmanager
    async def arrived(
        self,
        reference: str,
        tell: Progress,
        *,
        digest: str | None = None,
        by_person: bool = True,
        check: bool = False,
        accept_change: bool = True,
        source: str | None = None,
    ) -> AsyncIterator[Arrival]:
        located = sources.locate(reference)
        if source is not None:
            located = replace(located, source=source)
        async with contextlib.AsyncExitStack() as stack:
            path = stack.enter_context(incoming(self._store))
            with naming(located.source):
                pulled = await stack.enter_async_context(
                    self._fetching.fetch(located, path, tell, by_person=by_person)
                )
                if digest is not None and pulled.digest != digest:
                    raise DigestMismatch(
                        f"{located.source} has the digest sha256:{pulled.digest}, but "
                        f"sha256:{digest} was asked for. It was not loaded."
                    )
                origin = await self._provenances.look(pulled, located.path, tell)
                if check:
                    self._provenances.check(origin, changes=not accept_change)
                before = self._inventory.record(located.id)
                if before is not None and before.digest == pulled.digest:
                    record = before
                else:
                    record = await self._examining.examine(
                        located.id, path, pulled.digest, located.source, tell
                    )
                # A component keeps its place, so that loading it again renames no tool.
                loaded_at = before.loaded_at if before else time.time()
                record = replace(record, source=located.source, loaded_at=loaded_at)
                record = of_origin(record, origin, before)
                changes = self._provenances.changes(origin)
                other = self._provenances.another_signer(origin)
            unseen = self._unseen(before, record)
            record = replace(record, unseen=unseen)
            yield Arrival(
                pulled, record, before, unseen, origin.evidence, changes, other, origin.remarks
            )

    def _unseen(self, before: ComponentRecord | None, now: ComponentRecord) -> tuple[str, ...]:
        """What a person has to see before the permissions that are there are for `now`."""
        if before is None or self._policies.read(now.id).status is PolicyStatus.ABSENT:
            return ()
        from wassette.approvals.seen import View, changes

        if before.digest == now.digest and View.of(before) == View.of(now):
            return before.unseen

        found = tuple(one.text for one in changes(View.of(before), View.of(now)))
        return tuple(dict.fromkeys((*before.unseen, *(found or ("its code is other code",)))))[
            :MAX_CHANGES
        ]

    async def preview(self, reference: str, tell: Progress) -> Preview:
        from wassette.sandbox.capabilities import capabilities

        located = sources.locate(reference)
        with naming(located.source), incoming(self._store) as path:
            async with self._fetching.fetch(located, path, tell) as pulled:
                origin = await self._provenances.look(pulled, located.path, tell)
            data = await asyncio.to_thread(path.read_bytes)
            found = await asyncio.to_thread(capabilities, data)
        return self._provenances.preview(origin, found)

    async def digest_of(self, reference: str) -> str:
        located = sources.locate(reference)
        with naming(located.source), incoming(self._store) as path:
            async with self._fetching.fetch(located, path) as pulled:
                return pulled.digest

    async def prospect(self, reference: str, digest: str) -> Prospect:
        from wassette.approvals.seen import View, changes
        from wassette.approvals.text import quoted

        located = sources.locate(reference)
        before = self._inventory.record(located.id)
        with naming(located.source), incoming(self._store) as path:
            async with self._fetching.fetch(located, path) as pulled:
                if pulled.digest != digest:
                    raise DigestMismatch(f"{located.source} changed while it was looked at")
                origin = await self._provenances.look(pulled, located.path)
            data = await asyncio.to_thread(path.read_bytes)
            self._provenances.check(origin, changes=False)
            notes = self._provenances.notes(origin)
            facts = tuple(await asyncio.to_thread(self._provenances.facts, origin, data))
            if before is None:
                return Prospect(tuple(notes), facts)
            notes.append(f"{located.id} is loaded already; this takes its place")
            if self._policies.read(located.id).status is PolicyStatus.ABSENT:
                return Prospect(tuple(notes), facts)
            after = of_origin(
                await self._examining.examine(located.id, path, digest, located.source),
                origin,
                before,
            )
        texts = [*before.unseen, *(one.text for one in changes(View.of(before), View.of(after)))]
        # A note is cut where it is long, and there are only so many.
        if len(texts) > MAX_NOTES or any(
            len(quoted(text, 10 * MAX_NOTE)) > MAX_NOTE for text in texts
        ):
            notes += [
                f"more is different than can be shown here: the permissions of {located.id} wait "
                "until you load it at a terminal, which shows it",
                *texts[:MAX_NOTES],
            ]
            return Prospect(tuple(notes), facts, complete=False)
        notes += [f"it gets the permissions that {located.id} has", *texts]
        return Prospect(tuple(notes), facts)

    async def push(
        self,
        what: str,
        reference: OciReference,
        policy: bytes | None,
        annotations: Mapping[str, str] | None,
        tell: Progress,
    ) -> Pushed:
        known = self._inventory.record(what)
        if known is not None:
            path = self._store.path(what)
            return await self._fetching.push(known, path, reference, policy, annotations, tell)
        # Whoever pushes it may be about to sign it.
        async with self.arrived(what, tell) as arrival:
            return await self._fetching.push(
                arrival.record, arrival.pulled.path, reference, policy, annotations, tell
            )
