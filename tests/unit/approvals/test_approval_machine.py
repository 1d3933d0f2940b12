"""Any order of asking, deciding, cancelling and changing: nobody is allowed what no person allowed.

The model is a list of what a person has allowed, and of what has ended since.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from support.approvals import asked, network, until
from wassette.approvals.broker import Approvals, Limits
from wassette.approvals.choices import covers
from wassette.approvals.database import State
from wassette.approvals.model import Component, Scope, Surface, allowed, denied
from wassette.approvals.store import Store
from wassette.errors import ApprovalError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from wassette.approvals.model import ApprovalRequest, Decision

IDS = ("weather", "notes")
SESSIONS = ("one", "two")
CALLS = ("a", "b")
URLS = ("https://api.example.com/x", "https://api.example.com/y", "https://www.example.com/")


@dataclass(eq=False)
class Ask:
    request: ApprovalRequest
    task: asyncio.Task[Decision]
    judged: bool = False


@dataclass(eq=False)
class Given:
    """What a person allowed, as long as it is good."""

    request: ApprovalRequest
    decision: Decision
    good: bool = True
    late: bool = False
    used: list[Ask] = field(default_factory=list)

    def reaches(self, request: ApprovalRequest) -> bool:
        mine, component = self.request, self.request.component
        if component != request.component or not covers(self.decision.rule, request.subject):
            return False
        same_session = mine.client.session == request.client.session
        match self.decision.scope:
            case Scope.ONCE if self.late:
                return True  # of the next same call
            case Scope.ONCE:
                return same_session and mine.call == request.call
            case Scope.SESSION:
                return same_session
        return True


class Machine(RuleBasedStateMachine):
    asks = Bundle("asks")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.digests = {one: f"{n:02x}" * 32 for n, one in enumerate(IDS)}
        self.count = 0
        self.all: list[Ask] = []
        self.given: list[Given] = []
        self.written: list[tuple[str, str, Any]] = []
        self.approvals = self.run(self.started())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def started(self) -> Approvals:
        one = Approvals(
            Store(self.folder / "approvals"),
            current=self.digests.get,
            write=self.write,
            limits=Limits(entries=6, per_component=5, per_session=5, behind=3),
        )
        await one.start()
        return one

    def write(self, request: ApprovalRequest, rule: Any) -> None:
        assert request.component is not None
        self.written.append((request.component.id, request.component.digest, rule))

    async def settle(self) -> None:
        """Let everything in the background come to its end, but for those who wait."""
        for _ in range(200):
            busy = [one for one in self.approvals._tasks if one is not self.approvals._watching]
            if not busy:
                break
            await asyncio.wait(busy, timeout=5)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def question(self, one: Ask) -> Any:
        """What it waits behind."""
        behind = [
            question
            for question in self.approvals._open.values()
            if any(waiter.request is one.request for waiter in question.waiters)
        ]
        assert len(behind) <= 1
        return behind[0] if behind else None

    # ---- what happens ----

    @rule(
        target=asks,
        wanted=st.lists(
            st.tuples(
                st.sampled_from(IDS),
                st.sampled_from(SESSIONS),
                st.sampled_from(CALLS),
                st.sampled_from(URLS),
            ),
            min_size=1,
            max_size=6,
        ),
    )
    def ask(self, wanted: list[tuple[str, str, str, str]]) -> Any:
        async def ask() -> list[Ask]:
            found = []
            for component, session, call, url in wanted:
                request = asked(
                    network(url),
                    component=Component(component, self.digests[component]),
                    session=session,
                    call=f"{session}-{call}",
                    arguments={"call": call},
                )
                found.append(Ask(request, asyncio.create_task(self.approvals.ask(request))))
            # Those that need no person come back by themselves.
            await until(lambda: all(one.task.done() or self.question(one) for one in found))
            await self.settle()
            return found

        found = self.run(ask())
        self.all += found
        return multiple(*found)

    @rule(
        which=st.integers(0, 20),
        scope=st.sampled_from(Scope),
        choice=st.integers(0, 3),
        no=st.booleans(),
        elsewhere=st.booleans(),
    )
    def decide(self, which: int, scope: Scope, choice: int, no: bool, elsewhere: bool) -> None:
        pending = self.run(self.approvals.entries())
        if not pending:
            return
        entry = pending[which % len(pending)]
        request = entry.request
        now = self.approvals.store.now()
        decision = denied(request, Surface.WEB, now)
        if not no:
            choice %= len(request.choices)
            decision = allowed(request, Surface.CLI, now, scope=scope, choice=choice)

        async def decide() -> None:
            if elsewhere:  # as another process does it
                other = Store(self.folder / "approvals")
                try:
                    other.decide(request.id, decision, current=self.digests.get, write=self.write)
                finally:
                    other.close()
                    await self.approvals._take_decided([request.id])
            else:
                await self.approvals.decide(request.id, decision)
            await self.settle()

        given = Given(request, decision, late=entry.state is State.ASKED)
        if decision.allow:
            self.given.append(given)
        try:
            self.run(decide())
        except ApprovalError:
            # Nothing waits for a session that is over.
            assert entry.state is State.ASKED
            assert scope is Scope.SESSION
            given.good = False

    @rule(one=asks)
    def cancel(self, one: Ask) -> None:
        async def cancel() -> None:
            one.task.cancel()
            await asyncio.gather(one.task, return_exceptions=True)
            await self.settle()

        self.run(cancel())

    @rule(session=st.sampled_from(SESSIONS), call=st.sampled_from(CALLS))
    def end_call(self, session: str, call: str) -> None:
        self.judge()
        self.approvals.end_call(f"{session}-{call}")
        for given in self.given:
            if given.decision.scope is Scope.ONCE and given.request.call == f"{session}-{call}":
                given.good = given.good and given.late

    @rule(session=st.sampled_from(SESSIONS), rarely=st.integers(0, 2))
    def end_session(self, session: str, rarely: int) -> None:
        if rarely:
            return
        self.judge()

        async def end() -> None:
            await self.approvals.end_session(session)
            await self.settle()

        self.run(end())
        for given in self.given:
            if given.decision.scope is Scope.SESSION and given.request.client.session == session:
                given.good = False

    @rule(component=st.sampled_from(IDS), rarely=st.integers(0, 3))
    def change(self, component: str, rarely: int) -> None:
        if rarely:
            return
        self.judge()
        self.count += 1
        self.digests[component] = f"{self.count + 16:02x}" * 32

        async def change() -> None:
            await self.approvals.component_changed(component, self.digests[component])
            await self.settle()

        self.run(change())

    @rule(which=st.integers(0, 20))
    def revoke(self, which: int) -> None:
        self.judge()
        standing = self.approvals.overlay.standing()
        if standing:
            one = standing[which % len(standing)]
            assert self.run(self.approvals.revoke(one.id))
            for given in self.given:
                if given.request.id == one.id:
                    given.good = False

    @rule(rarely=st.integers(0, 2))
    def restart(self, rarely: int) -> None:
        if rarely:
            return

        async def restart() -> None:
            await self.settle()
            await self.approvals.close()
            await asyncio.gather(*(one.task for one in self.all), return_exceptions=True)

        self.run(restart())
        self.judge()
        for given in self.given:
            if given.decision.scope is Scope.SESSION or (
                given.decision.scope is Scope.ONCE and not given.late
            ):
                given.good = False
        self.approvals = self.run(self.started())

    # ---- what is so ----

    @invariant()
    def judge(self) -> None:
        """Whoever was allowed something was so by a decision that was good then."""
        for one in self.all:
            if one.judged or not one.task.done() or one.task.cancelled():
                continue
            one.judged = True
            decision = one.task.result()
            if not decision.allow:
                continue
            by = [given for given in self.given if given.decision == decision]
            assert len(by) == 1, "allowed by nobody"
            assert by[0].good, "allowed by what is over"
            assert by[0].reaches(one.request), "allowed by what was about something else"
            if by[0].late and decision.scope is Scope.ONCE:
                assert not by[0].used, "once was used twice"
            by[0].used.append(one)

    @invariant()
    def whoever_waits_waits_behind_a_question(self) -> None:
        for one in self.all:
            if not one.task.done():
                question = self.question(one)
                assert question is not None
                assert question.request.id in self.approvals._by_id

    @invariant()
    def what_is_open_is_on_record(self) -> None:
        on_record = {entry.request.id: entry for entry in self.run(self.approvals.entries())}
        for request in self.approvals.pending():
            assert on_record[request.id].state is State.PENDING
        mine = {request.id for request in self.approvals.pending()}
        assert all(
            entry.state is State.ASKED for id_, entry in on_record.items() if id_ not in mine
        )

    @invariant()
    def policies_have_what_was_always(self) -> None:
        always = [
            (one.request.component, one.decision.rule)
            for one in self.given
            if one.decision.scope is Scope.ALWAYS
        ]
        written = [(Component(id_, digest), one) for id_, digest, one in self.written]
        assert written == always

    @invariant()
    def extra_rules_come_from_good_decisions(self) -> None:
        for component in IDS:
            for session in SESSIONS:
                bytes_ = Component(component, self.digests[component])
                extra = self.approvals.overlay.rules(bytes_, session, f"{session}-a")
                for one in extra.network:
                    assert any(
                        given.good
                        and given.decision.rule == one
                        and given.request.component == bytes_
                        and given.decision.scope is not Scope.ALWAYS
                        for given in self.given
                    )

    def teardown(self) -> None:
        async def end() -> None:
            await self.approvals.close()
            await asyncio.gather(*(one.task for one in self.all), return_exceptions=True)

        self.run(end())
        assert all(one.task.done() for one in self.all)
        self.judge()
        self.loop.close()
        shutil.rmtree(self.folder)


Machine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestApprovals = Machine.TestCase
