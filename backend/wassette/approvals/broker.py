"""Waiting for a person: `Approvals.ask`.

An *entry* is one open question: what one call wants, shown as that call's. Asks for the same thing
in the same session wait behind it and are not shown. What a decision then does:

- *deny*: everyone behind the question is denied. After the second one, the session is not asked
  again about such things of this component.
- *once*: the call that was shown, for as long as it runs, and nobody else. The next one behind it
  becomes a question of its own, with its own text.
- *session*, *hour*, *always*: whoever waits for something that the rule covers, in this session or
  in all of them, also behind other questions.

A question whose call goes away is withdrawn, and the next one behind it is shown instead: nobody
decides by the text of a call that is over. Different sessions have different questions.

Whatever goes wrong is a denial with a reason: no room, no time, no record (the database), a front
end that fails, the component changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from wassette.errors import ApprovalsUnavailable, WassetteError

from .choices import covers
from .database import State, Watch
from .model import Component, Decision, Scope, refused
from .overlay import Overlay
from .store import Entry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from .model import ApprovalRequest, Rule
    from .store import Store

log = logging.getLogger(__name__)
_T = TypeVar("_T")

WATCH_INTERVAL = 0.05
"""Seconds between looks for what another process decided, while anything is open."""
NOES = 2
"""After so many the session is not asked again."""
_SESSIONS = 10_000  # sessions of which noes are remembered
_EVENTS = 4096  # that a slow front end may be behind


@dataclass(frozen=True)
class Limits:
    """How many may wait for a person."""

    entries: int = 1000
    """Open questions in all."""
    per_component: int = 250
    per_session: int = 250
    behind: int = 100
    """Asks behind one question."""


class EventKind(StrEnum):
    """What happened to a question."""

    ASKED = "asked"
    ENDED = "ended"
    LOST = "lost"
    """The front end was too slow; it should list what is open."""


@dataclass(frozen=True)
class Event:
    """`entry` is None for `LOST`."""

    kind: EventKind
    entry: Entry | None = None


class Prompter(Protocol):
    """A front end that asks by itself: a terminal, a client's dialog, a notification."""

    at_once: int
    """How many questions it can have open."""

    def wants(self, request: ApprovalRequest) -> bool:
        """Whether it is the place for this one: a client's dialog is for its own session."""

    async def prompt(self, request: ApprovalRequest) -> Decision | None:
        """Ask. None: it has no answer. Cancelled when somebody else has decided, or nobody waits
        any more. Whatever it raises is no answer."""


class _Waiter:
    """One `ask`."""

    def __init__(self, request: ApprovalRequest, answer: asyncio.Future[Decision]) -> None:
        self.request = request
        self.answer = answer

    def tell(self, decision: Decision) -> None:
        if not self.answer.done():
            self.answer.set_result(decision)


@dataclass(eq=False)
class _Question:
    """An entry that this process waits for. The first waiter is the one that is shown."""

    key: tuple[object, ...]
    waiters: list[_Waiter]
    recorded: bool = False
    over: bool = False
    prompts: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def request(self) -> ApprovalRequest:
        return self.waiters[0].request


@dataclass(eq=False)
class _Registered:
    prompter: Prompter
    free: asyncio.Semaphore


