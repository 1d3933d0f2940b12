"""The share of the CPU and the room in memory, as numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wassette.workers.limits import BURST, Bucket, at_once

MIB = 2**20


@pytest.mark.parametrize(
    ("limit", "largest", "fit"),
    [
        (64 * MIB, None, 1),  # not known yet: one, to see
        (64 * MIB, 0, 64 * MIB),
        (64 * MIB, 20 * MIB, 3),
        (64 * MIB, 32 * MIB, 2),
        (64 * MIB, 33 * MIB, 1),
        (64 * MIB, 900 * MIB, 1),  # never none: it would never run
    ],
)
def test_how_many_calls_fit(limit: int, largest: int | None, fit: int) -> None:
    assert at_once(limit, largest) == fit


def test_a_debt_is_paid_by_time() -> None:
    bucket = Bucket(0.5, now=100.0)
    assert bucket.wait == 0
    bucket.spend(0.5 * BURST, now=100.0)  # what was kept
    assert bucket.wait == 0
    bucket.spend(0.2, now=100.1)
    assert bucket.wait == pytest.approx(0.3)
    bucket.spend(0, now=100.3)
    assert bucket.wait == pytest.approx(0.1)
    bucket.spend(0, now=100.4)
    assert bucket.wait == pytest.approx(0)


def test_what_was_not_used_is_not_saved_up() -> None:
    bucket = Bucket(0.5, now=0.0)
    bucket.spend(0, now=3600.0)
    bucket.spend(0.5 * BURST + 0.1, now=3600.0)
    assert bucket.wait == pytest.approx(0.2)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = Bucket(1.0, now=10.0)
    bucket.spend(0, now=5.0)
    assert bucket.left == pytest.approx(BURST)


@given(
    st.floats(0.01, 4),
    st.lists(st.tuples(st.floats(0, 0.1), st.integers(0, 4)), min_size=1, max_size=200),
)
def test_whoever_waits_out_debts_gets_the_share(
    share: float, turns: list[tuple[float, int]]
) -> None:
    """Over any time: no more than the share, what was kept, and what one turn goes over."""
    bucket = Bucket(share, now=0.0)
    now = used = 0.0
    for seconds, workers in turns:
        now += bucket.wait
        bucket.spend(0, now)
        now += seconds
        spent = seconds * workers
        used += spent
        bucket.spend(spent, now)
        assert used <= share * (now + BURST) + spent + 1e-6
