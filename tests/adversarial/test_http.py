"""Attacks on the HTTP server, over real sockets. Each is named for what it tries."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from mcp.server.subscriptions import ToolsListChanged

from support import wat
from support.http import (
    ACCEPT,
    INITIALIZE,
    PATIENCE,
    connection,
    head,
    open_session,
    post,
    raw,
    read_answer,
    read_head,
    request,
    served,
)
from wassette.host import Host
from wassette.web import guard, protocol

if TYPE_CHECKING:
    from pathlib import Path

    from wassette.config import Settings

pytestmark = pytest.mark.anyio

TOKEN, OTHER = "correct-horse-battery", "staple-staple-staple"
PATHS = ["/mcp", "/sse", "/message", "/health", "/ready", "/info", "/nowhere", "/"]
LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
CALL = {"jsonrpc": "2.0", "id": 3, "method": "tools/call"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# ---- web pages -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "localhost.evil.example:{port}",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "evil.example#localhost",
        "[::1",
        "0.0.0.0:{port}",
        "127.0.0.2:{port}",
        "2130706433:{port}",
        "localhost.:{port}",
        "",
        "localhost:{port}:1",
    ],
)
async def test_dns_rebinding(settings: Settings, host: str) -> None:
    """A page's own name points to 127.0.0.1: its requests have that name as `Host`."""
    async with served(settings) as server:
        for path in PATHS:
            answer = await request(
                server.port, "GET", path, {"Host": host.format(port=server.port)}
            )
            assert answer.status == 421, path
            assert "mcp" not in answer.text
        answer = await post(server.port, INITIALIZE, Host=host.format(port=server.port))
        assert answer.status == 421


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://evil.example:{port}",
        "null",
        "http://localhost:3000",
        "http://127.0.0.1",
        "http://127.0.0.1:{port}.evil.example",
        "file://",
        "chrome-extension://abc",
        "",
    ],
)
async def test_a_web_page_calls_by_itself(settings: Settings, origin: str) -> None:
    async with served(settings) as server:
        for path in PATHS:
            headers: dict[str, str | list[str]] = {"Origin": origin.format(port=server.port)}
            answer = await request(server.port, "GET", path, headers)
            assert answer.status == 403, path
            assert "access-control-allow-origin" not in answer.headers
        preflight = {"Access-Control-Request-Method": "POST", "Origin": "http://evil.example"}
        answer = await request(server.port, "OPTIONS", "/mcp", {**preflight})
        assert answer.status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "cross-site, none"])
async def test_a_web_page_embeds_us(settings: Settings, site: str) -> None:
    """`<img src="http://localhost:9001/sse">` sends no `Origin`."""
    async with served(settings) as server:
        for path in PATHS:
            assert (await request(server.port, "GET", path, {"Sec-Fetch-Site": site})).status == 403


async def test_our_own_page_may(settings: Settings) -> None:
    async with served(settings, allowed_hosts=("tools.example",)) as server:
        for host in (f"127.0.0.1:{server.port}", "localhost:8080", "LOCALHOST", "[::1]:1",
                     "tools.example", "tools.example:81"):  # fmt: skip
            same = {
                "Host": host,
                "Origin": f"http://{host.lower()}",
                "Sec-Fetch-Site": "same-origin",
            }
            assert (await request(server.port, "GET", "/info", {**same})).status == 200, host
            assert (await request(server.port, "GET", "/info", {"Host": host})).status == 200, host


async def test_answers_cannot_be_framed_sniffed_or_cached(settings: Settings) -> None:
    async with served(settings, tokens=(TOKEN,)) as server:
        answers = [await request(server.port, "GET", path) for path in PATHS]
        answers += [
            await request(server.port, "GET", "/info", {"Host": "evil.example"}),
            await post(server.port, INITIALIZE, **bearer(TOKEN)),
        ]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "no-" in answer.headers["cache-control"]
        assert "server" not in answer.headers


