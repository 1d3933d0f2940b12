"""Requests to registries and web servers, for one fetch.

httpcore speaks HTTP, keeps connections and talks to proxies. Where they lead is ours, and the same
as for components' requests (`wassette.egress`): names, addresses, certificates, proxies and limits
as configured under [network]; nothing is taken from the environment or .netrc behind that.

- A redirect leads to at most `MAX_REDIRECTS` other places, never from https to http, and never into
  this machine or a private network, unless the first server was there, too: a server elsewhere
  would have us knock at doors that are closed to it.
- Credentials stay with the scheme, host and port that they were given for.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeAlias
from urllib.parse import urljoin

import httpcore2 as httpcore

from wassette.egress import addresses, connect, proxies
from wassette.egress.tls import make_context
from wassette.errors import PolicyError, RequestRefused, visible
from wassette.policy.network import PORTS, NetworkTarget, kind_of_address

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping

    from wassette.egress.model import Dial, Resolver
    from wassette.egress.proxies import Proxy
    from wassette.egress.wire import Wire
    from wassette.egress_options import EgressOptions
    from wassette.policy.network import Address

MAX_REDIRECTS = 5
PATIENCE = 30.0
"""Seconds without a byte, if [network] does not allow less."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AGENT = "wassette-desktop"
_FINAL = frozenset({"TLS-certificate-error", "destination-IP-prohibited", "configuration-error"})
_UNREACHED = frozenset(
    {
        "DNS-error",
        "DNS-timeout",
        "connection-refused",
        "connection-timeout",
        "destination-unavailable",
        "TLS-protocol-error",
    }
)
_METADATA = "a cloud's metadata service"  # as `kind_of_address` calls it

Body: TypeAlias = "bytes | Callable[[], AsyncIterator[bytes]]"


class WebError(Exception):
    """A request failed; `str()` is why, for people. `passing`: another try may help; `unreached`:
    nobody was there."""

    def __init__(self, cause: str, *, passing: bool, unreached: bool = False) -> None:
        super().__init__(cause)
        self.passing = passing
        self.unreached = unreached


@dataclass(frozen=True)
class Url:
    """An address of http or https that can be read in one way only."""

    target: NetworkTarget
    """Scheme, host and port."""
    rest: str
    """Path and query, as they are written."""

    @classmethod
    def parse(cls, text: str) -> Url:
        """Raises `WebError`."""
        text = text.partition("#")[0]
        if any(not "!" <= char <= "~" or char == "\\" for char in text):
            raise WebError(f"{visible(text)} is not a URL", passing=False)
        scheme, _, rest = text.partition("://")
        end = min((at for at in map(rest.find, "/?") if at >= 0), default=len(rest))
        authority, rest = rest[:end], rest[end:]
        try:
            target = NetworkTarget.parse(f"{scheme}://{authority}/")
        except PolicyError as error:
            raise WebError(str(error), passing=False) from None
        return cls(target, rest if rest.startswith("/") else f"/{rest}")

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.target.scheme, self.target.host, self.target.port

    @property
    def authority(self) -> str:
        host = f"[{self.target.host}]" if ":" in self.target.host else self.target.host
        usual = self.target.port == PORTS[self.target.scheme]
        return host if usual else f"{host}:{self.target.port}"

    def join(self, location: str) -> Url:
        """Where a `Location` leads from here. Raises `WebError`."""
        return Url.parse(urljoin(str(self), location))

    def beside(self, suffix: str) -> Url:
        """The file whose name is longer by `suffix`. A query stays: it may be what opens both."""
        path, mark, query = self.rest.partition("?")
        return Url(self.target, f"{path}{suffix}{mark}{query}")

    def __str__(self) -> str:
        return f"{self.target.scheme}://{self.authority}{self.rest}"

    @property
    def shown(self) -> str:
        """Without the query, which can hold a signature that opens it."""
        return visible(str(self).partition("?")[0])


def is_local(url: Url) -> bool:
    """Whether it is on this machine, by its name."""
    address = url.target.address
    return url.target.host == "localhost" or (address is not None and address.is_loopback)


