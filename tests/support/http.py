"""Serving over HTTP, in this process or as one of its own, and raw requests."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wassette.host import Host
from wassette.mcp.server import McpServer
from wassette.web.options import WebOptions
from wassette.web.serve import HttpServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from wassette.config import Settings

PATIENCE = 30.0
"""Seconds that only a hang exceeds."""


@dataclass(frozen=True)
class Served:
    """A server that runs in this process."""

    host: Host
    mcp: McpServer
    server: HttpServer

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@asynccontextmanager
async def served(
    settings: Settings, *, prepare: Callable[[McpServer], None] | None = None, **options: Any
) -> AsyncIterator[Served]:
    """Host, MCP and HTTP server; `options` are of `WebOptions`."""
    provisioning = options.pop("provisioning", None)
    async with Host(settings) as host:
        mcp = McpServer(host)
        if prepare is not None:
            prepare(mcp)
        chosen = WebOptions(**{"port": 0, **options})
        async with mcp.running(), HttpServer(host, mcp, chosen, provisioning=provisioning) as one:
            yield Served(host, mcp, one)


@dataclass
class ServeProcess:
    """`wassette serve --http` as people start it."""

    process: asyncio.subprocess.Process
    said: str
    url: str

    async def end(self, how: int = signal.SIGTERM) -> int:
        """Signal it, and its exit code."""
        self.process.send_signal(how)
        return await asyncio.wait_for(self.process.wait(), PATIENCE)


@asynccontextmanager
async def serve_process(
    settings: Settings, *options: str, env: dict[str, str] | None = None
) -> AsyncIterator[ServeProcess]:
    arguments = ["-m", "wassette", "serve", *(options or ("--http",))]
    if "--bind-address" not in options:
        arguments += ["--bind-address", "127.0.0.1:0"]
    arguments += ["--component-dir", str(settings.component_dir)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(env or {})},
    )
    assert process.stderr is not None
    try:
        said = (await asyncio.wait_for(process.stderr.readline(), PATIENCE)).decode()
        found = re.search(r"(http://[^/ ]+)/", said)
        assert found is not None, said + (await process.stderr.read()).decode()
        yield ServeProcess(process, said, found[1])
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined]


@dataclass
class Answer:
    """What came back on a raw connection."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    },
}
ACCEPT = "application/json, text/event-stream"


def head(
    method: str, path: str, headers: dict[str, str | list[str]] | None = None, body: bytes = b""
) -> bytes:
    """A request as bytes; nothing is added but a length."""
    lines = [f"{method} {path} HTTP/1.1"]
    for name, value in (headers or {}).items():
        lines += [f"{name}: {one}" for one in ([value] if isinstance(value, str) else value)]
    known = {name.lower() for name in headers or {}}
    if body and not known & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def connection(
    port: int, request: bytes = b"", limit: int = 65536
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A raw connection, on which `request` is sent; closed in the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=limit)
    try:
        writer.write(request)
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def raw(port: int, request: bytes) -> Answer:
    """Send bytes, and read one answer."""
    async with connection(port, request) as (reader, _), asyncio.timeout(PATIENCE):
        return await read_answer(reader)


async def read_head(reader: asyncio.StreamReader) -> Answer:
    """An answer's head; of a stream there is no more to read at once."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines[1:] if line)
    headers = {name.lower(): value for name, _, value in pairs}
    return Answer(int(lines[0].split()[1]), headers, b"")


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    answer = await read_head(reader)
    if "content-length" in answer.headers:
        answer.body = await reader.readexactly(int(answer.headers["content-length"]))
    elif answer.headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            answer.body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
    elif answer.headers.get("connection") == "close":
        answer.body = await reader.read()
    return answer


async def request(
    port: int,
    method: str,
    path: str,
    headers: dict[str, str | list[str]] | None = None,
    body: bytes = b"",
) -> Answer:
    """A request with the right `Host`, unless another is given."""
    own: dict[str, str | list[str]] = {"Host": f"127.0.0.1:{port}", **(headers or {})}
    return await raw(port, head(method, path, own, body))


async def post(port: int, message: Any, path: str = "/mcp", **headers: str) -> Answer:
    """A JSON-RPC message, as a client of the handshake era sends it. `mcp_session_id=` and the
    like are headers."""
    own: dict[str, str | list[str]] = {"Content-Type": "application/json", "Accept": ACCEPT}
    own |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await request(port, "POST", path, own, json.dumps(message).encode())


async def open_session(port: int, **headers: str) -> str:
    """The id of a new session."""
    answer = await post(port, INITIALIZE, **headers)
    assert answer.status == 200, answer
    session = answer.headers["mcp-session-id"]
    initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert (await post(port, initialized, mcp_session_id=session, **headers)).status == 202
    return session
