"""The window itself: every page at every width, by the keyboard alone, and when things go wrong."""

from __future__ import annotations

import gzip
import json
import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from support.cli import component, described
from support.hosts import end_hosts
from support.window import NARROW, STATIC, Window, link

if TYPE_CHECKING:
    from pathlib import Path

PAGES = {
    "home": "/",
    "components": "/components",
    "component-tools": "/components/toolbox?tool=sort-lines",
    "component-permissions": "/components/c-probe?tab=permissions",
    "component-about": "/components/c-probe?tab=about",
    "component-activity": "/components/toolbox?tab=activity",
    "load": "/load",
    "approvals": "/approvals",
    "activity": "/activity",
    "clients": "/clients",
    "settings": "/settings",
    "nothing": "/there-is-no-such-page",
}

FIRST_LOAD = 150 * 1024
"""Bytes, as they are sent compressed: what Home needs."""

EVIL = "\u202eevil\u202c<img src=x onerror=alert(1)>\u200b\U000e0041 " + "שלום " + "W" * 300


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_accessible_and_fits(window: Window, name: str) -> None:
    if name == "nothing":
        window.page.goto(window.origin + PAGES[name])
        window.page.get_by_role("link", name="Go to Home").wait_for()
    else:
        window.go(PAGES[name])
    window.shoot(name)
    assert window.findings() == []
    width, height = NARROW
    window.page.set_viewport_size({"width": width, "height": height})
    assert window.overflows() == []


def test_first_load_is_small() -> None:
    """Counted from what was built: the page, what it loads at once, and what Home adds."""
    manifest = json.loads((STATIC / "manifest.json").read_text())
    wanted: set[str] = {"index.html"}

    def add(key: str) -> None:
        entry = manifest[key]
        if entry["file"] in wanted:
            return
        wanted.update([entry["file"], *entry.get("css", [])])
        for one in entry.get("imports", []):
            add(one)

    add("index.html")
    add("src/pages/home/HomePage.svelte")
    fonts = list((STATIC / "assets").glob("inter-latin-wght-normal*.woff2"))
    assert len(fonts) == 1  # what most languages of Europe need; browsers get others when wanted
    total = sum(len(gzip.compress((STATIC / name).read_bytes())) for name in wanted)
    total += fonts[0].stat().st_size
    assert total < FIRST_LOAD, total


def test_by_the_keyboard_alone(window: Window) -> None:
    page = window.go("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    # By the rail to Components, down its list, to a tool, its arguments, its result.
    page.get_by_role("link", name="Components", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Components", level=1)).to_be_visible()
    expect(page.locator(".component-line").first).to_be_visible()
    expect(page.locator("main")).to_be_focused()
    for _ in range(4):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className").startswith("component-line"):
            break
    for _ in range(60):
        if page.evaluate("document.activeElement.textContent.trim()").startswith("toolbox"):
            break
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="toolbox", level=1)).to_be_visible()
    tool = page.get_by_role("button", name=re.compile("^hash"))
    for _ in range(60):
        if tool.evaluate("(one) => one === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    text = page.get_by_label("text").first
    for _ in range(6):
        if text.evaluate("(one) => one === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.type("hello")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_label("What it answered")).to_contain_text("2cf24dba5fb0a30e")
    # A dialog keeps the keyboard, and gives it back.
    page.goto(f"{window.origin}/components/c-probe?tab=permissions")
    add = page.get_by_role("button", name="Add", exact=True).first
    add.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    for _ in range(20):
        page.keyboard.press("Tab")
        assert dialog.evaluate("(one) => one.contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(add).to_be_focused()
    # The editor can be left with Tab.
    page.get_by_role("textbox", name=re.compile("as YAML")).focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("textbox", name=re.compile("as YAML"))).not_to_be_focused()


def test_back_and_refresh_keep_the_place(window: Window) -> None:
    page = window.go("/components")
    page.get_by_role("link", name=re.compile("^toolbox")).click()
    page.get_by_role("link", name="About", exact=True).click()
    expect(page.get_by_role("region", name="Where it came from")).to_be_visible()
    page.reload()
    expect(page.get_by_role("region", name="Where it came from")).to_be_visible()
    page.get_by_role("link", name="Home", exact=True).click()
    expect(page.get_by_role("heading", name="Lately")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("region", name="Where it came from")).to_be_visible()
    page.go_back()
    expect(page).to_have_url(re.compile("/components$"))


def test_dark_follows_the_system(window: Window) -> None:
    page = window.go("/")

    def ground() -> str:
        return str(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))

    light = ground()
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert ground() != light
    page.emulate_media(color_scheme="light")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_no_motion_for_those_who_want_none(window: Window) -> None:
    page = window.go("/")
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(
        "getComputedStyle(document.documentElement).getPropertyValue('--calm').trim()"
    ) in ("0ms", "0s")


def test_what_a_component_says_of_itself_deceives_nobody(window: Window, tmp_path: Path) -> None:
    path = tmp_path / ("n" * 100 + ".wasm")
    path.write_bytes(component("add", docs=described(EVIL, add=EVIL)))
    window.cli.ok("component", "load", path)
    page = window.go("/components/" + "n" * 100)
    shown = page.locator("main").inner_text()
    assert "\\u{202e}evil\\u{202c}<img" in shown
    assert "\\u{e0041}" in shown
    assert "\u202e" not in shown
    assert page.locator("main img").count() == 0
    window.shoot("hostile")
    assert window.findings() == []
    width, height = NARROW
    page.set_viewport_size({"width": width, "height": height})
    assert window.overflows() == []
    window.expected.add(404)  # the page is still of it
    window.cli.ok("component", "unload", "n" * 100)


def test_an_id_with_dots_is_an_address(window: Window) -> None:
    own = window.copy("toolbox", "with.dots.in-it")
    page = window.go(f"/components/{own}")
    expect(page.get_by_role("heading", name=own, level=1)).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name=own, level=1)).to_be_visible()


def test_the_host_ends_and_comes_back(own_window: Window) -> None:
    window = own_window
    page = window.go("/components")
    end_hosts(window.cli.home)
    expect(page.get_by_text("Reconnecting")).to_be_visible()
    expect(
        page.get_by_role("link", name=re.compile("^toolbox"))
    ).to_be_visible()  # what was there stays
    # Another host has another port: this window is of the old one.
    window.complaints.clear()
    page.goto(link(window.cli))
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    window.complaints.clear()


def test_without_the_cookie_there_is_nothing_but_the_way_in(window: Window) -> None:
    window.expected.add(401)
    browser = window.page.context.browser
    assert browser
    context = browser.new_context()
    stranger = context.new_page()
    stranger.goto(window.origin + "/components")
    expect(stranger.get_by_role("heading", name="This window is not signed in")).to_be_visible()
    expect(stranger.get_by_text("wassette ui")).to_be_visible()
    assert stranger.get_by_text("toolbox").count() == 0
    context.close()
