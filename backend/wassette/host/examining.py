"""A component's bytes → what is known of it (`ComponentRecord`), compiled on the way."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from wassette.components import sources
from wassette.components.record import ComponentRecord, Stamp
from wassette.errors import InvalidComponent
from wassette.registry.model import Pulled
from wassette.threads import to_its_end

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wassette.answers import Progress
    from wassette.code import CodeCache
    from wassette.components.store import ComponentStore, Unexamined
    from wassette.provenance import Provenance, Provenances


class Examining:
    """One for each host."""

    def __init__(self, store: ComponentStore, provenances: Provenances, code: CodeCache) -> None:
        self._store, self._provenances, self._code = store, provenances, code

    async def examine(
        self,
        component_id: str,
        path: Path,
        digest: str,
        source: str,
        tell: Progress = lambda _stage, _done: None,
    ) -> ComponentRecord:
        """Raises `InvalidComponent`, which begins with what is wrong: see `naming`."""
        tell("compiling", None)
        size = await asyncio.to_thread(lambda: path.stat().st_size)
        name, compiled = await self._code.compile(path, digest, size)
        try:
            record = ComponentRecord.new(
                component_id, digest, Stamp(size, 0), source, time.time(), compiled.examination
            )
        except ValueError as error:
            raise InvalidComponent(f"was described in a way that does not fit: {error}") from None
        return record.with_code(name, compiled.sha256)

    async def adopt(self, known: Unexamined) -> ComponentRecord:
        """Have what was put into the directory by hand be a component."""
        with naming(known.path), incoming(self._store) as path:
            copied = await to_its_end(sources.copy, known.path, path, lambda _done, _total: None)
            source = known.path.as_uri()
            pulled = Pulled(path, copied.digest, copied.size, source)
            origin = await self._provenances.look(pulled, known.path)
            self._provenances.check(origin, changes=False)
            record = await self.examine(known.id, path, copied.digest, source)
        return await asyncio.to_thread(self._store.adopt, of_origin(record, origin))


def of_origin(
    record: ComponentRecord, origin: Provenance, before: ComponentRecord | None = None
) -> ComponentRecord:
    """With what was found out about where it is from. `before`: what is loaded in its place."""
    signature = origin.signature
    if before is not None and before.digest == record.digest and not signature.checked:
        signature = before.signature  # nobody looked this time; it is still a fact
    return replace(record, signature=signature, requested=origin.requested)


@contextlib.contextmanager
def naming(what: object) -> Iterator[None]:
    """What is wrong with a component is said of this: whoever finds it sees nothing but bytes."""
    try:
        yield
    except InvalidComponent as error:
        raise InvalidComponent(f"{what} {error}") from None


@contextlib.contextmanager
def incoming(store: ComponentStore) -> Iterator[Path]:
    """A path for bytes that are to be looked at, which are gone when this is left."""
    path = store.incoming()
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
