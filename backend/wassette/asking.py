"""Where a host asks a person: what is asked, by whom, while what waits, and what is said meanwhile.

`wassette.approvals` is imported when something is asked, or was before (its database is there):
until then nothing of it costs anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import NotAskable, WassetteError, visible

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

    from .answers import Client, Progress
    from .approvals.broker import Approvals
    from .approvals.model import ApprovalRequest, Component, Fact, Rule, Scope, Subject
    from .approvals.overlay import Extra
    from .recording import Call, Recorder

_T = TypeVar("_T")

SAY_AGAIN = 10.0
"""Seconds after which a client is told again that a person is waited for: many give up on a call
that they have heard nothing of for a minute."""
KEPT = 300.0
"""Seconds for which the result of an action is kept for whoever asked for it and did not wait."""
MAX_ACTIONS = 1000
"""Actions of agents that wait, or whose results are kept."""


class Dialog:
    """A client's own dialog: asks in it, for one call. See `approvals.broker.Prompter`."""

    at_once = 1

    def __init__(self) -> None:
        self.dismissed = asyncio.Event()
        """It was closed without an answer."""

    def wants(self, request: ApprovalRequest) -> bool:
        raise NotImplementedError

    async def prompt(self, request: ApprovalRequest) -> Any:
        raise NotImplementedError


@dataclass
class Caller:
    """Who wants something, while what runs."""

    client: Client
    call: Call
    arguments: Mapping[str, Any] | bytes
    progress: Progress | None = None
    dialog: Dialog | None = None
    patience: float | None = None
    """Seconds after which nothing is gained by waiting on, if the client hears nothing meanwhile
    and nobody is known to look: it would give up, and never see what a person can do."""
    question: str = ""
    """The one that is being asked, and its id."""
    request: str = ""


@dataclass(frozen=True)
class Answer:
    """What a person said, or why nobody did."""

    allowed: bool
    reason: str = ""
    rule: Rule | None = None
    scope: Scope | None = None


@dataclass
class Surroundings:
    """What a host knows, and approvals need. All of it may be called from threads."""

    current: Callable[[str], str | None]
    """The digest that a component has now."""
    write: Callable[[ApprovalRequest, Rule], None]
    """Writes a rule to a policy."""
    enforceable: Callable[[Rule], bool]
    secret_values: Callable[[], Iterable[str]]
    ids: Callable[[], Iterable[str]]


@dataclass
class _Action:
    caller: Caller
    task: asyncio.Task[Any]
    waiting: int = 0


