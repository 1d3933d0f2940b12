"""Signatures beside a file on a web server."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from support import registries, wat
from support.signing import IDENTITY, ISSUER, World, by_key, new_key, world
from wassette.components.signature import Signer
from wassette.errors import NotSigned, SourceChanged
from wassette.host import Host
from wassette.signature_options import Identity, Mode, SignatureOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.registries import Front, Seen
    from wassette.components.signature import Signature
    from wassette.config import Settings

pytestmark = pytest.mark.anyio

Reply = tuple[int, bytes, dict[str, str]]
NOTHING: Reply = (404, b"no", {})


class Server:
    """A web server with a component and what lies beside it; the host requires signatures."""

    def __init__(self, front: Front, settings: Settings, wasm: bytes) -> None:
        self.front, self.settings, self.wasm = front, settings, wasm
        self.beside: Reply = NOTHING
        front.before = self._answer

    def _answer(self, seen: Seen, handler: Any) -> bool:
        path = seen.path.partition("?")[0]
        if path == "/calc.wasm":
            handler.reply(200, self.wasm)
        elif path == "/calc.wasm.sigstore.json":
            handler.reply(*self.beside)
        else:
            handler.reply(*NOTHING)
        return True

    def signed(self, bundle: bytes) -> None:
        self.beside = (200, bundle, {"content-type": "application/json"})

    async def load(self, query: str = "", **options: Any) -> Signature:
        async with Host(self.settings) as host:
            loaded = await host.load(f"https://{self.front.place}/calc.wasm{query}", **options)
            return loaded.record.signature

    def with_mode(self, mode: Mode) -> None:
        self.settings = replace(
            self.settings, signatures=replace(self.settings.signatures, mode=mode)
        )


@pytest.fixture
def server(settings: Settings, tmp_path: Path) -> Iterator[Server]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    signatures = SignatureOptions(
        Mode.REQUIRE,
        identities=(Identity(IDENTITY, ISSUER),),
        trusted_root=world().write_root(tmp_path),
    )
    egress = replace(settings.egress, ca_file=tmp_path / "ca.pem")
    wasm = wat.write(tmp_path / "theirs", "calc").read_bytes()
    with registries.front(authority=authority) as front:
        yield Server(front, replace(settings, egress=egress, signatures=signatures), wasm)


async def test_signed_by_who_is_named(server: Server) -> None:
    server.signed(world().sign(server.wasm).bundle)
    found = await server.load("?token=x")
    assert found.signer == Signer(IDENTITY, ISSUER)
    paths = [one.path for one in server.front.seen]
    assert paths == ["/calc.wasm?token=x", "/calc.wasm.sigstore.json?token=x"]


@pytest.mark.parametrize(
    "beside", [NOTHING, (403, b"", {}), (200, b"<!doctype html>", {"content-type": "text/html"})]
)
async def test_not_signed(server: Server, beside: Reply) -> None:
    server.beside = beside
    with pytest.raises(NotSigned, match="it is not signed, and signatures are required"):
        await server.load()
    server.with_mode(Mode.WARN)
    assert (await server.load()).problem == ""


async def test_attack_another_component_under_a_good_signature(server: Server) -> None:
    server.signed(world().sign(server.wasm).bundle)
    server.wasm += b"\0\2\0\0"  # an empty custom section: still a component
    with pytest.raises(NotSigned, match="no valid signature"):
        await server.load()


async def test_attack_signed_by_somebody_else(server: Server) -> None:
    server.signed(by_key(new_key(), server.wasm))
    with pytest.raises(NotSigned, match="no valid signature"):
        await server.load()
    other = World()
    server.signed(other.sign(server.wasm).bundle)
    with pytest.raises(NotSigned, match="no valid signature"):
        await server.load()


@pytest.mark.parametrize(
    ("beside", "why"),
    [
        ((500, b"", {}), "calc.wasm.sigstore.json: it answers 500"),
        ((200, b"x" * 1_048_577, {}), "has more than 1048576 bytes"),
        ((302, b"", {"location": "http://localhost/x"}), "without TLS"),
        ((200, b"{", {}), "no valid signature"),
    ],
)
async def test_attack_a_bundle_that_cannot_be_had(server: Server, beside: Reply, why: str) -> None:
    server.beside = beside
    with pytest.raises(NotSigned) as refused:
        await server.load()
    assert why in str(refused.value)


async def test_attack_the_signature_is_taken_away(server: Server) -> None:
    server.with_mode(Mode.WARN)
    server.signed(world().sign(server.wasm).bundle)
    await server.load()
    server.beside = NOTHING
    with pytest.raises(SourceChanged, match="before it was signed by"):
        await server.load()


async def test_nobody_looks_where_it_is_off(server: Server) -> None:
    server.with_mode(Mode.OFF)
    await server.load()
    assert [one.path for one in server.front.seen] == ["/calc.wasm"]
