"""One repository of a registry, by the OCI distribution specification.

Nothing that a registry says is believed: bytes have the digest that they were asked for by, or that
the registry gave for them; a manifest that can be read as two different things is refused
(CVE-2021-41190); what is asked for has a limit. Errors name registry, repository and cause.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from wassette.components.remote import DOCKER_HUB
from wassette.errors import DigestMismatch, RegistryError, visible
from wassette.registry.download import DELAYS, Arrived, download
from wassette.registry.model import Descriptor, Manifest
from wassette.registry.web import Url, WebError, is_local

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    from wassette.registry.auth import Authorizer
    from wassette.registry.web import Answer, Body, Web

_T = TypeVar("_T")

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
_DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
_MANIFESTS = (MANIFEST, _DOCKER_MANIFEST)
INDEXES = (INDEX, _DOCKER_INDEX)

MAX_MANIFEST = 4 * 1024 * 1024
"""Bytes, as the specification has it."""
MAX_LAYERS = 1000
MAX_REFERRERS = 1000
_MAX_PAGES = 20
_MAX_ERROR = 64 * 1024
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NEXT = re.compile(r'\s*<([^<>]+)>\s*;\s*rel="?next"?')
_SPOKEN_TO_WITHOUT_TLS = frozenset({301, 302, 307, 308, 400, 426})
"""What servers with TLS say to those who come without."""
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_MAX_DELAY = 10.0
_HUB_HOST = "registry-1.docker.io"


@dataclass(frozen=True)
class Index:
    """An image index, whose bytes have `digest`."""

    digest: str
    manifests: tuple[tuple[Descriptor, Mapping[str, str]], ...]
    """Each with its platform."""


class OciRepository:
    """A `model.Repository`, and what else pulling and pushing need."""

    def __init__(self, web: Web, registry: str, name: str, base: Url, auth: Authorizer) -> None:
        self.web = web
        self.registry = registry
        self.name = name
        self._base = base
        self._auth = auth

    @property
    def where(self) -> str:
        return f"{self.registry}/{self.name}"

    # -- reading -------------------------------------------------------------------------------

    async def manifest(self, tag_or_digest: str) -> Manifest | None:
        found = await self.manifest_or_index(tag_or_digest)
        if isinstance(found, Index):
            raise RegistryError(f"{self.where}: {visible(tag_or_digest)} is an index of several")
        return found

    async def manifest_or_index(self, tag_or_digest: str) -> Manifest | Index | None:
        """Raises `RegistryError`, `DigestMismatch`."""
        what = f"the manifest {tag_or_digest}"

        async def get() -> tuple[bytes, str, str | None] | None:
            headers = {"accept": ", ".join((*_MANIFESTS, *INDEXES))}
            async with self._send("GET", f"manifests/{tag_or_digest}", what, headers) as answer:
                if answer.status == 404:
                    return None
                await self._expect(answer, what, 200)
                media_type = answer.headers.get("content-type", "")
                said = answer.headers.get("docker-content-digest")
                return await answer.read(MAX_MANIFEST), media_type, said

        found = await self._again(what, get)
        if found is None:
            return None
        data, media_type, said = found
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        asked = tag_or_digest if tag_or_digest.startswith("sha256:") else said
        if asked is not None and asked.startswith("sha256:") and digest != asked:
            raise DigestMismatch(
                f"{self.where}: {visible(what)} should have the digest {visible(asked)}, but what "
                f"came has {digest}. It was changed on the way, or the registry is broken."
            )
        try:
            return read_manifest(data, media_type.partition(";")[0].strip().lower())
        except ValueError as error:
            raise RegistryError(f"{self.where}: {visible(what)} is not valid: {error}") from None

    async def blob(self, descriptor: Descriptor, limit: int) -> bytes:
        what = f"the blob {descriptor.digest}"
        if descriptor.size > limit:
            raise RegistryError(
                f"{self.where}: {what} has {descriptor.size} bytes; the limit is {limit}"
            )

        async def get() -> bytes:
            async with self._send("GET", f"blobs/{descriptor.digest}", what, {}) as answer:
                await self._expect(answer, what, 200)
                return await answer.read(limit)

        data = await self._again(what, get)
        self._check(what, descriptor, Arrived(hashlib.sha256(data).hexdigest(), len(data)))
        return data

    async def download(
        self,
        descriptor: Descriptor,
        path: Path,
        limit: int,
        progress: Callable[[int, int | None], None],
    ) -> Arrived:
        """A blob into a new file. Whatever is in it after an error is nothing."""
        what = f"the blob {descriptor.digest}"

        @contextlib.asynccontextmanager
        async def begin(offset: int, _validator: str | None) -> AsyncIterator[Answer]:
            # A blob is its digest: no need to ask whether it is still the same.
            headers = {"range": f"bytes={offset}-"} if offset else {}
            async with self._send("GET", f"blobs/{descriptor.digest}", what, headers) as answer:
                if answer.status in _AGAIN:
                    raise WebError(f"it answers {answer.status}", passing=True)
                await self._expect(answer, what, 200, *([206] if offset else []))
                yield answer

        try:
            arrived = await download(
                begin, path, size=descriptor.size, limit=limit, progress=progress
            )
        except WebError as error:
            raise self._failed(what, error) from None
        except RegistryError as error:
            if type(error) is RegistryError and not str(error).startswith(self.where):
                raise RegistryError(f"{self.where}: {what}: {error}") from None
            raise
        self._check(what, descriptor, arrived)
        return arrived

    async def referrers(
        self, digest: str, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...]:
        what = f"what refers to {digest}"

        async def get(path: str) -> tuple[bytes | None, str | None]:
            async with self._send("GET", path, what, {"accept": INDEX}) as answer:
                media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
                if answer.status != 200 or media_type.lower() != INDEX:
                    return None, None  # a registry without that API
                match = _NEXT.match(answer.headers.get("link", ""))
                return await answer.read(MAX_MANIFEST), match[1] if match else None

        found: list[Descriptor] = []
        path: str | None = f"referrers/{digest}"
        for page in range(_MAX_PAGES):
            assert path is not None
            data, path = await self._again(what, partial(get, path))
            if data is None and page == 0:
                return _of_type(await self._tagged_referrers(digest), artifact_type)
            try:
                found += [one for one, _ in _read_index(data or b"").manifests]
            except ValueError as error:
                raise RegistryError(f"{self.where}: {what} is not valid: {error}") from None
            if path is None or len(found) >= MAX_REFERRERS:
                break
        return _of_type(tuple(found[:MAX_REFERRERS]), artifact_type)

    async def _tagged_referrers(self, digest: str) -> tuple[Descriptor, ...]:
        found = await self.manifest_or_index(digest.replace(":", "-"))
        return tuple(one for one, _ in found.manifests) if isinstance(found, Index) else ()

    async def tags(self) -> list[str]:
        """The tags, at most some thousands of them."""
        what = "the list of tags"

        async def get(path: str) -> tuple[list[str], str | None]:
            async with self._send("GET", path, what, {}) as answer:
                await self._expect(answer, what, 200)
                match = _NEXT.match(answer.headers.get("link", ""))
                data = await answer.read(MAX_MANIFEST)
            try:
                tags = json.loads(data)["tags"] or []
            except (ValueError, KeyError, TypeError, RecursionError):
                raise RegistryError(f"{self.where}: {what} is not valid") from None
            return [one for one in tags if isinstance(one, str)], match[1] if match else None

        found: list[str] = []
        path: str | None = "tags/list"
        for _ in range(_MAX_PAGES):
            assert path is not None
            some, path = await self._again(what, partial(get, path))
            found += some
            if path is None:
                break
        return found

    # -- writing -------------------------------------------------------------------------------

    async def has_blob(self, digest: str) -> bool:
        what = f"the blob {digest}"

        async def head() -> bool:
            async with self._send("HEAD", f"blobs/{digest}", what, {}, push=True) as answer:
                if answer.status == 404:
                    return False
                await self._expect(answer, what, 200)
                return True

        return await self._again(what, head)

    async def upload(self, descriptor: Descriptor, body: Body) -> None:
        """A blob, unless it is there already."""
        if await self.has_blob(descriptor.digest):
            return
        what = f"the blob {descriptor.digest}"
        try:
            empty = {"content-length": "0"}
            async with self._send("POST", "blobs/uploads/", what, empty, b"", push=True) as answer:
                await self._expect(answer, f"uploading {what}", 202)
                location = answer.headers.get("location", "")
                there = answer.url.join(location)
            joint = "&" if "?" in there.rest else "?"
            url = Url.parse(f"{there}{joint}digest={descriptor.digest}")
            if url.origin[0] != self._base.origin[0]:
                raise WebError(f"it wants uploads without TLS, to {url.shown}", passing=False)
            headers = {
                "content-type": "application/octet-stream",
                "content-length": str(descriptor.size),
            }
            async with self._send("PUT", url, what, headers, body, push=True) as answer:
                await self._expect(answer, f"uploading {what}", 201)
        except WebError as error:
            raise self._failed(f"uploading {what}", error) from None

    async def put_manifest(self, reference: str, data: bytes, media_type: str) -> str:
        """Its digest."""
        what = f"uploading the manifest {reference}"
        headers = {"content-type": media_type, "content-length": str(len(data))}
        try:
            async with self._send(
                "PUT", f"manifests/{reference}", what, headers, data, push=True
            ) as answer:
                await self._expect(answer, what, 201)
        except WebError as error:
            raise self._failed(what, error) from None
        return f"sha256:{hashlib.sha256(data).hexdigest()}"

    # -- requests ------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _send(
        self,
        method: str,
        path: str | Url,
        what: str,
        headers: Mapping[str, str],
        body: Body | None = None,
        *,
        push: bool = False,
    ) -> AsyncIterator[Answer]:
        """With what it takes to be let in. Raises `WebError`, `NotAuthorized`."""
        actions = "pull,push" if push else "pull"
        if isinstance(path, Url):
            url = path
        elif path.startswith("/") or "://" in path:
            url = self._base.join(path)  # a further page, as the registry gave it
        else:
            url = self._base.join(f"/v2/{self.name}/{path}")
        tried = 0
        while True:
            ours = url.origin == self._base.origin
            sent = self._auth.header(actions) if ours else None
            more = {"authorization": sent} if sent is not None else {}
            async with self.web.send(method, url, {**headers, **more}, body) as answer:
                if answer.status != 401 or answer.url.origin != self._base.origin:
                    if answer.status == 403 and ours:
                        raise RegistryError(
                            f"{self.where}: {visible(what)}: {await self._said(answer)}"
                        )
                    yield answer
                    return
                challenge = answer.headers.get("www-authenticate", "")
            tried += 1
            if tried > 2:
                raise await self._auth.refused()
            await self._auth.answer(challenge, actions, sent)

    async def _again(self, what: str, work: Callable[[], Awaitable[_T]]) -> _T:
        """`work`, a few times, if it may help. Raises `RegistryError`."""
        for delay in (*DELAYS[:2], None):
            try:
                return await work()
            except WebError as error:
                # Where nobody is, nobody will be in a moment.
                if not error.passing or error.unreached or delay is None:
                    raise self._failed(what, error) from None
                await asyncio.sleep(delay)
            except _Later as error:
                if delay is None:
                    raise RegistryError(
                        f"{self.where}: {visible(what)}: {error}", passing=True
                    ) from None
                await asyncio.sleep(max(delay, error.delay))
        raise AssertionError

    async def _expect(self, answer: Answer, what: str, *good: int) -> None:
        if answer.status in good:
            return
        said = await self._said(answer)
        if answer.status in _AGAIN:
            after = answer.headers.get("retry-after", "")
            delay = float(after) if after.isascii() and after.isdigit() else 0.0
            raise _Later(said, min(delay, _MAX_DELAY))
        raise RegistryError(f"{self.where}: {visible(what)}: {said}")

    @staticmethod
    async def _said(answer: Answer) -> str:
        """A registry's error in a line."""
        said = ""
        with contextlib.suppress(WebError, ValueError, LookupError, TypeError, RecursionError):
            error = json.loads(await answer.read(_MAX_ERROR))["errors"][0]
            said = f"{error['code']} {error.get('message') or ''}".strip()
        words = {404: "it is not there", 403: "it is not allowed", 429: "too many requests"}
        text = words.get(answer.status, f"it answers {answer.status}")
        return f"{text} ({visible(said)})" if said else text

    def _failed(self, what: str, error: WebError) -> RegistryError:
        return RegistryError(f"{self.where}: {visible(what)}: {error}", passing=error.passing)

    def _check(self, what: str, descriptor: Descriptor, arrived: Arrived) -> None:
        digest = f"sha256:{arrived.digest}"
        if digest != descriptor.digest or arrived.size != descriptor.size:
            raise DigestMismatch(
                f"{self.where}: {what} has other bytes: {arrived.size} with the digest {digest}, "
                f"where {descriptor.size} were to come. They were changed on the way, or the "
                "registry is broken. Nothing was loaded."
            )


