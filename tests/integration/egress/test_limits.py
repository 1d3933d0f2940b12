"""Servers and components that are slow, endless, or gone: each ends, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace

import pytest

from support.egress import PUBLIC, TLS, Broken, World, echo, says, send, silent
from support.processes import open_files
from wassette.egress import EgressOptions, pump
from wassette.errors import RequestRefused

pytestmark = pytest.mark.anyio

QUICK = EgressOptions(
    dns_timeout=0.2,
    connect_timeout=0.2,
    tls_timeout=0.2,
    first_byte_timeout=0.2,
    idle_timeout=0.2,
    total_timeout=30,
)
LONG = 20.0  # seconds that only a hang exceeds


@pytest.fixture(autouse=True)
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "GRACE", 0.0)


async def never(*args: object) -> None:
    await asyncio.sleep(3600)


async def test_a_name_that_is_never_resolved() -> None:
    class Never:
        async def resolve(self, host: str, port: int) -> list[str]:
            await never()
            return []

    async with World(QUICK, resolver=Never()) as world:
        async with asyncio.timeout(LONG):
            assert (await world.refused("http://good.example/")).code == "DNS-timeout"


async def test_an_address_that_never_answers() -> None:
    async with World(QUICK) as world:
        world.names["good.example"] = [PUBLIC]
        world.relay.dial = never  # type: ignore[assignment]
        async with asyncio.timeout(LONG):
            assert (await world.refused("http://good.example/")).code == "connection-timeout"


async def test_the_components_own_patience_counts_if_it_is_shorter() -> None:
    async with World(replace(QUICK, connect_timeout=3600)) as world:
        world.names["good.example"] = [PUBLIC]
        world.relay.dial = never  # type: ignore[assignment]
        async with asyncio.timeout(LONG):
            refused = await world.refused("http://good.example/", connect_timeout=0.1)
        assert refused.code == "connection-timeout"
    async with World(QUICK) as world:
        world.names["good.example"] = [PUBLIC]
        world.relay.dial = never  # type: ignore[assignment]
        async with asyncio.timeout(LONG):
            for wish in (3600.0, 0.0, -1.0, float("nan")):
                refused = await world.refused("http://good.example/", connect_timeout=wish)
                assert refused.code == "connection-timeout"


async def test_a_server_that_never_finishes_tls() -> None:
    async with World(QUICK) as world:
        world.leads[PUBLIC, 443] = await world.serve(silent)
        world.names["good.example"] = [PUBLIC]
        async with asyncio.timeout(LONG):
            assert (await world.refused("https://good.example/")).code == "connection-timeout"


ENDED = {
    "never answers": (silent, "did not begin to answer"),
    "sends 1xx and no more": (
        says(*[b"HTTP/1.1 102 Processing\r\n\r\n"] * 5, wait=0.05, hold=True),
        "did not begin to answer",
    ),
    "begins a head": (says(b"HTTP/1.1 200 OK\r\n", hold=True), "did not begin to answer"),
    "stops in a sized body": (
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", hold=True),
        "Nothing moved",
    ),
    "stops in a chunk": (
        says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", hold=True),
        "Nothing moved",
    ),
    "never closes": (says(b"HTTP/1.1 200 OK\r\n\r\nhello", hold=True), "Nothing moved"),
}


@pytest.mark.parametrize("kind", ENDED)
async def test_a_server_that_stops(kind: str) -> None:
    handler, why = ENDED[kind]
    async with World(QUICK) as world:
        await world.site("good.example", handler)
        async with asyncio.timeout(LONG):
            with pytest.raises(Broken):
                await world.fetch("http://good.example/")
        assert why in ((await world.over()).error or "")


async def test_a_server_that_drips_is_ended_by_the_total() -> None:
    async with World(replace(QUICK, idle_timeout=5, total_timeout=0.5)) as world:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"
        await world.site("good.example", says(head, *[b"."] * 5000, wait=0.02))
        async with asyncio.timeout(LONG):
            with pytest.raises(Broken):
                await world.fetch("http://good.example/")
        record = await world.over()
        assert "longer than 0.5 s" in (record.error or "")
        assert 0 < record.received < 5000


async def test_dripping_is_not_idling() -> None:
    async with World(replace(QUICK, idle_timeout=5)) as world:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n"
        await world.site("good.example", says(head, *[b"."] * 40, wait=0.02))
        assert (await world.fetch("http://good.example/")).body == b"." * 40


ENDLESS = {
    "sized": b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "until the end": b"HTTP/1.1 200 OK\r\n\r\n",
}


@pytest.mark.parametrize("kind", ENDLESS)
async def test_a_response_that_is_too_long(kind: str) -> None:
    async with World(EgressOptions(max_response_bytes=1_000_000)) as world:
        piece = b"186a0\r\n" + b"x" * 100_000 + b"\r\n" if kind == "chunked" else b"x" * 100_000
        await world.site("good.example", says(ENDLESS[kind], *[piece] * 90))
        with pytest.raises(Broken) as caught:
            await world.fetch("http://good.example/")
        assert len(caught.value.received) <= 1_000_000
        assert "limit of 1000000 bytes" in ((await world.over()).error or "")


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_request_that_is_too_long(chunked: bool) -> None:
    async with World(EgressOptions(max_request_bytes=1_000_000)) as world:
        await world.site("good.example", echo)
        pieces = [b"x" * 100_000] * 11
        with pytest.raises(Broken):
            await world.fetch(
                "http://good.example/", "POST", body=pieces if chunked else b"".join(pieces)
            )
        assert "limit of 1000000 bytes" in ((await world.over()).error or "")


async def test_a_component_that_does_not_read() -> None:
    async with World(QUICK) as world:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 900000000\r\n\r\n"
        await world.site("good.example", says(head, *[b"x" * 1_000_000] * 900))
        route = await world.route("http://good.example/")
        await world.ask(route, reading=False)
        async with asyncio.timeout(LONG):
            record = await world.over()
        assert record.error == "Nothing moved for 0.2 s"
        # What stands in buffers, and no more: it was the reader that set the pace.
        assert record.received < 100_000_000


async def test_a_server_that_does_not_read() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await never()

    async with World(QUICK) as world:
        await world.site("good.example", deaf)
        async with asyncio.timeout(LONG):
            with pytest.raises(Broken):
                await world.fetch("http://good.example/", "POST", body=b"x" * 100_000_000)
        record = await world.over()
        assert "did not begin to answer" in (record.error or "")
        assert record.sent < 100_000_000


# ---- giving up ---------------------------------------------------------------------------------


class Gone:
    """A server that knows when its client has gone."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.came = asyncio.Event()
        self.gone = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came.set()
        try:
            for piece in self.pieces:
                writer.write(piece)
            while await reader.read(65536):
                pass
        finally:
            self.gone.set()


