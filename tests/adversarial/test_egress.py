"""Attacks on the relay, each named: by components, by servers, by programs of this machine."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import socket
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from support.dns import DnsResolver, DnsServer
from support.egress import (
    ELSEWHERE,
    PLACEHOLDER,
    PUBLIC,
    SECRET,
    TLS,
    Broken,
    World,
    echo,
    policy,
    raw,
    receive,
    reply,
    says,
    secret,
    send,
    silent,
)
from wassette.egress import EgressOptions, Relay, Rules, connect, pump

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.egress import Handler

pytestmark = pytest.mark.anyio

INSIDE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.100.100.200",
    "100.64.0.1",
    "168.63.129.16",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "fd00:ec2::254",
    "fd12::1",
    "fe80::1",
    "fe80::1%1",
    "ff02::1",
]


# ---- to places that were not granted -----------------------------------------------------------


@pytest.mark.parametrize("address", INSIDE)
async def test_ssrf_by_a_name_that_leads_inside(address: str) -> None:
    async with World() as world:
        world.names["evil.example"] = [address]
        refused = await world.refused("http://evil.example/")
        assert refused.code == "destination-IP-prohibited"
        assert world.asked == []
        assert (world.records[0].allowed, world.records[0].address) == (False, None)


@pytest.mark.parametrize("address", [one for one in INSIDE if "%" not in one])
async def test_ssrf_by_address(address: str) -> None:
    async with World() as world:
        host = f"[{address}]" if ":" in address else address
        assert (await world.refused(f"http://{host}/")).code == "destination-IP-prohibited"
        assert world.asked == []


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "017700000001", "0177.0.0.1", "0x7f.0.0.1", "127.1", "127.0.1",
     "127.0.0.1.", "127.0.0.1%2e", "127。0。0。1", "①②⑦.0.0.1", "[::1%25lo]", "[0:0:0:0:0:0:0:1]",
     "[::ffff:7f00:1]", "localhost.", "LOCALHOST", "127.0.0.1:80:80", "a@127.0.0.1",
     "good.example\\@127.0.0.1", "good.example#@127.0.0.1", "127.0.0.1\t"],
)  # fmt: skip
async def test_ssrf_by_another_spelling_of_this_machine(host: str) -> None:
    async with World() as world:
        world.names["localhost"] = ["127.0.0.1"]
        refused = await world.refused(f"http://{host}/", rules=policy("*", "good.example"))
        assert refused.code in ("HTTP-request-URI-invalid", "destination-IP-prohibited")
        assert world.asked == []


@pytest.mark.parametrize("location", ["http://127.0.0.1/", "http://169.254.169.254/latest/"])
async def test_ssrf_by_redirect(location: str) -> None:
    """The relay follows none; whoever follows one asks again, and is judged again."""
    async with World() as world:
        head = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        await world.site("good.example", says(head.encode()))
        answer = await world.fetch("http://good.example/")
        assert (answer.status, answer.header("location")) == (302, location)
        assert world.asked == [(PUBLIC, 80)]
        refused = await world.refused(answer.header("location") or "")
        assert refused.code == "destination-IP-prohibited"


async def test_dns_rebinding_between_the_check_and_the_connection() -> None:
    """Public when asked first, this machine when asked again: it is asked once."""
    answers = iter([[PUBLIC], ["127.0.0.1"]])
    async with (
        DnsServer(lambda _: next(answers)) as server,
        World(resolver=DnsResolver(server)) as world,
    ):
        world.leads[PUBLIC, 80] = await world.serve(echo)
        assert (await world.fetch("http://rebind.example/")).status == 200
        assert server.asked == ["rebind.example"]
        assert world.asked == [(PUBLIC, 80)]


async def test_dns_rebinding_between_two_requests() -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"], ["::ffff:127.0.0.1"]])
    async with (
        DnsServer(lambda _: next(answers)) as server,
        World(resolver=DnsResolver(server)) as world,
    ):
        world.leads[PUBLIC, 80] = await world.serve(echo)
        first = await world.route("http://rebind.example/")
        for _ in range(2):
            refused = await world.refused("http://rebind.example/")
            assert refused.code == "destination-IP-prohibited"
        # What the name has come to lead to changes nothing for a connection that is there.
        assert (await send(first)).status == 200
        assert world.asked == [(PUBLIC, 80)]


async def test_a_private_address_among_public_ones() -> None:
    """Only the public ones are tried, also where none of them answers."""
    mixed = ["127.0.0.1", PUBLIC, "10.0.0.1", ELSEWHERE]
    async with DnsServer(lambda _: mixed) as server, World(resolver=DnsResolver(server)) as world:
        refused = await world.refused("http://mixed.example/")
        assert refused.code == "connection-refused"
        assert sorted(world.asked) == sorted([(PUBLIC, 80), (ELSEWHERE, 80)])


async def test_a_public_address_of_this_machine() -> None:
    """A server on every address of this machine is not on the internet for that."""

    class Mine(socket.socket):
        def getsockname(self) -> tuple[str, int]:
            return (PUBLIC, 50000)

    async with World() as world:
        there = await world.serve(echo)
        world.names["me.example"] = [PUBLIC]

        async def dial(address: str, port: int) -> socket.socket:
            return Mine(fileno=(await connect.dial("127.0.0.1", there)).detach())

        world.relay.dial = dial
        refused = await world.refused("http://me.example/")
        assert refused.code == "destination-IP-prohibited"
        assert "this machine" in str(refused)


async def test_wassettes_own_ports_by_a_grant_for_this_machine() -> None:
    """The host's servers and the doors: a grant for localhost is not for them."""
    async with World() as world:
        other = await world.relay.door()
        api = await world.serve(echo)
        world.relay.closed_ports.add(api)
        world.names["localhost"] = ["127.0.0.1"]
        for port in (world.door.port, other.port, api):
            for host in ("127.0.0.1", "localhost", "0.0.0.0", "127.1.2.3"):
                rules = policy(f"{host}:{port}", cidr=["0.0.0.0/0"])
                refused = await world.refused(f"http://{host}:{port}/", rules=rules)
                assert refused.code == "destination-IP-prohibited", (host, port)
                assert not refused.grantable
        assert world.asked == []


