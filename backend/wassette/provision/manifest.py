"""A manifest's text → `Manifest`, or everything that is wrong with it, each with its line.

The shape is Wassette's. Unlike a policy, a manifest has no unknown keys: one that is misspelt
would be a permission that is missing, or a digest that is not checked.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from wassette.components.ids import check_id, id_of_file
from wassette.components.remote import parse_remote
from wassette.errors import (
    InvalidComponentId,
    InvalidReference,
    ManifestError,
    PolicyError,
    visible,
)
from wassette.policy import PolicyDocument, parse_cpu, parse_memory, parse_timeout
from wassette.policy.nodes import (
    MAX_BYTES,
    Mapping,
    Node,
    Scalar,
    Sequence,
    plain,
    read_nodes,
    refused,
)
from wassette.policy.parse import decode_policy, environment_rule, network_rule, storage_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_T = TypeVar("_T")

MAX_RETRIES = 100
MAX_DELAY = 300.0
"""Seconds before another try, at most."""

_DIGEST = re.compile(r"sha256:([0-9A-Fa-f]{64})")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_REMOTE = re.compile(r"//[^/]+/.+")
_LOCAL = re.compile(r"//(?:localhost)?(/.+)", re.IGNORECASE)
_RULES: dict[tuple[str, str], tuple[str, ...]] = {
    ("storage", "allow"): ("uri", "access"),
    ("storage", "deny"): ("uri", "access"),
    ("network", "allow"): ("host", "cidr", "methods"),
    ("network", "deny"): ("host", "cidr", "methods"),
    ("environment", "allow"): ("key", "value_from", "inject"),
}


@dataclass(frozen=True)
class Retry:
    """How often to try again, and after how long."""

    attempts: int = 0
    """After the first one."""
    step: float = 0.0  # seconds
    exponential: bool = False

    def delay(self, attempt: int) -> float:
        """Seconds to wait before the `attempt`th retry, which counts from 1."""
        # Not 2.0 ** 99: it is bounded anyway, and large powers are slow or overflow.
        factor = 2 ** min(attempt - 1, 30) if self.exponential else attempt
        return min(MAX_DELAY, self.step * factor)


@dataclass(frozen=True)
class Declared:
    """One component of a manifest."""

    uri: str
    line: int
    name: str | None = None
    """For people; not its id, and never part of a path."""
    digest: str | None = None
    """sha256 of its bytes, in lower case."""
    permissions: dict[str, Any] = field(default_factory=dict)
    """As in a policy file. Empty: none are declared."""
    variables: tuple[tuple[str, str], ...] = ()
    """(key, name of the variable that has its value)."""
    retry: Retry = Retry()

    @property
    def label(self) -> str:
        """What to call it."""
        return self.name or self.shown_uri

    @property
    def shown_uri(self) -> str:
        """Without a query, which may hold a token."""
        head, mark, _ = self.uri.partition("?")
        return head + ("?…" if mark else "")

    @property
    def id(self) -> str | None:
        """The component's id, if the reference alone tells it."""
        return _local_id(self.uri)

    def policy(self, component_id: str, manifest: str) -> PolicyDocument:
        """The policy that the permissions come to. Always the same text for the same words."""
        description = f"Policy of component {component_id}"
        comment = (
            f"Written from {manifest}. When you change this file, it is yours: the manifest's "
            "permissions are not put in its place any more."
        )
        return PolicyDocument.of(self.permissions, description, comment)


@dataclass(frozen=True)
class Manifest:
    """A manifest in which nothing is wrong."""

    path: Path
    components: tuple[Declared, ...]


def read_manifest(path: Path) -> Manifest:
    """Raises `ManifestError` with all that is wrong."""
    path = Path(os.path.abspath(path))  # noqa: PTH100  (keeps symlinks)
    return Manifest(path, parse_manifest(_read(path), str(path)))


def parse_manifest(text: str, source: str) -> tuple[Declared, ...]:
    """As `read_manifest`, for text; `source` is what to call it."""
    try:
        root = read_nodes(text, source, "manifest")
    except PolicyError as error:
        raise ManifestError([str(error)]) from None
    reader = _Reader(source)
    components = reader.manifest(root)
    if reader.problems:
        raise ManifestError(reader.problems)
    return components


