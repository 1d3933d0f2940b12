"""How a registry is told who we are: Basic, or Bearer with a token from its realm.

A registry says itself where its tokens are to be had (the realm), so it could have our password
sent anywhere. It is given to the registry's own host or domain (by the Public Suffix List), and to
hosts that the configuration names; never without TLS, unless the registry itself is reached so.
What is asked for is the repository at hand, whatever scope the registry would like.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from wassette.errors import NotAuthorized, visible
from wassette.registry.web import Url, WebError, is_local

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from wassette.registry.credentials import Credentials
    from wassette.registry.web import Web
    from wassette.registry_options import RegistryHost

_MAX_TOKEN = 256 * 1024
_EARLY = 10.0
"""Seconds before its end at which a token is not used any more."""
_DEFAULT_LIFE = 60.0  # seconds, by the specification
_CLIENT = "wassette-desktop"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PARAMETER = re.compile(r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]+)')


@dataclass(frozen=True)
class Challenge:
    """One way in, of those that `WWW-Authenticate` offers."""

    scheme: str
    """Lower case."""
    parameters: Mapping[str, str]


def challenges(header: str) -> list[Challenge]:
    """Those in a `WWW-Authenticate`; what is not one is passed over."""
    found: list[Challenge] = []
    at = 0
    while match := _TOKEN.match(header, at):
        at = match.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, at):
            value = parameter[2]
            if value.startswith('"'):
                value = re.sub(r"\\(.)", r"\1", value[1:-1])
            parameters.setdefault(parameter[1].lower(), value)
            at = parameter.end()
            comma = re.compile(r"\s*,(?=\s*[^\s=,]+\s*=)").match(header, at)
            if comma is None:
                break
            at = comma.end()
        found.append(Challenge(match[0].lower(), parameters))
        gap = re.compile(r"[\s,]*").match(header, at)
        at = gap.end() if gap is not None else at
    return found


@dataclass
class _Token:
    header: str = field(repr=False)
    until: float


@dataclass
class Authorizer:
    """For one repository of one registry. `credentials`: asked once, when they are needed."""

    web: Web
    registry: str
    repository: str
    """Empty: none, only to see whether we may come in."""
    base: Url
    host: RegistryHost
    credentials: Callable[[], Awaitable[Credentials | None]]
    _basic: str | None = field(default=None, repr=False)
    _tokens: dict[str, _Token] = field(default_factory=dict, repr=False)
    _known: list[Credentials | None] = field(default_factory=list, repr=False)

    def header(self, actions: str) -> str | None:
        """What to send along for `pull` or `pull,push`, as far as it is known."""
        if self._basic is not None:
            return self._basic
        token = self._tokens.get(actions)
        return token.header if token is not None and time.monotonic() < token.until else None

    async def answer(self, header: str, actions: str, sent: str | None) -> None:
        """A registry has refused `sent`: get something better. Raises `NotAuthorized`."""
        offered = {one.scheme: one for one in reversed(challenges(header))}
        if "bearer" in offered:
            if sent is not None and not sent.startswith("Bearer "):
                raise await self._refused()
            await self._get_token(offered["bearer"], actions)
        elif "basic" in offered:
            credentials = await self._credentials()
            if sent is not None or credentials is None or credentials.identity_token:
                raise await self._refused()
            if not self._safe(self.base):
                raise self._no("it wants a password without TLS")
            self._basic = credentials.basic
        else:
            raise self._no("it offers no way in that is known here (Basic or Bearer)")

    async def refused(self) -> NotAuthorized:
        """For when what was got was not enough."""
        return await self._refused()

    # -- tokens --------------------------------------------------------------------------------

    async def _get_token(self, challenge: Challenge, actions: str) -> None:
        realm, service = challenge.parameters.get("realm", ""), challenge.parameters.get("service")
        try:
            url = Url.parse(realm)
        except WebError as error:
            raise self._no(f"the realm for tokens that it names cannot be used: {error}") from None
        if url.target.scheme != "https" and not self._safe(url):
            raise self._no(f"it wants tokens to be had without TLS, from {url.shown}")
        query = {"service": service} if service else {}
        if self.repository:
            query["scope"] = f"repository:{self.repository}:{actions}"
        credentials = await self._credentials()
        if credentials is not None and not self._trusted(url):
            raise self._no(
                f"it wants your credentials to be sent to {visible(url.authority)}, which is not "
                "of its domain. If that is right, add to config.toml:\n"
                f'  [registries."{self.registry}"]\n'
                f'  token_hosts = ["{visible(url.target.host)}"]'
            )
        headers = {"accept": "application/json"}
        try:
            if credentials is not None and credentials.identity_token:
                body = urlencode(
                    {
                        "grant_type": "refresh_token",
                        "refresh_token": credentials.identity_token,
                        "client_id": _CLIENT,
                        **query,
                    }
                ).encode()
                headers["content-type"] = "application/x-www-form-urlencoded"
                sending = self.web.send("POST", url, headers, body, follow=False)
            else:
                if credentials is not None:
                    headers["authorization"] = credentials.basic
                elif not self.repository:
                    raise await self._refused()
                joint = "&" if "?" in url.rest else "?"
                asked = Url.parse(f"{url}{joint}{urlencode(query)}" if query else str(url))
                # Not followed with a password: only the realm may have it.
                sending = self.web.send("GET", asked, headers, follow=credentials is None)
            async with sending as answer:
                if answer.status in (400, 401, 403):
                    raise await self._refused()
                if answer.status != 200:
                    raise self._no(f"{url.shown} gives no token ({answer.status})")
                data = await answer.read(_MAX_TOKEN)
        except WebError as error:
            raise self._no(f"no token could be had from {url.shown}: {error}") from None
        self._tokens[actions] = _read_token(data) or self._nothing(url)

    def _nothing(self, url: Url) -> _Token:
        raise self._no(f"what {url.shown} gives is no token")

    def _safe(self, url: Url) -> bool:
        """Whether a password may be sent there: by TLS; or, where the registry itself is reached
        without (this machine, or as configured), to it and to this machine."""
        if url.target.scheme == "https":
            return True
        ours = url.target.host == self.base.target.host or is_local(url)
        return self.base.target.scheme == "http" and ours

    def _trusted(self, realm: Url) -> bool:
        ours, theirs = self.base.target.host, realm.target.host
        if ours == theirs or theirs in self.host.token_hosts:
            return True
        if realm.authority in self.host.token_hosts:
            return True
        if self.base.target.address is not None or realm.target.address is not None:
            return False
        domain = _domain(ours)
        return domain is not None and domain == _domain(theirs)

    # -- credentials ---------------------------------------------------------------------------

    async def _credentials(self) -> Credentials | None:
        if not self._known:
            self._known.append(await self.credentials())
        return self._known[0]

    async def _refused(self) -> NotAuthorized:
        credentials = await self._credentials()
        way_out = f"wassette registry login {self.registry}"
        what = f"for {self.repository}" if self.repository else ""
        if credentials is None:
            return self._no(
                f"it wants credentials {what}".rstrip() + ". Either that does not exist, or it is "
                f"not for everybody. Log in: {way_out}"
            )
        return self._no(
            f"it refuses the credentials that it was given {what}".rstrip()
            + f" (from {visible(credentials.where)}). Log in with others: {way_out}"
        )

    def _no(self, why: str) -> NotAuthorized:
        where = f"{self.registry}/{self.repository}" if self.repository else self.registry
        return NotAuthorized(f"{where}: {why}")


def _read_token(data: bytes) -> _Token | None:
    try:
        found: Any = json.loads(data)
        token = found.get("token") or found.get("access_token")
        life = found.get("expires_in", _DEFAULT_LIFE)
    except (ValueError, AttributeError, RecursionError):
        return None
    if not isinstance(token, str) or not re.fullmatch(r"[!-~]+", token):
        return None
    known = isinstance(life, int | float) and not isinstance(life, bool) and life > 0
    seconds = min(float(life), 3600.0) if known else _DEFAULT_LIFE
    return _Token(f"Bearer {token}", time.monotonic() + max(seconds - _EARLY, 1.0))


def _domain(host: str) -> str | None:
    """The part of a name that somebody has registered; None if that is not known."""
    from publicsuffixlist import PublicSuffixList

    found = PublicSuffixList().privatesuffix(host)
    return found if isinstance(found, str) else None
