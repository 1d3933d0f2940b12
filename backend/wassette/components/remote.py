"""References to components elsewhere, understood: nothing is looked up or fetched here.

oci://ghcr.io/org/tool:1.2                a tag, which the registry can point elsewhere
oci://ghcr.io/org/tool@sha256:…           a manifest, whatever the tags say
oci://org/tool                            on Docker Hub, as everywhere
https://example.com/tool.wasm             a file
https://example.com/tool.wasm#sha256=…    those bytes and no others
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from wassette.errors import InvalidComponentId, InvalidReference, visible

from .ids import MAX_ID, check_id

DOCKER_HUB = "docker.io"
MAX_REFERENCE = 2000

# As the distribution specification and its reference implementation have them.
_REPOSITORY = re.compile(
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MAX_REPOSITORY = 255


@dataclass(frozen=True)
class OciReference:
    """An artifact in a registry."""

    registry: str
    """`host` or `host:port`, lower case."""
    repository: str
    tag: str | None
    """None only if there is a digest."""
    digest: str | None = None
    """Of the manifest or index: `sha256:…`. It decides; the tag then is a remark."""

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        return f"oci://{self.registry}/{self.repository}{tag}{digest}"

    @property
    def id(self) -> str:
        """The id of the component, as Wassette makes it. Raises `InvalidComponentId`."""
        return check_id(self.repository.replace("/", "_"))

    @property
    def pinned(self) -> bool:
        """Whether it names bytes, and not only where they are."""
        return self.digest is not None

    def at(self, digest: str) -> OciReference:
        """This very manifest of the repository."""
        return replace(self, digest=digest)


@dataclass(frozen=True)
class HttpsReference:
    """A file on a web server."""

    url: str
    """Without the fragment."""
    digest: str | None
    """sha256 (hex) of the component, where the reference says it."""

    def __str__(self) -> str:
        return self.url if self.digest is None else f"{self.url}#sha256={self.digest}"

    @property
    def id(self) -> str:
        """The id of the component: the last part of the path. Raises `InvalidComponentId`."""
        name = unquote(urlsplit(self.url).path.rpartition("/")[2]).lower().removesuffix(".wasm")
        return check_id(re.sub(r"[^a-z0-9._-]", "_", name).lstrip("._-").rstrip(".")[:MAX_ID])

    @property
    def pinned(self) -> bool:
        return self.digest is not None


Remote: TypeAlias = OciReference | HttpsReference


def parse_remote(text: str) -> Remote | None:
    """What an `oci://` or `https://` reference says; None for one of another kind.

    Raises `InvalidReference`, `InvalidComponentId`.
    """
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in ("oci", "https"):
        return None
    if len(text) > MAX_REFERENCE:
        raise InvalidReference(f"The reference {visible(text, 60)} is too long")
    found = parse_oci(rest) if scheme == "oci" else _parse_https(text, rest)
    try:
        found.id  # noqa: B018  (it has one)
    except InvalidComponentId as error:
        raise InvalidReference(f"{visible(text)} gives no component an id: {error}") from None
    return found


def parse_oci(text: str) -> OciReference:
    """`ghcr.io/org/tool:tag`, with or without `oci://`. Raises `InvalidReference`."""
    text = text.removeprefix("oci://")
    name, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _no_oci(text, "its digest is not sha256: and 64 hexadecimal digits")
    first, slash, rest = name.partition("/")
    if not slash or not (first.lower() == "localhost" or set(first) & set(".:[")):
        # A name without a registry, as Docker understands it.
        first, rest = DOCKER_HUB, name if slash else f"library/{name}"
    repository, colon, tag = rest.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise _no_oci(text, "its tag is none")
    if len(repository) > _MAX_REPOSITORY or not _REPOSITORY.fullmatch(repository):
        raise _no_oci(text, "a repository has lower-case letters, digits, and . _ - / between them")
    registry = registry_name(first)
    return OciReference(registry, repository, tag or (None if at else "latest"), digest or None)


def registry_name(text: str) -> str:
    """`host` or `host:port` as a registry is known by. Raises `InvalidReference`."""
    name = text.lower()
    try:
        parts = urlsplit(f"//{name}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if name != parts_text(host, port) or not _is_host(host) or port == 0:
        raise InvalidReference(
            f"'{visible(text, 80)}' is not a registry: it is host or host:port, like ghcr.io"
        )
    if name in ("index.docker.io", "registry-1.docker.io"):
        return DOCKER_HUB
    return name


def parts_text(host: str, port: int | None) -> str:
    """Host and port as they stand in a URL."""
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def _parse_https(text: str, rest: str) -> HttpsReference:
    url, _, fragment = f"https://{rest}".partition("#")
    digest = None
    if fragment:
        kind, _, digest = fragment.partition("=")
        digest = digest.lower()
        if kind != "sha256" or not _DIGEST.fullmatch(f"sha256:{digest}"):
            raise InvalidReference(
                f"{visible(text)}: what follows # is sha256= and 64 hexadecimal digits"
            )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not _is_host(host) or port == 0:
        raise InvalidReference(f"{visible(text)} is not the address of a file")
    if "@" in parts.netloc:
        # It would be recorded and shown with the component.
        raise InvalidReference(
            f"A reference has no user name or password in it: https://{visible(host)}/…"
        )
    if any(char <= " " or char > "~" or char == "\\" for char in url):
        raise InvalidReference(f"{visible(text)} has characters that a URL has to encode")
    return HttpsReference(url, digest)


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return len(host) <= 253 and _HOST.fullmatch(host) is not None
    return True


def _no_oci(text: str, why: str) -> InvalidReference:
    return InvalidReference(
        f"Failed to parse OCI reference 'oci://{visible(text)}': {why}. "
        "It is oci://registry/repository:tag or oci://registry/repository@sha256:…"
    )
