"""What every request passes before any route sees it, in this order.

`Guard` is what all servers share; `TokenGuard` the one before MCP. The window has its own.

1. All readers understand it alike: no header twice that may stand once, no body of two lengths.
   (400)
2. It is addressed to us (`Host`, 421) and does not come from a web page of somebody else
   (`Origin`, `Sec-Fetch-Site`, 403). A page whose name an attacker lets point to 127.0.0.1 (DNS
   rebinding) fails at the first, any other page at the second. Also for /health: nothing is told
   to pages.
3. There is no token in its URL, where it would get into logs and histories. (400)
4. It has a token, where one is required: everywhere but at OPEN. Not by route but by what is not
   OPEN, so that no spelling of a path leads past it. (401)
5. Its body is within limits, in size and in time. (413, 408)

Pure ASGI: it does not depend on how the app behind it finds its routes.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Any, ClassVar

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from .options import WebOptions

OPEN = frozenset({"/health", "/ready", "/info"})
"""Paths that need no token; they say nothing private."""

BODY_TIMEOUT = 30.0
"""Seconds in which a request's body has to be there."""

_LOCAL = ("localhost", "127.0.0.1", "[::1]")
_ONCE = (
    b"host",
    b"origin",
    b"authorization",
    b"content-length",
    b"content-type",
    b"transfer-encoding",
    b"mcp-session-id",
    b"mcp-protocol-version",
    b"sec-fetch-site",
)
_HOST = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?", re.ASCII)
_TOKEN_IN_QUERY = re.compile(rb"(?:^|[&;])(?:access_token|token|authorization)=", re.IGNORECASE)

SECURITY_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cache-control": b"no-store",
}


