"""Pulling from a real registry, which misbehaves where a front before it says so."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import re
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from support import registries
from support.registries import Reply, Seen, needs_registry, put, put_manifest
from wassette.components.remote import parse_oci
from wassette.egress_options import EgressOptions
from wassette.errors import (
    DigestMismatch,
    InvalidComponent,
    RegistryError,
    StoreError,
)
from wassette.registry import artifact
from wassette.registry_options import RegistryHost, RegistryOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.registries import Front, Registry
    from wassette.registry.model import Pulled
    from wassette.registry.registries import Registries

    Ways = Callable[..., Registries]

pytestmark = [pytest.mark.anyio, needs_registry]

POLICY = b'version: "1.0"\npermissions: {}\n'
WASM = random.Random(1).randbytes(3_000_000)
DIGEST = hashlib.sha256(WASM).hexdigest()


@pytest.fixture(scope="module", autouse=True)
def stored(plain: Registry) -> str:
    return put(
        plain,
        "org/tool",
        "1.0",
        (artifact.WASM, WASM),
        (artifact.POLICY, POLICY),
        annotations={"org.opencontainers.image.title": "A tool"},
    )


async def fetched(
    ways: Registries, reference: str, path: Path, progress: Any = lambda *_: None
) -> Pulled:
    async with ways.fetch(parse_oci(reference), path, progress) as pulled:
        return pulled


# -- as it should be -----------------------------------------------------------------------------


async def test_by_tag(plain: Registry, stored: str, ways: Ways, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    pulled = await fetched(
        ways(), plain.oci("org/tool:1.0"), tmp_path / "a", lambda *one: told.append(one)
    )
    assert (tmp_path / "a").read_bytes() == WASM
    assert (pulled.digest, pulled.size) == (DIGEST, len(WASM))
    assert pulled.policy == POLICY
    assert pulled.manifest_digest == stored
    assert pulled.annotations == {"org.opencontainers.image.title": "A tool"}
    assert pulled.source == plain.oci("org/tool:1.0")
    assert told[0] == ("downloading", 0, None)
    assert ("downloading", len(WASM), len(WASM)) in told
    assert told[-1][0] == "verifying"
    done = [one[1] for one in told]
    assert done == sorted(done)
    assert len(set(done)) > 3  # on the way, not only at the end


async def test_by_digest(plain: Registry, stored: str, ways: Ways, tmp_path: Path) -> None:
    pulled = await fetched(ways(), plain.oci(f"org/tool@{stored}"), tmp_path / "a")
    assert pulled.digest == DIGEST
    assert pulled.source.endswith(f"/org/tool@{stored}")


@pytest.mark.parametrize("kind", artifact.WASM_TYPES)
async def test_every_type_of_layer(plain: Registry, ways: Ways, tmp_path: Path, kind: str) -> None:
    put(plain, "org/types", "1", ("text/plain", b"a readme"), (kind, b"first"), (kind, b"second"))
    pulled = await fetched(ways(), plain.oci("org/types:1"), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"first"
    assert pulled.policy is None


async def test_index(plain: Registry, ways: Ways, tmp_path: Path) -> None:
    digests = {
        system: put(plain, "org/many", system, (artifact.WASM, system.encode()))
        for system in ("wasip1", "wasip2")
    }
    other = put(plain, "org/many", "linux", ("application/vnd.oci.image.layer.v1.tar", b"tar"))
    entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1}
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {**entry, "digest": other, "platform": {"architecture": "amd64", "os": "linux"}},
            *(
                {**entry, "digest": digest, "platform": {"architecture": "wasm", "os": system}}
                for system, digest in digests.items()
            ),
        ],
    }
    digest = put_manifest(plain, "org/many", "all", index)
    pulled = await fetched(ways(), plain.oci("org/many:all"), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"wasip2"
    assert (pulled.index_digest, pulled.manifest_digest) == (digest, digests["wasip2"])
    # What is pinned is the index, and so all that it names.
    again = await fetched(ways(), plain.oci(f"org/many@{digest}"), tmp_path / "b")
    assert again.digest == pulled.digest

    index["manifests"] = index["manifests"][:1] * 2  # type: ignore[index]
    put_manifest(plain, "org/many", "none", index)
    with pytest.raises(RegistryError, match="org/many: none: it is an index of 2"):
        await fetched(ways(), plain.oci("org/many:none"), tmp_path / "c")


async def test_tls(plain: Registry, ways: Ways, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with registries.front(plain.port, authority) as front:
        trusting = EgressOptions(ca_file=tmp_path / "ca.pem")
        pulled = await fetched(ways(trusting), front.oci("org/tool:1.0"), tmp_path / "a")
        assert pulled.digest == DIGEST
        with pytest.raises(RegistryError, match="certificate that is not trusted"):
            await fetched(ways(), front.oci("org/tool:1.0"), tmp_path / "b")
        # By configuration it is spoken to without TLS, and never comes to say anything.
        hosts = RegistryOptions({front.place: RegistryHost(plain_http=True)})
        with pytest.raises(RegistryError):
            await fetched(ways(trusting, hosts), front.oci("org/tool:1.0"), tmp_path / "c")


async def test_proxy(plain: Registry, front: Front, ways: Ways, tmp_path: Path) -> None:
    """A name that only the proxy knows."""

    def absolute(seen: Seen, handler: Any) -> bool:
        assert seen.path.startswith("http://registry.invalid/v2/")
        assert seen.headers["proxy-authorization"] == "Basic bWU6cHc="
        return False

    front.before = absolute
    options = EgressOptions(http_proxy=f"http://me:pw@{front.place}")
    hosts = RegistryOptions({"registry.invalid": RegistryHost(plain_http=True)})
    pulled = await fetched(
        ways(options, hosts), "oci://registry.invalid/org/tool:1.0", tmp_path / "a"
    )
    assert pulled.digest == DIGEST
    assert front.seen


async def test_referrers(plain: Registry, stored: str, ways: Ways, tmp_path: Path) -> None:
    """This registry has no API for them, so they are found by the tag that stands in for it."""
    about = put(plain, "org/tool", "about", ("text/plain", b"signed"), artifactType="x/signature")
    kind = "application/vnd.oci.image.manifest.v1+json"
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {"mediaType": kind, "digest": about, "size": 5, "artifactType": "x/signature"},
            {"mediaType": kind, "digest": stored, "size": 5, "artifactType": "x/other"},
        ],
    }
    put_manifest(plain, "org/tool", stored.replace(":", "-"), index)
    async with ways().fetch(
        parse_oci(plain.oci("org/tool:1.0")), tmp_path / "a", lambda *_: None
    ) as pulled:
        assert pulled.repository is not None
        found = await pulled.repository.referrers(stored, "x/signature")
        assert [one.digest for one in found] == [about]
        manifest = await pulled.repository.manifest(about)
        assert manifest is not None
        assert await pulled.repository.blob(manifest.layers[0], 100) == b"signed"
        with pytest.raises(RegistryError, match="the limit is 3"):
            await pulled.repository.blob(manifest.layers[0], 3)
        assert await pulled.repository.manifest("sha256-0.sig") is None


async def test_referrers_of_a_registry_that_has_them(
    plain: Registry, front: Front, stored: str, ways: Ways, tmp_path: Path
) -> None:
    pages = [
        [{"mediaType": "a/b", "digest": f"sha256:{n:064x}", "size": n, "artifactType": "x"}]
        for n in range(3)
    ]

    def answer(seen: Seen, handler: Any) -> bool:
        match = re.fullmatch(
            r"/v2/org/tool/referrers/sha256:[0-9a-f]{64}(?:\?page=(\d))?", seen.path
        )
        if match is None:
            return False
        page = int(match[1] or 0)
        link = {"link": f'<{seen.path.partition("?")[0]}?page={page + 1}>; rel="next"'}
        index = {"schemaVersion": 2, "manifests": pages[page]}
        kind = {"content-type": "application/vnd.oci.image.index.v1+json"}
        handler.reply(200, json.dumps(index).encode(), kind | (link if page < 2 else {}))
        return True

    front.before = answer
    async with ways().fetch(
        parse_oci(front.oci("org/tool:1.0")), tmp_path / "a", lambda *_: None
    ) as pulled:
        assert pulled.repository is not None
        assert [one.size for one in await pulled.repository.referrers(stored)] == [0, 1, 2]


# -- misbehaving ---------------------------------------------------------------------------------


async def refused(
    ways: Registries, front: Front, path: Path, cause: str, error: type[Exception] = RegistryError
) -> str:
    """Every error names registry, repository and cause."""
    with pytest.raises(error, match=cause) as raised:
        await fetched(ways, front.oci("org/tool:1.0"), path)
    text = str(raised.value)
    assert f"{front.place}/org/tool" in text
    path.unlink(missing_ok=True)
    return text


def of_blobs(change: Callable[[Reply], Reply]) -> Callable[..., Reply]:
    def tamper(seen: Seen, reply: Reply, _: Any) -> Reply:
        return change(reply) if DIGEST in seen.path and seen.method == "GET" else reply

    return tamper


async def test_corrupted_blob(front: Front, ways: Ways, tmp_path: Path) -> None:
    def flip(reply: Reply) -> Reply:
        reply.body = reply.body[:1000] + bytes([reply.body[1000] ^ 1]) + reply.body[1001:]
        return reply

    front.tamper = of_blobs(flip)
    await refused(ways(), front, tmp_path / "a", "has other bytes", DigestMismatch)


async def test_corrupted_in_the_registrys_store(
    plain: Registry, ways: Ways, tmp_path: Path
) -> None:
    data = random.Random(2).randbytes(100_000)
    put(plain, "org/rotten", "1", (artifact.WASM, data))
    plain.blob_file(hashlib.sha256(data).hexdigest()).write_bytes(data[:-1] + b"!")
    with pytest.raises(DigestMismatch, match="org/rotten: the blob sha256"):
        await fetched(ways(), plain.oci("org/rotten:1"), tmp_path / "a")


@pytest.mark.usefixtures("impatient")
async def test_truncated_blob(front: Front, ways: Ways, tmp_path: Path) -> None:
    """It ends too early, properly; and it says so little each time that it is given up."""

    def cut(reply: Reply) -> Reply:
        reply.status, reply.body = 200, reply.body[:1000]
        return reply

    front.tamper = of_blobs(cut)
    await refused(ways(), front, tmp_path / "a", "ended after 1000 of 3000000 bytes")
    assert len(front.blobs()) == 4  # bounded


async def test_longer_than_it_should_be(front: Front, ways: Ways, tmp_path: Path) -> None:
    def more(reply: Reply) -> Reply:
        reply.body += b"!" * 5_000_000
        return reply

    front.tamper = of_blobs(more)
    await refused(ways(), front, tmp_path / "a", "more than the 3000000 bytes")


async def test_oversized(
    plain: Registry,
    ways: Ways,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wassette.registry.registries.MAX_COMPONENT", 2 * 1024 * 1024)
    with pytest.raises(
        RegistryError, match=r"org/tool: .* is too large: 2.9 MB; the limit is 2 MB"
    ):
        await fetched(ways(), plain.oci("org/tool:1.0"), tmp_path / "a")
    assert not (tmp_path / "a").exists() or not (tmp_path / "a").stat().st_size


async def test_endless_manifest(front: Front, ways: Ways, tmp_path: Path) -> None:
    def endless(seen: Seen, handler: Any) -> bool:
        if "/manifests/" not in seen.path:
            return False
        handler.send_response_only(200)
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        try:
            while True:
                handler.wfile.write(piece)
        except OSError:
            return True

    front.before = endless
    await refused(ways(), front, tmp_path / "a", "more than 4194304 bytes")


def of_manifests(change: Callable[[Reply], Reply]) -> Callable[..., Reply]:
    def tamper(seen: Seen, reply: Reply, _: Any) -> Reply:
        return change(reply) if "/manifests/" in seen.path else reply

    return tamper


async def test_wrong_manifest_digest(front: Front, stored: str, ways: Ways, tmp_path: Path) -> None:
    def other(reply: Reply) -> Reply:
        reply.body = reply.body.replace(b"A tool", b"A fool")
        return reply

    front.tamper = of_manifests(other)
    text = await refused(ways(), front, tmp_path / "a", "should have the digest", DigestMismatch)
    assert stored in text

    # Who pins needs no word of the registry's.
    def silent(reply: Reply) -> Reply:
        reply.headers.pop("docker-content-digest")
        return other(reply)

    front.tamper = of_manifests(silent)
    with pytest.raises(DigestMismatch, match="should have the digest"):
        await fetched(ways(), front.oci(f"org/tool@{stored}"), tmp_path / "b")


async def test_manifest_that_is_two_things(front: Front, ways: Ways, tmp_path: Path) -> None:
    """CVE-2021-41190: one reads it as a manifest, another as an index."""

    def both(reply: Reply) -> Reply:
        found = json.loads(reply.body)
        reply.body = json.dumps({**found, "manifests": found["layers"]}).encode()
        reply.headers.pop("docker-content-digest")
        return reply

    front.tamper = of_manifests(both)
    await refused(ways(), front, tmp_path / "a", "could be a manifest or an index")


async def test_no_component_in_it(plain: Registry, ways: Ways, tmp_path: Path) -> None:
    put(plain, "org/image", "1", ("application/vnd.oci.image.layer.v1.tar+gzip", b"tar"))
    with pytest.raises(InvalidComponent, match=r"No WASM layer found in OCI artifact .*tar\+gzip"):
        await fetched(ways(), plain.oci("org/image:1"), tmp_path / "a")


async def test_not_there(plain: Registry, ways: Ways, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"org/tool: there is no tag 2\.0"):
        await fetched(ways(), plain.oci("org/tool:2.0"), tmp_path / "a")
    missing = "sha256:" + "0" * 64
    with pytest.raises(RegistryError, match=f"org/tool: there is no manifest {missing}"):
        await fetched(ways(), plain.oci(f"org/tool@{missing}"), tmp_path / "a")


async def test_nobody_there(ways: Ways, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(RegistryError, match=f"127.0.0.1:{port}: .*does not accept") as raised:
            await fetched(ways(), f"oci://127.0.0.1:{port}/org/tool:1", tmp_path / "a")
    assert raised.value.passing


async def test_redirect_to_another_host(
    plain: Registry, front: Front, ways: Ways, tmp_path: Path
) -> None:
    """As registries do that keep their blobs elsewhere. The other one is told nothing."""
    with registries.front(plain.port) as other:

        def away(seen: Seen, handler: Any) -> bool:
            if "/blobs/" not in seen.path:
                return False
            handler.reply(307, b"", {"location": f"http://localhost:{other.port}{seen.path}"})
            return True

        front.before = away
        pulled = await fetched(ways(), front.oci("org/tool:1.0"), tmp_path / "a")
        assert pulled.digest == DIGEST
        assert len(other.blobs()) == 2
        assert not any("authorization" in one.headers for one in other.seen)


@pytest.mark.usefixtures("impatient")
async def test_redirects_without_end(front: Front, ways: Ways, tmp_path: Path) -> None:
    def round_and_round(seen: Seen, handler: Any) -> bool:
        handler.reply(307, b"", {"location": seen.path})
        return "/blobs/" in seen.path

    def start(seen: Seen, handler: Any) -> bool:
        return "/blobs/" in seen.path and round_and_round(seen, handler)

    front.before = start
    await refused(ways(), front, tmp_path / "a", "redirected more than 5 times")
    assert len(front.blobs()) == 6


async def test_dies_on_the_way_and_comes_back(
    plain: Registry, front: Front, ways: Ways, tmp_path: Path
) -> None:
    """It breaks off twice, is gone for a while, and what has come does not come again."""
    breaks = iter([1_200_000, 600_000])

    def broken(seen: Seen, reply: Reply, handler: Any) -> Reply | None:
        if DIGEST not in seen.path or (after := next(breaks, None)) is None:
            return reply
        handler.send_response_only(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(reply.body[:after])
        handler.wfile.flush()
        handler.close_connection = True
        front.upstream = gone  # nobody there, for a while
        return None

    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        gone = nobody.getsockname()[1]
        front.tamper = broken
        task = asyncio.create_task(fetched(ways(), front.oci("org/tool:1.0"), tmp_path / "a"))
        while not task.done():
            await asyncio.sleep(0.4)
            front.upstream = plain.port
        pulled = await task
    assert pulled.digest == DIGEST
    ranges = [one.headers.get("range") for one in front.seen if DIGEST in one.path]
    assert "bytes=1200000-" in ranges
    assert "bytes=1800000-" in ranges


async def test_goes_on_at_the_wrong_place(front: Front, ways: Ways, tmp_path: Path) -> None:
    first = True

    def wrong(seen: Seen, reply: Reply, handler: Any) -> Reply | None:
        nonlocal first
        if DIGEST not in seen.path:
            return reply
        if first:
            first = False
            handler.send_response_only(200)
            handler.send_header("content-length", str(len(WASM)))
            handler.end_headers()
            handler.wfile.write(WASM[:2000])
            handler.close_connection = True
            return None
        reply.headers["content-range"] = f"bytes 5-{len(WASM) - 1}/{len(WASM)}"
        return reply

    front.tamper = wrong
    await refused(ways(), front, tmp_path / "a", "went on at another place")


@pytest.mark.usefixtures("impatient")
async def test_says_nothing(front: Front, ways: Ways, tmp_path: Path) -> None:
    def silent(seen: Seen, _: Any) -> bool:
        if "/manifests/" in seen.path:
            time.sleep(3)
        return False

    front.before = silent
    await refused(
        ways(EgressOptions(idle_timeout=0.2)), front, tmp_path / "a", "nothing came for too long"
    )


async def test_takes_too_long(front: Front, ways: Ways, tmp_path: Path) -> None:
    def drip(seen: Seen, handler: Any) -> bool:
        if DIGEST not in seen.path:
            return False
        handler.send_response_only(200)
        handler.send_header("content-length", str(len(WASM)))
        handler.end_headers()
        try:
            for byte in WASM:
                handler.wfile.write(bytes([byte]))
                time.sleep(0.05)
        except OSError:
            pass
        return True

    front.before = drip
    await refused(
        ways(EgressOptions(total_timeout=0.5)), front, tmp_path / "a", "longer than 0.5 s"
    )


@pytest.mark.usefixtures("impatient")
async def test_too_many_requests(front: Front, ways: Ways, tmp_path: Path) -> None:
    left = 2

    def busy(seen: Seen, handler: Any) -> bool:
        nonlocal left
        if "/manifests/" not in seen.path or left == 0:
            return False
        left -= 1
        handler.reply(429, b'{"errors": [{"code": "TOOMANYREQUESTS"}]}', {"retry-after": "0"})
        return True

    front.before = busy
    assert (await fetched(ways(), front.oci("org/tool:1.0"), tmp_path / "a")).digest == DIGEST
    left = 1000
    await refused(ways(), front, tmp_path / "b", "too many requests .TOOMANYREQUESTS")
    assert 990 < left < 1000  # bounded


async def test_cancelled(front: Front, ways: Ways, tmp_path: Path) -> None:
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stall(seen: Seen, handler: Any) -> bool:
        if DIGEST not in seen.path:
            return False
        handler.send_response_only(200)
        handler.send_header("content-length", str(len(WASM)))
        handler.end_headers()
        handler.wfile.write(WASM[:2_000_000])
        handler.wfile.flush()
        loop.call_soon_threadsafe(begun.set)
        with contextlib.suppress(OSError):
            handler.rfile.read(1)  # until it is gone
        gone.append(1)
        return True

    gone: list[int] = []
    front.before = stall
    task = asyncio.create_task(fetched(ways(), front.oci("org/tool:1.0"), tmp_path / "a"))
    await asyncio.wait_for(begun.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(1000):
        if gone:
            break
        await asyncio.sleep(0.01)
    assert gone  # the connection was ended


async def test_disk_full(front: Front, ways: Ways, small_disk: Path) -> None:
    with pytest.raises(StoreError, match=r"No space left on device\. Make room") as raised:
        await fetched(ways(), front.oci("org/tool:1.0"), small_disk / "a")
    assert str(small_disk) in str(raised.value)
