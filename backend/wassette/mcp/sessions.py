"""The clients that are connected: one object for each, in both eras of the protocol.

A session is a stream (stdio, the host's socket, SSE), or what the handshake over HTTP opened. Over
HTTP the later era has no sessions: there each request stands for itself, and is one while it runs.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from wassette.answers import Client
from wassette.errors import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcp.server.connection import Connection
    from mcp.shared.subscriptions import ServerEvent

    from wassette.host import Host

log = logging.getLogger(__name__)

MAX_SUBSCRIPTIONS = 1000
"""Resources that one session can be told about."""

_SESSION = "wassette.session"  # in a connection's state


class Bus:
    """Tells the streams that clients of the later era opened for it (`subscriptions/listen`)."""

    def __init__(self) -> None:
        self._listeners: dict[object, Callable[[ServerEvent], None]] = {}

    def tell(self, event: ServerEvent) -> None:
        for listener in list(self._listeners.values()):
            listener(event)  # puts it into the stream's own buffer

    async def publish(self, event: ServerEvent) -> None:
        """As `tell`; the SDK's form of it."""
        self.tell(event)

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        key = object()
        self._listeners[key] = listener
        return lambda: self._listeners.pop(key, None) and None


@dataclass
class Channel:
    """What requests come in by: a stream with its one session, or HTTP with none of its own."""

    transport: str
    session: ClientSession | None = None

    @property
    def is_stream(self) -> bool:
        return self.transport != "http"


@dataclass(eq=False)
class ClientSession:
    """One client."""

    client: Client
    modern: bool
    """Whether it is of the era without a handshake, which is told by streams that it opens."""
    connection: Connection | None = None
    """Where a client of the handshake era is told of changes."""
    log_level: str | None = None
    """The lowest level of messages that it asked for; None: it did not."""
    passing: bool = False
    """Whether it is one request only."""
    parked: bool = False
    """Whether a call of it still waits for a person, although the request was answered."""
    resources: set[str] = field(default_factory=set)
    """URIs of the resources that it wants to be told about."""
    _untold: dict[ServerEvent, None] = field(default_factory=dict)
    _telling: asyncio.Task[None] | None = None

    def tell(self, event: ServerEvent) -> None:
        """Have it told, when it reads. One that does not read holds up nobody, and what it was not
        told of yet is kept once, however often it happened."""
        if self.connection is None:
            return
        self._untold[event] = None
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell(self.connection))

    async def told(self, timeout: float) -> None:  # noqa: ASYNC109
        """Wait until it was told everything, if it reads."""
        if self._telling is not None:
            await asyncio.wait([self._telling], timeout=timeout)

    async def _tell(self, connection: Connection) -> None:
        while self._untold:
            event = next(iter(self._untold))
            del self._untold[event]
            try:
                await _send(connection, event)
            except Exception as error:  # noqa: BLE001  (it is gone, or going)
                log.info("%s was not told of a change: %r", self.client.name, error)
                return

    def close(self) -> None:
        if self._telling is not None:
            self._telling.cancel()


async def _send(connection: Connection, event: ServerEvent) -> None:
    match type(event).__name__:
        case "ToolsListChanged":
            await connection.send_tool_list_changed()
        case "ResourcesListChanged":
            await connection.send_resource_list_changed()
        case "PromptsListChanged":
            await connection.send_prompt_list_changed()
        case "ResourceUpdated":
            await connection.send_resource_updated(event.uri)  # type: ignore[union-attr]


class Sessions:
    """All of them; the host is told who is connected."""

    def __init__(self, host: Host, closing: Callable[[ClientSession], None]) -> None:
        """`closing` is called with each session that ends."""
        self._host = host
        self.closing = closing
        self._open: set[ClientSession] = set()

    def __iter__(self) -> Iterator[ClientSession]:
        return iter(list(self._open))

    def __len__(self) -> int:
        return len(self._open)

    def shaken(self, ctx: Any) -> ClientSession:
        """The session of a handshake that succeeded just now."""
        channel: Channel = ctx.lifespan_context
        connection = _connection(ctx)
        info = (ctx.params or {}).get("clientInfo")
        session = self._new(channel, info if isinstance(info, dict) else {}, modern=False)
        if connection.has_standalone_channel:
            session.connection = connection
        connection.state[_SESSION] = session
        connection.exit_stack.callback(self.close, session)
        return session

    def find(self, ctx: Any) -> tuple[ClientSession | None, bool]:
        """The session that a request belongs to, and whether it is over with the request.

        None before the handshake of a client that needs one.
        """
        channel: Channel = ctx.lifespan_context
        connection = _connection(ctx)
        known = connection.state.get(_SESSION)
        if known is not None:
            assert isinstance(known, ClientSession)
            return known, False
        if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            return None, False
        params = connection.client_params
        info = params.client_info.model_dump() if params is not None else {}
        if not channel.is_stream:
            session = self._new(channel, info, modern=True)
            session.passing = True
            return session, True
        if channel.session is None:
            channel.session = self._new(channel, info, modern=True)
        elif info:
            self._rename(channel.session, info)
        return channel.session, False

    def close(self, session: ClientSession) -> None:
        if session.parked and session.passing:
            return  # when the call is over
        self.closing(session)
        self._open.discard(session)
        session.close()
        self._host.disconnect(session.client, passing=session.passing)

    def _new(self, channel: Channel, info: dict[str, Any], *, modern: bool) -> ClientSession:
        client = Client(*_named(info), channel.transport, secrets.token_urlsafe(16))
        session = ClientSession(client, modern)
        self._open.add(session)
        self._host.connect(client)
        return session

    def _rename(self, session: ClientSession, info: dict[str, Any]) -> None:
        name, version = _named(info)
        if (name, version) != (session.client.name, session.client.version):
            session.client = replace(session.client, name=name, version=version)
            self._host.connect(session.client)


def _named(info: dict[str, Any]) -> tuple[str, str]:
    return (
        visible(str(info.get("name") or "unknown"), 100),
        visible(str(info.get("version") or ""), 50),
    )


def _connection(ctx: Any) -> Connection:
    # There is no public way from a session of the SDK (2.3) to its connection.
    connection: Connection = ctx.session._connection
    return connection
