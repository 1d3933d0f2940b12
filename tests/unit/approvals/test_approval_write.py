"""The rule of an `always`, in the policy: exactly that rule, and the rest of the file as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.approvals import WEATHER, asked
from wassette.approvals.model import MemoryRule, Rule
from wassette.approvals.write import write_rule
from wassette.errors import ApprovalOver, ComponentChanged, NotEnforceable
from wassette.policy import Access, EnvironmentRule, NetworkRule, PolicyStore, StorageRule

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
version: "1.0"
permissions:
  network:
    allow:
      # ask Kim
      - host: "a.example.com"
"""


@pytest.fixture
def policies(tmp_path: Path) -> PolicyStore:
    (tmp_path / "weather.policy.yaml").write_text(TEXT)
    return PolicyStore(tmp_path)


def write(policies: PolicyStore, rule: Rule, digest: str | None = WEATHER.digest) -> str:
    write_rule(
        policies,
        asked(),
        rule,
        current=lambda _: digest,
        protected=[policies.directory],
    )
    return policies.path("weather").read_text()


@pytest.mark.parametrize(
    ("rule", "added"),
    [
        (
            NetworkRule("https://b.example.com", methods=("GET", "HEAD")),
            '      - host: "https://b.example.com"\n        methods: ["GET", "HEAD"]\n',
        ),
        (NetworkRule("*.example.com"), '      - host: "*.example.com"\n'),
        (NetworkRule(cidr="10.0.0.5/32"), '      - cidr: "10.0.0.5/32"\n'),
    ],
)
def test_network(policies: PolicyStore, rule: NetworkRule, added: str) -> None:
    text = write(policies, rule)
    assert text.startswith(TEXT)
    policy = policies.read("weather").policy
    assert policy is not None
    assert policy.network_allow == (NetworkRule("a.example.com"), rule)
    assert write(policies, rule) == text  # not twice
    assert added.replace('"', "") in text.replace('"', "")


def test_other_kinds(policies: PolicyStore) -> None:
    storage = StorageRule("fs:///srv/app/*", frozenset({Access.READ}))
    write(policies, storage)
    write(policies, EnvironmentRule("API_KEY"))
    write(policies, MemoryRule("1Gi"))
    policy = policies.read("weather").policy
    assert policy is not None
    assert policy.storage_allow == (storage,)
    assert policy.environment_allow == (EnvironmentRule("API_KEY"),)
    assert policy.limits.memory == 2**30


@pytest.mark.parametrize("digest", ["ff" * 32, None])
def test_not_for_other_bytes(policies: PolicyStore, digest: str | None) -> None:
    with pytest.raises(ApprovalOver, match="changed"):
        write(policies, NetworkRule("b.example.com"), digest)
    assert policies.path("weather").read_text() == TEXT


def test_not_if_the_bytes_change_while_the_lock_is_waited_for(policies: PolicyStore) -> None:
    digests = [WEATHER.digest, "ff" * 32]
    with pytest.raises(ApprovalOver):
        write_rule(
            policies,
            asked(),
            NetworkRule("b.example.com"),
            current=lambda _: digests.pop(0),
            protected=[],
        )
    assert policies.path("weather").read_text() == TEXT


def test_not_if_nobody_knows_the_bytes(policies: PolicyStore) -> None:
    def current(_: str) -> str:
        raise ComponentChanged("no")

    with pytest.raises(ApprovalOver):
        write_rule(policies, asked(), NetworkRule("b.example.com"), current=current, protected=[])


def test_not_what_could_never_be_applied(policies: PolicyStore) -> None:
    rule = StorageRule(f"fs://{policies.directory}/**", frozenset({Access.WRITE}))
    with pytest.raises(NotEnforceable):
        write(policies, rule)
    assert policies.path("weather").read_text() == TEXT
