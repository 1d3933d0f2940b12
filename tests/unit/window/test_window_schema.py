"""frontend/openapi.json, which the page's client is made from, is the schema of the app."""

from __future__ import annotations

from wassette.window import schema


def test_the_committed_schema_is_that_of_the_app() -> None:
    assert schema.FILE.read_text(encoding="utf-8") == schema.text(), (
        "run: python -m wassette.window.schema"
    )
