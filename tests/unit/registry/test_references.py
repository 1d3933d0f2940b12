"""References to components elsewhere."""

from __future__ import annotations

import pytest

from wassette.components.remote import (
    HttpsReference,
    OciReference,
    parse_oci,
    parse_remote,
    registry_name,
)
from wassette.errors import InvalidReference

HEX = "ab" * 32


@pytest.mark.parametrize(
    ("text", "expected", "component_id"),
    [
        (
            "oci://ghcr.io/microsoft/time-server-js:latest",
            OciReference("ghcr.io", "microsoft/time-server-js", "latest"),
            "microsoft_time-server-js",
        ),
        ("oci://ghcr.io/a/b", OciReference("ghcr.io", "a/b", "latest"), "a_b"),
        ("OCI://GHCR.io/a/b:V1", OciReference("ghcr.io", "a/b", "V1"), "a_b"),
        ("oci://localhost:5000/x:1", OciReference("localhost:5000", "x", "1"), "x"),
        ("oci://localhost/x", OciReference("localhost", "x", "latest"), "x"),
        ("oci://[::1]:5000/x", OciReference("[::1]:5000", "x", "latest"), "x"),
        (
            f"oci://ghcr.io/a/b@sha256:{HEX}",
            OciReference("ghcr.io", "a/b", None, f"sha256:{HEX}"),
            "a_b",
        ),
        (
            f"oci://ghcr.io/a/b:1.2@sha256:{HEX}",
            OciReference("ghcr.io", "a/b", "1.2", f"sha256:{HEX}"),
            "a_b",
        ),
        ("oci://tool", OciReference("docker.io", "library/tool", "latest"), "library_tool"),
        ("oci://me/tool:2", OciReference("docker.io", "me/tool", "2"), "me_tool"),
        (
            "oci://index.docker.io/me/tool",
            OciReference("docker.io", "me/tool", "latest"),
            "me_tool",
        ),
        ("oci://ghcr.io/a/b__c/d--e.f", OciReference("ghcr.io", "a/b__c/d--e.f", "latest"), None),
        (
            "https://x.com/y/Tool.wasm?v=1",
            HttpsReference("https://x.com/y/Tool.wasm?v=1", None),
            "tool",
        ),
        (f"https://x.com/t.wasm#sha256={HEX}", HttpsReference("https://x.com/t.wasm", HEX), "t"),
        (f"https://x.com/t#sha256={HEX.upper()}", HttpsReference("https://x.com/t", HEX), "t"),
        (
            "https://x.com:8443/a%20b.wasm",
            HttpsReference("https://x.com:8443/a%20b.wasm", None),
            "a_b",
        ),
    ],
)
def test_understood(
    text: str, expected: OciReference | HttpsReference, component_id: str | None
) -> None:
    found = parse_remote(text)
    assert found == expected
    assert found is not None
    if component_id is not None:
        assert found.id == component_id
    assert parse_remote(str(found)) == found  # what is recorded leads to the same


@pytest.mark.parametrize(
    "text", ["file:///a.wasm", "starter:x", "a/b.wasm", "ftp://x", "http://x/y"]
)
def test_of_another_kind(text: str) -> None:
    assert parse_remote(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "oci://",
        "oci://ghcr.io/",
        "oci://ghcr.io/a/../b",
        "oci://ghcr.io/a//b",
        "oci://ghcr.io/A/b",
        "oci://ghcr.io/a/b:",
        "oci://ghcr.io/a/b:t@",
        "oci://ghcr.io/a/b:a b",
        "oci://ghcr.io/a/b:\n",
        "oci://ghcr.io/a/b@md5:abc",
        f"oci://ghcr.io/a/b@sha256:{HEX[:-1]}",
        f"oci://ghcr.io/a/b@sha512:{HEX}{HEX}",
        "oci://me:pw@ghcr.io/a/b",
        "oci://ghcr.io:0/a",
        "oci://ghcr.io:99999/a",
        "oci://ghcr.io:x/a/b",
        "oci://gh_cr.io/a/b",
        "oci://ghcr.io%2f@evil.com/a",
        "oci://ghcr.io/a/b?x=1",
        "oci://ghcr.io/a/b#x",
        "oci://ghcr.io/con",
        "oci://ghcr.io/" + "a" * 300,
        "oci://" + "a" * 3000,
        "https://",
        "https:///x.wasm",
        "https://x.com/",
        "https://x.com",
        "https://me:pw@x.com/t.wasm",
        "https://x.com/t.wasm#sha256=abc",
        f"https://x.com/t.wasm#md5={HEX}",
        "https://x.com/t.wasm#anchor",
        "https://x.com/a b.wasm",
        "https://x.com/\u202eb.wasm",
        "https://x.com\\@evil.com/t.wasm",
        "https://x.com:0/t.wasm",
        "https://x.com/..",
        "https://x.com/.wasm",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(InvalidReference) as raised:
        parse_remote(text)
    assert "\n" not in str(raised.value)
    assert "pw@" not in str(raised.value) or "oci" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GHCR.io", "ghcr.io"),
        ("localhost:5000", "localhost:5000"),
        ("registry-1.docker.io", "docker.io"),
    ],
)
def test_registries(text: str, expected: str) -> None:
    assert registry_name(text) == expected


@pytest.mark.parametrize(
    "text", ["", "ghcr.io/a", "https://ghcr.io", "a b", "me@x.com", "x:0", "-x"]
)
def test_no_registries(text: str) -> None:
    with pytest.raises(InvalidReference):
        registry_name(text)


def test_pinned() -> None:
    assert not parse_oci("ghcr.io/a/b:1").pinned
    assert parse_oci("ghcr.io/a/b:1").at(f"sha256:{HEX}").pinned
