"""What a host answers: plain data, for the command line, the MCP server and the web API alike."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import visible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .approvals.model import Fact
    from .components.record import ComponentRecord
    from .components.signature import Signature
    from .egress import Exchange
    from .errors import CallError
    from .policy import PolicyStatus
    from .registry.model import Pulled
    from .sandbox.capabilities import Capabilities
    from .signatures import Evidence
    from .toolset import Tool


@dataclass(frozen=True)
class Client:
    """Who a call comes from. Name and version are the client's own word, made visible."""

    name: str
    version: str
    transport: str
    """`stdio`, `http`, `sse` or `cli`."""
    session: str
    """Random, and the same for as long as the client is connected."""


@dataclass(frozen=True)
class Provisioning:
    """How far what was to be provided at the start is."""

    done: bool
    state: str
    """One word, for everybody to see: `done`, `running`, `failed`."""


@dataclass(frozen=True)
class Change:
    """What is otherwise than before, whoever changed it."""

    tools: bool
    """Whether names, schemas or descriptions of tools are others."""
    components: bool
    """Whether components came, went, or can or cannot be used now."""
    updated: frozenset[str]
    """Ids of the components of which something changed: bytes, state or policy."""
    paused: bool = False
    """Whether Wassette was paused, or goes on."""

    def __bool__(self) -> bool:
        return self.tools or self.components or bool(self.updated) or self.paused


@dataclass(frozen=True)
class Loaded:
    """What `Host.load` did."""

    record: ComponentRecord
    replaced: bool
    """Whether a component of this id was there already."""
    tools: tuple[str, ...]
    changed_from: str | None
    """The digest that it replaced, if its bytes are others now."""
    changes: tuple[str, ...] = ()
    """What is different, in plain words, if a person has not seen it yet and it has permissions,
    which wait until then (`Host.mark_seen`)."""
    remarks: tuple[str, ...] = ()
    """What else a person should hear, of its signature for example."""
    wanted: tuple[str, ...] = ()
    """Permissions that it came with and does not have, a line each. See `Host.ask_for_wanted`."""


@dataclass(frozen=True)
class Preview:
    """What there is to know of a component that is not loaded, and of which nothing was run."""

    source: str
    digest: str
    """sha256 of its bytes, hex."""
    capabilities: Capabilities
    signature: Signature
    trusted: bool
    """Whether somebody signed it whom the settings name."""
    refusal: str | None
    """Why it could not be loaded; None if nothing is known that speaks against it."""
    remarks: tuple[str, ...]
    """What a person should hear, of the signature for example."""
    changes: tuple[str, ...]
    """What is otherwise than what this source gave before."""
    asks_for: tuple[str, ...]
    """The permissions that it comes with, a line each. None of them are given by loading it."""

    def to_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "digest": f"sha256:{self.digest}",
            **self.capabilities.to_json(),
            "signature": signature_shown(self.signature, self.trusted),
            "refusal": self.refusal,
            "remarks": list(self.remarks),
            "changes": list(self.changes),
            "asks_for": list(self.asks_for),
        }


def signature_shown(signature: Signature, trusted: bool) -> dict[str, Any]:
    """As data, for people and programs."""
    signer = signature.signer
    return {
        "state": signature_state(signature, trusted),
        "identity": signer.identity if signer is not None else None,
        "issuer": signer.issuer if signer is not None else None,
        "key": signer.key if signer is not None else None,
        "signed_at": signature.signed_at,
        "problem": signature.problem or None,
    }


def signature_state(signature: Signature, trusted: bool) -> str:
    """`trusted`, `signed` (by somebody whom the settings do not name), `invalid`, `unsigned`, or
    `unchecked`."""
    if signature.signer is not None:
        return "trusted" if trusted else "signed"
    if not signature.checked:
        return "unchecked"
    return "invalid" if signature.problem else "unsigned"


def signature_text(signature: Signature, trusted: bool) -> str:
    """Who signed it, for people."""
    match signature_state(signature, trusted):
        case "trusted":
            return str(signature.signer)
        case "signed":
            return f"{signature.signer}, whom your settings do not name"
        case "invalid":
            return f"nobody; there is no valid signature: {signature.problem}"
        case "unsigned":
            return "nobody"
    return "not looked at"


