"""The window in a browser, before a real host. Playwright's loop runs in this thread while its
browser is there, so nothing else may: hosts have a thread of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anyio.from_thread import start_blocking_portal

from support.window import BUILT, Pages, Running, chromium, launch_options, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from wassette.config import Settings


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if chromium() is None:
        pytest.skip("no browser is installed")
    if not BUILT.exists():
        pytest.fail("the window is not built: run `scripts/build ui`")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        one = playwright.chromium.launch(**launch_options())
        yield one
        one.close()


@pytest.fixture
def pages(browser: Browser) -> Iterator[Pages]:
    """Opens pages. The test fails if the console of one has an error or a warning."""
    one = Pages(browser)
    yield one
    one.close()
    assert one.faults == []


@pytest.fixture
def window(settings: Settings) -> Iterator[Running]:
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(running(settings, portal)) as one,
    ):
        yield one
