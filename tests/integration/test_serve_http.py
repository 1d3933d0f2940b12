"""`wassette serve --http`: starting, what is told without MCP, ending with open streams."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from support import wat
from support.cli import Cli
from support.http import (
    ACCEPT,
    INITIALIZE,
    PATIENCE,
    connection,
    head,
    open_session,
    post,
    read_head,
    request,
    serve_process,
    served,
)
from support.inspector import Inspector
from wassette._version import __version__
from wassette.answers import Provisioning
from wassette.errors import ConfigError
from wassette.host import Host
from wassette.web.options import WebOptions
from wassette.web.serve import GRACE

if TYPE_CHECKING:
    from pathlib import Path

    from wassette.config import Settings

pytestmark = pytest.mark.anyio
TOKEN = "correct-horse-battery"


@pytest.fixture
async def loaded(settings: Settings, tmp_path: Path) -> Settings:
    async with Host(settings) as host:
        await host.load(str(wat.write(tmp_path, "calc")))
    return settings


@pytest.mark.parametrize(
    ("option", "paths"),
    [
        ("--http", {"/mcp", "/sse"}),
        ("--streamable-http", {"/mcp"}),
        ("--sse", {"/sse"}),
    ],
)
async def test_says_where_it_listens(loaded: Settings, option: str, paths: set[str]) -> None:
    async with serve_process(loaded, option) as server:
        port = int(server.url.rpartition(":")[2])
        assert {path for path in ("/mcp", "/sse") if f"{server.url}{path}" in server.said} == paths
        assert "without a token" in server.said
        info = (await request(port, "GET", "/info")).json
        names = {"streamable-http": "/mcp", "sse": "/sse"}
        assert {names[one] for one in info["transports"]} == paths
        for path in ("/mcp", "/sse", "/message"):
            there = path in paths or (path == "/message" and "/sse" in paths)
            assert ((await request(port, "POST", path)).status != 404) == there, path
        if "/mcp" in paths:
            async with Client(f"{server.url}/mcp") as mcp:
                called = await mcp.call_tool("add", {"a": 1, "b": 2})
                assert called.structured_content == {"result": 3}
        assert await server.end() == 0


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_another_client(loaded: Settings, transport: str) -> None:
    """The MCP Inspector, which shares no code with us."""
    async with served(loaded) as server:
        url = f"{server.url}/{'mcp' if transport == 'http' else 'sse'}"
        inspector = Inspector(url=url, transport=transport)
        tools = await asyncio.to_thread(inspector.tools)
        assert [tool["name"] for tool in tools][:3] == ["add", "spin", "trap"]
        called = await asyncio.to_thread(inspector.call, "add", a=40, b=2)
        assert called["structuredContent"] == {"result": 42}


async def test_closing_a_session_ends_its_calls(loaded: Settings) -> None:
    """As many endless loops as there are workers: DELETE over HTTP, the stream cut over SSE."""
    workers = max(4, 2 * (os.cpu_count() or 1))
    spin = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "spin"}}
    own: dict[str, str | list[str]] = {
        "Host": "localhost",
        "Accept": ACCEPT,
        "Content-Type": "application/json",
    }
    async with served(loaded) as server:
        port = server.port
        for transport in ("http", "sse"):
            async with contextlib.AsyncExitStack() as stack:
                if transport == "http":
                    session = await open_session(port)
                    own["Mcp-Session-Id"] = session
                    for number in range(workers):
                        body = json.dumps({**spin, "id": number}).encode()
                        call = connection(port, head("POST", "/mcp", own, body))
                        await stack.enter_async_context(call)
                else:
                    stream = connection(port, head("GET", "/sse", {"Host": "localhost"}))
                    reader, _ = await stack.enter_async_context(stream)
                    await reader.readuntil(b"data: ")
                    path = (await reader.readline()).decode().strip()
                    assert (await post(port, INITIALIZE, path)).status == 202
                    initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
                    await post(port, initialized, path)
                    for number in range(workers):
                        assert (await post(port, {**spin, "id": number}, path)).status == 202
                await asyncio.sleep(2)
                if transport == "http":
                    ended = await request(port, "DELETE", "/mcp", own)
                    assert ended.status == 200
            async with asyncio.timeout(PATIENCE):  # they would be stopped by themselves after 60 s
                result = await server.host.call_tool("add", {"a": 1, "b": 1})
            assert result.value == 2, transport
            assert server.host.clients() == []


async def test_says_how_it_is(settings: Settings) -> None:
    provided = Provisioning(done=False, state="running")
    async with served(settings, provisioning=lambda: provided) as server:
        health = await request(server.port, "GET", "/health")
        assert (health.status, health.body) == (200, b"")
        assert (await request(server.port, "HEAD", "/health")).status == 200
        assert (await request(server.port, "GET", "/info")).json == {
            "name": "wassette",
            "version": __version__,
            "build_info": f"wassette-desktop {__version__}",
            "transports": ["streamable-http", "sse"],
        }
        ready = await request(server.port, "GET", "/ready")
        assert (ready.status, ready.json) == (
            503,
            {"status": "not ready", "components": "readable", "provisioning": "running"},
        )
        provided = Provisioning(done=True, state="done")
        ready = await request(server.port, "GET", "/ready")
        assert (ready.status, ready.json["status"]) == (200, "ready")
        settings.component_dir.parent.mkdir(parents=True, exist_ok=True)
        settings.component_dir.touch()  # a file where the directory should be
        ready = await request(server.port, "GET", "/ready")
        assert (ready.status, ready.json["components"]) == (503, "unreadable")
        assert str(settings.component_dir) not in ready.text


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_ends_with_open_streams_of_every_kind(loaded: Settings, how: int) -> None:
    """GET, SSE, a subscription, and a call that would go on for a minute."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    own: dict[str, str | list[str]] = {
        "Host": "localhost",
        "Accept": ACCEPT,
        "Content-Type": "application/json",
    }

    def modern(method: str, **params: Any) -> bytes:
        named = {"Mcp-Name": params["name"]} if "name" in params else {}
        headers = {**own, "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method, **named}
        body = {"jsonrpc": "2.0", "id": 9, "method": method, "params": {**params, "_meta": meta}}
        return head("POST", "/mcp", headers, json.dumps(body).encode())

    async with serve_process(loaded) as server:
        port = int(server.url.rpartition(":")[2])
        session = await open_session(port)
        spin = {"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": "spin"}}
        in_session = {**own, "Mcp-Session-Id": session}
        streams = [
            head("GET", "/mcp", in_session),
            head("GET", "/sse", own),
            modern("subscriptions/listen", notifications={"toolsListChanged": True}),
            head("POST", "/mcp", in_session, json.dumps(spin).encode()),
        ]
        async with contextlib.AsyncExitStack() as stack:
            readers = []
            for stream in streams:
                reader, _ = await stack.enter_async_context(connection(port, stream))
                assert (await asyncio.wait_for(read_head(reader), PATIENCE)).status == 200
                readers.append(reader)
            silent = modern("tools/call", name="spin", arguments={})
            unanswered, _ = await stack.enter_async_context(connection(port, silent))
            await asyncio.sleep(1)
            start = time.monotonic()
            assert await server.end(how) == (130 if how is signal.SIGINT else 0)
            assert time.monotonic() - start < PATIENCE
            rest = [await asyncio.wait_for(reader.read(), PATIENCE) for reader in readers]
            assert all(one.endswith(b"0\r\n\r\n") for one in rest)  # each came to a proper end
            assert b"Wassette is shutting down" in rest[-1]
            assert b"Wassette is shutting down" in await asyncio.wait_for(
                unanswered.read(), PATIENCE
            )
        assert server.process.stderr is not None
        assert await server.process.stderr.read() == b""


