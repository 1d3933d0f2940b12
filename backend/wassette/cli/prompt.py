"""Asking on the terminal that a command runs in: `TerminalPrompter`.

What was typed before the question was there is no answer to it, and is thrown away.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from typing import TYPE_CHECKING

from wassette.approvals.choices import parse_rule
from wassette.approvals.model import Scope, Surface, allowed, denied
from wassette.asking import Dialog
from wassette.errors import DecisionRefused

from .approval_text import shown_request, wrapped
from .output import note

if TYPE_CHECKING:
    from collections.abc import Callable

    from wassette.approvals.model import ApprovalRequest, Decision

_KEYS = {"y": Scope.ONCE, "s": Scope.SESSION, "h": Scope.HOUR, "a": Scope.ALWAYS}
_WORDS = {
    Scope.ONCE: "[y] yes, once",
    Scope.SESSION: "[s] for this session",
    Scope.HOUR: "[h] for an hour",
    Scope.ALWAYS: "[a] always",
}
_ANSWER = re.compile(r"(?P<key>[yshan])(?:\s*(?P<number>\d{1,3})|\s+(?P<rule>\S.*))?")
_POLL = 0.05  # seconds, where a terminal cannot be waited for


class TerminalPrompter(Dialog):
    """One question at a time, on stderr; answers are lines from stdin."""

    at_once = 1

    def __init__(self, now: Callable[[], int]) -> None:
        """`now` is in milliseconds since 1970."""
        super().__init__()
        self._now = now
        self._gone = False

    def wants(self, request: ApprovalRequest) -> bool:  # noqa: ARG002
        return not self._gone

    async def prompt(self, request: ApprovalRequest) -> Decision | None:
        note("\n" + shown_request(request))
        keys = ", ".join(_WORDS[scope] for scope in request.scopes)
        note(wrapped(f"{keys}, [n] no; with the number of a choice, or a rule (a 2)"))
        forget_typed(sys.stdin.fileno())
        try:
            while True:
                line = await _line()
                if line is None:
                    self._gone = True
                    self.dismissed.set()
                    return None
                try:
                    decision = answer(request, line, self._now())
                except DecisionRefused as error:
                    note(wrapped(f"{error}. Again:"))
                else:
                    return decision
        except asyncio.CancelledError:
            note("This question is over.")
            raise


def answer(request: ApprovalRequest, line: str, now: int) -> Decision:
    """What a line that a person typed decides. Raises `DecisionRefused` if it decides nothing.

    An empty line, or anything that is not an answer, never allows.
    """
    match = _ANSWER.fullmatch(line.strip())
    if match is None:
        raise DecisionRefused("Not an answer")
    if match["key"] == "n":
        return denied(request, Surface.TERMINAL, now)
    scope = _KEYS[match["key"]]
    if match["key"] == "y":
        scope = request.scopes[0]
    if scope not in request.scopes:
        raise DecisionRefused("That is not possible here")
    rule = None
    if match["number"]:
        number = int(match["number"])
        if not 1 <= number <= len(request.choices):
            raise DecisionRefused(f"There is no choice {number}")
        rule = request.choices[number - 1].rule
    elif match["rule"]:
        rule = parse_rule(request.subject, match["rule"])
    return allowed(request, Surface.TERMINAL, now, scope=scope, rule=rule)


def forget_typed(descriptor: int) -> None:
    """Throw away what was typed before."""
    if sys.platform == "win32":
        import msvcrt

        while msvcrt.kbhit():
            msvcrt.getwch()
    else:
        import termios

        if os.isatty(descriptor):
            termios.tcflush(descriptor, termios.TCIFLUSH)


async def _line() -> str | None:
    """A line from stdin, None at its end. Can be cancelled, unlike `input`."""
    if sys.platform == "win32":
        return await _line_of_keys()
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[bytes] = loop.create_future()
    descriptor = sys.stdin.fileno()

    def read() -> None:
        if not ready.done():
            # A terminal gives a line at a time.
            try:
                ready.set_result(os.read(descriptor, 4096))
            except OSError:
                ready.set_result(b"")

    loop.add_reader(descriptor, read)
    try:
        data = await ready
    finally:
        loop.remove_reader(descriptor)
    return data.decode("utf-8", "replace") if data else None


async def _line_of_keys() -> str | None:
    """The same where a console cannot be waited for."""
    import msvcrt

    typed = ""
    while True:
        while not msvcrt.kbhit():  # type: ignore[attr-defined]  # noqa: ASYNC110
            await asyncio.sleep(_POLL)
        key = msvcrt.getwche()  # type: ignore[attr-defined]
        if key in "\r\n":
            note("")
            return typed
        if key == "\x1a":
            return None
        if key == "\x03":
            raise KeyboardInterrupt
        typed = typed[:-1] if key == "\b" else typed + key
