"""What is asked, what a person is shown, and what a person decides.

An `ApprovalRequest` is everything that a decision is about, the text and the choices included. Its
digest is over all of it, a decision names the digest, and the id *is* the beginning of the digest:
whoever allows what an id stands for allows the text that was shown under it, and nothing else can
have that id. A random nonce in it makes ids unknown to whoever asks.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from wassette.policy import Access, EnvironmentRule, NetworkRule, StorageRule

if TYPE_CHECKING:
    from wassette.policy.network import NetworkTarget

ID_LENGTH = 20
"""Hex digits of the digest that are the id."""
SHORT_ID = 12
"""Those that lists print: nobody can have another request made that begins with the same ones."""


@dataclass(frozen=True)
class MemoryRule:
    """`limit` as a policy has it: `512Mi`."""

    limit: str


@dataclass(frozen=True)
class BundledRules:
    """The permissions that came with a component, all together. `text`: a policy file's
    (`policy.requested`)."""

    text: str


Rule: TypeAlias = StorageRule | NetworkRule | EnvironmentRule | MemoryRule | BundledRules


Fact: TypeAlias = tuple[str, str]
"""A line of what is shown: a label, and a text in our words. What others wrote in it is quoted."""


class Scope(StrEnum):
    """How far a decision goes."""

    ONCE = "once"
    """The one call that was shown (for loading and the like: the one action)."""
    SESSION = "session"
    """The session of the client that was shown."""
    HOUR = "hour"
    """One hour, for whoever calls the component."""
    ALWAYS = "always"
    """Written to the component's policy."""


class Surface(StrEnum):
    """Where a person decided."""

    CLI = "cli"
    WEB = "web"
    DESKTOP = "desktop"
    TERMINAL = "terminal"
    ELICITATION = "elicitation"


class What(StrEnum):
    """What is at a path, as the host saw it."""

    FILE = "file"
    DIRECTORY = "directory"
    MISSING = "missing"


# ---- what is asked -------------------------------------------------------------------------------


@dataclass(frozen=True)
class NetworkAccess:
    """A request that no rule allows. `address`: the name is allowed, but leads to this address,
    which is not on the internet and needs a rule of its own."""

    kind: ClassVar[str] = "network"
    target: NetworkTarget
    address: str | None = None


@dataclass(frozen=True)
class StorageAccess:
    """A path that no rule allows, resolved, in the component's names. `root`: the first name of it
    is a named root."""

    kind: ClassVar[str] = "storage"
    path: str
    access: Access
    what: What = What.MISSING
    root: bool = False


@dataclass(frozen=True)
class EnvironmentAccess:
    """A variable that no rule allows."""

    kind: ClassVar[str] = "environment"
    key: str


@dataclass(frozen=True)
class PermissionAsked:
    """An agent called a `grant-…` tool, or a component came with permissions (`BundledRules`)."""

    rule: Rule

    @property
    def kind(self) -> str:
        return f"grant-{kind_of_rule(self.rule)}"


@dataclass(frozen=True)
class LoadAsked:
    """An agent called `load-component`. `digest` (sha256, hex) when the bytes are there already:
    exactly those are then loaded."""

    kind: ClassVar[str] = "load"
    reference: str
    digest: str | None = None


@dataclass(frozen=True)
class UnloadAsked:
    """An agent called `unload-component`."""

    kind: ClassVar[str] = "unload"


@dataclass(frozen=True)
class ResetAsked:
    """An agent called `reset-permission`."""

    kind: ClassVar[str] = "reset"


Denial: TypeAlias = NetworkAccess | StorageAccess | EnvironmentAccess
"""What a component tried in a call."""
Subject: TypeAlias = Denial | PermissionAsked | LoadAsked | UnloadAsked | ResetAsked


def kind_of_rule(rule: Rule) -> str:
    """The section of a policy that it belongs to."""
    match rule:
        case StorageRule():
            return "storage"
        case NetworkRule():
            return "network"
        case EnvironmentRule():
            return "environment"
        case MemoryRule():
            return "memory"
        case BundledRules():
            return "bundled"


# ---- the request ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Component:
    """The bytes that a request is about; `digest` is their sha256 in hex."""

    id: str
    digest: str


@dataclass(frozen=True)
class Client:
    """Who called. `session` is random and is never another one's."""

    name: str
    version: str
    transport: str
    session: str


@dataclass(frozen=True)
class Choice:
    """One thing that a person can allow. `rule` is None where there is only yes and no."""

    rule: Rule | None
    text: str
    warning: str = ""


@dataclass(frozen=True)
class ApprovalRequest:
    """Made by `compose.compose`; every text in it is as it is shown, and holds nothing that
    deceives."""

    nonce: str
    subject: Subject
    component: Component | None
    """None for loading something that is not there yet."""
    client: Client
    call: str
    """The call that waits; random."""
    tool: str
    """The tool that was called, shown."""
    arguments: str
    """Its arguments, shown: without secrets, and cut."""
    arguments_digest: str
    """sha256 of all of them, hex."""
    text: str
    """What a person is shown: a question, and a line for each detail."""
    choices: tuple[Choice, ...]
    default: int
    """The index of the choice that was asked for, or a narrower one."""
    scopes: tuple[Scope, ...]
    """Narrowest first; the first is the default."""
    created: int
    """Milliseconds since 1970."""
    expires: int

    @cached_property
    def digest(self) -> str:
        """sha256 over everything, hex."""
        from .codec import encode_request

        return hashlib.sha256(canonical(encode_request(self))).hexdigest()

    @property
    def id(self) -> str:
        return self.digest[:ID_LENGTH]

    @property
    def question(self) -> str:
        return self.text.partition("\n")[0]

    @cached_property
    def subject_key(self) -> str:
        """The same for what is merged into one question: for the network whatever the path."""
        from .codec import encode_subject

        subject = encode_subject(self.subject)
        if isinstance(self.subject, NetworkAccess):
            subject["target"]["path"] = "/"
        return hashlib.sha256(canonical(subject)).hexdigest()


@dataclass(frozen=True)
class Decision:
    """`by` is None when nobody decided: then it is a refusal, and `reason` says why."""

    allow: bool
    digest: str
    """Of the request that the person was shown."""
    scope: Scope = Scope.ONCE
    rule: Rule | None = None
    by: Surface | None = None
    at: int = 0
    """Milliseconds since 1970."""
    reason: str = ""

    def __post_init__(self) -> None:
        if self.allow and self.by is None:
            raise AssertionError("only a person allows")


def allowed(
    request: ApprovalRequest,
    by: Surface,
    at: int,
    *,
    scope: Scope | None = None,
    choice: int | None = None,
    rule: Rule | None = None,
) -> Decision:
    """What a person decides who was shown `request` and says yes; the defaults are its own."""
    if rule is None:
        rule = request.choices[request.default if choice is None else choice].rule
    return Decision(
        allow=True,
        digest=request.digest,
        scope=request.scopes[0] if scope is None else scope,
        rule=rule,
        by=by,
        at=at,
    )


def denied(request: ApprovalRequest, by: Surface, at: int) -> Decision:
    """What a person decides who was shown `request` and says no."""
    return Decision(allow=False, digest=request.digest, by=by, at=at, reason="a person said no")


def refused(request: ApprovalRequest, reason: str) -> Decision:
    """What becomes of a request that nobody decided."""
    return Decision(allow=False, digest=request.digest, reason=reason)


def canonical(value: object) -> bytes:
    """The one encoding of JSON-able data without fractions. Lone surrogates stay what they are."""
    return json.dumps(
        value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False
    ).encode("ascii")
