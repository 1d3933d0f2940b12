"""MCP over stdio, with the official Python client and the real command, in both protocol eras."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from support import wat
from wassette.host import Host
from wassette.toolset import BUILTIN_NAMES

if TYPE_CHECKING:
    from wassette.config import Settings

pytestmark = pytest.mark.anyio
ERAS = ["legacy", "2026-07-28"]


@asynccontextmanager
async def client(
    settings: Settings, *options: str, mode: str = "legacy", **kwargs: Any
) -> AsyncIterator[Client]:
    """A client of `wassette serve --stdio` over this component directory."""
    arguments = ["-m", "wassette", "serve", "--stdio", *options]
    arguments += ["--component-dir", str(settings.component_dir)]
    parameters = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))
    async with Client(stdio_client(parameters), mode=mode, **kwargs) as connected:
        yield connected


def text(result: Any) -> str:
    return str(result.content[0].text)


@pytest.fixture
async def loaded(settings: Settings, tmp_path: Path) -> Settings:
    """Settings of a component directory with `calc` in it."""
    async with Host(settings) as host:
        await host.load(str(wat.write(tmp_path, "calc")))
    return settings


@pytest.mark.parametrize("mode", ERAS)
async def test_lists_and_calls(loaded: Settings, mode: str) -> None:
    async with client(loaded, mode=mode) as mcp:
        tools = (await mcp.list_tools()).tools
        assert [tool.name for tool in tools] == ["add", "spin", "trap", *BUILTIN_NAMES]
        for tool in tools:
            assert tool.description
            Draft202012Validator.check_schema(tool.input_schema)
        result = await mcp.call_tool("add", {"a": 40, "b": 2})
        assert (text(result), result.structured_content, result.is_error) == (
            "42",
            {"result": 42},
            False,
        )
        trapped = await mcp.call_tool("trap", {})
        assert trapped.is_error
        assert text(trapped).startswith("Error: trap (calc) trapped")
        wrong = await mcp.call_tool("add", {"a": 1, "c": "x"})
        assert wrong.is_error
        assert "Invalid arguments for add" in text(wrong)
        unknown = await mcp.call_tool("no-such-tool", {})
        assert unknown.is_error
        assert "Unknown tool: no-such-tool" in text(unknown)


@pytest.mark.parametrize("mode", ERAS)
async def test_is_told_when_tools_change(loaded: Settings, tmp_path: Path, mode: str) -> None:
    """Whoever changes them: here another process's host, as the command line would."""
    changed = asyncio.Event()

    async def on_message(message: Any) -> None:
        if "list_changed" in str(getattr(message, "method", message)):
            changed.set()

    async with client(loaded, mode=mode, message_handler=on_message) as mcp:
        listening = None
        await mcp.list_tools()  # the server is up, and has seen what there is
        if mode != "legacy":
            subscribed = asyncio.Event()
            listening = asyncio.create_task(_listen(mcp, subscribed, changed))
            await asyncio.wait_for(subscribed.wait(), 30)
        async with Host(loaded) as other:
            await other.load(str(wat.write(tmp_path, "more", wat.one_function("more-of-it"))))
            await asyncio.wait_for(changed.wait(), 30)
        names = [tool.name for tool in (await mcp.list_tools()).tools]
        assert "more-of-it" in names
        if listening is not None:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def _listen(mcp: Client, subscribed: asyncio.Event, changed: asyncio.Event) -> None:
    async with mcp.listen(tools_list_changed=True) as events:
        subscribed.set()
        async for _ in events:
            changed.set()


