"""[signatures] in config.toml, and who is allowed by it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from support.signing import new_key, public_pem, sha256
from wassette.errors import ConfigError
from wassette.signature_options import Identity, Mode, SignatureOptions, read_signatures

FILE = Path("config.toml")
PEM = public_pem(new_key())


def read(text: str) -> SignatureOptions:
    return read_signatures(tomllib.loads(text), FILE)


def test_nothing_said() -> None:
    assert read("") == SignatureOptions()
    assert read("").mode is Mode.WARN
    assert read('signatures = "require"').mode is Mode.REQUIRE


def test_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "cosign.pub").write_text(PEM)
    (tmp_path / "root.json").write_text("{}")
    found = read(
        f"""
        [signatures]
        mode = "require"
        trusted_root = "{tmp_path}/root.json"
        keys = ["{tmp_path}/cosign.pub", {{ name = "theirs", key = '''{PEM}''' }}]
        [[signatures.identities]]
        identity = "https://github.com/acme/*"
        issuer = "https://token.actions.githubusercontent.com"
        """
    )
    assert found.trusted_root == tmp_path / "root.json"
    assert [one.name for one in found.keys] == ["cosign.pub", "theirs"]
    assert found.keys[0].fingerprint == found.keys[1].fingerprint
    assert found.identities == (
        Identity("https://github.com/acme/*", "https://token.actions.githubusercontent.com"),
    )


def test_fingerprint_is_of_the_binary_form() -> None:
    from cryptography.hazmat.primitives import serialization

    key = new_key()
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    [found] = read_signatures({"signatures": {"keys": [public_pem(key)]}}, FILE).keys
    assert found.fingerprint == f"sha256:{sha256(der)}"


def identity(text: str, issuer: str = "https://idp") -> dict[str, Any]:
    return {"identities": [{"identity": text, "issuer": issuer}]}


@pytest.mark.parametrize(
    "table",
    [
        {"mode": "strict"},
        {"mod": "require"},
        {"trusted_root": "/nowhere"},
        {"identities": "me@example.com"},
        {"identities": [{"identity": "me@example.com"}]},
        {"identities": [{"identity": "me@example.com", "issuer": ""}]},
        {"identities": [{"identity": "me@example.com", "issuer": "x", "more": 1}]},
        identity("*"),
        identity("/*"),
        identity("*@"),
        identity("https://github.com/acme*"),
        identity("https://*/acme/x"),
        identity("https://*"),
        identity("https://github.com/*"),
        identity("me@*.com"),
        identity("me@example.com", "https://*"),
        {"keys": ["/nowhere.pub"]},
        {"keys": ["-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"]},
        {"keys": ["-----BEGIN PUBLIC KEY-----\n!!\n-----END PUBLIC KEY-----"]},
        {"keys": [{"name": "no key"}]},
    ],
)
def test_what_is_wrong_is_said(table: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"config\.toml"):
        read_signatures({"signatures": table}, FILE)


@pytest.mark.parametrize(
    ("pattern", "who", "same"),
    [
        ("me@example.com", "me@example.com", True),
        ("me@example.com", "Me@example.com", False),
        ("*@example.com", "you@example.com", True),
        ("*@example.com", "you@evil.example.com", False),
        ("*@example.com", "@example.com", False),
        ("*@example.com", "a@b@example.com", True),
        ("https://h/acme/*", "https://h/acme/tool", True),
        ("https://h/acme/*", "https://h/acme/", False),
        ("https://h/acme/*", "https://h/acme-evil/tool", False),
        ("https://h/acme/x@*", "https://h/acme/x@refs/tags/v1", True),
    ],
)
def test_who_is_meant(pattern: str, who: str, same: bool) -> None:
    one = Identity(pattern, "https://idp")
    assert one.matches(who, "https://idp") is same
    assert not one.matches(who, "https://other")
