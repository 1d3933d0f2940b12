"""Every transport in both eras, with the official client over real pipes and sockets."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import mcp_types as types
import pytest
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

from support import wat
from support.http import PATIENCE, Served, served
from wassette.config import Approvals
from wassette.host import Host
from wassette.paths import paths
from wassette.toolset import BUILTIN_NAMES, META_NAMES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from wassette.config import Settings

pytestmark = [
    pytest.mark.anyio,
    # Clients of the handshake era set the level of messages in a way that the later one ended.
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]
TRANSPORTS = ["stdio", "http", "sse"]
ERAS = ["legacy", "2026-07-28"]
BOTH = [(transport, era) for transport in TRANSPORTS for era in ERAS]
every_one = pytest.mark.parametrize(("transport", "era"), BOTH)


@asynccontextmanager
async def connected(
    settings: Settings, transport: str, era: str, *options: str, **kwargs: Any
) -> AsyncIterator[Client]:
    """A client of a server for this component directory."""
    if transport == "stdio":
        arguments = ["-m", "wassette", "serve", "--stdio", *options]
        arguments += ["--component-dir", str(settings.component_dir)]
        parameters = StdioServerParameters(
            command=sys.executable, args=arguments, env=dict(os.environ)
        )
        async with Client(stdio_client(parameters), mode=era, **kwargs) as client:
            yield client
        return
    settings = replace(
        settings,
        agent_grants="--allow-agent-grants" in options,
        meta_tools="--meta-tools" in options,
        builtin_tools="--disable-builtin-tools" not in options,
    )
    async with (
        served(settings) as server,
        Client(place(server, transport), mode=era, **kwargs) as client,
    ):
        yield client


def place(server: Served, transport: str) -> Any:
    return f"{server.url}/mcp" if transport == "http" else sse_client(f"{server.url}/sse")


def text(result: Any) -> str:
    return str(result.content[0].text)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.01)


@pytest.fixture
async def loaded(settings: Settings, tmp_path: Path) -> Settings:
    """Settings of a component directory with `calc` in it."""
    async with Host(settings) as host:
        await host.load(str(wat.write(tmp_path, "calc")))
    return settings


@every_one
async def test_tools_resources_and_prompts(loaded: Settings, transport: str, era: str) -> None:
    async with connected(loaded, transport, era) as mcp:
        assert mcp.protocol_version == ("2025-11-25" if era == "legacy" else era)
        if era == "legacy":  # the other was not asked for them
            for capability in ("tools", "resources", "prompts"):
                assert getattr(mcp.server_capabilities, capability).list_changed, capability
        names = [tool.name for tool in (await mcp.list_tools()).tools]
        assert names == ["add", "spin", "trap", *BUILTIN_NAMES]
        assert (await mcp.call_tool("add", {"a": 40, "b": 2})).structured_content == {"result": 42}
        listed = (await mcp.list_resources()).resources
        assert [str(one.uri) for one in listed] == ["wassette://components/calc"]
        read = await mcp.read_resource("wassette://components/calc")
        assert json.loads(read.contents[0].text)["id"] == "calc"  # type: ignore[union-attr]
        templates = (await mcp.list_resource_templates()).resource_templates
        assert [one.uri_template for one in templates] == [
            "wassette://components/{id}",
            "wassette://components/{id}/policy",
            "wassette://components/{id}/wit",
        ]
        assert len((await mcp.list_prompts()).prompts) == 5
        prompt = await mcp.get_prompt("build-python-component", {"component_name": "notes"})
        assert "package local:notes;" in prompt.messages[0].content.text  # type: ignore[union-attr]


class Told:
    """Notifications that a client got, whichever way its era has."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def message(self, message: Any) -> None:
        method = getattr(message, "method", "")
        if method:
            self.seen.append(method.removeprefix("notifications/"))

    async def listen(self, client: Client, era: str, uri: str) -> None:
        if era == "legacy":
            await client.subscribe_resource(uri)
            return
        ready = asyncio.Event()

        async def work() -> None:
            async with client.listen(
                tools_list_changed=True,
                resources_list_changed=True,
                prompts_list_changed=True,
                resource_subscriptions=[uri],
            ) as events:
                ready.set()
                async for event in events:
                    kind = type(event).__name__
                    names = {
                        "ToolsListChanged": "tools/list_changed",
                        "ResourcesListChanged": "resources/list_changed",
                        "ResourceUpdated": "resources/updated",
                    }
                    self.seen.append(names.get(kind, kind))

        self._tasks.append(asyncio.create_task(work()))
        await asyncio.wait_for(ready.wait(), PATIENCE)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@every_one
