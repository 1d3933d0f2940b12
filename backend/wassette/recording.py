"""What a host writes into the activity record: calls, accesses, decisions, changes.

SQLite is imported with the first entry, not before: most commands have none.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from .errors import NeedsPerson
from .plain import arguments_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from .activity import ActivityLog
    from .activity_options import Retention
    from .answers import Client, Refusal
    from .egress import Exchange

CALLER: ContextVar[Client | None] = ContextVar("caller", default=None)
"""The client that has this done, for what changes; a person at a terminal if there is none."""


def only_a_person(what: str, command: str) -> None:
    """Raises `NeedsPerson` if it is a client that has this done."""
    if CALLER.get() is not None:
        raise NeedsPerson(f"Only a person can {what}. Ask the user to run:\n  {command}")


def new_call() -> str:
    """An id for a call: random, and the same in all of its entries."""
    return secrets.token_hex(8)


class Recorder:
    """One for each host. Nothing here raises, or waits for the disk."""

    def __init__(
        self,
        path: Path,
        known: Callable[[], Iterable[str]],
        retention: Callable[[], Retention],
    ) -> None:
        """`known`: the values of the secrets that there are now; from a thread, and at once.
        `retention`: how much is to be kept now; likewise."""
        self._path = path
        self._known = known
        self._retention = retention
        self._log: ActivityLog | None = None

    def call(
        self,
        call: Call,
        outcome: str,
        *,
        arguments: Mapping[str, Any] | bytes,
        reason: str = "",
        result_size: int | None = None,
        memory: int | None = None,
        output: str = "",
        refused: Iterable[Refusal] = (),
        allowed: Iterable[tuple[str, str]] = (),
        exchanges: Iterable[Exchange] = (),
    ) -> None:
        """A call that is over, with what the component got and did not get in it.

        `allowed`: the files that a person has allowed it meanwhile, as (kind, path).
        """
        from .activity import Entry, Kind, Outcome

        now = time.time()
        known = {"result_size": result_size, "memory": memory, "output": output or None}
        detail = {key: value for key, value in known.items() if value is not None}
        detail["arguments"] = arguments_of(arguments)
        about = call.about
        entries = [
            *(
                Entry(
                    Kind.ACCESS,
                    Outcome.DENIED,
                    f"{one.kind.removeprefix('storage-')} {one.target}",
                    now,
                    reason=one.reason or "no rule allows it",
                    **about,
                )
                for one in refused
                if one.kind != "network"  # as exchanges, below
            ),
            *(
                Entry(
                    Kind.ACCESS,
                    Outcome.ALLOWED,
                    f"{kind.removeprefix('storage-')} {path}",
                    now,
                    reason="a person allowed it",
                    **about,
                )
                for kind, path in allowed
            ),
            *(
                Entry(
                    Kind.ACCESS,
                    Outcome.ALLOWED if one.allowed else Outcome.DENIED,
                    f"{one.method} {one.url}",
                    now,
                    reason=one.error or one.reason,
                    seconds=one.seconds,
                    detail=_exchange(one),
                    **about,
                )
                for one in exchanges
            ),
            Entry(
                Kind.CALL,
                Outcome(outcome),
                call.tool,
                now,
                reason=reason,
                seconds=time.monotonic() - call.began,
                detail=detail,
                **about,
            ),
        ]
        self._record(*entries)

    def change(self, what: str, component_id: str, *, digest: str = "", reason: str = "") -> None:
        """A component or a permission came, went, or is another now."""
        from .activity import Entry, Kind, Outcome

        about = _client(CALLER.get())
        self._record(
            Entry(
                Kind.CHANGE,
                Outcome.OK,
                what,
                time.time(),
                component=component_id,
                digest=digest,
                reason=reason,
                **about,
            )
        )

    def decision(
        self,
        question: str,
        allowed: bool,
        *,
        about: Mapping[str, Any],
        reason: str,
        seconds: float,
        detail: Mapping[str, Any],
    ) -> None:
        """What became of a question to a person. `about`: as `Call.about`."""
        from .activity import Entry, Kind, Outcome

        outcome = Outcome.ALLOWED if allowed else Outcome.DENIED
        self._record(
            Entry(
                Kind.DECISION,
                outcome,
                question,
                time.time(),
                reason=reason,
                seconds=seconds,
                detail=detail,
                **about,
            )
        )

    def _record(self, *entries: Any) -> None:
        if self._log is None:
            from .activity import ActivityLog, Redactor

            self._log = ActivityLog(self._path, Redactor(self._known), self._retention)
        self._log.record(*entries)

    async def close(self) -> None:
        """Have the rest written."""
        if self._log is not None:
            await asyncio.to_thread(self._log.close)


class Call:
    """A call as its entries name it."""

    def __init__(self, tool: str, component_id: str, digest: str, client: Client | None) -> None:
        self.id = new_call()
        self.tool = tool
        self.began = time.monotonic()
        self.about: dict[str, Any] = {
            "component": component_id,
            "digest": digest,
            "tool": tool,
            "call": self.id,
            **_client(client),
        }


def _client(client: Client | None) -> dict[str, Any]:
    return {} if client is None else {"client": client.name, "session": client.session}


def _exchange(one: Exchange) -> dict[str, Any]:
    found = {
        "address": one.address,
        "status": one.status,
        "sent": one.sent or None,
        "received": one.received or None,
        "rule": one.rule,
    }
    return {key: value for key, value in found.items() if value is not None}
