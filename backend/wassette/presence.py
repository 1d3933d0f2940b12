"""Who is connected to a host, and what runs there now."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .answers import Client
    from .recording import Call


@dataclass(frozen=True)
class Connected:
    """A client. Times are Unix seconds."""

    client: Client
    since: float
    last_call: float | None = None


@dataclass(frozen=True)
class RunningCall:
    id: str
    component_id: str
    tool: str
    client: Client | None
    since: float


class Presence:
    """One for each host."""

    def __init__(self) -> None:
        self._clients: dict[str, Connected] = {}
        self._calls: dict[str, RunningCall] = {}
        self._told: list[Callable[[], None]] = []
        self.last_connections: dict[str, float] = {}
        """By name: when such a client was connected last, as far as this host knows."""

    def clients(self) -> list[Connected]:
        """In the order that they came in."""
        return list(self._clients.values())

    def calls(self) -> list[RunningCall]:
        """Oldest first."""
        return list(self._calls.values())

    @contextlib.contextmanager
    def following(self, told: Callable[[], None]) -> Iterator[None]:
        """Have `told` called whenever anything of this is otherwise; it should be quick."""
        self._told.append(told)
        try:
            yield
        finally:
            self._told.remove(told)

    def connect(self, client: Client) -> None:
        before = self._clients.get(client.session)
        now = time.time()
        self._clients[client.session] = (
            Connected(client, now)
            if before is None
            else Connected(client, before.since, before.last_call)
        )
        self._seen(client.name, now)
        self._tell()

    def disconnect(self, client: Client) -> None:
        if self._clients.pop(client.session, None) is not None:
            self._seen(client.name, time.time())
            self._tell()

    def begin(self, call: Call, component_id: str, client: Client | None) -> None:
        """A call runs from now on."""
        now = time.time()
        self._calls[call.id] = RunningCall(call.id, component_id, call.tool, client, now)
        known = self._clients.get(client.session) if client is not None else None
        if known is not None:
            self._clients[known.client.session] = Connected(known.client, known.since, now)
        self._tell()

    def end(self, call: Call) -> None:
        if self._calls.pop(call.id, None) is not None:
            self._tell()

    def _seen(self, name: str, at: float) -> None:
        self.last_connections.pop(name, None)
        self.last_connections[name] = at
        while len(self.last_connections) > _NAMES:
            del self.last_connections[next(iter(self.last_connections))]

    def _tell(self) -> None:
        for told in list(self._told):
            told()


_NAMES = 1000  # that are remembered; a client can say that it has any
