"""Secrets are taken out of texts: whole or in pieces, as they are or encoded."""

from __future__ import annotations

import base64
import html
import json
import urllib.parse
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.egress import PLACEHOLDER, SECRET, secret
from wassette.egress.scrub import Scrubber

if TYPE_CHECKING:
    from collections.abc import Callable

VALUES = {
    "letters": (SECRET, PLACEHOLDER),
    "base64": ("q+Zb/9kf3+/2==", "Zm9vYmFyYmF6MA"),
    "punctuation": ("p\"a\\s's&w<o>r/d %+?", "kr" * 9 + "k"),
    "not ASCII": ("pässwörd-日本語", "abcdefghij" * 2),
    "repetitive": ("abababababab", "cdcdcdcdcdce"),
}

ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "percent": lambda text: urllib.parse.quote(text, safe=""),
    "percent, slashes kept": urllib.parse.quote,
    "percent, lower case": lambda text: _lower_percent(urllib.parse.quote(text, safe="")),
    "form": urllib.parse.quote_plus,
    "encodeURIComponent": lambda text: urllib.parse.quote(text, safe="!'()*~"),
    "every byte in percent": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON, UTF-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON as PHP writes it": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "HTML": html.escape,
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, one before": lambda text: base64.b64encode(b"u" + text.encode()).decode(),
    "base64, two before": lambda text: base64.b64encode(b"u:" + text.encode()).decode(),
    "base64, in the middle": lambda text: base64.b64encode(f"\xff{text}\xff\xfe".encode()).decode(),
    "base64, in a URL": lambda text: urllib.parse.quote(
        base64.b64encode(f"a{text}z".encode()).decode(), safe=""
    ),
    "base64url": lambda text: base64.urlsafe_b64encode(f"u:{text}x".encode()).decode(),
    "JSON \\u escapes": lambda text: "".join(f"\\u{byte:04x}" for byte in text.encode()),
}


def _lower_percent(text: str) -> str:
    head, *rest = text.split("%")
    return head + "".join("%" + one[:2].lower() + one[2:] for one in rest)


def scrubber(value: str, placeholder: str) -> Scrubber:
    return Scrubber([secret("x.com", value=value, placeholder=placeholder)])


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_usual_encoding_at_every_border(kind: str, encoding: str) -> None:
    value, placeholder = VALUES[kind]
    scrub = scrubber(value, placeholder)
    encoded = ENCODINGS[encoding](value).encode()
    text = b'{"echo": "' + encoded + b'"}'
    whole = scrub.clean(text)
    assert encoded not in whole
    assert len(whole) == len(text)
    for cut in range(len(text) + 1):
        stream = scrub.stream()
        assert stream.feed(text[:cut]) + stream.feed(text[cut:]) + stream.finish() == whole
    stream = scrub.stream()
    bytewise = b"".join(stream.feed(bytes([byte])) for byte in text) + stream.finish()
    assert bytewise == whole


EXACT = ["plain", "hex", "HEX", "every byte in percent", *(k for k in ENCODINGS if "base64" in k)]


@pytest.mark.parametrize("encoding", EXACT)
def test_the_placeholder_comes_back_in_the_same_encoding(encoding: str) -> None:
    encode = ENCODINGS[encoding]
    found = scrubber(SECRET, PLACEHOLDER).clean(encode(SECRET).encode())
    assert found == encode(PLACEHOLDER).encode()


def test_base64_keeps_what_is_around_it() -> None:
    scrub = scrubber(SECRET, PLACEHOLDER)
    for before in range(4):
        for after in range(4):
            text = b"\xa5" * before + SECRET.encode() + b"\x5a" * after
            expected = b"\xa5" * before + PLACEHOLDER.encode() + b"\x5a" * after
            assert base64.b64decode(scrub.clean(base64.b64encode(text))) == expected


@given(st.binary(max_size=300), st.lists(st.integers(0, 400), max_size=6))
def test_what_has_no_secret_in_it_stays_as_it_is(text: bytes, cuts: list[int]) -> None:
    stream = scrubber(SECRET, PLACEHOLDER).stream()
    assert _in_pieces(stream.feed, text, cuts) + stream.finish() == text


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=8),
            st.sampled_from([b"ab", b"abab", b"%61", b"61", b"YWJh", b"\\u0061"]),
            st.sampled_from(sorted(ENCODINGS)).map(lambda k: ENCODINGS[k]("abababababab").encode()),
        ),
        max_size=12,
    ),
    st.lists(st.integers(0, 600), max_size=6),
)
def test_pieces_are_as_the_whole_for_a_secret_that_overlaps_itself(
    parts: list[bytes], cuts: list[int]
) -> None:
    scrub = scrubber(*VALUES["repetitive"])
    text = b"".join(parts)
    stream = scrub.stream()
    found = _in_pieces(stream.feed, text, cuts) + stream.finish()
    assert len(found) == len(text)
    for encode in ENCODINGS.values():
        assert encode("abababababab").encode() not in found


def test_a_stream_does_not_wait_where_nothing_begins() -> None:
    stream = scrubber(SECRET, PLACEHOLDER).stream()
    event = b"data: tick\n\n"
    assert stream.feed(event) == event
    # Only what may become one waits, however long the text before it.
    assert stream.feed(b"x" * 5000 + SECRET[:7].encode()) == b"x" * 5000
    assert stream.feed(b"!") == SECRET[:7].encode() + b"!"


def test_what_waits_is_bounded() -> None:
    scrub = scrubber(SECRET, PLACEHOLDER)
    longest = max(pattern.longest for pattern in scrub.patterns)
    stream = scrub.stream()
    given = 0
    sent = 0
    for _ in range(2000):
        piece = SECRET[: 1 + given % 39].encode()
        given += len(piece)
        sent += len(stream.feed(piece))
        assert given - sent < longest


def _in_pieces(feed: Callable[[bytes], bytes], text: bytes, cuts: list[int]) -> bytes:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return b"".join(feed(text[a:b]) for a, b in pairwise(places))
