"""What a component asks for: the policy that came with it, which is a stranger's wish and no grant.

It is read as any policy is and written anew from what was understood, so that exactly that is
shown, decided about and applied. Adding it to a policy leaves all that a person has written there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wassette.errors import PolicyError
from wassette.policy.document import PolicyDocument
from wassette.policy.model import EnvironmentRule, Limits, NetworkRule, Policy, StorageRule
from wassette.policy.parse import decode_policy, parse_policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wassette.policy import edit

MAX_LAYER = 1024 * 1024
"""Bytes of a policy that comes with a component that are read at all."""
_SOURCE = "what the component asks for"


@dataclass(frozen=True)
class Requested:
    """`text`: a policy file's text; the same for the same rules."""

    text: str

    @classmethod
    def of(cls, policy: Policy) -> Requested:
        """Raises `PolicyError` for rules that cannot be written."""
        document = PolicyDocument.of(_permissions(policy), _SOURCE, "Asked for by a component.")
        return cls(document.to_text())

    @property
    def policy(self) -> Policy:
        """Raises `PolicyError` for a text that is none."""
        return parse_policy(self.text, _SOURCE)

    def lines(self) -> tuple[str, ...]:
        """A rule each: `read fs:///a/**`, `deny network b`, `at most 512 MiB of memory`."""
        return tuple(line for line, _ in parts(self.policy))


def read_requested(data: bytes, source: str) -> Requested | None:
    """What a bundled policy asks for; None if that is nothing. Raises `PolicyError`."""
    policy = parse_policy(decode_policy(data, source), source)
    found = Requested.of(policy)
    return found if found.lines() else None


def parts(policy: Policy) -> Iterator[tuple[str, Policy]]:
    """Each rule as a line, and as a policy that has only it."""
    nothing = Policy("1.0")
    for rule in policy.storage_allow:
        yield f"storage {_storage(rule)}", replace(nothing, storage_allow=(rule,))
    for one in policy.network_allow:
        yield f"network {_network(one)}", replace(nothing, network_allow=(one,))
    for key in policy.environment_allow:
        yield f"environment {_variable(key)}", replace(nothing, environment_allow=(key,))
    for rule in policy.storage_deny:
        yield f"deny storage {_storage(rule)}", replace(nothing, storage_deny=(rule,))
    for one in policy.network_deny:
        yield f"deny network {_network(one)}", replace(nothing, network_deny=(one,))
    limits = policy.limits
    if limits.memory is not None:
        text = f"memory {limits.memory / 2**20:,.6g} MiB"
        yield text, replace(nothing, limits=Limits(memory=limits.memory))
    if limits.cpu is not None:
        yield f"cpu {limits.cpu:.9g} cores", replace(nothing, limits=Limits(cpu=limits.cpu))
    if limits.timeout is not None:
        text = f"timeout {limits.timeout:.9g} s"
        yield text, replace(nothing, limits=Limits(timeout=limits.timeout))


def joined(policies: Iterator[Policy] | list[Policy]) -> Policy:
    """All that these say."""
    found = Policy("1.0")
    for one in policies:
        limits = Limits(
            memory=one.limits.memory if found.limits.memory is None else found.limits.memory,
            cpu=one.limits.cpu if found.limits.cpu is None else found.limits.cpu,
            timeout=one.limits.timeout if found.limits.timeout is None else found.limits.timeout,
        )
        found = Policy(
            "1.0",
            None,
            (*found.storage_allow, *one.storage_allow),
            (*found.storage_deny, *one.storage_deny),
            (*found.network_allow, *one.network_allow),
            (*found.network_deny, *one.network_deny),
            (*found.environment_allow, *one.environment_allow),
            limits,
        )
    return found


def missing(policy: Policy | None, requested: Policy) -> Policy:
    """What of `requested` a policy does not say yet. What a person wrote about a variable or a
    limit stays as it is, and counts as said."""
    have = policy or Policy("1.0")
    keys = {rule.key for rule in have.environment_allow}
    held = have.limits
    return Policy(
        "1.0",
        None,
        tuple(r for r in requested.storage_allow if not _covered(r, have.storage_allow)),
        tuple(r for r in requested.storage_deny if r not in have.storage_deny),
        tuple(r for r in requested.network_allow if r not in have.network_allow),
        tuple(r for r in requested.network_deny if r not in have.network_deny),
        tuple(r for r in requested.environment_allow if r.key not in keys),
        Limits(
            memory=None if held.memory is not None else requested.limits.memory,
            cpu=None if held.cpu is not None else requested.limits.cpu,
            timeout=None if held.timeout is not None else requested.limits.timeout,
        ),
    )


