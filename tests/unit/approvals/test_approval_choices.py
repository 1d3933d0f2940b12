"""From what is asked to what can be chosen."""

from __future__ import annotations

import pytest

from support.approvals import EVERY_SUBJECT, file, network, target
from wassette.approvals.choices import (
    check_rule,
    choices,
    covers,
    parse_rule,
    registered_domain,
    rule_text,
    scopes,
)
from wassette.approvals.model import (
    EnvironmentAccess,
    LoadAsked,
    MemoryRule,
    NetworkAccess,
    PermissionAsked,
    Scope,
    StorageAccess,
    Subject,
    What,
)
from wassette.errors import DecisionRefused, NotAskable
from wassette.policy import Access, EnvironmentRule, NetworkRule, StorageRule

HOME = "/home/me"
READ = frozenset({Access.READ})
BOTH = frozenset(Access)


def offered(subject: Subject) -> list[str]:
    return [
        rule_text(one.rule) if one.rule else one.text for one in choices(subject, home=HOME).options
    ]


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (
            file("/home/me/notes/a.md"),
            [
                "read fs:///home/me/notes/a.md",
                "read fs:///home/me/notes/*.md",
                "read fs:///home/me/notes/*",
                "read fs:///home/me/notes/**",
            ],
        ),
        (
            file("/srv/app/config", Access.WRITE),
            ["write fs:///srv/app/config", "write fs:///srv/app/*", "write fs:///srv/app/**"],
        ),
        # Of a home directory, and of what is directly in the root, the file only.
        (file("/home/me/.netrc"), ["read fs:///home/me/.netrc"]),
        (file("/home/other/x.txt"), ["read fs:///home/other/x.txt"]),
        (file("/etc/passwd"), ["read fs:///etc/passwd"]),
        (file("/vmlinuz"), ["read fs:///vmlinuz"]),
        # A dot at the beginning is no extension.
        (
            file("/srv/app/.env"),
            ["read fs:///srv/app/.env", "read fs:///srv/app/*", "read fs:///srv/app/**"],
        ),
        (
            StorageAccess("/srv/app/data", Access.READ, What.DIRECTORY),
            ["read fs:///srv/app/data/**", "read fs:///srv/app/**"],
        ),
        (
            StorageAccess("/workspace/a/b.txt", Access.READ, What.FILE, root=True),
            [
                "read fs://workspace/a/b.txt",
                "read fs://workspace/a/*.txt",
                "read fs://workspace/a/*",
                "read fs://workspace/a/**",
            ],
        ),
        # The name of a file may have a wildcard, which in a rule would be more than the file.
        (file("/srv/app/*"), ["read fs:///srv/app/*", "read fs:///srv/app/**"]),
        (
            file("/srv/app/a?.md"),
            ["read fs:///srv/app/*.md", "read fs:///srv/app/*", "read fs:///srv/app/**"],
        ),
        (
            network("https://api.eu.example.co.uk/v1"),
            [
                "GET https://api.eu.example.co.uk",
                "https://api.eu.example.co.uk",
                "api.eu.example.co.uk",
                "*.eu.example.co.uk",
                "*.example.co.uk",
            ],
        ),
        (
            network("http://a.example.com:8080/", "POST"),
            [
                "POST http://a.example.com:8080",
                "http://a.example.com:8080",
                "*.example.com:8080",
            ],
        ),
        # Never everything below a public suffix, or below what is one.
        (
            network("https://example.com/"),
            ["GET https://example.com", "https://example.com", "example.com"],
        ),
        (
            network("https://me.github.io/"),
            ["GET https://me.github.io", "https://me.github.io", "me.github.io"],
        ),
        (
            network("https://co.uk/"),
            ["GET https://co.uk", "https://co.uk", "co.uk"],
        ),
        (
            network("http://localhost:3000/"),
            ["GET http://localhost:3000", "http://localhost:3000"],
        ),
        (
            network("https://192.0.2.7:8443/"),
            ["GET https://192.0.2.7:8443", "https://192.0.2.7:8443"],
        ),
        (network("http://[::1]/"), ["GET http://[::1]", "http://[::1]", "[::1]"]),
        (
            NetworkAccess(target("https://wiki.corp:8443"), "10.0.0.5"),
            ["10.0.0.5:8443", "10.0.0.5/32"],
        ),
        (NetworkAccess(target("https://wiki.corp"), "fd00::5"), ["[fd00::5]:443", "fd00::5/128"]),
        (EnvironmentAccess("API_KEY"), ["API_KEY"]),
        (
            PermissionAsked(StorageRule("fs:///srv/x/**", BOTH)),
            ["read fs:///srv/x/**", "read,write fs:///srv/x/**"],
        ),
        (PermissionAsked(NetworkRule("a.example.com")), ["https://a.example.com", "a.example.com"]),
        (PermissionAsked(NetworkRule("*.example.com")), ["https://*.example.com", "*.example.com"]),
        (PermissionAsked(NetworkRule(cidr="10.0.0.0/8")), ["10.0.0.0/8"]),
        (PermissionAsked(MemoryRule("1Gi")), ["1Gi"]),
        (LoadAsked("file:///x.wasm"), ["load it"]),
    ],
)
def test_offered_narrowest_first(subject: Subject, expected: list[str]) -> None:
    assert offered(subject) == expected


