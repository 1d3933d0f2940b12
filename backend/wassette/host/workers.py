"""The workers of a host: what each is for, and having them and their code ready.

The processes themselves are `wassette.workers`.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from wassette.errors import WassetteError
from wassette.sandbox.tiers import Tier
from wassette.workers.clock import Clock
from wassette.workers.pool import CodeUnusable, WorkerSpec

if TYPE_CHECKING:
    from wassette.code import Code, CodeCache
    from wassette.components.record import ComponentRecord
    from wassette.components.store import ComponentStore
    from wassette.outgoing import Requests
    from wassette.policy import Grants
    from wassette.toolset import Tool
    from wassette.workers.pool import Pool
    from wassette.workers.process import Outcome

    from .background import Background
    from .changes import Changes
    from .inventory import Inventory
    from .permissions import Permissions
    from .running import Running

log = logging.getLogger(__name__)


class Workers:
    """Of one host."""

    def __init__(
        self,
        pool: Pool,
        walls: str,
        *,
        store: ComponentStore,
        code: CodeCache,
        inventory: Inventory,
        permissions: Permissions,
        background: Background,
        changes: Changes,
    ) -> None:
        """`walls`: as in `WorkerSpec`."""
        self._pool, self._walls = pool, walls
        self._store, self._code = store, code
        self._inventory, self._permissions = inventory, permissions
        self._background, self._changes = background, changes

    def have_code(self, record: ComponentRecord) -> bool:
        """Whether nothing has to be compiled first."""
        return self._code.known(record) is not None

    async def run(
        self,
        running: Running,
        tool: Tool,
        arguments: bytes,
        outcome: Outcome,
        requests: Requests,
    ) -> bytes:
        """A tool's value as JSON. Raises `CallError`."""
        record = running.record
        grants = await self._permissions.current_grants(record.id, running.session, running)
        for attempt in (1, 2):
            code = await self._code.get(record)
            if code.tier is Tier.WINCH:
                self._improve(record)
            running.clock = Clock(grants.limits.timeout)
            try:
                return await self._pool.call(
                    self.spec(record, code, grants),
                    tool.function.interface,
                    tool.function.name,
                    arguments,
                    running.clock,
                    outcome,
                    requests.answer,
                )
            except CodeUnusable as error:
                if attempt == 2:
                    raise
                log.warning("component %s is compiled again: %s", record.id, error)
                code.path.unlink(missing_ok=True)
        raise AssertionError("unreachable")

    def spec(self, record: ComponentRecord, code: Code, grants: Grants) -> WorkerSpec:
        return WorkerSpec(
            component=record.id,
            code=str(code.path),
            sha256=code.sha256,
            tier=code.tier,
            mounts=tuple((m.host, m.guest, m.writable) for m in grants.mounts),
            file_rules=grants.file_rules,
            openings=tuple(one.plain() for one in grants.openings),
            walls=self._walls,
            environment=grants.environment,
            memory=grants.limits.memory,
            cpu=grants.limits.cpu,
            network=record.network,
        )

    def warm(self, component_id: str) -> None:
        """Have a worker ready before the first call, in a host that stays."""
        if not self._changes.followed or self._store.is_disabled(component_id):
            return

        async def warm() -> None:
            with contextlib.suppress(WassetteError):
                record = await self._inventory.get(component_id)
                code = await self._code.get(record)
                grants = await self._permissions.current_grants(component_id)
                self._pool.warm(self.spec(record, code, grants))

        self._background.run(warm(), f"warm {component_id}")

    def _improve(self, record: ComponentRecord) -> None:
        """Have better code made in the background, in a host that stays."""
        key = f"improve {record.digest}"
        if not self._changes.followed or self._background.runs(key):
            return

        async def improve() -> None:
            try:
                await self._code.improve(record)
            except (WassetteError, OSError) as error:
                log.warning("component %s keeps its first code: %s", record.id, error)

        self._background.run(improve(), key)
