"""The window's server in this process, and as much of a browser as is needed."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from wassette.host import Host
from wassette.window import WindowServer

from .http import PATIENCE, Answer, connection, head, read_head, request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from wassette.config import Settings


@dataclass
class Page:
    """A page of a window, in a browser that has opened a link."""

    server: WindowServer
    cookie: str
    csrf: str = ""
    answers: list[tuple[str, str, int]] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.server.url.rpartition(":")[2])

    @property
    def headers(self) -> dict[str, str]:
        return {"Cookie": self.cookie}

    @property
    def changing(self) -> dict[str, str]:
        """The headers of what changes something."""
        return {**self.headers, "Origin": self.server.url, "X-Wassette-CSRF": self.csrf}

    async def get(self, path: str, /, **query: Any) -> Answer:
        where = f"{path}?{urlencode(query)}" if query else path
        answer = await request(self.port, "GET", where, {**self.headers})
        self.answers.append(("GET", path, answer.status))
        return answer

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        data = b"" if body is None else body
        if not isinstance(data, bytes):
            data = json.dumps(body).encode()
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        sent: dict[str, str | list[str]] = {**self.changing, "Content-Type": kind, **headers}
        answer = await request(self.port, method, path, sent, data)
        self.answers.append((method, path, answer.status))
        return answer

    async def post(self, path: str, body: Any = None) -> Answer:
        return await self.send("POST", path, body)

    async def ok(self, method: str, path: str, body: Any = None) -> Any:
        """What a request answers that has to succeed."""
        if method == "GET":
            answer = await self.get(path)
        else:
            answer = await self.send(method, path, body)
        assert 200 <= answer.status < 300, (method, path, answer.status, answer.text)
        return answer.json if answer.body else None

    async def load(self, reference: str, *, confirm: bool = True) -> Any:
        """Load a component; how the load is then."""
        started = await self.ok("POST", "/api/loads", {"reference": reference})
        return await self.finish(started["id"], confirm=confirm)

    async def finish(self, load_id: str, *, confirm: bool = True) -> Any:
        load = await self.staged(load_id, "review", "failed")
        if load["stage"] == "failed" or not confirm:
            return load
        await self.ok("POST", f"/api/loads/{load_id}/confirm", {})
        return await self.staged(load_id, "done", "failed")

    async def staged(self, load_id: str, *stages: str) -> Any:
        async with asyncio.timeout(4 * PATIENCE):
            while True:
                load = await self.ok("GET", f"/api/loads/{load_id}")
                if load["stage"] in stages:
                    return load
                await asyncio.sleep(0.02)

    async def call(self, component: str, tool: str, **arguments: Any) -> Any:
        path = f"/api/components/{component}/tools/{quote(tool, safe='')}/call"
        return await self.ok("POST", path, {"arguments": arguments})

    async def pending(self, count: int = 1) -> list[Any]:
        """The questions that are open, once there are so many."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found: list[Any] = (await self.ok("GET", "/api/approvals"))["items"]
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def events(self, last: str | None = None) -> AsyncIterator[Events]:
        headers: dict[str, str | list[str]] = {"Host": f"127.0.0.1:{self.port}", **self.headers}
        if last is not None:
            headers["Last-Event-ID"] = last
        asked = head("GET", "/events", headers)
        async with connection(self.port, asked, limit=2**20) as (reader, _):
            answer = await asyncio.wait_for(read_head(reader), PATIENCE)
            assert answer.status == 200, answer
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield Events(reader)


@dataclass
class Event:
    id: str
    type: str
    data: Any


@dataclass
class Events:
    """A stream of events, as a browser reads it."""

    reader: asyncio.StreamReader
    _rest: bytes = b""

    async def next(self) -> Event:
        """The next one. Raises `EOFError` when the stream is over."""
        async with asyncio.timeout(PATIENCE):
            while True:
                block, found, rest = self._rest.partition(b"\n\n")
                if not found:
                    self._rest += await self._chunk()
                    continue
                self._rest = rest
                fields = dict(
                    line.split(": ", 1) for line in block.decode().split("\n") if ": " in line[1:]
                )
                if "data" in fields:
                    return Event(fields["id"], fields["event"], json.loads(fields["data"]))

    async def until(self, kind: str, **wanted: Any) -> Event:
        """The next one of a kind with this in it."""
        while True:
            event = await self.next()
            if event.type == kind and wanted.items() <= event.data.items():
                return event

    async def _chunk(self) -> bytes:
        size = int(await self.reader.readline() or b"0", 16)
        data = await self.reader.readexactly(size)
        await self.reader.readexactly(2)
        if not size:
            raise EOFError
        return data


async def open_page(server: WindowServer) -> Page:
    """Open a link, as a browser does."""
    port = int(server.url.rpartition(":")[2])
    link = server.one_time_link().removeprefix(server.url)
    answer = await request(port, "GET", link)
    assert answer.status == 200, answer
    page = Page(server, answer.headers["set-cookie"].partition(";")[0])
    page.csrf = (await page.ok("GET", "/api/session"))["csrf"]
    return page


@dataclass
class Windowed:
    host: Host
    server: WindowServer
    page: Page


@asynccontextmanager
async def windowed(settings: Settings) -> AsyncIterator[Windowed]:
    """A host with its window, and a page of it."""
    async with Host(settings) as host, WindowServer(host) as server:
        yield Windowed(host, server, await open_page(server))


async def eventually(found: Any, seconds: float = PATIENCE) -> None:
    """Wait until `found()` is true."""
    give_up = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < give_up, "it did not happen"
        await asyncio.sleep(0.02)