# ---- tokens --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("wrong-wrong-wrong-wrong"),
        bearer(TOKEN[:-1]),
        bearer(TOKEN + "x"),
        bearer(TOKEN.upper()),
        bearer(""),
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}, Bearer x"},
        {"Cookie": f"token={TOKEN}"},
        {"X-Forwarded-For": "127.0.0.1"},
    ],
)
async def test_without_the_token(settings: Settings, headers: dict[str, str]) -> None:
    async with served(settings, tokens=(TOKEN, OTHER)) as server:
        for path in ("/mcp", "/sse", "/message", "/nowhere", "/"):
            answer = await request(server.port, "GET", path, {**headers})
            assert answer.status == 401, path
            assert answer.headers["www-authenticate"].startswith("Bearer ")
        assert (await post(server.port, INITIALIZE, **headers)).status == 401
        for path in guard.OPEN:
            assert (await request(server.port, "GET", path, {**headers})).status == 200


@pytest.mark.parametrize("name", ["access_token", "token", "authorization", "ACCESS_TOKEN"])
async def test_a_token_in_the_url(settings: Settings, name: str) -> None:
    """It would be in histories and logs, so it is refused, right or not, beside a header or not."""
    async with served(settings, tokens=(TOKEN,)) as server:
        for headers in ({}, bearer(TOKEN)):
            for query in (f"{name}={TOKEN}", f"x=1&{name}={TOKEN}"):
                answer = await request(server.port, "GET", f"/mcp?{query}", {**headers})
                assert answer.status == 400
                assert TOKEN not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "//mcp",
        "/mcp/",
        "/mcp/.",
        "/mcp/..",
        "/./mcp",
        "/health/../mcp",
        "/health/..%2fmcp",
        "/health%2f..%2fmcp",
        "/%6dcp",
        "/mcp%00",
        "/mcp;health",
        "/MCP",
        "/health/",
        "/health%20",
        "/health/mcp",
        "\\mcp",
        "http://127.0.0.1/health",
        "http://evil.example/mcp",
        "*",
        "/docs",
        "/openapi.json",
        "/redoc",
        "/.env",
    ],
)
async def test_paths_that_look_like_others(settings: Settings, path: str) -> None:
    """None leads past the token, and none to something that is not there."""
    async with served(settings, tokens=(TOKEN,)) as server:
        answer = await request(server.port, "GET", path)
        assert answer.status == 401
        answer = await request(server.port, "GET", path, {**bearer(TOKEN)})
        # An encoded letter is the letter, so that one is /mcp: it wants a session.
        assert answer.status == (406 if path == "/%6dcp" else 404)
        assert "location" not in answer.headers


async def test_using_the_session_of_another_credential(settings: Settings) -> None:
    async with served(settings, tokens=(TOKEN, OTHER)) as server:
        session = await open_session(server.port, **bearer(TOKEN))
        for method, body in (("POST", LIST), ("GET", None), ("DELETE", None)):
            headers: dict[str, str | list[str]] = {
                "Mcp-Session-Id": session, "Accept": ACCEPT, "Content-Type": "application/json",
                **bearer(OTHER),
            }  # fmt: skip
            data = json.dumps(body).encode() if body else b""
            answer = await request(server.port, method, "/mcp", headers, data)
            assert answer.status == 404, method
        answer = await post(server.port, LIST, mcp_session_id=session, **bearer(TOKEN))
        assert answer.status == 200


async def test_using_the_events_of_another_credential(settings: Settings) -> None:
    own: dict[str, str | list[str]] = {"Host": "localhost", **bearer(TOKEN)}
    async with (
        served(settings, tokens=(TOKEN, OTHER)) as server,
        connection(server.port, head("GET", "/sse", own)) as (reader, _),
    ):
        assert (await read_head(reader)).status == 200
        await reader.readuntil(b"data: ")
        path = (await reader.readline()).decode().strip()
        assert path.startswith("/message?session_id=")
        assert (await post(server.port, INITIALIZE, path, **bearer(OTHER))).status == 404
        assert (await post(server.port, INITIALIZE, path, **bearer(TOKEN))).status == 202