STAGES = {
    "before the answer": (),
    "in the answer": (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",),
}


@pytest.mark.parametrize("stage", STAGES)
async def test_a_component_that_goes_away_ends_the_request(stage: str) -> None:
    async with World() as world:
        server = Gone(*STAGES[stage])
        await world.site("good.example", server)
        _, writer = await world.ask(await world.route("http://good.example/"))
        async with asyncio.timeout(LONG):
            await server.came.wait()
            if STAGES[stage]:
                while not world.door._pumps:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            writer.close()
            await server.gone.wait()
            assert (await world.over()).error == "The component closed the connection"


@pytest.mark.parametrize("stage", ["parked", *STAGES])
async def test_abort_ends_everything_at_once(stage: str) -> None:
    async with World() as world:
        server = Gone(*STAGES.get(stage, ()))
        await world.site("good.example", server)
        route = await world.route("http://good.example/")
        reader = None
        if stage != "parked":
            reader, _ = await world.ask(route)
            while not world.door._pumps:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
        began = time.monotonic()
        world.door.abort("The call was cancelled")
        async with asyncio.timeout(LONG):
            await server.gone.wait()
            if reader is not None:
                with contextlib.suppress(ConnectionError):
                    await reader.read()
        # The aim is 0.2 s; other tests run beside this one.
        assert time.monotonic() - began < 2
        record = await world.over()
        assert record.error == "The call was cancelled"
        with pytest.raises(Broken):
            await send(route)
        # The next call finds the door as it was.
        await world.site("other.example", echo)
        assert (await world.fetch("http://other.example/")).status == 200


async def test_abort_while_a_route_is_made() -> None:
    async with World() as world:
        world.leads[PUBLIC, 443] = await world.serve(silent)
        world.names["good.example"] = [PUBLIC]
        routing = asyncio.ensure_future(world.route("https://good.example/"))
        while not world.asked:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        world.door.abort("The call was cancelled")
        async with asyncio.timeout(LONG):
            with pytest.raises(RequestRefused) as caught:
                await routing
        assert caught.value.code == "connection-terminated"
        assert (await world.over()).error


SLOW_PARTS = ["resolve", "dial", "tls"]


@pytest.mark.parametrize("part", SLOW_PARTS)
async def test_a_cancelled_route_leaves_nothing(part: str) -> None:
    async with World() as world:
        server = Gone()
        world.leads[PUBLIC, 443] = await world.serve(server)
        world.names["good.example"] = [PUBLIC]
        reached = asyncio.Event()

        async def slow(*args: object) -> None:
            reached.set()
            await never()

        if part == "resolve":
            world.resolve = slow  # type: ignore[method-assign, assignment]
        elif part == "dial":
            world.relay.dial = slow  # type: ignore[assignment]
        routing = asyncio.ensure_future(world.route("https://good.example/"))
        async with asyncio.timeout(LONG):
            await (server.came if part == "tls" else reached).wait()
            routing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await routing
            if part == "tls":
                await server.gone.wait()
        assert (await world.over()).error == "The request was ended before it was sent"
        assert world.relay.in_flight == 0
        assert not world.door._parked


async def test_a_token_that_is_not_used_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wassette.egress.relay._UNUSED", 0.1)
    async with World() as world:
        server = Gone()
        await world.site("good.example", server)
        route = await world.route("http://good.example/")
        async with asyncio.timeout(LONG):
            await server.gone.wait()
        assert (await world.over()).error == "The request was never sent"
        with pytest.raises(Broken):
            await send(route)


async def test_a_server_that_closes_before_the_request_comes() -> None:
    async def shut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with World() as world:
        await world.site("good.example", shut)
        route = await world.route("http://good.example/")
        await asyncio.sleep(0.05)
        with pytest.raises(Broken):
            await send(route)
        assert (await world.over()).error


async def test_nothing_is_left_open(tmp_path) -> None:  # type: ignore[no-untyped-def]
    tls = TLS(tmp_path)
    async with World(EgressOptions(ca_file=tls.ca_file)) as world:
        await world.site("good.example", echo)
        await world.site("tls.example", echo, address="93.184.216.35", tls=tls)
        await world.site("bad.example", says(b"x"), address="93.184.216.36")
        await world.site("untrusted.example", echo, address="93.184.216.37", tls=tls)
        world.names["wrong.example"] = world.names["untrusted.example"]

        async def round_() -> None:
            await world.fetch("http://good.example/", "POST", body=b"x" * 100_000)
            await world.fetch("https://tls.example/")
            with pytest.raises(Broken):
                await world.fetch("http://bad.example/")
            await world.refused("https://wrong.example/")
            await world.route("http://good.example/")
            world.door.abort("over")
            door = await world.relay.door()
            await world.route("http://good.example/", door=door)
            await door.close()

        await round_()
        await asyncio.sleep(0.2)
        before = open_files()
        for _ in range(20):
            await round_()
        async with asyncio.timeout(LONG):
            while open_files() > before:
                await asyncio.sleep(0.05)
        assert world.relay.in_flight == 0
        assert not world.door._parked
        assert not world.door._strangers
