"""Names, as the system resolves them and as a DNS server answers."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from support.dns import DnsResolver, DnsServer
from support.egress import PUBLIC, World, echo, policy
from wassette.egress import EgressOptions, Relay, Rules, Want
from wassette.egress.addresses import SystemResolver
from wassette.errors import RequestRefused

pytestmark = pytest.mark.anyio


async def test_the_systems_names() -> None:
    found = await SystemResolver().resolve("localhost", 80)
    assert "127.0.0.1" in found or "::1" in found
    with pytest.raises(OSError, match=r".*"):
        await SystemResolver().resolve("does-not-exist.invalid", 80)


async def test_the_relay_by_itself_reaches_this_machine_by_its_name() -> None:
    """Nothing injected: getaddrinfo, and a real connection."""
    async with World() as servers, Relay() as relay:
        port = await servers.serve(echo)
        door = await relay.door()
        here = f"localhost:{port}"
        want = Want("GET", "http", here, "/")
        route = await door.route(want, Rules(policy(here)), servers.records.append)
        assert route.authority == f"127.0.0.1:{door.port}"
        with pytest.raises(RequestRefused) as caught:
            await door.route(
                Want("GET", "http", "x.invalid", "/"), Rules(policy("*")), servers.records.append
            )
        assert caught.value.code == "DNS-error"


async def test_lookups_that_hang_hold_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """They cannot be cancelled; each door has its own few."""
    hanging = threading.Event()
    real = socket.getaddrinfo

    def look_up(host: object, *args: object, **named: object) -> object:
        if host == b"hang.example":
            hanging.wait(30)
            raise socket.gaierror("never")
        return real(host, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    try:
        async with World() as servers, Relay(EgressOptions(dns_timeout=0.1)) as relay:
            greedy, other = await relay.door(), await relay.door()
            want = Want("GET", "http", "hang.example", "/")
            for _ in range(12):
                with pytest.raises(RequestRefused) as caught:
                    await greedy.route(want, Rules(policy("*")), servers.records.append)
                assert caught.value.code == "DNS-timeout"
            assert sum(one.name == "wassette-resolve" for one in threading.enumerate()) == 8
            port = await servers.serve(echo)
            here = Want("GET", "http", f"localhost:{port}", "/")
            await other.route(here, Rules(policy(f"localhost:{port}")), servers.records.append)
    finally:
        hanging.set()


async def test_names_of_a_dns_server() -> None:
    async with (
        DnsServer({"good.example": [PUBLIC], "none.example": []}.get) as server,
        World(EgressOptions(dns_timeout=1), resolver=DnsResolver(server)) as world,
    ):
        world.leads[PUBLIC, 80] = await world.serve(echo)
        assert (await world.fetch("http://good.example/")).status == 200
        assert (await world.refused("http://none.example/")).code == "DNS-error"
        async with asyncio.timeout(20):
            assert (await world.refused("http://silent.example/")).code == "DNS-timeout"


async def test_every_request_asks_again() -> None:
    async with (
        DnsServer(lambda _: [PUBLIC]) as server,
        World(resolver=DnsResolver(server)) as world,
    ):
        world.leads[PUBLIC, 80] = await world.serve(echo)
        for _ in range(3):
            await world.fetch("http://good.example/")
        assert server.asked == ["good.example"] * 3
