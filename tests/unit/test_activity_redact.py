"""What does not get into the record."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wassette.activity.redact import MAX_ITEMS, MAX_TEXT, REDACTED, Redactor

TELLING = [
    "password",
    "Passwd",
    "passphrase",
    "client_secret",
    "accessToken",
    "token",
    "api_key",
    "apiKey",
    "X-Api-Key",
    "key",
    "private_key",
    "AWS_SECRET_ACCESS_KEY",
    "credentials",
    "Authorization",
    "auth",
    "Cookie",
    "bearer",
]
HARMLESS = ["path", "text", "monkey", "keyboard", "author", "query", "keys_pressed", "passenger"]


@pytest.mark.parametrize("name", TELLING)
def test_a_telling_name_hides_its_value(name: str) -> None:
    taken = Redactor().value({"outer": [{name: {"deep": "hunter2"}}]})
    assert taken == {"outer": [{name: REDACTED}]}


@pytest.mark.parametrize("name", HARMLESS)
def test_other_names_are_kept(name: str) -> None:
    assert Redactor().value({name: "value"}) == {name: "value"}


SECRET = "s3cret-value-of-a-person"


@pytest.mark.parametrize(
    "value",
    [SECRET, f"x{SECRET}y", [SECRET], {"a": {"b": [SECRET]}}, {SECRET: 1}, f"{SECRET}{SECRET}"],
)
def test_a_known_value_is_hidden_wherever_it_is(value: Any) -> None:
    assert SECRET not in json.dumps(Redactor(lambda: [SECRET]).value(value))


def test_a_value_at_the_cut_is_hidden_whole() -> None:
    text = "x" * (MAX_TEXT - 5) + SECRET
    assert SECRET[:5] not in Redactor(lambda: [SECRET]).text(text)


def test_the_longer_of_two_values_is_hidden_whole() -> None:
    taken = Redactor(lambda: ["abcdef", "abcdefghij"]).text("abcdefghij")
    assert taken == REDACTED


def test_a_secret_that_is_set_later_counts_from_then_on() -> None:
    known: list[str] = []
    redactor = Redactor(lambda: known)
    assert redactor.text(SECRET) == SECRET
    known.append(SECRET)
    redactor.refresh()
    assert redactor.text(SECRET) == REDACTED


def test_large_values_are_cut() -> None:
    taken = Redactor().value({"list": list(range(100_000)), "text": "x" * 100_000})
    assert len(taken["list"]) == MAX_ITEMS + 1
    assert len(taken["text"]) == MAX_TEXT + 1
    deep: Any = "end"
    for _ in range(500):
        deep = [deep]
    assert "end" not in json.dumps(Redactor().value(deep))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(_JSON, st.text(min_size=6, max_size=20))
def test_no_value_shows_a_known_secret(value: Any, secret: str) -> None:
    taken = Redactor(lambda: [secret]).value(value)
    if secret not in REDACTED:
        assert not _contains(taken, secret)


def _contains(value: Any, secret: str) -> bool:
    if isinstance(value, str):
        return secret in value.replace(REDACTED, "\0")
    if isinstance(value, list):
        return any(_contains(one, secret) for one in value)
    if isinstance(value, dict):
        return any(_contains(one, secret) for pair in value.items() for one in pair)
    return False
