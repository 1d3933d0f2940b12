"""A policy file being edited: what is not changed keeps its comments, order and spelling."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from wassette.errors import PolicyError, visible
from wassette.policy import edit, quantities, rules
from wassette.policy.injection import Injection
from wassette.policy.model import Access, EnvironmentRule, NetworkRule, Policy
from wassette.policy.nodes import Mapping, Node, Sequence, plain, read_nodes
from wassette.policy.parse import policy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from collections.abc import Sequence as Items

_STORAGE = ("permissions", "storage", "allow")
_NETWORK = ("permissions", "network", "allow")
_ENVIRONMENT = ("permissions", "environment", "allow")
_MEMORY = ("permissions", "resources", "limits", "memory")


class PolicyDocument:
    """The text of a valid policy, and the changes that people make to one.

    Every change either leaves a valid policy that differs in nothing but the change, or raises
    `PolicyError` and leaves the document as it was. The changes return whether there was
    anything to do. Only allow lists are changed: what a person denied stays denied.
    """

    def __init__(self, text: str, source: str) -> None:
        """Raises `PolicyError` (`source:line: reason`) if `text` is not a valid policy."""
        self.source = source
        self._set(text)

    @classmethod
    def new(cls, component_id: str) -> PolicyDocument:
        """A policy that permits nothing."""
        description = edit.quote(f"Policy of component {component_id}")
        text = f'version: "1.0"\ndescription: {description}\npermissions: {{}}\n'
        return cls(text, f"policy of {component_id}")

    @classmethod
    def of(
        cls, permissions: dict[str, edit.Item], description: str, comment: str
    ) -> PolicyDocument:
        """A policy with these permissions, in the form of the file. `comment`: its first line.

        Raises `PolicyError` if they are not valid.
        """
        source = visible(description)
        head = edit.block({"version": "1.0", "description": description})
        rest = edit.block({"permissions": permissions}) if permissions else "permissions: {}\n"
        document = cls(f"# {visible(comment, 1000)}\n{head}{rest}", source)
        if document.to_plain()["permissions"] != permissions:
            raise PolicyError(f"{source}: the permissions cannot be written as a policy")
        return document

    @classmethod
    def from_text(cls, text: str, source: str) -> PolicyDocument:
        """As the constructor."""
        return cls(text, source)

    @property
    def policy(self) -> Policy:
        """What the text says now."""
        return self._policy

    def to_text(self) -> str:
        """The text; the very same as was read if nothing was changed."""
        return self._text

    def to_plain(self) -> dict[str, Any]:
        """The whole document as JSON-able data, unknown keys included."""
        data = plain(self._root)
        assert isinstance(data, dict)
        return data

    def line(self, place: str) -> int | None:
        """The line (from 1) of what is called `storage.allow[0]` or `resources.limits.memory`."""
        node: Node = self._root
        for part in ("permissions", *re.findall(r"[a-z_]+|\[[0-9]+\]", place)):
            found: Node | None = None
            if isinstance(node, Mapping):
                found = node.items.get(part)
            elif isinstance(node, Sequence) and part.startswith("["):
                index = int(part[1:-1])
                found = node.items[index] if index < len(node.items) else None
            if found is None:
                return None
            node = found
        return node.line

    def grant_storage(self, uri: str, access: Iterable[Access]) -> bool:
        """Allows `access` to `uri`, in addition to what is allowed to it already."""
        rules.check_storage_uri(uri)
        wanted = set(access)
        if not wanted:
            raise PolicyError("storage needs some access: read, write or both")
        same = self._same_tree(uri)
        if not same:
            words: list[edit.Item] = [word.value for word in Access if word in wanted]
            self._append(_STORAGE, {"uri": uri, "access": words})
            return True
        held = {word for index in same for word in self._policy.storage_allow[index].access}
        missing = [word for word in Access if word in wanted - held]
        for word in missing:
            self._append((*_STORAGE, same[0], "access"), word.value)
        return bool(missing)

    def revoke_storage(self, uri: str) -> bool:
        """Removes every rule for this uri; `/`, `/**` or neither at its end is the same tree."""
        return self._remove(_STORAGE, self._same_tree(uri))

    def grant_network(self, host: str) -> bool:
        """Allows requests to `host`, with every method."""
        rules.check_host(host)
        if NetworkRule(host=host) in self._policy.network_allow:
            return False
        self._append(_NETWORK, {"host": host})
        return True

    def grant_network_rule(self, rule: NetworkRule) -> bool:
        """Allows what this rule says, methods and address ranges included."""
        if rule.host is not None:
            rules.check_host(rule.host)
        if rule.cidr is not None:
            rules.check_cidr(rule.cidr)
        if rule in self._policy.network_allow:
            return False
        item: dict[str, edit.Item] = {}
        if rule.host is not None:
            item["host"] = rule.host
        if rule.cidr is not None:
            item["cidr"] = rule.cidr
        if rule.methods:
            item["methods"] = [rules.check_method(method) for method in rule.methods]
        self._append(_NETWORK, item)
        return True

    def revoke_network(self, host: str) -> bool:
        """Removes every rule for this host (or address range), whatever its methods."""
        allow = self._policy.network_allow
        return self._remove(
            _NETWORK, [i for i, rule in enumerate(allow) if host in (rule.host, rule.cidr)]
        )

    def grant_environment(self, key: str) -> bool:
        """Lets the component read the variable `key`. One that is bound to hosts is not given: it
        has to be revoked first, so that nobody shows a secret by mistake."""
        rules.check_environment_key(key)
        bound = self._bound(key)
        if bound:
            raise PolicyError(
                f"'{visible(key)}' is bound to {visible(bound[0].shown)}: the component has a "
                "placeholder for it. To show it the value itself, revoke the permission first"
            )
        if EnvironmentRule(key) in self._policy.environment_allow:
            return False
        self._append(_ENVIRONMENT, {"key": key})
        return True

    def bind_environment(self, injection: Injection) -> bool:
        """Lets the component send the variable's value to the hosts of `injection`, without seeing
        it. Takes the place of what was allowed of this variable."""
        key = injection.key
        injection = Injection.checked(
            key, [one.host or "" for one in injection.hosts], injection.headers, injection.query
        )
        held = [rule for rule in self._policy.environment_allow if rule.key == key]
        if held == [EnvironmentRule(key, injection)]:
            return False
        inject: dict[str, edit.Item] = {"host": _some([one.host or "" for one in injection.hosts])}
        if injection.headers:
            inject["header"] = _some(injection.headers)
        if injection.query is not None:
            inject["query"] = injection.query
        before = self._text
        try:
            self.revoke_environment(key)
            self._append(_ENVIRONMENT, {"key": key, "inject": inject})
        except PolicyError:
            self._set(before)
            raise
        return True

    def _bound(self, key: str) -> list[Injection]:
        return [
            rule.inject
            for rule in self._policy.environment_allow
            if rule.key == key and rule.inject is not None
        ]

    def revoke_environment(self, key: str) -> bool:
        """Removes every rule for the variable `key`."""
        allow = self._policy.environment_allow
        return self._remove(_ENVIRONMENT, [i for i, rule in enumerate(allow) if rule.key == key])

    def set_memory(self, limit_text: str) -> bool:
        """Sets the memory limit, as text: `512Mi`, or a plain number of bytes."""
        quantities.parse_memory(limit_text)

        def on_data(data: dict[str, Any]) -> None:
            _container(data, _MEMORY[:-1], {})[_MEMORY[-1]] = limit_text

        before = self._text
        self._change(on_data, lambda text, root: edit.assign(text, root, _MEMORY, limit_text))
        return self._text != before

    def _same_tree(self, uri: str) -> list[int]:
        tree = _tree(uri)
        allow = self._policy.storage_allow
        return [index for index, rule in enumerate(allow) if _tree(rule.uri) == tree]

    def _append(self, path: tuple[str | int, ...], item: edit.Item) -> None:
        def on_data(data: dict[str, Any]) -> None:
            _container(data, path, []).append(item)

        self._change(on_data, lambda text, root: edit.append(text, root, path, item))

    def _remove(self, path: tuple[str, ...], indexes: list[int]) -> bool:
        before = self._text
        try:
            for index in reversed(indexes):
                self._remove_one(path, index)
        except PolicyError:
            self._set(before)
            raise
        return bool(indexes)

    def _remove_one(self, path: tuple[str, ...], index: int) -> None:
        def on_data(data: dict[str, Any]) -> None:
            del _container(data, path, [])[index]

        self._change(on_data, lambda text, root: edit.remove(text, root, path, index))

    def _change(
        self,
        on_data: Callable[[dict[str, Any]], None],
        on_text: Callable[[str, Mapping], str],
    ) -> None:
        """Makes one change to the text, and the same to the data, and holds them together."""
        expected = copy.deepcopy(self.to_plain())
        on_data(expected)
        before = self._text
        try:
            self._set(on_text(self._text, self._root))
            same = self.to_plain() == expected
        except (PolicyError, ValueError, AssertionError) as error:
            self._set(before)
            raise self._not_editable() from error
        if not same:
            self._set(before)
            raise self._not_editable()

    def _set(self, text: str) -> None:
        root = read_nodes(text, self.source)
        policy = policy_of(root, self.source)
        self._text, self._root, self._policy = text, root, policy

    def _not_editable(self) -> PolicyError:
        return PolicyError(
            f"{visible(self.source, 400)}: this file is written in a way that cannot be changed "
            "without risk to the rest of it; make the change in an editor"
        )


def _container(data: dict[str, Any], path: tuple[str | int, ...], empty: Any) -> Any:
    """The collection at `path` in plain data; whatever is missing or null on the way is made."""
    here: Any = data
    for depth, key in enumerate(path):
        if isinstance(key, str) and here.get(key) is None:
            here[key] = empty if depth == len(path) - 1 else {}
        here = here[key]
    return here


def _some(texts: Items[str]) -> edit.Item:
    """One as itself, several as a list."""
    return texts[0] if len(texts) == 1 else list(texts)


def _tree(uri: str) -> str:
    """`uri` without what does not change the directory tree that it names."""
    return uri.removeprefix(rules.SCHEME).removesuffix("/**").rstrip("/")
