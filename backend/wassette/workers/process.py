"""One worker process, from the host's side."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wassette import errors
from wassette.errors import CallCancelled, CallError, CallTimeout, WorkerDied, visible

from . import asks, protocol
from .clock import Clock
from .launcher import Launcher, Started, ended_how
from .meter import Gauge
from .protocol import Header

if TYPE_CHECKING:
    from collections.abc import Callable

    from .asks import Ask, Asks, Door

log = logging.getLogger(__name__)

GRACE = 0.5
"""Seconds in which a busy guest is to end by its epoch callback before the process is killed."""

MAX_USES = 2000
"""Uses that are kept of what a worker tells; the guard tells no more than half of them."""
_USES = frozenset({"look", "read", "write", "list"})

MAX_OUTPUT = 1024 * 1024
"""Bytes kept of what a call prints; the rest is counted and dropped."""

# What a worker may report of a call. Anything else it says is taken for a trap.
_REPORTED: dict[str, type[CallError]] = {
    name: getattr(errors, name)
    for name in (
        "InvalidArguments",
        "FunctionUnavailable",
        "GuestTrap",
        "GuestExit",
        "ResultTooLarge",
    )
}
MAX_MESSAGE = 4000  # characters of an error message that a worker may send


@dataclass
class Outcome:
    """What a call did besides its result; filled while it runs, whole or not."""

    output: bytearray = field(default_factory=bytearray)
    """What the guest printed to stdout and stderr, in order, at most `MAX_OUTPUT` bytes."""
    dropped: int = 0
    """Bytes printed beyond that."""
    refused: list[tuple[str, str]] = field(default_factory=list)
    """What the guard refused: (kind, target as the component wrote it), at most 100."""
    changed: bool = False
    """Whether the guard let the component use the name of a file for writing."""
    reports: str = ""
    """What the guard tells of what it allows: nothing, or an option of its rules (`u`, `a`)."""
    used: dict[tuple[str, str], None] = field(default_factory=dict)
    """What it told, each once: (`look`, `read`, `write` or `list`; the component's path)."""
    used_more: bool = False
    """Whether there was more than it told."""
    printed: Callable[[bytes], None] | None = None
    """Is given what is kept of the output, while the call runs."""
    memory: int | None = None
    """Bytes of memory that it took, as the worker says."""


Reply = tuple[Header, bytes]


class WorkerProcess(asyncio.Protocol):
    """A started worker. One request at a time."""

    def __init__(self, launcher: Launcher, started: Started) -> None:
        self._launcher = launcher
        self._started = started
        self._transport: asyncio.Transport | None = None
        self._inbox = bytearray()
        self._reply: asyncio.Future[Reply] | None = None
        self._outcome = Outcome()
        self._calls = 0
        self._asks: Asks | None = None  # of the running call
        self._asked = 0
        self._ending = False  # whether the call is over, or is to end
        self._asking: asyncio.Task[None] | None = None
        self.door: Door | None = None
        """The way out for the component's requests, if it makes any."""
        self._broken: str | None = None
        self._ended_with: CallError | None = None
        self._stopping = False
        self._paused = False
        self.gauge: Gauge
        self.taken: int | None = None
        """Bytes of memory that the last call took, as the worker says."""
        self.closed = asyncio.get_running_loop().create_future()

    @classmethod
    async def start(cls, launcher: Launcher) -> WorkerProcess:
        started = await launcher.start()
        try:
            _, worker = await asyncio.get_running_loop().create_connection(
                lambda: cls(launcher, started), sock=started.sock
            )
        except BaseException:
            started.sock.close()
            launcher.kill(started)
            raise
        return worker

    @property
    def pid(self) -> int:
        return self._started.pid

    @property
    def usable(self) -> bool:
        """Whether another request can be made."""
        return self._broken is None and not self.closed.done() and self._reply is None

    async def request(self, header: Header, body: bytes = b"") -> Reply:
        """Send a request and wait for its reply; a worker that dies raises `WorkerDied`.

        Cancelling this kills the process (`call` is gentler).
        """
        self._send(header, body)
        try:
            return await self._answer(None)
        except asyncio.CancelledError:
            self.kill()
            raise

    async def call(
        self,
        interface: str | None,
        function: str,
        arguments: bytes,
        timeout: float | Clock,  # noqa: ASYNC109  (the clock is stopped while a person is asked)
        outcome: Outcome,
        asks: Asks | None = None,
    ) -> bytes:
        """Call a function of the loaded component; returns its value as JSON.

        `asks` answers what the component wants to know meanwhile; without it, nothing may be asked.
        It is cancelled when the call ends. Raises the `CallError` that fits; `CallTimeout` after
        `timeout` seconds. Whoever cancels this has to `stop` the guest, which still runs.
        """
        self._calls += 1
        self._outcome = outcome
        self._asks, self._asked, self._ending = asks, 0, False
        self._ended_with, self._stopping, self.taken = None, False, None
        call = {"kind": "call", "call": self._calls, "interface": interface, "function": function}
        if outcome.reports:
            call["reports"] = outcome.reports
        self._send(call, arguments)
        clock = timeout if isinstance(timeout, Clock) else Clock(timeout)
        try:
            header, body = await self._answer(clock)
        except TimeoutError:
            reply = await self.stop("timeout")
            if reply is None or reply[0]["kind"] != "result":
                raise CallTimeout(
                    f"did not finish within its time limit of {clock.seconds:g} s and was stopped. "
                    "A higher limit can be set in its policy (resources.limits.timeout)."
                ) from None
            header, body = reply
        except WorkerDied:
            self._close_ways_out("the component's process died")
            if self._ended_with is not None:
                raise self._ended_with from None
            raise
        self._close_ways_out("the call is over")
        taken = header.get("memory")
        self.taken = outcome.memory = taken if type(taken) is int else None
        if header["kind"] == "result":
            return body
        if header["kind"] == "error":
            raise self._reported(header)
        self.kill()
        raise WorkerDied("its worker process answered something that was not asked")

    async def stop(self, reason: str) -> Reply | None:
        """End the guest of a call that is not waited for any more: politely, then by force.

        Returns what it answered meanwhile; None if it had to be killed.
        """
        if self._reply is None or self._transport is None:
            return None
        self._ask_to_stop(reason)
        try:
            return await self._answer(Clock(GRACE))
        except (TimeoutError, WorkerDied):
            self.kill()
            return None

    def end_call(self, error: CallError) -> None:
        """End the call that runs; it raises `error`, unless it has a result by then."""
        if self._reply is not None and not self._stopping:
            self._ended_with = error
            self._ask_to_stop("limit")
            asyncio.get_running_loop().call_later(GRACE, self._insist, self._calls)

    def _insist(self, call: int) -> None:
        if self._calls == call and self._reply is not None:
            self.kill()

    def _ask_to_stop(self, reason: str) -> None:
        self._stopping = True
        self.resume()  # or it could not end
        if not self.closed.done() and self._transport is not None:
            cancel = {"kind": "cancel", "call": self._calls, "reason": reason}
            self._transport.write(protocol.frame(cancel))
        # Together with that: what waits for the network natively returns, sees it, and ends.
        self._close_ways_out(reason)

    def pause(self) -> None:
        """Stop the process where it is, until `resume`. Not while its call is to end."""
        if not self._paused and not self._stopping:
            self._paused = True
            self._launcher.pause(self._started, True)

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self._launcher.pause(self._started, False)

    def kill(self) -> None:
        """End the process now. Its socket closes a moment later."""
        self._broken = self._broken or "was killed"
        self._launcher.kill(self._started)
        if self._transport is not None:
            self._transport.abort()

    async def ended(self) -> int:
        """Wait for the process to be gone; its exit code."""
        return await asyncio.shield(self._started.ended)

    # -- what the guest asks ---------------------------------------------------------------------

    def _asked_for(self, header: Header, body: bytes) -> None:
        """Have an ask answered. Raises `ProtocolError` for what no honest worker sends."""
        if self._reply is None or header.get("call") != self._calls:
            raise protocol.ProtocolError("it asked something outside of a call")
        if self._ending:
            return  # it asked before it knew
        if self._asks is None or self.door is None:
            raise protocol.ProtocolError("it asked something, but has nothing to ask")
        self._asked += 1
        if header.get("ask") != self._asked or self._asking is not None:
            raise protocol.ProtocolError("it asked again before it was answered")
        ask = asks.decode_ask(header.get("what"), body)
        self._asking = asyncio.create_task(self._answer_ask(self._asks, self.door, ask))

    async def _answer_ask(self, answered_by: Asks, door: Door, ask: Ask) -> None:
        call, number = self._calls, self._asked
        try:
            answer = await answered_by(ask, door)
        except Exception:
            log.exception("a request of a component could not be decided about")
            answer = asks.Refusal("internal-error")
        self._asking = None
        if self._transport is not None and not self._transport.is_closing():
            header = {"kind": "answer", "call": call, "ask": number}
            self._transport.write(protocol.frame(header, asks.encode_answer(answer)))

    def _close_ways_out(self, reason: str) -> None:
        self._asks, self._ending = None, True
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
        if self.door is not None:
            self.door.abort(reason)

    # -- sending and waiting ---------------------------------------------------------------------

    def _send(self, header: Header, body: bytes) -> None:
        if not self.usable or self._transport is None:
            raise WorkerDied("its worker process is gone")
        self._reply = asyncio.get_running_loop().create_future()
        self._transport.write(protocol.frame(header, body))

    async def _answer(self, clock: Clock | None) -> Reply:
        """Wait for the reply to what was sent last; `TimeoutError` when the time is up.

        The reply can still be waited for after that, or after cancelling.
        """
        loop = asyncio.get_running_loop()
        if self._reply is None or self._reply.cancelled():
            self._reply = loop.create_future()  # it was cancelled while it was waited for
            if self.closed.done():
                raise await self._death()
        waited = self._reply

        def time_is_up() -> None:
            if not waited.done():
                self._reply = loop.create_future()
                waited.set_exception(TimeoutError())

        # A timer and one future: `asyncio.wait_for` takes three more turns of the event loop.
        if clock is not None:
            clock.start(time_is_up)
        try:
            reply = await waited
        except EOFError:
            raise await self._death() from None
        finally:
            if clock is not None:
                clock.end()
        self._reply = None
        return reply

    async def _death(self) -> WorkerDied:
        """The error for a call whose worker went away by itself."""
        self._broken = self._broken or "died"
        try:
            code = await asyncio.wait_for(self.ended(), 2)
        except TimeoutError:
            self._launcher.kill(self._started)
            code = await self.ended()
        return WorkerDied(
            f"its worker process {ended_how(code)} during the call. "
            "Nothing else was affected; the next call gets a new process."
        )

    def _reported(self, header: Header) -> CallError:
        kind, message = header.get("error"), str(header.get("message"))
        if kind == "stopped":
            return self._ended_with or CallCancelled("was cancelled")
        error = _REPORTED.get(kind) if isinstance(kind, str) else None
        return (error or errors.GuestTrap)(visible(message, MAX_MESSAGE))

    # -- asyncio.Protocol ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.gauge = Gauge(self.pid)

    def data_received(self, data: bytes) -> None:
        self._inbox += data
        try:
            while len(self._inbox) >= protocol.HEAD:
                head, body = protocol.sizes(self._inbox)
                end = protocol.HEAD + head + body
                if len(self._inbox) < end:
                    return
                header = protocol.parse_header(self._inbox[protocol.HEAD : protocol.HEAD + head])
                content = bytes(self._inbox[protocol.HEAD + head : end])
                del self._inbox[:end]
                self._received(header, content)
        except protocol.ProtocolError as error:
            log.warning("worker %d: %s", self.pid, error)
            self.kill()

    def connection_lost(self, _exc: Exception | None) -> None:
        self.gauge.close()
        if not self.closed.done():
            self.closed.set_result(None)
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(EOFError())
            self._reply.exception()  # it may be that nobody waits any more

    def _received(self, header: Header, body: bytes) -> None:
        match header["kind"]:
            case "output":
                room = MAX_OUTPUT - len(self._outcome.output)
                self._outcome.output += body[:room]
                if self._outcome.printed is not None and room > 0:
                    self._outcome.printed(body[:room])
                self._outcome.dropped += max(0, len(body) - room)
            case "refused" if header.get("what") == "storage-changed":
                self._outcome.changed = True
            case "refused" if str(header.get("what")).startswith("used-"):
                self._used(str(header["what"]).removeprefix("used-"), header.get("target"))
            case "refused":
                kinds = ("storage-read", "storage-write")
                if len(self._outcome.refused) < 100 and header.get("what") in kinds:
                    refused = str(header.get("what")), str(header.get("target"))
                    self._outcome.refused.append(refused)
            case "ask":
                self._asked_for(header, body)
            case _ if self._reply is not None and not self._reply.done():
                self._reply.set_result((header, body))

    def _used(self, how: str, target: object) -> None:
        outcome = self._outcome
        if not outcome.reports:
            return
        if how in _USES and isinstance(target, str) and len(outcome.used) < MAX_USES:
            outcome.used[how, target] = None
        else:
            outcome.used_more = True