async def test_is_told_of_what_another_process_changes(
    loaded: Settings, tmp_path: Path, transport: str, era: str
) -> None:
    told = Told()
    async with connected(loaded, transport, era, message_handler=told.message) as mcp:
        await mcp.list_tools()  # the server is up, and has seen what there is
        await told.listen(mcp, era, "wassette://components/calc/policy")
        async with Host(loaded) as other:
            await other.grant_environment("calc", "HOME")
            await until(lambda: "resources/updated" in told.seen)
            assert set(told.seen) == {"resources/updated"}
            await other.load(str(wat.write(tmp_path, "more", wat.one_function("more-of-it"))))
            await until(lambda: {"tools/list_changed", "resources/list_changed"} <= {*told.seen})
        assert "more-of-it" in [tool.name for tool in (await mcp.list_tools()).tools]
        assert "prompts/list_changed" not in told.seen
        await told.end()


async def test_every_session_is_told(loaded: Settings) -> None:
    """Four at once, of both eras over HTTP and SSE."""
    async with served(loaded) as server:
        clients = [(transport, era) for transport in ("http", "sse") for era in ERAS]
        told = [Told() for _ in clients]
        told_after: list[float] = []
        start = 0.0
        async with asyncio.TaskGroup() as group:
            changed = asyncio.Event()
            connected_now = asyncio.Semaphore(0)

            async def one(transport: str, era: str, mine: Told) -> None:
                where = place(server, transport)
                async with Client(where, mode=era, message_handler=mine.message) as mcp:
                    await mcp.list_tools()
                    await mine.listen(mcp, era, "wassette://components/calc")
                    if transport == "http" and era == "legacy":
                        await asyncio.sleep(0.5)  # the client opens its GET stream by itself
                    connected_now.release()
                    await changed.wait()
                    await until(lambda: "tools/list_changed" in mine.seen)
                    told_after.append(time.monotonic() - start)
                    # The client for SSE fails if it is closed while something comes in.
                    await until(lambda: "resources/list_changed" in mine.seen)
                    await mine.end()

            for (transport, era), mine in zip(clients, told, strict=True):
                group.create_task(one(transport, era, mine))
            for _ in clients:
                await connected_now.acquire()
            names = {client.transport for client in server.host.clients()}
            assert names == {"http", "sse"}
            start = time.monotonic()
            await server.host.unload("calc")
            changed.set()
        assert len(told_after) == len(clients)
        assert max(told_after) < PATIENCE


@every_one
async def test_cancelling_ends_the_component(loaded: Settings, transport: str, era: str) -> None:
    """As many endless loops as there are workers: the next call only has one if they end."""
    workers = max(4, 2 * (os.cpu_count() or 1))
    async with connected(loaded, transport, era) as mcp:
        spinning = [asyncio.create_task(mcp.call_tool("spin", {})) for _ in range(workers)]
        await asyncio.sleep(2)
        assert not any(task.done() for task in spinning)
        for task in spinning:
            task.cancel()
        await asyncio.gather(*spinning, return_exceptions=True)
        async with asyncio.timeout(PATIENCE):  # they would be stopped by themselves after 60 s
            assert text(await mcp.call_tool("add", {"a": 1, "b": 1})) == "2"


@every_one
async def test_progress_of_a_load_and_of_a_first_call(
    loaded: Settings, tmp_path: Path, transport: str, era: str
) -> None:
    stages: list[str | None] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        stages.append(message)

    for path in paths().code.iterdir():
        path.unlink()
    path = wat.write(tmp_path, "more", wat.one_function("more"))
    async with connected(loaded, transport, era, "--allow-agent-grants") as mcp:
        load = await mcp.call_tool(
            "load-component", {"path": str(path)}, progress_callback=on_progress
        )
        assert not load.is_error, text(load)
        await until(lambda: "loaded" in stages)
        assert stages[-2:] == ["compiling", "loaded"]
        stages.clear()
        for other in paths().code.iterdir():
            other.unlink()
        await mcp.call_tool("more", {}, progress_callback=on_progress)
        await until(lambda: stages == ["compiling"])


