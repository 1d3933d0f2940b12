"""The window on a host of this process, which a test can reach into while a page is open.

The host has a thread of its own, since Playwright has its loop in the test's.
"""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp_types import Implementation

from support.cli import Cli
from support.window import ARTEFACTS, WIDE, Window
from wassette.host import Host
from wassette.mcp.server import McpServer
from wassette.web.options import WebOptions
from wassette.web.serve import HttpServer
from wassette.window import WindowServer
from wassette.window.offered import NOTHING, Offered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from concurrent.futures import Future
    from pathlib import Path

    from anyio.from_thread import BlockingPortal
    from playwright.sync_api import Browser, BrowserContext, Page

    from wassette.config import Settings

PATIENCE = 60.0
"""Seconds that only a hang exceeds."""
TOKEN = "correct-horse-battery-staple"


@dataclass
class Hosted:
    """A host with its window and its server for MCP."""

    host: Host
    window: WindowServer
    mcp: HttpServer
    portal: BlockingPortal = field(repr=False)

    @property
    def settings(self) -> Settings:
        return self.host.settings

    def load(self, component: Path) -> None:
        self.portal.call(self.host.load, str(component))

    def policy(self, component_id: str) -> str:
        """What is in its policy file; nothing if there is none."""
        file = self.settings.component_dir / f"{component_id}.policy.yaml"
        return file.read_text() if file.exists() else ""

    def agent(self, tool: str, arguments: dict[str, Any], name: str = "Claude Code") -> Future[Any]:
        """An agent's call, with the official client over HTTP: runs while the test goes on."""
        return self.portal.start_task_soon(self._call, tool, arguments, name)

    async def _call(self, tool: str, arguments: dict[str, Any], name: str) -> Any:
        async with (
            create_mcp_http_client({"Authorization": f"Bearer {TOKEN}"}) as http,
            Client(
                streamable_http_client(f"{self.mcp.url}/mcp", http_client=http),
                mode="legacy",
                client_info=Implementation(name=name, version="2.1"),
            ) as client,
        ):
            return await client.call_tool(tool, arguments)


@asynccontextmanager
async def hosted(
    settings: Settings, portal: BlockingPortal, offered: Offered = NOTHING
) -> AsyncIterator[Hosted]:
    async with Host(settings) as host, WindowServer(host, offered) as window:
        server = McpServer(host)
        options = WebOptions(port=0, tokens=(TOKEN,))
        async with server.running(), HttpServer(host, server, options) as http:
            yield Hosted(host, window, http, portal)


def text(result: Any) -> str:
    """What a tool answered."""
    return " ".join(str(one.text) for one in result.content)


class Pages:
    """Windows of one test; what their consoles say against them makes it fail."""

    def __init__(self, browser: Browser, home: Path) -> None:
        self._browser, self._home = browser, home
        self._contexts: list[BrowserContext] = []
        self.windows: list[Window] = []

    def open(
        self,
        here: Hosted,
        path: str = "/",
        size: tuple[int, int] = WIDE,
        *,
        expected: tuple[int, ...] = (),
        **options: Any,
    ) -> Page:
        """A browser of its own, that opens a one-time link, which leads to Home, and goes on to a
        page. `expected`: HTTP statuses that the test provokes on the way."""
        context = self._browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            reduced_motion="reduce",
            locale="en-GB",
            **options,
        )
        context.set_default_timeout(PATIENCE * 1000)
        self._contexts.append(context)
        window = Window(Cli(self._home), context.new_page(), expected={*expected})
        self.windows.append(window)
        window.watch()
        window.page.goto(here.portal.call(here.window.one_time_link))
        window.page.wait_for_url(re.compile(r"/$"))
        if path != "/":
            window.page.goto(window.origin + path)
            window.page.get_by_role("heading", level=1).first.wait_for()
        return window.page

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    @property
    def complaints(self) -> list[str]:
        return [one for window in self.windows for one in window.complaints]

    def of(self, page: Page) -> Window:
        return next(one for one in self.windows if one.page is page)


def shoot(page: Page, name: str) -> None:
    """Keep a picture of a page as it is; nothing of it may be wider than the page."""
    wide, seen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= seen, f"{name}: {wide} px of content in {seen} px"
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png", animations="disabled")
