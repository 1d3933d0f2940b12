"""Whose turn it is to have a worker, as a table and as promises that hold in every history."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wassette.workers.schedule import QueueFull, Schedule


def play(schedule: Schedule[str], script: str) -> list[str]:
    """Who got a place, in order. `a`: a call of component a comes, `-a`: one of a's is over."""
    got = []
    number = Counter[str]()
    for word in script.split():
        if word.startswith("-"):
            schedule.leave(word[1:])
        else:
            number[word] += 1
            call = f"{word}{number[word]}"
            if schedule.enter(word):
                got.append(call)
            else:
                schedule.wait(word, call)
        while (turn := schedule.next()) is not None:
            got.append(turn)
    return got


@pytest.mark.parametrize(
    ("size", "script", "got"),
    [
        (1, "a", "a1"),
        (1, "a a -a", "a1 a2"),
        (1, "a b a -a -b", "a1 b1 a2"),
        # The last place is for a component that has none.
        (2, "a a", "a1"),
        (3, "a a a a b", "a1 a2 b1"),
        (3, "a a b b", "a1 a2 b1"),
        (3, "a a b b -a -a", "a1 a2 b1 b2"),
        (3, "a b c", "a1 b1 c1"),
        # Within a component, first come, first served.
        (2, "a a a a -a -a -a", "a1 a2 a3 a4"),
        # The fewest running first, and then whoever has not had a turn for longest.
        (4, "a a a b b b b b -a -b", "a1 a2 a3 b1 b2"),
        (4, "a a a b b b b b -a -a", "a1 a2 a3 b1 b2"),
        (1, "x a a b b c c -x -a -b -c -a -b", "x1 a1 b1 c1 a2 b2 c2"),
        (1, "x c b a -x -c -b", "x1 c1 b1 a1"),
        # Somebody new is not before those who wait already.
        (1, "a x a b -a -x c -a", "a1 x1 a2 b1"),
        # One that waits behind its own is passed over, not waited for.
        (3, "a a a b c -b", "a1 a2 b1 c1"),
    ],
)
def test_turns(size: int, script: str, got: str) -> None:
    assert play(Schedule(size), script) == got.split()


def test_held_to_fewer_at_once() -> None:
    schedule: Schedule[str] = Schedule(8)
    schedule.hold("a", 2)
    assert play(schedule, "a a a a b b b") == ["a1", "a2", "b1", "b2", "b3"]
    schedule.hold("a", 3)
    assert schedule.next() == "a3"
    assert schedule.next() is None
    schedule.hold("a", 1)  # what runs goes on
    assert schedule.running_of("a") == 3
    for _ in range(2):
        schedule.leave("a")
        assert schedule.next() is None
    schedule.leave("a")
    assert schedule.next() == "a4"
    schedule.hold("a", 0)  # never none at all
    assert play(schedule, "-a a") == ["a1"]
    schedule.hold("a", None)
    assert play(schedule, "a a") == ["a1", "a2"]


def test_giving_up() -> None:
    schedule: Schedule[str] = Schedule(1)
    assert schedule.enter("a")
    tickets = [schedule.wait("a", f"a{n}") for n in range(3)]
    schedule.give_up("a", tickets[1])
    schedule.give_up("a", tickets[1])  # twice, or after its turn: nothing
    schedule.give_up("b", 77)
    assert schedule.waiting_of("a") == 2
    schedule.leave("a")
    assert schedule.next() == "a0"
    schedule.give_up("a", tickets[0])
    schedule.leave("a")
    assert schedule.next() == "a2"


def test_a_bound_on_what_waits_for_each_component() -> None:
    schedule: Schedule[int] = Schedule(1, max_waiting=2)
    assert schedule.enter("a")
    schedule.wait("a", 1)
    schedule.wait("a", 2)
    with pytest.raises(QueueFull):
        schedule.wait("a", 3)
    schedule.wait("b", 4)  # others are not concerned
    assert schedule.clear() == [1, 2, 4]
    schedule.leave("a")
    assert schedule.next() is None


