from __future__ import annotations

import pytest

from wassette.errors import PolicyError
from wassette.policy import rules

URIS = [
    "fs:///", "fs:///a", "fs:///a/", "fs:///a/**", "fs:///a/*", "fs:///a/**/*.md", "fs:///a/*.yaml",
    "fs://work", "fs://work/**", "fs://config/app.yaml", "fs:///a b/ü", "fs:///a/%2e%2e/b",
    "fs:///a//b", "fs:///a/...", "fs:///a/..b",
]  # fmt: skip
NOT_URIS = [
    "", "/a", "file:///a", "FS:///a", "fs:/a", "fs://", "fs:///***", "fs:///a/b**", "fs:///a/**b",
    "fs:///a/*x*", "fs:///a/../b", "fs:///..", "fs://..", "fs://a/..", "fs:///a\\..\\b",
    "fs:///a\0b", "fs:///\ud800",
]  # fmt: skip

HOSTS = [
    "api.x.com", "API.x.com", "api.x.com:443", "localhost:8080", "*", "*:8080", "*.x.com",
    "*.x.com:8443", "https://api.x.com", "https://*.x.com", "http://api.x.com:8080/v1/*",
    "https://api.x.com/v1/", "api.x.com/v1", "127.0.0.1", "127.0.0.1:8080", "::1", "[::1]",
    "[::1]:8080", "x.com.", "under_score.x", "bücher.de",
]  # fmt: skip
NOT_HOSTS = [
    "", "*.a.*", "a.*", "a*.com", "*a.com", "**.com", "*.", "*..com", "a..b", ".", ".a", "a b",
    "a\nb", "a\0", "a\u202eb", "user@x.com", "x.com\\y", "ftp://x.com", "https://", "https:///v1",
    "x.com:", "x.com:0", "x.com:65536", "x.com:http", "x.com:-1", "[::1", "[::1]x", "[::1]:",
    "[x.com]:1", "[127.0.0.1]:1", "x.com?q", "x.com#f", "https://x.com/a?b", "https://x.com/*/b",
    "https://x.com/a*b*", "10.0.0.0/8", "fd00::/8", "a:b:c", "fe80::1%eth0", "x" * 254, "\ud800",
]  # fmt: skip

CIDRS = ["10.0.0.0/8", "192.168.1.7/24", "fd00::/8", "127.0.0.1/32", "0.0.0.0/0"]
NOT_CIDRS = ["", "10.0.0.1", "10.0.0.0/33", "10.0.0/8", "x.com/8", "::/129", "fe80::%e/64", "1/\0"]

KEYS = ["API_KEY", "PATH", "a.b", "ü"]
NOT_KEYS = ["", "*", "AWS_*", "A=B", "A\0", "\ud800"]


@pytest.mark.parametrize("uri", URIS)
def test_storage_uri(uri: str) -> None:
    assert rules.check_storage_uri(uri) == uri


@pytest.mark.parametrize("uri", NOT_URIS)
def test_not_a_storage_uri(uri: str) -> None:
    with pytest.raises(PolicyError):
        rules.check_storage_uri(uri)


@pytest.mark.parametrize("host", HOSTS)
def test_host(host: str) -> None:
    assert rules.check_host(host) == host


@pytest.mark.parametrize("host", NOT_HOSTS)
def test_not_a_host(host: str) -> None:
    with pytest.raises(PolicyError):
        rules.check_host(host)


@pytest.mark.parametrize("cidr", CIDRS)
def test_cidr(cidr: str) -> None:
    assert rules.check_cidr(cidr) == cidr


@pytest.mark.parametrize("cidr", NOT_CIDRS)
def test_not_a_cidr(cidr: str) -> None:
    with pytest.raises(PolicyError):
        rules.check_cidr(cidr)


@pytest.mark.parametrize("key", KEYS)
def test_environment_key(key: str) -> None:
    assert rules.check_environment_key(key) == key


@pytest.mark.parametrize("key", NOT_KEYS)
def test_not_an_environment_key(key: str) -> None:
    with pytest.raises(PolicyError):
        rules.check_environment_key(key)


def test_method_is_upper_case() -> None:
    assert rules.check_method("get") == "GET"
    with pytest.raises(PolicyError):
        rules.check_method("GET /")


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("fs:///a/b", None), ("fs:///", None), ("fs:///**", None),
        ("fs://work", "work"), ("fs://work/", "work"), ("fs://work/a/*.md", "work"),
    ],
)  # fmt: skip
def test_the_root_that_a_uri_is_about(uri: str, name: str | None) -> None:
    assert rules.named_root(uri) == name
