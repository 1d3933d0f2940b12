"""A component as an artifact, as Wassette reads it: one layer for it, one for its policy.

The manifest is made with oras, whose descriptors and manifests are sound. The upload is ours: oras
would read the file into memory, and presents a token that may only pull.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wassette.registry import artifact
from wassette.registry.model import Descriptor
from wassette.registry.oci import MANIFEST, OciRepository
from wassette.threads import to_its_end

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from wassette.registry.model import Progress

_PIECE = 1024 * 1024
_TITLE = "org.opencontainers.image.title"
_CREATED = "org.opencontainers.image.created"


@dataclass(frozen=True)
class Pushed:
    """What is in the registry now."""

    manifest_digest: str
    """`sha256:…`"""
    digest: str
    """sha256 of the component, hex."""
    size: int


@dataclass(frozen=True)
class _Artifact:
    """Files with their descriptors, and the manifest."""

    blobs: tuple[tuple[Descriptor, Path], ...]
    manifest: bytes


async def push(
    repository: OciRepository,
    tag: str,
    wasm: Path,
    *,
    name: str,
    imports: Sequence[str],
    exports: Sequence[str],
    policy: bytes | None,
    annotations: Mapping[str, str],
    progress: Progress,
) -> Pushed:
    """Upload a component, and have `tag` be it. The tag is moved last: nobody sees half of it.

    Raises `RegistryError`, `OSError`.
    """
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="wassette-push-"))
    try:
        made = await to_its_end(
            _make, folder, wasm, name, list(imports), list(exports), policy, dict(annotations)
        )
        total = sum(descriptor.size for descriptor, _ in made.blobs)
        done = 0
        progress("uploading", 0, total)
        for descriptor, path in made.blobs:
            before = done

            def told(sent: int, before: int = before) -> None:
                progress("uploading", before + sent, total)

            await repository.upload(descriptor, _pieces(path, told))
            done += descriptor.size
            progress("uploading", done, total)
        digest = await repository.put_manifest(tag, made.manifest, MANIFEST)
        component = made.blobs[0][0]
        return Pushed(digest, component.digest.removeprefix("sha256:"), component.size)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _make(
    folder: Path,
    wasm: Path,
    name: str,
    imports: list[str],
    exports: list[str],
    policy: bytes | None,
    annotations: dict[str, str],
) -> _Artifact:
    import jsonschema
    import oras.oci
    import oras.schemas

    created = _now()
    # A copy: what is described is what is uploaded, whatever happens to the file meanwhile.
    copied = folder / "component.wasm"
    shutil.copyfile(wasm, copied)
    layers = [oras.oci.NewLayer(str(copied), artifact.WASM)]
    layers[0]["annotations"] = {_TITLE: f"{name}.wasm"}
    files = [copied]
    if policy is not None:
        file = folder / "policy.yaml"
        file.write_bytes(policy)
        layers.append(oras.oci.NewLayer(str(file), artifact.POLICY))
        layers[1]["annotations"] = {_TITLE: "policy.yaml"}
        files.append(file)
    config = folder / "config.json"
    config.write_text(
        json.dumps(
            {
                "created": created,
                "architecture": "wasm",
                "os": "wasip2",
                "layerDigests": [layer["digest"] for layer in layers],
                "component": {"exports": exports, "imports": imports},
            }
        )
    )
    conf, _ = oras.oci.ManifestConfig(str(config), artifact.CONFIG)
    manifest = oras.oci.NewManifest()
    manifest |= {
        "config": conf,
        "layers": layers,
        "annotations": {_CREATED: created, _TITLE: name, **annotations},
    }
    jsonschema.validate(manifest, schema=oras.schemas.manifest)
    descriptors = [_descriptor(one) for one in (*layers, conf)]
    return _Artifact(
        tuple(zip(descriptors, [*files, config], strict=True)),
        json.dumps(manifest, separators=(",", ":")).encode(),
    )


def _descriptor(made: Mapping[str, Any]) -> Descriptor:
    return Descriptor(str(made["mediaType"]), str(made["digest"]), int(made["size"]))


def _pieces(path: Path, told: Callable[[int], None]) -> Callable[[], AsyncIterator[bytes]]:
    """The body, as often as it is wanted: a registry may ask who we are once more."""

    async def body() -> AsyncIterator[bytes]:
        done = 0
        with open(path, "rb") as file:  # noqa: ASYNC230  (our own, small to open)
            while piece := await to_its_end(file.read, _PIECE):
                yield piece
                done += len(piece)
                told(done)

    return body


def _now() -> str:
    """The time that is recorded; of builds that are to be the same again, the one they say."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() else datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
