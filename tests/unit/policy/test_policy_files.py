"""Rules and paths → a verdict; and allow rules that add up."""

from __future__ import annotations

import re
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import file_cases
from wassette.policy import Access
from wassette.policy.combine import Allowed, combine
from wassette.policy.files import FileRule, FileRules, Kind
from wassette.policy.patterns import Pattern, could_be, join, matches_segment

R = frozenset({Access.READ})
W = frozenset({Access.WRITE})
LETTERS = {"r": R, "w": W, "rw": R | W}


def _rule(text: str) -> FileRule:
    """`rdtl /pattern`, the letters as in the encoded form."""
    letters, _, pattern = text.partition(" ")
    kind = Kind.LITERAL if "l" in letters else Kind.TREE if "t" in letters else Kind.EXACT
    access = frozenset(a for a in Access if a.value[0] in letters)
    return FileRule(pattern, access, kind, deny="d" in letters, source=text)


# (rules, {path: access, `-` if only visible, or nothing})
DECIDED: list[tuple[list[str], dict[str, str]]] = [
    ([], {"/": "-", "/a": ""}),
    (["rt /a"], {"/": "-", "/a": "r", "/a/b": "r", "/ab": "", "/b": "", "/A": ""}),
    (["r /a"], {"/a": "r", "/a/b": ""}),
    (["rl /a"], {"/": "-", "/a": "r", "/a/b": ""}),
    (["rt /**"], {"/": "r", "/a/b": "r"}),
    (["r /**"], {"/": "r", "/a/b": "r"}),
    # Resolved by their text.
    (["rt /a/b"], {"/a/b/../b/./c": "r", "/a/b/..": "-", "//a//b//": "r", "/../a/b": "r"}),
    (["rt /a/b"], {"/a/b/../../c": "", "/a/c/../b": "r", "/a/b/../bb": "", "/.../a/b": ""}),
    # Wildcards.
    (["r /a/*"], {"/a": "-", "/a/b": "r", "/a/b/c": "", "/a/.x": "r", "/a/*": "r"}),
    (["r /a/*.md"], {"/a/x.md": "r", "/a/.md": "r", "/a/x.mdx": "", "/a/b/x.md": "", "/a/x": ""}),
    (["r /a/?"], {"/a/b": "r", "/a/é": "r", "/a/bb": "", "/a/\U0001f600": "r", "/a": "-"}),
    (["r /a?b"], {"/a/b": "", "/axb": "r"}),
    (["r /a*b"], {"/a/b": "", "/ab": "r", "/axxb": "r", "/abx": ""}),
    (["r /a/**/c"], {"/a/c": "r", "/a/x/c": "r", "/a/x/y/c": "r", "/a/x": "-", "/a/c/x": "-"}),
    (["r /a/**"], {"/a": "r", "/a/b/c": "r"}),
    (["rt /*/b"], {"/a": "-", "/a/b": "r", "/a/b/c": "r", "/a/c": "", "/b": "-"}),
    (["r /**/a/**/b"], {"/a/b": "r", "/x/a/y/b": "r", "/b/a": "-", "/a": "-"}),
    (["rl /a/*"], {"/a/*": "r", "/a/b": "", "/a/?": ""}),
    (["rl /a/**"], {"/a/**": "r", "/a/b": "", "/a": "-"}),
    (["rt /[ab]"], {"/a": "", "/[ab]": "r"}),
    (["rt /{a,b}"], {"/a": "", "/{a,b}": "r"}),
    (["rt /a\\b"], {"/a\\b": "r", "/a/b": ""}),
    (["rt /a%2fb"], {"/a%2fb": "r", "/a/b": ""}),
    # The most specific decides: fixed segments, segments, bytes.
    (["rt /a", "wt /a/b"], {"/a/x": "r", "/a/b": "w", "/a/b/c": "w"}),
    (["wt /a/b", "rt /a"], {"/a/b": "w"}),
    (["r /a/**/x", "wt /a/b"], {"/a/b/x": "w", "/a/x": "r", "/a/b": "w"}),
    (["r /a/**/x", "w /a/*"], {"/a/x": "r"}),
    (["r /a/*.md", "w /a/*"], {"/a/x.md": "r", "/a/x": "w"}),
    (["rt /a", "wt /a"], {"/a": "rw"}),
    (["r /a/*x", "w /a/x*"], {"/a/x": "rw", "/a/ax": "r", "/a/xa": "w"}),
    (["rt /a", "wl /a"], {"/a": "rw", "/a/b": "r"}),
    # Deny.
    (["rwt /a", "rwd /a/b"], {"/a": "rw", "/a/b": "", "/a/b/c": "", "/a/bb": "rw"}),
    (["rwt /a", "wd /a/b"], {"/a/b/c": "r"}),
    (["rwt /a", "rd /a/b"], {"/a/b/c": "w"}),
    (["rwt /a/b/c", "rwd /a"], {"/a/b/c": "", "/a/b": "", "/": "-"}),
    (["rt /a/b", "rwd /a/*"], {"/a/b": "", "/a/b/c": "", "/a": "-"}),
    (["rt /a", "rwd /**/.env"], {"/a/.env": "", "/a/b/.env": "", "/a/.env/x": "", "/a/x": "r"}),
    (["rt /a", "rwd /**"], {"/": "-", "/a": ""}),
    (["rt /a", "rwdl /a/*"], {"/a/*": "", "/a/*/x": "", "/a/b": "r"}),
    (["rt /a", "wd /"], {"/a": "r"}),
    (["rt /a", "rd /"], {"/a": "", "/": "-"}),
    (["rt /a/b", "rd /a"], {"/a/b": "", "/a": ""}),
    (["wt /a/b", "rd /a"], {"/a/b": "w", "/a": "-"}),
    # Refused whatever the rules say.
    (["rt /**"], {"a": "", "": "", "/a\0b": "", "/\ud800": "", "/" + "x" * 256: ""}),
    (["rt /**"], {"/" + "x/" * 2047: "r", "/" + "x/" * 2048: "", "/" + "é" * 128: ""}),
]


