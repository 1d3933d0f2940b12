"""Components in the window: what there is, what each may do, trying its tools."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from support.cli import multiply

if TYPE_CHECKING:
    from support.window import Window


def test_a_tool_is_tried(window: Window) -> None:
    page = window.go("/components/toolbox")
    page.get_by_role("button", name=re.compile("^hash")).click()
    page.get_by_label("text", exact=False).first.fill("hello")
    page.get_by_role("button", name="Run").click()
    result = page.get_by_label("What it answered")
    expect(result).to_have_text("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
    expect(page.get_by_label("Result", exact=True).get_by_text("Done")).to_be_visible()
    # The address has it all: what is reloaded is the same.
    page.reload()
    expect(page.get_by_role("button", name="Run")).to_be_visible()


def test_every_kind_of_argument_reaches_the_tool(window: Window) -> None:
    page = window.go("/components/toolbox?tool=sort-lines")
    page.get_by_label("text").first.fill("b\na\nb\nC")
    page.get_by_label("descending").check()
    page.get_by_label("unique").check()
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_label("What it answered")).to_have_text("b\na\nC")
    # As JSON the same values are there, and what is changed there is sent.
    page.get_by_text("JSON", exact=True).click()
    arguments = page.get_by_label("Arguments as JSON")
    assert '"descending"' in arguments.input_value()
    arguments.fill('{"text": "x", "options": []}')
    arguments.press("Control+Enter")
    expect(page.get_by_label("What it answered")).to_have_text("x")


def test_what_is_wrong_with_an_argument_is_said_beside_it(window: Window) -> None:
    page = window.go("/components/toolbox?tool=convert-time")
    page.get_by_label("utc-offset-minutes").fill("ninety")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("This is not a whole number.")).to_be_visible()
    expect(page.get_by_label("utc-offset-minutes")).to_be_focused()


def test_a_tool_that_fails_says_so_and_what_it_was_refused(window: Window) -> None:
    secret = window.cli.home / "secret.txt"
    secret.write_text("secret")
    window.cli.config.parent.mkdir(parents=True, exist_ok=True)
    window.cli.config.write_text('approvals = "deny"\n')
    page = window.go("/components/c-probe?tool=read-file")
    page.get_by_label("path").first.fill(str(secret))
    page.get_by_role("button", name="Run").click()
    result = page.get_by_label("Result", exact=True)
    expect(result.get_by_text("Failed", exact=True)).to_be_visible()
    expect(page.get_by_label("What it answered")).not_to_contain_text("secret\n")


def test_a_call_that_does_not_end_is_cancelled(window: Window) -> None:
    page = window.go("/components/c-probe?tool=spin")
    page.get_by_role("button", name="Run").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Run")).to_be_enabled()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)


def test_hostile_text_of_a_tool_is_made_visible(window: Window) -> None:
    page = window.go("/components/c-probe?tool=hostile-text")
    page.get_by_role("button", name="Run").click()
    result = page.get_by_label("What it answered")
    expect(result).to_contain_text("\\u{1b}")
    shown = result.inner_text()
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\u200b-\u200f]", shown)


def test_a_component_is_switched_off_and_on(window: Window) -> None:
    page = window.go("/components/toolbox")
    switch = page.get_by_role("switch", name="On")
    switch.uncheck()
    expect(page.get_by_role("switch", name="Off")).not_to_be_checked()
    expect(page.get_by_text("no client sees its tools")).to_be_visible()
    page.get_by_role("switch", name="Off").check()
    expect(page.get_by_role("switch", name="On")).to_be_checked()


def test_a_component_is_unloaded_after_a_question(window: Window) -> None:
    page = window.go("/components/toolbox")
    page.get_by_role("button", name="More for toolbox").click()
    page.get_by_role("menuitem", name="Unload").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    dialog.get_by_role("button", name="Unload").click()
    expect(page.get_by_text("toolbox was unloaded")).to_be_visible()
    expect(page).to_have_url(re.compile("/components$"))
    expect(page.get_by_role("link", name=re.compile("toolbox"))).to_have_count(0)
    assert [one["id"] for one in window.cli.ok("component", "list")["components"]] == ["c-probe"]


def test_what_it_can_reach_is_proven_by_its_imports(shared_window: Window) -> None:
    page = shared_window.go("/components/toolbox?tab=about")
    facts = page.get_by_role("region", name="What it could do at all")
    expect(facts.get_by_text(re.compile("cannot reach the network", re.IGNORECASE))).to_be_visible()
    expect(page.get_by_text("starter:toolbox").first).to_be_visible()
    record = next(
        one
        for one in shared_window.cli.ok("component", "list")["components"]
        if one["id"] == "toolbox"
    )
    digest = str(record.get("digest", "")).removeprefix("sha256:")
    expect(page.get_by_text(digest).first).to_be_visible()


def test_what_happens_elsewhere_appears_by_itself(window: Window) -> None:
    page = window.go("/components")
    expect(page.get_by_role("link", name=re.compile("toolbox"))).to_be_visible()
    window.cli.ok("component", "unload", "toolbox")
    expect(page.get_by_role("link", name=re.compile("toolbox"))).to_have_count(0)
    window.cli.ok("component", "load", "starter:toolbox")
    expect(page.get_by_role("link", name=re.compile("toolbox"))).to_be_visible()


def test_five_hundred_components(window: Window) -> None:
    multiply(window.cli, "toolbox", 499)
    page = window.go("/components")
    lines = page.locator(".component-line")
    expect(lines).to_have_count(500)
    # Typing is answered at once: what filters five hundred takes less than a frame or two.
    took = page.evaluate(
        """async () => {
          const field = document.querySelector('input[type=search]')
          const begun = performance.now()
          field.value = 'toolbox-49'
          field.dispatchEvent(new Event('input', {bubbles: true}))
          await new Promise((done) => requestAnimationFrame(() => setTimeout(done)))
          return performance.now() - begun
        }"""
    )
    expect(lines).to_have_count(10)  # 49, and 490 to 498
    assert took < 2000, took
    page.get_by_role("searchbox").fill("nothing has this name")
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(lines).to_have_count(500)
    window.shoot("components-500")
