"""How results are printed."""

from __future__ import annotations

import json

import pytest

from wassette.cli.output import table, to_json, visible_text
from wassette.cli.permissions_text import rows, summary

DECEIVING = "\x1b\x7f\x85\x9b\u202e\u2028\u200b\U000e0041\ue000"


@pytest.mark.parametrize("char", [*DECEIVING, "é", "漢", "🙂", '"', "\\", "\n", "\t", "\ud800"])
def test_json_is_readable_and_deceives_nobody(char: str) -> None:
    text = to_json({char: [char]})
    assert json.loads(text) == {char: [char]}
    assert (char in text.replace("\n", "")) == (char in 'é漢🙂"\\')


def test_json_is_pretty() -> None:
    assert to_json({"a": ["é"]}) == '{\n  "a": [\n    "é"\n  ]\n}'


def test_visible_text_keeps_lines_and_tabs() -> None:
    assert visible_text("a\tb\r\nc\x1b\rd") == "a\tb\nc\\u{1b}\\u{d}d"
    assert visible_text("x" * 1000) == "x" * 1000


def test_table_of_wide_and_combining_characters() -> None:
    assert table(("A", "B"), [("漢字", "x"), ("e\u0301", "y")]) == (
        "A    | B\n-----|--\n漢字 | x\ne\u0301    | y"
    )


def test_table_cells_are_one_line() -> None:
    assert "a\\u{a}b" in table(("A", "B"), [("a\nb", "")])


def test_permissions_in_words() -> None:
    document = {
        "permissions": {
            "storage": {"allow": [{"uri": "fs:///a\u202e", "access": ["read"]}], "deny": None},
            "network": {"allow": [{"host": "b", "methods": ["GET"]}, {"cidr": "10.0.0.0/8"}]},
            "environment": None,
        }
    }
    assert summary(document) == (
        "storage fs:///a\\u{202e} (read), network b (GET), network 10.0.0.0/8"
    )
    assert summary(None) == summary({}) == summary({"permissions": None}) == ""
    shown = {
        "storage": [],
        "deny": {"network": [{"host": "x"}]},
        "resources": {"limits": {"cpu": "500m"}, "io": None},
    }
    assert rows(shown) == [("deny network", "x", ""), ("resources", "cpu", "500m")]