def _may(rules: FileRules, path: str) -> str:
    verdict = rules.verdict(path)
    assert verdict.reasons
    letters = "".join(one.value[0] for one in Access if one in verdict.access)
    return letters or "-" * verdict.visible


@pytest.mark.parametrize(("rules", "paths"), DECIDED, ids=range(len(DECIDED)))
def test_decided(rules: list[str], paths: dict[str, str]) -> None:
    decider = FileRules(tuple(map(_rule, rules)))
    assert {path: _may(decider, path) for path in paths} == paths


def test_deny_rules_ignore_case_if_the_file_system_does() -> None:
    rules = tuple(map(_rule, ("rt /a", "rwd /a/Key*", "rwdl /a/Own")))
    assert [_may(FileRules(rules), path) for path in ("/a/kEY", "/a/oWN/x", "/A")] == ["r", "r", ""]
    folding = FileRules(rules, fold_case=True)
    # Allow rules do not: a name in another case is allowed by no rule.
    assert [_may(folding, path) for path in ("/a/kEY", "/a/oWN/x", "/A")] == ["", "", ""]


@pytest.mark.parametrize(
    ("segment", "name", "same"),
    [
        ("secret", "SECRET", True),
        ("secret", "secrets", False),
        ("secret", "\u017fecret", True),
        ("secret", "se\u0301cret", True),
        ("secret", "sec\u200bret", True),
        ("secret", "日本", False),
        ("secret", "straße", False),
        ("é", "e\u0301", True),
        ("é", "É", True),
        ("日本", "日本", True),
        ("日本", "日語", True),
        ("日本", "a", False),
        ("\u03c3", "\u03c2", True),
        ("\u03c3a", "\u03c2b", False),
        ("kelvin", "\u212aelvin", True),
        ("\ufb01le", "file", True),
        ("é*", "x", True),
        ("a*é", "b", False),
        ("?", "é", True),
        ("?", "日", True),
        ("a?c", "a日本c", True),
        ("a?c", "abc", True),
        ("a?é", "b", False),
    ],
)
def test_what_a_file_system_could_take_for_the_same(segment: str, name: str, same: bool) -> None:
    assert could_be(segment, name, wild="*" in segment or "?" in segment) is same


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("a:b", True),
        ("C:", True),
        ("a\\..\\b", True),
        ("PROGRA~1", True),
        ("a.", True),
        ("a ", True),
        ("...", True),
        ("CON", True),
        ("con.txt", True),
        ("nul .x", True),
        ("COM1", True),
        ("lpt9.log", True),
        ("COM\u00b9", True),
        ("conin$", True),
        ("clock$", True),
        ("cloc\u212a$", False),
        ("a\tb", True),
        ("console", False),
        ("com", False),
        ("com10", False),
        ("a.b", False),
        (" a", False),
        (".a", False),
        ("aux-file", False),
    ],
)
def test_names_that_windows_reads_otherwise(name: str, refused: bool) -> None:
    rules = (_rule("rt /a"),)
    assert _may(FileRules(rules), f"/a/{name}") == "r"
    assert _may(FileRules(rules, windows_names=True), f"/a/{name}/x") == "" * refused + "r" * (
        not refused
    )