@dataclass
class Asking:
    """One for each host."""

    directory: Path
    """The component directory."""
    timeout: float
    """Seconds for which a person is waited for."""
    around: Surroundings
    recorder: Recorder
    _approvals: Approvals | None = None
    _looked: bool = False
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    _actions: dict[object, _Action] = field(default_factory=dict)

    async def look(self) -> None:
        """Once: have decisions that were made before, if there ever were any."""
        if self._looked:
            return
        self._looked = True
        from .approvals import files

        if (files.default_directory(self.directory) / files.DATABASE).exists():
            await self.approvals()

    @property
    def opened(self) -> bool:
        """Whether anything was ever asked, as far as this host knows."""
        return self._approvals is not None

    async def approvals(self) -> Approvals:
        async with self._opening:
            if self._approvals is None:
                await asyncio.to_thread(_import)
                from .approvals.broker import Approvals
                from .approvals.files import default_directory
                from .approvals.store import Store

                store = Store(default_directory(self.directory))
                approvals = Approvals(store, current=self.around.current, write=self.around.write)
                await approvals.start()
                self._approvals = approvals
        return self._approvals

    def allowed(self, component: tuple[str, str], session: str, call: str) -> Extra | None:
        """What was allowed beyond the policy to a component (id, digest), in this session and call;
        None if that is nothing."""
        if self._approvals is None:
            return None
        from .approvals.model import Component

        return self._approvals.overlay.rules(Component(*component), session, call) or None

    async def ask(
        self,
        subject: Subject,
        component: Component | None,
        caller: Caller,
        notes: Iterable[str],
        facts: Iterable[Fact] = (),
    ) -> Answer:
        """Ask a person, and wait. Cancelling takes the question back. Raises nothing else.

        `notes`, `facts`: see `approvals.compose`.
        """
        began = time.monotonic()
        try:
            approvals = await self.approvals()
            alone = caller.dialog is None and caller.progress is None and not approvals.watched
            timeout = self.timeout
            if alone and caller.patience is not None:
                timeout = min(timeout, caller.patience)
            request = await asyncio.to_thread(
                self._compose, subject, component, caller, notes, facts, timeout
            )
        except NotAskable as error:
            return Answer(False, str(error))
        except WassetteError as error:
            return Answer(False, str(error))
        caller.question, caller.request = request.question, request.id
        decided = None
        try:
            decided = await self._decided(approvals, request, caller)
        finally:
            self.recorder.decision(
                request.question,
                decided is not None and decided.allow,
                about=caller.call.about,
                reason="whoever asked has gone" if decided is None else decided.reason,
                seconds=time.monotonic() - began,
                detail=_detail(request, decided),
            )
            caller.question = caller.request = ""
        if not decided.allow:
            return Answer(False, decided.reason)
        from .approvals.model import Scope

        once = decided.scope is Scope.ONCE and decided.rule is not None
        if once and component is not None:
            known = approvals.overlay.covering(
                component, request.client.session, request.call, subject
            )
            if known is None:  # decided before, for the next such access: this one
                approvals.overlay.add_to_call(request.call, component, decided)
        return Answer(True, rule=decided.rule, scope=decided.scope)

    async def _decided(self, approvals: Approvals, request: ApprovalRequest, caller: Caller) -> Any:
        from .approvals.model import refused

        dialog = caller.dialog
        if dialog is None or approvals.watched:
            with _said(caller, request.question):
                return await approvals.ask(request)
        dialog.dismissed.clear()
        with approvals.register(dialog):
            asked = asyncio.create_task(approvals.ask(request))
            closed = asyncio.create_task(dialog.dismissed.wait())
            try:
                await asyncio.wait({asked, closed}, return_when=asyncio.FIRST_COMPLETED)
                if asked.done():
                    return asked.result()
                return refused(request, "the question was closed without an answer")
            finally:
                for task in (asked, closed):
                    task.cancel()
                await asyncio.gather(asked, closed, return_exceptions=True)

    def _compose(
        self,
        subject: Subject,
        component: Component | None,
        caller: Caller,
        notes: Iterable[str],
        facts: Iterable[Fact],
        timeout: float,
    ) -> ApprovalRequest:
        from .approvals.compose import compose
        from .approvals.model import Client

        client = caller.client
        return compose(
            subject,
            component,
            Client(client.name, client.version, client.transport, client.session),
            call=caller.call.id,
            tool=caller.call.tool,
            arguments=caller.arguments,
            facts=facts,
            notes=notes,
            secret_values=self.around.secret_values(),
            other_ids=self.around.ids(),
            home=str(Path.home()),
            enforceable=self.around.enforceable,
            timeout=timeout,
        )

    # -- what agents ask for ---------------------------------------------------------------------

    async def act(
        self,
        key: object,
        caller: Caller,
        work: Callable[[], Awaitable[_T]],
        patience: float,
    ) -> _T:
        """Do `work`, which asks a person first. `StillWaiting` if that takes longer: it goes on,
        and whoever comes with the same `key` later has what came of it, once."""
        action = self._actions.get(key)
        if action is None:
            if len(self._actions) >= MAX_ACTIONS:
                raise NotAskable("too much waits for a person already")
            action = _Action(caller, asyncio.ensure_future(work()))
            self._actions[key] = action
            action.task.add_done_callback(lambda _: self._keep(key, action))
        action.waiting += 1
        try:
            with _said(caller, action.caller.question):
                await asyncio.wait({action.task}, timeout=patience)
        except asyncio.CancelledError:
            if action.waiting == 1 and self._actions.get(key) is action:
                del self._actions[key]
                action.task.cancel()  # nobody wants it any more
            raise
        finally:
            action.waiting -= 1
        if not action.task.done():
            raise StillWaiting(action.caller.question, action.caller.request)
        if self._actions.get(key) is action:
            del self._actions[key]
        result: _T = action.task.result()
        return result

    def forget(self, key: object) -> None:
        """Whoever asked knows by other means that it was done: what came of it is of the past."""
        action = self._actions.get(key)
        if action is not None and action.task.done():
            del self._actions[key]

    def _keep(self, key: object, action: _Action) -> None:
        if not action.task.cancelled():
            action.task.exception()  # seen, also when nobody comes for it

        def forget() -> None:
            if self._actions.get(key) is action:
                del self._actions[key]

        asyncio.get_running_loop().call_later(KEPT, forget)

    # -- what ends -------------------------------------------------------------------------------

    def end_call(self, call: str) -> None:
        if self._approvals is not None:
            self._approvals.end_call(call)

    def waits(self, session: str) -> bool:
        """Whether something that was asked for in this session waits for a person."""
        return any(
            action.caller.client.session == session and not action.task.done()
            for action in self._actions.values()
        )

    async def end_session(self, session: str) -> None:
        if self._approvals is not None:
            await self._approvals.end_session(session)

    async def component_changed(self, component_id: str, digest: str | None) -> None:
        await self.look()
        if self._approvals is not None:
            await self._approvals.component_changed(component_id, digest)

    async def close(self) -> None:
        for action in list(self._actions.values()):
            action.task.cancel()
        self._actions.clear()
        if self._approvals is not None:
            await self._approvals.close()


class StillWaiting(WassetteError):
    """A person was asked, and has not decided yet."""

    def __init__(self, question: str, request: str) -> None:
        # What the dialog says is for the person; the agent gets the way to it.
        look = f"wassette approvals show {request[:12]}" if request else "wassette approvals list"
        super().__init__(
            "A person was asked and has not decided yet. Tell the user: "
            f"{visible(question, 300)} To see and decide it:\n  {look}\n"
            "Call this tool again in the same way when it is decided."
        )


@contextlib.contextmanager
def _said(caller: Caller, question: str) -> Iterator[None]:
    """Have the client told what is waited for, now and again."""
    progress = caller.progress
    if progress is None:
        yield
        return

    async def say() -> None:
        while True:
            asked = question or caller.question
            progress(f"waits for a person: {visible(asked, 300)}", None)
            await asyncio.sleep(SAY_AGAIN)

    task = asyncio.create_task(say())
    try:
        yield
    finally:
        task.cancel()


def _detail(request: ApprovalRequest, decided: Any) -> dict[str, Any]:
    from .approvals.choices import rule_text

    found: dict[str, Any] = {"request": request.id, "asked": request.subject.kind}
    if decided is not None and decided.by is not None:
        found["by"] = decided.by.value
    if decided is not None and decided.allow:
        found["scope"] = decided.scope.value
        if decided.rule is not None:
            found["rule"] = rule_text(decided.rule)
    return found


def _import() -> None:
    """Takes some tens of milliseconds: in a thread."""
    import wassette.approvals.broker
    import wassette.approvals.compose  # noqa: F401
