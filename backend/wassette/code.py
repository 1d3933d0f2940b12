"""Compiled code: made when first needed, kept under what it depends on, found again.

In the cache directory a file is named after the component's digest, what else the code depends on
(`tiers.fingerprint`) and the tier. That a file is there proves nothing: its digest is kept with the
component's metadata, and a worker checks it before it maps the file.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .components.record import ComponentRecord
from .errors import ComponentChanged, ComponentError, InvalidComponent
from .paths import paths
from .sandbox.tiers import Tier, fingerprint

if TYPE_CHECKING:
    from pathlib import Path

    from .components.store import ComponentStore
    from .workers.compiler import Compiled, Compiler

SMALL_COMPONENT = 2 * 1024 * 1024
"""Bytes up to which Cranelift is quick enough (under a second) to be used at once."""


@dataclass(frozen=True)
class Code:
    """Compiled code of a component."""

    path: Path
    sha256: str
    tier: Tier


class CodeCache:
    """The compiled code of one component directory's components."""

    def __init__(self, store: ComponentStore, compiler: Compiler) -> None:
        self._store = store
        self._compiler = compiler
        self._turns: dict[str, asyncio.Lock] = {}

    async def compile(
        self, source: Path, digest: str, size: int, tier: Tier | None = None
    ) -> tuple[str, Compiled]:
        """Compile `source`, of which `digest` is the sha256, into the cache.

        Returns the code's name there, and what was found out about the component. Without a
        `tier`, the one that makes it usable soonest. Raises `InvalidComponent`, and
        `ComponentChanged` when the bytes that were compiled are not those of `digest`.
        """
        tier = tier or (Tier.CRANELIFT if size <= SMALL_COMPONENT else Tier.WINCH)
        folder = paths().code
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True, mode=0o700)
        name = _name(digest, tier)
        output = folder / f".{name}.{secrets.token_hex(6)}"
        try:
            compiled = await self._compiler.compile(source, output, tier)
            if compiled.source_sha256 != digest:
                # Code of other bytes must never be kept, and run, under this digest.
                raise ComponentChanged(f"The bytes of {source} changed while they were compiled")
            output.replace(folder / name)
        except InvalidComponent:
            if tier is not Tier.WINCH:
                raise
            # Winch does not know all of WebAssembly; Cranelift has the last word.
            return await self.compile(source, digest, size, Tier.CRANELIFT)
        finally:
            output.unlink(missing_ok=True)
        return name, compiled

    def known(self, record: ComponentRecord) -> Code | None:
        """The best code that there is for a component now."""
        for tier in (Tier.CRANELIFT, Tier.WINCH):
            name = _name(record.digest, tier)
            if name in record.code and (path := paths().code / name).exists():
                return Code(path, record.code[name], tier)
        return None

    async def get(self, record: ComponentRecord) -> Code:
        """The best code that there is for a component, made now if there is none."""
        if (known := self.known(record)) is not None:
            return known
        async with self._turns.setdefault(record.digest, asyncio.Lock()):
            try:
                current = self._store.get(record.id)
            except ComponentError:
                current = None
            if isinstance(current, ComponentRecord) and (known := self.known(current)) is not None:
                return known  # somebody else was quicker
            return await self._make(record, None)

    async def improve(self, record: ComponentRecord) -> None:
        """Have Cranelift make what Winch has made already."""
        await self._make(record, Tier.CRANELIFT)

    async def _make(self, record: ComponentRecord, tier: Tier | None) -> Code:
        source, size = self._store.path(record.id), record.stamp.size
        name, compiled = await self.compile(source, record.digest, size, tier)
        await asyncio.to_thread(self._store.add_code, record, name, compiled.sha256)
        return Code(paths().code / name, compiled.sha256, _tier(name))


def _name(digest: str, tier: Tier) -> str:
    return f"{digest}-{fingerprint()}-{tier}.cwasm"


def _tier(name: str) -> Tier:
    return Tier(name.removesuffix(".cwasm").rpartition("-")[2])
