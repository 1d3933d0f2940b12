"""What a worker may ask its host while a call runs, and the answers, as JSON.

There is one question: where a request of the guest goes (`route`). The host takes a worker for
hostile, so everything that it says is looked at; what it says of the request itself (a URL that is
none, say) is for whoever decides about it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from .protocol import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from wassette.sandbox.hostfn import RequestLine

MAX_TEXT = 16 * 1024
"""Characters of each part of a request. What is longer arrives with one more, cut there: it cannot
be decided about, but it can be said that it was wanted."""

MAX_ASK = 512 * 1024
"""Bytes of a question: four texts of four-byte characters, and what JSON adds."""

_NANO = 1_000_000_000
_MAX_U64 = 2**64 - 1


@dataclass(frozen=True)
class Ask:
    """A request that a component wants to make, as it wrote it."""

    method: str
    scheme: str
    authority: str
    path: str
    """With the query; empty if there is none."""
    connect_timeout: float | None = None
    """Seconds."""

    @property
    def too_long(self) -> bool:
        """Whether a part is not all there."""
        return max(map(len, (self.method, self.scheme, self.authority, self.path))) > MAX_TEXT


@dataclass(frozen=True)
class Destination:
    """Where the guard sends the request, and how long the runtime waits there, in seconds."""

    authority: str
    path: str
    first_byte: float
    idle: float


@dataclass(frozen=True)
class Refusal:
    """The error that the component gets: a case of wasi:http's `error-code`; `detail` is shown to
    it where the case has a place for that."""

    code: str
    detail: str | None = None


Answer: TypeAlias = Destination | Refusal


class Door(Protocol):
    """The way out for one worker: a port on this machine, of which the relay is the other side."""

    @property
    def port(self) -> int: ...
    def abort(self, reason: str) -> None:
        """Drop whatever is open or under way there, at once; it can be used again."""

    async def close(self) -> None: ...


Asks: TypeAlias = "Callable[[Ask, Any], Awaitable[Answer]]"
"""Answers what is asked in one call; the second argument is the door of its worker."""


# ---- in the worker ---------------------------------------------------------------------------


def encode_ask(request: RequestLine) -> bytes:
    parts = {
        name: value[: MAX_TEXT + 1] if isinstance(value, str) else value
        for name, value in asdict(request).items()
    }
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()


def decode_answer(body: bytes) -> Mapping[str, object]:
    """`result<destination, refusal>` of guard/guard.wit in its JSON form."""
    answer: dict[str, Any] = json.loads(body)
    if "code" in answer:
        return {"err": answer}
    return {
        "ok": {
            "authority": answer["authority"],
            "path": answer["path"],
            "first-byte": int(answer["first_byte"] * _NANO),
            "between-bytes": int(answer["idle"] * _NANO),
        }
    }


# ---- in the host -----------------------------------------------------------------------------


def decode_ask(what: object, body: bytes) -> Ask:
    """Raises `ProtocolError` for what no honest worker sends."""
    if what != "route" or len(body) > MAX_ASK:
        raise ProtocolError("a worker asked something that cannot be asked")
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise ProtocolError("a worker asked something that is not JSON") from None
    texts = ("method", "scheme", "authority", "path")
    if not isinstance(said, dict) or not all(
        isinstance(said.get(name), str) and len(said[name]) <= MAX_TEXT + 1 for name in texts
    ):
        raise ProtocolError("a worker asked for a request that is none")
    timeout = said.get("connect_timeout")
    if timeout is not None and (type(timeout) is not int or not 0 <= timeout <= _MAX_U64):
        raise ProtocolError("a worker asked for a request with a time that is none")
    seconds = None if timeout is None else timeout / _NANO
    return Ask(said["method"], said["scheme"], said["authority"], said["path"], seconds)


def encode_answer(answer: Answer) -> bytes:
    return json.dumps(asdict(answer), separators=(",", ":")).encode()
