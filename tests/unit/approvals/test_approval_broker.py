"""Waiting for a person."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from support.approvals import NOTES, WEATHER, asked, file, network, shown, until
from wassette.approvals.broker import Approvals, EventKind, Limits
from wassette.approvals.database import State
from wassette.approvals.model import (
    Component,
    Decision,
    EnvironmentAccess,
    LoadAsked,
    PermissionAsked,
    Scope,
    Surface,
    allowed,
    denied,
)
from wassette.approvals.overlay import NOTHING
from wassette.approvals.store import Store
from wassette.errors import ApprovalNotFound, ApprovalOver, DecisionRefused, PolicyError
from wassette.policy import NetworkRule

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from wassette.approvals.model import ApprovalRequest, Rule

pytestmark = pytest.mark.anyio


class World:
    """What the host knows and does."""

    def __init__(self) -> None:
        self.digests: dict[str, str] = {"weather": WEATHER.digest, "notes": NOTES.digest}
        self.written: list[tuple[str, Rule]] = []

    def current(self, component_id: str) -> str | None:
        return self.digests.get(component_id)

    def write(self, request: ApprovalRequest, rule: Rule) -> None:
        assert request.component is not None
        self.written.append((request.component.id, rule))


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def approvals(tmp_path: Path, world: World) -> AsyncIterator[Approvals]:
    one = Approvals(Store(tmp_path / "approvals"), current=world.current, write=world.write)
    await one.start()
    yield one
    await one.close()


def ask(approvals: Approvals, *arguments: Any, **options: Any) -> asyncio.Task[Decision]:
    return asyncio.create_task(approvals.ask(asked(*arguments, **options)))


async def allow(
    approvals: Approvals, request: ApprovalRequest, scope: Scope | None = None, **options: Any
) -> None:
    now = approvals.store.now()
    await approvals.decide(request.id, allowed(request, Surface.WEB, now, scope=scope, **options))


async def deny(approvals: Approvals, request: ApprovalRequest) -> None:
    await approvals.decide(request.id, denied(request, Surface.WEB, approvals.store.now()))


async def test_allowed_once(approvals: Approvals) -> None:
    waiting = ask(approvals)
    (request,) = await shown(approvals)
    assert not waiting.done()
    await allow(approvals, request)
    decision = await waiting
    assert (decision.allow, decision.scope, decision.by) == (True, Scope.ONCE, Surface.WEB)
    rule = NetworkRule("https://api.example.com", methods=("GET",))
    assert approvals.overlay.rules(WEATHER, "session-1", "call-1").network == (rule,)
    assert approvals.overlay.rules(WEATHER, "session-1", "call-2") == NOTHING
    assert approvals.overlay.rules(NOTES, "session-1", "call-1") == NOTHING
    # The rest of the same call needs no other question; the next call does.
    assert (await approvals.ask(asked(network("https://api.example.com/v2")))).allow
    approvals.end_call("call-1")
    assert approvals.overlay.rules(WEATHER, "session-1", "call-1") == NOTHING
    again = ask(approvals)
    (other,) = await shown(approvals)
    assert other.id != request.id
    await deny(approvals, other)
    assert not (await again).allow


async def test_denied(approvals: Approvals) -> None:
    waiting = ask(approvals)
    await deny(approvals, (await shown(approvals))[0])
    decision = await waiting
    assert not decision.allow
    assert decision.reason == "a person said no"
    assert approvals.overlay.rules(WEATHER, "session-1", "call-1") == NOTHING


async def test_nobody_decides_in_time(approvals: Approvals) -> None:
    decision = await approvals.ask(asked(timeout=0.1))
    assert (decision.allow, decision.by, decision.reason) == (False, None, "nobody decided in time")
    (entry,) = approvals.store.entries(ended=True)
    await until(lambda: approvals.store.get(entry.request.id).state is State.EXPIRED)
    assert approvals.pending() == []
    with pytest.raises(ApprovalOver):
        await allow(approvals, entry.request)


async def test_who_asked_goes_away(approvals: Approvals) -> None:
    waiting = ask(approvals)
    (request,) = await shown(approvals)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await until(lambda: approvals.store.get(request.id).state is State.WITHDRAWN)
    with pytest.raises(ApprovalOver, match="withdrawn"):
        await allow(approvals, request)
    assert approvals.pending() == []


async def test_who_asked_goes_away_before_it_is_on_record(approvals: Approvals) -> None:
    request = asked()
    waiting = asyncio.create_task(approvals.ask(request))
    await until(lambda: request.id in approvals._by_id)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    def ended() -> bool:
        try:
            return approvals.store.get(request.id).state is State.WITHDRAWN
        except ApprovalNotFound:
            return False

    await until(ended)
    assert approvals.pending() == []


async def test_same_asks_of_one_call_are_one_question(approvals: Approvals) -> None:
    waiting = [ask(approvals, network(f"https://api.example.com/{n}")) for n in range(20)]
    (request,) = await shown(approvals)
    await allow(approvals, request)
    assert all([(await one).allow for one in waiting])
    assert len(approvals.store.entries(ended=True)) == 1


async def test_once_is_for_the_call_that_was_shown(approvals: Approvals) -> None:
    first = ask(approvals, call="call-1", arguments={"n": 1})
    await shown(approvals)
    second = ask(approvals, call="call-2", arguments={"n": 2})
    (request,) = await shown(approvals)
    assert '"n": 1' in request.text
    await allow(approvals, request)
    assert (await first).allow
    (request,) = await shown(approvals)
    assert not second.done()
    assert '"n": 2' in request.text
    await deny(approvals, request)
    assert not (await second).allow


@pytest.mark.parametrize("scope", [Scope.SESSION, Scope.HOUR, Scope.ALWAYS])
async def test_wider_scopes_are_for_all_behind_the_question(
    approvals: Approvals, scope: Scope, world: World
) -> None:
    waiting = [ask(approvals, call=f"call-{n}") for n in range(5)]
    (request,) = await shown(approvals)
    await allow(approvals, request, scope)
    assert all([(await one).allow for one in waiting])
    assert approvals.pending() == []
    rule = NetworkRule("https://api.example.com", methods=("GET",))
    assert world.written == ([("weather", rule)] if scope is Scope.ALWAYS else [])


async def test_a_no_is_for_all_behind_the_question(approvals: Approvals) -> None:
    waiting = [ask(approvals, call=f"call-{n}") for n in range(5)]
    await deny(approvals, (await shown(approvals))[0])
    assert not any([(await one).allow for one in waiting])


async def test_the_next_call_is_shown_when_the_first_one_goes(approvals: Approvals) -> None:
    first = ask(approvals, call="call-1", arguments={"n": 1})
    (old,) = await shown(approvals)
    second = ask(approvals, call="call-2", arguments={"n": 2})
    await asyncio.sleep(0.05)
    first.cancel()
    await until(lambda: approvals.pending() and approvals.pending()[0].id != old.id)
    (new,) = approvals.pending()
    assert '"n": 2' in new.text
    await until(lambda: approvals.store.get(old.id).state is State.WITHDRAWN)
    with pytest.raises(ApprovalOver):
        await allow(approvals, old)
    await allow(approvals, new)
    assert (await second).allow


async def test_one_behind_the_question_can_go(approvals: Approvals) -> None:
    first = ask(approvals, call="call-1")
    (request,) = await shown(approvals)
    second = ask(approvals, call="call-2")
    await asyncio.sleep(0.05)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert approvals.pending() == [request]
    await allow(approvals, request)
    assert (await first).allow


async def test_two_sessions_have_two_questions(approvals: Approvals) -> None:
    one, other = ask(approvals, session="one"), ask(approvals, session="two")
    requests = {request.client.session: request for request in await shown(approvals, 2)}
    await allow(approvals, requests["one"], Scope.SESSION)
    assert (await one).allow
    assert approvals.overlay.rules(WEATHER, "one")
    assert not approvals.overlay.rules(WEATHER, "two")
    assert not other.done()
    await deny(approvals, requests["two"])
    assert not (await other).allow


async def test_an_hour_answers_other_sessions_too(approvals: Approvals) -> None:
    one = ask(approvals, session="one")
    other = ask(approvals, network(method="HEAD"), session="two")
    elsewhere = ask(approvals, component=NOTES, session="two")
    requests = {(r.client.session, r.component): r for r in await shown(approvals, 3)}
    rule = NetworkRule("*.example.com")
    await allow(approvals, requests["one", WEATHER], Scope.HOUR, rule=rule)
    assert (await one).rule == (await other).rule == rule
    (left,) = approvals.pending()
    assert left.component == NOTES
    covered = requests["two", WEATHER].id
    await until(lambda: approvals.store.get(covered).state is State.WITHDRAWN)
    elsewhere.cancel()


async def test_a_narrower_rule_leaves_the_others_waiting(approvals: Approvals) -> None:
    first = ask(approvals, network("https://api.example.com/a/x"), call="call-1")
    await shown(approvals)
    second = ask(approvals, network("https://api.example.com/b/y"), call="call-1")
    await asyncio.sleep(0.05)
    (request,) = await shown(approvals)
    await allow(approvals, request, rule=NetworkRule("https://api.example.com/a/*"))
    assert (await first).allow
    (next_,) = await shown(approvals)
    assert "/b/y" in next_.text
    await deny(approvals, next_)
    assert not (await second).allow


async def test_after_the_second_no_nobody_is_asked(approvals: Approvals) -> None:
    for path in ("/srv/app/a", "/srv/app/b"):
        waiting = ask(approvals, file(path))
        await deny(approvals, (await shown(approvals))[0])
        await waiting
    decision = await approvals.ask(asked(file("/srv/app/c")))
    assert not decision.allow
    assert "nobody is asked again" in decision.reason
    # Other kinds, components and sessions are.
    others = [
        ask(approvals),
        ask(approvals, file("/srv/app/c"), component=NOTES),
        ask(approvals, file("/srv/app/c"), session="other"),
    ]
    for request in await shown(approvals, 3):
        await allow(approvals, request)
    assert all([(await one).allow for one in others])


async def test_the_second_no_answers_what_waits(approvals: Approvals) -> None:
    waiting = [ask(approvals, file(f"/srv/app/{n}")) for n in range(5)]
    requests = await shown(approvals, 5)
    await deny(approvals, requests[0])
    assert len(approvals.pending()) == 4
    await deny(approvals, requests[1])
    assert not any([(await one).allow for one in waiting])
    assert approvals.pending() == []


async def test_silence_is_not_a_no(approvals: Approvals) -> None:
    for _ in range(3):
        assert (await approvals.ask(asked(timeout=0.01))).reason == "nobody decided in time"


async def test_a_session_that_ends_is_forgotten(approvals: Approvals) -> None:
    for path in ("/srv/app/a", "/srv/app/b"):
        ask(approvals, file(path))
        await deny(approvals, (await shown(approvals))[0])
    granted = ask(approvals)
    await allow(approvals, (await shown(approvals))[0], Scope.SESSION)
    await granted
    waiting = ask(approvals, EnvironmentAccess("A"))
    await shown(approvals)
    await approvals.end_session("session-1")
    assert (await waiting).reason == "the client has gone"
    assert approvals.overlay.rules(WEATHER, "session-1") == NOTHING
    waiting = ask(approvals, file("/srv/app/a"))
    await deny(approvals, (await shown(approvals))[0])


async def test_a_component_that_changes_voids_everything(
    approvals: Approvals, world: World
) -> None:
    for path, scope in (("/srv/app/a", Scope.HOUR), ("/srv/app/b", Scope.ONCE)):
        granted = ask(approvals, file(path))
        await allow(approvals, (await shown(approvals))[0], scope)
        await granted
    assert len(approvals.overlay.rules(WEATHER, "session-1", "call-1").storage) == 2
    waiting, other = ask(approvals), ask(approvals, component=NOTES)
    requests = await shown(approvals, 2)
    world.digests["weather"] = "ff" * 32
    await approvals.component_changed("weather", "ff" * 32)
    assert (await waiting).reason == "the component has changed"
    assert approvals.overlay.rules(WEATHER, "session-1", "call-1") == NOTHING
    new = Component("weather", "ff" * 32)
    assert approvals.overlay.rules(new, "session-1", "call-1") == NOTHING
    (request,) = [one for one in requests if one.component == WEATHER]
    with pytest.raises(ApprovalOver):
        await allow(approvals, request)
    assert "changed" in (await approvals.ask(asked())).reason
    other.cancel()


async def test_a_change_that_nobody_told_of_is_seen(approvals: Approvals, world: World) -> None:
    waiting = ask(approvals)
    (request,) = await shown(approvals)
    world.digests["weather"] = "ff" * 32
    with pytest.raises(ApprovalOver, match="void"):
        await allow(approvals, request, Scope.ALWAYS)
    assert "changed" in (await waiting).reason
    assert world.written == []


async def test_always_that_cannot_be_written(approvals: Approvals, world: World) -> None:
    def write(_: ApprovalRequest, __: Rule) -> None:
        raise PolicyError("no")

    approvals._write = write
    waiting = ask(approvals)
    with pytest.raises(PolicyError):
        await allow(approvals, (await shown(approvals))[0], Scope.ALWAYS)
    decision = await waiting
    assert not decision.allow
    assert "could not be written: no" in decision.reason


async def test_what_was_revoked_does_not_hold(approvals: Approvals) -> None:
    waiting = ask(approvals)
    (request,) = await shown(approvals)
    await allow(approvals, request, Scope.HOUR)
    await waiting
    assert [one.id for one in approvals.overlay.standing()] == [request.id]
    assert await approvals.revoke(request.id)
    assert approvals.overlay.rules(WEATHER, "session-1") == NOTHING
    assert approvals.overlay.standing() == []


async def test_agents_ask_for_permissions_and_components(approvals: Approvals) -> None:
    grant = ask(approvals, PermissionAsked(NetworkRule("a.example.com")))
    load = ask(approvals, LoadAsked("file:///x.wasm", "ab" * 32))
    for request in await shown(approvals, 2):
        await allow(approvals, request)
    assert (await grant).scope is Scope.SESSION
    assert (await load).allow
    assert approvals.overlay.rules(WEATHER, "session-1").network == (NetworkRule("a.example.com"),)


# ---- room ----------------------------------------------------------------------------------------


async def test_a_thousand_wait(approvals: Approvals) -> None:
    components = [Component(f"weather-{n}", "ab" * 32) for n in range(10)]
    approvals._current = None
    waiting = [
        ask(approvals, file(f"/srv/app/{n}"), component=components[n % 10], session=f"s{n % 7}")
        for n in range(1000)
    ]
    requests = await shown(approvals, 1000)
    decision = await approvals.ask(asked(session="late"))
    assert decision.reason == "1000 questions wait for a person already"
    # They can all be decided, and do not keep each other waiting.
    began = time.monotonic()
    for number, request in enumerate(requests):
        if number % 100 == 0:
            await allow(approvals, request)
    assert time.monotonic() - began < 60
    waiting[1].cancel()
    await until(lambda: len(approvals.pending()) == 989)
    await approvals.close()
    decisions = await asyncio.gather(*waiting, return_exceptions=True)
    assert sum(isinstance(one, Decision) and one.allow for one in decisions) == 10


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(entries=2), "2 questions wait for a person"),
        (Limits(per_component=2), "2 questions about this component"),
        (Limits(per_session=2), "2 questions of this session"),
    ],
)
async def test_limits(tmp_path: Path, limits: Limits, reason: str) -> None:
    approvals = Approvals(Store(tmp_path / "approvals"), limits=limits)
    waiting = [ask(approvals, file(f"/srv/app/{n}")) for n in range(2)]
    await shown(approvals, 2)
    decision = await approvals.ask(asked(file("/srv/app/x")))
    assert not decision.allow
    assert reason in decision.reason
    waiting[0].cancel()
    await shown(approvals, 1)
    third = ask(approvals, file("/srv/app/x"))
    await shown(approvals, 2)
    await approvals.close()
    assert (await third).reason == "the host is stopping"


async def test_too_many_behind_one_question(tmp_path: Path) -> None:
    approvals = Approvals(Store(tmp_path / "approvals"), limits=Limits(behind=3))
    waiting = [ask(approvals, call=str(n)) for n in range(6)]
    await until(lambda: sum(one.done() for one in waiting) == 2)
    assert all("too many" in one.result().reason for one in waiting if one.done())
    await approvals.close()


# ---- front ends ----------------------------------------------------------------------------------


class Front:
    """A front end that does what it is told."""

    def __init__(self, answer: Any = None, at_once: int = 1) -> None:
        self.at_once = at_once
        self.answer = answer
        self.asked: list[ApprovalRequest] = []
        self.cancelled = 0
        self.now = 0
        self.most = 0

    def wants(self, request: ApprovalRequest) -> bool:
        return True

    async def prompt(self, request: ApprovalRequest) -> Decision | None:
        self.asked.append(request)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if self.answer is None:
                await asyncio.Event().wait()
            result = self.answer(request)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.now -= 1
        assert result is None or isinstance(result, Decision)
        return result


def yes(request: ApprovalRequest) -> Decision:
    return allowed(request, Surface.TERMINAL, 1)


async def test_the_first_answer_counts_and_the_other_front_ends_are_told(
    approvals: Approvals,
) -> None:
    slow, quick = Front(), Front(yes)
    with approvals.register(slow), approvals.register(quick):
        decision = await approvals.ask(asked())
        assert (decision.allow, decision.by) == (True, Surface.TERMINAL)
        await until(lambda: slow.cancelled == 1)


def crash(_: ApprovalRequest) -> Decision:
    raise RuntimeError("a front end fails")


@pytest.mark.parametrize(
    "answer",
    [
        crash,
        lambda _: None,
        lambda request: replace(yes(request), digest="0" * 64),
        lambda request: replace(yes(request), rule=NetworkRule("*.evil.example")),
        lambda request: yes(asked(network("https://evil.example"))),
    ],
)
async def test_a_front_end_that_fails_does_not_allow(approvals: Approvals, answer: Any) -> None:
    front = Front(answer)
    with approvals.register(front):
        waiting = ask(approvals)
        (request,) = await shown(approvals)
        await until(lambda: front.asked)
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await deny(approvals, request)
        assert not (await waiting).allow


async def test_a_front_end_that_does_not_want_it_is_not_asked(approvals: Approvals) -> None:
    front = Front(yes)
    front.wants = lambda request: request.client.session == "mine"  # type: ignore[method-assign]
    with approvals.register(front):
        waiting = ask(approvals)
        await shown(approvals)
        assert (await approvals.ask(asked(session="mine"))).allow
        assert not waiting.done()
        waiting.cancel()


async def test_a_front_end_is_asked_as_much_as_it_can_take(approvals: Approvals) -> None:
    front = Front(lambda request: denied(request, Surface.DESKTOP, 1), at_once=2)
    with approvals.register(front):
        waiting = [ask(approvals, session=str(n)) for n in range(8)]
        await asyncio.gather(*waiting)
    assert len(front.asked) == 8
    assert front.most <= 2


async def test_a_front_end_that_comes_later_is_asked_what_is_open(approvals: Approvals) -> None:
    waiting = ask(approvals)
    await shown(approvals)
    with approvals.register(Front(yes)):
        assert (await waiting).allow


async def test_a_front_end_that_leaves_is_cancelled(approvals: Approvals) -> None:
    front = Front()
    waiting = ask(approvals)
    await shown(approvals)
    with approvals.register(front):
        await until(lambda: front.asked)
    await until(lambda: front.cancelled == 1)
    assert not waiting.done()
    waiting.cancel()


async def test_events(approvals: Approvals) -> None:
    async with approvals.events() as events:
        waiting = ask(approvals)
        first = await anext(events)
        assert first.kind is EventKind.ASKED
        assert first.entry is not None
        await allow(approvals, first.entry.request)
        second = await anext(events)
        assert (second.kind, second.entry and second.entry.state) == (
            EventKind.ENDED,
            State.ALLOWED,
        )
        assert (await waiting).allow


async def test_a_slow_listener_is_told_that_it_missed_something(approvals: Approvals) -> None:
    from wassette.approvals import broker

    async with approvals.events() as events:
        for _ in range(broker._EVENTS + 10):
            approvals._tell(broker.Event(EventKind.ASKED))
        assert (await anext(events)).kind is EventKind.LOST


# ---- ends ----------------------------------------------------------------------------------------


async def test_deciding_what_is_not_there(approvals: Approvals) -> None:
    request = asked()
    with pytest.raises(ApprovalNotFound):
        await allow(approvals, request)


async def test_deciding_twice(approvals: Approvals) -> None:
    waiting = ask(approvals)
    (request,) = await shown(approvals)
    results = await asyncio.gather(
        *(allow(approvals, request) for _ in range(10)),
        *(deny(approvals, request) for _ in range(10)),
        return_exceptions=True,
    )
    assert results.count(None) == 1
    assert all(isinstance(one, ApprovalOver) for one in results if one is not None)
    assert (await waiting).allow is (None in results[:10])


async def test_a_wrong_decision_leaves_the_question_open(approvals: Approvals) -> None:
    waiting = ask(approvals)
    (request,) = await shown(approvals)
    with pytest.raises(DecisionRefused):
        await allow(approvals, request, rule=NetworkRule("evil.example"))
    assert approvals.pending() == [request]
    waiting.cancel()


async def test_closing_denies_and_keeps_the_question(approvals: Approvals, tmp_path: Path) -> None:
    waiting = ask(approvals)
    (request,) = await shown(approvals)
    await approvals.close()
    assert (await waiting).reason == "the host is stopping"
    assert (await approvals.ask(asked())).reason == "the host is stopping"

    # The next host: it has been asked before, and the answer is for the next such call.
    after = Approvals(Store(tmp_path / "approvals"))
    await after.start()
    (entry,) = await after.entries()
    assert (entry.state, entry.request) == (State.ASKED, request)
    assert after.pending() == []
    await after.decide(request.id, allowed(request, Surface.WEB, after.store.now()))
    assert (await after.ask(asked(session="new", call="new"))).allow
    again = ask(after, session="new", call="newer")
    await shown(after)
    await after.close()
    assert not (await again).allow


async def test_an_hour_outlives_the_host(approvals: Approvals, tmp_path: Path) -> None:
    waiting = ask(approvals)
    await allow(approvals, (await shown(approvals))[0], Scope.HOUR)
    await waiting
    await approvals.close()
    after = Approvals(Store(tmp_path / "approvals"))
    await after.start()
    assert after.overlay.rules(WEATHER, "any")
    await after.close()


async def test_nothing_is_written_if_nothing_is_asked(tmp_path: Path) -> None:
    approvals = Approvals(Store(tmp_path / "approvals"))
    await approvals.start()
    assert approvals.overlay.rules(WEATHER, "s", "c") is NOTHING
    approvals.end_call("c")
    await approvals.end_session("s")
    await approvals.component_changed("weather", None)
    await approvals.close()
    assert not (tmp_path / "approvals").exists()