def test_reasons() -> None:
    rules = FileRules(
        (
            FileRule("/a", R, source="storage.allow[0] (fs:///a)"),
            FileRule("/a/b", R | W, source="storage.allow[2] (fs:///a/b/**)"),
            FileRule("/a/b/c", W, deny=True, source="storage.deny[0] (fs:///a/b/c)"),
            FileRule("/z", R | W, deny=True, source="Wassette's own files"),
        )
    )
    assert rules.verdict("/a/b/x").reasons == ("allowed by storage.allow[2] (fs:///a/b/**)",)
    assert rules.verdict("/a/b/c/x").reasons == (
        "allowed by storage.allow[2] (fs:///a/b/**)",
        "denied by storage.deny[0] (fs:///a/b/c)",
    )
    assert rules.verdict("/z/x").reasons == ("denied by Wassette's own files",)
    assert rules.verdict("/b").reasons == ("no rule",)
    assert rules.verdict("/").reasons == ("above storage.allow[0] (fs:///a)",)
    assert rules.verdict("b").reasons == ("the path is not absolute",)


def test_encoded() -> None:
    rules = (
        FileRule("/a b/c", R | W, preopen=3),
        FileRule("/a/*.md", R, Kind.EXACT),
        FileRule("/a/*", W, Kind.LITERAL, preopen=12),
        FileRule("/a", W, deny=True, preopen=7),
        FileRule("/*", R | W, Kind.LITERAL, deny=True),
    )
    assert FileRules().encode() == "\0"
    assert FileRules((), fold_case=True, windows_names=True).encode() == "fw\0"
    assert FileRules(rules).encode() == (
        "\0rwt 3 /a b/c\0r 0 /a/*.md\0wl 12 /a/*\0wd 0 /a\0rwdl 0 /*\0"
    )


def test_many_stars_take_no_exponential_time() -> None:
    assert not matches_segment("*a" * 60 + "b", "a" * 255)


# ---- against a model: regular expressions over the whole path ------------------------------------


