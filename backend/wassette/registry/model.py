"""What a fetch gives, and what else can be asked of where it came from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wassette.components.remote import OciReference

Progress: TypeAlias = Callable[[str, int, int | None], None]
"""Told how far a fetch is: the stage (`downloading`, `verifying`, `uploading`), bytes done, and how
many there will be, if that is known. Called in the event loop."""

Beside: TypeAlias = Callable[[str, int], Awaitable[bytes | None]]
"""What lies beside a file on its web server, by what its name has more (`.sigstore.json`), of at
most so many bytes; None if there is nothing. Raises `RegistryError`. Only usable while the fetch is
open."""


@dataclass(frozen=True)
class Descriptor:
    """What a manifest says of a blob or of another manifest. Nothing of it was checked."""

    media_type: str
    digest: str
    """`sha256:…`"""
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str | None = None
    """Of a referrer."""


@dataclass(frozen=True)
class Manifest:
    """A manifest, whose bytes have `digest`."""

    digest: str
    """`sha256:…`"""
    media_type: str
    data: bytes
    """As the registry sent it: what signatures are about."""
    config: Descriptor | None
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str | None = None
    subject: Descriptor | None = None


class Repository(Protocol):
    """The repository that something was pulled from: for what else is there about it.

    Everything is verified against its digest before it is given away, has a size limit, and raises
    `RegistryError` (a `ComponentError`) or `DigestMismatch`. Only usable while the fetch is open.
    """

    registry: str
    """`host` or `host:port`."""
    name: str

    async def manifest(self, tag_or_digest: str) -> Manifest | None:
        """An image manifest, by tag or `sha256:…`; None if there is none."""

    async def blob(self, descriptor: Descriptor, limit: int) -> bytes:
        """A small blob, of at most `limit` bytes."""

    async def referrers(
        self, digest: str, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...]:
        """What refers to a manifest (`sha256:…`): by the referrers API, and where a registry has
        none, by the tag that stands in for it (`sha256-…`). Of `artifact_type` only, if given."""


@dataclass(frozen=True)
class Pulled:
    """A component that was fetched: nothing but its digest was looked at."""

    path: Path
    """Our copy of its bytes, which the caller of the fetch owns."""
    digest: str
    """sha256 of these bytes, hex."""
    size: int
    source: str
    """The reference in full, as it is recorded."""
    reference: OciReference | None = None
    """None for a file and for https."""
    manifest: Manifest | None = None
    """The image manifest. If the reference led to an index, the one that was chosen of it."""
    index_digest: str | None = None
    """`sha256:…` of that index."""
    policy: bytes | None = None
    """The policy layer: what the component asks for. Text of a stranger; at most 1 MiB."""
    repository: Repository | None = None
    beside: Beside | None = None
    """For one from a web server."""

    @property
    def manifest_digest(self) -> str | None:
        return self.manifest.digest if self.manifest is not None else None

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.manifest.annotations if self.manifest is not None else {}