class _Later(Exception):
    """A registry that cannot answer now."""

    def __init__(self, said: str, delay: float) -> None:
        super().__init__(said)
        self.delay = delay


async def base_of(web: Web, registry: str, plain: bool | None) -> Url:
    """Where a registry is: with TLS, unless it is on this machine and has none, or is configured
    to have none. Raises `RegistryError`."""
    host = _HUB_HOST if registry == DOCKER_HUB else registry
    try:
        secure, open_ = Url.parse(f"https://{host}/"), Url.parse(f"http://{host}/")
    except WebError as error:
        raise RegistryError(f"{registry}: {error}") from None
    if plain is not None:
        return open_ if plain else secure
    if not is_local(secure):
        return secure
    # Asked without TLS first, with nothing to lose: who expects TLS says no at once, while who
    # does not might wait for more of what looks like half a request.
    try:
        async with web.send("GET", open_.join("/v2/"), {}, follow=False) as answer:
            return secure if answer.status in _SPOKEN_TO_WITHOUT_TLS else open_
    except WebError as error:
        if error.unreached:
            raise RegistryError(f"{registry}: {error}", passing=True) from None
        return secure


# -- manifests -----------------------------------------------------------------------------------


def read_manifest(data: bytes, media_type: str) -> Manifest | Index:
    """Raises `ValueError` with the reason."""
    found = _object(data)
    said = found.get("mediaType")
    if said is not None and (not isinstance(said, str) or said.lower() != media_type):
        if media_type in (*_MANIFESTS, *INDEXES):
            raise ValueError("it says that it is of another type than the registry says")
        media_type = str(said).lower()
    if "manifests" in found and ("layers" in found or "config" in found):
        raise ValueError("it could be a manifest or an index")
    if media_type in INDEXES:
        return _index_of(found, data)
    if media_type not in _MANIFESTS:
        raise ValueError(f"its type is '{visible(media_type, 80)}', which cannot be read here")
    if "manifests" in found:
        raise ValueError("it could be a manifest or an index")
    layers = found.get("layers")
    if not isinstance(layers, list) or len(layers) > MAX_LAYERS:
        raise ValueError("it has no list of layers")
    config, subject = found.get("config"), found.get("subject")
    kind = found.get("artifactType")
    return Manifest(
        digest=f"sha256:{hashlib.sha256(data).hexdigest()}",
        media_type=media_type,
        data=data,
        config=None if config is None else _descriptor(config),
        layers=tuple(_descriptor(one) for one in layers),
        annotations=_annotations(found.get("annotations")),
        artifact_type=kind if isinstance(kind, str) else None,
        subject=None if subject is None else _descriptor(subject),
    )


