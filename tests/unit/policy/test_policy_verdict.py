"""What is said about a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from wassette.errors import PolicyError
from wassette.policy import Access, Storage, Verdict, parse_policy, resolve_storage
from wassette.policy.verdict import Kind, Situation, explain

if TYPE_CHECKING:
    from pathlib import Path

POLICY = """\
version: "1.0"
permissions:
  storage:
    allow:
      - {uri: "fs://T/notes", access: [read]}
      - {uri: "fs://T/out", access: [write]}
      - {uri: "fs://T/missing", access: [read]}
      - {uri: "fs://work/**", access: [read, write]}
    deny:
      - {uri: "fs://T/notes/private", access: [read, write]}
  network:
    allow:
      - host: api.x.com
      - {host: "https://y.com/v1/*", methods: [GET]}
      - host: "*.z.com"
      - host: "localhost:8080"
      - cidr: "10.1.0.0/16"
      - host: "*:9000"
    deny:
      - host: "*.evil.com"
  environment:
    allow:
      - key: HOME
      - key: UNSET
      - {key: TOKEN, inject: {host: api.x.com}}
      - {key: SHORT, inject: {host: api.x.com}}
      - key: LOCKED
  resources:
    limits: {memory: 256Mi, cpu: 500m}
"""
VALUE = "the value of the secret"
R, W = Access.READ, Access.WRITE


class Ask(Protocol):
    def __call__(self, kind: Kind, target: str, access: Access = ...) -> Verdict: ...


@pytest.fixture
def asked(tmp_path: Path) -> Ask:
    for name in ("notes/private", "out"):
        (tmp_path / name).mkdir(parents=True)
    policy = parse_policy(POLICY.replace("T/", f"{tmp_path}/"), "p")
    storage = resolve_storage(
        policy.storage_allow, policy.storage_deny, private_root=tmp_path / "p", protected=[]
    )

    def ask(kind: Kind, target: str, access: Access = R) -> Verdict:
        situation = Situation(
            storage,
            {"HOME": "/root", "SHORT": "t", "LOCKED": "from the environment"},
            {"TOKEN": VALUE},
            {"LOCKED": "the keyring is locked"},
        )
        target = target.replace("T/", f"{tmp_path}/")
        verdict = explain(policy, kind, target, situation, access=access)
        rule = verdict.rule and verdict.rule.replace(f"{tmp_path}/", "T/")
        return Verdict(verdict.allowed, verdict.reason.replace(f"{tmp_path}/", "T/"), rule)

    return ask


NOTES = "storage.allow[0] (fs://T/notes)"
OUT = "storage.allow[1] (fs://T/out)"
PRIVATE = "storage.deny[0] (fs://T/notes/private)"
WORK = "storage.allow[3] (fs://work/**)"

STORAGE = [
    ("T/notes/a.md", R, True, f"read T/notes/a.md: allowed by {NOTES}", NOTES),
    ("fs://T/notes/a.md", R, True, f"read T/notes/a.md: allowed by {NOTES}", NOTES),
    ("T/notes/a.md", W, False, f"write T/notes/a.md: only read is allowed by {NOTES}", NOTES),
    ("T/out/x", R, False, f"read T/out/x: only write is allowed by {OUT}", OUT),
    (
        "T/notes/private/x",
        R,
        False,
        f"read T/notes/private/x: allowed by {NOTES}, denied by {PRIVATE}",
        PRIVATE,
    ),
    ("T/other", R, False, "read T/other: no rule", None),
    ("fs://work/x", W, True, f"write /work/x: allowed by {WORK}", WORK),
    (
        "T/missing/x",
        R,
        False,
        "read T/missing/x: storage 'fs://T/missing' is not applied: it does not exist; "
        "make it first",
        None,
    ),
]


@pytest.mark.parametrize(("target", "access", "allowed", "reason", "rule"), STORAGE)
def test_storage(
    asked: Ask, target: str, access: Access, allowed: bool, reason: str, rule: str | None
) -> None:
    assert asked(Kind.STORAGE, target, access) == Verdict(allowed, reason, rule)


def test_a_directory_above_what_is_allowed(asked: Ask) -> None:
    verdict = asked(Kind.STORAGE, "/")
    assert not verdict.allowed
    assert "as a directory above storage.allow" in verdict.reason


OTHERS = [
    (Kind.NETWORK, "api.x.com", True, "GET https://api.x.com:443/ is allowed by network.allow[0]"),
    (Kind.NETWORK, "api.x.com:80", True, "GET http://api.x.com:80/ is allowed"),
    (Kind.NETWORK, "https://y.com/v1/a", True, "network.allow[1] (https://y.com/v1/*)"),
    (Kind.NETWORK, "https://y.com/v2", False, "no rule allows GET https://y.com:443/v2"),
    (Kind.NETWORK, "a.evil.com", False, "denied by network.deny[0] (*.evil.com)"),
    (Kind.NETWORK, "api.x.com", True, ", if it leads to an address that is public, or allowed"),
    (Kind.NETWORK, "a.z.com", True, "network.allow[2] (*.z.com), if it leads"),
    (Kind.NETWORK, "10.1.2.3", True, "GET https://10.1.2.3:443/ is allowed by network.allow[4]"),
    (Kind.NETWORK, "http://10.1.2.3/", True, "is allowed by network.allow[4] (10.1.0.0/16)"),
    (Kind.NETWORK, "localhost:8080", True, "is allowed by network.allow[3] (localhost:8080)"),
    (Kind.NETWORK, "localhost", False, "no rule allows"),
    (Kind.NETWORK, "localhost:9000", False, "which is this machine: only a rule for that address"),
    (Kind.NETWORK, "10.2.0.1:9000", False, "which is private: only a rule for that address"),
    (Kind.NETWORK, "[::ffff:10.2.0.1]:9000", False, "which is private"),
    (Kind.ENVIRONMENT, "HOME", True, "HOME is allowed by environment.allow[0] (HOME)"),
    (Kind.ENVIRONMENT, "UNSET", True, "but it is not set"),
    (Kind.ENVIRONMENT, "PATH", False, "PATH: no rule"),
    (Kind.ENVIRONMENT, "HOME", True, ": given as its value, from the environment"),
    (
        Kind.ENVIRONMENT,
        "TOKEN",
        True,
        "given as a placeholder (a secret of this component), for api.x.com only",
    ),
    (Kind.ENVIRONMENT, "SHORT", False, "but not given: its value has fewer than 12 bytes"),
    (Kind.ENVIRONMENT, "LOCKED", False, "but not given: the keyring is locked"),
    (Kind.MEMORY, "", True, "memory: 256Mi, set by resources.limits.memory"),
    (Kind.MEMORY, "256Mi", True, "256Mi is within 256Mi"),
    (Kind.MEMORY, "1Gi", False, "1Gi is over 256Mi"),
    (Kind.CPU, "", True, "cpu: 0.5 of a core, set by resources.limits.cpu"),
    (Kind.CPU, "1", False, "1 is over 0.5 of a core"),
    (Kind.TIMEOUT, "", True, "timeout: 60s, the default"),
    (Kind.TIMEOUT, "2m", False, "2m is over 60s, the default"),
]


@pytest.mark.parametrize(("kind", "target", "allowed", "reason"), OTHERS)
def test_others(asked: Ask, kind: Kind, target: str, allowed: bool, reason: str) -> None:
    verdict = asked(kind, target)
    assert verdict.allowed is allowed
    assert reason in verdict.reason
    assert VALUE not in repr(verdict)


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (Kind.STORAGE, "relative/path"),
        (Kind.STORAGE, "/a\0b"),
        (Kind.NETWORK, "https://a@b"),
        (Kind.ENVIRONMENT, "A=B"),
        (Kind.MEMORY, "much"),
    ],
)
def test_what_cannot_be_asked(asked: Ask, kind: Kind, target: str) -> None:
    with pytest.raises(PolicyError):
        asked(kind, target)


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
def test_methods_that_no_rule_allows(method: str) -> None:
    policy, situation = parse_policy(POLICY, "p"), Situation(Storage(), {})
    verdict = explain(policy, Kind.NETWORK, "api.x.com", situation, method=method)
    assert (verdict.allowed, verdict.reason) == (False, f"{method} is not for components")


@pytest.mark.parametrize(("kind", "target"), [(Kind.STORAGE, "/a"), (Kind.NETWORK, "a.com")])
def test_no_policy_allows_nothing(kind: Kind, target: str) -> None:
    assert not explain(None, kind, target, Situation(Storage(), {})).allowed
