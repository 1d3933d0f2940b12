"""What a document has one type is a command that there is, with options that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.commands import refused, typed
from support.documents import ROOT, pages

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [
    *pages(),
    *sorted((ROOT / "examples").rglob("README.md")),
    *sorted((ROOT / "backend/wassette").rglob("*.md")),
]
NOT_HERE = {"wassette autocomplete", "wassette acp"}
"""Commands of another program, which a page says we do not have."""


@pytest.mark.parametrize(
    "page", [pytest.param(one, id=str(one.relative_to(ROOT))) for one in PAGES]
)
def test_what_is_typed_exists(page: Path) -> None:
    lines = [line for line in typed(page.read_text("utf-8")) if line not in NOT_HERE]
    assert [why for line in lines if (why := refused(line))] == []


def test_lines_are_found_at_all() -> None:
    assert sum(len(typed(page.read_text("utf-8"))) for page in PAGES) > 300


@pytest.mark.parametrize(
    "line",
    [
        *sorted(NOT_HERE),
        "wassette component lod x",
        "wassette component load x --acept-change  # a comment",
        "wassette tool invoke x --arg '{",
    ],
)
def test_what_does_not_exist_is_refused(line: str) -> None:
    assert refused(line)
