"""From a component that arrived to what is known of who signed it, and whether it may be loaded.

`Evidence` is what came with it; `look` finds out who signed it; the rest are decisions about that,
with no input or output but the pins.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wassette.components.signature import Signature, Signer, signer_of
from wassette.errors import ComponentError, NotSigned, SourceChanged, visible
from wassette.signature_options import Mode, SignatureOptions

from . import material
from .pins import Pins
from .process import Unverifiable, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from wassette.components.store import ComponentStore
    from wassette.registry.model import Pulled

SHIPPED = "starter:"
"""Sources that are a part of Wassette: whoever trusts the program trusts them."""


@dataclass(frozen=True)
class Evidence:
    """A component that came from somewhere and was not loaded yet."""

    source: str
    """The reference in full, as it is recorded."""
    digest: str
    """sha256 of its bytes, hex."""
    file: Path | None = None
    """Where it lay, for a local one: what lies beside it is looked at."""
    pulled: Pulled | None = None
    """For one that was fetched, whose fetch is still open."""

    @property
    def manifests(self) -> tuple[str, ...]:
        pulled = self.pulled
        found = (pulled.manifest_digest, pulled.index_digest) if pulled is not None else ()
        return tuple(one.removeprefix("sha256:") for one in found if one is not None)

    @property
    def movable(self) -> str | None:
        """The source, if others can have it lead to other bytes without anybody noticing."""
        scheme = self.source.partition("://")[0]
        pinned = "@sha256:" in self.source if scheme == "oci" else "#sha256=" in self.source
        return self.source if scheme in ("oci", "https") and not pinned else None

    @property
    def place(self) -> str | None:
        """Whatever comes from there is expected to be signed by the same people."""
        scheme, _, rest = self.source.partition("://")
        match scheme:
            case "oci":
                reference = self.pulled.reference if self.pulled is not None else None
                if reference is not None:
                    return f"oci://{reference.registry}/{reference.repository}"
                name = rest.partition("@")[0]
                head, slash, last = name.rpartition("/")
                return f"oci://{head}{slash}{last.partition(':')[0]}"
            case "https":
                return self.source.partition("#")[0].partition("?")[0]
            case "file":
                return self.source
        return None


class Signatures:
    """For one component directory."""

    def __init__(self, options: SignatureOptions, store: ComponentStore) -> None:
        self.options = options
        self._pins = Pins(store)

    # -- finding out -----------------------------------------------------------------------------

    async def look(self, evidence: Evidence, begun: Callable[[], None] = lambda: None) -> Signature:
        """Who signed it. Raises nothing: what cannot be found out is a `problem`. `begun` is called
        if there is something to verify, which takes a moment."""
        if self.options.mode is Mode.OFF or evidence.source.startswith(SHIPPED):
            return Signature()
        try:
            if evidence.pulled is not None and evidence.pulled.repository is not None:
                found = await material.referring(evidence.pulled)
            elif evidence.pulled is not None and evidence.pulled.beside is not None:
                found = await material.on_the_server(evidence.pulled)
            elif evidence.file is not None:
                found = await asyncio.to_thread(material.beside, evidence.file)
            else:
                found = []
            if not found:
                return Signature(checked=True)
            begun()
            results = await verify(evidence.digest, evidence.manifests, found, self.options)
            return self._best(results, self._pinned(evidence))
        except (Unverifiable, ComponentError, OSError, ValueError) as error:
            return Signature(checked=True, problem=visible(str(error), 500))

    def _pinned(self, evidence: Evidence) -> Signer | None:
        return None if evidence.place is None else self._pins.signer(evidence.place)

    def _best(self, results: Sequence[dict[str, Any]], pinned: Signer | None) -> Signature:
        """The one that counts for most. One that is not valid takes nothing from another that is:
        everybody can add it."""
        valid = [
            Signature(True, signer_of(one["signer"]), one.get("signed_at"))
            for one in results
            if isinstance(one.get("signer"), dict)
        ]
        if valid:
            return max(valid, key=lambda one: (self.trusts(one), one.signer == pinned))
        problems = dict.fromkeys(visible(str(one.get("problem") or "?"), 300) for one in results)
        return Signature(checked=True, problem="; ".join(list(problems)[:3]))

    # -- deciding --------------------------------------------------------------------------------

    def trusts(self, signature: Signature) -> bool:
        """Whether it is somebody's whom the settings name."""
        signer = signature.signer
        if signer is None:
            return False
        if signer.key is not None:
            return any(key.fingerprint == signer.key for key in self.options.keys)
        return any(
            one.matches(signer.identity or "", signer.issuer or "")
            for one in self.options.identities
        )

    def refusal(self, source: str, signature: Signature) -> str | None:
        """Why it may not be loaded or run, for people; None if it may."""
        if self.options.mode is not Mode.REQUIRE or source.startswith(SHIPPED):
            return None
        if self.trusts(signature):
            return None
        required = "signatures are required ([signatures] in config.toml)"
        if not self.options.names_somebody:
            return f"{required}, but no identity or key is named there whose signature would count"
        if signature.signer is not None:
            return (
                f"it is signed by {signature.signer}, and {required} of somebody whom you named "
                "there. Name them, too, if you trust them"
            )
        if signature.problem:
            return f"it has no valid signature ({signature.problem}), and {required}"
        if not signature.checked:
            return f"nobody looked who signed it when it was loaded, and {required}. Load it again"
        return (
            f"it is not signed, and {required}. Ask its author for a signature; one of a file lies "
            f"beside it, here or on its web server, as NAME.wasm{material.SUFFIX}"
        )

    def check(self, evidence: Evidence, signature: Signature) -> None:
        """Raises `NotSigned` if it may not be loaded."""
        reason = self.refusal(evidence.source, signature)
        if reason is not None:
            raise NotSigned(f"{visible(evidence.source, 500)} is not loaded: {reason}.")

    def remarks(self, evidence: Evidence, signature: Signature) -> tuple[str, ...]:
        """What a person should hear of it, if it is loaded."""
        if self.options.mode is Mode.OFF or evidence.source.startswith(SHIPPED):
            return ()
        if signature.problem:
            return (f"it has no valid signature: {signature.problem}",)
        if signature.signer is None:
            return ("it is not signed",) if evidence.pulled is not None else ()
        if not self.trusts(signature):
            return (f"it is signed by {signature.signer}, whom your settings do not name",)
        return ()

    # -- trust on first use ----------------------------------------------------------------------

    def changes(self, evidence: Evidence, signature: Signature) -> tuple[str, ...]:
        """What is otherwise than what came from there before, for people. Raises `StoreError`."""
        found: list[str] = []
        before = None if evidence.movable is None else self._pins.digest(evidence.movable)
        if before is not None and before != evidence.digest:
            found.append(
                f"it leads to other bytes than before: sha256 {evidence.digest}; before {before}"
            )
        pinned = self._pinned(evidence)
        if pinned is not None and self.another_signer(evidence, signature):
            if signature.signer is not None:
                found.append(f"it is signed by {signature.signer}; before by {pinned}")
            else:
                why = f" ({signature.problem})" if signature.problem else ""
                found.append(f"it has no valid signature{why}; before it was signed by {pinned}")
        return tuple(found)

    def another_signer(self, evidence: Evidence, signature: Signature) -> bool:
        """Whether it is not signed by who had signed what came from there. Raises `StoreError`."""
        pinned = self._pinned(evidence) if signature.checked else None
        return pinned is not None and pinned != signature.signer

    def check_changes(self, evidence: Evidence, signature: Signature) -> None:
        """Raises `SourceChanged` if there are any, and `StoreError`."""
        changes = self.changes(evidence, signature)
        if changes:
            raise SourceChanged(evidence.source, evidence.digest, changes)

    def keep(self, evidence: Evidence, signature: Signature) -> None:
        """It was loaded: expect the same from there. Raises `StoreError`."""
        place = evidence.place if signature.checked else None
        movable = evidence.movable
        new_bytes = movable is not None and self._pins.digest(movable) != evidence.digest
        if new_bytes or (place is not None and self._pins.signer(place) != signature.signer):
            self._pins.keep(movable, evidence.digest, place, signature.signer)