class Refused(Exception):
    """A request that goes no further."""

    def __init__(self, status: int, text: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, tuple(headers)


class Ending:
    """How a server ends: it takes no more requests, its streams end, and what runs is counted."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()
        self._running = 0
        self._none = asyncio.Event()

    @property
    def begun(self) -> bool:
        return self._begun.is_set()

    def begin(self) -> None:
        self._begun.set()
        self._count(0)

    async def drained(self, seconds: float) -> bool:
        """Whether nothing runs any more, after at most so long."""
        try:
            await asyncio.wait_for(self._none.wait(), seconds)
        except TimeoutError:
            return False
        return True

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        self._running += change
        if self._running:
            self._none.clear()
        else:
            self._none.set()

    async def either(self, receive: Receive) -> Message:
        """What `receive` gives, or that the client is gone, which is how streams end."""
        received = asyncio.ensure_future(receive())
        begun = asyncio.ensure_future(self._begun.wait())
        try:
            await asyncio.wait({received, begun}, return_when=asyncio.FIRST_COMPLETED)
            return received.result() if received.done() else {"type": "http.disconnect"}
        finally:
            received.cancel()
            begun.cancel()


class Guard:
    """ASGI middleware. Servers say by `admit` who may come in."""

    headers: ClassVar[Mapping[bytes, bytes]] = SECURITY_HEADERS
    """Of every answer that has no others by these names."""

    def __init__(self, app: ASGIApp, options: WebOptions, ending: Ending) -> None:
        self._app = app
        self._options = options
        self._ending = ending

    def admit(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        """Let a request in that is addressed to us and comes from no other site, or raise
        `Refused`. What is known of who asks goes into `scope`."""
        raise NotImplementedError

    def check_site(self, scope: Scope, host: str, headers: Mapping[bytes, bytes]) -> None:  # noqa: ARG002
        """Raises `Refused` for what a page of another site makes."""
        check_origin(host, headers.get(b"origin"), headers.get(b"sec-fetch-site"))

    def max_body(self, scope: Scope) -> int:  # noqa: ARG002
        """Bytes."""
        return self._options.max_body

    async def body(self, scope: Scope, receive: Receive) -> Receive:
        """A `receive` that gives the body."""
        return await self._body(receive, self.max_body(scope))

    def refusal(self, refused: Refused) -> tuple[bytes, bytes]:
        """The type and the text of an answer that says no."""
        return b"text/plain; charset=utf-8", f"{refused.text}\n".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        answer = _Answer(send, self.headers, self.refusal)
        with self._ending.running():
            try:
                self._check(scope)
                receive = await self.body(scope, receive)
                if self._ending.begun:
                    raise Refused(503, "The server is ending")
            except Refused as refused:
                await answer.refuse(refused)
                return
            except ConnectionError:
                return  # the client is gone
            if scope["method"] == "GET":  # a stream, or over in a moment
                receive = functools.partial(self._ending.either, receive)
            await self._app(scope, receive, answer.send)
            if self._ending.begun:
                await answer.complete()

    # -- the request's head --------------------------------------------------------------------

    def _check(self, scope: Scope) -> None:
        headers = _headers(scope)
        host = check_host(headers.get(b"host"), self._options)
        self.check_site(scope, host, headers)
        if _TOKEN_IN_QUERY.search(scope["query_string"]):
            raise Refused(400, "A token does not belong into a URL: use the Authorization header")
        length, most = headers.get(b"content-length"), self.max_body(scope)
        if length is not None and (not length.isdigit() or int(length) > most):
            raise too_large(most)
        self.admit(scope, headers)

    # -- its body ------------------------------------------------------------------------------

    @staticmethod
    async def _body(receive: Receive, most: int) -> Receive:
        """All of the body, read now, as a `receive` that gives it again."""
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_TIMEOUT):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise ConnectionResetError
                    body += message.get("body", b"")
                    if len(body) > most:
                        raise too_large(most)
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            raise Refused(408, f"The body took more than {BODY_TIMEOUT:g} s") from None
        first: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replay() -> Message:
            return first.pop() if first else await receive()

        return replay


class TokenGuard(Guard):
    """Before MCP: whoever has a token, if there are any."""

    def __init__(self, app: ASGIApp, options: WebOptions, ending: Ending) -> None:
        super().__init__(app, options, ending)
        self._users = {
            hashlib.sha256(token.encode()).digest(): _user(token) for token in options.tokens
        }

    def admit(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        if self._users and scope["path"] not in OPEN:
            scope["user"] = self._user(headers.get(b"authorization"))

    def _user(self, authorization: bytes | None) -> AuthenticatedUser:
        scheme, _, token = (authorization or b"").partition(b" ")
        digest = hashlib.sha256(token.strip()).digest()
        found = None
        # All are compared, whole: how long it takes says nothing about what is right.
        for known, user in self._users.items():
            if hmac.compare_digest(known, digest):
                found = user
        if found is None or scheme.lower() != b"bearer":
            value = b'Bearer realm="wassette"'
            if authorization is not None:
                value += b', error="invalid_token"'
            raise Refused(
                401, "A token is required: Authorization: Bearer …", [(b"www-authenticate", value)]
            )
        return found


def too_large(most: int) -> Refused:
    return Refused(413, f"A request's body may have {most} bytes")


def check_host(value: bytes | None, options: WebOptions) -> str:
    """The `Host` that a request is addressed to. Raises `Refused` unless it is us.

    The names of this machine are taken with any port, which is another one behind a tunnel: they
    can only be in a request that was really sent to this machine.
    """
    host = (value or b"").decode("latin-1").lower()
    found = _HOST.fullmatch(host)
    if found is not None:
        own = {*_LOCAL, options.address.rpartition(":")[0]} - {"0.0.0.0", "[::]"}  # noqa: S104
        if found["name"] in own or {found["name"], host} & set(options.allowed_hosts):
            return host
    raise Refused(421, "This is not the host that the request is addressed to: see --allowed-host")


def check_origin(host: str, origin: bytes | None, site: bytes | None) -> None:
    """Raises `Refused` for requests that a web page of another origin makes. Programs send neither
    header; a page cannot leave them out."""
    if origin is not None:
        text = origin.decode("latin-1").lower()
        if text not in (f"http://{host}", f"https://{host}"):
            raise Refused(403, "Requests from web pages of other origins are refused")
    if site is not None and site.strip().lower() not in (b"same-origin", b"none"):
        raise Refused(403, "Requests from other web sites are refused")


def _headers(scope: Scope) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in found and name in _ONCE:
            raise Refused(400, f"The header {name.decode()} is there more than once")
        found[name] = value
    if b"content-length" in found and b"transfer-encoding" in found:
        raise Refused(400, "The body has two lengths")
    return found


def _user(token: str) -> AuthenticatedUser:
    """For the SDK, which lets a session be used only with the credential that opened it."""
    name = f"token-{hashlib.sha256(token.encode()).hexdigest()[:16]}"
    return AuthenticatedUser(AccessToken(token="", client_id=name, scopes=[]))


class _Answer:
    """What is sent for one request."""

    def __init__(
        self,
        send: Send,
        headers: Mapping[bytes, bytes],
        refusal: Callable[[Refused], tuple[bytes, bytes]],
    ) -> None:
        self._send, self._headers, self._refusal = send, headers, refusal
        self._started = self._completed = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            headers: list[Any] = list(message.get("headers", ()))
            there = {name.lower() for name, _ in headers}
            headers += [one for one in self._headers.items() if one[0] not in there]
            message = {**message, "headers": headers}
        elif message["type"] == "http.response.body":
            self._completed = not message.get("more_body", False)
        await self._send(message)

    async def refuse(self, refused: Refused) -> None:
        kind, body = self._refusal(refused)
        headers = [
            (b"content-type", kind),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),  # the rest of its body is not read
            *refused.headers,
        ]
        start = {"type": "http.response.start", "status": refused.status, "headers": headers}
        await self.send(start)
        await self.send({"type": "http.response.body", "body": body})

    async def complete(self) -> None:
        """End the answer of an app that believes its client gone."""
        if not self._started:
            await self.refuse(Refused(503, "The server is ending"))
        elif not self._completed:
            await self.send({"type": "http.response.body", "body": b""})
