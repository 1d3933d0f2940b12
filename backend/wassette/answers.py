"""What a host answers: plain data, for the command line, the MCP server and the web API alike."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import visible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .components.record import ComponentRecord
    from .egress import Exchange
    from .errors import CallError
    from .policy import PolicyStatus
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

    def listed(self, tools: list[Tool]) -> dict[str, Any]:
        """As `component list` and `list-components` show it; `tools` are its own."""
        entry: dict[str, Any] = {
            "id": self.id,
            "tools_count": len(tools),
            "schema": {"tools": [tool.schema() for tool in tools]} if self.record else None,
        }
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
