"""Which proxy a request goes by, and how."""

from __future__ import annotations

import base64
import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

import h11

from wassette.errors import RequestRefused

if TYPE_CHECKING:
    from wassette.egress.wire import Wire
    from wassette.egress_options import EgressOptions
    from wassette.policy.network import NetworkTarget

_PORTS = {"http": 80, "https": 443}
_MAX_ANSWER = 16 * 1024


@dataclass(frozen=True)
class Proxy:
    scheme: str
    host: str
    port: int
    authorization: bytes | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"proxy {host}:{self.port}"


def choose(options: EgressOptions, target: NetworkTarget) -> Proxy | None:
    """None: directly. `RequestRefused` if the proxy is none that we can use.

    This machine is never reached by a proxy: `localhost` would be the proxy's own.
    """
    text = options.https_proxy if target.scheme == "https" else options.http_proxy
    if text is None:
        return None
    address = target.address
    if target.host == "localhost" or (address is not None and address.is_loopback):
        return None
    if any(_excepts(entry, target) for entry in options.no_proxy):
        return None
    return _parse(text, f"{target.scheme}_proxy")


def authorization(proxy: Proxy) -> list[tuple[bytes, bytes]]:
    return [(b"Proxy-Authorization", proxy.authorization)] if proxy.authorization else []


async def tunnel(wire: Wire, proxy: Proxy, authority: str) -> None:
    """Asks for a way through to `authority`; then the wire is as if it led there."""
    conn = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_ANSWER)
    request = h11.Request(
        method=b"CONNECT",
        target=authority.encode(),
        headers=[(b"Host", authority.encode()), *authorization(proxy)],
    )
    try:
        wire.write(conn.send(request) + conn.send(h11.EndOfMessage()))
        while (event := conn.next_event()) is h11.NEED_DATA or isinstance(
            event, h11.InformationalResponse
        ):
            if event is h11.NEED_DATA:
                conn.receive_data(await wire.read())
    except (h11.ProtocolError, ConnectionError):
        raise RequestRefused(
            "destination-unavailable", f"The {proxy.shown} gave no valid answer"
        ) from None
    status = event.status_code if isinstance(event, h11.Response) else 0
    if not 200 <= status < 300:
        raise _not_let_through(proxy, status)
    if conn.trailing_data[0]:
        raise RequestRefused("destination-unavailable", f"The {proxy.shown} spoke out of turn")


def _not_let_through(proxy: Proxy, status: int) -> RequestRefused:
    if status == 407:
        return RequestRefused(
            "configuration-error",
            f"The {proxy.shown} wants other credentials; see [network] in config.toml",
        )
    code = "connection-timeout" if status == 504 else "destination-unavailable"
    return RequestRefused(code, f"The {proxy.shown} did not let the request through ({status})")


def _parse(text: str, setting: str) -> Proxy:
    """Errors name the setting, never what is in it: there may be a password."""
    scheme, separator, _ = text.partition("://")
    if not separator:
        scheme, text = "http", f"http://{text}"
    if scheme.lower() not in _PORTS:
        kind = "a SOCKS proxy" if scheme.lower().startswith("socks") else "no HTTP proxy"
        raise RequestRefused(
            "configuration-error",
            f"{setting} names {kind}; only http:// and https:// proxies can be used",
        )
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not host.isascii() or parts.path not in ("", "/") or parts.query:
        raise RequestRefused(
            "configuration-error", f"{setting} should be a URL like http://proxy:3128"
        )
    credentials = None
    if parts.username is not None:
        pair = unquote_to_bytes(parts.username) + b":" + unquote_to_bytes(parts.password or "")
        credentials = b"Basic " + base64.b64encode(pair)
    return Proxy(parts.scheme, host, port or _PORTS[parts.scheme], credentials)


def _excepts(entry: str, target: NetworkTarget) -> bool:
    """`*`; `host` and what is below it; `.host`, `*.host`; each with `:port`; addresses, ranges."""
    entry = entry.lower()
    if entry == "*":
        return True
    address = target.address
    try:
        network = ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass
    else:
        return address is not None and address.version == network.version and address in network
    host, colon, port = entry.rpartition(":")
    if colon and port.isdigit():
        if int(port) != target.port:
            return False
        entry = host
    if address is not None:
        return entry.strip("[]") == target.host
    name = entry.removeprefix("*").strip(".")
    return bool(name) and (target.host == name or target.host.endswith(f".{name}"))