class Approvals:
    """One for each host. For one event loop; `close` when done."""

    def __init__(
        self,
        store: Store,
        *,
        current: Callable[[str], str | None] | None = None,
        write: Callable[[ApprovalRequest, Rule], None] | None = None,
        limits: Limits | None = None,
    ) -> None:
        """`current`: the digest that a component has now, None if it is not there. `write`: writes
        exactly this rule to the component's policy, in some thread, or raises. It must look at the
        component's digest again while it holds the policy's lock (`write.write_rule`)."""
        self.store = store
        self._current = current
        self._write = write
        self._limits = limits or Limits()
        self._watch = Watch(store.database, store.now)
        self.overlay = Overlay(self._refresh, store.now)
        self._open: dict[tuple[object, ...], _Question] = {}
        self._by_id: dict[str, _Question] = {}
        self._noes: dict[str, Counter[tuple[object, ...]]] = {}
        self._prompters: list[_Registered] = []
        self._listeners: list[_Listener] = []
        self._threads: ThreadPoolExecutor | None = None
        self._watching: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    # -- asking --------------------------------------------------------------------------------

    async def ask(self, request: ApprovalRequest) -> Decision:
        """What a person decides. Raises nothing but `CancelledError`, which withdraws the ask.

        An allowed `Decision` may be an earlier one that covers this; `rule` is then its.
        """
        try:
            known = self._known(request)
            if known is None:
                # What other processes decided since it was last needed.
                self._refresh()
                once = await self._in_thread(self.store.take_once, request)
                known = once or self._known(request)
        except WassetteError as error:
            return refused(request, str(error))
        if known is not None:
            return known
        waiter = _Waiter(request, asyncio.get_running_loop().create_future())
        left = (request.expires - self.store.now()) / 1000
        no_room = self._join(waiter)
        if no_room:
            return refused(request, no_room)
        try:
            # A decision made in time counts, although it takes a moment to be seen.
            async with asyncio.timeout(max(left, 0) + 4 * WATCH_INTERVAL):
                return await asyncio.shield(waiter.answer)
        except TimeoutError:
            if waiter.answer.done():
                return waiter.answer.result()
            self._leave(waiter, State.EXPIRED, _LATE)
            return refused(request, _LATE)
        finally:
            if not waiter.answer.done():
                self._leave(waiter, State.WITHDRAWN, "whoever asked has gone")

    def _known(self, request: ApprovalRequest) -> Decision | None:
        """What is decided already."""
        if self._closed:
            return refused(request, "the host is stopping")
        if self._is_stopped(request):
            return refused(request, _STOPPED)
        if self._changed_from(request):
            return refused(request, "the component has changed")
        return self.overlay.covering(
            request.component, request.client.session, request.call, request.subject
        )

    def _join(self, waiter: _Waiter) -> str:
        """Have it wait, behind a question or as a new one. Returns why that is not possible."""
        request = waiter.request
        key = _key(request)
        question = self._open.get(key)
        if question is not None:
            if len(question.waiters) > self._limits.behind:
                return "too many calls wait for the same decision"
            question.waiters.append(waiter)
            return ""
        no_room = self._room(request)
        if not no_room:
            question = _Question(key, [waiter])
            self._open[key] = question
            self._publish(question)
        return no_room

    def _room(self, request: ApprovalRequest) -> str:
        """Why there is no room for another question; empty if there is."""
        limits = self._limits
        if len(self._open) >= limits.entries:
            return f"{limits.entries} questions wait for a person already"
        component = session = 0
        for question in self._open.values():
            other = question.request
            component += other.component is not None and other.component == request.component
            session += other.client.session == request.client.session
        if component >= limits.per_component:
            return f"{limits.per_component} questions about this component wait already"
        if session >= limits.per_session:
            return f"{limits.per_session} questions of this session wait already"
        return ""

    def _publish(self, question: _Question) -> None:
        """Record the question and show it."""
        question.recorded = False
        request = question.request
        self._by_id[request.id] = question
        self._background(self._record(question, request))

    async def _record(self, question: _Question, request: ApprovalRequest) -> None:
        try:
            await self._in_thread(self.store.add, request)
        except ApprovalsUnavailable as error:
            # What is not on record could be decided by nobody else, and leaves no trace.
            if self._by_id.get(request.id) is question:
                log.error("nobody can be asked: %s", error)
                self._refuse(question, str(error))
            return
        if self._by_id.get(request.id) is not question:
            # Over before it was on record; whoever ended it found nothing there.
            await self._end_record(request, State.WITHDRAWN, "whoever asked has gone")
            return
        question.recorded = True
        self._tell(Event(EventKind.ASKED, Entry(request, State.PENDING)))
        for registered in self._prompters:
            self._prompt(registered, question)
        if self._watching is None or self._watching.done():
            self._watching = self._background(self._watch_others())

    def _leave(self, waiter: _Waiter, state: State, reason: str) -> None:
        """The ask is over without a decision."""
        question = self._open.get(_key(waiter.request))
        if question is None or waiter not in question.waiters:
            return
        shown = question.waiters[0] is waiter
        if not shown:
            question.waiters.remove(waiter)
            return
        self._retract(question, state, reason)
        question.waiters.remove(waiter)
        self._go_on(question)

    def _retract(self, question: _Question, state: State, reason: str) -> None:
        """Nobody is to decide what is shown now."""
        request = question.request
        self._by_id.pop(request.id, None)
        self._stop_prompts(question)
        if question.recorded:
            self._background(self._end_record(request, state, reason))
            self._tell(Event(EventKind.ENDED, Entry(request, state, reason=reason)))

    def _go_on(self, question: _Question) -> None:
        """Show the next one behind it, or close it."""
        if question.waiters:
            self._publish(question)
        else:
            self._drop(question)

    def _drop(self, question: _Question) -> None:
        question.over = True
        if self._open.get(question.key) is question:
            del self._open[question.key]

    def _refuse(self, question: _Question, reason: str) -> None:
        """Everyone behind it is denied, by nobody."""
        self._finish(question, lambda one: refused(one.request, reason))

    def _finish(self, question: _Question, answer: Callable[[_Waiter], Decision]) -> None:
        """Everyone behind it has an answer."""
        self._by_id.pop(question.request.id, None)
        self._stop_prompts(question)
        self._drop(question)
        for waiter in question.waiters:
            waiter.tell(answer(waiter))

    async def _end_record(self, request: ApprovalRequest, state: State, reason: str) -> None:
        try:
            await self._in_thread(self.store.end, request.id, state, reason)
        except ApprovalsUnavailable as error:
            log.warning("approval request %s is still on record: %s", request.id, error)

    # -- deciding ------------------------------------------------------------------------------

    async def decide(self, request_id: str, decision: Decision) -> Entry:
        """What a person decided, once. `request_id` is whole.

        Raises `ApprovalNotFound`, `ApprovalOver`, `DecisionRefused`, `ApprovalsUnavailable`, and
        what writing the rule of an `always` raises.
        """
        decide = partial(
            self.store.decide, request_id, decision, current=self._current, write=self._write
        )
        try:
            # To its end, even if whoever asks for it goes away: it may have been decided.
            entry = await asyncio.shield(self._background(self._in_thread(decide)))
        finally:
            # Also what failed can have ended it.
            await self._take_decided([request_id])
        return entry

    def pending(self) -> list[ApprovalRequest]:
        """What this host waits for, oldest first."""
        return [one.request for one in self._open.values() if one.recorded]

    async def entries(self) -> list[Entry]:
        """Everything that can be decided now, of every host."""
        return await self._in_thread(self.store.entries)

    async def revoke(self, request_id: str) -> bool:
        """Take a decision for an hour or a session back."""
        gone = await self._in_thread(self.store.revoke, request_id)
        self._refresh()
        return gone

    async def _watch_others(self) -> None:
        """Take what other processes decide, while anything is open."""
        failed = False
        while self._open and not self._closed:
            await asyncio.sleep(WATCH_INTERVAL)
            try:
                if self._watch.changed():
                    self._reload()
                    await self._take_decided(list(self._by_id))
                failed = False
            except ApprovalsUnavailable as error:
                if not failed:
                    log.error("decisions of other processes are not seen: %s", error)
                failed = True

    async def _take_decided(self, request_ids: list[str]) -> None:
        """Act on what is decided in the record."""
        waiting = [one for one in request_ids if one in self._by_id]
        if not waiting:
            return
        try:
            decided = await self._in_thread(self.store.decided, waiting)
        except ApprovalsUnavailable as error:
            log.error("decisions cannot be read: %s", error)
            return
        self._refresh()
        for request_id in waiting:
            question, entry = self._by_id.get(request_id), decided.get(request_id)
            if question is not None and entry is not None and question.request.id == request_id:
                self._apply(question, entry)

    def _apply(self, question: _Question, entry: Entry) -> None:
        request, decision = question.request, entry.decision
        self._tell(Event(EventKind.ENDED, entry))
        if decision is None or decision.digest != request.digest:
            reason = entry.reason or entry.state.value
            self._refuse(question, reason)
        elif not decision.allow:
            self._finish(question, lambda _: decision)
            if decision.by is not None:
                self._count_no(request)
        elif self._changed_from(request):
            reason = "the component has changed since it was asked"
            self._refuse(question, reason)
        else:
            self._allow(question, decision)

    def _allow(self, question: _Question, decision: Decision) -> None:
        request = question.request
        if decision.scope is Scope.ONCE and request.component and decision.rule is not None:
            self.overlay.add_to_call(request.call, request.component, decision)
        shown = question.waiters.pop(0)
        self._by_id.pop(request.id, None)
        self._stop_prompts(question)
        shown.tell(decision)
        if decision.rule is not None:
            for other in list(self._open.values()):
                self._settle(other, request, decision, shown=other is not question)
        if not question.over:
            self._go_on(question)

    def _settle(
        self, question: _Question, decided: ApprovalRequest, decision: Decision, *, shown: bool
    ) -> None:
        """Answer those behind a question whom a decision covers. `shown`: its first is shown."""
        left: list[_Waiter] = []
        settled: list[_Waiter] = []
        for waiter in question.waiters:
            (settled if _reaches(decision, decided, waiter.request) else left).append(waiter)
        if not settled:
            return
        retracted = shown and question.waiters[0] in settled
        if retracted:
            self._retract(question, State.WITHDRAWN, f"covered by what was decided: {decided.id}")
        question.waiters[:] = left
        for waiter in settled:
            waiter.tell(decision)
        if retracted:
            self._go_on(question)

    # -- noes ----------------------------------------------------------------------------------

    def _count_no(self, request: ApprovalRequest) -> None:
        session = request.client.session
        noes = self._noes.pop(session, None) or Counter()
        self._noes[session] = noes
        while len(self._noes) > _SESSIONS:
            del self._noes[next(iter(self._noes))]
        noes[_about(request)] += 1
        if noes[_about(request)] < NOES:
            return
        for question in list(self._open.values()):
            if self._is_stopped(question.request):
                self._retract(question, State.WITHDRAWN, _STOPPED)
                self._refuse(question, _STOPPED)

    def _is_stopped(self, request: ApprovalRequest) -> bool:
        noes = self._noes.get(request.client.session)
        return noes is not None and noes[_about(request)] >= NOES

    # -- what ends -----------------------------------------------------------------------------

    def end_call(self, call: str) -> None:
        """The call is over: what was allowed once is used up. Costs nothing if nothing was."""
        self.overlay.end_call(call)

    async def end_session(self, session: str) -> None:
        """A client has gone, with what was decided for its session."""
        self._noes.pop(session, None)
        self._void(
            lambda request: request.client.session == session,
            State.WITHDRAWN,
            "the client has gone",
        )
        if any(one.session == session for one in self.overlay.standing()):
            with contextlib.suppress(ApprovalsUnavailable):
                await self._in_thread(self.store.end_session, session)
            self._refresh()

    async def component_changed(self, component_id: str, digest: str | None) -> None:
        """A component has other bytes now, or (None) is gone: what was asked and decided about
        others is void. Before anything of the new one runs."""
        reason = "the component has changed" if digest else "the component was unloaded"
        self.overlay.forget(component_id)
        self._void(
            lambda request: (
                request.component is not None
                and request.component.id == component_id
                and request.component.digest != digest
            ),
            State.VOID,
            reason,
        )
        if self.store.database.exists():
            try:
                await self._in_thread(self.store.component_changed, component_id, digest, reason)
            except ApprovalsUnavailable as error:
                log.error("%s", error)
            self._refresh()

    def _void(self, which: Callable[[ApprovalRequest], bool], state: State, reason: str) -> None:
        for question in list(self._open.values()):
            if which(question.request):
                self._retract(question, state, reason)
                self._refuse(question, reason)

    def _changed_from(self, request: ApprovalRequest) -> bool:
        component = request.component
        if component is None or self._current is None:
            return False
        try:
            return self._current(component.id) != component.digest
        except WassetteError:
            return True

    # -- front ends ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def register(self, prompter: Prompter) -> Iterator[None]:
        """Have a front end ask, from what is open now on."""
        registered = _Registered(prompter, asyncio.Semaphore(max(prompter.at_once, 1)))
        self._prompters.append(registered)
        for question in list(self._open.values()):
            if question.recorded:
                self._prompt(registered, question)
        try:
            yield
        finally:
            self._prompters.remove(registered)
            for question in self._open.values():
                for task in question.prompts:
                    if task.get_name() == _prompt_name(registered):
                        task.cancel()

    def _prompt(self, registered: _Registered, question: _Question) -> None:
        request = question.request
        try:
            if not registered.prompter.wants(request):
                return
        except Exception:
            log.exception("a front end failed; it gives no answer")
            return
        task = self._background(self._ask_in(registered, request), _prompt_name(registered))
        question.prompts.add(task)
        task.add_done_callback(question.prompts.discard)

    async def _ask_in(self, registered: _Registered, request: ApprovalRequest) -> None:
        try:
            async with registered.free:
                decision = await registered.prompter.prompt(request)
            if decision is not None:
                await self.decide(request.id, decision)
        except WassetteError as error:
            log.warning("an answer does not count: %s", error)
        except Exception:
            log.exception("a front end failed; it gives no answer")

    def _stop_prompts(self, question: _Question) -> None:
        mine = asyncio.current_task()
        for task in question.prompts:
            if task is not mine:
                task.cancel()
        question.prompts = set()

    @property
    def watched(self) -> bool:
        """Whether a front end is open that shows what is asked."""
        return bool(self._listeners)

    @contextlib.asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[Event]]:
        """What happens from now on. A front end that falls far behind is told `LOST`."""
        listener = _Listener()
        self._listeners.append(listener)
        try:
            yield listener
        finally:
            self._listeners.remove(listener)

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener.put(event)

    # -- the record ----------------------------------------------------------------------------

    def _refresh(self) -> None:
        """Have standing decisions be those on record. If they cannot be read, there are none."""
        try:
            if self._watch.changed():
                self._reload()
        except ApprovalsUnavailable as error:
            log.error("decisions for a while do not hold: %s", error)
            self.overlay.replace(())

    def _reload(self) -> None:
        try:
            self.overlay.replace(self._watch.standing())
        except ApprovalsUnavailable:
            self.overlay.replace(())
            raise

    async def _in_thread(self, work: Callable[..., _T], *arguments: Any) -> _T:
        if self._threads is None:
            # More than one, since writing a rule may wait for a lock.
            self._threads = ThreadPoolExecutor(4, thread_name_prefix="approvals")
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, partial(work, *arguments)
        )

    def _background(
        self, work: Coroutine[Any, Any, _T], name: str | None = None
    ) -> asyncio.Task[_T]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def start(self) -> None:
        """Take over what hosts left that have gone. Does nothing if nothing was ever asked."""
        if self.store.database.exists():
            try:
                await self._in_thread(self.store.reap)
                self._refresh()
            except ApprovalsUnavailable as error:
                log.error("%s", error)

    async def close(self) -> None:
        """Deny whoever waits; what is open stays on record, for the next such access."""
        if self._closed:
            return
        self._closed = True
        for question in list(self._open.values()):
            self._refuse(question, "the host is stopping")
        for task in list(self._tasks):
            if task is self._watching or (task.get_name() or "").startswith("prompt "):
                task.cancel()
        if self._tasks:
            # A front end that does not end when it is told to is left behind.
            await asyncio.wait(list(self._tasks), timeout=5)
        try:
            await self._in_thread(self.store.leave)
        except ApprovalsUnavailable as error:
            log.error("%s", error)
        self._watch.close()
        await asyncio.get_running_loop().run_in_executor(None, self.store.close)
        if self._threads is not None:
            self._threads.shutdown(wait=False)


