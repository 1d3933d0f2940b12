"""Secrets into headers and query parameters, and nowhere else."""

from __future__ import annotations

import base64

import pytest

from support.egress import PLACEHOLDER, SECRET, secret
from wassette.egress.attempt import Redactor
from wassette.egress.inject import into_headers, into_query


def test_every_header_unless_some_are_named() -> None:
    headers = [(b"Authorization", f"Bearer {PLACEHOLDER}".encode()), (b"X-B", PLACEHOLDER.encode())]
    assert into_headers(headers, [secret("x.com")]) == [
        (b"Authorization", f"Bearer {SECRET}".encode()),
        (b"X-B", SECRET.encode()),
    ]
    assert into_headers(headers, [secret("x.com", headers=("x-b",))]) == [
        headers[0],
        (b"X-B", SECRET.encode()),
    ]
    assert into_headers(headers, [secret("x.com", query="key")]) == headers
    assert into_headers(headers, []) == headers


def test_basic_credentials() -> None:
    def basic(text: str) -> bytes:
        return b"Basic " + base64.b64encode(text.encode())

    for text in ("user:{}", "{}:x-oauth-basic", "{}", "a:{}:b"):
        given = [(b"authorization", basic(text.format(PLACEHOLDER)))]
        expected = [(b"authorization", basic(text.format(SECRET)))]
        assert into_headers(given, [secret("x.com")]) == expected
    for other in (b"Basic ???", b"Basic", b"Basic " + base64.b64encode(b"a:b")):
        assert into_headers([(b"authorization", other)], [secret("x.com")]) == [
            (b"authorization", other)
        ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"?key={PLACEHOLDER}&a=b", f"?key={SECRET}&a=b"),
        (f"?a={PLACEHOLDER}", f"?a={PLACEHOLDER}"),
        (f"?key={PLACEHOLDER}&key={PLACEHOLDER}", f"?key={SECRET}&key={SECRET}"),
        (f"?k%65y={PLACEHOLDER.replace('_', '%5F')}", f"?k%65y={SECRET}"),
        (f"?key=Bearer+{PLACEHOLDER}", f"?key=Bearer%20{SECRET}"),
        (f"?KEY={PLACEHOLDER}", f"?KEY={PLACEHOLDER}"),
        (f"?{PLACEHOLDER}=key", f"?{PLACEHOLDER}=key"),
        ("?key=other&x", "?key=other&x"),
        ("", ""),
        ("?", "?"),
    ],
)
def test_a_named_query_parameter(query: str, expected: str) -> None:
    assert into_query(query, [secret("x.com", query="key")]) == expected
    assert into_query(query, [secret("x.com")]) == query


def test_a_secret_in_a_query_is_escaped() -> None:
    bound = secret("x.com", value="a&b=c#d é/+", placeholder="P" * 12, query="key")
    assert into_query("?key=" + "P" * 12, [bound]) == "?key=a%26b%3Dc%23d%20%C3%A9%2F%2B"


def test_a_secret_shows_nowhere_in_its_own_text() -> None:
    assert SECRET not in repr(secret("x.com"))
    assert SECRET not in str(secret("x.com"))


def test_texts_name_secrets_instead_of_showing_them() -> None:
    redact = Redactor([secret("x.com")])
    pair = base64.b64encode(f"u:{SECRET}".encode()).decode()
    text = f"https://x.com/?a={SECRET}&b={PLACEHOLDER}&c={pair}&d={SECRET}"
    shown = redact(text)
    assert shown.startswith("https://x.com/?a={TOKEN}&b={TOKEN}&c=")
    assert shown.endswith("&d={TOKEN}")
    assert SECRET not in shown
    assert pair not in shown
    assert Redactor([])(text) == text