@pytest.mark.parametrize("subject", EVERY_SUBJECT)
def test_whatever_is_offered_covers_what_was_asked(subject: Subject) -> None:
    found = choices(subject, home=HOME)
    assert all(covers(one.rule, subject) for one in found.options)
    assert 0 <= found.default < len(found.options)


@pytest.mark.parametrize(
    "subject",
    [
        PermissionAsked(NetworkRule("*")),
        PermissionAsked(NetworkRule("https://*")),
        PermissionAsked(NetworkRule("*.com")),
        PermissionAsked(NetworkRule("*.co.uk:8443")),
        PermissionAsked(NetworkRule("*.github.io")),
        PermissionAsked(NetworkRule(cidr="0.0.0.0/0")),
        PermissionAsked(NetworkRule(cidr="::/0")),
        PermissionAsked(NetworkRule("no spaces.example")),
        PermissionAsked(StorageRule("fs:///", BOTH)),
        PermissionAsked(StorageRule("fs:///**/*.md", READ)),
        PermissionAsked(StorageRule("fs:///a/../b", READ)),
        PermissionAsked(StorageRule("https://x", READ)),
        PermissionAsked(StorageRule("fs:///srv/x", frozenset())),
        PermissionAsked(EnvironmentRule("A=B")),
        PermissionAsked(MemoryRule("much")),
        file("/srv/*/secret"),
        file("/"),
        StorageAccess("/", Access.READ, What.DIRECTORY),
        StorageAccess("/home/me", Access.READ, What.DIRECTORY),
        file("/srv/a\\..\\b"),
        file("/srv/\ud800"),
        file("relative"),
        EnvironmentAccess(""),
        # A public address needs no rule.
        NetworkAccess(target("https://example.com"), "93.184.216.34"),
    ],
)
def test_what_cannot_be_said_or_is_too_wide_is_not_offered(subject: Subject) -> None:
    with pytest.raises(NotAskable):
        choices(subject, home=HOME)


@pytest.mark.parametrize(
    ("subject", "default"),
    [
        (file(), "read fs:///home/me/notes/a.md"),
        (network(), "GET https://api.example.com"),
        (PermissionAsked(StorageRule("fs:///srv/x", BOTH)), "read,write fs:///srv/x"),
        (PermissionAsked(NetworkRule("a.example.com")), "a.example.com"),
    ],
)
def test_default_is_no_wider_than_what_was_asked(subject: Subject, default: str) -> None:
    found = choices(subject, home=HOME)
    rule = found.options[found.default].rule
    assert rule is not None
    assert rule_text(rule) == default


@pytest.mark.parametrize(
    "rule",
    [
        PermissionAsked(StorageRule("fs:///home", BOTH)),
        PermissionAsked(StorageRule("fs:///home/me", READ)),
        PermissionAsked(NetworkRule("*.example.com")),
        PermissionAsked(NetworkRule(cidr="10.0.0.0/8")),
    ],
)
def test_wide_ones_come_with_a_warning(rule: Subject) -> None:
    assert all(one.warning for one in choices(rule, home=HOME).options)


def test_host_can_say_what_could_not_be_applied() -> None:
    found = choices(file(), enforceable=lambda rule: "*" not in rule_text(rule))
    assert [rule_text(one.rule) for one in found.options if one.rule] == [
        "read fs:///home/me/notes/a.md"
    ]
    with pytest.raises(NotAskable):
        choices(file(), enforceable=lambda _: False)