async def test_other_ports_of_this_machine() -> None:
    """A grant for one port is for that port."""
    async with World() as world:
        granted, other = await world.serve(echo), await world.serve(echo)
        rules = policy(f"127.0.0.1:{granted}")
        assert (await world.fetch(f"http://127.0.0.1:{granted}/", rules=rules)).status == 200
        refused = await world.refused(f"http://127.0.0.1:{other}/", rules=rules)
        assert refused.code == "HTTP-request-denied"


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "TRACK"])
async def test_methods_that_open_a_way_or_repeat_what_was_sent(method: str) -> None:
    async with World() as world:
        await world.site("good.example", echo)
        refused = await world.refused("http://good.example/", method)
        assert refused.code == "HTTP-request-method-invalid"


# ---- tokens ------------------------------------------------------------------------------------


async def test_token_reuse() -> None:
    async with World() as world:
        await world.site("good.example", echo)
        route = await world.route("http://good.example/")
        assert (await send(route)).status == 200
        with pytest.raises(Broken):
            await send(route)
        assert len(world.asked) == 1


async def test_token_used_twice_at_once() -> None:
    async with World() as world:
        await world.site("good.example", echo)
        route = await world.route("http://good.example/")
        found = await asyncio.gather(*(send(route) for _ in range(5)), return_exceptions=True)
        assert sum(isinstance(one, Broken) for one in found) == 4
        assert len(world.asked) == 1


async def test_token_theft_by_another_worker() -> None:
    """It opens nothing at another door, and stays good at its own."""
    async with World() as world:
        await world.site("good.example", echo)
        route = await world.route("http://good.example/")
        other = await world.relay.door()
        stolen = f"GET {route.path} HTTP/1.1\r\nHost: 127.0.0.1:{other.port}\r\n\r\n"
        assert await raw(other.port, stolen.encode()) == b""
        own = f"GET {route.path} HTTP/1.1\r\nHost: 127.0.0.1:{world.door.port}\r\n\r\n"
        assert await raw(other.port, own.encode()) == b""
        assert (await send(route)).status == 200