async def test_streams_end_at_once(loaded: Settings) -> None:
    """Without calls in flight there is nothing to wait for."""
    async with served(loaded) as server:
        session = await open_session(server.port)
        own: dict[str, str | list[str]] = {"Host": "localhost", "Accept": ACCEPT}
        async with (
            connection(server.port, head("GET", "/mcp", {**own, "Mcp-Session-Id": session})) as (
                got,
                _,
            ),
            connection(server.port, head("GET", "/sse", own)) as (events, _),
            Client(f"{server.url}/mcp", mode="2026-07-28") as mcp,
            mcp.listen(tools_list_changed=True),
        ):
            for reader in (got, events):
                assert (await asyncio.wait_for(read_head(reader), PATIENCE)).status == 200
            start = time.monotonic()
            await server.server.__aexit__()
            assert time.monotonic() - start < GRACE


async def test_the_port_is_taken(loaded: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Cannot listen on 127.0.0.1:{port}: .*--bind-addr"):
            async with served(loaded, port=port):
                pass


async def test_can_be_started_again(loaded: Settings) -> None:
    for _ in range(2):
        async with served(loaded) as server, Client(f"{server.url}/mcp") as mcp:
            assert len((await mcp.list_tools()).tools) > 3


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
async def test_localhost_is_both(loaded: Settings) -> None:
    async with served(loaded, host="localhost") as server:
        assert server.url == f"http://localhost:{server.port}"
        families = {info[0] for info in socket.getaddrinfo("localhost", 0)}
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            if family in families:
                with contextlib.closing(socket.create_connection((address, server.port))):
                    pass


async def test_with_a_token(loaded: Settings, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"# for the tests\n{TOKEN}\n\nanother-token-of-mine\n")
    async with serve_process(loaded, "--http", "--token-file", str(file)) as server:
        assert "with a token" in server.said
        port = int(server.url.rpartition(":")[2])
        assert (await request(port, "POST", "/mcp")).status == 401
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with create_mcp_http_client(headers=headers) as http:
            for mode in ("legacy", "2026-07-28"):
                transport = streamable_http_client(f"{server.url}/mcp", http_client=http)
                async with Client(transport, mode=mode) as mcp:
                    called = await mcp.call_tool("add", {"a": 1, "b": 2})
                    assert called.structured_content == {"result": 3}
        async with Client(sse_client(f"{server.url}/sse", headers=headers)) as mcp:
            assert len((await mcp.list_tools()).tools) > 3
        assert TOKEN not in server.said
        assert await server.end() == 0


async def test_a_component_cannot_read_the_token(settings: Settings, tmp_path: Path) -> None:
    """Attack: the variable that the token came from is granted to a component by its name."""
    from wassette import config

    loaded = config.load(environ={"WASSETTE_TOKEN": TOKEN, "OTHER": "x"})
    assert loaded.environment == {"OTHER": "x"}


# ---- options -------------------------------------------------------------------------------------


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    home = tmp_path / "cli-home"
    home.mkdir()
    return Cli(home)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    ("arguments", "env", "configured", "says"),
    [
        (["--bind-address", "0.0.0.0:0"], {}, "", "a token is required: --token-file PATH"),
        (["--bind-address", "[::]:0"], {}, "", "a token is required"),
        ([], {"WASSETTE_BIND_ADDRESS": "192.0.2.1:0"}, "", "a token is required"),
        ([], {"BIND_HOST": "0.0.0.0", "PORT": "0"}, "", "0.0.0.0:0 can be reached"),
        ([], {}, 'bind_address = "0.0.0.0:0"', "a token is required"),
        (["--bind-address", "9001"], {}, "", "--bind-address should be HOST:PORT"),
        (["--bind-address", "::1:9001"], {}, "", "--bind-address should be HOST:PORT"),
        (["--bind-address", "127.0.0.1:99999"], {}, "", "--bind-address should be HOST:PORT"),
        ([], {}, "bind_address = 9001", "bind_address in"),
        (["--allowed-host", "http://x"], {}, "", "--allowed-host takes names"),
        (["--allowed-host", "*"], {}, "", "--allowed-host takes names"),
        ([], {"WASSETTE_ALLOWED_HOSTS": "a.example, b c"}, "", "WASSETTE_ALLOWED_HOSTS takes"),
        ([], {}, 'allowed_hosts = "x"', "should be a list of names"),
        (["--token-file", "missing"], {}, "", "--token-file: missing cannot be read"),
        ([], {"WASSETTE_TOKEN": "short"}, "", "WASSETTE_TOKEN: a token has at least 16"),
        ([], {"WASSETTE_TOKEN": "with a space in the middle"}, "", "a token is made of letters"),
        ([], {}, "token = 5", "a token is made of letters"),
        ([], {}, "token = []", "there is no token"),
        ([], {}, "meta_tools = 1", "meta_tools in"),
    ],
)
def test_settings_that_do_not_fit(
    cli: Cli, arguments: list[str], env: dict[str, str], configured: str, says: str
) -> None:
    cli.config.parent.mkdir(parents=True)
    cli.config.write_text(configured)
    done = cli("serve", "--http", *arguments, env=env)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: ")
    assert says in done.err
    assert "with a space" not in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--stdio", "--http"],
        ["--http", "--sse"],
        ["--bind-address", "127.0.0.1:1"],
        ["--stdio", "--token-file", "x"],
        ["--allowed-host", "x"],
    ],
)
def test_options_that_do_not_go_together(cli: Cli, arguments: list[str]) -> None:
    done = cli("serve", *arguments)
    assert (done.code, done.out) == (2, "")


