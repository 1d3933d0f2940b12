"""Links and badges."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from wassette.clients import CLIENTS, Launcher, badges, deep_link, web_link

README = Path(__file__).parents[3] / "README.md"
KINDS = sorted({one.link for one in CLIENTS if one.link})
OWN = Launcher('/opt/ö "x"/wassette&y=1#z', ("-P", "-m", "wassette"))
ENTRY = {"command": OWN.command, "args": ["-P", "-m", "wassette", "serve", "--stdio"]}


@pytest.mark.parametrize(
    ("kind", "scheme"), [("vscode", "vscode"), ("vscode-insiders", "vscode-insiders")]
)
def test_vscode(kind: str, scheme: str) -> None:
    link = deep_link(kind, OWN)
    start = f"{scheme}:mcp/install?"
    assert link.startswith(start)
    assert json.loads(unquote(link.removeprefix(start))) == {"name": "wassette", **ENTRY}


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        ("cursor", "cursor://anysphere.cursor-deeplink/mcp/install"),
        ("lm-studio", "lmstudio://add_mcp"),
    ],
)
def test_links_with_base64(kind: str, start: str) -> None:
    link = deep_link(kind, OWN)
    assert link.startswith(f"{start}?")
    query = parse_qs(link.partition("?")[2], strict_parsing=True)
    assert query["name"] == ["wassette"]
    assert json.loads(base64.b64decode(query["config"][0])) == ENTRY


@pytest.mark.parametrize("kind", KINDS)
def test_web_links_lead_to_the_same(kind: str) -> None:
    parts = urlsplit(web_link(kind, OWN))
    assert parts.scheme == "https"
    query = parse_qs(parts.query, strict_parsing=True)
    deep = deep_link(kind, OWN)
    assert query.get("url") == [deep] or query == parse_qs(deep.partition("?")[2])


def test_badges_are_in_the_readme() -> None:
    assert len(badges().splitlines()) == len(KINDS)
    assert badges() in README.read_text("utf-8")
