"""The window's server, in an event loop that is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from wassette.web.guard import Ending
from wassette.web.options import WebOptions
from wassette.web.serve import AppServer

from .app import create_app
from .guard import OPEN, WindowGuard
from .offered import NOTHING, Offered
from .peer import OwnProtocol
from .state import Window

if TYPE_CHECKING:
    from wassette.host import Host


class WindowServer(AppServer):
    """Use as an async context manager. It listens on loopback, on a port that is free."""

    protocol = OwnProtocol

    def __init__(self, host: Host, offered: Offered = NOTHING) -> None:
        ending = Ending()
        self.window = Window(host, offered)
        options = WebOptions(port=0)
        # Around all of it: what the framework answers by itself passes it, too.
        app = WindowGuard(create_app(self.window), options, ending, self.window.auth)
        super().__init__(host, options, app, ending)

    def one_time_link(self) -> str:
        """Opens the window in one browser, once, within a minute. It is a secret until then."""
        return f"{self.url}{OPEN}{self.window.auth.new_link()}"

    @property
    def wanted(self) -> bool:
        """Whether a window is open, was a moment ago, or is about to be."""
        return self.window.wanted

    def close_streams(self) -> None:
        self.window.events.end_streams()

    def end_calls(self) -> None:
        self.window.calls.end()

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await super().__aexit__(*exc)
        await self.window.close()