@dataclass(frozen=True)
class Answer:
    """What a server answered. Its body can be read while the request is open."""

    url: Url
    """Where it came from, after redirects."""
    status: int
    headers: Mapping[str, str]
    """By lower-case name; of several, all, with commas."""
    _response: httpcore.Response

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body, as it arrives. Raises `WebError`. To be closed by whoever stops early."""
        with _as_web_error():
            async with contextlib.aclosing(self._response.aiter_stream()) as stream:
                async for chunk in stream:
                    yield chunk

    async def read(self, limit: int) -> bytes:
        """All of the body. Raises `WebError`, also if it has more than `limit` bytes."""
        found = bytearray()
        async with contextlib.aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                found += chunk
                if len(found) > limit:
                    raise WebError(f"its answer has more than {limit} bytes", passing=False)
        return bytes(found)


@dataclass
class Web:
    """For one fetch: who may be reached depends on who was reached first. Close it."""

    options: EgressOptions
    private: bool | None = None
    """Whether private addresses may be reached; None: if the first one is."""
    resolver: Resolver = field(default_factory=addresses.SystemResolver)
    dial: Dial = connect.dial
    _first: str = ""
    _context: ssl.SSLContext | None = None
    _pools: dict[str, httpcore.AsyncConnectionPool] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for pool in self._pools.values():
            await pool.aclose()

    @contextlib.asynccontextmanager
    async def send(
        self,
        method: str,
        url: Url,
        headers: Mapping[str, str],
        body: Body | None = None,
        *,
        follow: bool = True,
    ) -> AsyncIterator[Answer]:
        """Make a request. Only those without a body are redirected, and only if `follow`.

        Raises `WebError`. Whatever status there is in the end is an answer.
        """
        headers = {"user-agent": _AGENT, "accept-encoding": "identity", **headers}
        for _ in range(MAX_REDIRECTS + 1):
            async with self._once(method, url, headers, body) as answer:
                location = answer.headers.get("location")
                redirected = answer.status in _REDIRECTS and location is not None
                if not redirected or not follow or body is not None:
                    yield answer
                    return
                assert location is not None
                there = url.join(location)
            if url.target.scheme == "https" != there.target.scheme:
                raise WebError(f"it is redirected to {there.shown}, without TLS", passing=False)
            if there.origin != url.origin:
                headers = {k: v for k, v in headers.items() if k.lower() != "authorization"}
            url = there
        raise WebError(f"it is redirected more than {MAX_REDIRECTS} times", passing=False)

    @contextlib.asynccontextmanager
    async def _once(
        self, method: str, url: Url, headers: Mapping[str, str], body: Body | None
    ) -> AsyncIterator[Answer]:
        patience = min(PATIENCE, self.options.idle_timeout)
        target = url.target
        request: dict[str, Any] = {
            "headers": [
                (b"host", url.authority.encode()),
                *((name.encode(), value.encode()) for name, value in headers.items()),
            ],
            "content": body if body is None or isinstance(body, bytes) else body(),
            "extensions": {
                "timeout": {
                    "connect": self.options.connect_timeout,
                    "read": patience,
                    "write": patience,
                }
            },
        }
        where = httpcore.URL(
            scheme=target.scheme.encode(),
            host=target.host.encode(),
            port=None if target.port == PORTS[target.scheme] else target.port,
            target=url.rest.encode(),
        )
        async with contextlib.AsyncExitStack() as stack:
            with _as_web_error():
                pool = await self._pool(url)
                response = await stack.enter_async_context(pool.stream(method, where, **request))
            found: dict[str, str] = {}
            for raw_name, raw_value in response.headers:
                name, value = raw_name.decode("ascii").lower(), raw_value.decode("latin-1")
                found[name] = f"{found[name]}, {value}" if name in found else value
            yield Answer(url, response.status, found, response)

    async def _pool(self, url: Url) -> httpcore.AsyncConnectionPool:
        """Connections by the proxy that is for `url`."""
        proxy = proxies.choose(self.options, url.target)
        key = "" if proxy is None else f"{proxy.scheme}://{proxy.host}:{proxy.port}"
        if proxy is not None:
            await self._look_past(url.target)
        if key not in self._pools:
            if self._context is None:
                self._context = await asyncio.to_thread(make_context, self.options)
            self._pools[key] = httpcore.AsyncConnectionPool(
                ssl_context=self._context,
                network_backend=_Ways(self, proxy),
                proxy=_proxy(proxy, self._context) if proxy is not None else None,
                max_connections=4,
                keepalive_expiry=PATIENCE,
            )
        return self._pools[key]

    async def _look_past(self, target: NetworkTarget) -> None:
        """The proxy resolves the name. What it will find is looked at here, if it can be seen."""
        try:
            found = await self.resolve(target.host, target.port)
        except RequestRefused:
            return
        self.check(target.host, found, every=True)

    async def resolve(self, host: str, port: int) -> list[Address]:
        return await addresses.resolve(
            self.resolver, host, port, self.options.dns_timeout, visible(host)
        )

    def check(self, host: str, found: list[Address], *, every: bool = False) -> list[Address]:
        """Those that may be connected to. Raises `RequestRefused` if there is none; with `every`,
        if there is one that may not: where somebody else chooses among them."""
        kinds = [kind_of_address(_without_zone(one)) for one in found]
        if self.private is None:
            # All: a server of both kinds would open the way for what it says later.
            self.private, self._first = all(kinds), host
        if self.private and (host == self._first or _METADATA not in kinds):
            return found[: addresses.MAX_TRIED]
        public = [one for one, kind in zip(found, kinds, strict=True) if kind is None]
        if not public or (every and len(public) < len(found)):
            address, kind = next(
                pair for pair in zip(found, kinds, strict=True) if pair[1] is not None
            )
            raise self.prohibited(host, address, str(kind))
        return public[: addresses.MAX_TRIED]

    @staticmethod
    def prohibited(host: str, address: object, kind: str) -> RequestRefused:
        return RequestRefused(
            "destination-IP-prohibited",
            f"{visible(host)} leads to {address} ({kind}), where a server on the internet, or an "
            "agent, sends nobody",
        )


class _Ways(httpcore.AsyncNetworkBackend):
    """Connections for httpcore: to addresses that were checked, as the relay makes them."""

    def __init__(self, web: Web, proxy: Proxy | None) -> None:
        self._web = web
        self._proxy = proxy

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (httpcore's, here and below)
        *_: Any,
        **__: Any,
    ) -> httpcore.AsyncNetworkStream:
        web, shown = self._web, self._proxy.shown if self._proxy else visible(host)
        found = await web.resolve(host, port)
        if self._proxy is None:
            found = web.check(host, found)
        address, wire = await connect.connect(
            [str(one) for one in found], port, web.dial, timeout or PATIENCE, shown
        )
        # A public address of this machine's own: what listens there is not on the internet.
        if self._proxy is None and not web.private:
            own = wire.transport.get_extra_info("sockname")
            if own is not None and own[0] == address:
                wire.abort()
                raise web.prohibited(host, address, "this machine")
        return _Stream(wire, shown, web.options.tls_timeout)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    """A connection, as httpcore uses it."""

    def __init__(self, wire: Wire, shown: str, tls_timeout: float) -> None:
        self._wire = wire
        self._shown = shown
        self._tls_timeout = tls_timeout

    async def read(
        self,
        _max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> bytes:
        try:
            async with asyncio.timeout(timeout):
                return await self._wire.read()
        except TimeoutError:
            raise httpcore.ReadTimeout from None
        except ConnectionError as error:
            raise httpcore.ReadError(str(error)) from None

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> None:
        try:
            async with asyncio.timeout(timeout):
                self._wire.write(buffer)
                await self._wire.drain()
        except TimeoutError:
            raise httpcore.WriteTimeout from None
        except ConnectionError as error:
            raise httpcore.WriteError(str(error)) from None

    async def aclose(self) -> None:
        # At once: what was wanted has come, and nobody waits for the end of TLS.
        self._wire.abort()
        await asyncio.sleep(0)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109, ARG002  (httpcore's; ours is configured)
    ) -> httpcore.AsyncNetworkStream:
        assert server_hostname is not None
        await connect.secure(
            self._wire, ssl_context, server_hostname, self._tls_timeout, self._shown
        )
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # httpcore's way of asking whether an idle one has ended
            return self._wire.ended or self._wire.unread
        if info == "ssl_object":
            return self._wire.transport.get_extra_info("ssl_object")
        return None


@contextlib.contextmanager
def _as_web_error() -> Iterator[None]:
    try:
        yield
    except RequestRefused as error:
        raise WebError(
            str(error), passing=error.code not in _FINAL, unreached=error.code in _UNREACHED
        ) from None
    except httpcore.TimeoutException:
        raise WebError("nothing came for too long", passing=True) from None
    except httpcore.ProxyError as error:
        raise WebError(
            f"the proxy did not let it through ({visible(str(error), 80)})", passing=False
        ) from None
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError, ssl.SSLError) as error:
        why = visible(str(error), 120) or type(error).__name__
        raise WebError(f"the connection broke off ({why})", passing=True) from None


def _proxy(proxy: Proxy, context: ssl.SSLContext) -> httpcore.Proxy:
    return httpcore.Proxy(
        httpcore.URL(
            scheme=proxy.scheme.encode(), host=proxy.host.encode(), port=proxy.port, target=b"/"
        ),
        headers=proxies.authorization(proxy),
        ssl_context=context if proxy.scheme == "https" else None,
    )


def _without_zone(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        return ipaddress.IPv6Address(int(address))
    return address
