"""Asking a person in the client's own dialog (MCP elicitation), in both eras of the protocol.

In the handshake era the server asks while the call runs. In the later one a server asks nothing:
the call is answered with the question, and the client repeats it with the answer. The call itself
waits meanwhile (`Parked`), and goes on where it was.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from wassette.approvals.model import Scope, Surface, allowed, denied
from wassette.asking import Dialog

if TYPE_CHECKING:
    from collections.abc import Callable

    from wassette.approvals.model import ApprovalRequest, Decision

    from .outbox import Outbox
    from .sessions import ClientSession

KEY = "approval"
"""The name of the one question in an answer that is a question."""
MAX_PARKED = 1000
"""Calls whose clients have been given a question and have not come back."""

_WORDS = {
    Scope.ONCE: "Yes, once",
    Scope.SESSION: "Yes, for this session",
    Scope.HOUR: "Yes, for an hour",
    Scope.ALWAYS: "Always",
}
_NO = "deny"


def can_ask(ctx: Any) -> bool:
    """Whether the client has said that it shows forms. One that has not would not answer."""
    capabilities = ctx.session.client_capabilities
    elicitation = None if capabilities is None else capabilities.elicitation
    if elicitation is None:
        return False
    return elicitation.form is not None or elicitation.url is None


def is_modern(ctx: Any) -> bool:
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS


def form(request: ApprovalRequest) -> types.ElicitRequestFormParams:
    """The question as a form. Nothing in it is chosen beforehand but the refusal."""
    answers = [*request.scopes]
    properties: dict[str, Any] = {
        "answer": {
            "type": "string",
            "title": "Allow it?",
            "enum": [_NO, *(one.value for one in answers)],
            "enumNames": ["No", *(_WORDS[one] for one in answers)],
            "default": _NO,
        }
    }
    if any(one.rule is not None for one in request.choices):
        properties["rule"] = {
            "type": "string",
            "title": "What to allow",
            "enum": [str(number) for number in range(1, len(request.choices) + 1)],
            "enumNames": [
                one.text + (f" (careful: {one.warning})" if one.warning else "")
                for one in request.choices
            ],
            "default": str(request.default + 1),
        }
    schema = {"type": "object", "properties": properties, "required": ["answer"]}
    return types.ElicitRequestFormParams(message=request.text, requested_schema=schema)


def decision(request: ApprovalRequest, result: types.ElicitResult, now: int) -> Decision | None:
    """What an answer decides; None if it decides nothing. Only a plain yes allows."""
    if result.action == "decline":
        return denied(request, Surface.ELICITATION, now)
    content = result.content or {}
    if result.action != "accept":
        return None
    answer = content.get("answer")
    if answer == _NO:
        return denied(request, Surface.ELICITATION, now)
    scopes = {scope.value: scope for scope in request.scopes}
    choices = {str(number): number - 1 for number in range(1, len(request.choices) + 1)}
    chosen = content.get("rule", str(request.default + 1))
    if not isinstance(answer, str) or answer not in scopes or chosen not in choices:
        return None
    return allowed(
        request, Surface.ELICITATION, now, scope=scopes[answer], choice=choices[str(chosen)]
    )


class _ForCall(Dialog):
    """Asks about one call only: its own session's."""

    def __init__(self, session: ClientSession, now: Callable[[], int]) -> None:
        super().__init__()
        self._session = session.client.session
        self._now = now

    def wants(self, request: ApprovalRequest) -> bool:
        return request.client.session == self._session

    def _decided(self, request: ApprovalRequest, result: types.ElicitResult) -> Decision | None:
        found = decision(request, result, self._now())
        if found is None:
            self.dismissed.set()
        return found


class Asked(_ForCall):
    """In the handshake era: the server asks, related to the request of the call."""

    def __init__(self, ctx: Any, session: ClientSession, now: Callable[[], int]) -> None:
        super().__init__(session, now)
        self._ctx = ctx

    async def prompt(self, request: ApprovalRequest) -> Decision | None:
        params = form(request)
        try:
            result = await self._ctx.session.elicit_form(
                params.message, params.requested_schema, related_request_id=self._ctx.request_id
            )
        except asyncio.CancelledError:
            raise
        except Exception:
            self.dismissed.set()  # it cannot be asked there after all
            raise
        return self._decided(request, result)


