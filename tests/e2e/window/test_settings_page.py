"""Settings in the window: what is changed there is in config.toml, and nothing else is."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest
from anyio.from_thread import start_blocking_portal
from playwright.sync_api import expect

from support.cli import Cli
from support.hosted import hosted, shoot
from support.window import NARROW, Window
from wassette.config import config_file
from wassette.window.offered import Offered
from wassette_desktop.autostart import XdgAutostart

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from support.hosted import Hosted, Pages
    from wassette.config import Settings

TALL = (1440, 2400)
"""All of the page."""
BEFORE = """# mine
approval_timeout = 120  # two minutes

[environment_vars]
KEY = "value"
"""


def test_what_is_set_is_written(here: Hosted, pages: Pages) -> None:
    file = config_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(BEFORE)
    page = pages.open(here, "/settings")
    expect(page.get_by_label("Wait for me")).to_have_value("120")
    expect(page.get_by_text("which is 2 minutes")).to_be_visible()
    expect(page.get_by_text("A variable sets this").first).to_be_visible()  # the idle timeout
    assert pages.of(page).findings() == []
    shoot(page, "settings")
    page.get_by_role("radio", name="Deny, and do not ask").check()
    expect(page.get_by_label("What was done")).to_contain_text("Saved")
    page.get_by_label("Wait for me").fill("soon")
    expect(page.get_by_text("Write a number of seconds.")).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    page.get_by_label("Wait for me").fill("600")
    page.get_by_label("Wait for me").press("Enter")
    expect(page.get_by_text("which is 10 minutes")).to_be_visible()
    expect(page.get_by_role("button", name="Save", exact=True)).to_have_count(0)
    said = tomllib.loads(file.read_text())
    assert (said["approvals"], said["approval_timeout"]) == ("deny", 600)
    assert said["environment_vars"] == {"KEY": "value"}
    assert "# mine" in file.read_text()
    page.reload()
    expect(page.get_by_role("radio", name="Deny, and do not ask")).to_be_checked()
    page.get_by_role("radio", name="Ask me").check()
    expect(page.get_by_role("radio", name="Ask me")).to_be_checked()
    page.get_by_role("button", name="Undo").last.click()
    expect(page.get_by_role("radio", name="Deny, and do not ask")).to_be_checked()
    assert tomllib.loads(file.read_text())["approvals"] == "deny"


def test_how_much_of_the_record_is_kept(here: Hosted, pages: Pages) -> None:
    file = config_file()
    page = pages.open(here, "/settings", TALL)
    days = page.get_by_label("Keep activity for")
    expect(days).to_have_value("30")
    expect(page.get_by_label("And no more of it than")).to_have_value("200")
    days.fill("0")
    expect(page.get_by_text("Between 1 and 3,650 days.")).to_be_visible()
    # By keyboard: Tab goes to the button that has come.
    days.fill("7")
    days.press("Tab")
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("What was done")).to_contain_text("Saved")
    assert tomllib.loads(file.read_text()) == {"activity_days": 7}
    expect(page.get_by_text("In force from the next start on.")).to_have_count(0)
    page.get_by_role("button", name="Undo").last.click()
    expect(days).to_have_value("30")
    assert tomllib.loads(file.read_text()) == {"activity_days": 30}
    assert pages.of(page).findings() == []
    shoot(page, "settings-kept")


@pytest.fixture
def in_the_app(settings: Settings, home: Path) -> Iterator[Hosted]:
    """As in the desktop app, with what it has for Linux."""
    autostart = XdgAutostart(home / "config")
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(hosted(settings, portal, Offered(autostart))) as one,
    ):
        yield one


def test_start_at_login(in_the_app: Hosted, pages: Pages, home: Path) -> None:
    entry = home / "config" / "autostart" / "wassette.desktop"
    page = pages.open(in_the_app, "/settings", TALL)
    switch = page.get_by_role("switch", name="Start at login")
    expect(switch).not_to_be_checked()
    switch.focus()
    page.keyboard.press("Space")
    expect(switch).to_be_checked()
    expect(page.get_by_label("What was done")).to_contain_text("starts when you log in")
    assert "desktop" in entry.read_text()
    assert pages.of(page).findings() == []
    shoot(page, "settings-in-the-app")
    page.get_by_role("button", name="Undo").last.click()
    expect(switch).not_to_be_checked()
    assert not entry.exists()
    # What was done elsewhere, such as in the tray's menu, is seen when the person comes back.
    page.get_by_label("Keep activity for").fill("12")
    XdgAutostart(home / "config").set(True)
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(switch).to_be_checked()
    expect(page.get_by_label("Keep activity for")).to_have_value("12")  # what is not saved yet
    entry.unlink()
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(switch).not_to_be_checked()
    # What cannot be written is said, and the switch is where it was.
    entry.parent.rmdir()
    entry.parent.write_text("a file")
    pages.of(page).expected.add(422)
    switch.click(force=True)
    expect(page.get_by_role("alert").first).to_contain_text("wassette.desktop could not be changed")
    expect(switch).not_to_be_checked()


def test_without_the_app_it_says_where_it_is_set(here: Hosted, pages: Pages) -> None:
    page = pages.open(here, "/settings", NARROW)
    expect(page.get_by_text("and this host is not in it")).to_be_visible()
    expect(page.get_by_role("switch", name="Start at login")).to_have_count(0)


@pytest.fixture
def served(home: Path) -> Iterator[str]:
    """`wassette serve --http` in a process, without a token; its address."""
    command = Cli(home).command("serve", "--http", "--bind-address", "127.0.0.1:0")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stderr is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
        assert found
        yield found[0]
        process.terminate()


def test_tokens_for_http(served: str, browser: Browser, home: Path) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 2400}, reduced_motion="reduce")
    window = Window.open(Cli(home), context)
    page = window.go("/settings")
    card = page.get_by_role("region", name="Tokens for HTTP")
    expect(card).to_contain_text("None. Every program on this machine can call the tools")
    expect(card).to_contain_text(f"{served}, without a token")
    expect(card).not_to_contain_text("That is not what is set")
    make = card.get_by_role("button", name="Make a token")
    make.focus()
    page.keyboard.press("Enter")
    file = home / "config" / "wassette" / "tokens"
    expect(card).to_contain_text("1 token, by token_file in")
    expect(card).to_contain_text("That is not what is set")
    token = file.read_text().split()[-1]
    assert len(token) > 40
    assert window.findings() == []
    for scheme, width in (("light", 1440), ("dark", 1440), ("light", 360), ("dark", 360)):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.set_viewport_size({"width": width, "height": 3000})
        assert window.overflows() == []
        shoot(page, f"settings-all-{scheme}-{width}")
    page.set_viewport_size({"width": 1440, "height": 2400})
    card.get_by_role("button", name="Replace it").click()
    sure = page.get_by_role("alertdialog").or_(page.get_by_role("dialog"))
    expect(sure).to_contain_text("are refused")
    assert window.findings() == []
    page.keyboard.press("Escape")
    assert file.read_text().split()[-1] == token
    card.get_by_role("button", name="Replace it").click()
    sure.get_by_role("button", name="Replace it").click()
    expect(page.get_by_label("What was done").last).to_contain_text("A new token is in its file")
    another = file.read_text().split()[-1]
    assert another != token
    assert token not in page.content()
    assert another not in page.content()
    assert window.complaints == []
    context.close()


def test_a_file_with_a_mistake_is_left_alone(here: Hosted, pages: Pages) -> None:
    file = config_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    page = pages.open(here, "/settings")
    pages.of(page).expected |= {400, 409, 422, 500}
    expect(page.get_by_role("radio", name="Ask me")).to_be_checked()
    file.write_text("approvals = \n")
    page.get_by_role("radio", name="Deny, and do not ask").click()
    expect(page.get_by_role("alert").first).to_contain_text("config.toml")
    assert file.read_text() == "approvals = \n"
    again = page.get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    file.write_text("")
    again.click()
    expect(page.get_by_role("radio", name="Ask me")).to_be_checked()


def test_about(here: Hosted, pages: Pages) -> None:
    page = pages.open(here, "/settings?tab=about")
    expect(page.get_by_role("heading", name="Versions")).to_be_visible()
    expect(page.get_by_role("heading", name="Walls around components")).to_be_visible()
    assert pages.of(page).findings() == []
    page.get_by_text("packages, and their licences").click()
    expect(page.locator(".licences").get_by_text("fastapi", exact=False).first).to_be_visible()
    shoot(page, "about")


def test_light_dark_and_narrow(here: Hosted, pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    page = pages.open(here, "/settings", NARROW)
    page.get_by_role("radio", name="Dark").check()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    shoot(page, "settings-narrow-dark")
