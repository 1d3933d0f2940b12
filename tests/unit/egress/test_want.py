"""Requests as components write them → targets, or the right error."""

from __future__ import annotations

import pytest

from wassette.egress.model import Want
from wassette.egress.want import authority, read
from wassette.errors import RequestRefused

READ = [
    (("GET", "https", "api.x.com", "/a?b=c"), "https://api.x.com:443/a", "?b=c"),
    (("get", "HTTPS", "API.x.com", ""), "https://api.x.com:443/", ""),
    (("GET", "http", "api.x.com:8080", "?q"), "http://api.x.com:8080/", "?q"),
    (("GET", "http", "[::1]:8080", "/"), "http://[::1]:8080/", ""),
    (("GET", "https", "x.com", "/a/../b/%7e?../x"), "https://x.com:443/b/~", "?../x"),
    (("GET", "https", "x.com", "/é?é"), "https://x.com:443/%C3%A9", "?%C3%A9"),
    (("GET", "https", "bücher.de", "/"), "https://xn--bcher-kva.de:443/", ""),
    (("GET", "https", "x.com", "/a?"), "https://x.com:443/a", "?"),
    (("GET", "https", "x.com", "/?u=http://y.com/a?b@c"), "https://x.com:443/", "?u=http://y.com/a?b@c"),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "target", "query"), READ)
def test_read(wanted: tuple[str, str, str, str], target: str, query: str) -> None:
    found, rest = read(Want(*wanted))
    assert (found.shown, rest) == (target, query)
    assert found.method == wanted[0].upper()


URI, METHOD, LONG = (
    "HTTP-request-URI-invalid",
    "HTTP-request-method-invalid",
    "HTTP-request-URI-too-long",
)
REFUSED = [
    (("GET", "ftp", "x.com", "/"), URI),
    (("GET", "", "x.com", "/"), URI),
    (("GET", "https", "", "/"), URI),
    (("GET", "https", "x.com/y", "/"), URI),
    (("GET", "https", "x.com?y", "/"), URI),
    (("GET", "https", "x.com#y", "/"), URI),
    (("GET", "https", "good.com\\@evil.com", "/"), URI),
    (("GET", "https", "user@x.com", "/"), URI),
    (("GET", "https", "x.com:0", "/"), URI),
    (("GET", "https", "x.com:99999", "/"), URI),
    (("GET", "https", "x.com:", "/"), URI),
    (("GET", "https", "x.com", "a"), URI),
    (("GET", "https", "x.com", "@evil.com/"), URI),
    (("GET", "https", "x.com", ".evil.com/"), URI),
    (("GET", "https", "x.com", ":8080/"), URI),
    (("OPTIONS", "https", "x.com", "*"), URI),
    (("GET", "https", "x.com", "/a#b"), URI),
    (("GET", "https", "x.com", "/a b"), URI),
    (("GET", "https", "x.com", "/?a\r\nHost: y"), URI),
    (("GET", "https", "x.com", "/a%2fb"), URI),
    (("GET", "https", "x.com", "/\ud800"), URI),
    (("GET", "http", "2130706433", "/"), URI),
    (("GET", "http", "0x7f.1", "/"), URI),
    (("GET", "http", "0177.0.0.1", "/"), URI),
    (("GET", "http", "127.1", "/"), URI),
    (("GET", "https", "x.com", "/" + "a" * 20000), LONG),
    (("GET", "https", "x" * 20000, "/"), LONG),
    (("CONNECT", "https", "x.com", "/"), METHOD),
    (("connect", "https", "x.com", "/"), METHOD),
    (("TRACE", "https", "x.com", "/"), METHOD),
    (("TRACK", "https", "x.com", "/"), METHOD),
    (("", "https", "x.com", "/"), METHOD),
    (("GET /x", "https", "x.com", "/"), METHOD),
    (("G\r\nET", "https", "x.com", "/"), METHOD),
]


@pytest.mark.parametrize(("wanted", "code"), REFUSED)
def test_refused(wanted: tuple[str, str, str, str], code: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        read(Want(*wanted))
    assert caught.value.code == code
    assert not caught.value.grantable
    assert "\r" not in str(caught.value)


def test_the_host_header_names_the_port_only_where_it_is_not_usual() -> None:
    def host(scheme: str, given: str) -> str:
        return authority(read(Want("GET", scheme, given, "/"))[0])

    assert host("https", "x.com:443") == "x.com"
    assert host("https", "x.com:80") == "x.com:80"
    assert host("http", "x.com:80") == "x.com"
    assert host("http", "[::1]:81") == "[::1]:81"
    assert host("http", "[0:0::1]") == "[::1]"
