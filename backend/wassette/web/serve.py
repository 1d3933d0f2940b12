"""The HTTP server, inside an event loop that is there already."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import TYPE_CHECKING, Any, ClassVar, Self

import uvicorn

from wassette.errors import ConfigError

from .guard import Ending
from .protocol import LimitedProtocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

    from wassette.answers import Provisioning
    from wassette.host import Host
    from wassette.mcp.server import McpServer

    from .options import WebOptions

log = logging.getLogger(__name__)

GRACE = 3.0
"""Seconds that calls in flight have to end when the server does; then they are ended."""
_LAST = 1.0  # seconds for the answers that say so
_BACKLOG = 128


class AppServer:
    """Use as an async context manager: it listens from entering until leaving, which ends open
    streams at once and calls in flight soon. Raises `ConfigError` when it cannot listen.

    The host belongs to the caller.
    """

    protocol: ClassVar[type[LimitedProtocol]] = LimitedProtocol

    def __init__(self, host: Host, options: WebOptions, app: ASGIApp, ending: Ending) -> None:
        self.options = options
        self._host = host
        self._app = app
        self._ending = ending
        self._port = options.port
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it listens, such as `http://127.0.0.1:9001`."""
        host = self.options.address.rpartition(":")[0]
        return f"http://{host}:{self._port}"

    def close_streams(self) -> None:
        """Answers that have no end by themselves are over."""

    def end_calls(self) -> None:
        """What runs is to end now."""

    async def __aenter__(self) -> Self:
        sockets = await asyncio.to_thread(_bind, self.options)
        self._port = sockets[0].getsockname()[1]
        self._host.serves_on(self._port)
        config = uvicorn.Config(
            self._app,
            http=self.protocol,
            ws="none",
            loop="none",
            lifespan="on",
            log_config=None,
            access_log=False,  # it would have session ids in it
            server_header=False,
            date_header=False,
            proxy_headers=False,  # nobody is believed to be somebody else
            # Streams of both transports, and as many requests beside them.
            limit_concurrency=4 * self.options.max_sessions,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets), name="http")
        started = asyncio.create_task(self._server.ready.wait())
        await asyncio.wait({self._task, started}, return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        if self._task.done():
            self._task.result()
            raise ConfigError(f"The HTTP server at {self.options.address} did not start")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        assert self._task is not None
        for listening in self._server.servers:
            listening.close()
        self._ending.begin()
        self.close_streams()
        if not await self._ending.drained(GRACE):
            self.end_calls()
            await self._ending.drained(_LAST)
        self._server.stop.set()
        await self._task


class HttpServer(AppServer):
    """That of MCP. `mcp` has to be `running`, and belongs to the caller."""

    def __init__(
        self,
        host: Host,
        mcp: McpServer,
        options: WebOptions,
        *,
        provisioning: Callable[[], Provisioning] | None = None,
    ) -> None:
        self._mcp = mcp
        mcp.knows_http_clients = bool(options.tokens)
        from .app import create_app  # the window needs nothing of it

        ending = Ending()
        app = create_app(host, mcp, options, provisioning=provisioning, ending=ending)
        super().__init__(host, options, app, ending)

    def close_streams(self) -> None:
        self._mcp.close_streams()

    def end_calls(self) -> None:
        self._mcp.end_calls()


class _Server(uvicorn.Server):
    """uvicorn's, without its handling of signals and its ten looks a second whether to end."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.stop = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        await self.on_tick(0)
        self.ready.set()
        await self.stop.wait()
        self.should_exit = True


def _bind(options: WebOptions) -> list[socket.socket]:
    """Listening sockets: all addresses of a name, or none."""
    try:
        found = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise _cannot(options, error) from None
    sockets: list[socket.socket] = []
    port = options.port
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            sock = socket.socket(family, kind, protocol)
            sockets.append(sock)
            _listen(sock, address, port)
            port = sock.getsockname()[1]  # the same for all, when any was asked for
    except OSError as error:
        for sock in sockets:
            sock.close()
        raise _cannot(options, error) from None
    return sockets


def _listen(sock: socket.socket, address: Any, port: int) -> None:
    if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows: nobody else may listen there too
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((address[0], port, *address[2:]))
    sock.listen(_BACKLOG)
    sock.setblocking(False)


def _cannot(options: WebOptions, error: OSError) -> ConfigError:
    return ConfigError(
        f"Cannot listen on {options.address}: {error.strerror or error}. "
        "Another address can be chosen with --bind-address HOST:PORT."
    )
