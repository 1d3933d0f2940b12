"""`wassette serve --http`: host and HTTP server in this process, until it is told to end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

from wassette.answers import Provisioning as Progress
from wassette.provision import State
from wassette.web.serve import HttpServer

from . import process

if TYPE_CHECKING:
    from wassette.config import Settings
    from wassette.host import Host
    from wassette.mcp.server import McpServer
    from wassette.provision import Provisioning
    from wassette.web.options import WebOptions


def serve(settings: Settings, options: WebOptions, provisioning: Provisioning | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C, which end it gracefully; a second one ends it now. The exit
    code. Bridges are served too, unless another host does already.
    """

    def http(host: Host, mcp: McpServer) -> _Announced:
        return _Announced(host, mcp, options, provisioning=lambda: _progress(provisioning))

    return process.run(settings, http=http, foreground=True, provisioning=provisioning)


class _Announced(HttpServer):
    async def __aenter__(self) -> Self:
        await super().__aenter__()
        print(_listening(self), file=sys.stderr, flush=True)
        return self


def _progress(provisioning: Provisioning | None) -> Progress:
    # What failed, and why, has paths in it: that is for the log.
    if provisioning is None or provisioning.state is State.READY:
        return Progress(True, "done")
    return Progress(False, "failed" if provisioning.state is State.FAILED else "running")


def _listening(server: HttpServer) -> str:
    paths = (("/mcp", server.options.streamable_http), ("/sse", server.options.sse))
    urls = " and ".join(f"{server.url}{path}" for path, on in paths if on)
    token = "with a token" if server.options.tokens else "without a token"
    return f"Wassette listens on {urls}, {token}. Ctrl-C ends it."