async def test_an_agent_may_not_grant_where_nobody_is_asked(
    loaded: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WASSETTE_APPROVALS", "deny")
    path = wat.write(tmp_path, "other", wat.one_function("other"))
    asks: list[tuple[str, dict[str, Any], str]] = [
        ("load-component", {"path": str(path)}, f"wassette component load {path}"),
        (
            "grant-storage-permission",
            {"component_id": "calc", "details": {"uri": "fs:///tmp/a b", "access": ["read"]}},
            "wassette permission grant storage calc 'fs:///tmp/a b' --access read",
        ),
        (
            "grant-network-permission",
            {"component_id": "calc", "details": {"host": "example.com"}},
            "wassette permission grant network calc example.com",
        ),
        (
            "grant-environment-variable-permission",
            {"component_id": "calc", "details": {"key": "HOME"}},
            "wassette permission grant environment-variable calc HOME",
        ),
    ]
    async with client(loaded) as mcp:
        for tool, arguments, command in asks:
            result = await mcp.call_tool(tool, arguments)
            assert result.is_error, tool
            assert text(result).startswith("Error: Only a person can"), tool
            assert command in text(result), tool
        policy = json.loads(text(await mcp.call_tool("get-policy", {"component_id": "calc"})))
        assert policy == {"status": "no policy found", "component_id": "calc"}
        components = json.loads(text(await mcp.call_tool("list-components", {})))
        assert [one["id"] for one in components["components"]] == ["calc"]


async def test_agent_grants_as_in_wassette(loaded: Settings, tmp_path: Path) -> None:
    path = wat.write(tmp_path, "other", wat.one_function("other"))
    shared = tmp_path / "shared"
    shared.mkdir()
    storage = {"component_id": "calc", "details": {"uri": f"fs://{shared}", "access": ["read"]}}
    async with client(loaded, "--allow-agent-grants") as mcp:

        async def ok(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
            result = await mcp.call_tool(tool, arguments)
            assert not result.is_error, text(result)
            answer = json.loads(text(result))
            assert isinstance(answer, dict)
            return answer

        assert await ok("load-component", {"path": str(path)}) == {
            "status": "component loaded successfully",
            "id": "other",
            "tools": ["other"],
        }
        assert (await mcp.call_tool("other", {})).structured_content == {"result": 1}
        assert await ok("grant-storage-permission", storage) == {
            "status": "permission granted successfully",
            "component_id": "calc",
            "permission_type": "storage",
            "details": storage["details"],
        }
        found = await ok("get-policy", {"component_id": "calc"})
        assert found["permissions"]["storage"] == [storage["details"]]
        revoke = {"component_id": "calc", "details": {"uri": f"fs://{shared}"}}
        assert (await ok("revoke-storage-permission", revoke))["uri"] == f"fs://{shared}"
        again = await mcp.call_tool("revoke-storage-permission", revoke)
        assert again.is_error
        assert "no permission for" in text(again)
        assert (await ok("reset-permission", {"component_id": "calc"}))["component_id"] == "calc"
        assert (await ok("unload-component", {"id": "other"}))["id"] == "other"
        gone = await mcp.call_tool("unload-component", {"id": "other"})
        assert gone.is_error
        assert json.loads(text(gone))["status"] == "error"


async def test_inheriting_the_permissions_of_a_name(loaded: Settings, tmp_path: Path) -> None:
    """Attack: an agent writes its own `calc.wasm` and loads it over the one with permissions."""
    async with Host(loaded) as host:
        await host.grant_environment("calc", "HOME")
    evil = wat.write(tmp_path / "evil", "calc", wat.one_function("steal"))
    async with client(loaded, "--allow-agent-grants") as mcp:
        result = await mcp.call_tool("load-component", {"path": str(evil)})
        assert result.is_error
        assert "Only a person can replace it" in text(result)
        assert "add" in [tool.name for tool in (await mcp.list_tools()).tools]


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("load-component", {}, "'path' is a required property"),
        ("load-component", {"path": 5}, "path: 5 is not of type 'string'"),
        ("get-policy", {"component_id": "../../etc"}, "is not a component id"),
        ("get-policy", {"component_id": "nobody"}, "Component 'nobody' not found"),
        ("unload-component", {"id": "../calc"}, "is not a component id"),
        (
            "grant-storage-permission",
            {"component_id": "calc", "details": {"uri": "fs:///x", "access": ["execute"]}},
            "details.access[0]: 'execute' is not one of",
        ),
        (
            "grant-network-permission",
            {"component_id": "calc", "details": {"host": "h", "extra": 1}},
            "details: Additional properties are not allowed",
        ),
    ],
)
async def test_bad_calls_of_builtin_tools(
    loaded: Settings, tool: str, arguments: dict[str, Any], says: str
) -> None:
    from wassette.mcp.builtin import Asker, Builtins

    async with Host(loaded) as host:
        result = await Builtins(host).call(tool, arguments, Asker(None, host.session))
    assert result.is_error
    assert says in text(result)


async def test_without_builtin_tools(loaded: Settings) -> None:
    async with client(loaded, "--disable-builtin-tools") as mcp:
        assert [tool.name for tool in (await mcp.list_tools()).tools] == ["add", "spin", "trap"]
        result = await mcp.call_tool("list-components", {})
        assert (text(result), result.is_error) == ("Error: Built-in tools are disabled", True)