NAMES = "abcd"
steps = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.sampled_from(NAMES), st.none()),
        st.tuples(st.just("end"), st.sampled_from(NAMES), st.none()),
        st.tuples(st.just("give up"), st.sampled_from(NAMES), st.integers(0, 9)),
        st.tuples(st.just("hold"), st.sampled_from(NAMES), st.none() | st.integers(0, 4)),
    ),
    max_size=80,
)


@given(st.integers(1, 6), steps)
def test_what_is_promised_in_every_history(
    size: int, history: list[tuple[str, str, int | None]]
) -> None:
    schedule: Schedule[tuple[str, int]] = Schedule(size)
    running: Counter[str] = Counter()
    waiting: dict[str, list[tuple[int, int]]] = {name: [] for name in NAMES}  # ticket, number
    held: dict[str, int | None] = dict.fromkeys(NAMES)
    for number, (what, name, amount) in enumerate(history):
        if what == "call":
            if schedule.enter(name):
                assert not waiting[name], "nobody overtakes their own"
                running[name] += 1
            else:
                waiting[name].append((schedule.wait(name, (name, number)), number))
        elif what == "end" and running[name]:
            schedule.leave(name)
            running[name] -= 1
        elif what == "give up" and waiting[name]:
            ticket, _ = waiting[name].pop((amount or 0) % len(waiting[name]))
            schedule.give_up(name, ticket)
        elif what == "hold":
            schedule.hold(name, amount)
            held[name] = amount if amount is None else max(1, amount)
        while (turn := schedule.next()) is not None:
            whose, which = turn
            assert waiting[whose].pop(0)[1] == which, "first come, first served"
            poorer = [
                other
                for other in NAMES
                if waiting[other] and running[other] < running[whose] and room(other, held, running)
            ]
            assert not poorer, "the fewest running first"
            running[whose] += 1
        total = sum(running.values())
        assert total == schedule.running <= size
        for one in NAMES:
            assert schedule.running_of(one) == running[one]
            assert schedule.waiting_of(one) == len(waiting[one])
            if waiting[one] and room(one, held, running):
                # Nobody waits for nothing.
                assert total >= size - (running[one] > 0)
    for name in NAMES:
        while running[name]:
            schedule.leave(name)
            running[name] -= 1
        schedule.hold(name, None)
    schedule.clear()
    assert not schedule._components, "nothing is remembered of those that are gone"


def room(name: str, held: dict[str, int | None], running: Counter[str]) -> bool:
    most = held[name]
    return most is None or running[name] < most


@given(st.integers(2, 6), st.integers(0, 40), st.integers(1, 5))
def test_a_newcomer_waits_for_nobody(size: int, greedy: int, calls: int) -> None:
    """However much one component asks for, and however it ends: another's call begins at once."""
    schedule: Schedule[int] = Schedule(size)
    for number in range(greedy):
        if not schedule.enter("greedy"):
            schedule.wait("greedy", number)
    for _ in range(calls):
        assert schedule.enter("modest")
        schedule.leave("modest")
        while schedule.next() is not None:
            pass


@given(st.integers(1, 4), st.lists(st.sampled_from("abc"), min_size=30, max_size=120))
def test_nobody_starves(size: int, arrivals: list[str]) -> None:
    """A call waits for at most one turn of each other component before one of its own's."""
    schedule: Schedule[str] = Schedule(size)
    for _ in range(size):
        assert schedule.enter("x") or schedule.wait("x", "x")
    for name in arrivals:
        if not schedule.enter(name):
            schedule.wait(name, name)
    order: list[str] = []
    running = ["x"] * schedule.running_of("x") + [
        name for name in "abc" for _ in range(schedule.running_of(name))
    ]
    while running:
        schedule.leave(running.pop(0))
        while (turn := schedule.next()) is not None:
            order.append(turn)
            running.append(turn)
    left = Counter(order)
    since: Counter[str] = Counter()
    for name in order:
        left[name] -= 1
        since[name] = 0
        for other in "abc":
            if other != name and left[other]:
                since[other] += 1
                assert since[other] <= 2 * size + 3
