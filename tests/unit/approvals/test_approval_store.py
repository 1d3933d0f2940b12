"""Requests and decisions on record."""

from __future__ import annotations

import sqlite3
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from support.approvals import NOTES, WEATHER, asked, file, network
from wassette.approvals.database import ASKED_KEPT, HISTORY_KEPT, HOUR, State, Watch
from wassette.approvals.model import (
    EnvironmentAccess,
    LoadAsked,
    PermissionAsked,
    Scope,
    Surface,
    allowed,
    denied,
    refused,
)
from wassette.approvals.store import Store
from wassette.errors import (
    ApprovalNotFound,
    ApprovalOver,
    ApprovalsUnavailable,
    DecisionRefused,
    PolicyError,
)
from wassette.policy import NetworkRule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wassette.approvals.model import ApprovalRequest, Decision, Rule


class Clock:
    """`time.time` that can be set."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    one = Store(tmp_path / "approvals", now=clock)
    yield one
    one.close()


@pytest.fixture
def other(store: Store, clock: Clock) -> Iterator[Store]:
    """Of another process, as far as the record knows."""
    one = Store(store.directory, now=clock)
    yield one
    one.close()


def add(store: Store, *arguments: Any, **options: Any) -> ApprovalRequest:
    request = asked(*arguments, now=store.now() / 1000, **options)
    store.add(request)
    return request


def yes(
    store: Store, request: ApprovalRequest, scope: Scope | None = None, **options: Any
) -> Decision:
    return allowed(request, Surface.CLI, store.now(), scope=scope, **options)


def test_a_request_is_found_by_any_process(store: Store, other: Store) -> None:
    request = add(store)
    for prefix in (request.id, request.id[:12], request.id[:4]):
        assert other.find(prefix).request == request
    assert [entry.request for entry in other.entries()] == [request]


def test_files_are_the_users_alone(store: Store) -> None:
    add(store)
    assert stat.S_IMODE(store.directory.stat().st_mode) == 0o700
    files = list(store.directory.iterdir())
    assert {path.name for path in files} >= {"approvals.db", "approvals.db-wal", "approvals.db-shm"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)


@pytest.mark.parametrize("scope", [Scope.ONCE, Scope.SESSION, Scope.HOUR])
def test_decided_once(store: Store, other: Store, scope: Scope) -> None:
    request = add(store)
    entry = other.decide(request.id, yes(store, request, scope))
    assert (entry.state, entry.decision and entry.decision.scope) == (State.ALLOWED, scope)
    assert store.decided([request.id])[request.id] == entry
    for decision in (yes(store, request), denied(request, Surface.WEB, store.now())):
        for one in (store, other):
            with pytest.raises(ApprovalOver, match="has been allowed already"):
                one.decide(request.id, decision)
    assert store.entries() == []
    assert store.entries(ended=True) == [entry]


def test_denied(store: Store) -> None:
    request = add(store)
    assert store.decide(request.id, denied(request, Surface.WEB, 1)).state is State.DENIED
    with pytest.raises(ApprovalOver, match="has been denied already"):
        store.decide(request.id, yes(store, request))
    assert store.standing() == []


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "0" * 64},
        {"scope": Scope.ALWAYS, "rule": NetworkRule("evil.example")},
        {"rule": None},
        {"rule": NetworkRule("api.example.org")},
        {"rule": NetworkRule("api.example.com", methods=("POST",))},
        {"rule": NetworkRule("api.example.com", "10.0.0.0/8")},
        {"rule": NetworkRule("*.a.*")},
        {"by": Surface.ELICITATION, "rule": NetworkRule("*")},
    ],
)
def test_decisions_that_do_not_fit_change_nothing(store: Store, change: dict[str, Any]) -> None:
    request = add(store)
    with pytest.raises(DecisionRefused):
        store.decide(request.id, replace(yes(store, request), **change))
    assert store.get(request.id).state is State.PENDING


def test_nobody_is_not_a_person(store: Store) -> None:
    request = add(store)
    with pytest.raises(DecisionRefused, match="only a person"):
        store.decide(request.id, refused(request, "because"))


def test_scopes_that_are_not_offered(store: Store) -> None:
    load = add(store, LoadAsked("file:///x.wasm"))
    grant = add(store, PermissionAsked(NetworkRule("a.example.com")))
    for request, scope in ((load, Scope.ALWAYS), (load, Scope.HOUR), (grant, Scope.ONCE)):
        with pytest.raises(DecisionRefused, match="possible is"):
            store.decide(request.id, yes(store, request, scope))


@pytest.mark.parametrize("text", ["", "abc", "xyzw1234", "0" * 21, "../etc", "\ud800aaa", "AAAA"])
def test_ids_that_are_none(store: Store, text: str) -> None:
    add(store)
    with pytest.raises(ApprovalNotFound):
        store.find(text)
    with pytest.raises(ApprovalNotFound):
        store.get(text or "-")


def test_an_id_that_begins_two_requests_is_none(store: Store) -> None:
    by_beginning: dict[str, ApprovalRequest] = {}
    while True:
        request = asked(now=store.now() / 1000)
        other = by_beginning.setdefault(request.id[:4], request)
        if other is not request:
            break
    store.add(request)
    store.add(other)
    with pytest.raises(ApprovalNotFound, match="More than one"):
        store.find(request.id[:4])
    assert store.find(request.id).request == request


def test_expired(store: Store, clock: Clock) -> None:
    request = add(store, timeout=10)
    clock.seconds += 10
    for decision in (yes(store, request), denied(request, Surface.CLI, 1)):
        with pytest.raises(ApprovalOver, match="expired"):
            store.decide(request.id, decision)
    assert store.entries() == []
    assert store.standing() == []


@pytest.mark.parametrize("state", [State.WITHDRAWN, State.VOID, State.EXPIRED])
def test_ended(store: Store, state: State) -> None:
    request = add(store)
    store.end(request.id, state, "it was so")
    store.end(request.id, State.EXPIRED, "later")
    entry = store.get(request.id)
    assert (entry.state, entry.reason) == (state, "it was so")
    with pytest.raises(ApprovalOver):
        store.decide(request.id, yes(store, request))


def test_an_hour(store: Store, other: Store, clock: Clock) -> None:
    request = add(store)
    store.decide(request.id, yes(store, request, Scope.HOUR))
    (one,) = other.standing()
    assert (one.id, one.component, one.scope) == (request.id, WEATHER, Scope.HOUR)
    assert one.rule == NetworkRule("https://api.example.com", methods=("GET",))
    clock.seconds += HOUR / 1000 - 1
    assert other.standing() == [one]
    clock.seconds += 1
    assert other.standing() == []


def test_a_clock_that_is_set_back_makes_nothing_last_longer(store: Store, clock: Clock) -> None:
    request = add(store)
    store.decide(request.id, yes(store, request, Scope.HOUR))
    clock.seconds -= 24 * 3600
    assert store.standing() == []


def test_taken_back(store: Store, other: Store) -> None:
    request = add(store)
    store.decide(request.id, yes(store, request, Scope.HOUR))
    assert other.revoke(request.id)
    assert not other.revoke(request.id)
    assert store.standing() == []


def test_sessions_end(store: Store) -> None:
    for session in ("one", "two"):
        request = add(store, session=session)
        store.decide(request.id, yes(store, request, Scope.SESSION))
    store.end_session("one")
    assert [one.session for one in store.standing()] == ["two"]


# ---- always --------------------------------------------------------------------------------------


def test_always_is_written_and_then_allowed(store: Store, other: Store) -> None:
    request = add(store)
    written: list[tuple[ApprovalRequest, Rule]] = []

    def write(asked_for: ApprovalRequest, rule: Rule) -> None:
        assert other.get(request.id).state is State.CLAIMED
        with pytest.raises(ApprovalOver, match="being decided"):
            other.decide(request.id, denied(request, Surface.WEB, 1))
        written.append((asked_for, rule))

    entry = store.decide(request.id, yes(store, request, Scope.ALWAYS), write=write)
    assert entry.state is State.ALLOWED
    assert written == [(request, NetworkRule("https://api.example.com", methods=("GET",)))]
    assert store.standing() == []  # it is in the policy


def test_always_that_cannot_be_written_is_denied(store: Store) -> None:
    request = add(store)

    def write(_: ApprovalRequest, __: Rule) -> None:
        raise PolicyError("the file is broken")

    with pytest.raises(PolicyError, match="broken"):
        store.decide(request.id, yes(store, request, Scope.ALWAYS), write=write)
    entry = store.get(request.id)
    assert entry.state is State.DENIED
    assert "the file is broken" in entry.reason


def test_always_without_a_way_to_write(store: Store) -> None:
    request = add(store)
    with pytest.raises(DecisionRefused):
        store.decide(request.id, yes(store, request, Scope.ALWAYS))
    assert store.get(request.id).state is State.PENDING


def test_whoever_dies_while_writing_has_allowed_nothing(
    store: Store, other: Store, clock: Clock
) -> None:
    request = add(store)
    store._claim(request)
    clock.seconds += 61
    other.close()
    assert other.get(request.id).state is State.DENIED
    assert other.standing() == []


# ---- components that change ----------------------------------------------------------------------


@pytest.mark.parametrize("now", ["ff" * 32, None])
def test_a_changed_component_voids_its_requests(store: Store, now: str | None) -> None:
    request = add(store)
    with pytest.raises(ApprovalOver, match="void: component weather has changed"):
        store.decide(request.id, yes(store, request), current=lambda _: now)
    assert store.get(request.id).state is State.VOID


def test_a_denial_needs_no_component(store: Store) -> None:
    request = add(store)
    decision = denied(request, Surface.CLI, 1)
    assert store.decide(request.id, decision, current=lambda _: None).state is State.DENIED


def test_what_stands_ends_with_the_component(store: Store) -> None:
    for component in (WEATHER, NOTES):
        request = add(store, component=component)
        store.decide(request.id, yes(store, request, Scope.HOUR))
    still = add(store, file())
    store.component_changed("weather", "ff" * 32, "changed")
    assert [one.component for one in store.standing()] == [NOTES]
    assert store.get(still.id).state is State.VOID
    store.component_changed("notes", NOTES.digest, "loaded again")
    assert [one.component for one in store.standing()] == [NOTES]
    store.component_changed("notes", None, "gone")
    assert store.standing() == []


# ---- after the host ------------------------------------------------------------------------------


def test_requests_outlive_their_host(store: Store, other: Store, clock: Clock) -> None:
    request = add(store)
    assert other.reap() == 0
    assert other.get(request.id).state is State.PENDING
    store.close()
    assert other.reap() == 1
    clock.seconds += 3600
    (entry,) = other.entries()
    assert (entry.state, entry.request) == (State.ASKED, request)
    assert Scope.SESSION not in entry.scopes
    with pytest.raises(DecisionRefused):
        other.decide(request.id, yes(other, request, Scope.SESSION))


def test_once_is_then_for_the_next_same_call(store: Store, other: Store) -> None:
    request = add(store)
    store.leave()
    decision = yes(store, request)
    other.decide(request.id, decision)
    for different in (
        asked(network("https://api.example.org")),
        asked(component=replace(WEATHER, digest="ff" * 32)),
        asked(arguments={"city": "Ulm"}),
        asked(tool="other"),
    ):
        assert other.take_once(different) is None
    assert other.take_once(asked(call="next", session="new")) == decision
    assert other.take_once(asked(call="next", session="new")) is None


def test_once_does_not_wait_for_ever(store: Store, clock: Clock) -> None:
    request = add(store)
    store.leave()
    store.decide(request.id, yes(store, request))
    clock.seconds += ASKED_KEPT / 1000 + 1
    assert store.take_once(asked()) is None


def test_asking_again_takes_the_place_of_the_old_question(store: Store, other: Store) -> None:
    old = add(store)
    store.leave()
    new = add(other, call="next")
    assert [entry.request for entry in other.entries()] == [new]
    assert other.get(old.id).state is State.WITHDRAWN


def test_sessions_do_not_outlive_the_host(store: Store, other: Store) -> None:
    hour, session = add(store), add(store, file())
    store.decide(hour.id, yes(store, hour, Scope.HOUR))
    store.decide(session.id, yes(store, session, Scope.SESSION))
    store.close()
    other.reap()
    assert [one.id for one in other.standing()] == [hour.id]


def test_old_questions_and_history_are_forgotten(store: Store, clock: Clock) -> None:
    waiting = add(store)
    store.leave()
    done = add(store, file())
    store.decide(done.id, denied(done, Surface.CLI, 1))
    clock.seconds += ASKED_KEPT / 1000 + 1
    store.close()
    assert store.get(waiting.id).state is State.EXPIRED
    clock.seconds += HISTORY_KEPT / 1000
    store.close()
    assert store.entries(ended=True) == []


# ---- a file that is not as it should be ----------------------------------------------------------


def edit(store: Store, statement: str, *values: object) -> None:
    store.close()
    connection = sqlite3.connect(store.database)
    with connection:
        connection.execute(statement, values)
    connection.close()


def test_a_row_that_was_changed_is_no_request(store: Store) -> None:
    request = add(store)
    other = asked(EnvironmentAccess("HOME"))
    edit(store, "UPDATE requests SET body = replace(body, 'api.example.com', 'evil.example')")
    with pytest.raises(ApprovalNotFound):
        store.get(request.id)
    assert store.entries(ended=True) == []
    with pytest.raises(ApprovalNotFound):
        store.decide(request.id, yes(store, request))
    assert other.id != request.id


@pytest.mark.parametrize("text", ["", "{}", "[", "null", '{"allow": true}', "[" * 10_000])
def test_a_decision_that_is_none_stands_for_nothing(store: Store, text: str) -> None:
    request = add(store)
    store.decide(request.id, yes(store, request, Scope.HOUR))
    edit(store, "UPDATE standing SET decision = ?", text)
    assert store.standing() == []
    edit(store, "UPDATE requests SET decision = ?", text)
    assert store.decided([request.id]) == {}


def test_another_version(store: Store) -> None:
    add(store)
    edit(store, "PRAGMA user_version = 2")
    with pytest.raises(ApprovalsUnavailable, match="another version"):
        store.entries()


def test_a_file_that_is_replaced_is_used(store: Store) -> None:
    request = add(store)
    store.database.unlink()
    store.database.with_name("approvals.db-wal").unlink()
    store.database.with_name("approvals.db-shm").unlink()
    with pytest.raises(ApprovalNotFound):
        store.get(request.id)
    assert add(store, file()).id in {entry.request.id for entry in store.entries()}


def test_watch(store: Store, other: Store) -> None:
    watch = Watch(store.database, store.now)
    assert watch.changed()
    assert not watch.changed()
    request = add(store)
    assert watch.changed()
    assert not watch.changed()
    other.decide(request.id, yes(other, request, Scope.HOUR))
    assert watch.changed()
    assert [one.id for one in watch.standing()] == [request.id]
    watch.close()
