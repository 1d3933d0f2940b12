"""Components in the window: what there is, what each may do, trying its tools."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from support.cli import component, multiply

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
    page.get_by_role("radio", name="JSON").check()
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


def test_a_call_that_waits_for_a_person_says_so_and_what_it_did_not_get(window: Window) -> None:
    secret = window.cli.home / "secret.txt"
    secret.write_text("the secret")
    own = window.copy("c-probe", "reader")
    page = window.go(f"/components/{own}")
    page.get_by_role("button", name=re.compile("read-file")).click()
    page.get_by_label("path").first.fill(str(secret))
    page.get_by_role("button", name="Run").click()
    expect(page.locator("form").get_by_text("Waits for you")).to_be_visible()
    [asked] = window.cli.ok("approvals", "list")["approvals"]
    window.cli.ok("approvals", "deny", asked["id"])
    result = page.get_by_label("Result", exact=True)
    expect(result.get_by_text("Failed", exact=True)).to_be_visible()
    expect(result.get_by_text("What it wanted and did not get")).to_be_visible()
    expect(result).not_to_contain_text("the secret")


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
    own = window.copy("toolbox", "switched")
    page = window.go(f"/components/{own}")
    page.get_by_role("switch", name="On").click()
    expect(page.get_by_role("switch", name="Off")).not_to_be_checked()
    expect(page.get_by_text("no client sees its tools")).to_be_visible()
    page.get_by_role("switch", name="Off").click()
    expect(page.get_by_role("switch", name="On")).to_be_checked()


def test_a_component_is_unloaded_after_a_question(window: Window) -> None:
    window.copy("toolbox", "goes")
    page = window.go("/components/goes")
    page.get_by_role("button", name="More for goes").click()
    page.get_by_role("menuitem", name="Unload").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    dialog.get_by_role("button", name="Unload").click()
    expect(page.get_by_text("goes was unloaded")).to_be_visible()
    expect(page).to_have_url(re.compile("/components$"))
    expect(page.get_by_role("link", name=re.compile("goes"))).to_have_count(0)
    assert "goes" not in [one["id"] for one in window.cli.ok("component", "list")["components"]]


def test_what_it_can_reach_is_proven_by_its_imports(window: Window) -> None:
    page = window.go("/components/toolbox?tab=about")
    facts = page.get_by_role("region", name="What it could do at all")
    expect(facts.get_by_text(re.compile("cannot reach the network", re.IGNORECASE))).to_be_visible()
    expect(page.get_by_text("starter:toolbox").first).to_be_visible()
    record = next(
        one for one in window.cli.ok("component", "list")["components"] if one["id"] == "toolbox"
    )
    digest = str(record.get("digest", "")).removeprefix("sha256:")
    expect(page.get_by_text(digest).first).to_be_visible()


def test_what_happens_elsewhere_appears_by_itself(window: Window) -> None:
    page = window.go("/components")
    line = page.get_by_role("link", name=re.compile("^elsewhere"))
    expect(line).to_have_count(0)
    path = window.cli.home / "elsewhere.wasm"
    path.write_bytes(component("add"))
    window.cli.ok("component", "load", path)
    expect(line).to_be_visible()
    window.cli.ok("component", "unload", "elsewhere")
    expect(line).to_have_count(0)


def test_five_hundred_components(own_window: Window) -> None:
    window = own_window
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
    expect(lines).to_have_count(9)  # 49, and 490 to 497
    assert took < 2000, took
    page.get_by_role("searchbox").fill("nothing has this name")
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(lines).to_have_count(500)
    window.shoot("components-500")
