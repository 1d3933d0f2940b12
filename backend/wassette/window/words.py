"""What a policy says, and what a component's imports come to, in plain words.

The words are ours; what stands in a rule was written by somebody, and is made visible.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from wassette.errors import visible
from wassette.policy import Access

from .models import Capability, Permission

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from wassette.policy import NetworkRule, Policy, StorageRule

_MAX = 2000
_MIB = 2**20


def clean(text: str) -> str:
    """`text` as UTF-8 can have it: file names and guests' texts can be otherwise."""
    return text.encode("utf-8", "backslashreplace").decode()


# ---- permissions ---------------------------------------------------------------------------------


@lru_cache(1024)
def summary(policy: Policy | None) -> list[Permission]:
    """As `permissions`, for lists. Not to be changed: it is kept."""
    return permissions(policy)


def permissions(
    policy: Policy | None,
    line: Callable[[str], int | None] = lambda _: None,
    unused: Mapping[str, int] = MappingProxyType({}),
) -> list[Permission]:
    """What a policy allows, denies and limits, in the order of its sections.

    `line`: of a place such as `storage.allow[0]`. `unused`: for how many days nothing used what is
    at a place.
    """
    if policy is None:
        return []
    found: list[Permission] = []

    def add(
        kind: Literal["storage", "network", "environment", "memory", "cpu", "timeout"],
        action: Literal["allow", "deny", "limit"],
        place: str,
        text: str,
        rule: str,
        access: Iterable[str] = (),
        secret_for: Iterable[str] = (),
    ) -> None:
        found.append(
            Permission(
                kind=kind,
                action=action,
                text=text,
                rule=rule,
                access=list(access),
                place=place,
                line=line(place),
                secret_for=list(secret_for),
                unused_days=unused.get(place),
            )
        )

    storage: tuple[tuple[Literal["allow", "deny"], tuple[StorageRule, ...]], ...]
    storage = (("allow", policy.storage_allow), ("deny", policy.storage_deny))
    for action, rules in storage:
        for index, rule in enumerate(rules):
            words = sorted(one.value for one in rule.access)
            text = f"{_may_do(action, rule.access)} {_files(rule.uri)}"
            add("storage", action, f"storage.{action}[{index}]", text, rule.uri, words)
    network: tuple[tuple[Literal["allow", "deny"], tuple[NetworkRule, ...]], ...]
    network = (("allow", policy.network_allow), ("deny", policy.network_deny))
    for action, hosts in network:
        for index, host in enumerate(hosts):
            target = host.host or host.cidr or ""
            text = f"{_may(action)} {_requests(host)}"
            add("network", action, f"network.{action}[{index}]", text, target, host.methods)
    for index, variable in enumerate(policy.environment_allow):
        key = visible(variable.key)
        bound = [one.host or "" for one in variable.inject.hosts] if variable.inject else []
        if bound:
            text = f"may send the secret {key} to {_several(bound)}, and does not see it"
        elif variable.value_from:
            text = f"may see the variable {key}, with the value of {visible(variable.value_from)}"
        else:
            text = f"may see the variable {key}"
        place = f"environment.allow[{index}]"
        add("environment", "allow", place, text, variable.key, secret_for=bound)
    limits = policy.limits
    if limits.memory is not None:
        amount = size(limits.memory)
        add("memory", "limit", _limit("memory"), f"may use up to {amount} of memory", amount)
    if limits.cpu is not None:
        share = f"{limits.cpu * 100:g} % of one processor core"
        add("cpu", "limit", _limit("cpu"), f"may use up to {share}", f"{limits.cpu:g}")
    if limits.timeout is not None:
        seconds = f"{limits.timeout:g} s"
        add("timeout", "limit", _limit("timeout"), f"may take up to {seconds} for a call", seconds)
    return found


def _limit(name: str) -> str:
    return f"resources.limits.{name}"


def _may(action: str) -> str:
    return "may" if action == "allow" else "may not"


def _may_do(action: str, access: frozenset[Access]) -> str:
    if access != {Access.READ, Access.WRITE}:
        return f"{_may(action)} {'read' if Access.READ in access else 'write'}"
    return "may read and write" if action == "allow" else "may neither read nor write"


def _files(uri: str) -> str:
    path = uri.removeprefix("fs://")
    if not path.startswith("/"):
        name, _, below = path.partition("/")
        rest = below.removesuffix("**").rstrip("/")
        folder = f"its folder “{visible(name)}”"
        return f"{visible(rest, _MAX)} in {folder}" if rest else f"{folder} and everything in it"
    tree = path.removesuffix("/**").rstrip("/")
    if not tree:
        return "every file of this machine"
    shown = visible(_home(tree), _MAX)
    if any(char in tree for char in "*?"):
        return f"what matches {shown}"
    if "." in tree.rpartition("/")[2] and not path.endswith(("/", "/**")):
        return shown
    return f"{shown} and everything below"


def _home(path: str) -> str:
    home = _home_directory()
    return f"~{path[len(home) :]}" if path == home or path.startswith(f"{home}/") else path


@cache
def _home_directory() -> str:
    return str(Path.home())


def _requests(rule: NetworkRule) -> str:
    methods = ", ".join(map(visible, rule.methods))
    if rule.cidr is not None:
        where = f"addresses in {visible(rule.cidr)}"
        return f"send {methods} requests to {where}" if methods else f"connect to {where}"
    host = visible(rule.host or "", _MAX)
    where = "every host" if rule.host == "*" else host
    return f"send {methods} requests to {where}" if methods else f"connect to {where}"


def _several(names: list[str]) -> str:
    return ", ".join(visible(name, _MAX) for name in names)


def size(amount: int) -> str:
    """Bytes as a policy writes them: `512Mi`."""
    for unit, name in ((2**30, "Gi"), (_MIB, "Mi"), (2**10, "Ki")):
        if amount % unit == 0 and amount:
            return f"{amount // unit}{name}"
    return str(amount)


# ---- capabilities --------------------------------------------------------------------------------

_KINDS: tuple[
    tuple[Literal["files", "network", "environment", "sockets"], tuple[str, ...], str, str], ...
] = (
    (
        "files",
        ("wasi:filesystem/preopens", "wasi:filesystem/types"),
        "can use files that you permit",
        "cannot reach files: it imports nothing for that",
    ),
    (
        "network",
        ("wasi:http/outgoing-handler",),
        "can send HTTP requests that you permit",
        "cannot reach the network: it imports nothing for that",
    ),
    (
        "environment",
        ("wasi:cli/environment", "wasi:config/store", "wasi:config/runtime"),
        "can see variables that you permit",
        "cannot see variables: it imports nothing for that",
    ),
    (
        "sockets",
        ("wasi:sockets/",),
        "asks for raw sockets, which Wassette gives to nobody",
        "asks for no raw sockets",
    ),
)


@lru_cache(1024)
def capabilities(imports: tuple[str, ...]) -> list[Capability]:
    """What a component could do at all, whatever it is permitted. Not to be changed: it is kept."""
    names = [clean(one) for one in imports]
    return [
        Capability(
            kind=kind,
            possible=bool(found),
            text=can if found else cannot,
            imports=found,
        )
        for kind, wanted, can, cannot in _KINDS
        for found in [list(_matching(names, wanted))]
    ]


def _matching(names: Iterable[str], wanted: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        bare = name.partition("@")[0]
        if any(bare == one or (one.endswith("/") and bare.startswith(one)) for one in wanted):
            yield name
