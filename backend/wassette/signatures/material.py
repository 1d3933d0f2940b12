"""Where signatures of a component are: beside a file, here or on its web server, or in the registry
that it was pulled from.

Nothing of what is found is understood here. How much of it is taken is bounded, since whoever can
push to a repository can add to it.
"""

from __future__ import annotations

import base64
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wassette.registry.model import Descriptor, Manifest, Pulled, Repository

SUFFIX = ".sigstore.json"
"""Of the bundle beside a component's file: `tool.wasm.sigstore.json`."""
MAX_BUNDLE = 1024 * 1024
"""Bytes. Real ones have ten thousand."""
MAX_FOUND = 16
"""Signatures of one component that are looked at."""
_BUNDLES = "application/vnd.dev.sigstore.bundle"
_SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"


@dataclass(frozen=True)
class Material:
    """Something that may be a signature. `simple`: a payload of cosign's, with `annotations`."""

    data: bytes
    simple: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "simple" if self.simple else "bundle",
            "data": base64.b64encode(self.data).decode(),
            "annotations": dict(self.annotations),
        }


def beside(component: Path) -> list[Material]:
    """The bundle beside a file. Raises `OSError`, `ValueError` for one that cannot be read."""
    path = component.with_name(component.name + SUFFIX)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        file = os.open(path, flags)
    except FileNotFoundError:
        return []
    with open(file, "rb") as opened:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise ValueError(f"{path.name} is not a regular file")
        data = opened.read(MAX_BUNDLE + 1)
    if len(data) > MAX_BUNDLE:
        raise ValueError(f"{path.name} is too large to be a signature")
    return [Material(data)]


async def on_the_server(pulled: Pulled) -> list[Material]:
    """The bundle beside a file on a web server. Raises `RegistryError`."""
    data = await pulled.beside(SUFFIX, MAX_BUNDLE) if pulled.beside is not None else None
    return [] if data is None else [Material(data)]


async def referring(pulled: Pulled) -> list[Material]:
    """What refers to the manifest, or to the index that led to it: by referrers, and by cosign's
    tags (`sha256-….sig`). Raises `RegistryError`."""
    repository = pulled.repository
    if repository is None:
        return []
    found: list[Material] = []
    looked: set[str] = set()
    for digest in filter(None, (pulled.manifest_digest, pulled.index_digest)):
        # Whatever their type: cosign has given its signatures several, and none.
        for one in (await repository.referrers(digest))[: 4 * MAX_FOUND]:
            if one.digest not in looked and len(found) < MAX_FOUND:
                looked.add(one.digest)
                found += await _of(repository, await repository.manifest(one.digest))
        tagged = await repository.manifest(f"{digest.replace(':', '-')}.sig")
        if tagged is not None and tagged.digest not in looked:
            looked.add(tagged.digest)
            found += await _of(repository, tagged)
    return found[:MAX_FOUND]


async def _of(repository: Repository, manifest: Manifest | None) -> list[Material]:
    layers = manifest.layers[:MAX_FOUND] if manifest is not None else ()
    return [await _material(repository, one) for one in layers if _is_signature(one)]


def _is_signature(layer: Descriptor) -> bool:
    known = layer.media_type == _SIMPLE or layer.media_type.startswith(_BUNDLES)
    return known and layer.size <= MAX_BUNDLE


async def _material(repository: Repository, layer: Descriptor) -> Material:
    data = await repository.blob(layer, MAX_BUNDLE)
    simple = layer.media_type == _SIMPLE
    return Material(data, simple, layer.annotations if simple else {})
