"""Links lead somewhere, pictures are small, and what the documents say of themselves is so."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from support.documents import DOCS, ROOT, anchors, blocks, links, pages

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORY = tomllib.loads((ROOT / "packaging/facts.toml").read_text())["repository"]
PAGES = [pytest.param(page, id=str(page.relative_to(ROOT))) for page in pages()]
GENERATED = {"commands", "settings", "policy", "tools", "http", "errors"}


def _generated(target: Path) -> bool:
    return target.parent == DOCS / "reference" and target.stem in GENERATED


def wrong(page: Path, link: str) -> str | None:
    """What is wrong with a link of a page; None if nothing is."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        inside = link.removeprefix(f"{REPOSITORY}/blob/main/")
        if inside == link:
            return None
        target, anchor = ROOT / inside.partition("#")[0], parts.fragment
    else:
        target = page if not parts.path else (page.parent / parts.path).resolve()
        anchor = parts.fragment
    if _generated(target):
        return None
    if not target.exists():
        return f"{link} leads to nothing"
    if anchor and target.suffix == ".md" and anchor not in anchors(target.read_text("utf-8")):
        return f"{link}: {target.name} has no such heading"
    return None


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [found for link in links(text) if (found := wrong(page, link))] == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page\n\n[a](gone.md) [b](#gone) [c](#a-page) `[d](code.md)`\n")
    found = [wrong(page, link) for link in links(page.read_text())]
    assert found == ["gone.md leads to nothing", "#gone: page.md has no such heading", None]


def test_pages_of_the_site_do_not_leave_it_by_a_path() -> None:
    """A path that leads out of docs/ works on GitHub, and not on the site."""
    for page in DOCS.rglob("*.md"):
        for link in links(page.read_text(encoding="utf-8")):
            if not urlsplit(link).scheme and not link.startswith("#"):
                assert (page.parent / link).resolve().is_relative_to(DOCS), f"{page}: {link}"


def test_pictures_are_small_and_shown() -> None:
    shown = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in pages()
        for link in (
            *links(page.read_text("utf-8")),
            *re.findall(r'(?:src|srcset)="([^"]+)"', page.read_text("utf-8")),
        )
        if "images/" in link
    }
    pictures = set((DOCS / "images").iterdir())
    assert pictures == shown
    for picture in pictures:
        assert 5_000 < picture.stat().st_size < 150_000, picture


def test_every_page_for_beginners_has_something_to_run() -> None:
    for name in ("quickstart", "guides/approve-well", "guides/write-a-policy", "troubleshooting"):
        assert blocks(DOCS / f"{name}.md"), name


def test_a_marker_without_a_block_is_a_mistake() -> None:
    for page in DOCS.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        assert text.count("<!-- runnable -->") == len(blocks(page)), page
        prints = sum(1 for block in blocks(page) if block.prints)
        assert text.count("<!-- prints -->") == prints, page


def test_readme_has_exactly_two_commands() -> None:
    section = (ROOT / "README.md").read_text("utf-8").partition("## Two commands")[2]
    block = section.partition("```sh\n")[2].partition("```")[0]
    commands = [line.split()[0] for line in block.splitlines() if not line.startswith(" ")]
    assert commands == ["scripts/run", "scripts/test"]


def test_security_has_every_attacker_and_how_to_report() -> None:
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    for word in ("component", "agent", "web page", "other user", "registry", "Report"):
        assert word in text
    for name in re.findall(r"`(tests/[\w/]+\.py)`", text):
        assert (ROOT / name).is_file(), name
