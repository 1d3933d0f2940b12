"""What calls are seen to use of what components were granted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from wassette.outgoing import MAX_EXCHANGES
from wassette.usage import FileUse, How, NetworkUse

if TYPE_CHECKING:
    from wassette.components.record import ComponentRecord
    from wassette.outgoing import Requests
    from wassette.policy import PolicyStore
    from wassette.usage import UnusedGrant, Usage
    from wassette.workers.process import Outcome

    from .inventory import Inventory

_ALL = "a"
_RULES = "u"


class Using:
    """Of one host."""

    def __init__(self, usage: Usage, policies: PolicyStore, inventory: Inventory) -> None:
        self._usage, self._policies, self._inventory = usage, policies, inventory

    def reports(self, record: ComponentRecord) -> str:
        """What the guard is to tell of the files that a call uses, as an option of its rules: all,
        if a person wants to learn it; or which rules, if one may be unused."""
        if record.learn_until > time.time():
            return _ALL
        policy = self._policies.read(record.id).policy
        return _RULES if self._usage.wants_files(record.id, policy) else ""

    def called(
        self, record: ComponentRecord, reports: str, outcome: Outcome, requests: Requests
    ) -> None:
        """Have it kept what a call used."""
        made = [one for one in requests.exchanges if one.allowed]
        self._usage.called(
            record.id,
            self._policies.read(record.id).policy,
            self._policies.path(record.id),
            [FileUse(How(how), path) for how, path in outcome.used],
            [NetworkUse(one.method, one.url, one.address or "") for one in made],
            watched=record.digest if reports == _ALL else None,
            complete=not outcome.used_more and len(requests.exchanges) < MAX_EXCHANGES,
        )

    async def unused(self, component_id: str) -> list[UnusedGrant]:
        self._inventory.check(component_id)
        return await self._usage.unused(
            component_id,
            self._policies.read(component_id).policy,
            self._policies.path(component_id),
        )
