"""From what a component did: the smallest rules that would have been enough.

Pure decisions but for `look`, which says what is at a path. Every rule that is suggested lies
within one that is there, so that nothing is ever widened; what cannot be said more narrowly stays
as it is. Deny rules are not touched. `changed` writes the suggestions into a policy's text, and
refuses a result that allows anything that was not allowed before.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from wassette.errors import PolicyError
from wassette.policy import Access, NetworkRule, Policy, PolicyDocument, StorageRule
from wassette.policy.files import resolve_path
from wassette.policy.model import text_of
from wassette.policy.network import PORTS, NetworkTarget, rule_covers
from wassette.policy.patterns import ANY_DEPTH, Pattern, is_wild
from wassette.policy.rules import SCHEME
from wassette.policy.storage import written_pattern

from .match import leads, needed, target_of
from .model import FileUse, How, NetworkUse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

MAX_FILES = 8
"""Files of one directory that are allowed one by one; of more, a pattern."""
MAX_RULES = 12
"""Rules that one is narrowed to; of more, what they have in common."""

Segments = tuple[str, ...]


class What(StrEnum):
    """What is at a path. A link is not followed."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    MISSING = "missing"


@dataclass(frozen=True)
class Suggestion:
    """What becomes of the rules for one path or host: `now` in place of `before`."""

    before: tuple[StorageRule | NetworkRule, ...]
    now: tuple[StorageRule | NetworkRule, ...]
    uses: int

    @property
    def action(self) -> str:
        """`keep`, `narrow` or `remove`."""
        if self.before == self.now:
            return "keep"
        return "narrow" if self.now else "remove"

    def to_plain(self) -> dict[str, object]:
        return {
            "kind": "storage" if isinstance(self.before[0], StorageRule) else "network",
            "action": self.action,
            "rules": [text_of(one) for one in self.before],
            "instead": [text_of(one) for one in self.now] if self.action == "narrow" else [],
            "uses": self.uses,
        }


@dataclass
class _Group:
    """The storage rules that are about one tree: `fs:///a`, `fs:///a/` and `fs:///a/**`."""

    rules: list[StorageRule]
    pattern: Pattern
    named: bool
    used: dict[Access, dict[Segments, How]] = field(default_factory=lambda: defaultdict(dict))
    uses: int = 0

    @property
    def access(self) -> frozenset[Access]:
        return frozenset(access for rule in self.rules for access in rule.access)

    @property
    def uri(self) -> str:
        return self.rules[0].uri


# ---- storage -------------------------------------------------------------------------------------


def narrow_storage(
    allow: Sequence[StorageRule],
    uses: Iterable[FileUse],
    look: Callable[[str], What],
    keep: frozenset[str] = frozenset(),
) -> list[Suggestion]:
    """`keep`: the uris of rules that are not to be narrowed."""
    groups = _groups(allow)
    lights: list[Segments] = []
    for use in sorted(uses, key=lambda one: (one.how is How.LOOK, one.path)):
        try:
            names = resolve_path(use.path)
        except PolicyError:
            continue
        need = needed(use.how)
        owner = _owner(groups, names, need)
        if owner is None:
            continue  # allowed for a while, or by a rule that is gone
        owner.uses += 1
        if need is None:
            lights.append(names)
        elif owner.used[need].get(names) is not How.LIST:
            owner.used[need][names] = use.how
    for names in lights:
        if not any(names in paths for one in groups for paths in one.used.values()):
            owner = _owner(groups, names, None)
            assert owner is not None
            access = Access.READ if Access.READ in owner.access else Access.WRITE
            owner.used[access][names] = How.LOOK
    return [_narrowed(group, look, keep) for group in groups]


def absent(uses: Iterable[FileUse], look: Callable[[str], What]) -> list[str]:
    """What was looked for and is not there: no rule can be about it yet."""
    kinds = {use.path for use in uses if use.how is not How.WRITE}
    kinds -= {use.path for use in uses if use.how is How.WRITE}
    return sorted(path for path in kinds if look(path) is What.MISSING)


