"""Foreign text as it is shown, and what is left out of a call's arguments."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.approvals import WEATHER, asked
from wassette.approvals.text import (
    MAX_ARGUMENTS,
    in_ascii,
    is_secret_name,
    lookalikes,
    quoted,
    show_arguments,
    shown,
)


@given(st.text(max_size=300))
def test_whatever_it_is_it_stays_one_quoted_line(text: str) -> None:
    result = quoted(text)
    assert result[0] == "“"
    assert result[-1] == "”"
    inner = result[1:-1]
    assert "“" not in inner
    assert "”" not in inner
    assert "   " not in inner
    for char in inner:
        category = unicodedata.category(char)
        assert category not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        assert category != "Zs" or char == " "


def test_cut_text_says_so() -> None:
    assert shown("a" * 250) == "a" * 200 + "… (50 more characters)"
    assert shown("a" * 200) == "a" * 200


def test_not_ascii() -> None:
    assert in_ascii("plain") is None
    assert in_ascii("n\u043etes") == "n\\u{43e}tes"


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "Passwd",
        "db_password",
        "apiKey",
        "API-KEY",
        "x-api-key",
        "accessToken",
        "client_secret",
        "Authorization",
        "auth",
        "Set-Cookie",
        "private_key",
        "sessionId",
        "credentials",
        "otp",
    ],
)
def test_secret_names(name: str) -> None:
    assert is_secret_name(name)
    assert "hunter2" not in show_arguments({name: "hunter2"})
    assert "hunter2" not in show_arguments({"a": [{name: {"deep": "hunter2"}}]})


@pytest.mark.parametrize("name", ["city", "path", "author", "keyboard", "spinner", "option", ""])
def test_other_names(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "text",
    [
        "https://user:hunter2@example.com/",
        "https://example.com/?api_key=hunter2&x=1",
        "https://example.com/#access_token=hunter2",
        "Authorization: Bearer hunter2hunter2",
        "curl -H 'authorization: basic hunter2='",
    ],
)
def test_secrets_in_texts(text: str) -> None:
    assert "hunter2" not in show_arguments({"text": text})


def test_known_values_are_left_out_wherever_they_are() -> None:
    result = show_arguments({"a": "x-s3cr3t-y", "s3cr3t": ["s3cr3t"]}, ["s3cr3t", "x"])
    assert "s3cr3t" not in result
    assert "x-" in result  # what is that short would be everywhere


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_arguments_are_one_bounded_line(arguments: Any) -> None:
    result = show_arguments(arguments)
    assert len(result) <= 10 * MAX_ARGUMENTS + 100
    assert "\n" not in result


def test_large_arguments_are_cut() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    for arguments in (
        deep,
        {"a": "b" * 10**6},
        list(range(10**5)),
        {str(i): i for i in range(10**5)},
    ):
        assert len(show_arguments(arguments)) < 2 * MAX_ARGUMENTS


def test_arguments_as_bytes_are_shown_as_what_they_say() -> None:
    plain, raw = asked(arguments={"a": 1}), asked(arguments=b'{"a": 1}')
    assert plain.arguments == raw.arguments == '{"a": 1}'
    assert "not json" in asked(arguments=b"not json").arguments


def test_arguments_are_bound_to_the_last_byte() -> None:
    digests = {
        asked(arguments={"text": "x" * 5000 + end}).arguments_digest for end in ("", "y", "z")
    }
    assert len(digests) == 3
    assert asked(arguments={"n": float("nan")}).arguments_digest


@pytest.mark.parametrize(
    ("one", "other"),
    [("my-tool", "my-too1"), ("my-tool", "my_tool"), ("weather", "vveather"), ("modern", "modem")],
)
def test_lookalikes(one: str, other: str) -> None:
    assert lookalikes(one, [other, one, "else"]) == [other]


def test_text_of_a_request() -> None:
    request = asked(arguments=json.loads('{"city": "Bonn", "api_key": "k"}'))
    assert request.text.split("\n") == [
        "Allow component weather to send GET to api.example.com?",
        "  Request: GET “https://api.example.com:443/v1”",
        f"  Component: weather, sha256 {WEATHER.digest[:12]}…",
        "  Tool: “fetch”",
        '  Arguments: “{"city": "Bonn", "api_key": "[redacted]"}”',
        "  Asked by: “Editor” “2.1” over “stdio”",
    ]
    assert request.question == request.text.split("\n")[0]
