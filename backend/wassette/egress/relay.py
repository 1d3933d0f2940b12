"""The relay and its doors: who may come in, and where they are sent."""

from __future__ import annotations

import asyncio
import secrets as random
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from wassette.egress import addresses, connect
from wassette.egress.attempt import Attempt, Redactor
from wassette.egress.model import Exchange, Route
from wassette.egress.want import authority, read
from wassette.egress_options import EgressOptions
from wassette.errors import RequestRefused
from wassette.policy.network import decide_network

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import TracebackType

    import h11

    from wassette.egress.model import Dial, Resolver, Rules, Want
    from wassette.egress.proxies import Proxy
    from wassette.egress.pump import Pump, Sending
    from wassette.egress.scrub import Scrubber
    from wassette.egress.wire import Wire
    from wassette.policy.injection import BoundSecret
    from wassette.policy.model import Policy
    from wassette.policy.network import NetworkTarget

_HERE = "127.0.0.1"
# Seconds that a connection waits for its request, and that a request may take to say what it is.
_UNUSED = 30.0
_HEAD = 10.0
_TOKEN_BYTES = 24
# Connections at a door that have not said what they are. Anybody on this machine can open them.
_STRANGERS = 64


class Relay:
    """One for each host process. An async context manager: leaving it ends everything."""

    def __init__(
        self,
        options: EgressOptions | None = None,
        *,
        resolver: Resolver | None = None,
        dial: Dial | None = None,
    ) -> None:
        self.options = options or EgressOptions()
        self.resolver = resolver
        self.dial: Dial = dial or connect.dial
        self.in_flight = 0
        self.closed_ports: set[int] = set()
        """Ports of this machine that no rule opens: the doors', and those of the host's own
        servers, which it adds."""
        self._doors: set[Door] = set()
        self._context: ssl.SSLContext | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for door in list(self._doors):
            await door.close()

    async def door(self) -> Door:
        door = Door(self)
        await door.open()
        self._doors.add(door)
        self.closed_ports.add(door.port)
        return door

    def forget(self, door: Door) -> None:
        self._doors.discard(door)
        self.closed_ports.discard(door.port)

    def context(self) -> ssl.SSLContext:
        """For TLS; made once."""
        if self._context is None:
            from wassette.egress.tls import make_context

            self._context = make_context(self.options)
        return self._context


@dataclass(frozen=True)
class _Parked:
    """A connection that waits for the request it was made for."""

    sending: Sending
    attempt: Attempt
    secrets: tuple[BoundSecret, ...]
    """Those that go where it goes."""
    expiry: asyncio.TimerHandle


