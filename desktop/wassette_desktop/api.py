"""The window's API, as the tray uses it: a session of its own, requests, and events.

It blocks, and is for threads. The standard library's client is light, and enough for one server on
this machine.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from wassette.errors import WassetteError, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT = 30.0
"""Seconds for an answer."""
SILENCE = 90.0
"""Seconds without a sign of life after which the stream of events counts as dead; the server says
something more often."""
MAX_ANSWER = 16 * 1024 * 1024
MAX_EVENT = 1024 * 1024
_LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})


class ApiError(WassetteError):
    """The host did not do it; says why."""


class SessionOver(ApiError):
    """The host does not know this session (any more)."""


@dataclass(frozen=True)
class Event:
    """Something that happened. `data` is the event's, with `type`."""

    type: str
    data: dict[str, Any]


class Api:
    """Its methods can be called from several threads at once."""

    def __init__(self, host: str, port: int, cookie: str, csrf: str = "") -> None:
        self._host, self._port = host, port
        self._cookie, self._csrf = cookie, csrf
        self._stream: http.client.HTTPConnection | None = None
        self._closed = False
        self._lock = threading.Lock()

    @classmethod
    def open(cls, link: str) -> Api:
        """A session by a one-time link, which is used up. Raises `ApiError`."""
        parts = urlsplit(link)
        if parts.scheme != "http" or parts.hostname not in _LOCAL or parts.port is None:
            raise ApiError(f"{visible(link, 40)} is not a link to Wassette on this machine")
        api = cls(parts.hostname, parts.port, "")
        connection, answer = api._send("GET", f"{parts.path}?{parts.query}".rstrip("?"))
        answer.read(MAX_ANSWER)
        connection.close()
        cookies = (answer.getheader("Set-Cookie") or "").split(";")
        if answer.status != 200 or "=" not in cookies[0]:
            raise ApiError(f"the one-time link was not taken (status {answer.status})")
        api._cookie = cookies[0].strip()
        api._csrf = str(api.get("/api/session")["csrf"])
        return api

    def get(self, path: str) -> Any:
        """Raises `ApiError`."""
        return self._json("GET", path, None)

    def post(self, path: str, body: Any) -> Any:
        """Raises `ApiError`."""
        return self._json("POST", path, body)

    def events(self) -> Iterator[Event]:
        """What happens from now on, until `close`. If the host goes, that raises `ApiError`."""
        connection, answer = self._send("GET", "/events", timeout=SILENCE)
        with self._lock:
            self._stream = connection
            closed = self._closed
        if closed:
            connection.close()
            return
        try:
            if answer.status != 200:
                raise _failed(answer.status, answer.read(MAX_ANSWER))
            yield from _events(answer)
        except (OSError, http.client.HTTPException, AttributeError) as error:
            # AttributeError: what http.client raises in one thread when another one closes.
            if not self._closed:
                raise ApiError(f"the host is gone: {error}") from None
        finally:
            connection.close()
        if not self._closed:
            raise ApiError("the host is gone")

    def close(self) -> None:
        """End `events`, in whatever thread it is."""
        with self._lock:
            self._closed = True
            sock = self._stream.sock if self._stream is not None else None
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)  # which closing would not do while it is read
            except OSError:
                return

    def _json(self, method: str, path: str, body: Any) -> Any:
        content = None if body is None else json.dumps(body).encode()
        connection, answer = self._send(method, path, content)
        try:
            data = answer.read(MAX_ANSWER + 1)
            if answer.status >= 300:
                raise _failed(answer.status, data)
            if len(data) > MAX_ANSWER:
                raise ApiError("the host answered more than can be read")
            return json.loads(data) if data else None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ApiError(f"the host gave no proper answer: {error}") from None
        finally:
            connection.close()

    def _send(
        self, method: str, path: str, body: bytes | None = None, timeout: float = TIMEOUT
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        headers = {"Accept": "application/json"}
        if self._cookie:
            headers["Cookie"] = self._cookie
        if method != "GET":
            headers["Content-Type"] = "application/json"
            headers["X-Wassette-CSRF"] = self._csrf
            headers["Origin"] = f"http://{self._host}:{self._port}"
        try:
            connection.request(method, path, body, headers)
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ApiError(f"the host cannot be reached: {error}") from None


def _failed(status: int, data: bytes) -> ApiError:
    """By the problem that the host describes (RFC 9457)."""
    try:
        problem = json.loads(data)
        text = str(problem.get("detail") or problem.get("title"))
        if problem.get("way_out"):
            text += f" {problem['way_out']}"
    except (ValueError, AttributeError):
        text = f"the host answered with status {status}"
    return (SessionOver if status == 401 else ApiError)(visible(text, 500))


def _events(answer: http.client.HTTPResponse) -> Iterator[Event]:
    """https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream"""
    data: list[str] = []
    size = 0
    while line := answer.readline(MAX_EVENT):
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if not text:
            event = _event("\n".join(data))
            data, size = [], 0
            if event is not None:
                yield event
            continue
        size += len(text)
        if size > MAX_EVENT:
            raise ApiError("the host sent an event that is too long")
        field, _, value = text.partition(":")
        if field == "data":
            data.append(value.removeprefix(" "))


def _event(text: str) -> Event | None:
    try:
        said = json.loads(text)
    except ValueError:
        return None
    if not isinstance(said, dict) or not isinstance(said.get("type"), str):
        return None
    return Event(said["type"], said)