@dataclass(frozen=True)
class Arrival:
    """A component that was fetched and examined, and has not taken its place yet. Nothing of it
    has run."""

    pulled: Pulled
    record: ComponentRecord
    before: ComponentRecord | None
    """What is loaded under its id."""
    changes: tuple[str, ...]
    """What a person has to see before it has the permissions of that one, in plain words."""
    evidence: Evidence
    """What its signature was looked for with."""
    source_changes: tuple[str, ...] = ()
    """What is otherwise than what its source gave before: other bytes, another signer."""
    another_signer: bool = False
    """Whether the signer is one of them, which asking for other bytes does not accept."""
    remarks: tuple[str, ...] = ()
    """What else they should hear, of its signature for example."""


Review = Callable[[Arrival], Awaitable[bool]]
"""Looks at an arrival. Whether a person has seen it, with what is different; raises a
`ComponentError` to leave everything as it was."""


@dataclass(frozen=True)
class Prospect:
    """What a person is told who is asked whether an agent may have something loaded."""

    notes: tuple[str, ...]
    facts: tuple[Fact, ...]
    """What is known of it: signature, what it could do, what it asks for."""
    complete: bool = True
    """Whether that is all, so that they have seen what is different from what is there."""


@dataclass(frozen=True)
class Refusal:
    """Something that a component wanted and did not get. `str()` is the text for people."""

    kind: str
    """`network`, `storage-read` or `storage-write`."""
    target: str
    reason: str = ""
    command: tuple[str, ...] | None = None
    """What grants it; None if granting would not help."""

    @classmethod
    def of_file(cls, component_id: str, kind: str, target: str) -> Refusal:
        """What the guard of files reports."""
        access, target = kind.partition("-")[2], visible(target, 2000)
        command = ("wassette", "permission", "grant", "storage", component_id, f"fs://{target}")
        return cls(kind, target, command=(*command, "--access", access))

    def __str__(self) -> str:
        access = self.kind.removeprefix("storage-")
        text = f"The sandbox refused {access} access to {self.target}"
        text += f": {self.reason}." if self.reason else "."
        if self.command is not None:
            command = shlex.join(self.command)
            text += f" Only a person can grant it, for example with: {command}"
        return text


@dataclass(frozen=True)
class CallResult:
    """What came of a tool call. Exactly one of `value` and `error` is set."""

    tool: Tool
    value: Any = None
    """The function's result in its JSON form; None for a function without one."""
    error: CallError | None = None
    is_error: bool = False
    """Whether the tool failed: an error, or a WIT `err`."""
    output: str = ""
    """What the component printed."""
    refused: tuple[Refusal, ...] = ()
    """What the component wanted during the call and did not get."""
    exchanges: tuple[Exchange, ...] = ()
    """The requests that it made, or wanted to make, in the order in which they ended; at most
    `outgoing.MAX_EXCHANGES`."""
    call: str = ""
    """Its id in the activity record."""

    @property
    def refusals(self) -> list[str]:
        """For each thing that was refused: what it was, and who can change that."""
        return [str(refusal) for refusal in dict.fromkeys(self.refused)]


@dataclass(frozen=True)
class ComponentState:
    """A component for a listing: what is known of it, or why it cannot be used."""

    id: str
    record: ComponentRecord | None
    error: str | None = None
    enabled: bool = True
    """Whether a person has not switched it off."""
    trusted: bool = False
    """Whether somebody signed it whom the settings name."""

    def listed(self, tools: list[Tool]) -> dict[str, Any]:
        """As `component list` and `list-components` show it; `tools` are its own."""
        entry: dict[str, Any] = {
            "id": self.id,
            "tools_count": len(tools),
            "schema": {"tools": [tool.schema() for tool in tools]} if self.record else None,
        }
        if self.record is not None:
            from .sandbox.capabilities import reach

            entry["capabilities"] = [one.name for one in reach(self.record.imports)]
            entry["signature"] = signature_shown(self.record.signature, self.trusted)
        renamed = {tool.function.base_name: tool.name for tool in tools if tool.renamed}
        if renamed:
            entry["renamed_tools"] = renamed
        if self.error is not None:
            entry["error"] = self.error
        if not self.enabled:
            entry["enabled"] = False
        return entry


@dataclass(frozen=True)
class PolicyView:
    """A component's policy for people: the document, and what of it is not applied."""

    component_id: str
    status: PolicyStatus
    path: Path
    document: Mapping[str, Any] | None = None
    error: str | None = None
    notes: tuple[str, ...] = ()
    roots: Mapping[str, Path] = field(default_factory=dict)


Progress = Callable[[str, float | None], None]
"""Told of a load's stages: what is being done, and how much of it (0 to 1), if that is known."""
