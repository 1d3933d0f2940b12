"""A component's web server, and a person who answers in the client's dialog."""

from __future__ import annotations

import http.server
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import mcp_types as types

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.paths.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None: ...


@dataclass
class Web:
    """A web server on this machine."""

    port: int
    paths: list[str]
    """Of the requests that arrived."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def web() -> Iterator[Web]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hello)
    server.paths = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Web(server.server_port, server.paths)  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Person:
    """Answers what a client's dialog asks, one answer after the other, and remembers the questions.

    An answer is the form's content; `None` closes the dialog; "decline" declines.
    """

    answers: list[Any] = field(default_factory=list)
    asked: list[types.ElicitRequestFormParams] = field(default_factory=list)

    async def __call__(self, context: Any, params: Any) -> types.ElicitResult:
        self.asked.append(params)
        answer = self.answers.pop(0)
        if answer is None:
            return types.ElicitResult(action="cancel")
        if answer == "decline":
            return types.ElicitResult(action="decline")
        return types.ElicitResult(action="accept", content=answer)

    @property
    def questions(self) -> list[str]:
        return [one.message.partition("\n")[0] for one in self.asked]
