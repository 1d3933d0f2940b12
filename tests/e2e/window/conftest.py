"""The window's tests: a real browser, a real host process, real components.

One home and one host serve all tests that use `window`: to start one for each would take minutes.
What a test changes, it changes of a component of its own (`window.copy`). `own_window` and
`empty_window` have hosts of their own, for what concerns all of a host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anyio.from_thread import start_blocking_portal

from support.cli import Cli, copy_of
from support.hosted import Hosted, Pages, hosted
from support.hosts import end_hosts
from support.window import WIDE, Window, chromium, missing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext

    from wassette.config import Settings


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    # Ended with this directory's tests: Playwright keeps an event loop in this thread, in which no
    # test that has one of its own could run.
    if why := missing():
        pytest.skip(why)
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)  # what only something that hangs exceeds
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium())
        yield found
        found.close()


@pytest.fixture(scope="package")
def template(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A home with `toolbox` (a starter) and `c-probe` loaded, to be copied."""
    from build import build

    cli = Cli(tmp_path_factory.mktemp("window-template"))
    cli.ok("component", "load", "starter:toolbox")
    cli.ok("component", "load", build("c-probe"))
    return cli


def _context(browser: Browser) -> BrowserContext:
    width, height = WIDE
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="light",
        locale="en-GB",
        permissions=["clipboard-write"],
    )
    context.set_default_timeout(30_000)
    return context


def _opened(browser: Browser, cli: Cli) -> Iterator[Window]:
    context = _context(browser)
    try:
        window = Window.open(cli, context)
        yield window
        assert window.complaints == []
    finally:
        context.close()
        end_hosts(cli.home)


@pytest.fixture(scope="package")
def _shared(
    browser: Browser, template: Cli, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Window]:
    cli = copy_of(template, tmp_path_factory.mktemp("window-shared") / "home")
    cli.env["WASSETTE_IDLE_TIMEOUT"] = "600"
    context = _context(browser)
    try:
        yield Window.open(cli, context)
    finally:
        context.close()
        end_hosts(cli.home)


@pytest.fixture
def window(_shared: Window) -> Iterator[Window]:
    """A window on a home with `toolbox` and `c-probe`, which other tests look at, too."""
    width, height = WIDE
    page = _shared.page.context.new_page()
    page.set_viewport_size({"width": width, "height": height})
    window = Window(_shared.cli, page)
    window.watch()
    page.goto(_shared.origin)
    yield window
    page.close()
    assert window.complaints == []


@pytest.fixture
def own_window(browser: Browser, template: Cli, tmp_path: Path) -> Iterator[Window]:
    """The same on a home and a host of its own."""
    yield from _opened(browser, copy_of(template, tmp_path / "home"))


@pytest.fixture
def empty_window(browser: Browser, tmp_path: Path) -> Iterator[Window]:
    """A window on a home without any component."""
    home = tmp_path / "home"
    home.mkdir()
    yield from _opened(browser, Cli(home))


@pytest.fixture
def here(settings: Settings) -> Iterator[Hosted]:
    """A host of this process with its window, for tests that reach into it."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(hosted(settings, portal)) as one,
    ):
        yield one


@pytest.fixture
def pages(browser: Browser, home: Path) -> Iterator[Pages]:
    """Opens windows of `here`."""
    one = Pages(browser, home)
    yield one
    one.close()
    assert one.complaints == []
