"""The window in a real browser: a host with its servers in a thread of its own, and its pages."""

from __future__ import annotations

import os
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from wassette.host import Host
from wassette.mcp.server import McpServer
from wassette.web.options import WebOptions
from wassette.web.serve import HttpServer
from wassette.window import WindowServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from concurrent.futures import Future

    from anyio.from_thread import BlockingPortal
    from playwright.sync_api import Browser, BrowserContext, Page

    from wassette.config import Settings

ROOT = Path(__file__).parents[2]
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
BUILT = ROOT / "backend" / "wassette" / "window" / "static" / "index.html"
SHOTS = ROOT / "build" / "screenshots"
"""Kept when the tests are over, for people to look at."""
PATIENCE = 60.0
"""Seconds that only a hang exceeds."""
TOKEN = "correct-horse-battery-staple"
WIDE, MIDDLE, NARROW = (1440, 900), (900, 700), (360, 740)


def chromium() -> str | None:
    return next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )


@dataclass
class Running:
    """A host with its window and its server for MCP."""

    host: Host
    window: WindowServer
    mcp: HttpServer
    portal: BlockingPortal = field(repr=False)

    @property
    def settings(self) -> Settings:
        return self.host.settings

    def link(self) -> str:
        return self.portal.call(self.window.one_time_link)

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
        from mcp_types import Implementation

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
async def running(settings: Settings, portal: BlockingPortal) -> AsyncIterator[Running]:
    async with Host(settings) as host, WindowServer(host) as window:
        server = McpServer(host)
        options = WebOptions(port=0, tokens=(TOKEN,))
        async with server.running(), HttpServer(host, server, options) as http:
            yield Running(host, window, http, portal)


def text(result: Any) -> str:
    """What a tool answered."""
    return " ".join(str(one.text) for one in result.content)


class Pages:
    """Pages of one test; what goes wrong in any of them makes it fail."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.faults: list[str] = []

    def open(
        self,
        link: str,
        path: str = "/",
        size: tuple[int, int] = WIDE,
        *,
        dark: bool = False,
        **options: Any,
    ) -> Page:
        """A browser of its own, which opens a one-time link and goes on to a page."""
        context = self._browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            **options,
        )
        context.set_default_timeout(PATIENCE * 1000)
        self._contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))
        page.on(
            "console",
            lambda said: (
                self.faults.append(f"{page.url}: {said.text}")
                if said.type in ("error", "warning")
                else None
            ),
        )
        page.goto(link)
        page.wait_for_url(f"{link.partition('/open/')[0]}/")
        if path != "/":
            page.goto(link.partition("/open/")[0] + path)
        return page

    def close(self) -> None:
        for context in self._contexts:
            context.close()


def shot(page: Page, name: str) -> None:
    """Keep a picture; nothing of a page may be wider than the page."""
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1], f"{name}: {wide[0]} px of content in {wide[1]} px"
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png")


def check_accessible(page: Page) -> None:
    """axe-core finds nothing serious."""
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
            .filter(one => ['serious', 'critical'].includes(one.impact))
            .map(one => `${one.id}: ${one.help}: `
                + one.nodes.map(node => node.target.join(' ') + ' ' + node.failureSummary).join('; '))"""
    )
    assert found == [], "\n".join(found)


def launch_options() -> dict[str, Any]:
    sandbox = [] if getattr(os, "geteuid", lambda: 1)() else ["--no-sandbox"]
    return {"executable_path": chromium(), "args": sandbox}