def _covers(rule: FileRule, path: str, fold: bool) -> bool:
    regex = ""
    for segment in rule.pattern.split("/")[1:]:
        if rule.kind is Kind.LITERAL:
            regex += "/" + re.escape(segment)
        elif segment == "**":
            regex += "(?:/[^/]*)*"
        else:
            parts = [{"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char)) for char in segment]
            regex += "/" + "".join(parts)
    if rule.deny or rule.kind is Kind.TREE:
        regex += "(?:/.*)?"
    flags = re.DOTALL | (re.IGNORECASE if rule.deny and fold else 0)
    return re.fullmatch(regex, "" if path == "/" else path, flags) is not None


def _model(rules: FileRules, path: str) -> frozenset[Access]:
    def rank(rule: FileRule) -> tuple[int, int, int]:
        segments = rule.pattern.split("/")[1:]
        wild = [rule.kind is not Kind.LITERAL and ("*" in s or "?" in s) for s in segments]
        fixed = wild.index(True) if True in wild else len(wild)
        return fixed, len(segments), len(rule.pattern.encode())

    covering = [rule for rule in rules.rules if _covers(rule, path, rules.fold_case)]
    allowed = [rule for rule in covering if not rule.deny]
    best = max(map(rank, allowed), default=None)
    given_ = {a for rule in allowed if rank(rule) == best for a in rule.access}
    return frozenset(given_ - {a for rule in covering if rule.deny for a in rule.access})


@given(file_cases.file_rules(), st.lists(file_cases.paths(odd=False), min_size=1, max_size=8))
@settings(max_examples=1000, deadline=None)
def test_as_the_model(rules: FileRules, paths: list[str]) -> None:
    rules = FileRules(rules.rules, rules.fold_case)
    for path in paths:
        verdict = rules.verdict(path)
        model = _model(rules, path)
        # Where case is ignored, more may be denied than what is the same by Unicode's tables.
        assert verdict.access == model or (rules.fold_case and verdict.access < model)
        # What is above something allowed can be seen, unless it is denied.
        if verdict.access:
            for above in accumulate(path.split("/")[:-1], lambda a, b: f"{a}/{b}"):
                over = rules.verdict(above or "/")
                assert over.visible or over.access or any("denied" in r for r in over.reasons)


@given(file_cases.cases())
@settings(max_examples=300, deadline=None)
def test_every_case_has_an_answer_and_can_be_encoded(
    case: tuple[FileRules, list[str], list[str]],
) -> None:
    rules, paths, preopens = case
    assert rules.encode().count("\0") == len(rules.rules) + 1
    assert all(rule.preopen < len(preopens) for rule in rules.rules)
    for path in paths:
        assert rules.verdict(path).reasons


# ---- adding up -----------------------------------------------------------------------------------

_SEGMENTS = st.sampled_from(["a", "b", "ab", "*", "a*", "*b", "**", "?"])
_PATTERNS = st.builds(
    lambda segments, tree: Pattern(tuple(segments), tree),
    st.lists(_SEGMENTS, min_size=1, max_size=4),
    st.booleans(),
)
_ALLOWED = st.lists(st.tuples(_PATTERNS, st.sampled_from(list(LETTERS.values()))), max_size=4)
_PATHS = st.lists(st.lists(st.sampled_from(["a", "b", "ab", "aab"]), max_size=5), max_size=8)


@given(_ALLOWED, _PATHS)
@settings(max_examples=1000, deadline=None)
def test_allow_adds_up_and_never_to_more(
    written: list[tuple[Pattern, frozenset[Access]]], paths: list[list[str]]
) -> None:
    allowed = [Allowed(pattern, access, (str(i),)) for i, (pattern, access) in enumerate(written)]
    combined, notes = combine(allowed)
    rules = FileRules(
        tuple(
            FileRule(
                join(rule.pattern.segments),
                rule.access,
                Kind.TREE if rule.pattern.tree else Kind.EXACT,
            )
            for rule in combined
        )
    )
    for path in paths:
        wanted = {a for pattern, access in written if pattern.covers(path) for a in access}
        got = rules.decide(tuple(path)).access
        assert got <= wanted
        assert notes or got == wanted


@given(_PATTERNS, _PATTERNS, _PATHS)
@settings(max_examples=500, deadline=None)
def test_what_patterns_say_of_each_other(
    one: Pattern, other: Pattern, paths: list[list[str]]
) -> None:
    for path in paths:
        assert not (one.contains(other) and other.covers(path)) or one.covers(path)
        assert not (one.covers(path) and other.covers(path)) or one.may_meet(other)


CONTAINED = [
    ("/a/**", "/a/b/*.md", True),
    ("/a/*", "/a/*.md", True),
    ("/a/*.md", "/a/*", False),
    ("/**/x", "/a/**/x", True),
    ("/a/**/x", "/**/x", False),
    ("/a/*/x", "/a/**/x", False),
    ("/?*", "/*", False),
    ("/?", "/*", False),
    ("/*a*", "/*ba*", True),
]


@pytest.mark.parametrize(("one", "other", "expected"), CONTAINED)
def test_contains(one: str, other: str, expected: bool) -> None:
    wider, narrower = (Pattern(tuple(text.split("/")[1:])) for text in (one, other))
    assert wider.contains(narrower) is expected
