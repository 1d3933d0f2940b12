"""What happened, in the window: live, filtered, in full, exported, and a great deal of it."""

from __future__ import annotations

import csv
import json
import re
import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from support.asking import Web, web
from support.hosted import PATIENCE, shoot, text
from support.window import NARROW
from wassette.activity import Entry, Kind, Outcome, database
from wassette.paths import paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from support.hosted import Hosted, Pages


@pytest.fixture
def site() -> Iterator[Web]:
    with web() as one:
        yield one


def rows(page: Page) -> Locator:
    return page.get_by_role("list", name="What happened, newest first").get_by_role("listitem")


def write(count: int, what: str = "forecast") -> None:
    """That many calls, in the record before anybody looks."""
    connection = database.open_for_writing(paths().activity)
    now = time.time()
    entries = (
        Entry(
            Kind.CALL if number % 5 else Kind.ACCESS,
            (Outcome.OK, Outcome.DENIED, Outcome.ERROR)[number % 3],
            f"{what} {number}",
            now - (count - number) * 0.4,
            component=("weather", "notes")[number % 2],
            digest="ab" * 32,
            tool="forecast",
            client="Claude Code",
            session="s",
            call=f"c{number}",
            reason="no rule allows it" if number % 3 == 1 else "",
            seconds=number % 100 / 100,
            detail={"arguments": {"city": "Bonn", "number": number}},
        )
        for number in range(1, count + 1)
    )
    connection.execute("BEGIN")
    connection.executemany(database.INSERT, map(database.to_row, entries))
    connection.execute("COMMIT")
    connection.close()


def test_it_is_there_as_it_happens(
    here: Hosted, pages: Pages, site: Web, fixture_component: Callable[[str], Path]
) -> None:
    """A call of a real agent, what it reached and what it was refused; then one of them in full."""
    here.load(fixture_component("c-http"))
    here.portal.call(here.host.grant_network, "c-http", f"http://127.0.0.1:{site.port}")
    page = pages.open(here, "/activity")
    expect(rows(page).filter(has_text="Change")).not_to_have_count(0)
    fetch = {"method": "GET", "url": f"{site.url}/a", "headers": [], "body": ""}
    assert "hello" in text(here.agent("request", fetch).result(PATIENCE))
    call = rows(page).filter(has_text=re.compile(r"Call\s*request"))
    expect(call).to_have_count(1)
    expect(rows(page).filter(has_text=f"GET {site.url}/a")).to_have_count(1)
    expect(page.locator("figcaption")).to_contain_text("1 call", timeout=PATIENCE * 1000)
    call.get_by_role("link").click()
    entry = page.get_by_role("complementary", name="Entry")
    expect(entry).to_contain_text("What it reached, and was refused")
    expect(entry.get_by_role("listitem").filter(has_text=f"GET {site.url}/a")).to_contain_text(
        "Allowed"
    )
    expect(entry).to_contain_text(f'"url": "{site.url}/a"')
    expect(entry).to_contain_text("“Claude Code”")
    assert pages.of(page).findings() == []
    shoot(page, "activity-detail")
    # The place is kept: by a reload, and by going back.
    page.reload()
    expect(entry).to_contain_text(f'"url": "{site.url}/a"')
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    shoot(page, "activity-detail-narrow")
    page.go_back()
    expect(entry).to_have_count(0)
    expect(call).to_have_count(1)


def test_filters_are_in_the_address(here: Hosted, pages: Pages) -> None:
    write(60)
    page = pages.open(here, "/activity")
    page.get_by_label("Kind").select_option("Calls")
    page.get_by_label("Outcome").select_option("Denied")
    expect(page).to_have_url(re.compile(r"\?kind=call&outcome=denied$"))
    expect(rows(page).first).to_contain_text("no rule allows it")
    expect(rows(page).filter(has_text="Access")).to_have_count(0)
    page.get_by_label("Search what happened, and why").fill("Forecast 4")
    expect(page).to_have_url(re.compile("q=Forecast"))
    expect(rows(page)).to_have_count(4)  # 4, 43, 46, 49; 40 is an access
    page.reload()
    expect(rows(page)).to_have_count(4)
    expect(page.get_by_label("Outcome")).to_have_value("denied")
    rows(page).first.get_by_role("link").click()
    page.get_by_role("link", name="only this").first.click()
    expect(page).to_have_url(re.compile(r"\?component="))
    expect(page.get_by_role("button", name=re.compile("remove this filter"))).to_be_visible()
    page.get_by_role("button", name=re.compile("remove this filter")).click()
    expect(page).to_have_url(re.compile(r"/activity$"))
    page.get_by_label("Search what happened, and why").fill("nothing is called this")
    expect(page.get_by_text("Nothing fits these filters")).to_be_visible()