class _Listener:
    """The events for one front end."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._ready = asyncio.Event()

    def put(self, event: Event) -> None:
        if len(self._events) >= _EVENTS:
            self._events.clear()
            event = Event(EventKind.LOST)
        self._events.append(event)
        self._ready.set()

    def __aiter__(self) -> _Listener:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            self._ready.clear()
            await self._ready.wait()
        return self._events.popleft()


_LATE = "nobody decided in time"
_STOPPED = "a person said no more than once in this session, so nobody is asked again"


def _key(request: ApprovalRequest) -> tuple[object, ...]:
    """What waits behind the same question."""
    return request.client.session, request.component, request.subject_key


def _about(request: ApprovalRequest) -> tuple[object, ...]:
    """What a second no is about."""
    return request.component or Component("", ""), request.subject.kind


def _reaches(decision: Decision, decided: ApprovalRequest, other: ApprovalRequest) -> bool:
    """Whether a decision about one request is one about another that waits."""
    if decision.rule is None or decided.component is None or decided.component != other.component:
        return False
    within = {
        Scope.ONCE: decided.call == other.call and decided.client.session == other.client.session,
        Scope.SESSION: decided.client.session == other.client.session,
        Scope.HOUR: True,
        Scope.ALWAYS: True,
    }
    return within[decision.scope] and covers(decision.rule, other.subject)


def _prompt_name(registered: _Registered) -> str:
    return f"prompt {id(registered)}"