def add(document: PolicyDocument, requested: Policy) -> bool:
    """Have a policy say what is missing of `requested`; whether there was anything.

    What denies is added first: if it ends in the middle, too little is allowed. Raises
    `PolicyError`.
    """
    wanted = missing(document.policy, requested)
    if not any(True for _ in parts(wanted)):
        return False
    permissions = _permissions(wanted)
    for section in ("storage", "network"):
        for item in _rules(permissions, section, "deny"):
            document.append_rule((section, "deny"), item)
    for section in ("storage", "network", "environment"):
        for item in _rules(permissions, section, "allow"):
            document.append_rule((section, "allow"), item)
    for name, value in _limits(wanted.limits).items():
        document.set_limit(name, value)
    return True


def _covered(rule: StorageRule, have: tuple[StorageRule, ...]) -> bool:
    return any(one.uri == rule.uri and rule.access <= one.access for one in have)


def _rules(
    permissions: dict[str, edit.Item], section: str, kind: str
) -> list[dict[str, edit.Item]]:
    found = permissions.get(section)
    rules = found.get(kind, []) if isinstance(found, dict) else []
    return [one for one in rules if isinstance(one, dict)] if isinstance(rules, list) else []


def _permissions(policy: Policy) -> dict[str, edit.Item]:
    """As they are written in a file."""
    found: dict[str, edit.Item] = {}
    storage = _lists(
        [_storage_item(rule) for rule in policy.storage_allow],
        [_storage_item(rule) for rule in policy.storage_deny],
    )
    network = _lists(
        [_network_item(rule) for rule in policy.network_allow],
        [_network_item(rule) for rule in policy.network_deny],
    )
    environment = _lists([_variable_item(rule) for rule in policy.environment_allow], [])
    limits: dict[str, edit.Item] = dict(_limits(policy.limits))
    sections = {"storage": storage, "network": network, "environment": environment}
    found.update({name: section for name, section in sections.items() if section})
    if limits:
        found["resources"] = {"limits": limits}
    return found


def _lists(allow: list[edit.Item], deny: list[edit.Item]) -> dict[str, edit.Item]:
    return {**({"allow": allow} if allow else {}), **({"deny": deny} if deny else {})}


def _storage_item(rule: StorageRule) -> edit.Item:
    access: list[edit.Item] = [word.value for word in sorted(rule.access)]
    return {"uri": rule.uri, "access": access}


def _network_item(rule: NetworkRule) -> edit.Item:
    found: dict[str, edit.Item] = {}
    if rule.host is not None:
        found["host"] = rule.host
    if rule.cidr is not None:
        found["cidr"] = rule.cidr
    if rule.methods:
        found["methods"] = list(rule.methods)
    return found


def _variable_item(rule: EnvironmentRule) -> edit.Item:
    found: dict[str, edit.Item] = {"key": rule.key}
    if rule.value_from is not None:
        found["value_from"] = rule.value_from
    if rule.inject is not None:
        inject: dict[str, edit.Item] = {"host": [one.host or "" for one in rule.inject.hosts]}
        if rule.inject.headers:
            inject["header"] = list(rule.inject.headers)
        if rule.inject.query is not None:
            inject["query"] = rule.inject.query
        found["inject"] = inject
    return found


def _limits(limits: Limits) -> dict[str, str]:
    found: dict[str, str] = {}
    if limits.memory is not None:
        found["memory"] = str(limits.memory)
    if limits.cpu is not None:
        found["cpu"] = _decimal(limits.cpu)
    if limits.timeout is not None:
        found["timeout"] = f"{_decimal(limits.timeout)}s"
    return found


def _decimal(amount: float) -> str:
    text = f"{amount:.9f}".rstrip("0").rstrip(".")
    if float(text or "0") <= 0:
        raise PolicyError("a limit is too small to be written")
    return text


def _storage(rule: StorageRule) -> str:
    return f"{','.join(sorted(rule.access))} {rule.uri}"


def _network(rule: NetworkRule) -> str:
    methods = f"{','.join(rule.methods)} " if rule.methods else ""
    return methods + (rule.host or rule.cidr or "")


def _variable(rule: EnvironmentRule) -> str:
    text = rule.key
    if rule.value_from is not None:
        text += f" (the value of {rule.value_from})"
    if rule.inject is not None:
        place = ", ".join(rule.inject.headers)
        if rule.inject.query is not None:
            place += f"{' or ' if place else ''}query parameter {rule.inject.query}"
        where = f" in {place}" if place else ""
        text += f" (only to be sent to {rule.inject.shown}{where})"
    return text
