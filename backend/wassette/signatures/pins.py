"""Trust on first use: what a source gave when a person first loaded it, and who had signed that.

    {"version": 1,
     "sources": {"oci://ghcr.io/org/tool:1": {"digest": "…", "at": 1795…}},
     "signers": {"oci://ghcr.io/org/tool": {"identity": "…", "issuer": "…", "key": null, "at": …}}}

Bytes are pinned for a reference that others can lead elsewhere (a tag, a file on a web server);
signers for all that comes from one place. A file that cannot be read pins nothing, so nothing is
loaded until a person has looked at it.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from wassette.components.signature import Signer, signer_of
from wassette.components.store import write_atomically
from wassette.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from wassette.components.store import ComponentStore

_MAX_BYTES = 8 * 1024 * 1024
_MAX_PINS = 10_000
"""Sources; the oldest are forgotten."""


class Pins:
    """Those of a component directory, which all processes share."""

    def __init__(self, store: ComponentStore) -> None:
        self._store = store

    @property
    def path(self) -> Path:
        return self._store.directory / ".pins.json"

    def digest(self, source: str) -> str | None:
        """What a source gave last that was accepted; hex. Raises `StoreError`."""
        found = self._read()["sources"].get(source)
        return None if found is None else str(found["digest"])

    def signer(self, place: str) -> Signer | None:
        """Who had signed what came from there. Raises `StoreError`."""
        found = self._read()["signers"].get(place)
        return None if found is None else signer_of(found)

    def keep(
        self, source: str | None, digest: str, place: str | None, signer: Signer | None
    ) -> None:
        """Have these be what is expected from now on. Raises `StoreError`."""
        with self._store.lock():
            data = self._read()
            if source is not None:
                data["sources"][source] = {"digest": digest, "at": time.time()}
            if place is not None and signer is not None:
                who = {"identity": signer.identity, "issuer": signer.issuer, "key": signer.key}
                data["signers"][place] = {**who, "at": time.time()}
            elif place is not None:
                data["signers"].pop(place, None)
            for name in ("sources", "signers"):
                newest = sorted(data[name].items(), key=lambda one: one[1]["at"])[-_MAX_PINS:]
                data[name] = dict(newest)
            write_atomically(self.path, json.dumps(data, indent=1).encode())

    def _read(self) -> dict[str, Any]:
        try:
            with open(self.path, "rb") as file:
                data = json.loads(file.read(_MAX_BYTES))
        except FileNotFoundError:
            return {"version": 1, "sources": {}, "signers": {}}
        except (OSError, ValueError, RecursionError) as error:
            raise self._broken(str(error)) from None
        try:
            if data["version"] != 1:
                raise ValueError("another version")
            for one in data["signers"].values():
                signer_of(one)
                float(one["at"])
            for one in data["sources"].values():
                if not isinstance(one["digest"], str):
                    raise ValueError("a digest is missing")
                float(one["at"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._broken(str(error)) from None
        assert isinstance(data, dict)
        return data

    def _broken(self, why: str) -> StoreError:
        return StoreError(
            f"{self.path} cannot be read ({why[:200]}), so it is not known who signed components "
            "before. Without this file, everything is as if it were loaded for the first time"
        )