@every_one
async def test_output_is_sent_to_who_asks(
    settings: Settings, fixture_component: Callable[[str], Path], transport: str, era: str
) -> None:
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-probe")))
    lines: list[types.LoggingMessageNotificationParams] = []

    async def on_log(params: types.LoggingMessageNotificationParams) -> None:
        lines.append(params)

    say = {"text": "hello\u202e\n", "times": 2}
    async with connected(settings, transport, era, logging_callback=on_log) as mcp:
        await mcp.call_tool("print", say)
        await mcp.list_tools()
        assert lines == []  # nobody asked
        if era == "legacy":
            await mcp.set_logging_level("info")
            await mcp.call_tool("print", say)
        else:
            level: Any = {"io.modelcontextprotocol/logLevel": "debug"}
            await mcp.call_tool("print", say, meta=level)
        await until(lambda: len(lines) >= 2)
        assert {(one.level, one.logger) for one in lines} == {("info", "c-probe")}
        assert "hello\\u{202e}" in [one.data for one in lines]
        before = len(lines)
        if era == "legacy":
            await mcp.set_logging_level("error")
            await mcp.call_tool("print", say)
        else:
            above: Any = {"io.modelcontextprotocol/logLevel": "error"}
            await mcp.call_tool("print", say, meta=above)
        await mcp.list_tools()
        assert len(lines) == before


@pytest.mark.parametrize(("transport", "era"), [one for one in BOTH if one[0] != "stdio"])
async def test_the_host_knows_its_clients(loaded: Settings, transport: str, era: str) -> None:
    """Name and version are its own word, made visible; the session lasts as long as it does."""
    info = types.Implementation(name="ed\u202eitor", version="1.0\n")
    calls: list[Any] = []
    async with served(loaded) as server:
        call_tool = server.host.call_tool

        async def recorded(*arguments: Any, **options: Any) -> Any:
            calls.append(options["client"])
            assert options["client"] in server.host.clients()
            return await call_tool(*arguments, **options)

        server.host.call_tool = recorded  # type: ignore[method-assign]
        async with Client(place(server, transport), mode=era, client_info=info) as mcp:
            await mcp.call_tool("add", {"a": 1, "b": 1})
            await mcp.call_tool("add", {"a": 1, "b": 1})
        first, second = calls
        assert (first.name, first.version, first.transport) == (
            "ed\\u{202e}itor",
            "1.0\\u{a}",
            transport,
        )
        # The later era has no sessions over HTTP.
        assert (first.session == second.session) == ((transport, era) != ("http", "2026-07-28"))
        await until(lambda: server.host.clients() == [])


@every_one
async def test_meta_tools(loaded: Settings, tmp_path: Path, transport: str, era: str) -> None:
    async with connected(loaded, transport, era, "--meta-tools") as mcp:
        names = [tool.name for tool in (await mcp.list_tools()).tools]
        assert names == ["add", "spin", "trap", *BUILTIN_NAMES, *META_NAMES]
        async with Host(loaded) as other:
            await other.load(str(wat.write(tmp_path, "more", wat.one_function("fetch-more"))))
        found = json.loads(text(await mcp.call_tool("find-tool", {"query": "more"})))
        assert [(one["name"], one["component_id"]) for one in found["tools"]] == [
            ("fetch-more", "more")
        ]
        assert found["tools"][0]["inputSchema"]["type"] == "object"
        called = await mcp.call_tool("call-tool", {"name": "add", "arguments": {"a": 1, "b": 2}})
        assert (called.structured_content, called.is_error) == ({"result": 3}, False)
        refused: list[tuple[dict[str, Any], str]] = [
            ({"name": "no-such"}, "Unknown tool: no-such"),
            ({"name": "add", "arguments": [1]}, "arguments an object"),
            ({}, "name is a text"),
            ({"name": "call-tool", "arguments": {"name": "add"}}, "cannot call itself"),
        ]
        for bad, says in refused:
            result = await mcp.call_tool("call-tool", bad)
            assert result.is_error, bad
            assert says in text(result), bad


async def test_meta_tools_are_off(loaded: Settings) -> None:
    async with connected(loaded, "http", "legacy") as mcp:
        assert not {*META_NAMES} & {tool.name for tool in (await mcp.list_tools()).tools}
        result = await mcp.call_tool("call-tool", {"name": "add", "arguments": {"a": 1, "b": 2}})
        assert result.is_error
        assert "Unknown tool: call-tool" in text(result)


async def test_call_tool_is_no_way_around_a_person(loaded: Settings, tmp_path: Path) -> None:
    """Attack: what only a person may do, asked for through call-tool."""
    path = wat.write(tmp_path, "other", wat.one_function("other"))
    storage = {"component_id": "calc", "details": {"uri": "fs:///tmp", "access": ["read"]}}
    asks: dict[str, dict[str, Any]] = {
        "load-component": {"path": str(path)},
        "grant-storage-permission": storage,
    }
    nobody = replace(loaded, approvals=Approvals.DENY)
    async with connected(nobody, "http", "legacy", "--meta-tools") as mcp:
        for name, arguments in asks.items():
            inside = {"name": name, "arguments": arguments}
            through = await mcp.call_tool("call-tool", inside)
            direct = await mcp.call_tool(name, arguments)
            assert through.is_error
            assert "Only a person can" in text(through)
            assert text(through) == text(direct)
    async with connected(
        loaded, "http", "legacy", "--meta-tools", "--disable-builtin-tools"
    ) as mcp:
        result = await mcp.call_tool("call-tool", {"name": "list-components"})
        assert (text(result), result.is_error) == ("Error: Built-in tools are disabled", True)


