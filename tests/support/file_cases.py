"""Generated file rules and paths, for every implementation that decides about them.

`cases()` gives (`FileRules`, paths): the rules as the guard takes them (`rules.encode()`), the
paths as a component would write them, some of them not resolved. Names and patterns are few and
alike, so that most rules meet.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from wassette.policy.files import FileRule, FileRules, Kind
from wassette.policy.model import Access

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMES = ("a", "b", "ab", "A", "aab", "b.md", "x.md", "é", "*", "a*", "?", ".hidden", "a b")
_WILD = ("*", "**", "?", "a*", "*b", "*.md", "a?", "a*b", "?é", "*a*b*")
_ODD = ("", ".", "..", "C:", "a.", "CON", "con.txt", "a\\b", "A~1")

names = st.sampled_from(_NAMES)
accesses = st.sampled_from([frozenset({one}) for one in Access] + [frozenset(Access)])


def mounts() -> st.SearchStrategy[list[str]]:
    """Guest paths of preopens; the first is the root."""
    paths = st.lists(st.sampled_from(["/a", "/a/b", "/b", "/A"]), max_size=3, unique=True)
    return paths.map(lambda found: ["/", *sorted(found)])


@st.composite
def rules(draw: st.DrawFn, preopens: Sequence[str] = ("/",)) -> FileRule:
    """A rule that is served by one of `preopens`, as the policy engine could have made it."""
    kind = draw(st.sampled_from(Kind))
    wild = st.sampled_from(_NAMES[:7] + _WILD) if kind is not Kind.LITERAL else names
    segments = draw(st.lists(wild, min_size=1, max_size=5))
    rule = FileRule(
        "/" + "/".join(segments), draw(accesses), kind, deny=draw(st.booleans()), source="generated"
    )
    fixed = "/" + "/".join(rule.compiled.segments[: rule.compiled.fixed])
    serving = [
        index
        for index, guest in enumerate(preopens)
        if fixed == guest or fixed.startswith(guest.rstrip("/") + "/")
    ]
    return replace(rule, preopen=max(serving, key=lambda index: len(preopens[index])))


@st.composite
def file_rules(draw: st.DrawFn, preopens: Sequence[str] = ("/",)) -> FileRules:
    found = draw(st.lists(rules(preopens), max_size=6))
    return FileRules(tuple(found), fold_case=draw(st.booleans()), windows_names=draw(st.booleans()))


def paths(*, odd: bool = True) -> st.SearchStrategy[str]:
    """Absolute paths; if `odd`, also such as have to be resolved, or are refused."""
    segments = st.sampled_from(_NAMES + _ODD) if odd else names
    return st.lists(segments, max_size=6).map(lambda found: "/" + "/".join(found))


@st.composite
def cases(draw: st.DrawFn) -> tuple[FileRules, list[str], list[str]]:
    """(rules, paths, the guest paths of the preopens that the rules name)."""
    preopens = draw(mounts())
    return draw(file_rules(preopens)), draw(st.lists(paths(), min_size=1, max_size=8)), preopens