async def test_collisions_are_told(loaded: Settings, tmp_path: Path) -> None:
    async with Host(loaded) as host:
        await host.load(str(wat.write(tmp_path, "second", wat.one_function("add"))))
    async with client(loaded) as mcp:
        listed = json.loads(text(await mcp.call_tool("list-components", {})))["components"]
        assert listed[1]["renamed_tools"] == {"add": "second__add"}
        assert (await mcp.call_tool("second__add", {})).structured_content == {"result": 1}
        assert text(await mcp.call_tool("add", {"a": 1, "b": 1})) == "2"


async def test_cancelling_ends_the_guest(loaded: Settings) -> None:
    async with client(loaded) as mcp:
        spinning = asyncio.create_task(mcp.call_tool("spin", {}))
        await asyncio.sleep(0.5)
        spinning.cancel()
        await asyncio.gather(spinning, return_exceptions=True)
        async with asyncio.timeout(30):
            assert text(await mcp.call_tool("add", {"a": 1, "b": 1})) == "2"


async def test_ends_when_the_client_does(loaded: Settings) -> None:
    """End of file on stdin, and SIGTERM: exit code 0, nothing but MCP on stdout."""
    for how in ("eof", "sigterm"):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "wassette",
            "run",
            "--component-dir",
            str(loaded.component_dir),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
        await process.stdin.drain()
        assert json.loads(await asyncio.wait_for(process.stdout.readline(), 60))["id"] == 1
        if how == "eof":
            process.stdin.close()
        else:
            process.terminate()
        async with asyncio.timeout(60):
            assert await process.stdout.read() == b""
            assert await process.wait() == 0, how


async def test_garbage_on_stdin_is_survived(loaded: Settings) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "wassette",
        "run",
        "--component-dir",
        str(loaded.component_dir),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    garbage = b"{\n\xff\xfe\n[]\n" + b"[" * 5000 + b'\n{"jsonrpc":"2.0","id":7,"method":"ping"}\n'
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(garbage)
    async with asyncio.timeout(60):
        while (answer := json.loads(await process.stdout.readline())).get("id") != 7:
            assert "error" in answer
        assert "result" in answer
        process.stdin.close()
        assert await process.wait() == 0


Component = Callable[[str], Path]


async def test_types_of_every_kind_through_mcp(
    settings: Settings, fixture_component: Component
) -> None:
    """Records, variants, options, lists, flags, enums and tuples, in a JavaScript component."""
    async with Host(settings) as host:
        await host.load(str(fixture_component("js-inventory")))
    prefix = "test_inventory_items_0_1_0_"
    item = {
        "id": 7, "name": "Ü", "price": 2**60, "weight": 1.5, "tags": ["a", ""],
        "storage": "cold", "size": [1, 2, 3], "archived": False,
    }  # fmt: skip
    async with client(settings) as mcp:
        tools = {tool.name: tool for tool in (await mcp.list_tools()).tools}
        assert "the item; its `id` must be new" in json.dumps(tools[f"{prefix}add"].input_schema)
        assert tools[f"{prefix}describe"].description == "Says in words what a shape is."
        added = await mcp.call_tool(f"{prefix}add", {"item": item})
        expected = {"ok": {**item, "price": str(2**60)}}
        assert (added.structured_content, added.is_error) == ({"result": expected}, False)
        # A fresh instance for every call: what one adds, the next does not see.
        query = {"query": {"scope": ["names"], "limit": 3}}
        found = await mcp.call_tool(f"{prefix}search", query)
        assert not found.is_error
        circle = await mcp.call_tool(f"{prefix}describe", {"shape": {"tag": "circle", "val": 2}})
        assert "circle" in text(circle)
        echoed = await mcp.call_tool(f"{prefix}echo-bytes", {"data": "AAEC/w=="})
        assert echoed.structured_content == {"result": "AAEC/w=="}
        failed = await mcp.call_tool(f"{prefix}add", {"item": {**item, "name": ""}})
        assert failed.is_error
        assert json.loads(text(failed))["err"]["tag"] == "invalid"
        bad = await mcp.call_tool(f"{prefix}add", {"item": {**item, "size": [1, 2]}})
        assert bad.is_error
        assert "item.size" in text(bad)
