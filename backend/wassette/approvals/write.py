"""Writing the rule of an `always` to a policy: exactly that rule, for exactly those bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wassette.errors import ApprovalOver, ComponentError, DecisionRefused, StoreError
from wassette.policy import (
    EnvironmentRule,
    NetworkRule,
    StorageRule,
    check_enforceable_storage,
)
from wassette.policy.requested import Requested, add

from .model import BundledRules, MemoryRule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from wassette.policy import PolicyDocument, PolicyStore

    from .model import ApprovalRequest, Rule


def write_rule(
    policies: PolicyStore,
    request: ApprovalRequest,
    rule: Rule,
    *,
    current: Callable[[str], str | None],
    protected: Sequence[Path],
) -> None:
    """Raises `ApprovalOver` if the component has changed, `PolicyError`, `StoreError`.

    `current` gives a component's digest. It is asked while the lock is held that loading takes,
    too, so that a rule never goes to bytes that it was not given to.
    """
    component = request.component
    if component is None:
        raise DecisionRefused("there is no component whose policy could have this rule")
    if isinstance(rule, BundledRules):
        files = Requested(rule.text).policy.storage_allow
    else:
        files = (rule,) if isinstance(rule, StorageRule) else ()
    for one in files:
        check_enforceable_storage(one.uri, protected)
    _check_same(component.id, component.digest, current)
    with policies.edit(component.id) as document:
        _check_same(component.id, component.digest, current)
        put(document, rule)


def put(document: PolicyDocument, rule: Rule) -> None:
    """Have `document` say this, too. Raises `PolicyError`."""
    match rule:
        case StorageRule(uri, access):
            document.grant_storage(uri, access)
        case NetworkRule():
            document.grant_network_rule(rule)
        case EnvironmentRule(key):
            document.grant_environment(key)
        case MemoryRule(limit):
            document.set_memory(limit)
        case BundledRules(text):
            add(document, Requested(text).policy)


def _check_same(component_id: str, digest: str, current: Callable[[str], str | None]) -> None:
    try:
        now = current(component_id)
    except (ComponentError, StoreError):
        now = None
    if now != digest:
        raise ApprovalOver(f"component {component_id} has changed since it was asked")
