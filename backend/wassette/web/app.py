"""The routes, behind the guard.

/mcp      Streamable HTTP, both eras of the protocol, sessions where the era has them
/sse      the older transport: events to the client; it answers at /message
/health   the process runs
/ready    it can serve: components are readable and, with a manifest, provided
/info     what this is
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from mcp.server.sse import SseServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from wassette._version import __version__
from wassette.answers import Provisioning
from wassette.errors import WassetteError

from .guard import Ending, TokenGuard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import Receive, Scope, Send

    from wassette.host import Host
    from wassette.mcp.server import McpServer

    from .options import WebOptions

SSE_MESSAGES = "/message"


def create_app(
    host: Host,
    mcp: McpServer,
    options: WebOptions,
    *,
    provisioning: Callable[[], Provisioning] | None = None,
    ending: Ending | None = None,
) -> FastAPI:
    """The app. `mcp` has to be `running`. Can be started once: make another for another start."""
    transports = []
    server = mcp.http()
    manager = StreamableHTTPSessionManager(
        server, max_request_body_size=options.max_body, max_sessions=options.max_sessions
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with manager.run():
            yield

    app = FastAPI(
        title="Wassette",
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(TokenGuard, options=options, ending=ending or Ending())
    if options.streamable_http:
        transports.append("streamable-http")
        app.router.routes.append(Route("/mcp", endpoint=StreamableHTTPASGIApp(manager)))
    if options.sse:
        transports.append("sse")
        sse = _Sse(mcp, options)
        app.router.routes.append(Route("/sse", endpoint=sse.stream))
        app.router.routes.append(Route(SSE_MESSAGES, endpoint=sse.message))

    @app.api_route("/health", methods=["GET", "HEAD"])
    async def health() -> Response:
        return Response()

    @app.get("/ready")
    async def ready() -> Response:
        provided = provisioning() if provisioning is not None else Provisioning(True, "done")
        components = await asyncio.to_thread(_readable, host)
        is_ready = components and provided.done
        return JSONResponse(
            {
                "status": "ready" if is_ready else "not ready",
                "components": "readable" if components else "unreadable",
                "provisioning": provided.state,
            },
            status_code=200 if is_ready else 503,
        )

    @app.get("/info")
    async def info() -> dict[str, Any]:
        return {
            "name": "wassette",
            "version": __version__,
            "build_info": f"wassette-desktop {__version__}",
            "transports": transports,
        }

    return app


def _readable(host: Host) -> bool:
    try:
        host.store.ids()
    except WassetteError:
        return False
    return True


class _Sse:
    """The older transport. Objects with `__call__`, which a route takes for ASGI apps."""

    def __init__(self, mcp: McpServer, options: WebOptions) -> None:
        transport = SseServerTransport(SSE_MESSAGES, max_request_body_size=options.max_body)
        self.stream = _SseStream(mcp, transport, options.max_sessions)
        self.message = _SseMessage(transport)


class _SseStream:
    def __init__(self, mcp: McpServer, transport: SseServerTransport, most: int) -> None:
        self._mcp, self._transport, self._most = mcp, transport, most
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "GET":
            await Response(status_code=405, headers={"Allow": "GET"})(scope, receive, send)
            return
        if self._open >= self._most:
            await PlainTextResponse("Too many open sessions\n", 503)(scope, receive, send)
            return
        self._open += 1
        try:
            async with self._transport.connect_sse(scope, receive, send) as (read, write):
                await self._mcp.serve(read, write, "sse")
        finally:
            self._open -= 1


class _SseMessage:
    def __init__(self, transport: SseServerTransport) -> None:
        self._transport = transport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._transport.handle_post_message(scope, receive, send)