class Answered(_ForCall):
    """In the later era: the question is the answer, and the answer comes with the next request."""

    def __init__(self, session: ClientSession, now: Callable[[], int]) -> None:
        super().__init__(session, now)
        self._asking: tuple[ApprovalRequest, asyncio.Future[types.ElicitResult]] | None = None
        self._asked = asyncio.Event()

    async def prompt(self, request: ApprovalRequest) -> Decision | None:
        answer: asyncio.Future[types.ElicitResult] = asyncio.get_running_loop().create_future()
        self._asking = request, answer
        self._asked.set()
        try:
            return self._decided(request, await answer)
        finally:
            self._asking = None
            self._asked.clear()

    async def question(self) -> ApprovalRequest:
        """What is to be asked, once there is something."""
        while True:
            await self._asked.wait()
            if self._asking is not None:
                return self._asking[0]

    def answer(self, request_id: str, result: types.ElicitResult) -> bool:
        """Whether it is an answer to the question that is open."""
        if self._asking is None or self._asking[1].done() or self._asking[0].id != request_id:
            return False
        self._asking[1].set_result(result)
        return True


class Parked:
    """A call of the later era that can wait for a person, between requests of its client."""

    def __init__(self, tool: str, session: ClientSession, dialog: Answered) -> None:
        self.tool = tool
        self.session = session
        self.dialog = dialog
        self.task: asyncio.Task[types.CallToolResult]
        self.outbox: Outbox | None = None
        """Of the request that is running; None between two."""
        self.asked = ""
        """Id of the question that the client was given."""

    # -- as an outbox: that of whichever request is there to be told ---------------------------

    @property
    def wants_progress(self) -> bool:
        return self.outbox is not None and self.outbox.wants_progress

    @property
    def wants_output(self) -> bool:
        return self.outbox is not None and self.outbox.wants_output

    def progress(self, stage: str, done: float | None) -> None:
        if self.outbox is not None:
            self.outbox.progress(stage, done)

    def output(self, component_id: str) -> Callable[[bytes], None] | None:
        def printed(data: bytes) -> None:
            take = self.outbox.output(component_id) if self.outbox is not None else None
            if take is not None:
                take(data)

        return printed

    # -- its requests --------------------------------------------------------------------------

    async def next(self, park: Callable[[Parked], str]) -> Any:
        """The call's result, or the next question. `park` gives what the client is to come back
        with. Cancelling ends the call."""
        question = asyncio.create_task(self.dialog.question())
        try:
            await asyncio.wait({self.task, question}, return_when=asyncio.FIRST_COMPLETED)
            if self.task.done():
                return self.task.result()
            request = question.result()
        except asyncio.CancelledError:
            self.task.cancel()
            raise
        finally:
            question.cancel()
        self.asked = request.id
        asks = types.ElicitRequest(params=form(request))
        return types.InputRequiredResult(input_requests={KEY: asks}, request_state=park(self))


class Parking:
    """The calls that wait for their clients to come back."""

    def __init__(self) -> None:
        self._parked: dict[str, Parked] = {}

    def put(self, call: Parked) -> str:
        """What the client is to come back with: random, and good for once."""
        while len(self._parked) >= MAX_PARKED:
            self.end(self._parked.pop(next(iter(self._parked))))
        token = secrets.token_urlsafe(24)
        self._parked[token] = call
        call.task.add_done_callback(lambda _: self._over(token))
        return token

    def take(self, token: str, tool: str, session: ClientSession) -> Parked | None:
        """The call that waits for this, if it is this client's, and of this tool."""
        call = self._parked.get(token)
        if call is None or call.tool != tool:
            return None
        own = call.session is session
        if not own and not (call.session.passing and session.passing):
            return None
        return self._parked.pop(token)

    def _over(self, token: str) -> None:
        """It ended while nobody waited: the client is told when it comes."""
        asyncio.get_running_loop().call_later(60, self._parked.pop, token, None)

    def end(self, call: Parked) -> None:
        call.task.cancel()

    def end_session(self, session: ClientSession) -> None:
        for token, call in list(self._parked.items()):
            if call.session is session:
                del self._parked[token]
                self.end(call)

    def end_all(self) -> None:
        for call in list(self._parked.values()):
            self.end(call)
