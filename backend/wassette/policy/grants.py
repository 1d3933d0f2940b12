"""What a component gets for one call, now: `resolve`.

A broken or absent policy is `None` and gives nothing. Equal grants are equal and hash equal, so
a worker can be kept for as long as they stay the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wassette.errors import visible
from wassette.policy.environment import Variables, decide_environment
from wassette.policy.storage import Mount, resolve_storage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wassette.policy.environment import Variable
    from wassette.policy.injection import BoundSecret
    from wassette.policy.model import Limits, Policy

DEFAULT_MEMORY = 512 * 2**20  # bytes
DEFAULT_TIMEOUT = 60.0  # seconds


@dataclass(frozen=True)
class ResolvedLimits:
    """`Limits` with the defaults filled in; `cpu` None is unlimited."""

    memory: int = DEFAULT_MEMORY  # bytes
    cpu: float | None = None  # share of one core
    timeout: float = DEFAULT_TIMEOUT  # seconds


@dataclass(frozen=True)
class Grants:
    """All that a component may reach. `notes` say, for people, what was left out and why."""

    mounts: tuple[Mount, ...] = ()
    file_rules: str = "\0"
    """What of the mounts the component sees, in the guard's form (`FileRules.encode`)."""
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """What the component sees: values, and placeholders for what is in `secrets`."""
    limits: ResolvedLimits = ResolvedLimits()
    notes: tuple[str, ...] = ()
    secrets: tuple[BoundSecret, ...] = ()
    """For the relay alone. Never leaves this process but in a request to a bound host."""


def resolve(
    policy: Policy | None,
    *,
    environment: Mapping[str, str],
    private_root: Path,
    protected: Sequence[Path],
    bound: Mapping[str, Path] | None = None,
    secrets: Mapping[str, str] | None = None,
    unread: Mapping[str, str] | None = None,
    component_id: str = "",
) -> Grants:
    """Evaluates `policy` against the disk and `environment` as they are now.

    `environment` is all that could be given, with `secrets` of this component before it and those
    that could not be read in `unread` (`Variables`); `private_root` this component's directory for
    named roots, `bound` the named roots that are other directories, `protected` the places that
    no component may touch. Raises nothing: a rule that cannot be applied becomes a note.
    """
    if policy is None:
        return Grants()
    storage = resolve_storage(
        policy.storage_allow,
        policy.storage_deny,
        private_root=private_root,
        protected=protected,
        bound=bound,
    )
    variables = decide_environment(
        policy.environment_allow, Variables(environment, secrets or {}, unread or {}), component_id
    )
    return Grants(
        mounts=storage.mounts,
        file_rules=storage.rules.encode(),
        environment=tuple((one.key, one.text) for one in variables if one.text is not None),
        secrets=tuple(bound for one in variables for bound in one.bound),
        limits=_limits(policy.limits),
        notes=(*storage.notes, *(_note(one) for one in variables if one.note is not None)),
    )


def _note(variable: Variable) -> str:
    return f"environment '{visible(variable.key)}' is not applied: {variable.note}"


def _limits(limits: Limits) -> ResolvedLimits:
    return ResolvedLimits(
        memory=DEFAULT_MEMORY if limits.memory is None else limits.memory,
        cpu=limits.cpu,
        timeout=DEFAULT_TIMEOUT if limits.timeout is None else limits.timeout,
    )
