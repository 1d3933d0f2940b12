"""Requests through the relay to real servers: what passes, what is refused, what is recorded."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from support.egress import (
    ELSEWHERE,
    PUBLIC,
    PUBLIC6,
    Broken,
    World,
    echo,
    policy,
    receive,
    reply,
    says,
    send,
)
from wassette.egress import EgressOptions, Exchange, Rules, Want, pump
from wassette.errors import RequestRefused

pytestmark = pytest.mark.anyio

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"]


@pytest.mark.parametrize("method", METHODS)
async def test_methods(method: str) -> None:
    async with World() as world:
        await world.site("good.example", echo)
        answer = await world.fetch("http://good.example/x", method)
        assert answer.status == 200
        if method == "HEAD":
            assert answer.body == b""
            assert int(answer.header("content-length") or 0) > 0
        else:
            assert answer.seen["method"] == method


GETS = {
    "no body": ((), ""),
    "a body that turns out to be empty": ([], ""),
    "a body": ([b"hel", b"lo"], "hello"),
}


@pytest.mark.parametrize("kind", GETS)
async def test_a_get_that_comes_as_post(kind: str) -> None:
    """As the guard sends it."""
    pieces, body = GETS[kind]
    async with World() as world:
        await world.site("good.example", echo)
        route = await world.route("http://good.example/", "GET")
        answer = await send(route, "POST", body=pieces if isinstance(pieces, list) else b"")
        assert (answer.seen["method"], answer.seen["body"]) == ("GET", body)
        framing = ["transfer-encoding"] if body else []
        assert [name for name, _ in answer.seen["headers"]] == ["host", *framing, "connection"]
        assert (await world.over()).sent == len(body)


async def test_a_get_that_comes_as_post_with_a_body_that_is_wrong() -> None:
    async with World() as world:
        await world.site("good.example", echo)
        route = await world.route("http://good.example/")
        reader, writer = await world.ask(route, "POST", "Transfer-Encoding: chunked")
        writer.write(b"not a length\r\n")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        error = (await world.over()).error or ""
        assert error == "The request's body is not as its head says"


async def test_a_head_that_comes_as_post() -> None:
    """The length that is told is not one that is waited for."""
    async with World() as world:
        await world.site("good.example", echo)
        route = await world.route("http://good.example/", "HEAD")
        reader, writer = await world.ask(route, "POST", "Transfer-Encoding: chunked")
        writer.write(b"0\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        lines = head.decode().lower().splitlines()
        assert lines[0].startswith("http/1.1 200")
        assert "transfer-encoding: chunked" in lines
        assert any(re.fullmatch("content-length: [1-9][0-9]*", line) for line in lines)
        assert body == b"0\r\n\r\n"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_a_head_that_comes_as_post_to_where_there_is_nothing(status: str) -> None:
    async with World() as world:
        await world.site("good.example", says(f"HTTP/1.1 {status}\r\n\r\n".encode()))
        route = await world.route("http://good.example/", "HEAD")
        answer = await send(route, "POST")
        assert (answer.status, answer.body) == (int(status[:3]), b"")
        assert answer.header("transfer-encoding") is None


async def test_a_get_that_does_not_say_whether_it_has_a_body(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pump, "_BODILESS", 0.01)
    async with World() as world:
        await world.site("good.example", echo)
        route = await world.route("http://good.example/")
        reader, writer = await world.ask(route, "POST", "Transfer-Encoding: chunked")
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert head.startswith("http/1.1 200")
        size = int(head.partition("content-length: ")[2].partition("\r")[0])
        assert json.loads(await reader.readexactly(size))["body"] == ""
        # The end of the connection would undo that for the runtime, which is still sending.
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(), 0.2)
        writer.write(b"0\r\n\r\n")
        writer.write_eof()
        assert await reader.read() == b""
        assert (await world.over()).error is None


async def test_a_get_s_body_that_comes_when_the_request_is_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pump, "_BODILESS", 0.01)
    async with World() as world:
        arrived = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            arrived.set()
            await reader.read()

        await world.site("good.example", silent)
        route = await world.route("http://good.example/")
        reader, writer = await world.ask(route, "POST", "Transfer-Encoding: chunked")
        await arrived.wait()
        writer.write(b"5\r\nhello\r\n0\r\n\r\n")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        assert "came late" in ((await world.over()).error or "")


async def test_what_the_server_sees() -> None:
    async with World() as world:
        await world.site("good.example", echo)
        answer = await world.fetch(
            "HTTP://Good.Example.:80/a/../b/%7Ex?q=/../%7E",
            "POST",
            headers=[("X-Mine", "1"), ("x-mine", "2"), ("Accept-Encoding", "gzip")],
            body=b"hello",
        )
        seen = answer.seen
        assert seen["target"] == "/b/~x?q=/../%7E"
        assert seen["headers"] == [
            ["host", "good.example"],
            ["x-mine", "1"],
            ["x-mine", "2"],
            ["accept-encoding", "gzip"],
            ["content-length", "5"],
            ["connection", "close"],
        ]
        # As it was spelled: there are servers that mind.
        assert "\r\nX-Mine: 1\r\nx-mine: 2\r\n" in seen["raw"]
        assert seen["body"] == "hello"
        assert world.asked == [(PUBLIC, 80)]


async def test_headers_about_connections_are_ours() -> None:
    async with World() as world:
        await world.site("good.example", echo)
        answer = await world.fetch(
            "http://good.example/",
            headers=[
                ("Connection", "keep-alive, X-Hop"),
                ("X-Hop", "1"),
                ("Keep-Alive", "timeout=5"),
                ("Proxy-Authorization", "Basic eDp5"),
                ("Proxy-Connection", "keep-alive"),
                ("TE", "trailers"),
                ("Trailer", "X-T"),
                ("Upgrade", "websocket"),
                ("Expect", "100-continue"),
                ("HTTP2-Settings", "x"),
                ("X-End", "1"),
            ],
        )
        names = [name for name, _ in answer.seen["headers"]]
        assert names == ["host", "x-end", "connection"]


async def test_what_comes_back() -> None:
    async with World() as world:
        await world.site(
            "good.example",
            says(
                b"HTTP/1.1 100 Continue\r\n\r\n",
                b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
                b"HTTP/1.1 418 I am a teapot\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n"
                b"Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nProxy-Authenticate: Basic\r\n"
                b"Content-Length: 2\r\n\r\nok",
            ),
        )
        answer = await world.fetch("http://good.example/")
        assert (answer.status, answer.body) == (418, b"ok")
        assert answer.headers == [
            ("set-cookie", "a=b"),
            ("set-cookie", "c=d"),
            ("content-length", "2"),
            ("connection", "close"),
        ]
        record = await world.over()
        assert (record.status, record.received, record.error) == (418, 2, None)


RESPONSES = {
    "sized": (b"Content-Length: 5\r\n\r\nhello", b"hello"),
    "chunked": (
        b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
        b"hello",
    ),
    "chunked, with a trailer": (
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
        b"hello",
    ),
    "until the end": (b"\r\nhello", b"hello"),
    "empty": (b"Content-Length: 0\r\n\r\n", b""),
    "more than it said": (b"Content-Length: 5\r\n\r\nhello, world", b"hello"),
}


@pytest.mark.parametrize("kind", RESPONSES)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_framings_of_responses(kind: str, version: str) -> None:
    sent, body = RESPONSES[kind]
    async with World() as world:
        await world.site("good.example", says(f"HTTP/{version} 200 OK\r\n".encode() + sent))
        answer = await world.fetch("http://good.example/")
        assert answer.body == body
        assert (await world.over()).received == len(body)


@pytest.mark.parametrize(
    ("method", "status", "length"),
    [
        ("HEAD", "200 OK", "123"),
        ("GET", "304 Not Modified", "123"),
        ("GET", "204 No Content", None),
    ],
)
async def test_responses_without_a_body(method: str, status: str, length: str | None) -> None:
    async with World() as world:
        headers = f"HTTP/1.1 {status}\r\n" + (f"Content-Length: {length}\r\n" if length else "")
        await world.site("good.example", says(headers.encode() + b"\r\n"))
        answer = await world.fetch("http://good.example/", method)
        assert answer.body == b""
        assert answer.header("content-length") == length


BAD = {
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "no number": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
    "another encoding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "an upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
    "a NUL": b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n",
    "endless 1xx": b"HTTP/1.1 102 Processing\r\n\r\n" * 50,
    "a long head": b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 100_000 + b"\r\n\r\n",
    "too long a body": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\nhello",
}


@pytest.mark.parametrize("kind", BAD)
async def test_responses_that_are_not_passed_on(kind: str) -> None:
    async with World() as world:
        await world.site("good.example", says(BAD[kind]))
        with pytest.raises(Broken) as caught:
            await world.fetch("http://good.example/")
        assert caught.value.received == b""
        assert (await world.over()).error is not None


CUT = {
    "sized": b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "in a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello",
    "a bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nx\r\n",
}


@pytest.mark.parametrize("kind", CUT)
async def test_a_response_that_ends_early_does_not_look_whole(kind: str) -> None:
    async with World() as world:
        await world.site("good.example", says(CUT[kind]))
        with pytest.raises(Broken):
            await world.fetch("http://good.example/")
        record = await world.over()
        assert record.status == 200
        assert record.error is not None


async def test_a_chunked_request() -> None:
    async with World() as world:
        await world.site("good.example", echo)
        pieces = [b"hello", b"w" * 200_000, b"!"]
        answer = await world.fetch("http://good.example/", "POST", body=pieces)
        assert answer.seen["body"].encode() == b"".join(pieces)
        assert ["transfer-encoding", "chunked"] in answer.seen["headers"]
        assert (await world.over()).sent == 200_006


# ---- refusals ----------------------------------------------------------------------------------


async def test_refusals_by_the_policy() -> None:
    async with World() as world:
        await world.site("good.example", echo)
        no_rule = await world.refused("http://good.example/", rules=policy("other.example"))
        assert (no_rule.code, no_rule.grantable) == ("HTTP-request-denied", True)
        denied = await world.refused(
            "http://good.example/", rules=policy("*", deny=["good.example"])
        )
        assert (denied.code, denied.grantable) == ("HTTP-request-denied", False)
        with pytest.raises(RequestRefused) as caught:
            await world.door.route(
                Want("GET", "http", "good.example", "/"), Rules(None), world.records.append
            )
        assert caught.value.code == "HTTP-request-denied"
        assert world.asked == []
        assert [(one.allowed, one.rule, one.error) for one in world.records] == [
            (False, None, None),
            (False, "network.deny[0] (good.example)", None),
            (False, None, None),
        ]
        assert "no rule allows GET http://good.example" in world.records[0].reason


async def test_names() -> None:
    async with World() as world:
        assert (await world.refused("http://nowhere.example/")).code == "DNS-error"
        world.names["empty.example"] = []
        assert (await world.refused("http://empty.example/")).code == "DNS-error"
        world.names["odd.example"] = ["good.example"]
        assert (await world.refused("http://odd.example/")).code == "DNS-error"
        assert [one.allowed for one in world.records] == [True] * 3
        assert all(one.error for one in world.records)


async def test_addresses_are_tried_in_order() -> None:
    async with World() as world:
        await world.site("good.example", echo, address=PUBLIC)
        world.names["good.example"] = [PUBLIC6, ELSEWHERE, PUBLIC]
        answer = await world.fetch("http://good.example/")
        assert answer.status == 200
        assert world.asked == [(PUBLIC6, 80), (ELSEWHERE, 80), (PUBLIC, 80)]
        assert world.records[0].address == PUBLIC


async def test_an_address_that_never_answers_does_not_hold_up_the_next() -> None:
    async with World() as world:
        await world.site("good.example", echo, address=PUBLIC)
        world.names["good.example"] = [ELSEWHERE, PUBLIC]
        dial, ended = world.dial, []

        async def slow(address: str, port: int):  # type: ignore[no-untyped-def]
            if address == ELSEWHERE:
                try:
                    await asyncio.sleep(3600)
                finally:
                    ended.append(address)
            return await dial(address, port)

        world.relay.dial = slow
        assert (await world.fetch("http://good.example/")).status == 200
        assert ended == [ELSEWHERE]


async def test_addresses_that_cannot_be_reached() -> None:
    async with World() as world:
        world.names["good.example"] = [PUBLIC]
        assert (await world.refused("http://good.example/")).code == "connection-refused"

        async def unreachable(address: str, port: int):  # type: ignore[no-untyped-def]
            raise OSError(113, "No route to host")

        world.relay.dial = unreachable
        assert (await world.refused("http://good.example/")).code == "destination-unavailable"


async def test_this_machine_where_a_rule_names_it() -> None:
    async with World() as world:
        port = await world.serve(echo)
        here = f"127.0.0.1:{port}"
        answer = await world.fetch(f"http://{here}/", rules=policy(here))
        assert answer.seen["headers"][0] == ["host", here]
        world.names["localhost"] = ["::1", "127.0.0.1"]
        answer = await world.fetch(f"http://localhost:{port}/", rules=policy(f"localhost:{port}"))
        assert answer.status == 200
        refused = await world.refused(f"http://{here}/", rules=policy(f"*:{port}", "*"))
        assert (refused.code, refused.grantable) == ("destination-IP-prohibited", True)


async def test_limits_on_requests_in_flight() -> None:
    options = EgressOptions(max_requests_per_component=2, max_requests=3)
    async with World(options) as world:
        await world.site("good.example", echo)
        routes = [await world.route("http://good.example/") for _ in range(2)]
        refused = await world.refused("http://good.example/")
        assert refused.code == "connection-limit-reached"
        other = await world.relay.door()
        routes.append(await world.route("http://good.example/", door=other))
        assert (await world.refused("http://good.example/", door=other)).code == (
            "connection-limit-reached"
        )
        for route in routes:
            assert (await send(route)).status == 200
        # Who is done makes room.
        assert (await world.fetch("http://good.example/")).status == 200
        assert world.relay.in_flight == 0


# ---- the record --------------------------------------------------------------------------------


async def test_a_record_of_everything() -> None:
    async with World() as world:
        await world.site("good.example", echo)
        answer = await world.fetch("http://good.example/a?b=c", "POST", body=b"hello")
        [record] = world.records
        assert record == Exchange(
            method="POST",
            url="http://good.example/a?b=c",
            address=PUBLIC,
            status=200,
            sent=5,
            received=len(answer.body),
            seconds=record.seconds,
            allowed=True,
            reason="POST http://good.example:80/a is allowed by network.allow[0] (*)",
            rule="network.allow[0] (*)",
            error=None,
        )
        assert 0 < record.seconds < 30


async def test_what_cannot_be_read_has_no_record() -> None:
    async with World() as world:
        assert (await world.refused("http://a@b/")).code == "HTTP-request-URI-invalid"
        assert world.records == []


async def test_a_record_that_raises_breaks_nothing() -> None:
    async with World() as world:
        await world.site("good.example", echo)
        called = []

        def record(exchange: Exchange) -> None:
            called.append(exchange)
            raise RuntimeError("disk full")

        want = Want("GET", "http", "good.example", "/")
        route = await world.door.route(want, Rules(policy("*")), record)
        assert (await send(route)).status == 200
        with pytest.raises(RequestRefused):
            await world.door.route(want, Rules(policy()), record)
        assert len(called) == 2


# ---- both ways at once -------------------------------------------------------------------------


async def test_a_response_may_begin_before_the_request_has_ended() -> None:
    async def upper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await receive(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        async for piece in request.pieces():
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece.upper()))
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async with World() as world:
        await world.site("good.example", upper)
        route = await world.route("http://good.example/", "POST")
        reader, writer = await world.ask(route, "POST", "Transfer-Encoding: chunked")
        async with asyncio.timeout(20):
            assert b"HTTP/1.1 200 " in await reader.readuntil(b"\r\n\r\n")
            for word in (b"one", b"two", b"three"):
                writer.write(b"%x\r\n%b\r\n" % (len(word), word))
                assert await reader.readuntil(word.upper() + b"\r\n")
            writer.write(b"0\r\n\r\n")
            assert await reader.read() == b"0\r\n\r\n"


async def test_an_answer_before_the_request_has_ended_reaches_the_component() -> None:
    async def too_large(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply(b"too large", status="413 Content Too Large"))
        while await reader.read(65536):
            pass

    async with World() as world:
        await world.site("good.example", too_large)
        route = await world.route("http://good.example/", "POST")
        reader, writer = await world.ask(route, "POST", "Content-Length: 100000000")
        writer.write(b"x" * 1_000_000)
        async with asyncio.timeout(20):
            assert (await reader.read()).endswith(b"too large")
        assert (await world.over()).status == 413
