"""Policy text → `Policy`, or a `PolicyError` that says where and why; nothing in between.

The schema is Wassette's. What it ignores is ignored here too (`runtime`, `ipc`, unknown keys),
but a key that we know is never skipped because its value has the wrong type. `inject`, which is
ours, has no unknown keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from wassette.errors import PolicyError, visible
from wassette.policy import quantities, rules
from wassette.policy.injection import Injection
from wassette.policy.model import (
    Access,
    EnvironmentRule,
    Limits,
    NetworkRule,
    Policy,
    StorageRule,
)
from wassette.policy.nodes import MAX_BYTES, Mapping, Node, Scalar, Sequence, read_nodes, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_T = TypeVar("_T")
_INJECT = ("host", "header", "query")


def decode_policy(data: bytes, source: str) -> str:
    """A policy file's bytes as text. Raises `PolicyError` when too large or not UTF-8."""
    if len(data) > MAX_BYTES:
        raise refused(source, 1, f"a policy is at most {MAX_BYTES // 1024} KiB")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise refused(source, line, "not UTF-8 text") from error


def parse_policy(text: str, source: str) -> Policy:
    """The policy in `text`. Raises `PolicyError` (`source:line: reason`) and nothing else."""
    return policy_of(read_nodes(text, source), source)


