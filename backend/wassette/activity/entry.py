"""One entry of the record, and what to look for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(StrEnum):
    """What an entry is about."""

    CALL = "call"
    """A tool was called."""
    ACCESS = "access"
    """A component asked for a file, a host or a variable during a call."""
    DECISION = "decision"
    """A person decided, or nobody did in time."""
    CHANGE = "change"
    """A component or a permission was added, changed or taken away."""


class Outcome(StrEnum):
    """How it ended."""

    OK = "ok"
    ERROR = "error"
    """The tool reported an error, or the call failed."""
    ALLOWED = "allowed"
    DENIED = "denied"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Entry:
    """Texts may be what a component or an agent wrote: show them with `errors.visible`.

    `what` is the thing in a few words: a tool, `GET https://…`, `read /home/me/a`. `detail` has the
    rest, as JSON: for calls `arguments`, `result_size` (bytes), `memory` (bytes), `output`; for
    requests `address`, `status`, `sent`, `received` (bytes), `rule`; for decisions `scope`, `rule`.
    """

    kind: Kind
    outcome: Outcome
    what: str
    at: float
    """Unix seconds."""
    component: str = ""
    digest: str = ""
    tool: str = ""
    client: str = ""
    session: str = ""
    call: str = ""
    """The call that it belongs to; the same in all of its entries."""
    reason: str = ""
    seconds: float | None = None
    """How long it took."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    number: int | None = None
    """Its place in the record, from 1; set when it is read."""

    def to_plain(self) -> dict[str, Any]:
        """For JSON: what is not known is left out."""
        plain: dict[str, Any] = {
            "number": self.number,
            "at": self.at,
            "kind": self.kind.value,
            "outcome": self.outcome.value,
            "what": self.what,
            "component": self.component,
            "digest": self.digest,
            "tool": self.tool,
            "client": self.client,
            "session": self.session,
            "call": self.call,
            "reason": self.reason,
            "seconds": self.seconds,
            "detail": dict(self.detail),
        }
        return {key: value for key, value in plain.items() if value not in ("", None, {})}


@dataclass(frozen=True)
class Filter:
    """What to look for: all that is given has to fit. Newest first unless `after` is given."""

    kind: Kind | None = None
    outcome: Outcome | None = None
    component: str | None = None
    tool: str | None = None
    client: str | None = None
    session: str | None = None
    call: str | None = None
    text: str | None = None
    """Part of `what` or `reason`, whatever the case."""
    since: float | None = None
    until: float | None = None
    """Unix seconds."""
    before: int | None = None
    """Entries with a smaller number, for the next page."""
    after: int | None = None
    """Entries with a larger number, oldest first, for what came meanwhile."""
    limit: int = 100
