"""Which proxy a request goes by."""

from __future__ import annotations

import pytest

from wassette.egress.proxies import choose
from wassette.egress_options import EgressOptions
from wassette.errors import RequestRefused
from wassette.policy.network import NetworkTarget

BOTH = EgressOptions(http_proxy="http://p:3128", https_proxy="https://u:p%40ss@q")


def test_each_scheme_has_its_own() -> None:
    plain = choose(BOTH, NetworkTarget.parse("http://x.com"))
    secure = choose(BOTH, NetworkTarget.parse("https://x.com"))
    assert plain is not None
    assert secure is not None
    assert (plain.scheme, plain.host, plain.port) == ("http", "p", 3128)
    assert (secure.scheme, secure.host, secure.port) == ("https", "q", 443)
    assert plain.authorization is None
    assert secure.authorization == b"Basic dTpwQHNz"
    assert (
        choose(EgressOptions(http_proxy="http://p"), NetworkTarget.parse("https://x.com")) is None
    )


@pytest.mark.parametrize(
    ("entry", "url", "excepted"),
    [
        ("*", "http://x.com", True),
        ("x.com", "http://x.com", True),
        ("x.com", "http://a.b.x.com", True),
        ("x.com", "http://ax.com", False),
        ("X.com", "http://x.COM", True),
        (".x.com", "http://a.x.com", True),
        ("*.x.com", "http://a.x.com", True),
        ("x.com:8080", "http://x.com:8080", True),
        ("x.com:8080", "http://x.com", False),
        ("10.0.0.0/8", "http://10.1.2.3", True),
        ("10.0.0.0/8", "http://11.1.2.3", False),
        ("10.0.0.0/8", "http://x.com", False),
        ("10.0.0.1", "http://10.0.0.1:81", True),
        ("fd00::/8", "http://[fd00::1]", True),
        ("[fd00::1]", "http://[fd00::1]", True),
        ("[fd00::1]:81", "http://[fd00::1]:81", True),
        ("[fd00::1]:81", "http://[fd00::1]", False),
        ("", "http://x.com", False),
        (".", "http://x.com", False),
    ],
)
def test_exceptions(entry: str, url: str, excepted: bool) -> None:
    options = EgressOptions(http_proxy="http://p", no_proxy=("other.example", entry))
    assert (choose(options, NetworkTarget.parse(url)) is None) is excepted


@pytest.mark.parametrize(
    "url", ["http://localhost", "http://127.0.0.1:80", "http://127.8.9.1", "http://[::1]"]
)
def test_this_machine_is_never_reached_by_a_proxy(url: str) -> None:
    assert choose(BOTH, NetworkTarget.parse(url)) is None


@pytest.mark.parametrize(
    ("proxy", "text"),
    [
        ("socks5://u:hunter2@p:1080", "SOCKS"),
        ("socks5h://hunter2@p", "SOCKS"),
        ("ftp://u:hunter2@p", "no HTTP proxy"),
        ("http://", "should be a URL"),
        ("http://u:hunter2@p:port", "should be a URL"),
        ("http://u:hunter2@p/path", "should be a URL"),
        ("http://[u:hunter2@p", "should be a URL"),
    ],
)
def test_proxies_that_cannot_be_used_are_named_without_what_is_in_them(
    proxy: str, text: str
) -> None:
    with pytest.raises(RequestRefused, match=text) as caught:
        choose(EgressOptions(https_proxy=proxy), NetworkTarget.parse("https://x.com"))
    assert caught.value.code == "configuration-error"
    assert "https_proxy" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_credentials_are_not_shown() -> None:
    assert "dTpwQHNz" not in repr(choose(BOTH, NetworkTarget.parse("https://x.com")))
    assert "p%40ss" not in repr(BOTH)
