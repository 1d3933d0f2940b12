"""What every request to the window passes: the checks of every server of ours, and a browser that
was let in. See `web.guard` for those, and `auth` for this."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar

from wassette.components.sources import MAX_COMPONENT
from wassette.web.guard import SECURITY_HEADERS, Guard, Refused, too_large

from . import problems
from .auth import CSRF_HEADER, Auth, Browser, cookies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope

    from wassette.web.guard import Ending
    from wassette.web.options import WebOptions

OPEN = "/open/"
"""Where one-time links lead."""
UPLOAD = "/api/loads/upload"
_API = ("/api", "/events")
_READS = ("GET", "HEAD")
BROWSER = "wassette.browser"
"""Of a request's scope: the `Browser` that it comes from."""

CSP = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    b"font-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; "
    b"frame-ancestors 'none'"
)


class WindowGuard(Guard):
    """Pages are for everybody who may ask; what they show is for a browser that was let in."""

    headers: ClassVar[Mapping[bytes, bytes]] = {
        **SECURITY_HEADERS,
        b"content-security-policy": CSP,
        b"cross-origin-opener-policy": b"same-origin",
        b"permissions-policy": b"camera=(), microphone=(), geolocation=()",
    }

    def __init__(self, app: ASGIApp, options: WebOptions, ending: Ending, auth: Auth) -> None:
        super().__init__(app, options, ending)
        self._auth = auth

    def check_site(self, scope: Scope, host: str, headers: Mapping[bytes, bytes]) -> None:
        path = scope["path"]
        if path.startswith(OPEN) and scope["method"] == "GET":
            # The file that a browser is started with leads here, and so may a mail to oneself: the
            # link is what lets in, whoever is on the way. Nothing else about it may be foreign.
            navigates = headers.get(b"sec-fetch-mode", b"navigate") == b"navigate"
            framed = headers.get(b"sec-fetch-dest", b"document") != b"document"
            if headers.get(b"origin") is None and navigates and not framed:
                return
        super().check_site(scope, host, headers)
        if scope["method"] not in _READS:
            own = {f"http://{host}".encode(), f"https://{host}".encode()}
            if headers.get(b"origin", b"").lower() not in own:
                raise Refused(403, "What changes something has to come from the window itself")

    def admit(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        path = scope["path"]
        if not any(path == one or path.startswith(f"{one}/") for one in _API):
            if scope["method"] not in _READS:
                raise Refused(405, "There are only pages here")
            return
        browser = self._browser(scope)
        if browser is None:
            raise Refused(401, "This browser has not opened a link of this window")
        if scope["method"] not in _READS and not browser.has(headers.get(CSRF_HEADER)):
            raise Refused(403, "The header X-Wassette-CSRF is missing or wrong")
        scope[BROWSER] = browser

    def _browser(self, scope: Scope) -> Browser | None:
        # HTTP/1.1 browsers send one header; several would be read as one.
        lines = [value for name, value in scope["headers"] if name == b"cookie"]
        found = cookies(b";".join(lines), self._auth.cookie(scope["server"][1]))
        # Two of one name are of two who set it: neither is believed.
        return self._auth.browser(found[0]) if len(found) == 1 else None

    def max_body(self, scope: Scope) -> int:
        return MAX_COMPONENT if scope["path"] == UPLOAD else super().max_body(scope)

    async def body(self, scope: Scope, receive: Receive) -> Receive:
        """A component is not kept in memory: its route takes it as it comes."""
        if scope["path"] != UPLOAD:
            return await super().body(scope, receive)
        most = self.max_body(scope)
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise too_large(most)
            return message

        return counted

    def refusal(self, refused: Refused) -> tuple[bytes, bytes]:
        way_out = "Open the window again: wassette ui" if refused.status == 401 else None
        problem = problems.of_status(refused.status, refused.text, way_out=way_out)
        return problems.MEDIA_TYPE.encode(), json.dumps(problem.model_dump()).encode()
