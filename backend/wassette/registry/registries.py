"""Fetching and pushing, for a host: one `Registries` with its settings."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wassette.components.remote import HttpsReference, OciReference
from wassette.components.sources import MAX_COMPONENT
from wassette.egress.addresses import SystemResolver
from wassette.egress.connect import dial
from wassette.errors import DigestMismatch, InvalidComponent, RegistryError, visible
from wassette.registry import artifact
from wassette.registry.auth import Authorizer
from wassette.registry.credentials import Credentials, Logins, from_docker
from wassette.registry.download import download
from wassette.registry.model import Pulled
from wassette.registry.oci import Index, OciRepository, base_of
from wassette.registry.web import Url, Web, WebError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from wassette.components.remote import Remote
    from wassette.egress.model import Dial, Resolver
    from wassette.egress_options import EgressOptions
    from wassette.registry.model import Manifest, Progress
    from wassette.registry.web import Answer
    from wassette.registry_options import RegistryOptions
    from wassette.secrets import Kept, Place

_CONTENT_CODINGS = frozenset({"", "identity"})
_NOT_THERE = frozenset({403, 404, 410})
"""403 is what a bucket answers whose names are not to be listed."""
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})


@dataclass
class Registries:
    """Ways to registries and web servers, as configured."""

    egress: EgressOptions
    options: RegistryOptions
    secrets: Path
    """The directory of secrets."""
    place: Place
    resolver: Resolver = field(default_factory=SystemResolver)
    dial: Dial = dial
    _logins: Logins = field(init=False)

    def __post_init__(self) -> None:
        self._logins = Logins(self.secrets / "registries", self.place)

    def web(self, *, by_person: bool = True) -> Web:
        """For one fetch. `by_person`: whoever named the place may name one on a private network."""
        return Web(
            self.egress,
            private=None if by_person else False,
            resolver=self.resolver,
            dial=self.dial,
        )

    @contextlib.asynccontextmanager
    async def repository(
        self, reference: OciReference, *, by_person: bool = True
    ) -> AsyncIterator[OciRepository]:
        """Raises `RegistryError`. Usable while it is open."""
        async with self.web(by_person=by_person) as web:
            base = await self._base(web, reference.registry)
            auth = self._authorizer(web, reference.registry, reference.repository, base)
            yield OciRepository(web, reference.registry, reference.repository, base, auth)

    @contextlib.asynccontextmanager
    async def fetch(
        self, remote: Remote, path: Path, progress: Progress, *, by_person: bool = True
    ) -> AsyncIterator[Pulled]:
        """A component's bytes into a new file at `path`, which is the caller's to delete, also
        after an error. Cancelling is safe at any point.

        Raises `RegistryError`, `DigestMismatch`, `InvalidComponent`, `StoreError`.
        """
        with _in_time(str(remote), self.egress.total_timeout) as deadline:
            async with contextlib.AsyncExitStack() as stack:
                async with deadline:
                    if isinstance(remote, HttpsReference):
                        web = await stack.enter_async_context(self.web(by_person=by_person))
                        pulled = await _fetch_file(web, remote, path, progress)
                    else:
                        repository = await stack.enter_async_context(
                            self.repository(remote, by_person=by_person)
                        )
                        pulled = await _pull(repository, remote, path, progress)
                yield pulled

    async def reach(self, registry: str) -> str:
        """What a registry answers to one who only knocks. Raises `RegistryError`."""
        async with self.web() as web:
            base = await self._base(web, registry)
            try:
                async with web.send("GET", base.join("/v2/"), {}, follow=False) as answer:
                    status = answer.status
            except WebError as error:
                raise RegistryError(f"{registry}: {error}", passing=error.passing) from None
        if status == 401:
            return "it answers, and wants a login or a token"
        if status == 200:
            return "it answers"
        raise RegistryError(
            f"{registry} answers {status} to GET /v2/, which a registry does not",
            passing=status in _AGAIN,
        )

    @staticmethod
    async def resolve(repository: OciRepository, reference: OciReference) -> Manifest:
        """The image manifest that a reference leads to now. Raises `RegistryError`."""
        return (await _resolve(repository, reference))[0]

    # -- credentials ---------------------------------------------------------------------------

    async def login(self, registry: str, username: str, password: str) -> Kept:
        """Keep credentials, once the registry has taken them. Raises `NotAuthorized`,
        `RegistryError`, `SecretError`."""
        given = Credentials(username, password, "the command line")

        async def credentials() -> Credentials:
            return given

        async with self.web() as web:
            base = await self._base(web, registry)
            auth = Authorizer(web, registry, "", base, self.options.host(registry), credentials)
            try:
                await _enter(web, auth, base)
            except WebError as error:
                raise RegistryError(f"{registry}: {error}", passing=error.passing) from None
        return await self._logins.set(registry, username, password)

    async def logout(self, registry: str) -> bool:
        """Forget credentials; whether there were any. Raises `SecretError`."""
        return await self._logins.delete(registry)

    async def _base(self, web: Web, registry: str) -> Url:
        return await base_of(web, registry, self.options.host(registry).plain_http)

    def _authorizer(self, web: Web, registry: str, repository: str, base: Url) -> Authorizer:
        host = self.options.host(registry)
        return Authorizer(web, registry, repository, base, host, self._finder(registry))

    def _finder(self, registry: str) -> Callable[[], Awaitable[Credentials | None]]:
        async def find() -> Credentials | None:
            ours = await self._logins.get(registry)
            return ours or await from_docker(self.options.docker_config, registry)

        return find


async def _enter(web: Web, auth: Authorizer, base: Url) -> None:
    """See whether a registry lets us in. Raises `NotAuthorized`, `RegistryError`."""
    sent: str | None = None
    for _ in range(2):
        headers = {"authorization": sent} if sent is not None else {}
        async with web.send("GET", base.join("/v2/"), headers, follow=False) as answer:
            if answer.status == 200:
                if sent is None:
                    raise RegistryError(f"{auth.registry} wants no credentials: nothing was kept")
                return
            if answer.status != 401:
                raise RegistryError(
                    f"{auth.registry} is no registry: it answers {answer.status} to GET /v2/"
                )
            challenge = answer.headers.get("www-authenticate", "")
        await auth.answer(challenge, "", sent)
        sent = auth.header("")
    async with web.send("GET", base.join("/v2/"), {"authorization": sent or ""}) as answer:
        if answer.status != 200:
            raise await auth.refused()


async def _resolve(
    repository: OciRepository, reference: OciReference
) -> tuple[Manifest, str | None]:
    """The image manifest, and the digest of the index that led to it."""
    wanted = reference.digest or reference.tag
    assert wanted is not None
    found = await repository.manifest_or_index(wanted)
    if found is None:
        what = "manifest" if reference.digest else "tag"
        raise RegistryError(f"{repository.where}: there is no {what} {wanted}")
    if not isinstance(found, Index):
        return found, None
    try:
        chosen = artifact.choose(found)
    except ValueError as error:
        raise RegistryError(f"{repository.where}: {wanted}: {error}") from None
    manifest = await repository.manifest(chosen.digest)
    if manifest is None:
        raise RegistryError(
            f"{repository.where}: {wanted} names the manifest {chosen.digest}, which is not there"
        )
    return manifest, found.digest


async def _pull(
    repository: OciRepository, reference: OciReference, path: Path, progress: Progress
) -> Pulled:
    progress("downloading", 0, None)
    manifest, index = await _resolve(repository, reference)
    try:
        wasm = artifact.wasm_layer(manifest)
    except ValueError as error:
        raise InvalidComponent(f"is not a component: {error}") from None
    arrived = await repository.download(
        wasm, path, MAX_COMPONENT, lambda done, total: progress("downloading", done, total)
    )
    progress("verifying", arrived.size, arrived.size)
    asked = artifact.policy_layer(manifest)
    policy = await repository.blob(asked, artifact.MAX_POLICY) if asked is not None else None
    return Pulled(
        path,
        arrived.digest,
        arrived.size,
        str(reference),
        reference,
        manifest,
        index,
        policy,
        repository,
    )


async def _fetch_file(web: Web, remote: HttpsReference, path: Path, progress: Progress) -> Pulled:
    url, shown = Url.parse(remote.url), visible(remote.url)
    progress("downloading", 0, None)

    @contextlib.asynccontextmanager
    async def begin(offset: int, validator: str | None) -> AsyncIterator[Answer]:
        # Without something that says whether it is still the same file: from the beginning.
        goes_on = offset and validator is not None
        headers = {"range": f"bytes={offset}-", "if-range": str(validator)} if goes_on else {}
        async with web.send("GET", url, {"accept": "*/*", **headers}) as answer:
            if answer.status in _AGAIN:
                raise WebError(f"it answers {answer.status}", passing=True)
            if answer.status not in ((200, 206) if goes_on else (200,)):
                raise WebError(f"Status code: {answer.status}", passing=False)
            if answer.headers.get("content-encoding", "") not in _CONTENT_CODINGS:
                raise WebError("it is compressed, though that was not asked for", passing=False)
            yield answer

    try:
        arrived = await download(
            begin,
            path,
            size=None,
            limit=MAX_COMPONENT,
            progress=lambda done, total: progress("downloading", done, total),
        )
    except WebError as error:
        raise RegistryError(
            f"Failed to download component from URL: {shown}. {error}", passing=error.passing
        ) from None
    except RegistryError as error:
        raise InvalidComponent(str(error)) from None
    progress("verifying", arrived.size, arrived.size)
    if remote.digest is not None and arrived.digest != remote.digest:
        raise DigestMismatch(
            f"{shown} has the digest sha256:{arrived.digest}, but sha256:{remote.digest} was asked "
            "for. It was not loaded."
        )

    async def beside(suffix: str, limit: int) -> bytes | None:
        there = url.beside(suffix)
        try:
            async with web.send("GET", there, {"accept": "*/*"}) as answer:
                page = answer.headers.get("content-type", "").lower().startswith("text/html")
                if answer.status in _NOT_THERE or (answer.status == 200 and page):
                    return None  # a page for people in place of a 404 is usual
                if answer.status != 200:
                    raise WebError(f"it answers {answer.status}", passing=answer.status in _AGAIN)
                return await answer.read(limit)
        except WebError as error:
            raise RegistryError(f"{there.shown}: {error}", passing=error.passing) from None

    return Pulled(path, arrived.digest, arrived.size, str(remote), beside=beside)


@contextlib.contextmanager
def _in_time(what: str, seconds: float) -> Iterator[asyncio.Timeout]:
    deadline = asyncio.timeout(seconds)
    try:
        yield deadline
    except TimeoutError:
        if not deadline.expired():
            raise
        raise RegistryError(
            f"{visible(what)} took longer than {seconds:g} s (network.total_timeout)", passing=True
        ) from None