def policy_of(root: Mapping, source: str) -> Policy:
    """As `parse_policy`, for text that has been read already."""
    return _Parser(source).policy(root)


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source

    def policy(self, root: Mapping) -> Policy:
        version = self._required_text(root, "version", "a policy")
        if not version.startswith("1."):
            raise self._refused(
                root.items["version"], f"unsupported version '{visible(version)}': use \"1.0\""
            )
        if "permissions" not in root.items:
            raise self._refused(root, "a policy needs 'permissions' (it may be empty: {})")
        permissions = self._mapping(root, "permissions")
        storage = self._mapping(permissions, "storage")
        network = self._mapping(permissions, "network")
        environment = self._mapping(permissions, "environment")
        return Policy(
            version=version,
            description=self._optional_text(root, "description"),
            storage_allow=self._rules(storage, "allow", self._storage_rule),
            storage_deny=self._rules(storage, "deny", self._storage_rule),
            network_allow=self._rules(network, "allow", self._network_rule),
            network_deny=self._rules(network, "deny", self._network_rule),
            environment_allow=self._rules(environment, "allow", self._environment_rule),
            limits=self._limits(self._mapping(permissions, "resources")),
        )

    def _storage_rule(self, rule: Mapping) -> StorageRule:
        uri = self._required_text(rule, "uri", "a storage rule")
        self._check(rule.items["uri"], rules.check_storage_uri, uri)
        access: set[Access] = set()
        for item, word in self._texts(rule, "access"):
            if word not in set(Access):
                raise self._refused(item, f"access is 'read' or 'write', not '{visible(word)}'")
            access.add(Access(word))
        if not access:
            raise self._refused(rule, "a storage rule needs 'access': [read], [write] or both")
        return StorageRule(uri, frozenset(access))

    def _network_rule(self, rule: Mapping) -> NetworkRule:
        host = self._optional_text(rule, "host")
        cidr = self._optional_text(rule, "cidr")
        # Both at once would leave open whether they are to be added or intersected.
        if (host is None) == (cidr is None):
            raise self._refused(rule, "a network rule needs one of 'host' and 'cidr'")
        if host is not None:
            self._check(rule.items["host"], rules.check_host, host)
        if cidr is not None:
            self._check(rule.items["cidr"], rules.check_cidr, cidr)
        methods = [
            self._check(item, rules.check_method, word)
            for item, word in self._texts(rule, "methods")
        ]
        if not methods and self._present(rule, "methods"):
            raise self._refused(rule.items["methods"], "'methods' is empty: name one or leave it")
        return NetworkRule(host, cidr, tuple(dict.fromkeys(methods)))

    def _environment_rule(self, rule: Mapping) -> EnvironmentRule:
        key = self._required_text(rule, "key", "an environment rule")
        self._check(rule.items["key"], rules.check_environment_key, key)
        if not self._present(rule, "inject"):
            return EnvironmentRule(key)
        return EnvironmentRule(key, self._injection(key, self._mapping(rule, "inject")))

    def _injection(self, key: str, inject: Mapping) -> Injection:
        for name in inject.items:
            # Elsewhere, such keys are Wassette's or a later version's. Here they are mistakes: with
            # `headers` left out, the secret could go into any header.
            if name not in _INJECT:
                raise self._refused(
                    inject.keys[name],
                    f"'inject' has no '{visible(name)}': it has {', '.join(_INJECT)}",
                )
        hosts = [
            self._check(item, rules.check_bound_host, text)
            for item, text in self._one_or_more(inject, "host")
        ]
        if not hosts:
            raise self._refused(inject, "'inject' needs 'host': who may have the secret")
        headers = [
            self._check(item, rules.check_header, text)
            for item, text in self._one_or_more(inject, "header")
        ]
        query = self._optional_text(inject, "query")
        if query is not None:
            self._check(inject.items["query"], rules.check_query, query)
        return Injection(
            key,
            tuple(NetworkRule(host=host) for host in dict.fromkeys(hosts)),
            tuple(dict.fromkeys(headers)),
            query,
        )

    def _one_or_more(self, parent: Mapping, key: str) -> Iterator[tuple[Node, str]]:
        """One text, or a list of them, which is then not empty."""
        if not self._present(parent, key):
            return
        node = parent.items[key]
        if not isinstance(node, Sequence):
            yield node, self._text(node, key)
        elif node.items:
            yield from self._texts(parent, key)
        else:
            raise self._refused(node, f"'{key}' is empty: name one or leave it")

    def _limits(self, resources: Mapping) -> Limits:
        limits = self._mapping(resources, "limits")
        # The first that is there counts: Wassette's older files have the amounts in `resources`.
        memory = self._amount((limits, resources), "memory", quantities.parse_memory)
        cpu = self._amount((limits, resources), "cpu", quantities.parse_cpu)
        timeout = self._amount((limits,), "timeout", quantities.parse_timeout)
        return Limits(memory, cpu, timeout)

    def _amount(
        self, places: tuple[Mapping, ...], key: str, parse: Callable[[object], _T]
    ) -> _T | None:
        amounts: list[_T] = []
        for place in places:
            if self._present(place, key):
                node = place.items[key]
                if not isinstance(node, Scalar):
                    raise self._refused(node, f"'{key}' must be one value")
                amounts.append(self._check(node, parse, node.value))
        return amounts[0] if amounts else None

    def _rules(self, section: Mapping, key: str, parse: Callable[[Mapping], _T]) -> tuple[_T, ...]:
        if not self._present(section, key):
            return ()
        node = section.items[key]
        if not isinstance(node, Sequence):
            raise self._refused(node, f"'{key}' must be a list of rules")
        parsed: list[_T] = []
        for item in node.items:
            if not isinstance(item, Mapping):
                raise self._refused(item, f"a rule in '{key}' must be a mapping")
            parsed.append(parse(item))
        return tuple(parsed)

    def _mapping(self, parent: Mapping, key: str) -> Mapping:
        if not self._present(parent, key):
            return Mapping({}, {}, parent.line, 0, 0, 0, flow=False)
        node = parent.items[key]
        if not isinstance(node, Mapping):
            raise self._refused(node, f"'{key}' must be a mapping")
        return node

    def _texts(self, parent: Mapping, key: str) -> Iterator[tuple[Node, str]]:
        if not self._present(parent, key):
            return
        node = parent.items[key]
        if not isinstance(node, Sequence):
            raise self._refused(node, f"'{visible(key)}' must be a list")
        for item in node.items:
            yield item, self._text(item, key)

    def _required_text(self, parent: Mapping, key: str, what: str) -> str:
        text = self._optional_text(parent, key)
        if text is None:
            raise self._refused(parent, f"{what} needs '{key}'")
        return text

    def _optional_text(self, parent: Mapping, key: str) -> str | None:
        return self._text(parent.items[key], key) if self._present(parent, key) else None

    def _text(self, node: Node, key: str) -> str:
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            hint = " (put it in quotes)" if isinstance(node, Scalar) else ""
            raise self._refused(node, f"'{visible(key)}' must be text{hint}")
        return node.value

    def _present(self, parent: Mapping, key: str) -> bool:
        """Whether `key` has a value: Wassette writes `deny: null` for what is not there."""
        node = parent.items.get(key)
        return node is not None and not (isinstance(node, Scalar) and node.value is None)

    def _check(self, node: Node, check: Callable[..., _T], value: object) -> _T:
        try:
            return check(value)
        except PolicyError as error:
            raise self._refused(node, str(error)) from None

    def _refused(self, node: Node, reason: str) -> PolicyError:
        return refused(self.source, node.line, reason)
