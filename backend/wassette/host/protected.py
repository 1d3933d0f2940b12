"""What no component gets at, whatever it is granted: Wassette's own files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wassette.errors import PolicyError
from wassette.paths import paths
from wassette.policy import StorageRule, check_enforceable_storage

if TYPE_CHECKING:
    from pathlib import Path

    from wassette.approvals.model import Rule
    from wassette.policy import Policy


class Protected:
    """Of one host."""

    def __init__(self, *directories: Path) -> None:
        """`directories`: those that are not in the usual places (`paths`)."""
        self._besides = directories

    def add(self, path: Path) -> None:
        self._besides = (*self._besides, path)

    def paths(self) -> tuple[Path, ...]:
        return (*paths().all, *self._besides)

    def check(self, uri: str) -> None:
        """Whether a rule for `uri` can be enforced. Raises `PolicyError`; `NotEnforceable` for what
        would have to be widened."""
        check_enforceable_storage(uri, self.paths())

    def check_all(self, policy: Policy) -> None:
        """As `check`, for all that a policy allows."""
        for rule in policy.storage_allow:
            self.check(rule.uri)

    def enforceable(self, rule: Rule) -> bool:
        if isinstance(rule, StorageRule):
            try:
                self.check(rule.uri)
            except PolicyError:
                return False
        return True