@pytest.mark.parametrize(
    ("subject", "text", "expected"),
    [
        (file(), "fs:///home/me/**", StorageRule("fs:///home/me/**", READ)),
        (file(), "read,write fs:///home/me/*/*", StorageRule("fs:///home/me/*/*", BOTH)),
        (
            file("/srv/my notes/a b.md"),
            "fs:///srv/my notes/**",
            StorageRule("fs:///srv/my notes/**", READ),
        ),
        (
            file("/srv/my notes/a b.md"),
            "read fs:///srv/my notes/a b.md",
            StorageRule("fs:///srv/my notes/a b.md", READ),
        ),
        (network(), "*.example.com", NetworkRule("*.example.com")),
        (
            network(),
            "GET,head https://api.example.com",
            NetworkRule("https://api.example.com", methods=("GET", "HEAD")),
        ),
        (
            NetworkAccess(target("https://w.corp"), "10.0.0.5"),
            "10.0.0.0/24",
            NetworkRule(cidr="10.0.0.0/24"),
        ),
        (
            PermissionAsked(StorageRule("fs:///srv/x/**", BOTH)),
            "read fs:///srv/x/y/*",
            StorageRule("fs:///srv/x/y/*", READ),
        ),
        (
            PermissionAsked(StorageRule("fs:///srv/x/y", BOTH)),
            "fs:///srv/x",
            StorageRule("fs:///srv/x", BOTH),
        ),
        (
            PermissionAsked(NetworkRule("*.example.com")),
            "a.example.com",
            NetworkRule("a.example.com"),
        ),
        (PermissionAsked(MemoryRule("8Gi")), "1Gi", MemoryRule("1Gi")),
    ],
)
def test_a_person_can_write_another_rule(subject: Subject, text: str, expected: object) -> None:
    assert parse_rule(subject, text) == expected


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        (file(), "fs:///home/me/other/*"),
        (file(), "write fs:///home/me/notes/a.md"),
        (file(), "fs://home/me/notes/a.md"),
        (file(), "execute fs:///home/me/notes/a.md"),
        (file(), "read please fs:///home/me/notes/a.md"),
        (file(), ""),
        (network(), "api.example.org"),
        (network(), "POST api.example.com"),
        (network(), "http://api.example.com"),
        (network(), "api.example.com.evil.net"),
        (network(), "a b c"),
        (NetworkAccess(target("https://w.corp"), "10.0.0.5"), "w.corp"),
        (PermissionAsked(StorageRule("fs:///srv/x", BOTH)), "fs:///srv/y"),
        (PermissionAsked(NetworkRule("a.example.com")), "b.example.com"),
        (PermissionAsked(EnvironmentRule("A")), "B"),
        (PermissionAsked(MemoryRule("8Gi")), "lots"),
        (LoadAsked("file:///x.wasm"), "fs:///x"),
    ],
)
def test_another_rule_has_to_be_one_and_about_what_was_asked(subject: Subject, text: str) -> None:
    with pytest.raises(DecisionRefused):
        parse_rule(subject, text)


def test_a_rule_of_another_kind_covers_nothing() -> None:
    for subject in EVERY_SUBJECT:
        for other in EVERY_SUBJECT:
            kinds = subject.kind.removeprefix("grant-"), other.kind.removeprefix("grant-")
            if kinds[0] != kinds[1] and not isinstance(other, LoadAsked):
                for choice in choices(other, home=HOME).options:
                    if choice.rule is not None:
                        with pytest.raises(DecisionRefused):
                            check_rule(choice.rule, subject)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("a.b.example.co.uk", "example.co.uk"),
        ("example.com", "example.com"),
        ("com", None),
        ("me.github.io", "me.github.io"),
        ("A.Example.COM.", "example.com"),
        ("a.b.internal", "b.internal"),
        ("x.xn--p1ai", "x.xn--p1ai"),
    ],
)
def test_registered_domain(host: str, expected: str | None) -> None:
    assert registered_domain(host) == expected


def test_scopes() -> None:
    assert scopes(file()) == tuple(Scope)
    assert Scope.ONCE not in scopes(PermissionAsked(NetworkRule("a.example.com")))
    assert scopes(PermissionAsked(MemoryRule("1Gi"))) == (Scope.ALWAYS,)
    assert scopes(LoadAsked("x")) == (Scope.ONCE,)
