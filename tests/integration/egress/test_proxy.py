"""Through a real proxy: absolute form, CONNECT, credentials, TLS to the proxy itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from support.egress import (
    PUBLIC,
    TLS,
    ProxyServer,
    World,
    echo,
    policy,
    silent,
)
from wassette.egress import EgressOptions

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

BASIC = "Basic dTpwQHNz"  # u:p@ss


def use(world: World, url: str) -> None:
    world.relay.options = replace(world.relay.options, http_proxy=url, https_proxy=url)


async def proxied(
    world: World,
    *,
    tls: TLS | None = None,
    secure: bool = False,
    credentials: str | None = None,
    user: str = "",
) -> ProxyServer:
    """Sets the world's proxies, which lead to `good.example` on both ports."""
    leads = {
        ("good.example", 80): await world.serve(echo),
        ("good.example", 443): await world.serve(echo, tls.server("good.example") if tls else None),
    }
    proxy = ProxyServer(leads, credentials)
    port = await world.serve(proxy, tls.server("localhost") if tls and secure else None)
    url = f"{'https' if secure else 'http'}://{user}localhost:{port}"
    use(world, url)
    world.names["localhost"] = ["127.0.0.1"]
    world.names["good.example"] = [PUBLIC]
    return proxy


@pytest.mark.parametrize("secure", [False, True])
async def test_plain_requests_in_absolute_form(tmp_path: Path, secure: bool) -> None:
    tls = TLS(tmp_path)
    async with World(EgressOptions(ca_file=tls.ca_file)) as world:
        proxy = await proxied(world, tls=tls, secure=secure)
        answer = await world.fetch("http://good.example/a?b=c", "POST", body=b"hello")
        assert (answer.seen["target"], answer.seen["body"]) == ("/a?b=c", "hello")
        assert proxy.heads[0].startswith(b"POST http://good.example/a?b=c HTTP/1.1\r\n")
        assert world.records[0].address == f"proxy localhost:{world.asked[0][1]}"


@pytest.mark.parametrize("secure", [False, True])
async def test_secure_requests_by_connect(tmp_path: Path, secure: bool) -> None:
    tls = TLS(tmp_path)
    async with World(EgressOptions(ca_file=tls.ca_file)) as world:
        proxy = await proxied(world, tls=tls, secure=secure)
        answer = await world.fetch("https://good.example/a?b=c", "POST", body=b"y" * 300_000)
        assert answer.seen["body"] == "y" * 300_000
        # The proxy learns where to, and no more.
        [head] = proxy.heads
        assert head == b"CONNECT good.example:443 HTTP/1.1\r\nHost: good.example:443\r\n\r\n"


async def test_the_server_behind_a_tunnel_has_to_be_who_it_is(tmp_path: Path) -> None:
    tls = TLS(tmp_path)
    async with World(EgressOptions(ca_file=tls.ca_file)) as world:
        proxy = await proxied(world, tls=tls)
        proxy.leads["other.example", 443] = proxy.leads["good.example", 443]
        world.names["other.example"] = [PUBLIC]
        assert (await world.refused("https://other.example/")).code == "TLS-certificate-error"


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_credentials(tmp_path: Path, scheme: str) -> None:
    tls = TLS(tmp_path)
    async with World(EgressOptions(ca_file=tls.ca_file)) as world:
        proxy = await proxied(world, tls=tls, credentials=BASIC, user="u:p%40ss@")
        answer = await world.fetch(f"{scheme}://good.example/")
        assert answer.status == 200
        assert f"Proxy-Authorization: {BASIC}".encode() in proxy.heads[0]
        if scheme == "https":
            assert BASIC not in answer.seen["raw"]
        assert "p@ss" not in repr(world.records)
        assert BASIC not in repr(world.records)


async def test_wrong_credentials(tmp_path: Path) -> None:
    tls = TLS(tmp_path)
    async with World(EgressOptions(ca_file=tls.ca_file)) as world:
        await proxied(world, tls=tls, credentials=BASIC, user="u:wr0ng@")
        refused = await world.refused("https://good.example/")
        assert refused.code == "configuration-error"
        assert "credentials" in str(refused)
        assert "wr0ng" not in str(refused) + repr(world.records)


async def test_what_the_proxy_cannot_reach(tmp_path: Path) -> None:
    async with World() as world:
        await proxied(world)
        world.names["other.example"] = [PUBLIC]
        refused = await world.refused("https://other.example/")
        assert refused.code == "destination-unavailable"
        assert "(502)" in str(refused)


async def test_no_proxy_and_this_machine_go_directly() -> None:
    async with World(EgressOptions(no_proxy=(".example",))) as world:
        proxy = await proxied(world)
        await world.site("direct.example", echo)
        assert (await world.fetch("http://direct.example/")).status == 200
        port = await world.serve(echo)
        here = f"127.0.0.1:{port}"
        assert (await world.fetch(f"http://{here}/", rules=policy(here))).status == 200
        assert proxy.heads == []


async def test_names_that_only_the_proxy_knows() -> None:
    async with World() as world:
        await proxied(world)
        del world.names["good.example"]
        assert (await world.fetch("http://good.example/")).status == 200


async def test_a_proxy_is_no_way_around_the_policy() -> None:
    """By name, by a name with one bad address among good ones, by address."""
    async with World() as world:
        proxy = await proxied(world)
        rules = policy("*")
        world.names["inside.example"] = ["10.0.0.1"]
        world.names["mixed.example"] = [PUBLIC, "10.0.0.1"]
        for url in (
            "http://inside.example/",
            "https://mixed.example/",
            "http://10.0.0.1/",
            "http://169.254.169.254/",
            "https://[fd00::1]/",
        ):
            refused = await world.refused(url, rules=rules)
            assert refused.code == "destination-IP-prohibited", url
        denied = await world.refused("http://good.example/", rules=policy("other.example"))
        assert denied.code == "HTTP-request-denied"
        assert proxy.heads == []
        assert world.asked == []


async def test_socks_is_said_not_to_work() -> None:
    async with World(EgressOptions(https_proxy="socks5://u:hunter2@127.0.0.1:1080")) as world:
        world.names["good.example"] = [PUBLIC]
        refused = await world.refused("https://good.example/")
        assert refused.code == "configuration-error"
        assert "SOCKS" in str(refused)
        assert "hunter2" not in str(refused) + repr(world.records)


async def test_proxies_that_do_not_answer() -> None:
    options = EgressOptions(connect_timeout=0.2, tls_timeout=0.1)
    async with World(options) as world:
        await proxied(world)
        port = await world.serve(silent)
        for url, code in (
            (f"http://127.0.0.1:{port}", "connection-timeout"),
            ("http://127.0.0.1:1", "connection-refused"),
            ("http://proxy.invalid:1", "DNS-error"),
        ):
            use(world, url)
            async with asyncio.timeout(20):
                refused = await world.refused("https://good.example/")
            assert refused.code == code, url
            assert "proxy" in str(refused)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\n\r\nfrom me, as if from the server",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
    ],
)
async def test_proxies_that_answer_nonsense(answer: bytes) -> None:
    async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    async with World() as world:
        await proxied(world)
        port = await world.serve(odd)
        use(world, f"http://127.0.0.1:{port}")
        refused = await world.refused("https://good.example/")
        assert refused.code in ("destination-unavailable", "TLS-protocol-error")
