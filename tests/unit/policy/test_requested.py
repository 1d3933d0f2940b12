"""The permissions that come with a component: read, shown, and added to what a person wrote."""

from __future__ import annotations

import pytest

from wassette.errors import PolicyError
from wassette.policy import Access, Limits, NetworkRule, PolicyDocument, StorageRule
from wassette.policy.requested import Requested, add, missing, parts, read_requested

ASKS = b"""
version: "1.0"
description: do as I say
secret-key: nobody sees this
permissions:
  storage:
    allow: [{uri: "fs:///a/**", access: [write, read]}]
    deny: [{uri: "fs:///a/secret", access: [read]}]
  network:
    allow: [{host: api.x.com, methods: [get]}, {cidr: 10.0.0.0/8}]
    deny: [{host: b.x.com}]
  environment:
    allow:
      - {key: K}
      - {key: T, value_from: U}
      - {key: Z, inject: {host: api.x.com, header: Authorization}}
  resources: {limits: {memory: 512Mi, cpu: 500m, timeout: 30s}}
  runtime: null
"""
LINES = (
    "storage read,write fs:///a/**",
    "network GET api.x.com",
    "network 10.0.0.0/8",
    "environment K",
    "environment T (the value of U)",
    "environment Z (only to be sent to api.x.com in authorization)",
    "deny storage read fs:///a/secret",
    "deny network b.x.com",
    "memory 512 MiB",
    "cpu 0.5 cores",
    "timeout 30 s",
)


def asks(data: bytes = ASKS) -> Requested:
    found = read_requested(data, "theirs")
    assert found is not None
    return found


def test_every_permission_is_a_line_and_nothing_else_is_kept() -> None:
    found = asks()
    assert found.lines() == LINES
    assert "secret-key" not in found.text
    assert "do as I say" not in found.text
    assert Requested.of(found.policy) == found
    assert len(list(parts(found.policy))) == len(LINES)


def test_the_order_of_words_makes_no_other_text() -> None:
    other = ASKS.replace(b"[write, read]", b"[read, write]").replace(b"512Mi", b'"536870912"')
    assert asks(other) == asks()


def test_nothing_is_asked_for() -> None:
    assert read_requested(b'version: "1.0"\npermissions: {}\n', "theirs") is None


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", ASKS.replace(b"fs:///a/**", b"/etc")])
def test_what_cannot_be_read(data: bytes) -> None:
    with pytest.raises(PolicyError, match="theirs"):
        read_requested(data, "theirs")


def test_added_to_nothing_is_all_of_it() -> None:
    document = PolicyDocument.new("x")
    assert add(document, asks().policy)
    assert Requested.of(document.policy) == asks()
    assert not add(document, asks().policy)


def test_what_a_person_wrote_stays() -> None:
    mine = PolicyDocument(
        'version: "1.0"\n# mine\npermissions:\n'
        "  environment: {allow: [{key: Z}]}\n"
        "  network:\n    deny: [{host: api.x.com}] # never\n"
        "  resources: {limits: {memory: 64Mi}}\n",
        "mine",
    )
    assert add(mine, asks().policy)
    text = mine.to_text()
    assert "# mine" in text
    assert "# never" in text
    policy = mine.policy
    assert [rule.inject for rule in policy.environment_allow if rule.key == "Z"] == [None]
    assert policy.limits == Limits(memory=64 * 2**20, cpu=0.5, timeout=30.0)
    assert NetworkRule("api.x.com") in policy.network_deny
    assert StorageRule("fs:///a/secret", frozenset({Access.READ})) in policy.storage_deny
    assert set(asks().policy.network_allow) <= set(policy.network_allow)


def test_missing_is_what_is_not_covered() -> None:
    have = PolicyDocument.new("x")
    have.grant_storage("fs:///a/**", [Access.READ])
    assert missing(have.policy, asks().policy).storage_allow
    have.grant_storage("fs:///a/**", [Access.WRITE])
    assert not missing(have.policy, asks().policy).storage_allow


def test_what_denies_is_added_first() -> None:
    """If it ends in the middle, too little is allowed, and not too much."""

    class Stopped(PolicyDocument):
        def append_rule(self, where: tuple[str, str], item: dict[str, object]) -> None:  # type: ignore[override]
            if where[1] == "allow":
                raise PolicyError("no")
            super().append_rule(where, item)  # type: ignore[arg-type]

    document = Stopped('version: "1.0"\npermissions: {}\n', "x")
    with pytest.raises(PolicyError):
        add(document, asks().policy)
    assert document.policy.storage_deny
    assert not document.policy.storage_allow
