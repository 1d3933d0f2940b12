"""Loading in the window: dragged, chosen, named, from the catalog; shown before it is taken in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from support.cli import component, described

if TYPE_CHECKING:
    from pathlib import Path

    from support.window import Window


def ids(window: Window) -> list[str]:
    return [one["id"] for one in window.cli.ok("component", "list")["components"]]


def test_the_starter_is_loaded_in_an_empty_window(empty_window: Window) -> None:
    window = empty_window
    page = window.go("/")
    window.shoot("home-empty")
    assert window.findings() == []
    page.get_by_role("button", name="Load toolbox").click()
    expect(page.get_by_role("heading", name="Load toolbox?")).to_be_visible()
    assert ids(window) == []  # shown, not taken in
    page.get_by_role("button", name="Load", exact=True).click()
    expect(page).to_have_url(re.compile("/components/toolbox$"))
    expect(page.get_by_role("heading", name="toolbox", level=1)).to_be_visible()
    assert ids(window) == ["toolbox"]
    window.go("/load")
    expect(page.get_by_role("link", name="Open toolbox")).to_be_visible()


def test_a_dragged_file_is_shown_before_it_is_taken_in(window: Window, tmp_path: Path) -> None:
    path = tmp_path / "dragged.wasm"
    path.write_bytes(
        component("add", "echo", docs=described("Adds \u202eevil\u202c.", add="Adds."))
    )
    page = window.go("/load")
    window.drop("main", path)
    expect(page.get_by_role("heading", name="Load dragged?")).to_be_visible()
    expect(page.get_by_text("Adds \\u{202e}evil\\u{202c}.")).to_be_visible()
    expect(page.get_by_text(re.compile("cannot reach the network"))).to_be_visible()
    window.shoot("load-review")
    assert window.findings() == []
    assert "dragged" not in ids(window)
    page.get_by_role("button", name="Load", exact=True).click()
    expect(page).to_have_url(re.compile("/components/dragged$"))
    assert "dragged" in ids(window)


def test_a_file_dropped_on_any_page_is_not_shown_by_the_browser_but_looked_at(
    window: Window, tmp_path: Path
) -> None:
    path = tmp_path / "anywhere.wasm"
    path.write_bytes(component("add"))
    page = window.go("/components")
    window.drop("h1", path)
    expect(page.get_by_role("heading", name="Load anywhere?")).to_be_visible()
    page.get_by_role("button", name="Discard").click()
    expect(page).to_have_url(re.compile("/load$"))
    assert "anywhere" not in ids(window)


def test_a_chosen_file_that_is_none_is_refused_with_the_reason(
    window: Window, tmp_path: Path
) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a component")
    page = window.go("/load")
    page.locator("input[type=file]").set_input_files(text)
    expect(page.get_by_role("alert")).to_contain_text("notes.txt is not a .wasm file")
    bad = tmp_path / "bad.wasm"
    bad.write_bytes(b"\0asm not really")
    page.locator("input[type=file]").set_input_files(bad)
    expect(page.get_by_role("heading", name=re.compile("could not be loaded"))).to_be_visible()
    expect(page.get_by_role("alert")).to_be_visible()
    window.shoot("load-failed")
    assert window.findings() == []


def test_a_reference_that_leads_nowhere_says_so_and_is_kept(window: Window) -> None:
    page = window.go("/load")
    field = page.get_by_label("Or from somewhere else")
    field.fill("/there/is/nothing.wasm")
    field.press("Enter")
    # At once, or as a load that failed.
    alert = page.get_by_role("alert")
    expect(alert).to_be_visible()
    expect(alert).to_contain_text("nothing.wasm")
    window.complaints.clear()


def test_a_path_is_loaded_and_what_replaces_something_says_what_is_different(
    window: Window, tmp_path: Path
) -> None:
    path = tmp_path / "again.wasm"
    path.write_bytes(component("add"))
    window.cli.ok("component", "load", path)
    path.write_bytes(component("add", "echo"))
    page = window.go("/load")
    page.get_by_label("Or from somewhere else").fill(str(path))
    page.get_by_role("button", name="Look at it", exact=True).click()
    expect(page.get_by_role("heading", name="Replace again?")).to_be_visible()
    expect(page.get_by_text("There is a component of this name already")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="echo").first).to_be_visible()
    window.shoot("load-replace")
    page.get_by_role("button", name="Replace").click()
    expect(page).to_have_url(re.compile("/components/again$"))
    expect(page.get_by_role("button", name=re.compile("echo"))).to_be_visible()


def test_the_catalog_is_searched(window: Window) -> None:
    page = window.go("/load")
    expect(page.get_by_role("link", name="Open toolbox")).to_be_visible()
    window.shoot("load")
    assert window.findings() == []
    page.get_by_role("searchbox", name="Search the catalog").fill("nobody offers this")
    expect(page.get_by_text("Nothing in the catalog matches")).to_be_visible()
