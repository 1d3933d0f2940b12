"""Whether what a component was loaded from gives other bytes by now."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from wassette.components.remote import HttpsReference, OciReference, parse_remote
from wassette.errors import ComponentError, RegistryError, StoreError
from wassette.registry import artifact

if TYPE_CHECKING:
    from wassette.registry.registries import Registries

MAX_NEWER = 20
"""Tags that are told of."""
_VERSION = re.compile(r"(v?)([0-9]{1,9})((?:\.[0-9]{1,9}){0,3})")


class State(StrEnum):
    CURRENT = "current"
    OUTDATED = "outdated"
    PINNED = "pinned"
    """Its reference names these very bytes."""
    LOCAL = "local"
    """It is from a file."""
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Standing:
    """How a component compares with what its source gives now."""

    state: State
    digest: str | None = None
    """sha256 (hex) of what is there now."""
    newer: tuple[str, ...] = ()
    """Tags of its repository with higher versions, the highest first."""
    reason: str | None = None
    """Why it is not known."""


async def standing(registries: Registries, source: str, digest: str) -> Standing:
    """Raises nothing: what cannot be found out is `UNKNOWN`."""
    try:
        remote = parse_remote(source)
        if remote is None:
            return Standing(State.LOCAL)
        if isinstance(remote, OciReference):
            return await _of_artifact(registries, remote, digest)
        return await _of_file(registries, remote, digest)
    except (ComponentError, StoreError) as error:
        return Standing(State.UNKNOWN, reason=str(error))


async def _of_artifact(registries: Registries, remote: OciReference, digest: str) -> Standing:
    newer: tuple[str, ...] = ()
    async with registries.repository(remote) as repository:
        if remote.tag is not None and _version(remote.tag) is not None:
            newer = newer_than(remote.tag, await repository.tags())
        if remote.pinned:
            return Standing(State.PINNED, digest, newer)
        manifest = await registries.resolve(repository, remote)
    try:
        now = artifact.wasm_layer(manifest).digest.removeprefix("sha256:")
    except ValueError as error:
        raise RegistryError(f"{remote}: {error}") from None
    return Standing(State.CURRENT if now == digest else State.OUTDATED, now, newer)


async def _of_file(registries: Registries, remote: HttpsReference, digest: str) -> Standing:
    if remote.pinned:
        return Standing(State.PINNED, digest)
    # A web server says nothing about digests: it takes the bytes.
    with tempfile.TemporaryDirectory(prefix="wassette-") as folder:
        path = Path(folder) / "component.wasm"
        async with registries.fetch(remote, path, lambda *_: None) as pulled:
            now = pulled.digest
    return Standing(State.CURRENT if now == digest else State.OUTDATED, now)


def newer_than(tag: str, tags: list[str]) -> tuple[str, ...]:
    """Those that are higher versions, written alike: `1.2` has no `v1.3`, and no `1.3.0-rc1`."""
    ours = _version(tag)
    if ours is None:
        return ()
    found = [(version, one) for one in tags if (version := _version(one)) is not None]
    alike = [pair for pair in found if pair[0][0] == ours[0] and len(pair[0]) == len(ours)]
    higher = sorted((pair for pair in alike if pair[0] > ours), reverse=True)
    return tuple(one for _, one in higher[:MAX_NEWER])


def _version(tag: str) -> tuple[str | int, ...] | None:
    match = _VERSION.fullmatch(tag)
    if match is None:
        return None
    rest = (int(one) for one in match[3].split(".")[1:])
    return (match[1], int(match[2]), *rest)
