"""Which rules a use needed. Pure; decided by the functions that decide in a call."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from wassette.errors import PolicyError
from wassette.policy import Access, EnvironmentRule, NetworkRule, Policy, StorageRule
from wassette.policy.files import resolve_path
from wassette.policy.network import NetworkTarget, decide_address, rule_covers
from wassette.policy.storage import written_pattern

from .model import FileUse, How, NetworkUse, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable

_NEEDS = {How.READ: Access.READ, How.LIST: Access.READ, How.WRITE: Access.WRITE}


def needed(how: How) -> Access | None:
    """The access that a use takes; None if any will do."""
    return _NEEDS.get(how)


def target_of(use: NetworkUse) -> NetworkTarget | None:
    """The request as rules are asked about it; None for one that cannot be read any more."""
    try:
        return NetworkTarget.parse(use.url, use.method)
    except PolicyError:
        return None


def used(
    rules: Iterable[Rule], files: Iterable[FileUse], requests: Iterable[NetworkUse]
) -> set[Rule]:
    """Those of the rules that any of the uses may have needed.

    A variable is given with every call, so that rules about variables are used by every call.
    """
    found: set[Rule] = set()
    paths = [(needed(one.how), _names(one.path)) for one in files]
    targets = [(one, target) for one in requests if (target := target_of(one)) is not None]
    for rule in rules:
        match rule:
            case StorageRule(_, access):
                pattern = written_pattern(rule)
                if pattern is not None and any(
                    names is not None and (need is None or need in access) and pattern.covers(names)
                    for need, names in paths
                ):
                    found.add(rule)
            case NetworkRule():
                if any(
                    rule_covers(rule, target) or leads(rule, use, target) for use, target in targets
                ):
                    found.add(rule)
            case EnvironmentRule():
                found.add(rule)
    return found


def leads(rule: NetworkRule, use: NetworkUse, target: NetworkTarget) -> bool:
    """Whether it is by this rule that a name was allowed to lead where it led."""
    try:
        address = ipaddress.ip_address(use.address)
    except ValueError:
        return False
    with_it, without = (
        decide_address(Policy("1.0", network_allow=allow), address, target.port, target)
        for allow in ((rule,), ())
    )
    return with_it.allowed and not without.allowed


def _names(path: str) -> tuple[str, ...] | None:
    try:
        return resolve_path(path)
    except PolicyError:
        return None