async def test_where_settings_come_from(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Flags, then variables, then config.toml, then defaults; allowed hosts from all of them."""
    from wassette.web import options

    config = home / "config" / "wassette" / "config.toml"
    config.parent.mkdir(parents=True)
    assert options.load(environ={}) == WebOptions()
    config.write_text(
        'bind_address = "[::1]:1"\n'
        'allowed_hosts = ["One.example"]\n'
        'token = "token-in-config-toml"\n'
    )
    found = options.load(environ={})
    assert (found.address, found.tokens) == ("[::1]:1", ("token-in-config-toml",))
    environ = {
        "PORT": "2",
        "WASSETTE_ALLOWED_HOSTS": "two.example:80,one.example",
        "WASSETTE_TOKEN": "token-in-a-variable",
    }
    found = options.load(environ=environ, allowed_hosts=("three.example",))
    assert (found.address, found.tokens) == ("127.0.0.1:2", ("token-in-a-variable",))
    assert found.allowed_hosts == ("three.example", "two.example:80", "one.example")
    environ["WASSETTE_BIND_ADDRESS"] = "localhost:3"
    assert options.load(environ=environ).address == "localhost:3"
    assert options.load(environ=environ, bind_address="127.0.0.5:4").address == "127.0.0.5:4"
    file = tmp_path / "token"
    file.write_text("token-in-its-own-file\n")
    assert options.load(environ=environ, token_file=file).tokens == ("token-in-its-own-file",)
    assert "token-in" not in repr(options.load(environ=environ, token_file=file))
    anybody = options.load(environ={}, bind_address="0.0.0.0:5")
    assert anybody.tokens  # from config.toml: so it may
    config.unlink()
    assert options.load(
        environ={}, bind_address="0.0.0.0:5", insecure_no_token=True
    ).insecure_no_token


def test_stdio_imports_nothing_of_http(cli: Cli) -> None:
    """What an editor starts does not wait for FastAPI."""
    code = (
        "import sys; sys.argv = ['wassette', 'run', '--standalone']\n"
        "from wassette.__main__ import main\n"
        "import atexit; atexit.register(lambda: print('fastapi' in sys.modules, file=sys.stderr))\n"
        "sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=b"",
        capture_output=True,
        env=cli.environment(),
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr.decode().split()[-1]) == (0, "False")
