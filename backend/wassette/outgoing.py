"""The requests of one call: each is decided by the rules as they are then, and is recorded.

`wassette.egress` is heavy (TLS), and most components make no requests: it is imported when the
first door is needed.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

from .answers import Refusal
from .errors import CallError, PolicyError, RequestRefused, visible
from .policy.network import PORTS, NetworkTarget
from .workers import asks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .config import Settings
    from .egress import Door, Exchange, Relay, Route, Want

MAX_EXCHANGES = 1000
"""Requests of one call that are kept."""
MAX_REFUSALS = 100
"""Different things refused in one call that are kept."""

LATE = 1.0
"""Seconds after the end of a call within which the last records are expected."""

PATIENCE = 100
PAUSE = 0.01
"""After so many requests of a call that failed, each further one is answered only after so many
seconds: a component that tries for ever is to keep nobody else from being served."""

# The errors that have a place for words; more than a component needs is not told to it.
_EXPLAINED = frozenset({"DNS-error", "internal-error"})


def make_relay(settings: Settings) -> Relay:
    """A relay with the user's settings."""
    from .egress import Relay

    return Relay(settings.egress)


class WayOut:
    """The host's relay, started when the first worker needs a door."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turn = asyncio.Lock()
        self._relay: Relay | None = None
        self._shut: set[int] = set()
        self._open = AsyncExitStack()

    async def door(self) -> Door:
        """A door for one worker. Raises `CallError`."""
        async with self._turn:
            relay = self._relay
            if relay is None:
                relay = await self._open.enter_async_context(make_relay(self._settings))
                relay.closed_ports |= self._shut
                self._relay = relay
        try:
            return await relay.door()
        except OSError as error:
            raise CallError(
                f"makes requests, but no port could be opened for them ({error.strerror}); "
                "close some programs, or allow Wassette to listen on 127.0.0.1"
            ) from None

    def shut(self, port: int) -> None:
        """Have no request go to this port of this machine, whatever the rules say."""
        self._shut.add(port)
        if self._relay is not None:
            self._relay.closed_ports.add(port)

    async def close(self) -> None:
        await self._open.aclose()


class Requests:
    """What one call asks of the network. `route` decides, and raises `RequestRefused`."""

    def __init__(
        self,
        component_id: str,
        route: Callable[[Want, Door, Callable[[Exchange], None]], Awaitable[Route]],
    ) -> None:
        self.exchanges: list[Exchange] = []
        """At most `MAX_EXCHANGES`, in the order in which they ended."""
        self.sent = 0
        """Requests that left, as far as is known."""
        self._component_id = component_id
        self._route = route
        self._refused: dict[tuple[object, ...], Refusal] = {}
        self._failed = 0
        self._open = 0  # requests without a record yet
        self._settled = asyncio.Event()
        self._settled.set()

    @property
    def refused(self) -> tuple[Refusal, ...]:
        """What was refused, once for each server."""
        return tuple(self._refused.values())

    async def answer(self, ask: asks.Ask, door: Door) -> asks.Answer:
        """Where a request goes, or the error that the component gets for it."""
        from .egress import Want

        want = Want(ask.method, ask.scheme, ask.authority, ask.path, ask.connect_timeout)
        recorded: list[Exchange] = []

        def record(exchange: Exchange) -> None:
            recorded.append(exchange)
            self._record(exchange)

        self._open += 1
        self._settled.clear()
        try:
            route = await self._route(want, door, record)
        except RequestRefused as error:
            if not recorded:
                record(_unread(want, error))
            if not recorded[0].allowed:
                self._refuse(want, error)
            self._failed += 1
            if self._failed > PATIENCE:
                await asyncio.sleep(PAUSE)
            return asks.Refusal(error.code, str(error) if error.code in _EXPLAINED else None)
        except BaseException:
            if not recorded:
                self._one_less()
            raise
        self.sent += 1
        return asks.Destination(route.authority, route.path, route.first_byte, route.idle)

    async def settled(self) -> None:
        """Wait for the records of requests that were ended with the call."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LATE):
                await self._settled.wait()

    def _record(self, exchange: Exchange) -> None:
        if len(self.exchanges) < MAX_EXCHANGES:
            self.exchanges.append(exchange)
        self._one_less()

    def _one_less(self) -> None:
        self._open -= 1
        if not self._open:
            self._settled.set()

    def _refuse(self, want: Want, error: RequestRefused) -> None:
        refusal = _refusal(self._component_id, want, error)
        if len(self._refused) < MAX_REFUSALS:
            self._refused.setdefault((refusal.target, refusal.command), refusal)


class Held:
    """Takes the record of a request until it is clear whether it is tried again."""

    def __init__(self, record: Callable[[Exchange], None]) -> None:
        self._record = record
        self._kept: Exchange | None = None
        self._passing = False

    def __call__(self, exchange: Exchange) -> None:
        if self._passing:
            self._record(exchange)
        else:
            self._kept = exchange

    def drop(self) -> None:
        """It is tried again."""
        self._kept = None

    def pass_on(self) -> None:
        self._passing = True
        if self._kept is not None:
            self._record(self._kept)
            self._kept = None


def _unread(want: Want, error: RequestRefused) -> Exchange:
    """The record of a request that made no sense."""
    from .egress import Exchange

    url = visible(f"{want.scheme}://{want.authority}{want.path}")
    return Exchange(visible(want.method, 40), url, reason=str(error))


def _refusal(component_id: str, want: Want, error: RequestRefused) -> Refusal:
    """For people: what was wanted, why not, and what a person can do about it."""
    reason = str(error)
    try:
        target = NetworkTarget.parse(f"{want.scheme}://{want.authority}{want.path}", want.method)
    except PolicyError:
        wanted = visible(f"{want.scheme}://{want.authority}")
        return Refusal("network", wanted, reason)
    server = f"{target.scheme}://{_host_and_port(target.host, target.port, target.scheme)}"
    if not error.grantable:
        return Refusal("network", server, reason)
    host = target.host
    if error.address is not None and host != "localhost":
        host = error.address.partition("%")[0]  # its name is granted already
    # A rule without a port is about both of these.
    granted = _host_and_port(host, target.port, *PORTS)
    command = ("wassette", "permission", "grant", "network", component_id, granted)
    return Refusal("network", server, reason, command)


def _host_and_port(host: str, port: int, *schemes: str) -> str:
    host = f"[{host}]" if ":" in host else host
    return host if port in {PORTS[scheme] for scheme in schemes} else f"{host}:{port}"