def _groups(allow: Sequence[StorageRule]) -> list[_Group]:
    found: dict[object, _Group] = {}
    for rule in allow:
        pattern = written_pattern(rule)
        if pattern is None:
            continue  # not applied; it stays
        named = not rule.uri.startswith(f"{SCHEME}/")
        key = (named, pattern.segments, pattern.tree)
        found.setdefault(key, _Group([], pattern, named)).rules.append(rule)
    return list(found.values())


def _owner(groups: Iterable[_Group], names: Segments, need: Access | None) -> _Group | None:
    """The most specific rules that allow this."""
    fitting = [
        one for one in groups if (need is None or need in one.access) and one.pattern.covers(names)
    ]
    return max(fitting, key=lambda one: one.pattern.rank, default=None)


def _narrowed(group: _Group, look: Callable[[str], What], keep: frozenset[str]) -> Suggestion:
    before = tuple(group.rules)
    if any(rule.uri in keep for rule in before):
        return Suggestion(before, before, group.uses)
    wanted: dict[str, set[Access]] = {}
    for access in Access:
        if access in group.access and group.used.get(access):
            for uri in _uris(group, access, look):
                wanted.setdefault(uri, set()).add(access)
    if wanted == {group.uri: set(group.access)}:
        return Suggestion(before, before, group.uses)
    now = tuple(StorageRule(uri, frozenset(kinds)) for uri, kinds in sorted(wanted.items()))
    return Suggestion(before, now, group.uses)


def _uris(group: _Group, access: Access, look: Callable[[str], What]) -> list[str]:
    """The narrowest uris within the group's own that cover what was used."""
    found = _covering(group.used[access], access, look)
    if found is not None:
        if not all(group.pattern.contains(_as_written(one)) for one in found):
            found = _largest(map(_loosened, found))
        if len(found) > MAX_RULES:
            found = [_together(found)]
        if found and all(
            group.pattern.contains(written) and not written.contains(group.pattern)
            for written in map(_as_written, found)
        ):
            scheme = SCHEME + ("" if group.named else "/")
            return [scheme + "/".join(_written(one)) for one in found]
    return [group.uri]


def _written(pattern: Pattern) -> Segments:
    return pattern.segments or (ANY_DEPTH,)


def _as_written(pattern: Pattern) -> Pattern:
    """What a rule for it covers: the name of a file is that of a directory, should one take its
    place."""
    wild = any(map(is_wild, pattern.segments))
    return pattern if wild else Pattern(pattern.segments, tree=True)


def _covering(
    paths: dict[Segments, How], access: Access, look: Callable[[str], What]
) -> list[Pattern] | None:
    """None: it cannot be said."""
    found: list[Pattern] = []
    opened: list[Segments] = []
    files: dict[Segments, list[str]] = defaultdict(list)
    for names, how in paths.items():
        *above, name = names or ("",)
        folder = tuple(above)
        if any(map(is_wild, folder)) or not names:
            return None
        what = look("/" + "/".join(names))
        if what is What.DIRECTORY and (how is How.LIST or access is Access.READ):
            if is_wild(name):
                return None
            if how is How.LIST:
                found.append(Pattern((*names, "*")))
            else:
                opened.append(names)
        elif what is What.DIRECTORY:
            if is_wild(name):
                return None
            found.append(Pattern(names, tree=True))
        elif what is What.MISSING and access is Access.READ:
            continue
        elif what is not What.FILE or is_wild(name):
            # What came and went comes again by another name; a link is not allowed by its own.
            found.append(Pattern((*folder, "*")))
        else:
            files[folder].append(name)
    for folder, several in files.items():
        found += _of_folder(folder, several)
    for names in opened:
        # It can be opened, as a directory, if anything below it is allowed.
        if not any(one.segments[: len(names)] == names for one in found):
            found.append(Pattern((*names, "*")))
    return _largest(found)