# ---- resources and prompts -----------------------------------------------------------------------


def contents(result: Any) -> Any:
    [one] = result.contents
    return json.loads(one.text) if one.mime_type == "application/json" else one.text


async def test_what_resources_say(
    loaded: Settings, tmp_path: Path, fixture_component: Callable[[str], Path]
) -> None:
    async with Host(loaded) as host:
        await host.load(str(fixture_component("js-inventory")))
        await host.grant_environment("calc", "HOME")
        digest = (await host.component("calc")).digest
        host.store.path("js-inventory").with_name("broken.wasm").write_bytes(b"not a component")
        await asyncio.to_thread(
            host.policies.path("js-inventory").write_text, "version: nonsense", encoding="utf-8"
        )
    async with connected(loaded, "http", "legacy") as mcp:
        calc = contents(await mcp.read_resource("wassette://components/calc"))
        assert (calc["state"], calc["digest"]) == ("ready", f"sha256:{digest}")
        assert [tool["name"] for tool in calc["tools"]] == ["add", "spin", "trap"]
        assert calc["source"].endswith("/calc.wasm")
        policy = contents(await mcp.read_resource("wassette://components/calc/policy"))
        assert policy == calc["policy"]
        shown = await mcp.call_tool("get-policy", {"component_id": "calc"})
        assert policy == json.loads(text(shown))
        broken = contents(await mcp.read_resource("wassette://components/broken"))
        assert broken["state"] == "unusable"
        assert "broken.wasm" in broken["error"]
        policy = contents(await mcp.read_resource("wassette://components/js-inventory/policy"))
        assert policy["status"] == "policy cannot be read"
        wit = contents(await mcp.read_resource("wassette://components/js-inventory/wit"))
        assert "describe: func(shape: shape) -> string;" in wit
        completed = await mcp.complete(
            types.ResourceTemplateReference(uri="wassette://components/{id}"),
            {"name": "id", "value": "c"},
        )
        assert completed.completion.values == ["calc"]


async def test_wit_of_a_component_that_an_earlier_version_examined(loaded: Settings) -> None:
    metadata = loaded.component_dir / "calc.metadata.json"
    record = json.loads(metadata.read_text())
    del record["wassette_desktop"]["wit"]
    metadata.write_text(json.dumps(record))
    async with connected(loaded, "http", "legacy") as mcp:
        wit = contents(await mcp.read_resource("wassette://components/calc/wit"))
        assert wit.startswith("// not known: an earlier version")
        assert "wassette component load file://" in wit


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    "uri",
    [
        "wassette://components/nobody",
        "wassette://components/calc/secrets",
        "wassette://components/../../etc/passwd",
        "wassette://components/calc%2fpolicy",
        "wassette://components/CALC",
        "file:///etc/passwd",
    ],
)
async def test_resources_that_are_not_there(loaded: Settings, era: str, uri: str) -> None:
    async with connected(loaded, "http", era) as mcp:
        with pytest.raises(MCPError, match="Resource not found") as caught:
            await mcp.read_resource(uri)
        assert caught.value.code == (-32002 if era == "legacy" else -32602)


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("build-cobol-component", {}, "Unknown prompt: build-cobol-component. There are build-"),
        ("build-c-component", {"component_name": "No Spaces"}, "words of a-z"),
        ("build-c-component", {"component_name": "world"}, "words of a-z"),
        ("build-c-component", {"component_name": "x" * 65}, "words of a-z"),
        ("build-c-component", {"component_name": "a\u202eb"}, r"a\\\\u\{202e\}b"),
        ("build-c-component", {"colour": "red"}, "has no argument colour"),
        ("build-c-component", {"task": "x" * 2001}, "longer than 2000"),
    ],
)
async def test_prompts_that_do_not_fit(
    loaded: Settings, name: str, arguments: dict[str, str], says: str
) -> None:
    async with connected(loaded, "http", "legacy") as mcp:
        with pytest.raises(MCPError, match=says) as caught:
            await mcp.get_prompt(name, arguments)
        assert caught.value.code == -32602
