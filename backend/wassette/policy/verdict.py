"""What would be decided about something, and why: the one place that all explanations come from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from wassette.errors import PolicyError, visible
from wassette.policy import quantities, rules
from wassette.policy.environment import Form, Variables, decide_variable
from wassette.policy.files import resolve_path
from wassette.policy.grants import DEFAULT_MEMORY, DEFAULT_TIMEOUT
from wassette.policy.model import Access, Policy, Verdict
from wassette.policy.network import (
    PORTS,
    REFUSED_METHODS,
    NetworkTarget,
    decide_address,
    decide_network,
)
from wassette.policy.patterns import join
from wassette.policy.storage import written_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wassette.policy.storage import Storage

__all__ = ["Kind", "Verdict", "explain"]


class Kind(StrEnum):
    """What a question can be about."""

    STORAGE = "storage"
    NETWORK = "network"
    ENVIRONMENT = "environment"
    MEMORY = "memory"
    CPU = "cpu"
    TIMEOUT = "timeout"


@dataclass(frozen=True)
class Situation:
    """What a policy is decided in: the storage that it comes to, and the variables there are."""

    storage: Storage
    environment: Mapping[str, str] = field(repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    unread: Mapping[str, str] = field(default_factory=dict)


def explain(
    policy: Policy | None,
    kind: Kind,
    target: str,
    situation: Situation,
    *,
    access: Access = Access.READ,
    method: str = "GET",
) -> Verdict:
    """The decision about one thing. Raises `PolicyError` if `target` is not one of its kind.

    `target`: a path or `fs://` URI; a URL, or `host` or `host:port`; the name of a variable; an
    amount, or nothing to be told the limit. No policy is `None`.
    """
    policy = Policy("1.0") if policy is None else policy
    match kind:
        case Kind.STORAGE:
            return _storage(policy, target, situation.storage, access)
        case Kind.NETWORK:
            return _network(policy, _network_target(target, method))
        case Kind.ENVIRONMENT:
            return _environment(policy, target, situation)
        case Kind.MEMORY:
            limit, set_ = policy.limits.memory, policy.limits.memory is not None
            shown = _bytes(limit or DEFAULT_MEMORY)
            parse = quantities.parse_memory
            return _limit("memory", limit or DEFAULT_MEMORY, shown, set_, target, parse)
        case Kind.TIMEOUT:
            limit_s, set_ = policy.limits.timeout, policy.limits.timeout is not None
            seconds = limit_s or DEFAULT_TIMEOUT
            return _limit(
                "timeout", seconds, f"{seconds:g}s", set_, target, quantities.parse_timeout
            )
        case Kind.CPU:
            share = policy.limits.cpu
            shown = "no limit" if share is None else f"{share:g} of a core"
            most = float("inf") if share is None else share
            return _limit("cpu", most, shown, share is not None, target, quantities.parse_cpu)


def _storage(policy: Policy, target: str, storage: Storage, access: Access) -> Verdict:
    path = guest_path(target)
    verdict = storage.rules.verdict(path)
    shown, does = visible(path, 1000), access.value
    reasons = ", ".join(verdict.reasons)
    rule = next((r.split(" by ", 1)[1] for r in verdict.reasons if " by " in r), None)
    if access in verdict.access:
        return Verdict(True, f"{does} {shown}: {reasons}", rule)
    if any(reason.startswith("denied") for reason in verdict.reasons):
        rule = next(r.split(" by ", 1)[1] for r in verdict.reasons if r.startswith("denied"))
        return Verdict(False, f"{does} {shown}: {reasons}", rule)
    if verdict.access:
        held = " and ".join(sorted(verdict.access))
        return Verdict(False, f"{does} {shown}: only {held} is {reasons}", rule)
    note = _not_applied(policy, path, storage)
    if note is not None:
        return Verdict(False, f"{does} {shown}: {note}")
    if verdict.visible:
        reasons = f"no rule; as a directory {reasons} it can be listed, but for what is not allowed"
    return Verdict(False, f"{does} {shown}: {reasons}")


def _not_applied(policy: Policy, path: str, storage: Storage) -> str | None:
    """The note about a rule that would allow this if it were applied."""
    try:
        names = resolve_path(path)
    except PolicyError:
        return None
    for rule in policy.storage_allow:
        about = f"storage '{visible(rule.uri)}' is not applied"
        note = next((note for note in storage.notes if note.startswith(about)), None)
        pattern = written_pattern(rule)
        if note is not None and pattern is not None and pattern.covers(names):
            return note
    return None


def guest_path(target: str) -> str:
    """A path, or an `fs://` URI, as a component would write it. Raises `PolicyError`."""
    path = target
    if target.startswith(rules.SCHEME):
        path = "/" + target.removeprefix(rules.SCHEME).removeprefix("/")
    if not path.startswith("/"):
        raise PolicyError(
            f"'{visible(target)}' is not an absolute path or an {rules.SCHEME} address"
        )
    return join(resolve_path(path))


def _network(policy: Policy, target: NetworkTarget) -> Verdict:
    """As the relay decides it, but for where a name leads: in a moment, that may be elsewhere."""
    if target.method in REFUSED_METHODS:
        return Verdict(False, f"{target.method} is not for components")
    verdict = decide_network(policy, target)
    if not verdict.allowed:
        return verdict
    address = "127.0.0.1" if target.host == "localhost" else target.address
    if address is not None:
        where = decide_address(policy, address, target.port, target)
        return verdict if where.allowed else where
    condition = "if it leads to an address that is public, or allowed itself"
    return replace(verdict, reason=f"{verdict.reason}, {condition}")


def _network_target(target: str, method: str) -> NetworkTarget:
    if "://" not in target:
        authority = target.partition("/")[0]
        http = authority.endswith(f":{PORTS['http']}")
        target = f"{'http' if http else 'https'}://{target}"
    return NetworkTarget.parse(target, method)


def _environment(policy: Policy, key: str, situation: Situation) -> Verdict:
    rules.check_environment_key(key)
    variables = Variables(situation.environment, situation.secrets, situation.unread)
    variable = decide_variable(policy.environment_allow, key, variables, "")
    shown, place = visible(key), variable.place
    allowed = f"{shown} is allowed by {place}"
    source = "a secret of this component" if variable.secret else "from the environment"
    match variable.form:
        case Form.VALUE:
            return Verdict(True, f"{allowed}: given as its value, {source}", place)
        case Form.PLACEHOLDER:
            hosts = ", ".join(visible(one.injection.shown) for one in variable.bound)
            return Verdict(
                True, f"{allowed}: given as a placeholder ({source}), for {hosts} only", place
            )
        case Form.UNSET:
            return Verdict(True, f"{allowed}, but it is not set", place)
        case Form.WITHHELD:
            return Verdict(False, f"{allowed}, but not given: {variable.note}", place)
        case Form.REFUSED:
            return Verdict(False, f"{shown}: no rule")


def _limit(
    kind: str,
    limit: float,
    shown: str,
    is_set: bool,
    target: str,
    parse: Callable[[object], float],
) -> Verdict:
    rule = f"resources.limits.{kind}" if is_set else None
    origin = f"set by {rule}" if rule else "the default"
    if not target:
        return Verdict(True, f"{kind}: {shown}, {origin}", rule)
    within = parse(target) <= limit
    word = "within" if within else "over"
    return Verdict(within, f"{kind}: {visible(target)} is {word} {shown}, {origin}", rule)


def _bytes(amount: int) -> str:
    for unit, size in (("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
        if amount % size == 0:
            return f"{amount // size}{unit}"
    return f"{amount} bytes"
