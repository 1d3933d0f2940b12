"""Loads that a window has started: what they are at, and the review before anything is taken in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wassette import errors
from wassette.policy import PolicyStatus

from . import models, problems, views
from .words import clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from wassette.answers import Arrival
    from wassette.components.record import ComponentRecord
    from wassette.host import Host

log = logging.getLogger(__name__)

MAX_RUNNING = 16
MAX_KEPT = 100
"""Loads that are remembered, running ones included; of those that have ended, the oldest go."""
MAX_CHANGES = 50
REVIEW_SECONDS = 3600.0
"""For which a review waits for a person."""
_STAGES: dict[str, models.LoadStage] = {
    "reading": "download",
    "downloading": "download",
    "verifying": "verify",
    "examine": "examine",
    "compiling": "compile",
}
_PARTS = 1000  # that progress is told in
_TOLD_EVERY = 0.1  # seconds


@dataclass(eq=False)
class _Load:
    id: str
    reference: str
    digest: str | None
    created: float
    stage: models.LoadStage = "download"
    done: int | None = None
    error: models.Problem | None = None
    component_id: str | None = None
    review: models.LoadReview | None = None
    confirmed: asyncio.Event = field(default_factory=asyncio.Event)
    trust_policy: bool = False
    task: asyncio.Task[None] | None = None
    told: float = 0.0

    @property
    def over(self) -> bool:
        return self.stage in ("done", "failed", "cancelled")

    def shown(self) -> models.Load:
        return models.Load(
            id=self.id,
            reference=clean(self.reference),
            digest=self.digest,
            stage=self.stage,
            done=self.done,
            total=None if self.done is None else _PARTS,
            error=self.error,
            component_id=self.component_id,
            review=self.review,
            created=self.created,
        )


class Loads:
    """One for each server."""

    def __init__(self, host: Host, tell: Callable[[models.Model], None]) -> None:
        self._host, self._tell = host, tell
        self._loads: dict[str, _Load] = {}

    def all(self) -> list[models.Load]:
        """Newest first."""
        return [one.shown() for one in reversed(self._loads.values())]

    def get(self, load_id: str) -> models.Load:
        return self._get(load_id).shown()

    def check_room(self) -> None:
        """Raises `Refusal` if too many run already."""
        if sum(not one.over for one in self._loads.values()) >= MAX_RUNNING:
            raise problems.Refusal(
                503, f"{MAX_RUNNING} components are being loaded already", name="too-many-loads"
            )

    def start(
        self,
        reference: str,
        *,
        digest: str | None = None,
        source: str | None = None,
        after: Callable[[], None] = lambda: None,
    ) -> models.Load:
        """Begin; `after` is done when it is over. `digest`, `source`: see `Host.load`."""
        self.check_room()
        for one in list(self._loads.values()):
            if len(self._loads) < MAX_KEPT:
                break
            if one.over:
                del self._loads[one.id]
        load = _Load(secrets.token_hex(8), source or reference, digest, time.time())
        self._loads[load.id] = load
        load.task = asyncio.create_task(self._run(load, reference, source), name=f"load {load.id}")
        load.task.add_done_callback(lambda _: after())
        return load.shown()

    def confirm(self, load_id: str, *, trust_policy: bool) -> models.Load:
        load = self._get(load_id)
        if load.stage != "review" or load.confirmed.is_set():
            raise problems.Refusal(409, f"This load does not wait for that: it is {load.stage}")
        if trust_policy and (load.review is None or load.review.policy is None):
            raise problems.Refusal(422, "No policy came with this component that could be trusted")
        load.trust_policy = trust_policy
        load.confirmed.set()
        return load.shown()

    async def cancel(self, load_id: str) -> None:
        """Have it end, or forget it if it has."""
        load = self._get(load_id)
        if load.over:
            del self._loads[load_id]
            return
        assert load.task is not None
        load.task.cancel()
        await asyncio.gather(load.task, return_exceptions=True)

    async def close(self) -> None:
        tasks = [one.task for one in self._loads.values() if one.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- one load --------------------------------------------------------------------------------

    async def _run(self, load: _Load, reference: str, source: str | None) -> None:
        try:
            loaded = await self._host.load(
                reference,
                lambda stage, done: self._progress(load, stage, done),
                digest=load.digest,
                source=source,
                review=lambda arrival: self._review(load, arrival),
            )
            if load.trust_policy:
                await self._host.grant_wanted(loaded.record.id, loaded.record.digest)
        except asyncio.CancelledError:
            self._end(load, "cancelled")
            return
        except errors.WassetteError as error:
            load.error = problems.of_error(error)
            self._end(load, "failed")
            return
        except Exception as error:
            log.exception("loading failed")
            what = f"{type(error).__name__}: {errors.visible(str(error), 500)}"
            load.error = problems.of_status(500, what)
            self._end(load, "failed")
            return
        load.component_id = loaded.record.id
        self._end(load, "done")

    async def _review(self, load: _Load, arrival: Arrival) -> bool:
        record, before = arrival.record, arrival.before
        state = await asyncio.to_thread(self._host.policies.read, record.id)
        keeps = before is not None and state.status is not PolicyStatus.ABSENT
        changes = arrival.changes or _different(before, record)
        load.component_id = record.id
        trusted = self._host.trusted(record)
        load.review = views.review(
            arrival, changes, state.policy if keeps else None, keeps, trusted
        )
        load.stage, load.done = "review", None
        self._told(load)
        try:
            async with asyncio.timeout(REVIEW_SECONDS):
                await load.confirmed.wait()
        except TimeoutError:
            raise errors.ComponentError(
                "Nobody said within an hour that it should be loaded. Load it again."
            ) from None
        return True

    def _progress(self, load: _Load, stage: str, done: float | None) -> None:
        if load.over:
            return
        known = _STAGES.get(stage)
        if known is None:
            return
        changed = known != load.stage
        load.stage, load.done = known, None if done is None else int(done * _PARTS)
        if changed or time.monotonic() - load.told > _TOLD_EVERY:
            self._told(load)

    def _end(self, load: _Load, stage: models.LoadStage) -> None:
        load.stage, load.done = stage, None
        self._told(load)

    def _told(self, load: _Load) -> None:
        load.told = time.monotonic()
        self._tell(models.LoadEvent(type="load", load=load.shown()))

    def _get(self, load_id: str) -> _Load:
        with contextlib.suppress(KeyError):
            return self._loads[load_id]
        raise problems.Refusal(404, "There is no such load")


def _different(before: ComponentRecord | None, now: ComponentRecord) -> tuple[str, ...]:
    """What a person is shown of the difference, whether or not there are permissions to keep; and
    what they have not seen of it yet, since they have then."""
    if before is None:
        return ()
    found: tuple[str, ...] = ()
    if before.digest != now.digest:
        from wassette.approvals.seen import View, changes

        found = tuple(one.text for one in changes(View.of(before), View.of(now)))
        found = found[:MAX_CHANGES] or ("its code is other code",)
    return (*before.unseen, *found)
