"""What a policy says, as data. Every class is immutable and hashable."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wassette.policy.injection import Injection


class Access(StrEnum):
    """What a storage rule is about."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True)
class StorageRule:
    """`uri` is `fs://…` as written (percent signs are literal); `access` is never empty."""

    uri: str
    access: frozenset[Access]


@dataclass(frozen=True)
class NetworkRule:
    """Exactly one of `host` and `cidr`; no methods means every method. Methods are upper case."""

    host: str | None = None
    cidr: str | None = None
    methods: tuple[str, ...] = ()


@dataclass(frozen=True)
class EnvironmentRule:
    """`inject`: the component is not to see the variable's real value, but may send it.

    `value_from`: the value is that of the variable of this name, not of `key`.
    """

    key: str
    inject: Injection | None = None
    value_from: str | None = None

    @property
    def variable(self) -> str:
        """The name of the variable that has the value."""
        return self.value_from or self.key


def text_of(rule: StorageRule | NetworkRule | EnvironmentRule) -> str:
    """A rule in one line, as approvals and the record of use name it."""
    match rule:
        case StorageRule(uri, access):
            return f"{','.join(sorted(access))} {uri}"
        case NetworkRule(host, cidr, methods):
            return " ".join((*([",".join(methods)] if methods else []), host or cidr or ""))
        case EnvironmentRule(key):
            return key


@dataclass(frozen=True)
class Limits:
    """Upper bounds on one call; None where the policy is silent."""

    memory: int | None = None  # bytes
    cpu: float | None = None  # share of one core: 0.5 is half of its time
    timeout: float | None = None  # seconds of wall-clock time


@dataclass(frozen=True)
class Policy:
    """One policy file. Rules are in the order of the file."""

    version: str
    description: str | None = None
    storage_allow: tuple[StorageRule, ...] = ()
    storage_deny: tuple[StorageRule, ...] = ()
    network_allow: tuple[NetworkRule, ...] = ()
    network_deny: tuple[NetworkRule, ...] = ()
    environment_allow: tuple[EnvironmentRule, ...] = ()
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Verdict:
    """A decision. `reason` is for people; `rule` the place of the deciding rule, if there is one
    (`storage.allow[2] (fs:///a/**)`)."""

    allowed: bool
    reason: str
    rule: str | None = None
