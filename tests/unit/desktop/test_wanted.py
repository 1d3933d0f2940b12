"""Files, references and links come to a place in the window; a link can do no more than that."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from wassette.errors import InvalidReference
from wassette_desktop.instance import is_place
from wassette_desktop.wanted import place_of

if TYPE_CHECKING:
    from pathlib import Path


def reference(argument: str) -> str:
    place = place_of(argument)
    assert is_place(place)
    parts = urlsplit(place)
    assert parts.path == "/load"
    [found] = parse_qs(parts.query)["reference"]
    return found


def test_nothing_is_the_first_page() -> None:
    assert place_of(None) == "/"


@pytest.mark.parametrize(
    ("argument", "found"),
    [
        ("/a/b c&d#e?.wasm", "/a/b c&d#e?.wasm"),
        ("file:///a/b%20c.wasm", "/a/b c.wasm"),
        ("oci://ghcr.io/a/b:1@sha256:0", "oci://ghcr.io/a/b:1@sha256:0"),
        ("starter:toolbox", "starter:toolbox"),
        ("wassette://load?reference=oci%3A%2F%2Fghcr.io%2Fa%2Fb%3A1", "oci://ghcr.io/a/b:1"),
        ("WASSETTE://load?reference=https://example.com/a.wasm", "https://example.com/a.wasm"),
        ("wassette:load?reference=starter:toolbox", "starter:toolbox"),
    ],
)
def test_reference(argument: str, found: str) -> None:
    assert reference(argument) == found


def test_a_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert reference("./a.wasm") == str(tmp_path / "a.wasm")


@pytest.mark.parametrize(
    "link",
    [
        "wassette://load",
        "wassette://load?reference=",
        "wassette://load?reference=/etc/passwd",
        "wassette://load?reference=file:///home/me/Downloads/evil.wasm",
        "wassette://load?reference=oci://a/b&trust_policy=true",
        "wassette://load?reference=oci://a&reference=oci://b",
        "wassette://load?reference=oci://a%0aHost:x",
        "wassette://load?reference=http://example.com/a.wasm",
        "wassette://approve?reference=oci://a/b",
        "wassette://settings",
        "wassette:///../load?reference=oci://a",
        "wassette:",
    ],
)
def test_a_page_cannot_ask_for_more_than_loading_from_the_network(link: str) -> None:
    with pytest.raises(InvalidReference):
        place_of(link)


@pytest.mark.parametrize("argument", ["x" * 5000, "oci://\0", "/a\udcff.wasm"])
def test_what_is_no_reference_is_refused(argument: str) -> None:
    with pytest.raises(InvalidReference):
        place_of(argument)


@pytest.mark.parametrize(
    "text",
    ["//evil.example/", "/\\evil.example", "http://evil.example", "", "x", "/a\nb", "/ä", "/\0"],
)
def test_a_place_is_within_the_window(text: str) -> None:
    assert not is_place(text)


@pytest.mark.parametrize(
    ("place", "leads"),
    [
        ("/approvals/3f9a12", True),
        ("/load?reference=oci%3A%2F%2Fghcr.io%2Fa", True),
        ("/", True),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("https://evil.example", False),
        ("javascript:alert(1)", False),
        ('/"><script>', False),
        ("/a;url=//evil.example", False),
        ("/a\n", False),
        ("", False),
    ],
)
def test_a_link_leads_to_a_place_in_the_window_and_nowhere_else(place: str, leads: bool) -> None:
    from wassette.window.pages import _PLACE

    assert bool(_PLACE.fullmatch(place)) is leads
