"""Who may come in: whoever holds a link that this user was given, once, and from then on the
browser that opened it.

    link     random, opens once, within a minute; given out over the host's socket, which only this
             user can reach, or by who runs the server
    cookie   what the browser has instead; HttpOnly, SameSite=Strict, for this port
    csrf     what the page has besides, in a header that no other page can send

Nothing of it is kept on disk: with the host it is over. Links and cookies are kept as digests, and
looked up by them, so that how long it takes says nothing about what is right.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wassette._version import __version__
from wassette.answers import Client

if TYPE_CHECKING:
    from collections.abc import Callable

LINK_SECONDS = 60.0
MAX_LINKS = 20
"""That are open at once; the oldest goes."""
MAX_BROWSERS = 50
"""That are known at once; the one that was used longest ago goes."""
IDLE_SECONDS = 7 * 86_400.0
"""After which a browser that was not used is forgotten."""
COOKIE = "wassette"
CLIENT = "Wassette window"
"""What is shown and recorded of who calls a tool from here."""
CSRF_HEADER = b"x-wassette-csrf"


@dataclass(eq=False)
class Browser:
    """One that has opened a link."""

    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    session: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    """As an MCP client has one: what is allowed for this session is for calls from here."""
    used: float = 0.0

    def has(self, csrf: bytes | None) -> bool:
        """Whether this is its CSRF token."""
        return csrf is not None and hmac.compare_digest(csrf, self.csrf.encode())


def client_of(browser: Browser) -> Client:
    """As which a browser calls tools. What is changed there, a person changes, and no client."""
    return Client(CLIENT, __version__, "window", browser.session)


class Auth:
    """One for each server. `now`: seconds, but for tests the monotonic clock's."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._links: dict[bytes, float] = {}
        self._browsers: dict[bytes, Browser] = {}

    @staticmethod
    def cookie(port: int) -> str:
        """The cookie's name. Browsers send cookies to every port of a machine: another server's
        must not take the place of ours."""
        return f"{COOKIE}-{port}"

    def new_link(self) -> str:
        """The random part of a link."""
        self._forget()
        while len(self._links) >= MAX_LINKS:
            del self._links[next(iter(self._links))]
        text = secrets.token_urlsafe(32)
        self._links[_digest(text)] = self._now() + LINK_SECONDS
        return text

    @property
    def links(self) -> int:
        """That can be opened now."""
        self._forget()
        return len(self._links)

    @property
    def busy(self) -> bool:
        """Whether a browser asked for something within the last minute."""
        last = max((one.used for one in self._browsers.values()), default=None)
        return last is not None and self._now() - last < LINK_SECONDS

    def open(self, link: str) -> str | None:
        """Use a link up. The value of the cookie for who did; None if it is none, or not any
        more."""
        until = self._links.pop(_digest(link), None)
        if until is None or self._now() >= until:
            return None
        self._forget()
        while len(self._browsers) >= MAX_BROWSERS:
            del self._browsers[min(self._browsers, key=lambda one: self._browsers[one].used)]
        value = secrets.token_urlsafe(32)
        self._browsers[_digest(value)] = Browser(used=self._now())
        return value

    def browser(self, cookie: str | None) -> Browser | None:
        """Whose cookie it is."""
        if cookie is None:
            return None
        found = self._browsers.get(_digest(cookie))
        if found is None or self._now() - found.used > IDLE_SECONDS:
            return None
        found.used = self._now()
        return found

    def _forget(self) -> None:
        now = self._now()
        self._links = {link: until for link, until in self._links.items() if now < until}
        self._browsers = {
            value: one for value, one in self._browsers.items() if now - one.used <= IDLE_SECONDS
        }


def cookies(header: bytes | None, name: str) -> list[str]:
    """The values of the cookies of this name."""
    found = []
    for part in (header or b"").decode("latin-1").split(";"):
        key, equals, value = part.strip().partition("=")
        if equals and key == name:
            found.append(value)
    return found


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
