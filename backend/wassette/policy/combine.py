"""Allow rules that add up → allow rules of which the most specific one decides.

A person writes: read `/a`, write `/a/b`; and means that `/a/b` can be read too. The guard asks
one rule only. So each rule gets the access of every rule that contains it, and where two overlap
but neither contains the other, a third is made of their overlap. What cannot be written as a
pattern (the overlap of `*a*` and `*b*`) keeps the access of the more specific one, with a note:
less than was allowed, never more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wassette.policy.model import Access
from wassette.policy.patterns import Pattern, join

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MAX_RULES = 256
"""Overlaps of overlaps can be many; a policy that needs more keeps the narrower access."""


@dataclass(frozen=True)
class Allowed:
    """`access` to what `pattern` covers; `sources`: the places of the rules that it comes from."""

    pattern: Pattern
    access: frozenset[Access]
    sources: tuple[str, ...]


def combine(rules: Sequence[Allowed]) -> tuple[list[Allowed], list[str]]:
    """Rules with the same meaning when the most specific decides, as far as that can be written.

    The notes say where it cannot. Rules are in the order that they came in, overlaps after them.
    """
    found: dict[Pattern, Allowed] = {}
    for rule in rules:
        _add(found, rule)
    grew = True
    while grew:
        grew = False
        for overlap in _overlaps(list(found.values())):
            if len(found) < _MAX_RULES or overlap.pattern in found:
                grew |= _add(found, overlap)
    combined = [_with_containing(rule, found.values()) for rule in found.values()]
    return combined, list(dict.fromkeys(_remaining(combined)))


def _add(found: dict[Pattern, Allowed], rule: Allowed) -> bool:
    old = found.get(rule.pattern)
    if old is None:
        found[rule.pattern] = rule
        return True
    if rule.access <= old.access:
        return False
    found[rule.pattern] = _sum(old, rule)
    return True


def _sum(one: Allowed, other: Allowed) -> Allowed:
    sources = tuple(dict.fromkeys((*one.sources, *other.sources)))
    return Allowed(one.pattern, one.access | other.access, sources)


def _with_containing(rule: Allowed, others: Iterable[Allowed]) -> Allowed:
    for other in others:
        if other.access - rule.access and other.pattern.contains(rule.pattern):
            rule = _sum(rule, other)
    return rule


def _overlaps(rules: Sequence[Allowed]) -> Iterable[Allowed]:
    for rule in rules:
        base = rule.pattern
        if base.fixed != base.full or not base.tree:
            continue
        for other in rules:
            if other.access <= rule.access and rule.access <= other.access:
                continue
            if other.pattern.contains(base) or base.contains(other.pattern):
                continue
            for rest in other.pattern.residuals(other.pattern.run(base.segments)):
                both = _sum(rule, other)
                yield replace(both, pattern=rest.below(base.segments))


def _remaining(rules: Sequence[Allowed]) -> Iterable[str]:
    """Notes about overlaps in which the deciding rule has less than the other one adds."""
    for rule in rules:
        for other in rules:
            if (
                rule is other
                or other.access <= rule.access
                or other.pattern.rank >= rule.pattern.rank
                or other.pattern.contains(rule.pattern)
                or not other.pattern.may_meet(rule.pattern)
                or _is_settled(rule, other, rules)
            ):
                continue
            access = " and ".join(one.value for one in Access if one in other.access - rule.access)
            yield (
                f"where {_shown(rule)} and {_shown(other)} overlap, {access} is not allowed: "
                "allow it for a directory, or in one pattern"
            )


def _is_settled(rule: Allowed, other: Allowed, rules: Sequence[Allowed]) -> bool:
    """Whether rules for the whole overlap of a directory with a pattern are there."""
    if rule.pattern.fixed != rule.pattern.full or not rule.pattern.tree:
        return False
    rests = other.pattern.residuals(other.pattern.run(rule.pattern.segments))
    overlaps = [rest.below(rule.pattern.segments) for rest in rests]
    return all(
        any(one.access >= other.access and one.pattern == overlap for one in rules)
        for overlap in overlaps
    )


def _shown(rule: Allowed) -> str:
    return f"'{join(rule.pattern.segments)}'"
