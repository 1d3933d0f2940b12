"""Where a component comes from, while it is loaded: who signed it, whether that is as before, and
what it asks for. `Provenance.look` finds out, for bytes that nobody has read yet.
"""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .answers import Preview
from .errors import PolicyError, visible
from .policy.requested import MAX_LAYER, Requested, read_requested
from .signatures import Evidence, Signatures

if TYPE_CHECKING:
    from pathlib import Path

    from .answers import Progress
    from .approvals.model import Fact
    from .components.record import ComponentRecord
    from .components.signature import Signature
    from .components.store import ComponentStore
    from .config import Settings
    from .registry.model import Pulled
    from .sandbox.capabilities import Capabilities


@dataclass(frozen=True)
class Provenance:
    """What was found out."""

    evidence: Evidence
    signature: Signature
    requested: str
    """The permissions that it came with, as the text of a policy; empty if it asks for none."""
    remarks: tuple[str, ...]
    """What a person should hear."""


class Provenances:
    """Of one host."""

    def __init__(self, settings: Settings, store: ComponentStore) -> None:
        self._directory = store.directory
        self._signatures = Signatures(settings.signatures, store)

    async def look(
        self, pulled: Pulled, file: Path | None = None, tell: Progress | None = None
    ) -> Provenance:
        """`file`: where a local one lay. Raises nothing: what is wrong is for `check`."""
        remote = pulled.reference is not None or file is None
        evidence = Evidence(pulled.source, pulled.digest, file, pulled if remote else None)
        told = tell or (lambda _stage, _done: None)
        signature = await self._signatures.look(evidence, lambda: told("verifying", None))
        remarks = self._signatures.remarks(evidence, signature)
        requested = ""
        try:
            bundled = await asyncio.to_thread(self._bundled, pulled, file)
            if bundled is not None:
                asks = read_requested(*bundled)
                requested = "" if asks is None else asks.text
        except PolicyError as error:
            unread = f"what it asks for is not known: {visible(str(error), 400)}"
            remarks = (*remarks, unread)
        return Provenance(evidence, signature, requested, remarks)

    def _bundled(self, pulled: Pulled, file: Path | None) -> tuple[bytes, str] | None:
        if pulled.policy is not None:
            return pulled.policy, f"policy of {visible(pulled.source, 300)}"
        # In the component directory the file beside it is the policy itself.
        if file is None or file.parent == self._directory:
            return None
        names = [f"{file.stem}.policy.yaml"]
        if pulled.source.startswith("file:"):
            names.append("policy.yaml")
        for name in names:
            path = file.with_name(name)
            data = _read(path)
            if data is not None:
                return data, visible(str(path), 300)
        return None

    def changes(self, found: Provenance) -> tuple[str, ...]:
        """What is otherwise than what this source gave before. Raises `StoreError`."""
        return self._signatures.changes(found.evidence, found.signature)

    def another_signer(self, found: Provenance) -> bool:
        """Whether it is not signed by who had signed what came from there. Raises `StoreError`."""
        return self._signatures.another_signer(found.evidence, found.signature)

    def check(self, found: Provenance, *, changes: bool) -> None:
        """Raises `NotSigned` if it may not be loaded; and with `changes`, `SourceChanged` if its
        source gave something else before."""
        self._signatures.check(found.evidence, found.signature)
        if changes:
            self._signatures.check_changes(found.evidence, found.signature)

    def notes(self, found: Provenance) -> list[str]:
        """What a person should know who is asked whether to load it: a handful."""
        notes = [f"otherwise than before: {one}" for one in self.changes(found)]
        said = self._signatures.remarks(found.evidence, found.signature)  # among the facts
        notes += [one for one in found.remarks if one not in said]
        if found.requested:
            notes.append("what it asks for it does not have by being loaded")
        return notes

    def facts(self, found: Provenance, component: bytes) -> list[Fact]:
        """The same as a preview has, for the question whether to load it."""
        from .prospect import facts

        return facts(
            found.evidence.source,
            found.signature,
            trusted=self.trusts(found.signature),
            component=component,
            requested=found.requested,
        )

    def facts_of(self, record: ComponentRecord) -> list[Fact]:
        """Of one that is loaded, for the question about what it came with."""
        from .prospect import facts_of

        return facts_of(record, trusted=self.trusts(record.signature))

    def facts_unfetched(self) -> list[Fact]:
        """Of one that nobody has looked at, since that would be to fetch it."""
        from .prospect import unfetched

        return unfetched(self._signatures.options.mode)

    def preview(self, found: Provenance, capabilities: Capabilities) -> Preview:
        """All of it, for people."""
        refusal = self._signatures.refusal(found.evidence.source, found.signature)
        if capabilities.unavailable:
            names = ", ".join(capabilities.unavailable)
            refusal = refusal or f"it imports {names}, which Wassette does not provide"
        return Preview(
            source=found.evidence.source,
            digest=found.evidence.digest,
            capabilities=capabilities,
            signature=found.signature,
            trusted=self.trusts(found.signature),
            refusal=refusal,
            remarks=found.remarks,
            changes=self.changes(found),
            asks_for=Requested(found.requested).lines() if found.requested else (),
        )

    def keep(self, evidence: Evidence, signature: Signature) -> None:
        """It was loaded: expect the same from there."""
        self._signatures.keep(evidence, signature)

    def refusal(self, record: ComponentRecord) -> str | None:
        """Why a component that is loaded may not be used by the settings as they are now."""
        reason = self._signatures.refusal(record.source, record.signature)
        return None if reason is None else f"'{record.id}' is not run: {reason}"

    def trusts(self, signature: Signature) -> bool:
        """Whether it is somebody's whom the settings name."""
        return self._signatures.trusts(signature)


def _read(path: Path) -> bytes | None:
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        file = os.open(path, flags)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PolicyError(f"{path} cannot be read: {error.strerror}") from None
    with open(file, "rb") as opened:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise PolicyError(f"{path} is not a regular file")
        return opened.read(MAX_LAYER + 1)
