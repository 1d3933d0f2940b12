"""Uses, grants and what was seen of them, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from wassette.policy import EnvironmentRule, NetworkRule, Policy, StorageRule
from wassette.policy.model import text_of

Rule: TypeAlias = StorageRule | NetworkRule | EnvironmentRule

UNUSED_DAYS = 30
"""A grant that was not used for so long is pointed out."""


class How(StrEnum):
    """What a path was used for."""

    LOOK = "look"
    """Only looked at: whether it is there, how large it is."""
    READ = "read"
    WRITE = "write"
    LIST = "list"


@dataclass(frozen=True)
class FileUse:
    """`path`: absolute, as the component sees it."""

    how: How
    path: str


@dataclass(frozen=True)
class NetworkUse:
    """A request that was allowed. `address`: what was connected to, if it was an address."""

    method: str
    url: str
    address: str = ""


@dataclass(frozen=True)
class Observed:
    """What was seen of a component while somebody learned what it does."""

    digest: str
    """Of the bytes that were seen; others are another component."""
    since: float
    """Unix seconds."""
    calls: int
    complete: bool
    """Whether all uses of files are known: there is an end to what is kept."""
    files: tuple[FileUse, ...] = ()
    requests: tuple[NetworkUse, ...] = ()


@dataclass(frozen=True)
class UnusedGrant:
    """A rule of a policy that nothing was seen to use."""

    kind: str
    """`storage`, `network` or `environment`."""
    rule: str
    """As it is in the policy: `read fs:///home/me/notes`, `GET api.example.com`, `API_KEY`."""
    index: int
    """Its place in the policy's list of what is allowed of this kind."""
    days: int


def allowed(policy: Policy) -> list[tuple[str, int, Rule]]:
    """The rules that allow something: kind, place in their list, rule."""
    kinds: tuple[tuple[str, tuple[Rule, ...]], ...] = (
        ("storage", policy.storage_allow),
        ("network", policy.network_allow),
        ("environment", policy.environment_allow),
    )
    return [(kind, index, rule) for kind, rules in kinds for index, rule in enumerate(rules)]


def key_of(rule: Rule) -> str:
    """What a rule is remembered by: one that says something else is another."""
    kind = {StorageRule: "storage", NetworkRule: "network", EnvironmentRule: "environment"}
    return f"{kind[type(rule)]} {text_of(rule)}"
