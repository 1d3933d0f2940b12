"""A component's bytes, wherever they are: a reference → a file of ours, for a host.

`wassette.registry` is imported when something is to be had from elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from .components import sources
from .errors import StoreError
from .paths import paths
from .registry.model import Pulled
from .threads import to_its_end

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from .components.record import ComponentRecord
    from .components.remote import OciReference
    from .components.sources import Located
    from .config import Settings
    from .registry.catalog import Catalog
    from .registry.push import Pushed
    from .registry.registries import Registries


class Fetching:
    """One for each host."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._registries: Registries | None = None

    async def registries(self) -> Registries:
        if self._registries is None:
            self._registries = await asyncio.to_thread(make_registries, self._settings)
        return self._registries

    async def catalog(self) -> Catalog:
        """What there is to load, as far as it can be had. Raises nothing of its own."""
        registries = await self.registries()
        from .registry.catalog import gather

        return await gather(registries, paths().cache / "catalogs")

    @contextlib.asynccontextmanager
    async def fetch(
        self,
        located: Located,
        incoming: Path,
        tell: Callable[[str, float | None], None] | None = None,
        *,
        by_person: bool = True,
    ) -> AsyncIterator[Pulled]:
        """The bytes at `incoming`, which the caller deletes in any case. Cancelling is safe.

        `by_person`: whoever chose the reference may name a server on a private network. Raises
        `ComponentError`, `StoreError`.
        """
        told = tell or (lambda _stage, _done: None)
        if located.remote is not None:
            registries = await self.registries()

            def say(stage: str, done: int, total: int | None) -> None:
                told(stage, done / total if total else None)

            async with registries.fetch(
                located.remote, incoming, say, by_person=by_person
            ) as pulled:
                yield pulled
            return
        assert located.path is not None
        copied = await to_its_end(
            sources.copy,
            located.path,
            incoming,
            _in_loop(lambda done, total: told("reading", done / total if total else None)),
        )
        yield Pulled(incoming, copied.digest, copied.size, located.source)

    async def push(
        self,
        record: ComponentRecord,
        path: Path,
        reference: OciReference,
        policy: bytes | None,
        annotations: Mapping[str, str] | None,
        tell: Callable[[str, float | None], None] | None,
    ) -> Pushed:
        """A component into a registry. Raises `ComponentError`, `StoreError`."""
        told = tell or (lambda _stage, _done: None)
        registries = await self.registries()
        from .registry.push import push

        exports = [one.interface or one.name for one in record.functions]
        try:
            async with registries.repository(reference) as repository:
                return await push(
                    repository,
                    reference.tag or "latest",
                    path,
                    name=record.id,
                    imports=record.imports,
                    exports=list(dict.fromkeys(exports)),
                    policy=policy,
                    annotations=annotations or {},
                    progress=lambda stage, done, total: told(
                        stage, done / total if total else None
                    ),
                )
        except OSError as error:
            raise StoreError(f"A copy of the component cannot be made: {error.strerror}") from None


def make_registries(settings: Settings) -> Registries:
    """Registries as configured. Takes a moment, the first time: it imports what speaks HTTP."""
    from .registry.registries import Registries
    from .secrets import Place

    secrets = settings.secrets_dir or paths().secrets
    return Registries(settings.egress, settings.registries, secrets, Place(settings.secrets))


def _in_loop(tell: Callable[[int, int], None]) -> Callable[[int, int], None]:
    """`tell`, called in this event loop from whatever thread."""
    loop = asyncio.get_running_loop()

    def call(done: int, total: int) -> None:
        loop.call_soon_threadsafe(tell, done, total)

    return call