def test_what_is_shown_can_be_taken_away(here: Hosted, pages: Pages, tmp_path: Path) -> None:
    write(30)
    page = pages.open(here, "/activity?outcome=error")
    for name, ending in (("As JSON Lines", "jsonl"), ("As CSV, for a spreadsheet", "csv")):
        page.get_by_role("button", name="Export what is shown").click()
        with page.expect_download() as download:
            page.get_by_role("menuitem", name=name).click()
        file = tmp_path / f"x.{ending}"
        download.value.save_as(file)
        if ending == "jsonl":
            found = [json.loads(line) for line in file.read_text().splitlines()]
        else:
            found = list(csv.DictReader(file.read_text().splitlines()))
        assert [one["what"] for one in found] == [f"forecast {n}" for n in range(2, 31, 3)]


def test_a_hundred_thousand(here: Hosted, pages: Pages) -> None:
    """No more is drawn than is seen, and no more is fetched than is wanted."""
    write(100_000)
    began = time.monotonic()
    page = pages.open(here, "/activity")
    expect(rows(page).first).to_contain_text("forecast 100000")
    expect(page.locator("canvas")).to_be_visible()
    shoot(page, "activity")
    assert pages.of(page).findings() == []
    page.mouse.move(600, 700)
    give_up = time.monotonic() + PATIENCE
    while not (found := re.search(r"forecast 98\d\d\d", page.locator("main").inner_text())):
        assert time.monotonic() < give_up
        page.mouse.wheel(0, 5000)
        page.wait_for_timeout(50)
        assert rows(page).count() < 80
    assert found
    # What comes meanwhile does not move what is read.
    before = rows(page).first.inner_text()
    write(3, "news")
    page.get_by_role("button", name="3 new").click()
    expect(rows(page).first).to_contain_text("news 3")
    assert before != rows(page).first.inner_text()
    # How long a frame takes while it is scrolled, in milliseconds.
    frames = page.evaluate(
        """async () => {
            const box = document.querySelector('.main')
            const times = []
            let last = performance.now()
            for (let n = 0; n < 60; n++) {
                box.scrollTop += 200
                await new Promise(requestAnimationFrame)
                times.push(performance.now() - last)
                last = performance.now()
            }
            return times.sort((a, b) => a - b)
        }"""
    )
    print(f"frames: half within {frames[30]:.0f} ms, 95 % within {frames[56]:.0f} ms")
    assert frames[30] < 1000
    assert time.monotonic() - began < 2 * PATIENCE


def test_nothing_yet(here: Hosted, pages: Pages) -> None:
    page = pages.open(here, "/activity")
    expect(page.get_by_text("Nothing has happened yet")).to_be_visible()
    expect(page.get_by_role("link", name="Try a tool")).to_be_visible()
    shoot(page, "activity-empty")


def test_the_record_cannot_be_read(here: Hosted, pages: Pages) -> None:
    paths().activity.parent.mkdir(parents=True, exist_ok=True)
    paths().activity.write_bytes(b"no database, but long enough for what looks at it" * 200)
    page = pages.open(here, "/approvals", expected=(500, 503))
    page.goto(page.url.replace("/approvals", "/activity"))
    expect(page.get_by_role("alert").first).to_contain_text("activity")
    expect(page.get_by_role("button", name="Try again").first).to_be_visible()
    shoot(page, "activity-failure")


def test_with_the_keyboard(here: Hosted, pages: Pages) -> None:
    write(50)
    page = pages.open(here, "/activity")
    rows(page).first.get_by_role("link").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(rows(page).nth(1).get_by_role("link")).to_be_focused()
    page.keyboard.press("Enter")
    entry = page.get_by_role("complementary", name="Entry")
    expect(entry).to_contain_text("forecast 49")
