"""Components as artifacts: which layer is what, as Wassette and others make them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wassette.errors import visible

if TYPE_CHECKING:
    from wassette.registry.model import Descriptor, Manifest
    from wassette.registry.oci import Index

WASM = "application/wasm"
WASM_TYPES = (
    WASM,
    "application/vnd.wasm.component.v1",
    "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
    "application/vnd.wasm.content.layer.v1+wasm",
)
CONFIG = "application/vnd.wasm.config.v0+json"
POLICY = "application/vnd.wasm.policy.v1+yaml"
POLICY_TYPES = (
    POLICY,
    "application/vnd.wassette.policy+yaml",
    "application/x-yaml",
    "text/yaml",
)
MAX_POLICY = 1024 * 1024
"""Bytes. A policy that a person can be shown has some hundred."""

# The newest first: what can run here at all is found out later.
_SYSTEMS = ("wasip2", "wasi", "wasip1")


def wasm_layer(manifest: Manifest) -> Descriptor:
    """The component: the first layer of its type, as in Wassette. Raises `ValueError`."""
    found = _first(manifest, WASM_TYPES)
    if found is None:
        types = ", ".join(visible(one.media_type, 60) for one in manifest.layers[:5]) or "none"
        raise ValueError(f"No WASM layer found in OCI artifact (its layers are: {types})")
    return found


def policy_layer(manifest: Manifest) -> Descriptor | None:
    return _first(manifest, POLICY_TYPES)


def choose(index: Index) -> Descriptor:
    """The manifest of an index that is for us. Raises `ValueError` if none clearly is."""
    wasm = [
        (descriptor, platform)
        for descriptor, platform in index.manifests
        if platform.get("architecture") == "wasm" or _plain(descriptor.artifact_type or "") == WASM
    ]
    for system in _SYSTEMS:
        for descriptor, platform in wasm:
            if platform.get("os") == system:
                return descriptor
    # Those that are no platform's are about the others: attestations and the like.
    rest = [one for one, platform in index.manifests if platform.get("os") != "unknown"]
    candidates = [one for one, _ in wasm] or rest
    if len(candidates) == 1:
        return candidates[0]
    raise ValueError(
        f"it is an index of {len(index.manifests)} manifests, of which "
        f"{len(candidates) or 'none'} could be the component. Name one by its digest"
    )


def _first(manifest: Manifest, types: tuple[str, ...]) -> Descriptor | None:
    return next((one for one in manifest.layers if _plain(one.media_type) in types), None)


def _plain(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()