async def test_guessing_session_ids(settings: Settings) -> None:
    async with served(settings) as server:
        session = await open_session(server.port)
        assert len(session) >= 32
        near = [session[:-1], session + "0", session.upper() + "x", "0" * 32, "../" + session, "'"]
        for guess in near:
            answer = await post(server.port, LIST, mcp_session_id=guess)
            assert answer.status == 404, guess
            answer = await post(server.port, LIST, f"/message?session_id={guess}")
            assert answer.status in (400, 404), guess
        seen = {await open_session(server.port) for _ in range(20)}
        assert len(seen) == 20


# ---- requests that readers understand differently ------------------------------------------------


@pytest.mark.parametrize(
    "extra",
    [
        {"Host": ["localhost", "evil.example"]},
        {"Origin": ["http://localhost", "http://evil.example"]},
        {"Authorization": [f"Bearer {TOKEN}", "Bearer wrong-wrong-wrong"]},
        {"Content-Length": ["2", "3"]},
        {"Content-Length": "2", "Transfer-Encoding": "chunked"},
        {"Transfer-Encoding": ["chunked", "identity"]},
        {"Transfer-Encoding": "gzip, chunked"},
        {"Transfer-Encoding": "\x0bchunked"},
        {"Content-Length": "+2"},
        {"Content-Length": "-1"},
        {"Content-Length": "0x2"},
        {"Content-Length ": "2"},
        {"X-One": "a\nHost: evil.example"},
        {"Mcp-Session-Id": ["a", "b"]},
        {"Sec-Fetch-Site": ["none", "cross-site"]},
    ],
    ids=str,
)
async def test_header_smuggling(settings: Settings, extra: dict[str, str | list[str]]) -> None:
    """Nothing is taken for a request whose body could end at two places, or that has two senders;
    what comes behind it is not read as another."""
    second = b"GET /info HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with served(settings, tokens=(TOKEN,)) as server:
        headers: dict[str, str | list[str]] = {
            "Host": "localhost", "Content-Type": "application/json", "Accept": ACCEPT,
            **bearer(TOKEN), **extra,
        }  # fmt: skip
        sent = head("POST", "/mcp", headers, b"{}") + second
        async with connection(server.port, sent) as (reader, _), asyncio.timeout(PATIENCE):
            answer = await read_answer(reader)
            assert answer.status in (400, 501)
            assert await reader.read() == b""  # closed, and the second was not answered


async def test_endless_heads(settings: Settings) -> None:
    start = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: "
    async with served(settings) as server:
        async with connection(server.port, start) as (reader, writer), asyncio.timeout(PATIENCE):
            with contextlib.suppress(ConnectionError):
                for _ in range(200):
                    writer.write(b"a" * 16384)
                    await writer.drain()
            with contextlib.suppress(ConnectionError):
                assert b" 400 " in await reader.read(65536)
        assert (await request(server.port, "GET", "/health")).status == 200


# ---- amounts and time ----------------------------------------------------------------------------


async def test_oversized_bodies(settings: Settings) -> None:
    """Whether it is announced, chunked, or sent by somebody without a token."""
    async with served(settings, max_body=1000, tokens=(TOKEN,)) as server:
        big = json.dumps({**LIST, "params": {"x": "x" * 2000}}).encode()
        own: dict[str, str | list[str]] = {"Content-Type": "application/json", **bearer(TOKEN)}
        for path in ("/mcp", "/message?session_id=" + "0" * 32, "/health", "/nowhere"):
            assert (await request(server.port, "POST", path, own, big)).status == 413, path
            chunks = f"{len(big):x}\r\n".encode() + big + b"\r\n0\r\n\r\n"
            chunked = {**own, "Transfer-Encoding": "chunked"}
            assert (await request(server.port, "POST", path, chunked, chunks)).status == 413, path
        announced = {**own, "Content-Length": str(10**12)}
        assert (await request(server.port, "POST", "/mcp", announced)).status == 413
        # Nothing is read for whoever has no token.
        unasked: dict[str, str | list[str]] = {"Content-Length": "999"}
        assert (await request(server.port, "POST", "/mcp", unasked)).status == 401


