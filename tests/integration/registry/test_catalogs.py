"""Catalogs from the web: fetched once a day, kept, and there without a network."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from support import registries
from wassette.egress_options import EgressOptions
from wassette.registry.catalog import FRESH, find, gather
from wassette.registry_options import RegistryOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.registries import Front, Seen
    from wassette.registry.registries import Registries

pytestmark = pytest.mark.anyio

ENTRY = {"name": "Theirs", "description": "A tool", "uri": "oci://x.com/a/b:1"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Front]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with registries.front(authority=authority) as front:
        yield front


def says(body: bytes, status: int = 200) -> Callable[[Seen, Any], bool]:
    def answer(_: Seen, handler: Any) -> bool:
        handler.reply(status, body)
        return True

    return answer


async def test_fetched_once_and_kept(
    server: Front, ways: Callable[..., Registries], tmp_path: Path
) -> None:
    url, cache = f"https://{server.place}/catalog.json", tmp_path / "cache"
    way = ways(EgressOptions(ca_file=tmp_path / "ca.pem"), RegistryOptions(catalogs=(url,)))
    server.before = says(json.dumps([ENTRY]).encode())
    for _ in range(2):
        found = await gather(way, cache)
        assert found.notes == ()
        entry = find(found.entries, "theirs")
        assert entry is not None
        assert entry.catalog == url
    assert len(server.seen) == 1

    [kept] = cache.iterdir()
    old = time.time() - FRESH - 7200
    for answer, says_why in (
        (says(b"", 500), "its server answers 500"),
        (says(b"x" * 5_000_000), "more than"),
    ):
        os.utime(kept, (old, old))
        server.before = answer
        found = await gather(way, cache)
        assert find(found.entries, "theirs") is not None
        assert "is 26 hours old" in found.notes[0]
        assert says_why in found.notes[0]

    kept.write_text("{")  # what was kept is broken, and there is no other
    found = await gather(way, cache)
    assert find(found.entries, "theirs") is None
    assert find(found.entries, "toolbox") is not None
    assert f"The catalog {url} cannot be had" in found.notes[0]


async def test_what_is_no_catalog_is_not_kept(
    server: Front, ways: Callable[..., Registries], tmp_path: Path
) -> None:
    url = f"https://{server.place}/catalog.json"
    way = ways(EgressOptions(ca_file=tmp_path / "ca.pem"), RegistryOptions(catalogs=(url,)))
    server.before = says(json.dumps([{**ENTRY, "uri": "file:///etc/x.wasm"}]).encode())
    found = await gather(way, tmp_path / "cache")
    assert "entry 1: its uri is not oci:// or https://" in found.notes[0]
    assert not (tmp_path / "cache").exists()
