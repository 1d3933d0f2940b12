"""Path patterns: `*`, `?` within a segment, `**` for any number of segments.

Pure, and the same as the guard's matcher, which is in C. A pattern is a state machine over the
segments of a path: state *i* is "the first *i* segments of the pattern are consumed", so the last
state is a match, and any other state says that something below can still match.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ANY_DEPTH = "**"
_WILD = frozenset("*?")
_UPPER_TO_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")

States = frozenset[int]


def is_wild(segment: str) -> bool:
    """Whether a segment of a pattern can match more than itself."""
    return not _WILD.isdisjoint(segment)


def split(path: str) -> tuple[str, ...]:
    """The segments of a path that is written without `.`, `..` and empty ones."""
    return tuple(segment for segment in path.split("/") if segment)


def join(segments: Iterable[str]) -> str:
    return "/" + "/".join(segments)


def matches_segment(pattern: str, name: str) -> bool:
    """Whether `name` matches a segment that has `*` (any run) and `?` (one character).

    Goes back to the last star only, which is enough and takes no exponential time.
    """
    at = here = 0
    star, mark = -1, 0
    while here < len(name):
        if at < len(pattern) and pattern[at] == "*":
            star, mark, at = at, here, at + 1
        elif at < len(pattern) and pattern[at] in ("?", name[here]):
            at, here = at + 1, here + 1
        elif star >= 0:
            mark += 1
            at, here = star + 1, mark
        else:
            return False
    return not pattern[at:].strip("*")


def could_be(segment: str, name: str, *, wild: bool) -> bool:
    """Whether a file system that ignores case could take `name` for what `segment` matches.

    They differ in their tables beyond ASCII, and in normalisation, so none is built in, and this
    errs towards yes (it is for deny rules). ASCII becomes ASCII in its place; a character of
    another script becomes characters of such scripts; any other one becomes anything, or nothing.
    """
    if segment.isascii() and name.isascii():
        low, other = segment.translate(_UPPER_TO_LOWER), name.translate(_UPPER_TO_LOWER)
        return matches_segment(low, other) if wild else low == other
    a, b = _tokens(segment, wild=wild), _tokens(name, wild=False)
    # row[j]: whether the tokens from a[i] and from b[j] on can become the same text
    below = [False] * (len(b) + 1)
    for i in range(len(a), -1, -1):
        row = [False] * (len(b) + 1)
        for j in range(len(b), -1, -1):
            x, y = a[i] if i < len(a) else None, b[j] if j < len(b) else None
            if x is None and y is None:
                row[j] = True
            elif _ANYTHING in (x, y):
                row[j] = (x is not None and below[j]) or (y is not None and row[j + 1])
            elif x is None or y is None:
                continue
            elif x == _ONE:
                row[j] = below[j + 1] or (y == _OTHER_SCRIPT and below[j])
            elif x == _OTHER_SCRIPT == y:
                row[j] = below[j + 1] or below[j] or row[j + 1]
            else:
                row[j] = x == y and below[j + 1]
        below = row
    return below[0]


# Longer than a character, so that they are none.
_ANYTHING, _ONE, _OTHER_SCRIPT = "any", "one", "other"
_OTHER_SCRIPTS = (
    (0x0391, 0x0600),
    (0x0620, 0x10FF),
    (0x3041, 0x312F),
    (0x3400, 0x9FFF),
    (0xAC00, 0xD7A3),
    (0x1F300, 0x1FAFF),
)


def _tokens(text: str, *, wild: bool) -> list[str]:
    found: list[str] = []
    for char in text:
        token = char.translate(_UPPER_TO_LOWER)
        if not char.isascii():
            other = any(first <= ord(char) <= last for first, last in _OTHER_SCRIPTS)
            token = _OTHER_SCRIPT if other else _ANYTHING
        elif wild and char in _WILD:
            token = _ANYTHING if char == "*" else _ONE
        # One for the whole run.
        if not (token in (_ANYTHING, _OTHER_SCRIPT) and found[-1:] == [token]):
            found.append(token)
    return found


@dataclass(frozen=True)
class Pattern:
    """`literal`: wildcards are ordinary characters. `tree`: covers all below a match, too."""

    segments: tuple[str, ...]
    tree: bool = False
    literal: bool = False

    @property
    def full(self) -> int:
        """The state of a match."""
        return len(self.segments)

    @cached_property
    def fixed(self) -> int:
        """How many segments there are before the first one with a wildcard."""
        if self.literal:
            return len(self.segments)
        return next((i for i, one in enumerate(self.segments) if is_wild(one)), len(self.segments))

    @cached_property
    def rank(self) -> tuple[int, int, int]:
        """What the more specific of two rules has more of: fixed segments, segments, bytes."""
        return self.fixed, len(self.segments), len(join(self.segments).encode())

    @property
    def start(self) -> States:
        return self._closure({0})

    def step(self, states: States, name: str, *, fold: bool = False) -> States:
        """The states after one more segment of a path."""
        after = {self.full} if self.tree and self.full in states else set()
        for state in states - {self.full}:
            segment = self.segments[state]
            if self._any_depth(state):
                after.add(state)
            elif self._matches(segment, name, fold=fold):
                after.add(state + 1)
        return self._closure(after)

    def run(self, names: Iterable[str], *, fold: bool = False) -> States:
        """The states after a whole path."""
        states = self.start
        for name in names:
            if not states:
                break
            states = self.step(states, name, fold=fold)
        return states

    def covers(self, names: Iterable[str], *, fold: bool = False) -> bool:
        return self.full in self.run(names, fold=fold)

    def residuals(self, states: States) -> list[Pattern]:
        """What is left to match after `states`: patterns for the paths below, the widest only."""
        return [
            Pattern(self.segments[state:], self.tree, self.literal)
            for state in sorted(states)
            # The state after `**` is implied by the one before it.
            if not (state and self._any_depth(state - 1) and state - 1 in states)
        ]

    def below(self, prefix: Iterable[str]) -> Pattern:
        """This pattern under a prefix of ordinary segments."""
        return Pattern((*prefix, *self.segments), self.tree, self.literal)

    def contains(self, other: Pattern) -> bool:
        """Whether this surely covers every path that `other` covers. False may mean "perhaps"."""
        states = self.start
        for index, segment in enumerate(other.segments):
            if other._any_depth(index):
                states = self._after_any_depth(states)
            elif other.literal or not is_wild(segment):
                states = self.step(states, segment)
            else:
                states = self._after_wild(states, segment)
        if other.tree:
            states = self._after_any_depth(states)
        return self.full in states

    def may_meet(self, other: Pattern) -> bool:
        """Whether a path could be covered by both. True may mean "perhaps"."""
        return _may_meet(self, other)

    def _any_depth(self, state: int) -> bool:
        return not self.literal and self.segments[state] == ANY_DEPTH

    def _matches(self, segment: str, name: str, *, fold: bool) -> bool:
        wild = not self.literal and is_wild(segment)
        if fold:
            return could_be(segment, name, wild=wild)
        return matches_segment(segment, name) if wild else segment == name

    def _closure(self, states: set[int]) -> States:
        for state in range(self.full):
            if state in states and self._any_depth(state):
                states.add(state + 1)
        return frozenset(states)

    def _after_wild(self, states: States, wild: str) -> States:
        """The states that are certain after any segment that matches `wild`."""
        after = {self.full} if self.tree and self.full in states else set()
        for state in states - {self.full}:
            if self._any_depth(state):
                after.add(state)
            elif not self.literal and _segment_contains(self.segments[state], wild):
                after.add(state + 1)
        return self._closure(after)

    def _after_any_depth(self, states: States) -> States:
        """The states that are certain after any number of any segments."""
        certain, seen = states, set()
        while states not in seen:
            seen.add(states)
            certain &= states
            states = self._after_wild(states, "*")
        return certain


@lru_cache(maxsize=4096)
def _segment_contains(wider: str, other: str) -> bool:
    """Whether the segment `wider` surely matches whatever the segment `other` matches."""

    @cache
    def fits(i: int, j: int) -> bool:
        if i == len(wider):
            return j == len(other)
        if wider[i] == "*":
            return fits(i + 1, j) or (j < len(other) and fits(i, j + 1))
        if j == len(other) or other[j] == "*":
            return False
        return wider[i] in ("?", other[j]) and fits(i + 1, j + 1)

    # What is this long is compared for equality only; the recursion is as deep as both together.
    return wider == other or (len(wider) + len(other) < 500 and fits(0, 0))


def _segments_may_meet(one: str, other: str) -> bool:
    """Whether a name could match both; compares what is fixed at their ends."""
    if not is_wild(one):
        return matches_segment(other, one) if is_wild(other) else one == other
    if not is_wild(other):
        return matches_segment(one, other)
    for a, b in ((one, other), (one[::-1], other[::-1])):
        for x, y in zip(a, b, strict=False):
            if "*" in (x, y):
                break
            if "?" not in (x, y) and x != y:
                return False
    return True


def _may_meet(one: Pattern, other: Pattern) -> bool:
    seen: set[tuple[int, int]] = set()
    left = [(a, b) for a in one.start for b in other.start]
    while left:
        pair = left.pop()
        if pair in seen:
            continue
        seen.add(pair)
        a, b = pair
        if pair == (one.full, other.full):
            return True
        for x in _moves(one, a):
            for y in _moves(other, b):
                if _may_be_one_name(one, a, other, b):
                    left += [(p, q) for p in one._closure({x}) for q in other._closure({y})]
    return False


def _moves(pattern: Pattern, state: int) -> list[int]:
    if state == pattern.full:
        return [state] if pattern.tree else []
    return [state if pattern._any_depth(state) else state + 1]


def _may_be_one_name(one: Pattern, a: int, other: Pattern, b: int) -> bool:
    def text(pattern: Pattern, state: int) -> str | None:
        """None: any name."""
        if state == pattern.full or pattern._any_depth(state):
            return None
        return pattern.segments[state]

    first, second = text(one, a), text(other, b)
    if first is None or second is None:
        return True
    if one.literal:
        return first == second if other.literal else _name_fits(second, first)
    if other.literal:
        return _name_fits(first, second)
    return _segments_may_meet(first, second)


def _name_fits(segment: str, name: str) -> bool:
    return matches_segment(segment, name) if is_wild(segment) else segment == name