def _of_folder(folder: Segments, names: list[str]) -> list[Pattern]:
    if len(names) <= MAX_FILES:
        return [Pattern((*folder, name)) for name in names]
    kinds = {_extension(name) for name in names}
    kind = kinds.pop() if len(kinds) == 1 else ""
    return [Pattern((*folder, f"*{kind}"))]


def _extension(name: str) -> str:
    stem, dot, extension = name.rpartition(".")
    return f".{extension}" if dot and stem and extension.isalnum() else ""


def _loosened(pattern: Pattern) -> Pattern:
    """A file as those of its kind, which no directory can come of."""
    *above, name = pattern.segments or ("*",)
    if pattern.tree or is_wild(name):
        return pattern
    return Pattern((*above, f"*{_extension(name)}"))


def _largest(found: Iterable[Pattern]) -> list[Pattern]:
    """Without those that lie within another one."""
    every = list(dict.fromkeys(found))
    return [
        one for one in every if not any(other != one and other.contains(one) for other in every)
    ]


def _together(found: Sequence[Pattern]) -> Pattern:
    """The directory that all of them are in, with everything below."""
    common: list[str] = []
    for names in zip(*(one.segments for one in found), strict=False):
        if len(set(names)) > 1 or is_wild(names[0]):
            break
        common.append(names[0])
    return Pattern(tuple(common), tree=True)


# ---- network -------------------------------------------------------------------------------------


def narrow_network(allow: Sequence[NetworkRule], uses: Iterable[NetworkUse]) -> list[Suggestion]:
    read = [(use, target) for use in uses if (target := target_of(use)) is not None]
    targets: dict[NetworkRule, list[NetworkTarget]] = {rule: [] for rule in allow}
    addresses: set[NetworkRule] = set()
    for use, target in read:
        fitting = [rule for rule in allow if rule_covers(rule, target)]
        if fitting:
            targets[max(fitting, key=_specific)].append(target)
        addresses |= {rule for rule in allow if leads(rule, use, target)}
    found: dict[str, list[NetworkRule]] = defaultdict(list)
    for rule in allow:
        found[rule.host or rule.cidr or ""].append(rule)
    return [
        Suggestion(
            tuple(rules),
            _unique(
                one
                for rule in rules
                for one in ([rule] if rule in addresses else _hosts(rule, targets[rule]))
            ),
            sum(len(targets[rule]) for rule in rules),
        )
        for rules in found.values()
    ]


def _unique(rules: Iterable[NetworkRule]) -> tuple[NetworkRule, ...]:
    return tuple(dict.fromkeys(rules))


def _specific(rule: NetworkRule) -> tuple[object, ...]:
    host = rule.host or ""
    rest = host.partition("://")[2] or host
    name = rest.partition("/")[0]
    return (
        "*" not in name and bool(name),
        name != "*",
        "/" in rest,
        "://" in host,
        bool(rule.methods),
        len(host),
    )


def _hosts(rule: NetworkRule, targets: Sequence[NetworkTarget]) -> list[NetworkRule]:
    """The narrowest rules within `rule` that cover these requests."""
    methods: dict[tuple[str, str, int], set[str]] = defaultdict(set)
    for one in targets:
        methods[one.scheme, one.host, one.port].add(one.method)
    if not methods:
        return []
    text = rule.host or ""
    path = (text.partition("://")[2] or text).partition("/")[2]
    name = (text.partition("://")[2] or text).partition("/")[0]
    narrow = "*" not in name and rule.cidr is None
    every = {method for several in methods.values() for method in several}
    if len(methods) > MAX_RULES or (narrow and len(methods) > 1):
        return [NetworkRule(rule.host, rule.cidr, _methods(rule, every))]
    found = []
    for (scheme, host, port), several in sorted(methods.items()):
        shown = f"[{host}]" if ":" in host else host
        shown = shown if port == PORTS[scheme] else f"{shown}:{port}"
        exact = f"{scheme}://{shown}" + (f"/{path}" if path else "")
        # One that names its scheme is written as it was.
        written = text if narrow and "://" in text else exact
        found.append(NetworkRule(written, methods=_methods(rule, several)))
    return found