async def test_guessing_tokens() -> None:
    async with World() as world:
        await world.site("good.example", echo)
        routes = [await world.route("http://good.example/") for _ in range(10)]
        tokens = [route.path[1:] for route in routes]
        assert len({token[:8] for token in tokens}) == 10
        assert all(len(base64.urlsafe_b64decode(token)) * 8 >= 128 for token in tokens)
        here = f"Host: 127.0.0.1:{world.door.port}\r\n\r\n"
        for guess in ("", "x" * 32, tokens[0][:-1], tokens[0] + "x", tokens[0].swapcase(), "%2e"):
            assert await raw(world.door.port, f"GET /{guess} HTTP/1.1\r\n{here}".encode()) == b""
        assert (await send(routes[0])).status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "CONNECT"])
async def test_another_method_than_was_asked_for(method: str) -> None:
    """The token is used up by it. (POST is how the guard sends a GET.)"""
    async with World() as world:
        await world.site("good.example", echo)
        route = await world.route("http://good.example/", "GET")
        with pytest.raises(Broken):
            await send(route, method)
        with pytest.raises(Broken):
            await send(route, "GET")
        assert "another method" in ((await world.over()).error or "")


async def test_a_page_in_a_browser_that_was_led_to_the_door() -> None:
    async with World() as world:
        await world.site("good.example", echo)
        route = await world.route("http://good.example/")
        for host in ("evil.example", f"localhost:{world.door.port}", "127.0.0.1"):
            request = f"GET {route.path} HTTP/1.1\r\nHost: {host}\r\n\r\n"
            assert await raw(world.door.port, request.encode()) == b""
        assert (await send(route)).status == 200


