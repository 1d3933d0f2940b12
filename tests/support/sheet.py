"""The question in the window, and a call that waits for it."""

from __future__ import annotations

from concurrent.futures import TimeoutError as NotYet
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Locator, Page, expect

if TYPE_CHECKING:
    from concurrent.futures import Future

    from support.asking import Web


def fetch(site: Web, path: str = "/a") -> dict[str, Any]:
    """The arguments of `request` of the component `c-http`."""
    return {"method": "GET", "url": f"{site.url}{path}", "headers": [], "body": ""}


def sheet(page: Page) -> Locator:
    return page.get_by_role("dialog")


def armed(page: Page, name: str) -> Locator:
    """A button of the question that is shown, once it listens."""
    button = page.locator(f'button:has-text("{name}")[aria-disabled="false"]')
    expect(button).to_be_visible()
    return button


def waits(call: Future[Any]) -> None:
    """It goes on waiting. It could not have come this far if it did not: it would be over."""
    with pytest.raises(NotYet):
        call.result(0.3)
