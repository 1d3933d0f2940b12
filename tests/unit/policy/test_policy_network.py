"""URLs, rules and addresses → verdicts; the nasty ones."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wassette.errors import PolicyError
from wassette.policy import NetworkRule, Policy
from wassette.policy.network import NetworkTarget, decide_address, decide_network, kind_of_address

PARSED = [
    ("https://api.x.com", "https://api.x.com:443/"),
    ("http://api.x.com", "http://api.x.com:80/"),
    ("HTTPS://API.X.Com/Path", "https://api.x.com:443/Path"),
    ("https://api.x.com.", "https://api.x.com:443/"),
    ("https://api.x.com.:8443/", "https://api.x.com:8443/"),
    ("https://api.x.com:443", "https://api.x.com:443/"),
    ("https://api.x.com?q=/../x", "https://api.x.com:443/"),
    ("https://api.x.com#@evil.com", "https://api.x.com:443/"),
    ("https://api.x.com/?q=a@b", "https://api.x.com:443/"),
    ("http://localhost:8080/a", "http://localhost:8080/a"),
    ("http://my_host/", "http://my_host:80/"),
    # International names in every spelling.
    ("https://bücher.de", "https://xn--bcher-kva.de:443/"),
    ("https://BÜCHER.de", "https://xn--bcher-kva.de:443/"),
    ("https://bu\u0308cher.de", "https://xn--bcher-kva.de:443/"),
    ("https://XN--BCHER-KVA.de", "https://xn--bcher-kva.de:443/"),
    ("https://\uff41\uff50\uff49.x.com", "https://api.x.com:443/"),
    ("https://api\u3002x\uff0ecom", "https://api.x.com:443/"),
    ("https://api.x\uff61com", "https://api.x.com:443/"),
    ("https://\u212aelvin.com", "https://kelvin.com:443/"),
    ("https://例え.jp", "https://xn--r8jz45g.jp:443/"),
    # A Cyrillic letter is another one, and shows as one.
    ("https://\u0430pi.x.com", "https://xn--pi-6kc.x.com:443/"),
    # Addresses.
    ("http://127.0.0.1", "http://127.0.0.1:80/"),
    ("http://127.0.0.1.", "http://127.0.0.1:80/"),
    ("http://\u2460\u2461\u2466.0.0.1", "http://127.0.0.1:80/"),
    ("http://[::1]:3000/", "http://[::1]:3000/"),
    ("http://[0:0:0:0:0:0:0:1]/", "http://[::1]:80/"),
    ("http://[2001:DB8::0001]", "http://[2001:db8::1]:80/"),
    ("http://[::ffff:10.0.0.1]", "http://10.0.0.1:80/"),
    ("http://[::ffff:a00:1]", "http://10.0.0.1:80/"),
    # Paths.
    ("https://x.com/a/../b", "https://x.com:443/b"),
    ("https://x.com/a/./b/", "https://x.com:443/a/b/"),
    ("https://x.com/v1/..", "https://x.com:443/"),
    ("https://x.com/v1/a/..", "https://x.com:443/v1/"),
    ("https://x.com/../../a", "https://x.com:443/a"),
    ("https://x.com/v1/%2e%2E/b", "https://x.com:443/b"),
    ("https://x.com/v1/.%2e/b", "https://x.com:443/b"),
    ("https://x.com/%61%2D%7e", "https://x.com:443/a-~"),
    ("https://x.com/%c3%a9", "https://x.com:443/%C3%A9"),
    ("https://x.com/é", "https://x.com:443/%C3%A9"),
    ("https://x.com/a//b", "https://x.com:443/a//b"),
    ("https://x.com/a%3Fb", "https://x.com:443/a%3Fb"),
    ("https://x.com/...", "https://x.com:443/..."),
]


@pytest.mark.parametrize(("url", "expected"), PARSED)
def test_one_spelling(url: str, expected: str) -> None:
    target = NetworkTarget.parse(url)
    assert target.shown == expected
    assert NetworkTarget.parse(target.shown) == target


REFUSED = [
    "",
    "api.x.com",
    "//api.x.com",
    "https:api.x.com",
    "https:/api.x.com",
    "https:///api.x.com",
    "ftp://x.com",
    "file:///etc/passwd",
    "ws://x.com",
    "https://",
    "https://.",
    "https://..",
    "https://a..b",
    "https://.a",
    "https://a.com..",
    "https://-a.com",
    "https://a-.com",
    "https://" + "a" * 64 + ".com",
    "https://" + "a." * 130 + "com",
    # Who is asked?
    "https://api.x.com@evil.com",
    "https://user:password@x.com",
    "https://@x.com",
    "https://api.x.com\\@evil.com",
    "https://api.x.com\\.evil.com",
    "https:\\\\x.com",
    "https://x.com/a\\..\\b",
    "https://x.com%2f@evil.com",
    "https://x.com%2eevil.com",
    "https://x%00.com",
    # Ports.
    "https://x.com:",
    "https://x.com:0",
    "https://x.com:65536",
    "https://x.com:99999999999",
    "https://x.com:080",
    "https://x.com:+80",
    "https://x.com:-1",
    "https://x.com:8 0",
    "https://x.com:\u0661",
    "https://x.com:80:80",
    "https://x.com:http",
    # Addresses that programs read in different ways.
    "http://1",
    "http://127.1",
    "http://127.0.1",
    "http://2130706433",
    "http://0x7f000001",
    "http://0x7f.0.0.1",
    "http://0177.0.0.1",
    "http://127.0.0.01",
    "http://127.0.0.0x1",
    "http://127.0.0.256",
    "http://1.2.3.4.5",
    "http://x.1",
    "http://x.0x",
    "http://\uff11.1",
    "http://::1/",
    "http://[::1",
    "http://::1]",
    "http://[::1]x",
    "http://[::1]:",
    "http://[127.0.0.1]",
    "http://[x.com]",
    "http://[]",
    "http://[fe80::1%25eth0]",
    "http://[fe80::1%eth0]",
    "http://[v1.x]",
    # Characters that cannot be seen, or end something somewhere.
    "https://x.com\t.evil.com",
    "https://x.com\n",
    " https://x.com",
    "https://x.com ",
    "https://x\u200b.com",
    "https://x\u00ad.com",
    "https://x\u202ecom",
    "https://x\u3000.com",
    "https://x.com/\r\nHost: evil",
    "https://x.com/\0",
    "https://x.com/\ud800",
    "https://x<y.com",
    "https://x,y.com",
    "https://x;y.com",
    "https://*.x.com",
    "https://x.com&y",
    # International names that are others, or not one.
    "https://faß.de",
    "https://\u03b1\u03c2.gr",
    "https://xn--.com",
    "https://xn--a.com",
    "https://xn--api-.x.com",
    "https://xn--" + "9" * 50 + ".com",
    "https://\u2100.com",
    "https://a\u2044b.com",
    "https://a\uff0fb.com",
    "https://a\uff03b.com",
    "https://a\uff20b.com",
    "https://\U0001f4a9.la",
    # Paths.
    "https://x.com/%2f..",
    "https://x.com/v1/%2F%2e%2e/b",
    "https://x.com/a%5cb",
    "https://x.com/%00",
    "https://x.com/%",
    "https://x.com/%zz",
    "https://x.com/v1/..;/b",
    "https://x.com/v1/..;a=b/c",
    "https://x.com/v1/%2e%2e;/b",
    "https://x.com/" + "a" * 20_000,
]


@pytest.mark.parametrize("url", REFUSED)
def test_refused_whatever_the_rules_say(url: str) -> None:
    with pytest.raises(PolicyError):
        NetworkTarget.parse(url)


@pytest.mark.parametrize("method", ["", "GET POST", "GET\r\n", "G\u0130T", "1"])
def test_methods_are_words(method: str) -> None:
    with pytest.raises(PolicyError):
        NetworkTarget.parse("https://x.com", method)


@given(st.text(max_size=40))
@example("[::1]")
def test_any_text_is_a_target_or_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://x.com/{text}"):
        try:
            target = NetworkTarget.parse(url)
        except PolicyError:
            continue
        assert NetworkTarget.parse(target.shown) == target
        assert target.host.isascii()
        assert target.path.isascii()


def _rule(text: str) -> NetworkRule:
    """`GET,POST host`, or `host`, or `cidr 10.0.0.0/8`."""
    first, _, rest = text.partition(" ")
    if first == "cidr":
        return NetworkRule(cidr=rest)
    return NetworkRule(host=rest, methods=tuple(first.split(","))) if rest else NetworkRule(text)


def _policy(allow: list[str], deny: list[str]) -> Policy:
    return Policy(
        "1.0", network_allow=tuple(map(_rule, allow)), network_deny=tuple(map(_rule, deny))
    )


# (allow, deny, what is allowed, what is not); a method may stand before a URL
DECIDED: list[tuple[list[str], list[str], list[str], list[str]]] = [
    ([], [], [], ["https://x.com", "http://127.0.0.1"]),
    (
        ["api.x.com"],
        [],
        ["https://api.x.com/a", "http://api.x.com", "POST https://API.X.COM."],
        [
            "https://x.com",
            "https://a.api.x.com",
            "https://api.x.com:8443",
            "http://api.x.com:8080",
            "https://api.x.com.evil.com",
            "https://evilapi.x.com",
            "https://xapi.x.com",
        ],
    ),
    (["API.x.com."], [], ["https://api.x.com"], []),
    (
        ["api.x.com:8443"],
        [],
        ["https://api.x.com:8443", "http://api.x.com:8443"],
        ["https://api.x.com"],
    ),
    (["api.x.com"], [], ["http://api.x.com:443", "https://api.x.com:80"], []),
    (
        ["https://api.x.com"],
        [],
        ["https://api.x.com"],
        ["http://api.x.com", "http://api.x.com:443", "https://api.x.com:80"],
    ),
    (["http://api.x.com"], [], ["http://api.x.com"], ["https://api.x.com"]),
    (
        ["https://api.x.com:8443"],
        [],
        ["https://api.x.com:8443"],
        ["https://api.x.com", "http://api.x.com:8443"],
    ),
    (
        ["*.x.com"],
        [],
        ["https://a.x.com", "https://a.b.x.com"],
        ["https://x.com", "https://ax.com", "https://a.x.com.evil.com", "https://a.x.com:8443"],
    ),
    (["*.x.com:8443"], [], ["https://a.x.com:8443"], ["https://a.x.com"]),
    (["https://*.x.com"], [], ["https://a.x.com"], ["http://a.x.com"]),
    (["*"], [], ["https://x.com", "http://a.b.c", "http://127.0.0.1"], ["https://x.com:8443"]),
    (["*:8443"], [], ["https://x.com:8443"], ["https://x.com"]),
    (["bücher.de"], [], ["https://xn--bcher-kva.de", "https://BÜCHER.de"], ["https://bucher.de"]),
    (["xn--bcher-kva.de"], [], ["https://bücher.de"], []),
    (["*.bücher.de"], [], ["https://a.bücher.de"], ["https://bücher.de"]),
    # Paths and methods.
    (
        ["https://api.x.com/v1/*"],
        [],
        ["https://api.x.com/v1/", "https://api.x.com/v1/a/b?c", "https://api.x.com/v2/../v1/a"],
        [
            "https://api.x.com/",
            "https://api.x.com/v1",
            "https://api.x.com/v10/",
            "https://api.x.com/v1/../v2",
            "https://api.x.com/v1/%2e%2e/v2",
            "https://api.x.com/V1/",
        ],
    ),
    (
        ["https://api.x.com/v1"],
        [],
        ["https://api.x.com/v1", "https://api.x.com/%761?q"],
        ["https://api.x.com/v1/", "https://api.x.com/v1/a"],
    ),
    (["https://api.x.com/"], [], ["https://api.x.com/", "https://api.x.com/a"], []),
    (["https://api.x.com/v1*"], [], ["https://api.x.com/v10"], ["https://api.x.com/v"]),
    (["https://api.x.com/%zz/*"], [], [], ["https://api.x.com/", "https://api.x.com/a"]),
    (
        ["GET,HEAD api.x.com"],
        [],
        ["GET https://api.x.com", "head https://api.x.com"],
        ["POST https://api.x.com"],
    ),
    (
        ["GET api.x.com", "POST https://api.x.com/in"],
        [],
        ["POST https://api.x.com/in"],
        ["POST https://api.x.com/out"],
    ),
    # Addresses.
    (
        ["localhost:8080"],
        [],
        ["http://localhost:8080"],
        ["http://localhost", "http://127.0.0.1:8080"],
    ),
    (
        ["127.0.0.1:8080"],
        [],
        ["http://127.0.0.1:8080", "http://[::ffff:127.0.0.1]:8080"],
        ["http://127.0.0.1", "http://localhost:8080"],
    ),
    (["::1"], [], ["http://[::1]", "http://[0::1]"], ["http://[::2]"]),
    (["[::1]:3000"], [], ["http://[::1]:3000"], ["http://[::1]"]),
    (["http://[::1]:3000/a/*"], [], ["http://[::1]:3000/a/b"], ["http://[::1]:3000/b"]),
    (
        ["cidr 10.0.0.0/8"],
        [],
        ["http://10.1.2.3", "http://[::ffff:10.1.2.3]"],
        ["http://11.0.0.1", "http://10.0.0.1:8080", "http://x.com", "http://[64:ff9b::a00:1]"],
    ),
    (["cidr 10.1.2.3/8"], [], ["http://10.9.9.9"], []),
    (["cidr fd00::/8"], [], ["http://[fd12::1]"], ["http://[fe80::1]", "http://10.0.0.1"]),
    (["cidr 0.0.0.0/0"], [], ["http://8.8.8.8"], ["http://[2606:4700::1]", "http://x.com"]),
    # Deny beats allow, for every port, scheme and path that it does not name.
    (
        ["*", "*:8443"],
        ["evil.com"],
        ["https://x.com"],
        ["https://evil.com", "http://evil.com", "https://evil.com:8443", "https://EVIL.com."],
    ),
    (["*", "*:8443"], ["evil.com:8443"], ["https://evil.com"], ["https://evil.com:8443"]),
    (["*"], ["*.evil.com"], ["https://evil.com"], ["https://a.evil.com", "https://a.b.evil.com"]),
    (["*"], ["https://evil.com"], ["http://evil.com"], ["https://evil.com"]),
    (["*"], ["POST x.com"], ["https://x.com"], ["POST https://x.com"]),
    (
        ["*"],
        ["https://x.com/admin/*"],
        ["https://x.com/", "https://x.com/admin"],
        ["https://x.com/admin/a", "https://x.com/a/../admin/b", "https://x.com/%61dmin/x"],
    ),
    (["*"], ["https://x.com/%zz"], [], ["https://x.com/a"]),
    (["*"], ["cidr 10.0.0.0/8"], ["http://11.0.0.1"], ["http://10.0.0.1", "http://[::ffff:a00:1]"]),
    (["*"], ["*"], [], ["https://x.com"]),
    (["a.com"], ["a.com"], [], ["https://a.com"]),
]


@pytest.mark.parametrize(("allow", "deny", "yes", "no"), DECIDED, ids=range(len(DECIDED)))
def test_decided(allow: list[str], deny: list[str], yes: list[str], no: list[str]) -> None:
    policy = _policy(allow, deny)
    for url, expected in [(one, True) for one in yes] + [(one, False) for one in no]:
        method, space, rest = url.partition(" ")
        target = NetworkTarget.parse(rest, method) if space else NetworkTarget.parse(url)
        verdict = decide_network(policy, target)
        assert verdict.allowed is expected, (url, verdict)
        assert verdict.rule is not None or not verdict.allowed


def test_reasons_name_the_rule() -> None:
    policy = _policy(["a.com", "*"], ["evil.com"])
    verdict = decide_network(policy, NetworkTarget.parse("https://x.com/a"))
    assert verdict.rule == "network.allow[1] (*)"
    assert verdict.reason == "GET https://x.com:443/a is allowed by network.allow[1] (*)"
    verdict = decide_network(policy, NetworkTarget.parse("https://evil.com"))
    assert verdict.rule == "network.deny[0] (evil.com)"
    assert decide_network(policy, NetworkTarget.parse("https://x:1/", "PUT")).reason == (
        "no rule allows PUT https://x:1/"
    )


KINDS = [
    ("8.8.8.8", None),
    ("1.1.1.1", None),
    ("2606:4700::1111", None),
    ("::ffff:8.8.8.8", None),
    ("64:ff9b::808:808", None),
    ("127.0.0.1", "this machine"),
    ("127.255.0.1", "this machine"),
    ("::1", "this machine"),
    ("0.0.0.0", "this machine"),
    ("0.1.2.3", "this machine"),
    ("::", "this machine"),
    ("::ffff:127.0.0.1", "this machine"),
    ("::127.0.0.1", "this machine"),
    ("64:ff9b::7f00:1", "this machine"),
    ("2002:7f00:1::", "this machine"),
    ("10.0.0.1", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.1.1", "private"),
    ("fd12:3456::1", "private"),
    ("fc00::1", "private"),
    ("fec0::1", "private"),
    ("::ffff:192.168.0.1", "private"),
    ("64:ff9b::a00:1", "private"),
    ("2002:a00:1::1", "private"),
    ("169.254.1.1", "link-local"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("169.254.169.254", "a cloud's metadata service"),
    ("fd00:ec2::254", "a cloud's metadata service"),
    ("::ffff:169.254.169.254", "a cloud's metadata service"),
    ("100.64.0.1", "carrier-grade NAT"),
    ("100.127.255.255", "carrier-grade NAT"),
    ("224.0.0.1", "multicast"),
    ("ff02::1", "multicast"),
    ("255.255.255.255", "broadcast"),
    ("64:ff9b:1::1", "local translation"),
    ("240.0.0.1", "not on the internet"),
    ("192.0.2.1", "not on the internet"),
    ("198.18.0.1", "not on the internet"),
    ("2001:db8::1", "not on the internet"),
    ("100::1", "not on the internet"),
    # Not in every Python's registry, or in none.
    ("192.0.0.1", "not on the internet"),
    ("3fff::1", "not on the internet"),
    ("5f00::1", "not on the internet"),
    ("4000::1", "not on the internet"),
    ("1::1", "not on the internet"),
    ("::ffff:0:7f00:1", "this machine"),
    ("::ffff:0:a00:1", "private"),
    ("168.63.129.16", "a cloud's metadata service"),
    ("192.0.0.192", "a cloud's metadata service"),
    ("2606:2800:220:1::1946", None),
    ("64:ff9b::5db8:d822", None),
]


@pytest.mark.parametrize(("address", "kind"), KINDS)
def test_kinds_of_addresses(address: str, kind: str | None) -> None:
    assert kind_of_address(ipaddress.ip_address(address)) == kind
    verdict = decide_address(_policy(["*"], []), address, 443, NetworkTarget.parse("https://x.com"))
    assert verdict.allowed is (kind is None)
    assert kind is None or kind in verdict.reason


# (allow, deny, URL, the address that its name has, whether it may be connected to)
LEADING = [
    (["x.com"], [], "https://x.com", "93.184.216.34", True),
    (["x.com"], [], "https://x.com", "10.0.0.1", False),
    (["x.com", "cidr 10.0.0.0/8"], [], "https://x.com", "10.0.0.1", True),
    (["x.com", "cidr 10.0.0.0/8"], [], "https://x.com", "::ffff:10.0.0.1", True),
    (["x.com", "cidr 10.0.0.0/8"], [], "https://x.com", "64:ff9b::a00:1", False),
    (["x.com", "cidr 10.0.0.0/8"], [], "https://x.com", "192.168.0.1", False),
    (["x.com:8443", "cidr 10.0.0.0/8"], [], "https://x.com:8443", "10.0.0.1", True),
    (["x.com", "10.0.0.1"], [], "https://x.com", "10.0.0.1", True),
    (["x.com", "10.0.0.1:8080"], [], "https://x.com", "10.0.0.1", False),
    (["x.com", "https://10.0.0.1"], [], "http://x.com", "10.0.0.1", False),
    (["x.com", "*"], [], "https://x.com", "127.0.0.1", False),
    (["x.com", "cidr 0.0.0.0/0"], [], "https://x.com", "127.0.0.1", True),
    (["localhost:8080"], [], "http://localhost:8080", "127.0.0.1", True),
    (["localhost:8080"], [], "http://localhost:8080", "::1", True),
    (["localhost"], [], "http://localhost", "10.0.0.1", False),
    (["localhost", "x.com"], [], "http://x.com", "127.0.0.1", False),
    (["localhost:8080", "localhost"], [], "http://localhost", "127.0.0.1", True),
    (["127.0.0.1:8080"], [], "http://127.0.0.1:8080", "127.0.0.1", True),
    (["*"], [], "http://127.0.0.1", "127.0.0.1", False),
    (["x.com"], ["cidr 93.184.0.0/16"], "https://x.com", "93.184.216.34", False),
    (["x.com"], ["93.184.216.34"], "https://x.com", "93.184.216.34", False),
    (["x.com"], ["93.184.216.34:80"], "https://x.com", "93.184.216.34", True),
    (["x.com"], ["POST 93.184.216.34"], "https://x.com", "93.184.216.34", True),
    (["x.com"], ["cidr 93.184.0.0/16"], "https://x.com", "64:ff9b::5db8:d822", False),
    (["x.com", "cidr 10.0.0.0/8"], ["cidr 10.1.0.0/16"], "https://x.com", "10.1.0.1", False),
]


@pytest.mark.parametrize(("allow", "deny", "url", "address", "allowed"), LEADING)
def test_where_a_name_may_lead(
    allow: list[str], deny: list[str], url: str, address: str, allowed: bool
) -> None:
    target = NetworkTarget.parse(url)
    policy = _policy(allow, deny)
    assert decide_network(policy, target).allowed
    verdict = decide_address(policy, address, target.port, target)
    assert verdict.allowed is allowed, verdict
