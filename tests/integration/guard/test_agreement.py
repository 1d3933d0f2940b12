"""The guard's matcher and the policy engine's decide alike.

The guard decides every use of a file, in C; the policy engine explains decisions, in Python. Both
are asked about the same generated rules and paths. `WASSETTE_LONG=1000000` runs that many cases.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, example, given, settings

from support.file_cases import cases
from support.matcher import AMBIGUOUS, READ, VISIBLE, WRITE, Matcher
from wassette.errors import PolicyError
from wassette.policy.files import FileRule, FileRules, Kind, is_misread_by_windows, resolve_path
from wassette.policy.model import Access

BITS = {Access.READ: READ, Access.WRITE: WRITE}


@settings(
    max_examples=int(os.environ.get("WASSETTE_LONG", "2000")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(cases())
@example((FileRules((FileRule("/a", frozenset(Access)),)), ["/", "/a", "/a/b", "/b"], ["/"]))
@example((FileRules((FileRule("/a*", frozenset(Access), Kind.LITERAL),)), ["/a*", "/ab"], ["/"]))
def test_both_decide_alike(case: tuple[FileRules, list[str], list[str]]) -> None:
    rules, paths, preopens = case
    matcher = Matcher(rules.encode(), preopens)
    for path in paths:
        try:
            names = resolve_path(path)
        except PolicyError:
            continue
        decided = matcher.decide(names)
        misread = any(is_misread_by_windows(name) for name in names)
        assert bool(decided & AMBIGUOUS) == (rules.windows_names and misread), path
        verdict = rules.decide(names)
        access = sum(BITS[one] for one in verdict.access)
        assert decided & (READ | WRITE) == access, (path, verdict)
        if not access:
            assert bool(decided & VISIBLE) == verdict.visible, (path, verdict)
