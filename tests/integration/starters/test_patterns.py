"""The toolbox's regular expressions against Python's, its time zones against Python's, its
differences by applying them."""

from __future__ import annotations

import datetime
import random
import re
import zoneinfo
from importlib import resources
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.starters import Starter, patched

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def toolbox() -> Starter:
    return Starter("toolbox")


FLAGS = {"ignore-case": re.IGNORECASE, "multi-line": re.MULTILINE, "dot-all": re.DOTALL}
ATOMS = st.sampled_from(
    ["a", "b", "é", ".", "[ab]", "[^a]", r"\d", r"\w", r"\s", r"[\w-]", "[a-c1]", r"\x61", r"\n"]
)
ASSERTIONS = st.sampled_from(["^", r"\b", r"\B", ""])


def pieces(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """None of them can be empty, and so all can be repeated: of what repeats an empty match,
    every engine thinks otherwise."""
    many = st.sampled_from(["", "*", "+", "?", "{2}", "{1,2}", "{0,3}", "*?", "+?", "??", "{2,}"])
    once = st.lists(inner, min_size=1, max_size=3).map("".join)
    ways = st.lists(once, min_size=1, max_size=3).map("|".join)
    group = st.builds("({}{})".format, st.sampled_from(["", "?:"]), ways)
    return st.builds(lambda one, count, then: one + count + then, group, many, ATOMS)


PATTERNS = st.builds(
    "{}{}{}".format, ASSERTIONS, st.recursive(ATOMS, pieces, max_leaves=8), ASSERTIONS
)


def found_by_python(pattern: str, text: str, flags: int) -> Iterator[tuple[object, ...]]:
    compiled, at = re.compile(pattern, flags | re.ASCII), 0
    while at <= len(text) and (match := compiled.search(text, at)):
        yield (*match.span(), *match.groups())
        at = match.end() + (match.start() == match.end())


@settings(max_examples=250, deadline=None)
@given(
    PATTERNS,
    st.text("ab1é \nA", max_size=12),
    st.sets(st.sampled_from([*FLAGS]), max_size=3),
)
def test_patterns_match_as_in_python(
    toolbox: Starter, pattern: str, text: str, options: set[str]
) -> None:
    flags = 0
    for option in options:
        flags |= FLAGS[option]
    # Beyond ASCII, Python folds more letters than é, which is here in one case only.
    expected = list(found_by_python(pattern, text, flags))
    answer = toolbox.ok("find-pattern", text=text, pattern=pattern, options=sorted(options))
    found = [(m["start"], m["end"], *m["groups"]) for m in answer["found"]]
    assert found == expected
    assert all(m["text"] == text[m["start"] : m["end"]] for m in answer["found"])


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(a", "without its )"),
        ("a)", "without its ("),
        ("[a", "without its ]"),
        ("*a", "repeats nothing"),
        ("a\\", "ends in a backslash"),
        ("(?=a)", "no looking around"),
        (r"(a)\1", "no references back"),
        ("a{2,1}", "wrong order"),
        ("a{9999}", "more than 1000"),
        ("(a{1000}){1000}", "too large"),
        ("(?:" * 200 + ")" * 200, "deep"),
        ("()" * 32, "31 groups"),
        ("a" * 5000, "longer than 4096"),
        ("[b-a]", "ends before it begins"),
        (r"\x4", "hexadecimal"),
    ],
)
def test_what_is_no_pattern_is_said(toolbox: Starter, pattern: str, why: str) -> None:
    assert why in toolbox.error("find-pattern", text="a", pattern=pattern)


def test_replacing(toolbox: Starter) -> None:
    replace = {"text": "ada@x.org, bob@y.org", "pattern": r"(\w+)@(\w+)\.org"}
    assert toolbox.ok("replace-pattern", replacement="$2:$1", **replace) == "x:ada, y:bob"
    assert (
        toolbox.ok("replace-pattern", replacement="$$1${1}0$9", **replace) == "$1ada0$9, $1bob0$9"
    )
    assert toolbox.ok("replace-pattern", text="abc", pattern="", replacement="-") == "-a-b-c-"


def test_at_most_so_many(toolbox: Starter) -> None:
    answer = toolbox.ok("find-pattern", text="a" * 50, pattern="a", limit=10)
    assert (len(answer["found"]), answer["incomplete"]) == (10, True)
    answer = toolbox.ok("find-pattern", text="a" * 10, pattern="a", limit=10)
    assert (len(answer["found"]), answer["incomplete"]) == (10, False)


# ---- differences ----

LINES = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=12)


def changed_lines(diff: str) -> int:
    return sum(line[:1] in ("-", "+") for line in diff.split("\n")[2:])


