"""Permissions that came with a component: what of them it does not have, and asking for them.

Nothing here gives any. A person does: by allowing the request, or by saying beforehand that they
trust what comes with this component.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import PolicyError
from .policy.requested import Requested, missing, parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from .approvals.model import PermissionAsked, Rule
    from .components.record import ComponentRecord
    from .policy import Policy


@dataclass(frozen=True)
class Wanted:
    """What a component came with and does not have. `lines`: a permission each, for people."""

    policy: Policy
    lines: tuple[str, ...]


def wanted(record: ComponentRecord, has: Policy | None) -> Wanted | None:
    """None: it asks for nothing, or has it all."""
    if not record.requested:
        return None
    try:
        policy = missing(has, Requested(record.requested).policy)
    except PolicyError:
        return None  # the record was edited: it asks for nothing that could be understood
    lines = tuple(line for line, _ in parts(policy))
    return Wanted(policy, lines) if lines else None


def question(
    asks: Wanted, enforceable: Callable[[Rule], bool]
) -> tuple[PermissionAsked | None, list[str]]:
    """What a person is asked, and what they should know besides; None if there is nothing that
    could be given by one answer."""
    from .approvals.choices import offered_of
    from .approvals.model import BundledRules, PermissionAsked

    offered, left_out = offered_of(asks.policy, home=str(Path.home()), enforceable=enforceable)
    notes = [f"it asks for more, which is too wide to be given here: {one}" for one in left_out]
    if not any(True for _ in parts(offered)):
        return None, notes
    return PermissionAsked(BundledRules(Requested.of(offered).text)), notes