def _methods(rule: NetworkRule, used: set[str]) -> tuple[str, ...]:
    """As the rule has them, if they are the same."""
    return rule.methods if set(rule.methods) == used else tuple(sorted(used))


# ---- the policy ----------------------------------------------------------------------------------


def changed(document: PolicyDocument, suggestions: Iterable[Suggestion]) -> None:
    """Write the suggestions into a document. Raises `PolicyError` if it cannot be done without
    allowing more than before; the document is then of no use."""
    before = document.policy
    for one in suggestions:
        if one.action == "keep":
            continue
        # What is new first, so that a comment on the list stays where it is; but what is written
        # as before would be taken back with it.
        again = [rule for rule in one.now if _subject(rule) in map(_subject, one.before)]
        _grant(document, [rule for rule in one.now if rule not in again])
        for gone in one.before:
            match gone:
                case StorageRule(uri):
                    document.revoke_storage(uri)
                case NetworkRule(host, cidr):
                    document.revoke_network(host or cidr or "")
        _grant(document, again)
    check_no_wider(before, document.policy)


def _subject(rule: StorageRule | NetworkRule) -> object:
    if isinstance(rule, NetworkRule):
        return rule.host or rule.cidr
    return _is_named(rule), written_pattern(rule)


def _grant(document: PolicyDocument, rules: Iterable[StorageRule | NetworkRule]) -> None:
    for rule in rules:
        match rule:
            case StorageRule(uri, access):
                document.grant_storage(uri, access)
            case NetworkRule():
                document.grant_network_rule(rule)


def check_no_wider(before: Policy, now: Policy) -> None:
    """Raises `PolicyError` if `now` allows anything that `before` did not."""
    for rule in now.storage_allow:
        pattern = written_pattern(rule)
        for access in rule.access:
            if rule not in before.storage_allow and not any(
                pattern is not None
                and access in other.access
                and _is_named(other) == _is_named(rule)
                and (wider := written_pattern(other)) is not None
                and wider.contains(pattern)
                for other in before.storage_allow
            ):
                raise PolicyError(f"'{text_of(rule)}' would allow more than the policy does")
    for one in now.network_allow:
        if one not in before.network_allow and not any(
            _holds(other, one) for other in before.network_allow
        ):
            raise PolicyError(f"'{text_of(one)}' would allow more than the policy does")
    kept = before.storage_deny, before.network_deny, before.environment_allow, before.limits
    if kept != (now.storage_deny, now.network_deny, now.environment_allow, now.limits):
        raise PolicyError("what is not about to be changed would be another")


def _holds(wider: NetworkRule, rule: NetworkRule) -> bool:
    """Whether `wider` allows whatever `rule`, which is about one host, does."""
    if wider.methods and not (rule.methods and set(rule.methods) <= set(wider.methods)):
        return False
    if (wider.host, wider.cidr) == (rule.host, rule.cidr):
        return True
    if rule.host is None:
        return False
    scheme, found, rest = rule.host.partition("://")
    schemes = [scheme] if found else list(PORTS)
    authority, _, path = (rest if found else rule.host).partition("/")
    method = (rule.methods or ("GET",))[0]
    other = (wider.host or "").partition("://")[2] or wider.host or ""
    if path and other.partition("/")[2] not in ("", path):
        return False
    try:
        targets = [
            NetworkTarget.parse(f"{one}://{authority}/{path.removesuffix('*')}", method)
            for one in schemes
        ]
    except PolicyError:
        return False
    return all(rule_covers(wider, one) for one in targets) and (
        bool(path) or "/" not in other.rstrip("/")
    )


def _is_named(rule: StorageRule) -> bool:
    return not rule.uri.startswith(f"{SCHEME}/")