def _read_index(data: bytes) -> Index:
    return _index_of(_object(data), data)


def _index_of(found: dict[str, Any], data: bytes) -> Index:
    manifests = found.get("manifests")
    if not isinstance(manifests, list) or len(manifests) > MAX_LAYERS:
        raise ValueError("it has no list of manifests")
    return Index(
        f"sha256:{hashlib.sha256(data).hexdigest()}",
        tuple((_descriptor(one), _annotations(one.get("platform"))) for one in manifests),
    )


def _object(data: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("it says something twice")  # whoever verifies may read the other one
        return found

    try:
        found = json.loads(data, object_pairs_hook=unique)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not isinstance(found, dict):
        raise ValueError("it is not an object")
    return found


def _descriptor(value: object) -> Descriptor:
    if not isinstance(value, dict):
        raise ValueError("it has an entry that is none")
    media_type, digest, size = value.get("mediaType"), value.get("digest"), value.get("size")
    if not isinstance(media_type, str) or not isinstance(digest, str):
        raise ValueError("it has an entry without a type or a digest")
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"it has a digest that cannot be verified: {visible(digest, 80)}")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError("it has an entry without a size")
    kind = value.get("artifactType")
    return Descriptor(
        media_type,
        digest,
        size,
        _annotations(value.get("annotations")),
        kind if isinstance(kind, str) else None,
    )


def _annotations(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {key: one for key, one in value.items() if isinstance(one, str)}


def _of_type(found: tuple[Descriptor, ...], artifact_type: str | None) -> tuple[Descriptor, ...]:
    # A registry may filter, or not.
    return tuple(one for one in found if artifact_type in (None, one.artifact_type))
