"""A call while it runs, as the parts of a host that have to do with it share it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wassette.workers.clock import Clock

if TYPE_CHECKING:
    from wassette.approvals.model import Component
    from wassette.asking import Caller
    from wassette.components.record import ComponentRecord
    from wassette.recording import Call
    from wassette.session import Session

MAX_QUESTIONS = 20
"""Different things that one call can have a person asked about."""


@dataclass
class Running:
    """One call, however often it is run for that."""

    record: ComponentRecord
    session: Session | None
    call: Call
    caller: Caller | None
    """Who waits for it; None if nobody is to be asked on its behalf."""
    clock: Clock = field(default_factory=lambda: Clock(0))
    asked: set[object] = field(default_factory=set)
    allowed: list[tuple[str, str]] = field(default_factory=list)
    """What of files a person has allowed for it: (kind, path)."""

    @property
    def bytes(self) -> tuple[str, str]:
        return self.record.id, self.record.digest

    @property
    def component(self) -> Component:
        from wassette.approvals.model import Component

        return Component(*self.bytes)

    def asks_about(self, what: object) -> bool:
        """Whether a person may be asked about this: not twice, since what was allowed then makes no
        difference, and what was denied counts; and not about everything."""
        if what in self.asked or len(self.asked) >= MAX_QUESTIONS:
            return False
        self.asked.add(what)
        return True
