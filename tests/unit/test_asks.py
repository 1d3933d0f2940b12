"""What a worker may ask, and how that and its answer look on the way."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import wassette
from wassette.sandbox.hostfn import RequestLine
from wassette.workers import asks, protocol

PACKAGE = Path(wassette.__file__).parent
ROOT = PACKAGE.parent.parent


def test_a_request_crosses_as_it_is() -> None:
    line = RequestLine("GET", "https", "xn--bcher-kva.de:8443", "/ü?q=\u2028'\"\\", 1_500_000_000)
    ask = asks.decode_ask("route", asks.encode_ask(line))
    assert ask == asks.Ask("GET", "https", "xn--bcher-kva.de:8443", "/ü?q=\u2028'\"\\", 1.5)
    ask = asks.decode_ask("route", asks.encode_ask(RequestLine("", "", "", "", None)))
    assert ask == asks.Ask("", "", "", "", None)
    most = RequestLine("G", "s", "a", "p", 2**64 - 1)
    assert asks.decode_ask("route", asks.encode_ask(most)).connect_timeout == (2**64 - 1) / 1e9


def test_a_request_of_any_size_fits() -> None:
    """It is cut where nobody allows it any more."""
    huge = "\U0001f600" * 2_000_000
    body = asks.encode_ask(RequestLine(huge, huge, huge, huge, None))
    assert len(body) <= asks.MAX_ASK
    header = {"kind": "ask", "call": 2**31, "ask": 2**31, "what": "route"}
    assert protocol.frame(header, body)
    ask = asks.decode_ask("route", body)
    assert {len(ask.method), len(ask.scheme), len(ask.authority), len(ask.path)} == {
        asks.MAX_TEXT + 1
    }


GOOD = {"method": "GET", "scheme": "http", "authority": "a", "path": "/", "connect_timeout": None}

BAD: dict[str, object] = {
    "a list": [],
    "nothing": {},
    "no path": {**GOOD, "path": None},
    "a number": {**GOOD, "authority": 5},
    "a list for a text": {**GOOD, "method": ["GET"]},
    "too long": {**GOOD, "path": "/" * (asks.MAX_TEXT + 2)},
    "a time that is a text": {**GOOD, "connect_timeout": "1"},
    "a time that is a fraction": {**GOOD, "connect_timeout": 0.5},
    "a time that is a truth": {**GOOD, "connect_timeout": True},
    "a time before now": {**GOOD, "connect_timeout": -1},
    "a time without end": {**GOOD, "connect_timeout": 2**64},
}


@pytest.mark.parametrize("what", BAD)
def test_what_no_honest_worker_asks(what: str) -> None:
    with pytest.raises(protocol.ProtocolError):
        asks.decode_ask("route", json.dumps(BAD[what]).encode())


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("route", b""),
        ("route", b"{"),
        ("route", b"\xff\xfe"),
        ("route", b"[" * 100_000),
        ("route", json.dumps(GOOD).encode() + b" " * asks.MAX_ASK),
        ("secret", json.dumps(GOOD).encode()),
        (None, json.dumps(GOOD).encode()),
        (["route"], json.dumps(GOOD).encode()),
    ],
)
def test_what_is_no_question(what: object, body: bytes) -> None:
    with pytest.raises(protocol.ProtocolError):
        asks.decode_ask(what, body)


def test_answers_cross_in_the_guard_s_form() -> None:
    there = asks.Destination("127.0.0.1:4000", "/token", 300.0, 0.25)
    assert asks.decode_answer(asks.encode_answer(there)) == {
        "ok": {
            "authority": "127.0.0.1:4000",
            "path": "/token",
            "first-byte": 300 * 10**9,
            "between-bytes": 250_000_000,
        }
    }
    refusal = asks.Refusal("DNS-error", "nowhere")
    assert asks.decode_answer(asks.encode_answer(refusal)) == {
        "err": {"code": "DNS-error", "detail": "nowhere"}
    }


def test_the_cases_of_errors_are_those_of_wasi_http() -> None:
    """The guard gives the component the case of the same number."""
    ours = _cases((PACKAGE / "sandbox/guard/guard.wit").read_text(), "enum error-case")
    wasi = ROOT / "node_modules/@bytecodealliance/jco/lib/wit/builtin/0.2.12/wasi-http/package.wit"
    if not wasi.exists():
        pytest.skip("needs node_modules")
    assert ours == _cases(wasi.read_text(), "variant error-code")
    assert len(ours) == 39


def test_the_relay_s_errors_are_such_cases() -> None:
    """Another one would end the component's process."""
    ours = set(_cases((PACKAGE / "sandbox/guard/guard.wit").read_text(), "enum error-case"))
    used = {
        code
        for file in (*(PACKAGE / "egress").glob("*.py"), PACKAGE / "workers/process.py")
        for code in re.findall(
            r"(?:RequestRefused|Refusal)\(\s*\"([^\"]+)\"", file.read_text(encoding="utf-8")
        )
    }
    assert len(used) > 10
    assert used <= ours


def _cases(wit: str, beginning: str) -> list[str]:
    body = wit.partition(beginning)[2].partition("{")[2].partition("}")[0]
    lines = (line.strip() for line in body.splitlines())
    return [re.split(r"[(,]", line)[0] for line in lines if line and not line.startswith("//")]
