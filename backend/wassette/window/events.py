"""What is told to open windows, as it happens.

While one is open, what is asked counts as watched: dialogs in clients step back, since the person
has it before them (`Approvals.watched`). Every event has an id; a window whose connection broke
gets what it missed, if that is still known.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wassette import errors
from wassette._version import __version__
from wassette.activity.entry import Filter
from wassette.approvals.broker import EventKind

from . import models

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from wassette.activity import ActivityReader, Entry
    from wassette.answers import Change
    from wassette.host import Host

log = logging.getLogger(__name__)

KEPT = 1000
"""Events that a window can have missed."""
LINGER = 30.0
"""Seconds for which events are kept when no window is open: for one whose connection broke."""
CALM = 0.25
"""Seconds between two tellings of the status: calls can begin and end a thousand times in one."""
PING = 15.0
"""Seconds after which something is sent, so that a connection that is gone is noticed."""
MAX_STREAMS = 50
RETRY = 1.0
"""Seconds before a source that failed is tried again."""


@dataclass(frozen=True)
class _Event:
    number: int
    data: bytes
    """As it is sent."""


class _Stream:
    def __init__(self) -> None:
        self.events: deque[_Event] = deque()
        self.ready = asyncio.Event()
        self.over = False

    def put(self, event: _Event) -> None:
        if len(self.events) >= KEPT:
            self.end()  # too slow: it comes again, and is told what it can be told
            return
        self.events.append(event)
        self.ready.set()

    def end(self) -> None:
        self.over = True
        self.ready.set()


class Events:
    """One for each server."""

    def __init__(
        self,
        host: Host,
        reader: ActivityReader,
        status: Callable[[], Awaitable[models.Status]],
        entry: Callable[[Entry], models.ActivityEntry],
    ) -> None:
        self._host, self._reader, self._status, self._entry = host, reader, status, entry
        self._streams: list[_Stream] = []
        self._kept: deque[_Event] = deque(maxlen=KEPT)
        self._number = 0
        self._epoch = ""
        self._sources: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._lingering: asyncio.TimerHandle | None = None
        self._stir = asyncio.Event()
        self._closed = False

    @property
    def open(self) -> int:
        """Windows that are open now."""
        return len(self._streams)

    @property
    def full(self) -> bool:
        return self._closed or len(self._streams) >= MAX_STREAMS

    @property
    def lingers(self) -> bool:
        """Whether one was open a moment ago."""
        return self._sources is not None

    # -- telling ---------------------------------------------------------------------------------

    def tell(self, event: models.Model) -> None:
        """Tell every window. Kept only while anybody could want it."""
        if self._sources is None:
            return
        self._number += 1
        made = _Event(self._number, self._encode(event, self._number))
        self._kept.append(made)
        for stream in list(self._streams):
            stream.put(made)

    def _encode(self, event: models.Model, number: int) -> bytes:
        try:
            data = event.model_dump_json().encode()
        except ValueError:  # a text that UTF-8 cannot hold
            data = event.model_dump_json(ensure_ascii=True).encode()
        name = str(getattr(event, "type", "message"))
        return b"event: %b\nid: %b-%d\ndata: %b\n\n" % (
            name.encode(),
            self._epoch.encode(),
            number,
            data,
        )

    def status_changed(self) -> None:
        self._stir.set()

    # -- a window ----------------------------------------------------------------------------------

    async def stream(self, last: str | None) -> AsyncIterator[bytes]:
        """For one window, until it goes. `last`: the id of the last event that it had."""
        if self.full:
            return
        stream = _Stream()
        self._start()
        missed = self._missed(last)
        self._streams.append(stream)
        try:
            await self._watch()
            hello = models.Hello(type="hello", version=__version__, resumed=missed is not None)
            yield b"retry: 1000\n" + self._encode(hello, self._number)
            for event in missed or ():
                yield event.data
            self._stir.set()
            while not stream.over or stream.events:
                while stream.events:
                    yield stream.events.popleft().data
                stream.ready.clear()
                if stream.over:
                    return
                try:
                    await asyncio.wait_for(stream.ready.wait(), PING)
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self._streams.remove(stream)
            if not self._streams:
                self._rest()

    def _missed(self, last: str | None) -> list[_Event] | None:
        """What came after `last`; None if that is not known (any more)."""
        epoch, _, text = (last or "").partition("-")
        if epoch != self._epoch or not text.isdecimal() or len(text) > 15:
            return None
        number = int(text)
        oldest = self._kept[0].number if self._kept else self._number + 1
        if number > self._number or number + 1 < oldest:
            return None
        return [event for event in self._kept if event.number > number]

    # -- where it comes from -----------------------------------------------------------------------

    def _start(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        if self._sources is None:
            self._epoch = secrets.token_hex(6)
            self._kept.clear()
            self._sources = asyncio.create_task(self._run(), name="window events")

    def _rest(self) -> None:
        """No window is open: nothing is watched any more, and soon nothing followed."""
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None
            # What becomes of questions meanwhile is not followed.
            self.tell(models.ApprovalEvent(type="approval", id=None, state=None))
        if not self._closed:
            loop = asyncio.get_running_loop()
            self._lingering = loop.call_later(LINGER, self._stop)

    def _stop(self) -> None:
        if self._sources is not None:
            self._sources.cancel()
            self._sources = None

    async def _watch(self) -> None:
        if self._watching is None or self._watching.done():
            begun = asyncio.Event()
            self._watching = asyncio.create_task(self._approvals(begun), name="window approvals")
            await begun.wait()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._forever(self._activity))
            group.create_task(self._forever(self._components))
            group.create_task(self._forever(self._statuses))

    async def _forever(self, source: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await source()
            except errors.WassetteError as error:
                log.warning("%s", error)
            except Exception:
                log.exception("a source of events failed")
            await asyncio.sleep(RETRY)

    async def _activity(self) -> None:
        async for entry in self._reader.follow(Filter()):
            self.tell(models.ActivityEvent(type="activity", entry=self._entry(entry)))

    async def _components(self) -> None:
        def changed(change: Change) -> None:
            ids = sorted(change.updated)
            self.tell(models.ComponentsEvent(type="components", ids=ids))
            self._stir.set()

        async with self._host.watching(changed):
            await asyncio.Event().wait()

    async def _statuses(self) -> None:
        known: Any = None
        before: frozenset[str] | None = None
        with self._host.presence.following(self._stir.set):
            while True:
                await self._stir.wait()
                self._stir.clear()
                status = await self._status()
                sessions = frozenset(one.session for one in status.clients)
                if before is not None and sessions != before:
                    self.tell(models.ClientsEvent(type="clients"))
                before = sessions
                now = status.model_dump(exclude={"uptime"})
                if now != known:
                    known = now
                    self.tell(models.StatusEvent(type="status", status=status))
                await asyncio.sleep(CALM)

    async def _approvals(self, begun: asyncio.Event) -> None:
        try:
            approvals = await self._host.asking.approvals()
            async with approvals.events() as events:
                begun.set()
                async for event in events:
                    self._tell_approval(event.kind, event.entry)
        except errors.WassetteError as error:
            log.error("what is asked cannot be shown: %s", error)
        finally:
            begun.set()

    def _tell_approval(self, kind: EventKind, entry: Any) -> None:
        lost = kind is EventKind.LOST or entry is None
        self.tell(
            models.ApprovalEvent(
                type="approval",
                id=None if lost else entry.request.id,
                state=None if lost else entry.state.value,
            )
        )
        self._stir.set()

    def end_streams(self) -> None:
        """For good."""
        self._closed = True
        for stream in self._streams:
            stream.end()

    async def close(self) -> None:
        """End every stream and every source."""
        self.end_streams()
        if self._lingering is not None:
            self._lingering.cancel()
        tasks = [one for one in (self._sources, self._watching) if one is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._sources = self._watching = None
        with contextlib.suppress(errors.StoreError):
            self._reader.close()
