from __future__ import annotations

from pathlib import Path

import pytest

from wassette.policy import (
    Access,
    EnvironmentRule,
    Grants,
    Limits,
    NetworkRule,
    Policy,
    ResolvedLimits,
    StorageRule,
    resolve,
)

RW = frozenset(Access)


def _resolve_policy(policy: Policy | None, **environment: str) -> Grants:
    return resolve(policy, environment=environment, private_root=Path("/nowhere"), protected=[])


def test_no_policy_gives_nothing() -> None:
    grants = _resolve_policy(None, PATH="/bin", SECRET="x")
    assert grants == Grants((), "\0", (), ResolvedLimits(512 * 2**20, None, 60.0), ())


def test_only_allowed_variables_that_are_there() -> None:
    policy = Policy(
        version="1.0", environment_allow=tuple(map(EnvironmentRule, ("B", "A", "A", "MISSING")))
    )
    grants = _resolve_policy(policy, A="1", B="", C="3")
    assert grants.environment == (("A", "1"), ("B", ""))
    assert grants.notes == ()


def test_a_value_with_nul_is_left_out() -> None:
    policy = Policy(version="1.0", environment_allow=(EnvironmentRule("A"),))
    grants = _resolve_policy(policy, A="1\0B=2")
    assert grants.environment == ()
    assert "NUL" in grants.notes[0]


def test_rules_of_the_network_need_no_notes() -> None:
    """They are decided for each request."""
    policy = Policy(
        version="1.0",
        network_allow=(NetworkRule(host="api.x.com"), NetworkRule(cidr="10.0.0.0/8")),
        network_deny=(NetworkRule(host="y"),),
    )
    assert _resolve_policy(policy).notes == ()


@pytest.mark.parametrize(
    ("limits", "resolved"),
    [
        (Limits(), ResolvedLimits(512 * 2**20, None, 60.0)),
        (Limits(memory=1, cpu=0.5, timeout=2.0), ResolvedLimits(1, 0.5, 2.0)),
    ],
)
def test_limits(limits: Limits, resolved: ResolvedLimits) -> None:
    assert _resolve_policy(Policy(version="1.0", limits=limits)).limits == resolved


def test_equal_grants_are_a_key(tmp_path: Path) -> None:
    policy = Policy(version="1.0", storage_allow=(StorageRule(f"fs://{tmp_path}/*.md", RW),))
    first, second = (_resolve_policy(policy) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert first.file_rules == f"\0rw 0 {tmp_path}/*.md\0"
