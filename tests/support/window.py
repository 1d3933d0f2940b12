"""The window in a real browser, on a real host: opening it, looking at it, and watching it."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wassette.components.record import ComponentRecord
from wassette.components.store import ComponentStore

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Page

    from support.cli import Cli

ROOT = Path(__file__).parents[2]
ARTEFACTS = Path(os.environ.get("WASSETTE_ARTEFACTS") or ROOT / "tests" / "artefacts")
"""Where screenshots of every page go, to be looked at."""
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
STATIC = ROOT / "backend" / "wassette" / "window" / "static"

WIDE, MIDDLE, NARROW = (1440, 900), (900, 800), (360, 760)
LOOKS = (("light", WIDE), ("dark", WIDE), ("light", MIDDLE), ("light", NARROW), ("dark", NARROW))


def chromium() -> str | None:
    """A browser of this machine: the tests bring none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    return None


def missing() -> str | None:
    """What the tests of the window lack here, if anything."""
    if chromium() is None:
        return "there is no Chromium on this machine"
    if not (STATIC / "index.html").is_file():
        return "the window is not built; run scripts/build ui"
    if not AXE.is_file():
        return "axe-core is not installed; run npm install in frontend"
    return None


def link(cli: Cli) -> str:
    """A one-time link, as a person gets it."""
    done = cli("ui", "--no-browser")
    found = re.search(r"http://127\.0\.0\.1:\d+/open/[\w-]+", done.out)
    assert found, done
    return found[0]


@cache
def _axe() -> str:
    return AXE.read_text()


@dataclass
class Window:
    """One open window. What its console complains of is kept, for the fixture to look at."""

    cli: Cli
    page: Page
    complaints: list[str] = field(default_factory=list)
    expected: set[int] = field(default_factory=set)
    """HTTP statuses that a test provokes: the browser notes each in the console."""

    @classmethod
    def open(cls, cli: Cli, context: BrowserContext) -> Window:
        """Signed in, at Home."""
        window = cls(cli, context.new_page())
        window.watch()
        window.page.goto(link(cli))
        window.page.wait_for_url(re.compile(r"/$"))
        window.page.get_by_role("navigation", name="Main").wait_for()
        return window

    def watch(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))

    @property
    def origin(self) -> str:
        found = re.match(r"https?://[^/]+", self.page.url)
        assert found
        return found[0]

    def go(self, path: str) -> Page:
        """To an address, and until it has nothing more to fetch for the moment."""
        self.page.goto(self.origin + path)
        self.page.get_by_role("heading", level=1).first.wait_for()
        self.settled()
        return self.page

    def settled(self) -> None:
        """Until nothing is shown as being fetched."""
        from playwright.sync_api import expect

        expect(self.page.locator(".loading")).to_have_count(0, timeout=30_000)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        status = re.search(r"status of (\d{3})", message.text)
        if status and int(status[1]) in self.expected:
            return
        where = message.location.get("url", "")
        self.complaints.append(f"{message.type}: {message.text} ({where})")

    def copy(self, component_id: str, copy_id: str) -> str:
        """A component of a test's own, which it may change: `component_id` under another id."""
        store = ComponentStore(self.cli.components)
        record = store.get(component_id)
        assert isinstance(record, ComponentRecord)
        incoming = store.incoming()
        shutil.copyfile(store.path(component_id), incoming)
        store.commit(incoming, replace(record, id=copy_id))
        return copy_id

    # -- looking ---------------------------------------------------------------------------------

    def shoot(self, name: str) -> None:
        """The page as it is, light and dark, wide and narrow."""
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        before = self.page.viewport_size
        for scheme, (width, height) in LOOKS:
            self._look(scheme)
            self.page.set_viewport_size({"width": width, "height": height})
            self.page.screenshot(
                path=ARTEFACTS / f"{name}-{scheme}-{width}.png", animations="disabled"
            )
        self.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
        if before:
            self.page.set_viewport_size(before)

    def _look(self, scheme: str) -> None:
        """Light or dark, and all of it: nothing is on its way from one to the other."""
        dark = scheme == "dark"
        self.page.emulate_media(color_scheme="dark" if dark else "light", reduced_motion="reduce")
        self.page.locator(f"html[data-theme={scheme}]").wait_for(state="attached")
        self.page.evaluate(
            "new Promise((then) => requestAnimationFrame(() => setTimeout(then, 20)))"
        )

    def findings(self) -> list[str]:
        """What axe-core finds that is serious or worse, light and dark. Empty is good."""
        found = []
        # Through the debugger, which the page's content security policy does not concern.
        self.page.evaluate(_axe())
        for scheme in ("light", "dark"):
            self._look(scheme)
            result: dict[str, Any] = self.page.evaluate(
                "axe.run(document, {resultTypes: ['violations']})"
            )
            found += [
                f"{scheme}: {one['id']}: {one['help']}: "
                + json.dumps([node["html"][:160] for node in one["nodes"][:3]])
                for one in result["violations"]
                if one["impact"] in ("serious", "critical")
            ]
        self.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
        return found

    def overflows(self) -> list[str]:
        """What reaches beyond the right edge of the screen, and cannot be scrolled into it."""
        return list(
            self.page.evaluate(
                """() => [...document.querySelectorAll('body *')]
                .filter(e => e.checkVisibility())
                .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
                .filter(e => {
                  for (let p = e.parentElement; p; p = p.parentElement) {
                    const s = getComputedStyle(p)
                    if (s.overflowX !== 'visible' || s.clipPath !== 'none') return false
                  }
                  return getComputedStyle(e).clipPath === 'none'
                })
                .map(e => e.outerHTML.slice(0, 120))"""
            )
        )

    def drop(self, selector: str, path: Path) -> None:
        """Drag a file onto something: the events of it, as there is no desktop to drag from."""
        import base64

        transfer = self.page.evaluate_handle(
            """([name, text]) => {
              const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
              const transfer = new DataTransfer()
              transfer.items.add(new File([bytes], name, {type: 'application/wasm'}))
              return transfer
            }""",
            [path.name, base64.b64encode(path.read_bytes()).decode()],
        )
        for event in ("dragenter", "dragover", "drop"):
            self.page.dispatch_event(selector, event, {"dataTransfer": transfer})
        transfer.dispose()
