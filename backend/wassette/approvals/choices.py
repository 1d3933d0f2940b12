"""From what is asked to the rules that a person can choose. Pure decisions, but for `enforceable`.

Choices are offered narrowest first. What is offered can be had with one click, so what is too
wide to be given in passing is not offered at all: `*`, `*.com` and whatever else is below a public
suffix (`*.github.io`), whole disks, a home directory. A person can still write such a rule.

Whatever is offered covers what was asked: each candidate is decided by the same functions that
decide in a call, so that a name like `*` (a file may have it) cannot turn "this file" into a
pattern, and a rule without a port is not offered for a port that it is not about.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from wassette.errors import DecisionRefused, NotAskable, PolicyError, visible
from wassette.policy import (
    Access,
    EnvironmentRule,
    NetworkRule,
    Policy,
    StorageRule,
    parse_memory,
    rules,
)
from wassette.policy.files import resolve_path
from wassette.policy.model import text_of
from wassette.policy.network import (
    PORTS,
    NetworkTarget,
    decide_address,
    decide_network,
    kind_of_address,
)
from wassette.policy.patterns import is_wild, split
from wassette.policy.requested import Requested, joined, parts
from wassette.policy.storage import written_pattern

from .model import (
    BundledRules,
    Choice,
    EnvironmentAccess,
    LoadAsked,
    MemoryRule,
    NetworkAccess,
    PermissionAsked,
    ResetAsked,
    Rule,
    Scope,
    StorageAccess,
    Subject,
    UnloadAsked,
    What,
    kind_of_rule,
)
from .text import quoted, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_BUNDLED = 50
"""Permissions that come with a component and are asked for together; nobody reads more."""
MAX_NAME = 1000
"""Characters of a path, a reference or a rule. What is longer could hide its end."""

_EXTENSION = re.compile(r"[A-Za-z0-9_-]{1,10}")


@dataclass(frozen=True)
class Choices:
    """`default` is the index of what was asked for, or of something narrower."""

    options: tuple[Choice, ...]
    default: int = 0


def choices(
    subject: Subject,
    *,
    home: str | None = None,
    enforceable: Callable[[Rule], bool] = lambda _: True,
) -> Choices:
    """Raises `NotAskable` if nothing can be offered.

    `home`: the person's home directory. `enforceable`: whether a rule could be applied as it is;
    the host knows about links, and about its own files.
    """
    if isinstance(subject, LoadAsked | UnloadAsked | ResetAsked):
        return Choices((Choice(None, _ACTIONS[type(subject)]),))
    asked = subject.rule if isinstance(subject, PermissionAsked) else None
    found: list[Choice] = []
    try:
        candidates = list(_candidates(subject, home))
    except (PolicyError, ValueError) as error:
        raise NotAskable(f"it cannot be asked for: {error}") from None
    for choice in candidates:
        rule = choice.rule
        assert rule is not None
        if (
            _is_well_formed(rule)
            and covers(rule, subject)
            and enforceable(rule)
            and not any(rule == other.rule for other in found)
        ):
            found.append(choice)
    if not found:
        raise NotAskable(
            "no rule that could be offered allows just this; a person can write one: "
            "wassette permission grant --help"
        )
    default = next((i for i, one in enumerate(found) if one.rule == asked), 0)
    return Choices(tuple(found), default)


def scopes(subject: Subject) -> tuple[Scope, ...]:
    """What can be decided about it, narrowest first."""
    match subject:
        case NetworkAccess() | StorageAccess() | EnvironmentAccess():
            return tuple(Scope)
        case PermissionAsked(MemoryRule() | BundledRules()):
            return (Scope.ALWAYS,)
        case PermissionAsked():
            return Scope.SESSION, Scope.HOUR, Scope.ALWAYS
        case _:
            return (Scope.ONCE,)


def covers(rule: Rule | None, subject: Subject) -> bool:
    """Whether `rule` allows what was asked. Of a permission that an agent asks for, a part is
    enough, or more than it: a person decides."""
    match subject, rule:
        case NetworkAccess(target, None), NetworkRule():
            return decide_network(Policy("1.0", network_allow=(rule,)), target).allowed
        case NetworkAccess(target, str(address)), NetworkRule():
            with_it, without = (
                decide_address(Policy("1.0", network_allow=allow), address, target.port, target)
                for allow in ((rule,), ())
            )
            return with_it.allowed and not without.allowed
        case StorageAccess(path, access, _, root), StorageRule():
            pattern = written_pattern(rule)
            return (
                pattern is not None
                and access in rule.access
                and _is_named(rule) == root
                and pattern.covers(resolve_path(path))
            )
        case EnvironmentAccess(key), EnvironmentRule(other, None):
            return key == other
        case PermissionAsked(asked), _ if rule is not None:
            return _related(asked, rule)
        case LoadAsked() | UnloadAsked() | ResetAsked(), None:
            return True
    return False


def check_rule(rule: Rule | None, subject: Subject) -> None:
    """Raises `DecisionRefused` if a person cannot decide about `subject` by this rule."""
    if rule is not None:
        try:
            _check(rule)
        except PolicyError as error:
            raise DecisionRefused(f"This rule cannot be: {error}") from None
    if not covers(rule, subject):
        what = "no rule" if rule is None else describe(rule)
        raise DecisionRefused(f"{what} does not allow what was asked for")


# ---- rules as text -------------------------------------------------------------------------------


def rule_text(rule: Rule) -> str:
    """A rule as `parse_rule` reads it."""
    match rule:
        case MemoryRule(limit):
            return limit
        case BundledRules(text):
            return "; ".join(Requested(text).lines())
    return text_of(rule)


def describe(rule: Rule) -> str:
    """A rule for people."""
    if isinstance(rule, BundledRules):
        return "everything that it came with"
    return f"{kind_of_rule(rule)} {quoted(rule_text(rule), MAX_NAME)}"


def parse_rule(subject: Subject, text: str) -> Rule:
    """What a person wrote in place of a choice: `fs:///a/*` (with the access that was asked for),
    `read,write fs:///a/*`, `api.example.com`, `GET,HEAD https://api.example.com`, `10.0.0.0/8`,
    `512Mi`. Raises `DecisionRefused` if it is no rule, or does not allow what was asked for."""
    rule = _parse(subject, text.strip())
    check_rule(rule, subject)
    return rule


def _parse(subject: Subject, text: str) -> Rule:
    asked = subject.rule if isinstance(subject, PermissionAsked) else None
    words, _, rest = text.rpartition(" ")
    match subject, asked:
        case StorageAccess(), _:
            return _storage(text, frozenset({subject.access}))
        case _, StorageRule():
            return _storage(text, asked.access)
        case (NetworkAccess(), _) | (_, NetworkRule()):
            methods = tuple(word.strip().upper() for word in words.split(",") if word.strip())
            if "/" in rest and "://" not in rest and _network_of(rest) is not None:
                return NetworkRule(cidr=rest, methods=methods)
            return NetworkRule(host=rest, methods=methods)
        case (EnvironmentAccess(), _) | (_, EnvironmentRule()):
            return EnvironmentRule(text)
        case _, MemoryRule():
            return MemoryRule(text)
    raise DecisionRefused("this can be allowed or denied as it is; there is no rule to choose")


def _storage(text: str, asked: frozenset[Access]) -> StorageRule:
    # A path may have spaces in it, so what is in front of it is told from it by the scheme.
    words, scheme, path = text.partition(rules.SCHEME)
    if not scheme:
        words, _, path = text.rpartition(" ")
    names = [word.strip() for word in words.split(",") if word.strip()]
    for name in names:
        if name not in set(Access):
            raise DecisionRefused(f"'{visible(name)}' is no access: there are read and write")
    return StorageRule(scheme + path, frozenset(map(Access, names)) or asked)


def _is_well_formed(rule: Rule) -> bool:
    try:
        _check(rule)
    except PolicyError:
        return False
    # Of several, each has a line of its own.
    return isinstance(rule, BundledRules) or len(rule_text(rule)) <= MAX_NAME


def _check(rule: Rule) -> None:
    match rule:
        case StorageRule(uri, access):
            rules.check_storage_uri(uri)
            if not access:
                raise PolicyError("storage needs some access: read, write or both")
        case NetworkRule(host, cidr, methods):
            if (host is None) == (cidr is None):
                raise PolicyError("it needs one of host and cidr")
            if host is not None:
                rules.check_host(host)
            if cidr is not None:
                rules.check_cidr(cidr)
            for method in methods:
                if rules.check_method(method) != method:
                    raise PolicyError("methods are upper case")
        case EnvironmentRule(key, inject):
            rules.check_environment_key(key)
            if inject is not None:
                raise PolicyError("'inject' is written to the policy by hand")
        case MemoryRule(limit):
            parse_memory(limit)
        case BundledRules(text):
            asked = Requested(text)
            lines = asked.lines()
            if not 0 < len(lines) <= MAX_BUNDLED or any(len(one) > MAX_NAME for one in lines):
                raise PolicyError("it is more than can be shown")
            if Requested.of(asked.policy) != asked:
                raise PolicyError("it says more than what is shown of it")


# ---- what is offered -----------------------------------------------------------------------------

_ACTIONS = {
    LoadAsked: "load it",
    UnloadAsked: "remove it, with its tools and permissions",
    ResetAsked: "take all its permissions back",
}


def _candidates(subject: Subject, home: str | None) -> Iterator[Choice]:
    match subject:
        case NetworkAccess(target, None):
            yield from _for_target(target)
        case NetworkAccess(target, str(address)):
            yield from _for_address(address, target)
        case StorageAccess():
            yield from _for_path(subject, home)
        case EnvironmentAccess(key):
            yield Choice(EnvironmentRule(key), "read this variable")
        case PermissionAsked(rule):
            yield from _for_permission(rule, home)


# ---- network ----


def _for_target(target: NetworkTarget) -> Iterator[Choice]:
    scheme, method = target.scheme, target.method
    host = f"[{target.host}]" if ":" in target.host else target.host
    usual = target.port == PORTS[scheme]
    exact = f"{scheme}://{host}" if usual else f"{scheme}://{host}:{target.port}"
    name = shown(host, 300)
    port = f"{scheme}, port {target.port}"
    yield Choice(NetworkRule(exact, methods=(method,)), f"{method} to {name} ({port})")
    yield Choice(NetworkRule(exact), f"any method to {name} ({port})")
    yield Choice(NetworkRule(host), f"{name} (http and https, ports 80 and 443)")
    suffix = "" if target.port in PORTS.values() else f":{target.port}"
    ports = f"port {target.port}" if suffix else "ports 80 and 443"
    for domain in _domains(target):
        text = f"every host below {shown(domain, 300)} (http and https, {ports})"
        yield Choice(NetworkRule(f"*.{domain}{suffix}"), text)


def _for_address(address: str, target: NetworkTarget) -> Iterator[Choice]:
    real = ipaddress.ip_address(address)
    plain = getattr(real, "ipv4_mapped", None) or real
    host = f"[{plain}]" if plain.version == 6 else str(plain)
    kind = kind_of_address(plain)
    text = f"names may lead to {plain} ({kind})"
    yield Choice(NetworkRule(f"{host}:{target.port}"), f"{text}, port {target.port}")
    yield Choice(NetworkRule(cidr=f"{plain}/{plain.max_prefixlen}"), f"{text}, any port")


def _domains(target: NetworkTarget) -> Iterator[str]:
    """What the host is below: the next domain, and the one that somebody registered."""
    if target.address is not None or "." not in target.host:
        return
    registered = registered_domain(target.host)
    parent = target.host.partition(".")[2]
    if registered is None or len(parent) < len(registered):
        return
    yield parent
    if parent != registered:
        yield registered


def registered_domain(host: str) -> str | None:
    """`example.co.uk` of `a.b.example.co.uk`; None for what is itself a public suffix."""
    found = _suffixes().privatesuffix(host.removesuffix(".").lower())
    return str(found) if found else None


@lru_cache(maxsize=1)
def _suffixes():  # type: ignore[no-untyped-def]
    # Takes 30 ms, so only when it is asked. The list comes with the library; nothing is downloaded.
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


# ---- storage ----


def _for_path(subject: StorageAccess, home: str | None) -> Iterator[Choice]:
    names = resolve_path(subject.path)
    access = frozenset({subject.access})
    does = subject.access.value
    # What a wildcard stands for in a rule is more than the character.
    if any(map(is_wild, names[:-1])):
        return
    scheme = rules.SCHEME + ("" if subject.root else "/")

    def rule(*parts: str) -> StorageRule:
        return StorageRule(scheme + "/".join(parts), access)

    def tree(parts: tuple[str, ...]) -> Choice:
        where = quoted("/" + "/".join(parts), MAX_NAME)
        return Choice(rule(*parts, "**"), f"{does} {where} and everything below")

    *above, name = names or ("",)
    folder = tuple(above)
    path = quoted(subject.path, MAX_NAME)
    if subject.what is What.DIRECTORY:
        if _may_be_offered(names, subject, home):
            yield tree(names)
        if _may_be_offered(folder, subject, home):
            yield tree(folder)
        return
    if not name:
        return
    if not is_wild(name):
        text = f"{does} {path}, this file only"
        if subject.what is What.MISSING:
            text = f"{does} {path}, which is not there (as a directory: all below it too)"
        yield Choice(rule(*names), text)
    where = quoted("/" + "/".join(folder), MAX_NAME)
    if not _may_be_offered(folder, subject, home):
        return
    stem, dot, extension = name.rpartition(".")
    if dot and stem and _EXTENSION.fullmatch(extension):
        yield Choice(rule(*folder, f"*.{extension}"), f"{does} every .{extension} file in {where}")
    yield Choice(rule(*folder, "*"), f"{does} every file in {where}, not below")
    yield tree(folder)


def _may_be_offered(folder: tuple[str, ...], subject: StorageAccess, home: str | None) -> bool:
    """Whether a whole directory is something to give in passing."""
    return bool(folder) if subject.root else not _is_wide(folder, home)


def _is_wide(folder: tuple[str, ...], home: str | None) -> bool:
    """`/`, what is directly in it, a home directory, or what it is in."""
    if len(folder) < 2:
        return True
    mine = split(PurePosixPath(home).as_posix()) if home else ()
    return mine[: len(folder)] == folder or (len(folder) == 2 and folder[0] in ("home", "Users"))


# ---- what an agent asks for ----


def _for_permission(asked: Rule, home: str | None) -> Iterator[Choice]:
    match asked:
        case StorageRule(uri, access):
            warning = _storage_warning(asked, home)
            if warning is None:
                return
            where = quoted(uri.removeprefix(rules.SCHEME), MAX_NAME)
            if len(access) > 1:
                yield Choice(StorageRule(uri, frozenset({Access.READ})), f"read {where}", warning)
            does = " and ".join(sorted(access))
            yield Choice(asked, f"{does} {where}", warning)
        case NetworkRule(host, cidr, methods):
            warning = _network_warning(host, cidr)
            if warning is None:
                return
            if host is not None and "://" not in host and ":" not in host and "/" not in host:
                over = NetworkRule(f"https://{host}", methods=methods)
                yield Choice(over, _network_text(over), warning)
            yield Choice(asked, _network_text(asked), warning)
        case EnvironmentRule(key, None):
            yield Choice(asked, f"read the variable {quoted(key, MAX_NAME)}")
        case MemoryRule(limit):
            yield Choice(asked, f"use up to {shown(limit)} of memory")
        case BundledRules(text):
            warnings = dict.fromkeys(
                warning
                for _, part in parts(Requested(text).policy)
                if (warning := _warning(part, home))
            )
            yield Choice(asked, "all that it asks for", "; ".join(warnings))


def offered_of(
    policy: Policy, *, home: str | None = None, enforceable: Callable[[Rule], bool] = lambda _: True
) -> tuple[Policy, tuple[str, ...]]:
    """What of a policy that came with a component can be offered to a person, and, a line each,
    what is too wide to be given in passing or cannot be enforced."""
    kept: list[Policy] = []
    left_out: list[str] = []
    for line, part in parts(policy):
        fits = all(map(enforceable, part.storage_allow)) and len(line) <= MAX_NAME
        if fits and _warning(part, home) is not None and len(kept) < MAX_BUNDLED:
            kept.append(part)
        else:
            left_out.append(line)
    return joined(kept), tuple(left_out)


def _warning(part: Policy, home: str | None) -> str | None:
    """Of a policy with one rule; None: not to be offered."""
    for rule in part.storage_allow:
        return _storage_warning(rule, home)
    for one in part.network_allow:
        return _network_warning(one.host, one.cidr)
    return ""


def _network_text(rule: NetworkRule) -> str:
    methods = f"{', '.join(rule.methods)} to" if rule.methods else "any method to"
    return f"{methods} {shown(rule.host or rule.cidr or '', MAX_NAME)}"


def _storage_warning(rule: StorageRule, home: str | None) -> str | None:
    """None: not to be offered."""
    if _is_named(rule):
        return ""
    fixed: list[str] = []
    for name in split(rule.uri.removeprefix(rules.SCHEME)):
        if is_wild(name):
            break
        fixed.append(name)
    if not fixed:
        return None
    if _is_wide(tuple(fixed), home):
        return "this is very much: most of a disk or of a home directory"
    return ""


def _network_warning(host: str | None, cidr: str | None) -> str | None:
    """None: not to be offered."""
    if cidr is not None:
        network = _network_of(cidr)
        if network is None or network.prefixlen == 0:
            return None
        return "" if network.num_addresses <= 256 else "these are many addresses"
    name = _host_name(host or "")
    if name == "*":
        return None
    if name.startswith("*."):
        domain = name.removeprefix("*.")
        if registered_domain(domain) is None:
            return None
        return "every host below it, whoever runs it"
    return ""


# ---- rules compared ------------------------------------------------------------------------------


def _is_named(rule: StorageRule) -> bool:
    """Whether it is about a named root."""
    return not rule.uri.startswith(f"{rules.SCHEME}/")


def _related(asked: Rule, rule: Rule) -> bool:
    match asked, rule:
        case StorageRule(), StorageRule():
            one, other = written_pattern(asked), written_pattern(rule)
            if one is None or other is None or _is_named(asked) != _is_named(rule):
                return False
            return one.contains(other) or other.contains(one)
        case NetworkRule(), NetworkRule():
            return _related_hosts(asked, rule)
        case EnvironmentRule(key, None), EnvironmentRule(other_key, None):
            return key == other_key
        case MemoryRule(), MemoryRule():
            return True
        case BundledRules(), BundledRules():
            return asked == rule  # nothing but what was shown
    return False


def _related_hosts(asked: NetworkRule, rule: NetworkRule) -> bool:
    if asked.cidr is not None or rule.cidr is not None:
        one, other = (_network_of(r.cidr or _host_name(r.host or "")) for r in (asked, rule))
        return (
            one is not None
            and other is not None
            and one.version == other.version
            and one.overlaps(other)
        )
    one_name, other_name = _host_name(asked.host or ""), _host_name(rule.host or "")
    return (
        one_name == other_name
        or "*" in (one_name, other_name)
        or _is_below(one_name, other_name)
        or _is_below(other_name, one_name)
    )


def _is_below(name: str, wildcard: str) -> bool:
    return wildcard.startswith("*.") and name.endswith(wildcard[1:])


def _host_name(host: str) -> str:
    """The name or address of a rule, without scheme, port and path."""
    authority = host.rpartition("://")[2].partition("/")[0]
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    if authority.count(":") == 1:
        authority = authority.partition(":")[0]
    return authority.lower().removesuffix(".")


def _network_of(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
