"""What a component may do, in the window: in words and as YAML; nothing written is lost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import Locator, Page, expect

if TYPE_CHECKING:
    from support.window import Window

POLICY = """\
version: "1.0"
permissions:
  # kept
  storage:
    allow:
      - uri: "fs:///tmp/notes/**"
        access: [read]
"""


def editor(page: Page) -> Locator:
    return page.get_by_role("textbox", name=re.compile("as YAML"))


def written(page: Page) -> str:
    return "\n".join(page.locator(".cm-line").all_inner_texts())


def write(page: Page, text: str) -> None:
    editor(page).click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def test_a_folder_is_granted_in_words_and_taken_back(window: Window) -> None:
    own = window.copy("c-probe", "granted")
    folder = window.cli.home / "notes"
    folder.mkdir(exist_ok=True)
    (folder / "a.txt").write_text("hello from a file")
    page = window.go(f"/components/{own}?tab=permissions")
    expect(page.get_by_text("It may reach nothing")).to_be_visible()
    page.get_by_role("button", name="Add", exact=True).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("File or folder").fill("~/notes")
    expect(dialog.get_by_text("granted may read files in ~/notes and below.")).to_be_visible()
    window.shoot("permissions-add")
    assert window.findings() == []
    dialog.get_by_role("button", name="Allow").click()
    rules = page.get_by_role("region", name="In words")
    expect(rules.get_by_text(re.compile("may read .*notes"))).to_be_visible()
    expect(page.locator(".cm-line", has_text="/notes/**")).to_be_visible()
    # It counts: the tool reads it now.
    page.goto(f"{window.origin}/components/{own}?tool=read-file")
    page.get_by_label("path").first.fill(str(folder / "a.txt"))
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_label("What it answered")).to_contain_text("hello from a file")
    # Taken back in words, and that taken back as well.
    page.goto(f"{window.origin}/components/{own}?tab=permissions")
    rules.get_by_role("button", name=re.compile("^More: may read")).click()
    page.get_by_role("menuitem", name="Remove").click()
    expect(page.get_by_text("It may reach nothing")).to_be_visible()
    page.get_by_role("region", name="What was done").get_by_role("button", name="Undo").click()
    expect(rules.get_by_text(re.compile("may read .*notes"))).to_be_visible()


def test_a_folder_is_pointed_at(window: Window) -> None:
    own = window.copy("c-probe", "pointed")
    (window.cli.home / "folder with spaces" / "below").mkdir(parents=True, exist_ok=True)
    page = window.go(f"/components/{own}?tab=permissions")
    page.get_by_role("button", name="Add", exact=True).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Choose").click()
    dialog.get_by_role("button", name="Open folder with spaces").click()
    dialog.get_by_role("button", name="below", exact=True).click()
    window.shoot("permissions-picker")
    dialog.get_by_role("button", name="Choose").click()
    expect(dialog.get_by_label("File or folder")).to_have_value(
        str(window.cli.home / "folder with spaces" / "below")
    )
    dialog.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("region", name="In words").get_by_text("below").first).to_be_visible()


def test_a_mistake_in_the_yaml_is_shown_where_it_is_and_nothing_is_lost(window: Window) -> None:
    window.expected.add(422)
    own = window.copy("c-probe", "mistaken")
    page = window.go(f"/components/{own}?tab=permissions")
    write(page, POLICY.replace("access: [read]", "access: [look]"))
    expect(page.get_by_text("Not saved", exact=True)).to_be_visible()
    page.get_by_role("button", name="Save").click()
    alert = page.get_by_role("region", name="As YAML").get_by_role("alert")
    expect(alert).to_contain_text(re.compile("look|access"))
    expect(page.locator(".cm-lintRange-error")).to_be_visible()
    window.shoot("permissions-mistake")
    assert window.findings() == []
    # Nothing was changed, and nothing is lost by going elsewhere.
    assert not (window.cli.components / f"{own}.policy.yaml").exists()
    page.get_by_role("link", name="About", exact=True).click()
    page.get_by_role("link", name="Home", exact=True).click()
    page.get_by_role("link", name="Components", exact=True).click()
    page.get_by_role("link", name=re.compile("^mistaken")).click()
    page.get_by_role("link", name=re.compile("Permissions")).click()
    expect(page.locator(".cm-line", has_text="look")).to_be_visible()
    write(page, POLICY)
    editor(page).press("Control+s")
    expect(page.get_by_text("is saved, and counts from its next call on")).to_be_visible()
    expect(
        page.get_by_role("region", name="In words").get_by_text("may read /tmp/notes")
    ).to_be_visible()
    assert "# kept" in written(page)
    assert (window.cli.components / f"{own}.policy.yaml").read_text() == POLICY


def test_what_was_changed_elsewhere_meanwhile_is_not_overwritten_unasked(window: Window) -> None:
    window.expected.add(409)
    own = window.copy("c-probe", "twice")
    page = window.go(f"/components/{own}?tab=permissions")
    write(page, POLICY)
    window.cli.ok("permission", "grant", "network", own, "api.example.com")
    expect(page.get_by_text("It was changed elsewhere meanwhile")).to_be_visible()
    assert "fs:///tmp/notes" in written(page)
    page.get_by_role("button", name="Take theirs").click()
    expect(page.locator(".cm-line", has_text="api.example.com")).to_be_visible()
    assert "fs:///tmp/notes" not in written(page)


def test_any_target_is_explained(window: Window) -> None:
    own = window.copy("c-probe", "explained")
    (window.cli.home / "explained").mkdir()
    policy = POLICY.replace("/tmp/notes", str(window.cli.home / "explained"))
    (window.cli.components / f"{own}.policy.yaml").write_text(policy)
    page = window.go(f"/components/{own}?tab=permissions")
    card = page.get_by_role("region", name="Would it be allowed?")
    card.get_by_label("Target").fill("~/explained/a.md")
    card.get_by_role("button", name="Explain").click()
    expect(card.get_by_text("Yes", exact=True)).to_be_visible()
    expect(card.get_by_text("storage.allow[0]")).to_be_visible()
    card.get_by_role("button", name=re.compile(r"Line \d+")).click()
    expect(editor(page)).to_be_focused()
    card.get_by_label("What it would do").select_option("write")
    card.get_by_role("button", name="Explain").click()
    expect(card.get_by_text("No", exact=True)).to_be_visible()
    window.shoot("permissions")


def test_a_secret_is_kept_and_never_comes_back(window: Window) -> None:
    own = window.copy("c-probe", "secretive")
    page = window.go(f"/components/{own}?tab=permissions")
    bodies: list[str] = []
    page.on(
        "response",
        lambda one: (
            bodies.append(one.text())
            if "/api/" in one.url and one.status == 200 and "events" not in one.url
            else None
        ),
    )
    card = page.get_by_role("region", name="Secrets")
    card.get_by_role("button", name="Add").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("API_KEY")
    dialog.get_by_label("Value").fill("hunter2-hunter2")
    dialog.get_by_role("button", name="Keep").click()
    expect(card.get_by_text("API_KEY")).to_be_visible()
    page.reload()
    expect(card.get_by_text("API_KEY")).to_be_visible()
    assert not any("hunter2" in body for body in bodies)
    card.get_by_role("button", name="Remove API_KEY").click()
    expect(card.get_by_text("API_KEY")).to_have_count(0)