def fewest_changes(a: list[str], b: list[str]) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], last if x == y else 1 + min(row[j], row[j - 1])
    return row[-1]


@settings(max_examples=200, deadline=None)
@given(LINES, LINES, st.booleans(), st.booleans(), st.integers(0, 4))
def test_a_difference_leads_from_one_to_the_other_in_the_fewest_steps(
    toolbox: Starter, a: list[str], b: list[str], a_ends: bool, b_ends: bool, context: int
) -> None:
    old = "\n".join(a) + ("\n" if a and a_ends else "")
    new = "\n".join(b) + ("\n" if b and b_ends else "")
    diff = toolbox.ok("diff-texts", old=old, new=new, context=context)
    assert (diff == "") == (old == new)
    if diff:
        assert patched(old, diff) == new
        fewest = fewest_changes(old.splitlines(keepends=True), new.splitlines(keepends=True))
        assert changed_lines(diff) == fewest


def test_what_differs_too_much_is_replaced(toolbox: Starter) -> None:
    old = "".join(f"{i}\n" for i in range(5000))
    new = "".join(f"x{i}\n" for i in range(5000))
    diff = toolbox.ok("diff-texts", old="same\n" + old, new="same\n" + new)
    assert patched("same\n" + old, diff) == "same\n" + new
    assert changed_lines(diff) == 10_000


# ---- time zones ----


@pytest.fixture(scope="module")
def zones() -> Iterator[list[str]]:
    """Their names; Python uses the same edition of the database."""
    folder = resources.files("tzdata")
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([str(folder.joinpath("zoneinfo"))])
    zoneinfo.ZoneInfo.clear_cache()
    yield sorted(folder.joinpath("zones").read_text().split())
    zoneinfo.reset_tzpath(before)
    zoneinfo.ZoneInfo.clear_cache()


def test_time_zones_are_those_of_python(toolbox: Starter, zones: list[str]) -> None:
    choose = random.Random(20)
    assert toolbox("list-time-zones") == zones
    for name in zones:
        zone = zoneinfo.ZoneInfo(name)
        for second in [choose.randrange(2**32) for _ in range(4)]:
            moment = datetime.datetime.fromtimestamp(second, zone)
            offset = moment.utcoffset()
            assert offset is not None
            if offset.total_seconds() % 60:  # Liberia until 1972: RFC 3339 cannot say it
                continue
            utc = moment.astimezone(datetime.UTC).isoformat()
            shown = toolbox.ok("time-in-zone", zone=name, timestamp=utc)
            assert datetime.datetime.fromisoformat(shown["time"]).isoformat() == moment.isoformat()
            assert shown["zone"] == name
            assert shown["abbreviation"] == moment.tzname()
            assert shown["weekday"] == moment.strftime("%A")
            assert shown["utc-offset-minutes"] == offset.total_seconds() // 60
            assert shown["daylight-saving"] == bool(moment.dst())
            # And back, from what the clock shows; of two such times the first.
            local = moment.replace(tzinfo=None).isoformat()
            back = toolbox.ok("time-in-zone", zone="UTC", timestamp=local, from_zone=name)
            first = moment.replace(fold=0).astimezone(datetime.UTC)
            assert datetime.datetime.fromisoformat(back["time"]) == first


def test_times_that_no_clock_shows(toolbox: Starter) -> None:
    skipped = {"timestamp": "2026-03-29T02:30:00", "from_zone": "Europe/Berlin"}
    assert "went over it" in toolbox.error("time-in-zone", zone="UTC", **skipped)
    twice = {"timestamp": "2026-10-25T02:30:00", "from_zone": "Europe/Berlin"}
    assert toolbox.ok("time-in-zone", zone="UTC", **twice)["time"] == "2026-10-25T00:30:00Z"
    assert "list-time-zones" in toolbox.error("time-in-zone", zone="Mars/Base")
    assert toolbox("list-time-zones", containing="new york") == ["America/New_York"]
    assert "needs a T" in toolbox.error("time-in-zone", zone="UTC", timestamp="2026-01-01")


# ---- encodings ----


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_percent_encoding(toolbox: Starter, text: str) -> None:
    from urllib.parse import quote

    encoded = toolbox("percent-encode", text=text)
    assert encoded == quote(text, safe="")
    assert toolbox.ok("percent-decode", encoded=encoded) == text


@pytest.mark.parametrize("bad", ["%", "%4", "%zz", "%ff"])
def test_what_is_not_percent_encoded(toolbox: Starter, bad: str) -> None:
    assert toolbox.error("percent-decode", encoded=bad).startswith("encoded: ")
