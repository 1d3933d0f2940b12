"""A person answers in the window, while a real agent's call of a real component waits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from support.approvals import asked, network
from support.asking import Web, web
from support.hosted import PATIENCE, shoot, text
from support.sheet import armed, fetch, sheet, waits
from support.wat import one_function, write
from support.window import NARROW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.hosted import Hosted, Pages
    from wassette.approvals.model import ApprovalRequest, Decision


@pytest.fixture
def site() -> Iterator[Web]:
    with web() as one:
        yield one


@pytest.fixture
def fetching(here: Hosted, fixture_component: Callable[[str], Path]) -> Hosted:
    here.load(fixture_component("c-http"))
    return here


def test_an_agent_waits_and_is_allowed(fetching: Hosted, pages: Pages, site: Web) -> None:
    page = pages.open(fetching, "/settings")
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    call = fetching.agent("request", fetch(site))
    # It comes over whatever page is open, and says who wants what.
    expect(sheet(page)).to_contain_text("c-http wants to connect to")
    expect(sheet(page)).to_contain_text(f"127.0.0.1:{site.port}")
    expect(sheet(page)).to_contain_text("GET /a")
    expect(sheet(page)).to_contain_text("“Claude Code” while running “request”")
    expect(page.get_by_role("link", name="Approvals, 1 waiting")).to_be_attached()
    # The narrowest of all is chosen.
    expect(page.get_by_role("radio", name="Just this once")).to_be_checked()
    narrowest = page.get_by_role("radio", name=f"GET to 127.0.0.1 (http, port {site.port})")
    expect(narrowest).to_be_checked()
    deny, allow = armed(page, "Deny"), armed(page, "Allow")
    no, yes = deny.bounding_box(), allow.bounding_box()
    assert no
    assert yes
    assert (no["width"], no["height"]) == (yes["width"], yes["height"])
    assert pages.of(page).findings() == []
    shoot(page, "approval-sheet")
    waits(call)
    assert site.paths == []
    allow.click()
    assert "hello" in text(call.result(PATIENCE))
    assert site.paths == ["/a"]
    expect(sheet(page)).to_have_count(0)
    expect(page.get_by_label("What was done")).to_contain_text("Allowed c-http")
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    assert fetching.policy("c-http") == ""
    # Once was once: the next call is asked about anew.
    again = fetching.agent("request", fetch(site))
    expect(sheet(page)).to_be_visible()
    armed(page, "Deny").click()
    again.result(PATIENCE)
    assert site.paths == ["/a"]


def test_with_the_keyboard_only(fetching: Hosted, pages: Pages, site: Web) -> None:
    page = pages.open(fetching, "/activity")
    call = fetching.agent("request", fetch(site))
    armed(page, "Deny")
    page.keyboard.press("Escape")
    assert "a person said no" in text(call.result(PATIENCE))
    expect(sheet(page)).to_have_count(0)
    call = fetching.agent("request", fetch(site, "/b"))
    armed(page, "Allow")
    # To how long, one further: while this session lasts.
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio", name="Just this once")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="This session")).to_be_checked()
    armed(page, "Allow")
    page.keyboard.press("Enter")
    assert "hello" in text(call.result(PATIENCE))
    assert site.paths == ["/b"]


def test_always_is_written_and_can_be_undone(fetching: Hosted, pages: Pages, site: Web) -> None:
    page = pages.open(fetching, "/approvals")
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    shoot(page, "approvals-empty")
    call = fetching.agent("request", fetch(site))
    page.get_by_role("radio", name="Always").check()
    expect(page.get_by_text("written to the policy of c-http")).to_be_visible()
    shoot(page, "approvals-one")
    assert pages.of(page).findings() == []
    rule = page.locator("code.rule").inner_text()
    armed(page, "Allow").click()
    assert "hello" in text(call.result(PATIENCE))
    assert rule == f"GET http://127.0.0.1:{site.port}"
    written = fetching.policy("c-http")
    assert f"http://127.0.0.1:{site.port}" in written
    assert "GET" in written
    # Nobody is asked again; and it can be taken back, though what ran has run.
    assert "hello" in text(fetching.agent("request", fetch(site)).result(PATIENCE))
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_label("What was done")).to_contain_text("Taken back")
    assert "127.0.0.1" not in fetching.policy("c-http")
    again = fetching.agent("request", fetch(site))
    armed(page, "Deny").click()
    assert again.result(PATIENCE).is_error or "said no" in text(again.result(0))


def test_an_hour_is_in_the_history_and_can_be_taken_back(
    fetching: Hosted, pages: Pages, site: Web
) -> None:
    page = pages.open(fetching, "/approvals")
    call = fetching.agent("request", fetch(site))
    page.get_by_role("radio", name="One hour").check()
    armed(page, "Allow").click()
    assert "hello" in text(call.result(PATIENCE))
    page.get_by_role("link", name="Before", exact=True).click()
    expect(page.get_by_text("Allowed for one hour here")).to_be_visible()
    shoot(page, "approvals-before")
    assert pages.of(page).findings() == []
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_role("button", name="Take back")).to_have_count(0)
    page.reload()
    expect(page.get_by_text("Allowed for one hour here")).to_be_visible()
    again = fetching.agent("request", fetch(site))
    page.get_by_role("link", name=re.compile("Waiting")).click()
    armed(page, "Deny").click()
    again.result(PATIENCE)
    assert site.paths == ["/a"]


NOW = """() => new Promise(done => {
    const press = key => (document.activeElement ?? document.body).dispatchEvent(
        new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}))
    const look = () => {
        const allow = [...document.querySelectorAll('button')].find(
            one => one.textContent.includes('Allow') && one.closest('[role=dialog]'))
        if (!allow) return
        observer.disconnect()
        allow.click()
        press('Enter')
        press('a')
        press('Enter')
        done(allow.getAttribute('aria-disabled'))
    }
    const observer = new MutationObserver(look)
    observer.observe(document.body, {childList: true, subtree: true})
    look()
})"""


def test_nobody_allows_by_accident(fetching: Hosted, pages: Pages, site: Web) -> None:
    """A click and an Enter that were under way when the question came."""
    page = pages.open(fetching, "/settings")
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    handle = page.evaluate_handle(f"() => ({{tried: ({NOW})()}})")
    call = fetching.agent("request", fetch(site))
    assert page.evaluate("one => one.tried", handle) == "true"
    waits(call)
    assert site.paths == []
    armed(page, "Allow").click()
    assert "hello" in text(call.result(PATIENCE))


def test_a_question_that_moves_waits_again(fetching: Hosted, pages: Pages, site: Web) -> None:
    page = pages.open(fetching, "/approvals")
    call = fetching.agent("request", fetch(site))
    allow = armed(page, "Allow")
    # Something above it grows, and the buttons are elsewhere by the time of the click.
    page.evaluate(
        """() => new Promise(done => {
            const [allow] = [...document.querySelectorAll('button')].filter(
                one => one.textContent.includes('Allow'))
            const before = allow.getBoundingClientRect().y
            document.querySelector('.pane').style.paddingTop = '100px'
            const moved = () => {
                if (allow.getBoundingClientRect().y === before) return requestAnimationFrame(moved)
                allow.click()
                done()
            }
            moved()
        })"""
    )
    waits(call)
    assert site.paths == []
    expect(allow).to_be_visible()
    armed(page, "Deny").click()
    call.result(PATIENCE)


def test_what_is_decided_elsewhere_goes(fetching: Hosted, pages: Pages, site: Web) -> None:
    from wassette.approvals.files import default_directory
    from wassette.approvals.model import Surface, denied
    from wassette.approvals.store import Store

    page = pages.open(fetching, "/settings")
    call = fetching.agent("request", fetch(site))
    expect(sheet(page)).to_be_visible()
    store = Store(default_directory(fetching.settings.component_dir))
    (entry,) = store.entries()
    store.decide(entry.request.id, denied(entry.request, Surface.CLI, store.now()))
    store.close()
    expect(sheet(page)).to_have_count(0)
    call.result(PATIENCE)
    page.goto(page.url.replace("/settings", f"/approvals/{entry.request.id}"))
    expect(page.get_by_text("Denied on the command line")).to_be_visible()


def test_later_is_not_a_no(fetching: Hosted, pages: Pages, site: Web) -> None:
    page = pages.open(fetching, "/settings", NARROW)
    call = fetching.agent("request", fetch(site))
    armed(page, "Allow")
    shoot(page, "approval-sheet-narrow")
    page.get_by_role("button", name="Later").click()
    expect(sheet(page)).to_have_count(0)
    waits(call)
    # It does not come back by itself, and it is where it can be found.
    page.get_by_role("link", name="Clients").click()
    expect(page.get_by_role("heading", name="Clients")).to_be_visible()
    expect(sheet(page)).to_have_count(0)
    page.get_by_role("link", name="Approvals, 1 waiting").click()
    shoot(page, "approvals-one-narrow")
    armed(page, "Allow").click()
    assert "hello" in text(call.result(PATIENCE))


def test_what_is_picked_is_what_is_given(
    here: Hosted, pages: Pages, home: Path, fixture_component: Callable[[str], Path]
) -> None:
    """The file picker is the grant; also for a name with a space in it."""
    here.load(fixture_component("c-probe"))
    folder = home / "documents" / "my notes"
    folder.mkdir(parents=True)
    (folder / "a b.txt").write_text("fourteen bytes")
    (folder / "x*.txt").write_text("")
    page = pages.open(here, "/approvals")
    call = here.agent("read-file", {"path": str(folder / "a b.txt")})
    expect(page.locator(".exact")).to_have_text(str(folder / "a b.txt"))
    page.get_by_role("button", name="Choose a file or folder…").click()
    picker = page.get_by_role("dialog")
    expect(picker.get_by_role("button", name="a b.txt")).to_have_attribute("aria-pressed", "true")
    expect(picker).to_contain_text("this file only")
    shoot(page, "approvals-picker")
    assert pages.of(page).findings() == []
    picker.get_by_role("button", name="x*.txt").click()
    expect(picker.get_by_role("button", name="Choose this file")).to_be_disabled()
    picker.get_by_role("button", name="x*.txt").click()
    expect(picker).to_contain_text("my notes and everything below")
    picker.get_by_role("button", name="Choose this folder").click()
    page.get_by_role("radio", name="Always").check()
    armed(page, "Allow").click()
    assert "fourteen bytes" in text(call.result(PATIENCE))
    assert f"fs://{folder}/**" in here.policy("c-probe")


def test_a_thousand_wait(here: Hosted, pages: Pages, tmp_path: Path) -> None:
    """As many as there can be: the page counts them, groups them, and denies those of one."""
    names = [f"tool-{number}" for number in range(4)]
    for name in names:
        here.load(write(tmp_path, name, one_function(name)))
    requests = [
        asked(
            network(
                f"https://host-{number % 125}.example.com/{number}", ("GET", "POST")[number % 2]
            ),
            component=here.host.loaded(name),
            session=f"session of {name}",
            call=f"call {name} {number}",
            tool=name,
        )
        for name in names
        for number in range(250)
    ]
    waiting = [here.portal.start_task_soon(_ask, here, one) for one in requests]
    page = pages.open(here, "/approvals")
    expect(page.get_by_text("1 of 1000")).to_be_visible(timeout=PATIENCE * 1000)
    expect(page.get_by_role("link", name="Approvals, 1000 waiting")).to_be_attached()
    shoot(page, "approvals-many")
    # Those for one host are together, and no more are drawn than can be looked at.
    rows = page.get_by_role("list", name="Waiting questions").get_by_role("listitem")
    assert 20 < rows.count() <= 60
    expect(rows.first).to_contain_text("2")
    page.keyboard.press("j")
    expect(page.get_by_text("2 of 1000")).to_be_visible()
    page.keyboard.press("k")
    page.get_by_role("button", name="Deny all 250 from tool-0").click()
    page.get_by_role("dialog").get_by_role("button", name="Deny all").click()
    expect(page.get_by_text("250 questions of tool-0 denied")).to_be_visible(
        timeout=PATIENCE * 1000
    )
    expect(page.get_by_text("of 750")).to_be_visible()
    expect(page.get_by_text("tool-0 wants")).to_have_count(0)
    decided = [one.result(PATIENCE) for one in waiting[:250]]
    assert not any(one.allow for one in decided)
    assert not any(one.done() for one in waiting[250:])
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    shoot(page, "approvals-many-narrow")
    for one in waiting:
        one.cancel()


async def _ask(here: Hosted, request: ApprovalRequest) -> Decision:
    return await (await here.host.asking.approvals()).ask(request)
