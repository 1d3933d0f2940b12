"""What the routes work on: one `Window` for each server."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from wassette import config, errors
from wassette.activity import ActivityReader
from wassette.paths import paths

from . import models, views, words
from .asked import Asked
from .auth import Auth
from .calls import Calls
from .events import Events
from .loads import Loads
from .offered import NOTHING, Offered
from .record import Record
from .registered import Registered, connected

if TYPE_CHECKING:
    from wassette.host import Host


class Window:
    def __init__(self, host: Host, offered: Offered = NOTHING) -> None:
        self.host = host
        self.offered = offered
        self.started = time.time()
        self.auth = Auth()
        self.record = Record(paths().activity)
        self.events = Events(host, ActivityReader(paths().activity), self.status, views.entry)
        self.components = views.Components(host, self.record.last_call)
        self.loads = Loads(host, self.events.tell)
        self.calls = Calls(host, _configured())
        self.asked = Asked(host)
        self.registered = Registered(host)

    @property
    def wanted(self) -> bool:
        """Whether somebody looks, did a moment ago, or is about to."""
        return bool(self.events.open or self.events.lingers or self.auth.links or self.auth.busy)

    async def status(self) -> models.Status:
        host = self.host
        waiting = await self.asked.waiting()
        return models.Status(
            components=len(host.store.ids()),
            tools=len(host.tools().all()),
            clients=[connected(one) for one in host.presence.clients()],
            running_calls=[
                models.RunningCall(
                    id=one.id,
                    component_id=one.component_id,
                    tool=one.tool,
                    client=words.clean(one.client.name) if one.client is not None else "",
                    since=one.since,
                    waits=one.id in waiting,
                )
                for one in host.presence.calls()
            ],
            pending=await self._pending(),
            paused=host.paused,
            started=self.started,
            uptime=time.time() - self.started,
        )

    async def _pending(self) -> int:
        try:
            return await self.asked.count()
        except errors.ApprovalsUnavailable:
            return 0  # what is wrong is said where approvals are shown

    async def close(self) -> None:
        await self.loads.close()
        await self.events.close()
        self.record.close()


def _configured() -> dict[str, str]:
    """The variables that config.toml has for components."""
    _, configured = config.read_config(os.environ)
    found = configured.get("environment_vars", {})
    return {key: value for key, value in found.items() if isinstance(value, str)}
