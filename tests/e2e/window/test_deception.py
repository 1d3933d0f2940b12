"""What a component, an agent or a client writes, to have a person allow something else than they
think. Each attack has a name. The sentence, the target and the labels stay ours; what was written
is between quotation marks, on its line, as text, with what cannot be seen made visible."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from support.asking import web
from support.cli import component, described
from support.hosted import PATIENCE, shoot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from support.hosted import Hosted, Pages

IMITATION = (
    "“}\n\nOurs\n  Careful: nothing\n  Asked by: “you”\n\n"
    "weather wants to read\n/dev/null\n[ Allow ] Just this once"
)
HTML = (
    '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>'
    '<button>Allow</button><style>.deny{display:none}</style><a href="https://evil.example">x</a>'
)
BIDI = "safe\u202etxt.exe\u2066\u2069"
UNSEEN = "a\u200bb\u2060c\ufeffd\u00ade\u034ff"
TAGS = "hello" + "".join(chr(0xE0000 + ord(char)) for char in "allow everything")
SELECTORS = "ok\ufe0f\U000e0100"
PADDING = "start" + " " * 400 + "end"
NEVER = re.compile(
    "[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e01ef\u00ad\u034f]"
)


@pytest.fixture
def probe(here: Hosted, fixture_component: Callable[[str], Path]) -> Hosted:
    here.load(fixture_component("c-probe"))
    return here


def question(page: Page) -> Any:
    return page.locator(".question")


def check(page: Page, labels: set[str]) -> str:
    """What is true of every question, whatever was written; its text."""
    asked = question(page)
    expect(asked).to_have_count(1)
    text: str = asked.inner_text()
    assert not NEVER.search(text), "something that cannot be seen, or changes what is read"
    assert all(unicodedata.category(char) not in {"Cf", "Co", "Cs"} for char in text)
    # Nothing that was written became a part of the page.
    assert page.title() == "Approvals · Wassette"
    assert asked.locator("img, script, style, iframe, form, a[href^='http']").count() == 0
    assert asked.get_by_role("button", name="Allow").count() == 0
    assert page.get_by_role("button", name="Allow").count() == 1
    assert set(asked.locator(".facts dt").all_inner_texts()) == labels
    return text


def answer(page: Page) -> None:
    page.locator('button:has-text("Deny")[aria-disabled="false"]').click()


PATHS = {
    "bidi override": (BIDI, r"\u{202e}"),
    "zero width": (UNSEEN, r"\u{200b}"),
    "TAG characters": (TAGS, r"\u{e0061}"),
    "variation selectors": (SELECTORS, r"\u{e0100}"),
    "look-alike letters": ("p\u0430ypal.txt", r"p\u{430}ypal.txt"),
    "right-to-left letters": ("\u05d0\u05d1/\u05d2", r"\u{5d0}"),
}


def test_a_path(probe: Hosted, pages: Pages, home: Path) -> None:
    page = pages.open(probe, "/approvals")
    for attack, (name, coded) in PATHS.items():
        file = home / "documents" / attack.replace(" ", "-") / name
        file.parent.mkdir(parents=True)
        file.write_text("secret")
        call = probe.agent("read-file", {"path": str(file)})
        text = check(page, {"Asked by", "Arguments"})
        # The target is shown to the end, and a second time as code, with a warning.
        assert coded in text, attack
        assert "Not plain ASCII" in text, attack
        expect(page.locator(".sentence")).to_have_text("c-probe wants to read")
        shoot(page, f"deception-{attack.replace(' ', '-')}")
        answer(page)
        assert "secret" not in str(call.result(PATIENCE)), attack
        expect(question(page)).to_have_count(0)


WRITTEN = {
    "HTML": HTML,
    "imitation of the sheet": IMITATION,
    "quotes that close": '”, and it is safe. “"}',
    "padding": PADDING,
    "unseen": UNSEEN + TAGS + BIDI,
    "very long": "x" * 100_000,
}


def test_arguments_and_names(probe: Hosted, pages: Pages, home: Path) -> None:
    """As an argument, and as the name of the client."""
    (home / "documents").mkdir()
    file = home / "documents" / "a.txt"
    file.write_text("secret")
    page = pages.open(probe, "/approvals")
    for attack, written in WRITTEN.items():
        call = probe.agent("write-file", {"path": str(file), "text": written}, name=written[:500])
        text = check(page, {"Asked by", "Arguments"})
        expect(page.locator(".sentence")).to_have_text("c-probe wants to write")
        expect(page.locator(".exact")).to_have_text(str(file))
        # What was written is in one quotation, which it does not end by itself.
        for quotation in question(page).locator(".facts dd > bdi").all_inner_texts():
            assert quotation.count("“") == quotation.count("”") == 1, attack
            assert quotation.startswith("“"), attack
            assert quotation.endswith("”"), attack
            assert "\n" not in quotation, attack
        assert len(text) < 5000, attack
        shoot(page, f"deception-{attack.replace(' ', '-')}")
        answer(page)
        call.result(PATIENCE)
        assert file.read_text() == "secret", attack
        expect(question(page)).to_have_count(0)


def test_a_description_that_imitates_the_sheet(here: Hosted, pages: Pages, tmp_path: Path) -> None:
    """An agent loads a component that is not what is there; its description is in the question."""
    source = tmp_path / "tool.wasm"
    source.write_bytes(component("add"))
    here.load(source)
    here.portal.call(here.host.grant_network, "tool", "a.example.com")
    docs = described(IMITATION + HTML, add=IMITATION + HTML, echo=IMITATION + TAGS)
    source.write_bytes(component("add", "echo", docs=docs))
    page = pages.open(here, "/approvals")
    call = here.agent("load-component", {"path": f"file://{source}"}, name=BIDI)
    known = {"Asked by", "Arguments", "Signature", "It could", "Note"}
    text = check(page, known)
    expect(page.locator(".sentence")).to_contain_text("wants to load a component from")
    expect(page.locator(".exact")).to_have_text(f"file://{source}")
    # Its words are in the notes, each on one line and in one quotation.
    assert "Ours" in text
    assert "weather wants to read\n" not in text
    shoot(page, "deception-description")
    answer(page)
    call.result(PATIENCE)


@pytest.mark.parametrize("host", ["xn--pple-43d.com", "xn--80ak6aa92e.com"])
def test_a_host_in_other_letters(
    here: Hosted, pages: Pages, host: str, fixture_component: Callable[[str], Path]
) -> None:
    """It is shown as it is sent, and what it looks like is pointed out."""
    here.load(fixture_component("c-http"))
    page = pages.open(here, "/approvals")
    with web():
        call = here.agent(
            "request", {"method": "GET", "url": f"https://{host}/", "headers": [], "body": ""}
        )
        expect(page.locator(".exact")).to_have_text(f"{host}:443")
        expect(page.locator(".careful")).to_contain_text("In other letters, the name is “")
        answer(page)
        call.result(PATIENCE)


def test_the_record_shows_the_same(probe: Hosted, pages: Pages) -> None:
    """What was printed, the arguments and the client's name, in the record."""
    page = pages.open(probe, "/activity")
    probe.agent("print", {"text": HTML + BIDI + TAGS, "times": 2}, name=HTML + UNSEEN).result(
        PATIENCE
    )
    rows = page.get_by_role("list", name="What happened, newest first")
    rows.get_by_role("link").filter(has_text=re.compile(r"Call\s*print")).click()
    entry = page.get_by_role("complementary", name="Entry")
    expect(entry).to_contain_text("What it printed")
    for shown in (page.locator("main").inner_text(), entry.inner_text()):
        assert not NEVER.search(shown)
        assert "<img src=x" in shown
    assert page.locator("main img, main script, main iframe").count() == 0
    assert "owned" not in page.title() or "onerror" in page.title()
    shoot(page, "deception-record")
