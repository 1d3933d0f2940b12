"""One request from the moment that it was asked for, until its record is given away."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from wassette.egress.scrub import Pattern, patterns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wassette.egress.model import Exchange
    from wassette.policy.injection import BoundSecret

_MAX_URL = 2000


class Redactor:
    """Names secrets, and what stands for them, in texts that people read."""

    def __init__(self, secrets: Sequence[BoundSecret]) -> None:
        self._known: list[tuple[Pattern, bytes]] = [
            (pattern, f"{{{secret.injection.key}}}".encode())
            for secret in secrets
            for hidden in (secret.new, secret.old)
            for pattern in patterns(hidden, hidden)
        ]

    def __call__(self, text: str) -> str:
        if not self._known:
            return text
        data = text.encode("utf-8", "replace")
        for pattern, name in self._known:
            # From the end, so that places before stay where they are.
            for at, found in reversed(list(pattern.found(data))):
                data = data[:at] + name + data[at + len(found) :]
        return data.decode("utf-8", "replace")


class Attempt:
    """Gives its `Exchange` to `record` once, whatever happens."""

    def __init__(
        self,
        exchange: Exchange,
        record: Callable[[Exchange], None],
        redact: Redactor,
        on_over: Callable[[Attempt], None],
    ) -> None:
        self.exchange = exchange
        self.redact = redact
        self._record = record
        self._on_over = on_over
        self._began = time.monotonic()
        self.over = False
        exchange.url = redact(exchange.url)[:_MAX_URL]

    def decided(self, reason: str, rule: str | None, *, allowed: bool) -> None:
        self.exchange.allowed = allowed
        self.exchange.reason = self.redact(reason)
        self.exchange.rule = rule

    def finish(self, error: str | None = None) -> None:
        if self.over:
            return
        self.over = True
        self.exchange.seconds = time.monotonic() - self._began
        if error is not None:
            self.exchange.error = self.redact(error)
        self._on_over(self)
        try:
            self._record(self.exchange)
        except Exception:  # noqa: BLE001 - whoever keeps records cannot break requests
            return