async def test_connections_that_say_nothing_do_not_close_the_door(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wassette.egress.relay._HEAD", 0.3)
    async with World() as world:
        await world.site("good.example", echo)
        strangers = [
            await asyncio.open_connection("127.0.0.1", world.door.port) for _ in range(200)
        ]
        assert len(world.door._strangers) <= 64
        async with asyncio.timeout(20):
            for reader, _ in strangers:
                try:
                    assert await reader.read() == b""
                except ConnectionError:
                    continue
        assert (await world.fetch("http://good.example/")).status == 200
        for _, writer in strangers:
            writer.close()


# ---- what is read in two ways ------------------------------------------------------------------

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: good.example\r\n\r\n"
CHUNKS = b"0\r\n\r\n"

SMUGGLING = {
    "both lengths": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    "both lengths, the other way round": (
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + CHUNKS
    ),
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "two lengths in one": b"Content-Length: 5, 6\r\n\r\nhello!",
    "a signed length": b"Content-Length: +5\r\n\r\nhello",
    "a negative length": b"Content-Length: -1\r\n\r\n",
    "a hexadecimal length": b"Content-Length: 0x5\r\n\r\nhello",
    "a huge length": b"Content-Length: 99999999999999999999999\r\n\r\n",
    "two encodings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + CHUNKS,
    "an unknown encoding": b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKS,
    "an encoding with a tab": b"Transfer-Encoding: \x0bchunked\r\n\r\n" + CHUNKS,
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n" + CHUNKS,
    "a folded line": b"X-A: 1\r\n Transfer-Encoding: chunked\r\n\r\n",
    "a folded first line": b" X-A: 1\r\n\r\n",
    "a bare line feed": b"X-A: 1\nContent-Length: 5\r\n\r\nhello",
    "bare line feeds at the end": b"X-A: 1\n\n",
    "a bare carriage return": b"X-A: 1\rContent-Length: 5\r\n\r\nhello",
    "a NUL": b"X-A: 1\0\r\n\r\n",
    "two hosts": b"Host: good.example\r\n\r\n",
    "no name": b": 1\r\n\r\n",
    "a name with a space": b"X A: 1\r\n\r\n",
}


@pytest.mark.parametrize("kind", SMUGGLING)
async def test_request_smuggling_by_the_head(kind: str) -> None:
    arrived: list[bytes] = []
    async with World() as world:
        await world.site("good.example", keeping(arrived))
        route = await world.route("http://good.example/", "POST")
        head = f"POST {route.path} HTTP/1.1\r\nHost: {route.authority}\r\n".encode()
        assert await raw(world.door.port, head + SMUGGLING[kind] + SMUGGLED) == b""
        assert b"smuggled" not in b"".join(arrived)


BODIES = {
    "a second request": b"Content-Length: 0\r\n\r\n" + SMUGGLED,
    "a second request without a length": b"\r\n" + SMUGGLED,
    "a second request after a body": b"Content-Length: 5\r\n\r\nhello" + SMUGGLED,
    "a second request after chunks": b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a chunk that is longer": b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
    "a chunk size that is none": b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    "a chunk size with 0x": b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "a chunk size too large": b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 30 + b"\r\nhello",
    "a chunk that ends in a line feed": b"Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n\r\n",
    "a bad trailer": b"Transfer-Encoding: chunked\r\n\r\n0\r\nX A: 1\r\n\r\n",
}


@pytest.mark.parametrize("kind", BODIES)
async def test_request_smuggling_by_the_body(kind: str) -> None:
    """The server gets one request, and none if it is not whole."""
    arrived: list[bytes] = []
    async with World() as world:
        await world.site("good.example", keeping(arrived))
        route = await world.route("http://good.example/", "POST")
        head = f"POST {route.path} HTTP/1.1\r\nHost: {route.authority}\r\n".encode()
        await raw(world.door.port, head + BODIES[kind])
        assert (await world.over()).error is not None
        sent = b"".join(arrived)
        assert b"smuggled" not in sent
        assert sent.count(b" HTTP/1.1\r\n") <= 1


async def test_what_is_not_ours_of_a_chunked_request_goes_no_further() -> None:
    """Chunk extensions and trailers."""
    arrived: list[bytes] = []
    async with World() as world:
        await world.site("good.example", keeping(arrived))
        route = await world.route("http://good.example/", "POST")
        head = f"POST {route.path} HTTP/1.1\r\nHost: {route.authority}\r\n".encode()
        body = (
            b"Transfer-Encoding: chunked\r\n\r\n"
            b'5;evil="\r\nhello\r\n0;evil\r\nX-Evil: 1\r\nContent-Length: 9\r\n\r\n'
        )
        answer = await raw(world.door.port, head + body)
        assert answer.endswith(b"ok")
        sent = b"".join(arrived)
        assert sent.endswith(b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        assert b"evil" not in sent.lower()


@pytest.mark.parametrize(
    "line",
    [
        "GET http://127.0.0.1/ HTTP/1.1",
        "GET http://127.0.0.1{path} HTTP/1.1",
        "CONNECT 127.0.0.1:80 HTTP/1.1",
        "CONNECT {path} HTTP/1.1",
        "GET {path} HTTP/1.0",
        "GET {path} HTTP/2.0",
        "GET {path}?x HTTP/1.1",
        "GET {path}/x HTTP/1.1",
        "GET /{path} HTTP/1.1",
        "GET  {path} HTTP/1.1",
        "GET {path}",
        "GET * HTTP/1.1",
        "PRI * HTTP/2.0",
        "\x16\x03\x01\x02\x00\x01",
    ],
)
async def test_other_uses_of_the_door(line: str) -> None:
    async with World() as world:
        await world.site("good.example", echo)
        route = await world.route("http://good.example/")
        request = f"{line.format(path=route.path)}\r\nHost: {route.authority}\r\n\r\n"
        assert await raw(world.door.port, request.encode()) == b""
        assert len(world.asked) == 1


async def test_a_head_without_end() -> None:
    async with World() as world:
        request = b"GET /x HTTP/1.1\r\n" + b"X-A: " + b"a" * 1_000_000
        assert await raw(world.door.port, request) == b""


def keeping(arrived: list[bytes]) -> Handler:
    """A server that keeps what it gets, and answers when it has a head and a moment of silence."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(0.2):
                while data := await reader.read(65536):
                    arrived.append(data)
        except TimeoutError:
            writer.write(reply(b"ok"))
            await writer.drain()

    return handler


# ---- headers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/a\r\nX-Evil: 1", "good.example"),
        ("/a HTTP/1.1\r\nX-Evil: 1\r\n\r\n", "good.example"),
        ("/?a\nX-Evil: 1", "good.example"),
        ("/", "good.example\r\nX-Evil: 1"),
    ],
)
async def test_header_injection_by_the_url(path: str, host: str) -> None:
    async with World() as world:
        assert (await world.refused(f"http://{host}{path}")).code == "HTTP-request-URI-invalid"


async def test_header_injection_by_an_escaped_line_break() -> None:
    """Stays escaped."""
    async with World() as world:
        await world.site("good.example", echo)
        answer = await world.fetch("http://good.example/%0d%0aX-Evil:%201?%0d%0aX-Evil:1")
        assert answer.seen["target"] == "/%0D%0AX-Evil:%201?%0d%0aX-Evil:1"
        assert [name for name, _ in answer.seen["headers"]] == ["host", "connection"]


@pytest.mark.parametrize(
    "evil",
    [
        b"X-A: 1\rSet-Cookie: evil=1",
        b"X-A: 1\0Set-Cookie: evil=1",
        b"X-A : 1",
        b"X\x01A: 1",
        b"X-A: 1\x0bSet-Cookie: evil=1",
    ],
)
async def test_header_injection_by_a_server(evil: bytes) -> None:
    async with World() as world:
        await world.site(
            "good.example", says(b"HTTP/1.1 200 OK\r\n" + evil + b"\r\nContent-Length: 0\r\n\r\n")
        )
        with pytest.raises(Broken):
            await world.fetch("http://good.example/")


async def test_a_server_that_sends_a_second_response() -> None:
    async with World() as world:
        second = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
        await world.site("good.example", says(reply(b"good") + second))
        route = await world.route("http://good.example/")
        request = f"GET {route.path} HTTP/1.1\r\nHost: {route.authority}\r\n\r\n"
        answer = await raw(world.door.port, request.encode())
        assert answer.endswith(b"good")
        assert b"evil" not in answer


async def test_a_server_that_answers_before_it_is_asked() -> None:
    """At most to the one request of its own connection."""
    async with World() as world:

        async def eager(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(reply(b"eager"))
            await writer.drain()
            await reader.read(10)

        await world.site("eager.example", eager)
        await world.site("good.example", echo, address=ELSEWHERE)
        first = await world.route("http://eager.example/")
        second = await world.route("http://good.example/")
        assert (await send(second)).seen["method"] == "GET"
        assert (await send(first)).body == b"eager"


# ---- secrets -----------------------------------------------------------------------------------

API = "http://api.example"
BEARER = ("Authorization", f"Bearer {PLACEHOLDER}")


def rules(**where: Any) -> Rules:
    return Rules(policy("*"), (secret(API, **where),))


@pytest.fixture
def arrived() -> list[str]:
    return []


def repeating(arrived: list[str], encode: Callable[[str], bytes], *pieces: int) -> Handler:
    """A server that gets the secret and says it again, in pieces that end at these places."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await receive(reader)
        found = (request.header("authorization") or "").removeprefix("Bearer ")
        arrived.append(found)
        body = b'{"you sent": "' + encode(found) + b'"}'
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        places = [0, *(at for at in pieces if 0 < at < len(body)), len(body)]
        for begin, end in pairwise(places):
            writer.write(b"%x\r\n%b\r\n" % (end - begin, body[begin:end]))
            await writer.drain()
            await asyncio.sleep(0.005)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    return handler


ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "as it is": str.encode,
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64 with a user": lambda text: base64.b64encode(f"me:{text}".encode()),
    "base64url": lambda text: base64.urlsafe_b64encode(f"x{text}y".encode()),
    "hex": lambda text: text.encode().hex().encode(),
    "percent": lambda text: "".join(f"%{ord(char):02x}" for char in text).encode(),
    "JSON": lambda text: json.dumps(text).encode(),
    "JSON escapes": lambda text: "".join(f"\\u{ord(char):04x}" for char in text).encode(),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_reading_a_secret_from_an_echo(encoding: str, arrived: list[str]) -> None:
    encode = ENCODINGS[encoding]
    async with World() as world:
        await world.site("api.example", repeating(arrived, encode))
        answer = await world.fetch(f"{API}/", rules=rules(), headers=[BEARER])
        assert arrived == [SECRET]
        assert answer.body == b'{"you sent": "' + encode(PLACEHOLDER) + b'"}'


async def test_reading_a_secret_over_the_borders_of_pieces(arrived: list[str]) -> None:
    async with World() as world:
        for pieces in ((20,), (14, 15, 16), tuple(range(100)), (53, 54, 55), (13, 54)):
            await world.site("api.example", repeating(arrived, str.encode, *pieces))
            answer = await world.fetch(f"{API}/", rules=rules(), headers=[BEARER])
            assert answer.body == b'{"you sent": "' + PLACEHOLDER.encode() + b'"}'
        assert arrived == [SECRET] * 5


async def test_reading_a_secret_from_the_head_of_a_response() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found = ((await receive(reader)).header("x-key")) or ""
        pair = base64.b64encode(f"u:{found}".encode()).decode()
        lines = [
            f"HTTP/1.1 400 {found}",
            f"X-Echo: {found}",
            f"X-{found}: 1",
            f"Location: https://evil.example/?{found}",
            f"Set-Cookie: pair={pair}",
            "Transfer-Encoding: chunked",
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        writer.write(b"0\r\n" + f"X-Trailer: {found}".encode() + b"\r\n\r\n")
        await writer.drain()

    async with World() as world:
        await world.site("api.example", handler)
        route = await world.route(f"{API}/", rules=rules())
        request = (
            f"GET {route.path} HTTP/1.1\r\nHost: {route.authority}\r\nX-Key: {PLACEHOLDER}\r\n\r\n"
        )
        answer = await raw(world.door.port, request.encode())
        assert b"400" in answer
        assert f"X-Echo: {PLACEHOLDER}".encode() in answer
        assert SECRET.encode() not in answer
        assert SECRET.lower().encode() not in answer.lower()
        assert base64.b64encode(f"u:{SECRET}".encode()) not in answer
        assert (await world.over()).status == 400


async def test_a_secret_goes_to_its_host_only() -> None:
    async with World() as world:
        for name, address in (
            ("api.example", PUBLIC),
            ("evil.example", ELSEWHERE),
            ("api.example.evil.example", "151.101.1.70"),
            ("sub.api.example", "151.101.1.71"),
        ):
            await world.site(name, echo, address=address)
            answer = await world.fetch(f"http://{name}/", rules=rules(), headers=[BEARER])
            # Whatever the server got: the component sees what it wrote.
            assert ["authorization", f"Bearer {PLACEHOLDER}"] in answer.seen["headers"], name
        raws: list[bytes] = []
        world.leads[ELSEWHERE, 80] = await world.serve(keeping(raws))
        await world.fetch("http://evil.example/", rules=rules(), headers=[BEARER])
        assert SECRET.encode() not in raws[0]
        assert PLACEHOLDER.encode() in raws[0]


async def test_a_secret_for_https_does_not_go_in_the_clear(tmp_path: Path) -> None:
    tls = TLS(tmp_path)
    bound = Rules(policy("*"), (secret("https://api.example"),))
    raws: list[bytes] = []
    async with World(EgressOptions(ca_file=tls.ca_file)) as world:
        await world.site("api.example", keeping(raws))
        world.leads[PUBLIC, 443] = await world.serve(
            keeping(raws),
            tls.server("api.example"),
        )
        await world.fetch("http://api.example/", rules=bound, headers=[BEARER])
        await world.fetch("https://api.example/", rules=bound, headers=[BEARER])
        assert [SECRET.encode() in one for one in raws] == [False, True]


async def test_sending_a_secret_away_by_redirect() -> None:
    """Whoever follows it sends what it has: the placeholder."""
    raws: list[bytes] = []
    head = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://evil.example/\r\n"
    async with World() as world:
        await world.site("api.example", says(head + b"Content-Length: 0\r\n\r\n"))
        await world.site("evil.example", keeping(raws), address=ELSEWHERE)
        answer = await world.fetch(f"{API}/", rules=rules(), headers=[BEARER])
        await world.fetch(answer.header("location") or "", rules=rules(), headers=[BEARER])
        assert SECRET.encode() not in raws[0]


async def test_a_secret_is_put_into_headers_and_named_parameters_only() -> None:
    raws: list[bytes] = []
    everywhere = f"/{PLACEHOLDER}?a={PLACEHOLDER}&{PLACEHOLDER}=b"
    async with World() as world:
        await world.site("api.example", keeping(raws))
        await world.fetch(
            API + everywhere, "POST", rules(), headers=[("X-A", "1")], body=PLACEHOLDER.encode()
        )
        await world.fetch(API + everywhere, "POST", rules(query="key"), headers=[BEARER])
        assert SECRET.encode() not in b"".join(raws)
        await world.fetch(f"{API}/?key={PLACEHOLDER}", rules=rules(query="key"), headers=[BEARER])
        assert f"GET /?key={SECRET} HTTP/1.1".encode() in raws[-1]
        assert raws[-1].count(SECRET.encode()) == 1


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP", "identity, gzip", "aes128gcm"])
async def test_reading_a_secret_from_a_compressed_response(encoding: str) -> None:
    """The relay asks for none; a server that compresses anyway is not passed on."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await receive(reader)
        asked.append(request.header("accept-encoding"))
        body = gzip.compress((request.header("authorization") or "").encode())
        writer.write(reply(body, f"Content-Encoding: {encoding}"))
        await writer.drain()

    asked: list[str | None] = []
    async with World() as world:
        await world.site("api.example", handler)
        with pytest.raises(Broken) as caught:
            await world.fetch(
                f"{API}/", rules=rules(), headers=[BEARER, ("Accept-Encoding", "gzip, br")]
            )
        assert caught.value.received == b""
        assert asked == ["identity"]
        assert "compressed" in ((await world.over()).error or "")


async def test_reading_a_secret_that_was_stored_before(arrived: list[str]) -> None:
    """In the answer to a request that has no placeholder in it, and from another host."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await receive(reader)
        writer.write(reply(f"stored: {SECRET}".encode()))
        await writer.drain()

    async with World() as world:
        await world.site("paste.example", handler)
        answer = await world.fetch("http://paste.example/", rules=rules())
        assert answer.body == f"stored: {PLACEHOLDER}".encode()
        assert answer.header("content-length") == str(len(answer.body))


async def test_reading_a_secret_from_errors_and_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bad responses that quote it, time-outs, and refusals of every kind."""
    monkeypatch.setattr(pump, "GRACE", 0.0)
    options = EgressOptions(first_byte_timeout=0.2, idle_timeout=0.2)
    quoted = SECRET.encode()
    servers = [
        says(b"HTTP/1.1 200 OK\r\n" + quoted + b"\r\n\r\n"),
        says(quoted + b"\r\n\r\n"),
        says(b"HTTP/1.1 200 OK\r\nContent-Length: " + quoted + b"\r\n\r\n"),
        says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + quoted + b"\r\n"),
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n" + quoted),
        silent,
    ]
    async with World(options) as world:
        for server in servers:
            await world.site("api.example", server)
            with pytest.raises(Broken) as caught:
                await world.fetch(
                    f"{API}/p?q={PLACEHOLDER}", rules=rules(), headers=[BEARER, ("X", PLACEHOLDER)]
                )
            assert quoted not in caught.value.received
        texts = []
        for url in (
            f"http://{PLACEHOLDER}/",
            f"http://denied.example/{PLACEHOLDER}",
            f"http://{SECRET}.example/{SECRET}?{SECRET}",
            f"http://nowhere.example/{SECRET}",
        ):
            bound = Rules(policy("*", deny=["denied.example"]), rules().secrets)
            texts.append(str(await world.refused(url, rules=bound)))
        shown = repr(world.records) + repr(texts) + repr(world.door.__dict__) + repr(rules())
        assert len(world.records) >= len(servers) + 3
        assert SECRET not in shown
        assert PLACEHOLDER not in repr(world.records) + repr(texts[1:])
        assert "{TOKEN}" in world.records[0].url


async def test_a_component_without_a_secret_gets_nothing_of_anothers() -> None:
    """Two components, one relay: each has its own rules."""
    raws: list[bytes] = []
    async with World() as world, Relay() as _:
        await world.site("api.example", keeping(raws))
        other = await world.relay.door()
        await world.fetch(f"{API}/", rules=rules(), headers=[BEARER])
        route = await world.route(f"{API}/", door=other)
        await send(route, headers=[BEARER])
        # Also at one door, when the grant was taken back in between.
        await world.fetch(f"{API}/", headers=[BEARER])
        assert [SECRET.encode() in one for one in raws] == [True, False, False]
