"""Calling the tools of components."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from wassette.answers import CallResult, Refusal
from wassette.asking import Caller
from wassette.config import Approvals
from wassette.errors import CallError, HostPaused, InvalidArguments, WassetteError
from wassette.outgoing import Requests
from wassette.recording import Call
from wassette.workers.process import Outcome

from .running import Running

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wassette.answers import Client, Progress
    from wassette.asking import Asking, Dialog
    from wassette.presence import Presence
    from wassette.recording import Recorder
    from wassette.session import Session
    from wassette.toolset import Tool

    from .inventory import Inventory
    from .questions import Questions
    from .routing import Routing
    from .switches import Switches
    from .using import Using
    from .workers import Workers

log = logging.getLogger(__name__)

MAX_RERUNS = 3
"""How often a call is run again because a person has allowed what it was refused."""

_COMPACT = json.JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True)
class _Answered:
    """What came of running a call once."""

    value: Any = None
    error: CallError | None = None
    size: int | None = None
    """Bytes of the value."""
    is_error: bool = False


class Calling:
    """One for each host."""

    def __init__(
        self,
        session: Session,
        *,
        switches: Switches,
        inventory: Inventory,
        workers: Workers,
        routing: Routing,
        questions: Questions,
        using: Using,
        asking: Asking,
        presence: Presence,
        recorder: Recorder,
        patience: float | None,
    ) -> None:
        """`session`: of whoever has none of its own. `patience`: as in `Caller`."""
        self._session, self._switches, self._inventory = session, switches, inventory
        self._workers, self._routing, self._questions = workers, routing, questions
        self._using, self._asking = using, asking
        self._presence, self._recorder = presence, recorder
        self._patience = patience

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | bytes,
        client: Client | None,
        *,
        session: Session | None,
        progress: Progress | None,
        printed: Callable[[bytes], None] | None,
        dialog: Dialog | None,
    ) -> CallResult:
        tool = self._inventory.tool(name)
        if self._switches.paused:
            raise HostPaused
        if client is not None:
            log.info("%s is called by %s over %s", name, client.name, client.transport)
        record = await self._inventory.get(tool.component_id)
        if progress is not None and not self._workers.have_code(record):
            progress("compiling", None)
        await self._asking.look()
        call = Call(name, record.id, record.digest, client)
        caller = None
        if client is not None and (session or self._session).approvals != Approvals.DENY.value:
            caller = Caller(client, call, arguments, progress, dialog, self._patience)
        running = Running(record, session, call, caller)
        data = arguments if isinstance(arguments, bytes) else _dump(arguments)
        reports = self._using.reports(record)
        outcome, requests = self._before(running, printed, reports)
        answered = _Answered()
        ended, reason = "cancelled", ""
        self._presence.begin(call, record.id, client)
        try:
            for last in (*[False] * MAX_RERUNS, True):
                answered = await self._once(running, tool, data, outcome, requests)
                if last or not answered.is_error or outcome.changed or requests.sent:
                    break
                # It failed, and had no effect: it may be run again as if it had not been.
                if not await self._questions.about_files(running, outcome.refused):
                    break
                outcome, requests = self._before(running, printed, reports)
            ended, reason = "error" if answered.is_error else "ok", str(answered.error or "")
        except WassetteError as broken:
            ended, reason = "error", str(broken)
            raise
        finally:
            self._presence.end(call)
            self._asking.end_call(call.id)
            refused = (
                *(Refusal.of_file(record.id, *refused) for refused in outcome.refused),
                *requests.refused,
            )
            output = _output(outcome)
            self._recorder.call(
                call,
                ended,
                arguments=arguments,
                reason=reason,
                result_size=answered.size,
                memory=outcome.memory,
                output=output,
                refused=refused,
                allowed=running.allowed,
                exchanges=requests.exchanges,
            )
            self._using.called(record, reports, outcome, requests)
        return CallResult(
            tool=tool,
            value=answered.value,
            error=answered.error,
            is_error=answered.is_error,
            output=output,
            refused=refused,
            exchanges=tuple(requests.exchanges),
            call=call.id,
        )

    def _before(
        self, running: Running, printed: Callable[[bytes], None] | None, reports: str
    ) -> tuple[Outcome, Requests]:
        """What is to be filled while a call is run once."""
        route = partial(self._routing.route, running)
        return Outcome(printed=printed, reports=reports), Requests(running.record.id, route)

    async def _once(
        self, running: Running, tool: Tool, data: bytes, outcome: Outcome, requests: Requests
    ) -> _Answered:
        try:
            answer = await self._workers.run(running, tool, data, outcome, requests)
            value = json.loads(answer)
            failed = tool.returns_result and isinstance(value, dict) and "err" in value
            answered = _Answered(value, None, len(answer), failed)
        except InvalidArguments as wrong:
            error: CallError = InvalidArguments(f"Invalid arguments for {tool.name}: {wrong}")
            answered = _Answered(error=error, is_error=True)
        except CallError as broken:
            error = type(broken)(f"{tool.name} ({running.record.id}) {broken}")
            answered = _Answered(error=error, is_error=True)
        await requests.settled()
        return answered


def _dump(arguments: Mapping[str, Any]) -> bytes:
    # Lone surrogates cannot be encoded, but are valid in JSON as escapes; the codec refuses them.
    return _COMPACT.encode(arguments).encode()


def _output(outcome: Outcome) -> str:
    text = outcome.output.decode("utf-8", "replace")
    return text + f"\n[{outcome.dropped} bytes or more left out]" if outcome.dropped else text
