"""TLS with a certificate authority of the test's own, and with whatever else is not trusted."""

from __future__ import annotations

import ssl
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import trustme

from support.egress import ELSEWHERE, PUBLIC, TLS, World, echo, policy, receive, reply
from wassette.egress import EgressOptions

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.fixture
def tls(tmp_path: Path) -> TLS:
    return TLS(tmp_path)


@pytest.fixture
def options(tls: TLS) -> EgressOptions:
    return EgressOptions(ca_file=tls.ca_file)


async def test_a_certificate_of_the_configured_authority(tls: TLS, options: EgressOptions) -> None:
    async with World(options) as world:
        await world.site("good.example", echo, tls=tls)
        answer = await world.fetch("https://good.example/x", "POST", body=b"y" * 300_000)
        assert answer.seen["body"] == "y" * 300_000
        assert answer.seen["headers"][0] == ["host", "good.example"]
        assert (await world.over()).error is None


async def test_what_is_agreed_on(tls: TLS, options: EgressOptions) -> None:
    seen = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await receive(reader)
        made = writer.get_extra_info("ssl_object")
        seen.append((made.selected_alpn_protocol(), made.version(), asked))
        writer.write(reply(b"ok"))
        await writer.drain()

    asked = []
    context = tls.server("good.example")
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.sni_callback = lambda _, name, __: asked.append(name)
    async with World(options) as world:
        world.leads[PUBLIC, 443] = await world.serve(handler, context)
        world.names["good.example"] = [PUBLIC]
        assert (await world.fetch("https://Good.Example./")).body == b"ok"
    [(protocol, version, names)] = seen
    assert (protocol, names) == ("http/1.1", ["good.example"])
    assert version in ("TLSv1.2", "TLSv1.3")


async def test_an_address_as_the_host(tls: TLS, options: EgressOptions) -> None:
    async with World(options) as world:
        port = await world.serve(echo, tls.server("127.0.0.1"))
        here = f"127.0.0.1:{port}"
        answer = await world.fetch(f"https://{here}/", rules=policy(here))
        assert answer.seen["headers"][0] == ["host", here]


async def test_the_authority_is_not_trusted_by_itself(tls: TLS) -> None:
    async with World() as world:
        await world.site("good.example", echo, tls=tls)
        refused = await world.refused("https://good.example/")
        assert (refused.code, refused.grantable) == ("TLS-certificate-error", False)
        assert "not trusted" in (world.records[0].error or "")


async def test_a_certificate_for_another_name(tls: TLS, options: EgressOptions) -> None:
    async with World(options) as world:
        world.leads[PUBLIC, 443] = await world.serve(echo, tls.server("other.example"))
        world.names["good.example"] = [PUBLIC]
        assert (await world.refused("https://good.example/")).code == "TLS-certificate-error"


async def test_a_certificate_that_has_expired(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("good.example", not_after=datetime(2020, 1, 1, tzinfo=UTC)).configure_cert(
        context
    )
    async with World(EgressOptions(ca_file=tmp_path / "ca.pem")) as world:
        world.leads[PUBLIC, 443] = await world.serve(echo, context)
        world.names["good.example"] = [PUBLIC]
        assert (await world.refused("https://good.example/")).code == "TLS-certificate-error"


async def test_servers_that_do_not_speak_tls(options: EgressOptions) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)

    async with World(options) as world:
        world.names["good.example"] = [PUBLIC]
        for handler in (plain, closing):
            world.leads[PUBLIC, 443] = await world.serve(handler)
            assert (await world.refused("https://good.example/")).code == "TLS-protocol-error"


async def test_old_versions_are_refused(tls: TLS, options: EgressOptions) -> None:
    context = tls.server("good.example")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    async with World(options) as world:
        world.leads[PUBLIC, 443] = await world.serve(echo, context)
        world.names["good.example"] = [PUBLIC]
        assert (await world.refused("https://good.example/")).code == "TLS-protocol-error"


async def test_the_way_of_the_systems_that_decide_themselves(
    tls: TLS, options: EgressOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """macOS and Windows, as far as that can be seen elsewhere: truststore under the relay."""
    monkeypatch.setattr("wassette.egress.tls.sys", SimpleNamespace(platform="darwin"))
    async with World(options) as world:
        await world.site("good.example", echo, tls=tls)
        assert (await world.fetch("https://good.example/")).status == 200
    async with World() as world:
        await world.site("good.example", echo, tls=tls)
        assert (await world.refused("https://good.example/")).code == "TLS-certificate-error"


async def test_http_is_not_https(tls: TLS, options: EgressOptions) -> None:
    """Neither is tried for the other."""
    async with World(options) as world:
        await world.site("good.example", echo, tls=tls)
        await world.site("plain.example", echo, address=ELSEWHERE)
        assert (await world.refused("http://good.example/")).code == "connection-refused"
        assert (await world.refused("https://plain.example/")).code == "connection-refused"


async def test_a_file_without_certificates(tmp_path: Path, tls: TLS) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing\n")
    async with World(replace(EgressOptions(), ca_file=empty)) as world:
        await world.site("good.example", echo, tls=tls)
        refused = await world.refused("https://good.example/")
        assert refused.code == "configuration-error"
        assert "empty.pem" in str(refused)


async def test_the_systems_certificates_are_trusted_too(
    tls: TLS, options: EgressOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`SSL_CERT_FILE` is where OpenSSL is told that the system has them."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.ca_file))
    async with World() as world:
        await world.site("good.example", echo, tls=tls)
        assert (await world.fetch("https://good.example/")).status == 200
