"""Files from web servers."""

from __future__ import annotations

import contextlib
import hashlib
import random
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from support import registries
from wassette.components.remote import HttpsReference, parse_remote
from wassette.egress_options import EgressOptions
from wassette.errors import DigestMismatch, InvalidComponent, RegistryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.registries import Front, Seen
    from wassette.registry.model import Pulled
    from wassette.registry.registries import Registries

pytestmark = pytest.mark.anyio

WASM = random.Random(3).randbytes(2_500_000)
DIGEST = hashlib.sha256(WASM).hexdigest()


class Server:
    """A web server with one file, and ways to it that trust its certificate."""

    def __init__(self, front: Front, ways: Callable[..., Registries], authority: Path) -> None:
        self.front = front
        self.ways = ways(EgressOptions(ca_file=authority))
        self.etag = '"one"'
        self.break_off: list[int] = []
        """After how many bytes of each answer."""
        front.before = self.answer

    def answer(self, seen: Seen, handler: Any) -> bool:
        if seen.path.endswith("/away.wasm"):
            handler.reply(302, b"", {"location": seen.headers["host"].join(("//", "/tool.wasm"))})
            return True
        if seen.path.endswith("/clear.wasm"):
            handler.reply(302, b"", {"location": f"http://{seen.headers['host']}/tool.wasm"})
            return True
        if not seen.path.partition("?")[0].endswith("/tool.wasm"):
            handler.reply(404, b"no")
            return True
        start, status = 0, 200
        if "range" in seen.headers and seen.headers.get("if-range") == self.etag:
            start, status = int(seen.headers["range"].removeprefix("bytes=").rstrip("-")), 206
        body = WASM[start:]
        handler.send_response_only(status)
        handler.send_header("content-length", str(len(body)))
        handler.send_header("etag", self.etag)
        if status == 206:
            handler.send_header("content-range", f"bytes {start}-{len(WASM) - 1}/{len(WASM)}")
        handler.end_headers()
        cut = self.break_off.pop(0) if self.break_off else None
        with contextlib.suppress(OSError):
            handler.wfile.write(body[:cut])
        handler.close_connection = cut is not None
        return True

    async def fetch(self, path: Path, name: str = "/tool.wasm") -> Pulled:
        remote = parse_remote(f"https://{self.front.place}{name}")
        assert isinstance(remote, HttpsReference)
        async with self.ways.fetch(remote, path, lambda *_: None) as pulled:
            return pulled


@pytest.fixture
def server(tmp_path: Path, ways: Callable[..., Registries]) -> Iterator[Server]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with registries.front(authority=authority) as front:
        yield Server(front, ways, tmp_path / "ca.pem")


async def test_a_file(server: Server, tmp_path: Path) -> None:
    pulled = await server.fetch(tmp_path / "a", f"/x/tool.wasm?v=1#sha256={DIGEST}")
    assert (pulled.digest, (tmp_path / "a").read_bytes()) == (DIGEST, WASM)
    assert pulled.reference is None
    assert pulled.source == f"https://{server.front.place}/x/tool.wasm?v=1#sha256={DIGEST}"
    assert server.front.seen[0].path == "/x/tool.wasm?v=1"


async def test_another_digest(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DigestMismatch, match=f"has the digest sha256:{DIGEST}, but sha256:0000"):
        await server.fetch(tmp_path / "a", f"/tool.wasm#sha256={'0' * 64}")


async def test_not_there(server: Server, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"Failed to download .*no\.wasm\. Status code: 404"):
        await server.fetch(tmp_path / "a", "/no.wasm")


async def test_redirects_only_to_https(server: Server, tmp_path: Path) -> None:
    assert (await server.fetch(tmp_path / "a", "/away.wasm")).digest == DIGEST
    with pytest.raises(RegistryError, match="without TLS"):
        await server.fetch(tmp_path / "b", "/clear.wasm")
    assert [one.path for one in server.front.seen][-1] == "/clear.wasm"


async def test_too_large(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wassette.registry.registries.MAX_COMPONENT", 1024 * 1024)
    with pytest.raises(InvalidComponent, match="is too large"):
        await server.fetch(tmp_path / "a")


@pytest.mark.usefixtures("impatient")
async def test_goes_on_where_it_broke_off(server: Server, tmp_path: Path) -> None:
    server.break_off = [1_500_000, 500_000]
    assert (await server.fetch(tmp_path / "a")).digest == DIGEST
    ranges = [one.headers.get("range") for one in server.front.seen]
    assert ranges == [None, "bytes=1500000-", "bytes=2000000-"]


@pytest.mark.usefixtures("impatient")
async def test_another_file_meanwhile(server: Server, tmp_path: Path) -> None:
    """What has come is of the old one: everything comes anew."""
    server.break_off = [1_500_000]
    answer = server.answer

    def replaced(seen: Seen, handler: Any) -> bool:
        if "range" in seen.headers:
            server.etag = '"two"'
        return answer(seen, handler)

    server.front.before = replaced
    assert (await server.fetch(tmp_path / "a")).digest == DIGEST
    assert server.front.seen[1].headers["if-range"] == '"one"'


@pytest.mark.usefixtures("impatient")
async def test_without_a_validator_it_begins_again(server: Server, tmp_path: Path) -> None:
    server.etag, server.break_off = 'W/"weak"', [1_500_000]
    assert (await server.fetch(tmp_path / "a")).digest == DIGEST
    assert [one.headers.get("range") for one in server.front.seen] == [None, None]
