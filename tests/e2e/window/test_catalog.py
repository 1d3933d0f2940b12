"""The window's catalog: an entry that names its bytes loads those and no others."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from playwright.sync_api import expect

from support import registries
from support.cli import component, described
from support.hosted import shoot
from support.window import NARROW
from wassette.config import Settings
from wassette.egress_options import EgressOptions
from wassette.registry_options import RegistryOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.hosted import Hosted, Pages
    from support.registries import Front, Seen

MEANT = component("add", docs=described("Adds."))
OTHER = component("add", "echo", docs=described("Adds, and more."))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Front]:
    """Has a catalog, and at `/named.wasm` and `/open.wasm` what `serves` sets."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with registries.front(authority=authority) as front:
        serves(front, MEANT)
        yield front


def serves(front: Front, data: bytes) -> None:
    entries = [
        {
            "name": "Named",
            "description": "Its bytes are named",
            "uri": f"https://{front.place}/named.wasm",
            "digest": f"sha256:{hashlib.sha256(MEANT).hexdigest()}",
        },
        {
            "name": "Open",
            "description": "Its bytes are not named",
            "uri": f"https://{front.place}/open.wasm",
        },
    ]

    def answer(seen: Seen, handler: Any) -> bool:
        handler.reply(200, json.dumps(entries).encode() if "catalog" in seen.path else data)
        return True

    front.before = answer


@pytest.fixture
def settings(home: Path, tmp_path: Path, server: Front) -> Settings:
    return Settings(
        home / "data" / "wassette" / "components",
        egress=EgressOptions(ca_file=tmp_path / "ca.pem"),
        registries=RegistryOptions(catalogs=(f"https://{server.place}/catalog.json",)),
    )


def test_the_bytes_that_an_entry_names_are_loaded(here: Hosted, pages: Pages) -> None:
    page = pages.open(here, "/load")
    page.get_by_role("button", name="Look at it: Named", exact=True).click()
    expect(page.get_by_role("heading", name="Load named?")).to_be_visible()
    digest = hashlib.sha256(MEANT).hexdigest()
    expect(page.get_by_text(f"no others are loaded: sha256 {digest}")).to_be_visible()
    assert pages.of(page).findings() == []
    shoot(page, "load-named")
    page.get_by_role("button", name="Load", exact=True).click()
    expect(page).to_have_url(re.compile("/components/named$"))


def test_others_are_refused_and_nothing_is_kept(here: Hosted, pages: Pages, server: Front) -> None:
    serves(server, OTHER)
    page = pages.open(here, "/load", NARROW)
    page.get_by_role("button", name="Look at it: Named", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="named.wasm could not be loaded")).to_be_visible()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("These are other bytes than were asked for")
    expect(alert).to_contain_text(f"has the digest sha256:{hashlib.sha256(OTHER).hexdigest()}")
    expect(alert).to_contain_text(f"sha256:{hashlib.sha256(MEANT).hexdigest()} was asked for")
    expect(alert).to_contain_text("ask them, before you load it")
    assert pages.of(page).findings() == []
    shoot(page, "load-other-bytes-narrow")
    # Trying again asks for the same bytes.
    page.get_by_role("button", name="Try again").click()
    expect(page).to_have_url(re.compile("/load/[0-9a-f]{16}$"))
    expect(alert).to_contain_text("These are other bytes than were asked for")
    assert here.host.store.ids() == []
    serves(server, MEANT)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Load named?")).to_be_visible()


def test_without_a_digest_what_comes_is_shown(here: Hosted, pages: Pages, server: Front) -> None:
    serves(server, OTHER)
    page = pages.open(here, "/load")
    page.get_by_role("button", name="Look at it: Open", exact=True).click()
    expect(page.get_by_role("heading", name="Load open?")).to_be_visible()
    expect(page.get_by_text("no others are loaded")).to_have_count(0)


def test_a_catalog_that_cannot_be_had_is_named(
    here: Hosted, pages: Pages, server: Front, settings: Settings
) -> None:
    """What there is beside it is there."""
    [place] = settings.registries.catalogs

    def answer(_: Seen, handler: Any) -> bool:
        handler.reply(500, b"")
        return True

    server.before = answer
    page = pages.open(here, "/load", NARROW)
    note = page.get_by_text(f"The catalog {place} cannot be had: its server answers 500")
    expect(note).to_be_visible(timeout=30_000)
    expect(page.get_by_role("button", name="Look at it: toolbox", exact=True)).to_be_visible()
    assert pages.of(page).findings() == []
    note.scroll_into_view_if_needed()
    shoot(page, "load-catalog-missing-narrow")