async def test_slow_bodies(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_TIMEOUT", 0.5)
    start = head("POST", "/mcp", {"Host": "localhost", "Content-Length": "1000"})
    async with served(settings) as server:
        answer = await asyncio.to_thread(drip, server.port, start)
    assert answer.startswith(b"HTTP/1.1 408 ")


def drip(port: int, start: bytes) -> bytes:
    """A byte now and then, until there is an answer and the end. With a plain socket: asyncio's
    forgets what it has read when a byte comes too late and the connection is reset."""
    found = b""
    give_up = time.monotonic() + PATIENCE
    with (
        socket.create_connection(("127.0.0.1", port)) as sock,
        contextlib.suppress(ConnectionError),
    ):
        sock.settimeout(0.05)
        sock.sendall(start)
        while time.monotonic() < give_up:
            try:
                more = sock.recv(65536)
            except TimeoutError:
                sock.sendall(b" ")
                continue
            if not more:
                break
            found += more
    assert time.monotonic() < give_up
    return found


async def test_slow_heads(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that send nothing, half a request line, or half a second request."""
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT", 0.5)
    whole = head("GET", "/health", {"Host": "localhost"})
    async with served(settings) as server:
        for start in (b"", b"GET /hea", b"GET /health HTTP/1.1\r\nHost: local", whole + b"GET /h"):
            rest = b""
            async with connection(server.port, start) as (reader, _), asyncio.timeout(PATIENCE):
                with contextlib.suppress(ConnectionError):
                    while more := await reader.read(65536):
                        rest += more
            assert rest.count(b"HTTP/1.1") == (1 if start.startswith(whole) else 0)
        assert (await request(server.port, "GET", "/health")).status == 200


async def test_ten_thousand_sessions(settings: Settings) -> None:
    """They are bounded, in number and in memory, and those that are there go on working."""
    async with served(settings, max_sessions=100) as server:
        first = await open_session(server.port)
        before = psutil.Process().memory_info().rss
        statuses: dict[int, int] = {}
        keep: dict[str, str | list[str]] = {
            "Host": "localhost", "Content-Type": "application/json", "Accept": ACCEPT,
        }  # fmt: skip
        one = head("POST", "/mcp", keep, json.dumps(INITIALIZE).encode())

        async def many(count: int) -> None:
            async with connection(server.port) as (reader, writer):
                for _ in range(count):
                    writer.write(one)
                    answer = await read_answer(reader)
                    statuses[answer.status] = statuses.get(answer.status, 0) + 1

        async with asyncio.timeout(10 * PATIENCE):
            await asyncio.gather(*(many(1000) for _ in range(10)))
        assert statuses == {200: 99, 503: 9901}
        assert len(server.mcp.sessions) == 100
        assert psutil.Process().memory_info().rss - before < 100 * 1024 * 1024
        assert (await post(server.port, LIST, mcp_session_id=first)).status == 200


async def test_more_event_streams_than_allowed(settings: Settings) -> None:
    stream = head("GET", "/sse", {"Host": "localhost"})

    async def status(reader: asyncio.StreamReader) -> int:
        return (await asyncio.wait_for(read_head(reader), PATIENCE)).status

    async def open_one() -> int:
        async with connection(server.port, stream) as (reader, _):
            return await status(reader)

    async with served(settings, max_sessions=5) as server:
        async with contextlib.AsyncExitStack() as stack:
            for number in range(7):
                opened = connection(server.port, stream)
                reader, _ = await stack.enter_async_context(opened)
                assert await status(reader) == (200 if number < 5 else 503), number
        async with asyncio.timeout(PATIENCE):
            while await open_one() != 200:
                await asyncio.sleep(0.05)


@pytest.fixture
async def loaded(settings: Settings, tmp_path: Path) -> Settings:
    async with Host(settings) as host:
        await host.load(str(wat.write(tmp_path, "calc")))
    return settings


async def test_slow_readers_of_streams(loaded: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams that are opened and never read (GET, SSE, subscriptions) hold up nobody while a
    hundred thousand changes happen, and nothing piles up for them."""
    monkeypatch.setattr(protocol, "READ_TIMEOUT", 1.0)
    listen = {
        "jsonrpc": "2.0", "id": 9, "method": "subscriptions/listen",
        "params": {
            "notifications": {"toolsListChanged": True},
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    }  # fmt: skip
    async with served(loaded) as server:
        port = server.port
        session = await open_session(port)
        own: dict[str, str | list[str]] = {"Host": "localhost", "Accept": ACCEPT}
        modern: dict[str, str | list[str]] = {
            **own, "Content-Type": "application/json", "Mcp-Method": "subscriptions/listen",
            "MCP-Protocol-Version": "2026-07-28",
        }  # fmt: skip
        streams = [
            head("GET", "/mcp", {**own, "Mcp-Session-Id": session}),
            head("GET", "/sse", own),
            head("POST", "/mcp", modern, json.dumps(listen).encode()),
        ]
        async with contextlib.AsyncExitStack() as stack:
            for stream in streams:
                opened = connection(port, stream, limit=1024)
                reader, _ = await stack.enter_async_context(opened)
                assert (await asyncio.wait_for(read_head(reader), PATIENCE)).status == 200
            longest = 0.0
            for _ in range(1000):
                for _ in range(100):
                    server.mcp.announce(ToolsListChanged())
                start = time.monotonic()
                await asyncio.sleep(0)
                longest = max(longest, time.monotonic() - start)
            answer = await post(port, LIST, mcp_session_id=await open_session(port))
            assert answer.status == 200
            assert longest < PATIENCE
            # What waits for a client is each kind of change once.
            for one in server.mcp.sessions:
                assert len(one._untold) <= 1


async def test_an_answer_that_nobody_reads(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fixture_component: Any
) -> None:
    """16 MB for somebody who reads nothing: the connection is ended, and with it what it held."""
    monkeypatch.setattr(protocol, "READ_TIMEOUT", 0.5)
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-probe")))
    async with served(settings) as server:
        session = await open_session(server.port)
        call = {**CALL, "params": {"name": "big-string", "arguments": {"n": 10_000_000}}}
        own: dict[str, str | list[str]] = {
            "Host": "localhost", "Accept": ACCEPT, "Content-Type": "application/json",
            "Mcp-Session-Id": session,
        }  # fmt: skip
        sent = head("POST", "/mcp", own, json.dumps(call).encode())
        async with (
            connection(server.port, sent, limit=1024) as (reader, _),
            asyncio.timeout(PATIENCE),
        ):
            assert (await read_head(reader)).status == 200
            assert server.server._server is not None
            while server.server._server.server_state.connections:
                await asyncio.sleep(0.05)
        assert (await post(server.port, LIST, mcp_session_id=session)).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":' + b"[" * 50_000,
        b"\xff\xfe",
        b'{"jsonrpc":"2.0","id":1e400,"method":"ping"}',
        b'{"jsonrpc":"1.0","id":1,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}' * 2,
        json.dumps([INITIALIZE] * 3).encode(),
        b"9" * 10_000,
    ],
    ids=range(11),
)
async def test_garbage(settings: Settings, body: bytes) -> None:
    async with served(settings) as server:
        own: dict[str, str | list[str]] = {"Accept": ACCEPT, "Content-Type": "application/json"}
        for version in ({}, {"MCP-Protocol-Version": "2026-07-28"}, {"MCP-Protocol-Version": "x"}):
            answer = await request(server.port, "POST", "/mcp", {**own, **version}, body)
            assert 400 <= answer.status < 500, version
            assert "Traceback" not in answer.text
        assert len(server.mcp.sessions) == 0
        assert (await request(server.port, "GET", "/health")).status == 200


async def test_websocket(settings: Settings) -> None:
    async with served(settings) as server:
        upgrade: dict[str, str | list[str]] = {
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }  # fmt: skip
        answer = await raw(
            server.port, head("GET", "/mcp", {"Host": "localhost", "Accept": ACCEPT, **upgrade})
        )
        assert answer.status == 400  # an ordinary request, without a session
