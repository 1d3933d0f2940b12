"""Registering Wassette with clients from the page: what is shown is what is written."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from support.hosted import PATIENCE, shoot
from support.registering import clients_in, installed
from support.window import NARROW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from support.hosted import Hosted, Pages

BEFORE = b"""{
  // mine
  "mcpServers": {
    "other": { "command": "other-server", "args": ["--name", "e\\u0301t\\u00e9"] },
  },
}
"""


@pytest.fixture
def cursor(home: Path) -> Path:
    """Cursor's settings; Cursor and Zed are installed."""
    machine = clients_in(home, environment={"XDG_CONFIG_HOME": str(home / "config")})
    file = installed(machine, "cursor", BEFORE)
    installed(machine, "zed", b'{ "theme": "One" "font": 1 }')
    return file


def shown(page: Page) -> str:
    """The diff that is before the person, as text."""
    text: str = page.locator(".diff pre").evaluate(
        "pre => [...pre.children].map(line => line.textContent + '\\n').join('')"
    )
    return text


def row(page: Page, name: str):  # type: ignore[no-untyped-def]
    return page.get_by_role("listitem").filter(has_text=re.compile(f"^\\s*..\\s*{name}"))


def made(file: Path, before: bytes, after: bytes) -> str:
    """What became of a file, by another hand than ours."""
    lines = difflib.unified_diff(
        before.decode().splitlines(keepends=True),
        after.decode().splitlines(keepends=True),
        str(file),
        str(file),
    )
    return "".join(lines)


def test_registered_and_undone(here: Hosted, pages: Pages, cursor: Path) -> None:
    page = pages.open(here, "/clients")
    expect(row(page, "Cursor")).to_contain_text("Not registered")
    # What cannot be read is left alone, and says why.
    expect(row(page, "Zed")).to_contain_text("Not readable")
    assert pages.of(page).findings() == []
    shoot(page, "clients")
    page.get_by_role("button", name="Register Cursor").click()
    dialog = page.get_by_role("dialog", name="Register with Cursor")
    expect(dialog).to_contain_text(str(cursor))
    expect(page.locator(".diff")).to_be_visible()
    preview = shown(page)
    assert pages.of(page).findings() == []
    shoot(page, "clients-diff")
    assert cursor.read_bytes() == BEFORE
    dialog.get_by_role("button", name="Write this").click()
    expect(page.get_by_label("What was done")).to_contain_text("Wassette is registered with Cursor")
    expect(row(page, "Cursor")).to_contain_text("Registered")
    after = cursor.read_bytes()
    assert preview == made(cursor, BEFORE, after)
    assert b"wassette" in after
    assert b"// mine" in after
    # Undo, from the line that said what happened; it shows what it will do, too.
    page.get_by_label("What was done").get_by_role("button", name="Undo").click()
    dialog = page.get_by_role("dialog", name="Undo the last change of Cursor")
    expect(page.locator(".diff")).to_be_visible()
    assert shown(page) == made(cursor, after, BEFORE)
    dialog.get_by_role("button", name="Change it back").click()
    expect(row(page, "Cursor")).to_contain_text("Not registered")
    assert cursor.read_bytes() == BEFORE


def test_removed(here: Hosted, pages: Pages, cursor: Path) -> None:
    page = pages.open(here, "/clients")
    page.get_by_role("button", name="Register Cursor").click()
    page.get_by_role("button", name="Write this").click()
    page.get_by_role("button", name="Remove Cursor").click()
    page.get_by_role("dialog", name="Remove from Cursor").get_by_role(
        "button", name="Write this"
    ).click()
    expect(row(page, "Cursor")).to_contain_text("Not registered")
    assert cursor.read_bytes() == BEFORE


def test_the_client_wrote_meanwhile(here: Hosted, pages: Pages, cursor: Path) -> None:
    """Nothing is written that was not shown: the change is shown anew."""
    page = pages.open(here, "/clients")
    pages.of(page).expected.add(409)
    page.get_by_role("button", name="Register Cursor").click()
    expect(page.locator(".diff")).to_be_visible()
    theirs = BEFORE.replace(b"other-server", b"new-server")
    cursor.write_bytes(theirs)
    page.get_by_role("button", name="Write this").click()
    expect(page.get_by_text("The file has changed meanwhile")).to_be_visible()
    expect(page.locator(".diff")).to_contain_text("new-server")
    assert cursor.read_bytes() == theirs
    preview = shown(page)
    page.get_by_role("button", name="Write this").click()
    expect(row(page, "Cursor")).to_contain_text("Registered")
    assert preview == made(cursor, theirs, cursor.read_bytes())


def test_looking_changes_nothing(here: Hosted, pages: Pages, cursor: Path) -> None:
    page = pages.open(here, "/clients/cursor?do=add", NARROW)
    expect(page.locator(".diff")).to_be_visible()
    shoot(page, "clients-diff-narrow")
    page.get_by_role("button", name="Cancel").click()
    expect(page).to_have_url(re.compile("/clients$"))
    assert cursor.read_bytes() == BEFORE
    shoot(page, "clients-narrow")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Register Cursor").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert cursor.read_bytes() == BEFORE


def test_connected_now_and_before(
    here: Hosted, pages: Pages, fixture_component: Callable[[str], Path], home: Path
) -> None:
    """A client that calls is connected while it does, and was afterwards."""
    (home / ".claude.json").write_text("{}")
    (home / ".claude").mkdir(exist_ok=True)
    here.load(fixture_component("c-probe"))
    page = pages.open(here, "/clients")
    expect(
        page.get_by_text("No client was found on this machine").or_(row(page, "Claude Code")).first
    ).to_be_visible()
    call = here.agent("sleep", {"seconds": 3.0}, name="claude-code")
    expect(row(page, "Claude Code")).to_contain_text("Connected now")
    other = here.agent("sleep", {"seconds": 2.0}, name="my\u202eagent\u200b")
    expect(page.get_by_text("Others that are connected now")).to_be_visible()
    expect(page.get_by_text("“my\\u{202e}agent\\u{200b}”")).to_be_visible()
    call.result(PATIENCE)
    other.result(PATIENCE)
    expect(row(page, "Claude Code")).to_contain_text("Last connected just now")


def test_none_is_installed(here: Hosted, pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    page = pages.open(here, "/clients")
    expect(page.get_by_text("No client was found on this machine")).to_be_visible()
    shoot(page, "clients-none")
    page.get_by_text("more that are not installed here").click()
    expect(row(page, "Cursor")).to_contain_text("Not installed")