def _read(path: Path) -> str:
    """The text of a regular file. A link to one is fine: it is how containers are given files."""
    source = str(path)
    try:
        # Not blocking: opening a FIFO would wait for ever.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with open(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ManifestError([f"{source}: not a regular file"])
            return decode_policy(file.read(MAX_BYTES + 1), source, "manifest")
    except OSError as error:
        raise ManifestError([f"{visible(source, 400)}: cannot be read: {error.strerror}"]) from None
    except PolicyError as error:
        raise ManifestError([str(error)]) from None


def _local_id(uri: str) -> str | None:
    match = _SCHEME.match(uri)
    rest = uri[match.end() :] if match else ""
    try:
        if match and match[1] == "starter":
            return check_id(rest.removeprefix("//"))
        if match and match[1].lower() == "file" and (local := _LOCAL.fullmatch(rest)):
            return id_of_file(PurePosixPath(local[1]))
    except InvalidComponentId:
        pass
    return None


class _Reader:
    """Walks the tree, notes each problem and goes on; what it returns counts if there are none."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[str] = []

    # -- structure -----------------------------------------------------------------------------

    def manifest(self, root: Mapping) -> tuple[Declared, ...]:
        self._only(root, ("version", "components"), "a manifest")
        version = self._value(root, "version")
        if version is None:
            self._problem(root, "a manifest needs 'version: 1'")
        elif version.value != 1 or type(version.value) is not int:
            self._problem(version, f"unsupported version {_quote(version.value)}: use 1")
        found: list[Declared] = []
        for node in self._list(root, "components", "a manifest", required=True):
            component = self._component(node)
            if component is not None:
                self._twice(node, component, found)
                found.append(component)
        return tuple(found)

    def _twice(self, node: Node, component: Declared, found: list[Declared]) -> None:
        for other in found:
            if component.uri == other.uri:
                self._problem(node, f"the component of line {other.line} is there twice")
            elif component.id is not None and component.id == other.id:
                self._problem(
                    node,
                    f"its id is '{component.id}', as that of the component of line {other.line}: "
                    "one of them would replace the other",
                )

    def _component(self, node: Node) -> Declared | None:
        known = ("uri", "name", "digest", "permissions", "retry_policy")
        entry = self._mapping(node, "a component")
        if entry is None:
            return None
        self._only(entry, known, "a component")
        uri = self._text(entry, "uri")
        if uri is None:
            if not self._has(entry, "uri"):
                self._problem(entry, "a component needs 'uri'")
            return None
        self._check(entry.items["uri"], _check_uri, uri)
        name, digest = self._text(entry, "name"), self._text(entry, "digest")
        if name is not None:
            self._check(entry.items["name"], _check_name, name)
        if digest is not None:
            digest = self._check(entry.items["digest"], _check_digest, digest)
        if "permissions" not in entry.items:
            self._problem(entry, "a component needs 'permissions' (it may be empty: {})")
        permissions, variables = self._permissions(entry)
        return Declared(uri, entry.line, name, digest, permissions, variables, self._retry(entry))

    def _permissions(self, entry: Mapping) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]]:
        declared = self._section(entry, "permissions", "permissions")
        if declared is None:
            return {}, ()
        self._only(declared, ("storage", "network", "environment", "resources"), "permissions")
        permissions: dict[str, Any] = {}
        variables: list[tuple[str, str]] = []
        for section, kinds in (
            ("storage", ("allow", "deny")),
            ("network", ("allow", "deny")),
            ("environment", ("allow",)),
        ):
            node = self._section(declared, section, f"'{section}'")
            if node is None:
                continue
            self._only(node, kinds, f"'{section}'")
            if not any(self._has(node, kind) for kind in kinds):
                self._problem(node, f"'{section}' says nothing: leave it out, or allow something")
            lists = {
                kind: [self._rule(item, section, kind, variables) for item in items]
                for kind in kinds
                if (items := list(self._list(node, kind, f"'{section}'")))
            }
            if lists:
                permissions[section] = lists
        limits = self._resources(declared)
        if limits:
            permissions["resources"] = {"limits": limits}
        return permissions, tuple(variables)

    def _rule(
        self, node: Node, section: str, kind: str, variables: list[tuple[str, str]]
    ) -> dict[str, Any]:
        what = f"a rule of '{section}'"
        rule = self._mapping(node, what)
        if rule is None:
            return {}
        self._only(rule, _RULES[section, kind], what)
        before = len(self.problems)
        try:
            if section == "storage":
                storage_rule(rule, self.source)
            elif section == "network":
                network_rule(rule, self.source)
            else:
                self._environment(rule, variables)
        except PolicyError as error:
            self.problems.append(str(error))
        data = plain(rule)
        assert isinstance(data, dict)
        present = {key: value for key, value in data.items() if value is not None}
        return present if len(self.problems) == before else {}

    def _environment(self, rule: Mapping, variables: list[tuple[str, str]]) -> None:
        parsed = environment_rule(rule, self.source)
        if any(parsed.key == key for key, _ in variables):
            self._problem(rule, f"the variable {_quote(parsed.key)} is there twice")
        variables.append((parsed.key, parsed.variable))

    def _resources(self, declared: Mapping) -> dict[str, str]:
        node = self._section(declared, "resources", "'resources'")
        if node is None:
            return {}
        self._only(node, ("memory_bytes", "cpu_time_ms", "limits"), "'resources'")
        found: dict[str, str] = {}
        memory = self._whole(node, "memory_bytes", 1, 2**63 - 1)
        if memory is not None:
            found["memory"] = str(memory)
        # A call cannot have used more CPU time than has gone by: it computes in one thread.
        milliseconds = self._whole(node, "cpu_time_ms", 1, 24 * 3600 * 1000)
        if milliseconds is not None:
            found["timeout"] = f"{milliseconds}ms"
        limits = self._section(node, "limits", "'limits'")
        if limits is None:
            return found
        self._only(limits, ("memory", "cpu", "timeout"), "'limits'")
        for key, parse, same in (
            ("memory", parse_memory, "memory_bytes"),
            ("cpu", parse_cpu, None),
            ("timeout", parse_timeout, "cpu_time_ms"),
        ):
            amount = self._value(limits, key)
            if amount is None:
                continue
            if key in found:
                self._problem(amount, f"'{key}' and '{same}' are one limit: leave one of them out")
            parsed = self._check(amount, parse, amount.value)
            if parsed is not None:
                text = amount.value if isinstance(amount.value, str) else _decimal(parsed)
                found[key] = text
        return found

    def _retry(self, entry: Mapping) -> Retry:
        node = self._section(entry, "retry_policy", "'retry_policy'")
        if node is None:
            return Retry()
        self._only(node, ("attempts", "backoff"), "'retry_policy'")
        attempts = self._whole(node, "attempts", 0, MAX_RETRIES, required=True)
        backoff = self._section(node, "backoff", "'backoff'")
        if backoff is None:
            if not self._has(node, "backoff"):
                self._problem(node, "'retry_policy' needs 'backoff'")
            return Retry()
        kind = self._text(backoff, "type")
        keys = {"exponential": "base_ms", "linear": "increment_ms"}
        if kind not in keys:
            self._problem(backoff, "'backoff' needs 'type': exponential or linear")
            return Retry()
        self._only(backoff, ("type", keys[kind]), f"a backoff that is {kind}")
        step = self._whole(backoff, keys[kind], 0, int(MAX_DELAY * 1000), required=True)
        return Retry(attempts or 0, (step or 0) / 1000, kind == "exponential")

    # -- single values -------------------------------------------------------------------------

    def _only(self, mapping: Mapping, known: tuple[str, ...], what: str) -> None:
        for key, node in mapping.keys.items():
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f": did you mean '{near[0]}'?" if near else f"; there is {', '.join(known)}"
                if key in ("value", "secret", "password", "token"):
                    hint = ": a manifest holds no secrets, it names variables ('value_from')"
                self._problem(node, f"unknown key {_quote(key)} in {what}{hint}")

    def _section(self, parent: Mapping, key: str, what: str) -> Mapping | None:
        """A mapping, if there is something in it. `key:` with nothing after it is nothing."""
        if not self._has(parent, key):
            return None
        node = self._mapping(parent.items[key], what)
        return node if node is not None and node.items else None

    def _mapping(self, node: Node, what: str) -> Mapping | None:
        if isinstance(node, Mapping):
            return node
        self._problem(node, f"{what} must be a mapping")
        return None

    def _list(
        self, parent: Mapping, key: str, what: str, *, required: bool = False
    ) -> Iterator[Node]:
        if not self._has(parent, key):
            if required:
                self._problem(parent, f"{what} needs '{key}', a list")
            return
        node = parent.items[key]
        if not isinstance(node, Sequence):
            self._problem(node, f"'{key}' must be a list")
        elif not node.items:
            self._problem(node, f"'{key}' is empty: leave it out, or name something")
        else:
            yield from node.items

    def _text(self, parent: Mapping, key: str) -> str | None:
        node = self._value(parent, key)
        if node is None:
            return None
        if not isinstance(node.value, str):
            self._problem(node, f"'{key}' must be text (put it in quotes)")
            return None
        return node.value

    def _whole(
        self, parent: Mapping, key: str, least: int, most: int, *, required: bool = False
    ) -> int | None:
        node = self._value(parent, key)
        if node is None:
            if required and not self._has(parent, key):
                self._problem(parent, f"it needs '{key}'")
            return None
        value = node.value
        if type(value) is not int or not least <= value <= most:
            self._problem(node, f"'{key}' must be a whole number from {least} to {most}")
            return None
        return value

    def _value(self, parent: Mapping, key: str) -> Scalar | None:
        if not self._has(parent, key):
            return None
        node = parent.items[key]
        if isinstance(node, Scalar):
            return node
        self._problem(node, f"'{key}' must be one value")
        return None

    def _has(self, parent: Mapping, key: str) -> bool:
        node = parent.items.get(key)
        return node is not None and not (isinstance(node, Scalar) and node.value is None)

    def _check(self, node: Node, check: Callable[..., _T], value: object) -> _T | None:
        try:
            return check(value)
        except PolicyError as error:
            self._problem(node, str(error))
            return None

    def _problem(self, node: Node, reason: str) -> None:
        self.problems.append(str(refused(self.source, node.line, reason)))


def _check_uri(uri: str) -> str:
    match = _SCHEME.match(uri)
    scheme, rest = (match[1].lower(), uri[match.end() :]) if match else ("", "")
    if visible(uri, len(uri)) != uri or len(uri) > 2000:
        raise PolicyError("a uri has no invisible characters, and at most 2000 others")
    if scheme == "http":
        raise PolicyError("http:// is not accepted: whoever is on the way can change it. Use https")
    if scheme == "file":
        if not _LOCAL.fullmatch(rest):
            raise PolicyError(
                f"{_quote(uri)} is not the whole path of a file: write file:///path/to/it.wasm"
            )
    elif scheme in ("oci", "https"):
        if not _REMOTE.fullmatch(rest):
            raise PolicyError(f"{_quote(uri)} names no component: write {scheme}://host/name")
        if "@" in rest[2:].partition("/")[0]:
            raise PolicyError("a uri holds no user name or password")
        try:
            parse_remote(uri)
        except InvalidReference as error:
            raise PolicyError(str(error)) from None
        return uri
    elif scheme != "starter":
        raise PolicyError(
            f"{_quote(uri)} is not a component's uri: it begins with file://, oci://, https:// "
            "or starter:"
        )
    if _local_id(uri) is None:
        raise PolicyError(f"{_quote(uri)} has no name that could be a component's id")
    return uri


def _check_name(name: str) -> str:
    if not name or len(name) > 100 or visible(name, 100) != name or {"/", "\\"} & set(name):
        raise PolicyError(
            "'name' is what to call the component: up to 100 characters, none of them invisible, "
            "'/' or '\\'"
        )
    return name


def _check_digest(digest: str) -> str:
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise PolicyError(f"{_quote(digest)} is not a digest: sha256: and 64 hexadecimal digits")
    return match[1].lower()


def _decimal(amount: float) -> str:
    """A number as it can stand in a policy: bytes, a share or seconds."""
    return str(amount) if isinstance(amount, int) else f"{amount:.9f}".rstrip("0").rstrip(".")


def _quote(value: object) -> str:
    return f"'{visible(str(value), 80)}'"