class Door:
    """Where one worker's requests come out: a port of its own, and tokens that only work there."""

    def __init__(self, relay: Relay) -> None:
        self.port = 0
        self._relay = relay
        self._resolver = relay.resolver or addresses.SystemResolver()
        self._server: asyncio.Server | None = None
        self._parked: dict[str, _Parked] = {}
        self._opening: set[asyncio.Task[str]] = set()
        self._pumps: set[Pump] = set()
        self._strangers: set[Wire] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._attempts: set[Attempt] = set()
        self._secrets: tuple[BoundSecret, ...] = ()
        self._scrubber: Scrubber | None = None
        self._redact = Redactor(())

    async def open(self) -> None:
        from wassette.egress.wire import Wire

        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
                # On Windows another program could take over the port.
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            listening.bind((_HERE, 0))
            self._server = await asyncio.get_running_loop().create_server(
                lambda: Wire(self._come), sock=listening
            )
        except BaseException:
            listening.close()
            raise
        self.port = listening.getsockname()[1]

    async def route(self, want: Want, rules: Rules, record: Callable[[Exchange], None]) -> Route:
        """A connection to where `want` says, and the way to it. Raises `RequestRefused`.

        `record` is called once for every request that could be read, when it is over.
        """
        target, query = read(want)
        self._learn(rules.secrets)
        url = f"{target.scheme}://{authority(target)}{target.path}{query}"
        exchange = Exchange(target.method, url)
        attempt = Attempt(exchange, record, self._redact, self._over)
        self._attempts.add(attempt)
        self._relay.in_flight += 1
        task = asyncio.get_running_loop().create_task(
            self._route(want, target, query, rules, attempt)
        )
        self._opening.add(task)
        try:
            token = await task
        except RequestRefused as refused:
            attempt.finish(str(refused) if exchange.allowed else None)
            raise RequestRefused(
                refused.code,
                attempt.redact(str(refused)),
                grantable=refused.grantable,
                address=refused.address,
            ) from None
        except asyncio.CancelledError:
            attempt.finish("The request was ended before it was sent")
            if not task.cancelled() and task.exception() is None:
                # Parked in the moment in which the caller gave up.
                self._drop(task.result(), "")
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            raise RequestRefused(
                "connection-terminated", "The call that made the request is over"
            ) from None
        except Exception as error:
            why = f"The request failed ({type(error).__name__})"
            attempt.finish(why)
            raise RequestRefused("internal-error", why) from error
        finally:
            self._opening.discard(task)
        return Route(
            f"{_HERE}:{self.port}",
            f"/{token}",
            self._relay.options.first_byte_timeout,
            self._relay.options.idle_timeout,
        )

    def abort(self, reason: str) -> None:
        """The call is over: nothing of it is left when this returns, but for what is being closed.

        The door stays open for the next call.
        """
        for task in list(self._opening):
            task.cancel()
        for token in list(self._parked):
            self._drop(token, reason)
        for pump in list(self._pumps):
            pump.end(reason)
        for wire in list(self._strangers):
            wire.abort()

    async def close(self) -> None:
        """`abort`, for good."""
        self._relay.forget(self)
        if self._server is not None:
            self._server.close()
        self.abort("The worker has ended")
        waiting = [*self._serving, *self._opening]
        for task in self._serving:
            task.cancel()
        if waiting:
            await asyncio.wait(waiting)
        if self._server is not None:
            await self._server.wait_closed()

    # ---- from what is wanted to a connection ---------------------------------------------------

    async def _route(
        self, want: Want, target: NetworkTarget, query: str, rules: Rules, attempt: Attempt
    ) -> str:
        policy = self._check(rules.policy, target, attempt)
        self._check_limits()
        upstream, proxy = await self._reach(policy, target, want.connect_timeout, attempt)
        try:
            bound = tuple(one for one in rules.secrets if one.injection.covers(target))
            return self._park(target, query, upstream, proxy, bound, attempt)
        except BaseException:
            upstream.abort()
            raise

    def _check(self, policy: Policy | None, target: NetworkTarget, attempt: Attempt) -> Policy:
        if policy is None:
            reason = f"no rule allows {target.method} {target.shown}"
            attempt.decided(reason, None, allowed=False)
            raise RequestRefused("HTTP-request-denied", reason, grantable=True)
        verdict = decide_network(policy, target)
        attempt.decided(verdict.reason, verdict.rule, allowed=verdict.allowed)
        if not verdict.allowed:
            # A deny rule beats every grant.
            raise RequestRefused(
                "HTTP-request-denied", verdict.reason, grantable=verdict.rule is None
            )
        return policy

    def _check_limits(self) -> None:
        options = self._relay.options
        if len(self._attempts) > options.max_requests_per_component:
            raise RequestRefused(
                "connection-limit-reached",
                f"A component has at most {options.max_requests_per_component} requests at once",
            )
        if self._relay.in_flight > options.max_requests:
            raise RequestRefused(
                "connection-limit-reached",
                f"There are at most {options.max_requests} requests at once",
            )

    async def _reach(
        self, policy: Policy, target: NetworkTarget, wish: float | None, attempt: Attempt
    ) -> tuple[Wire, Proxy | None]:
        options = self._relay.options
        proxy = None
        if options.http_proxy or options.https_proxy:
            from wassette.egress import proxies

            proxy = proxies.choose(options, target)
        patience = options.connect_timeout
        if wish is not None and 0 < wish < patience:
            patience = wish
        if proxy is None:
            wire = await self._directly(policy, target, patience, attempt)
        else:
            wire = await self._by_proxy(policy, target, proxy, patience, attempt)
        if target.scheme == "https":
            await self._secure(wire, target.host)
        return wire, proxy

    async def _directly(
        self, policy: Policy, target: NetworkTarget, patience: float, attempt: Attempt
    ) -> Wire:
        checked = await self._addresses(policy, target, attempt)
        by_text = {str(one.address): one for one in checked}
        address, wire = await connect.connect(
            list(by_text), target.port, self._relay.dial, patience, target.host
        )
        chosen = by_text[address]
        attempt.exchange.address = address
        # A public address of this machine's own: what listens there is not on the internet.
        if chosen.verdict.rule is None and wire.transport.get_extra_info("sockname")[0] == address:
            wire.abort()
            raise self._prohibited(f"{target.shown} leads to this machine ({address})", attempt)
        return wire

    async def _by_proxy(
        self,
        policy: Policy,
        target: NetworkTarget,
        proxy: Proxy,
        patience: float,
        attempt: Attempt,
    ) -> Wire:
        """The proxy resolves the name. What it will find is looked at here, if it can be seen."""
        from wassette.egress import proxies

        options = self._relay.options
        try:
            await self._addresses(policy, target, attempt, every=True)
        except RequestRefused as refused:
            if not refused.code.startswith("DNS-"):
                raise
        attempt.exchange.address = proxy.shown
        found = await addresses.resolve(
            self._resolver, proxy.host, proxy.port, options.dns_timeout, f"The {proxy.shown}"
        )
        _, wire = await connect.connect(
            [str(one) for one in found[: addresses.MAX_TRIED]],
            proxy.port,
            self._relay.dial,
            patience,
            f"The {proxy.shown}",
        )
        try:
            if proxy.scheme == "https":
                await self._secure(wire, proxy.host, f"The {proxy.shown}")
            if target.scheme == "https":
                try:
                    async with asyncio.timeout(options.connect_timeout + options.tls_timeout):
                        await proxies.tunnel(wire, proxy, authority(target, always_port=True))
                except TimeoutError:
                    raise RequestRefused(
                        "connection-timeout", f"The {proxy.shown} did not answer in time"
                    ) from None
        except BaseException:
            wire.abort()
            raise
        return wire

    async def _addresses(
        self, policy: Policy, target: NetworkTarget, attempt: Attempt, *, every: bool = False
    ) -> list[addresses.Checked]:
        patience = self._relay.options.dns_timeout
        found = await addresses.resolve(
            self._resolver, target.host, target.port, patience, target.host
        )
        try:
            checked = addresses.allowed(policy, target, found, every=every)
        except RequestRefused as refused:
            attempt.decided(str(refused), None, allowed=False)
            raise
        if target.port in self._relay.closed_ports and any(
            one.address.is_loopback or one.address.is_unspecified for one in checked
        ):
            raise self._prohibited(f"{target.shown} is Wassette itself", attempt)
        return checked

    def _prohibited(self, reason: str, attempt: Attempt) -> RequestRefused:
        attempt.decided(reason, None, allowed=False)
        return RequestRefused("destination-IP-prohibited", reason)

    async def _secure(self, wire: Wire, name: str, shown: str | None = None) -> None:
        try:
            context = self._relay.context()
        except BaseException:
            wire.abort()
            raise
        await connect.secure(wire, context, name, self._relay.options.tls_timeout, shown or name)

    def _park(
        self,
        target: NetworkTarget,
        query: str,
        upstream: Wire,
        proxy: Proxy | None,
        bound: tuple[BoundSecret, ...],
        attempt: Attempt,
    ) -> str:
        from wassette.egress import inject, proxies
        from wassette.egress.pump import Sending

        path = target.path + inject.into_query(query, bound)
        headers = [(b"Host", authority(target).encode())]
        if proxy is not None and target.scheme == "http":
            path = f"http://{authority(target)}{path}"
            headers += proxies.authorization(proxy)
        sending = Sending(
            target.method, path.encode(), headers, upstream, self._scrubber, bool(bound)
        )
        token = random.token_urlsafe(_TOKEN_BYTES)
        expiry = asyncio.get_running_loop().call_later(
            _UNUSED, self._drop, token, "The request was never sent"
        )
        self._parked[token] = _Parked(sending, attempt, bound, expiry)
        return token

    def _drop(self, token: str, why: str) -> None:
        parked = self._parked.pop(token, None)
        if parked is not None:
            parked.expiry.cancel()
            parked.sending.upstream.abort()
            parked.attempt.finish(why)

    # ---- from a connection to the exchange -----------------------------------------------------

    def _come(self, wire: Wire) -> None:
        if len(self._strangers) >= _STRANGERS:
            wire.abort()
            return
        self._strangers.add(wire)
        task = asyncio.get_running_loop().create_task(self._serve(wire))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, wire: Wire) -> None:
        from wassette.egress.heads import BadMessage
        from wassette.egress.knock import knock

        patience = asyncio.get_running_loop().call_later(_HEAD, wire.abort)
        try:
            conn, request = await knock(
                wire, f"{_HERE}:{self.port}", self._relay.options.max_header_bytes
            )
            pump = self._admit(wire, conn, request)
        except (BadMessage, ConnectionError):
            # Without a word: whatever was said could be taken for the answer of a server.
            wire.abort()
            return
        except BaseException:
            wire.abort()
            raise
        finally:
            patience.cancel()
            self._strangers.discard(wire)
        try:
            await pump.run()
        finally:
            self._pumps.discard(pump)

    def _admit(self, wire: Wire, conn: h11.Connection, request: h11.Request) -> Pump:
        """Takes the token. It is used up, also where the rest of the request is wrong."""
        from wassette.egress import heads, inject
        from wassette.egress.heads import BadMessage
        from wassette.egress.pump import Pump

        parked = self._parked.pop(request.target[1:].decode("ascii"), None)
        if parked is None:
            raise BadMessage("no such token")
        parked.expiry.cancel()
        sending = parked.sending
        try:
            method = request.method.decode("ascii").upper()
            as_post = method == "POST" and sending.method in heads.BODILESS
            if method != sending.method and not as_post:
                raise BadMessage("another method than was asked for")
            framing = heads.request_framing(request)
            limit = self._relay.options.max_request_bytes
            if framing.length is not None and framing.length > limit:
                raise BadMessage(f"over its limit of {limit} bytes")
            headers = heads.passing(request)
            if sending.scrubber is not None:
                headers = heads.identity_only(headers)
            headers = inject.into_headers(headers, parked.secrets)
            pump = Pump(
                wire,
                conn,
                framing,
                headers,
                sending,
                parked.attempt,
                self._relay.options,
                as_post=as_post,
            )
        except BaseException as error:
            sending.upstream.abort()
            why = f": {error}" if isinstance(error, BadMessage) else ""
            parked.attempt.finish(f"The request was refused at the door{why}")
            raise
        self._pumps.add(pump)
        return pump

    # ---- bookkeeping ---------------------------------------------------------------------------

    def _learn(self, secrets: tuple[BoundSecret, ...]) -> None:
        """Prepares for these secrets. A component has the same ones nearly always."""
        if secrets == self._secrets:
            return
        from wassette.egress.scrub import Scrubber

        self._scrubber = Scrubber(secrets) if secrets else None
        self._redact = Redactor(secrets)
        self._secrets = secrets

    def _over(self, attempt: Attempt) -> None:
        self._attempts.discard(attempt)
        self._relay.in_flight -= 1
