"""Components from three real tool chains, loaded by the command line and called over stdio by two
real clients: the official Python one and the MCP Inspector."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from support.inspector import Inspector

pytestmark = pytest.mark.anyio
Component = Callable[[str], Path]


def wassette(*arguments: str) -> str:
    """Standard output of the command; it has to succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "wassette", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(autouse=True)
def impatient(home: Path) -> None:
    """Nobody is here to be asked."""
    file = home / "config" / "wassette" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("approval_wait = 1\n")


def server(component_dir: Path) -> Any:
    arguments = ["-m", "wassette", "serve", "--stdio", "--component-dir", str(component_dir)]
    return stdio_client(
        StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))
    )


async def test_three_languages_two_clients(
    home: Path, tmp_path: Path, fixture_component: Component
) -> None:
    store = tmp_path / "store"
    for name in ("c-probe", "js-inventory", "py-notes"):
        loaded = json.loads(
            wassette(
                "component", "load", str(fixture_component(name)), "--component-dir", str(store)
            )
        )
        assert (loaded["status"], loaded["id"]) == ("component loaded successfully", name)
    listed = json.loads(wassette("component", "list", "--component-dir", str(store)))
    assert listed["total"] == 3
    inventory = "test_inventory_items_0_1_0_"
    shape = {"tag": "rectangle", "val": [2.5, 4]}
    summary = {"path": "a.md", "characters": 7, "lines": 2, "first-line": "# Hi"}

    async with Client(server(store)) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert {"add", f"{inventory}describe", "summarize"} <= names
        added = await client.call_tool("add", {"a": 2, "b": 40})
        assert added.structured_content == {"result": 42}
        described = await client.call_tool(f"{inventory}describe", {"shape": shape})
        assert not described.is_error
        summed = await client.call_tool("sum", {"numbers": [1, 2, 2**53]})
        assert summed.structured_content == {"result": str(2**53 + 3)}
        noted = await client.call_tool("summarize", {"path": "a.md", "text": "# Hi\nyo"})
        assert noted.structured_content == {"result": summary}

    inspector = Inspector(store)
    assert {"add", f"{inventory}describe", "summarize"} <= {t["name"] for t in inspector.tools()}
    assert inspector.call("add", a=2, b=40)["structuredContent"] == {"result": 42}
    again = inspector.call(f"{inventory}describe", shape=shape)
    assert again["content"][0]["text"] == described.content[0].text  # type: ignore[union-attr]
    noted_again = inspector.call("summarize", path="a.md", text="# Hi\nyo")
    assert noted_again["structuredContent"] == {"result": summary}
    # It has no dialog and asks for no progress: it is not kept waiting until it gives up.
    refused = inspector.call("read-note", path="/etc/passwd")
    assert refused["isError"]
    assert "wassette permission grant storage" in str(refused["content"])


async def test_granted_while_the_server_runs(
    home: Path, tmp_path: Path, fixture_component: Component
) -> None:
    """Unreadable before a person grants it from another process, readable after, and not after it
    was taken back; the server and the client's session stay."""
    store, shared = tmp_path / "store", tmp_path / "shared"
    shared.mkdir()
    note = shared / "note.txt"
    note.write_text("hello from outside")
    options = ("--component-dir", str(store))
    for name in ("c-probe", "py-notes"):
        wassette("component", "load", str(fixture_component(name)), *options)
    async with Client(server(store)) as client:
        for component, tool in (("c-probe", "read-file"), ("py-notes", "read-note")):
            before = await client.call_tool(tool, {"path": str(note)})
            assert before.is_error
            hint = before.content[1].text  # type: ignore[union-attr]
            command = f"wassette permission grant storage {component} fs://{note} --access read"
            assert hint.startswith(f"The sandbox refused read access to {note}.")
            assert command in hint
            grant = ("storage", component, f"fs://{shared}", "--access", "read")
            answer = json.loads(wassette("permission", "grant", *grant, *options))
            assert answer["status"] == "permission granted successfully"
            after = await client.call_tool(tool, {"path": str(note)})
            assert after.structured_content == {"result": {"ok": "hello from outside"}}
            revoke = ("storage", component, f"fs://{shared}")
            wassette("permission", "revoke", *revoke, *options)
            assert (await client.call_tool(tool, {"path": str(note)})).is_error
        wrote = await client.call_tool("write-file", {"path": str(note), "text": "overwritten"})
        assert wrote.is_error
    assert note.read_text() == "hello from outside"


async def test_read_is_not_write(home: Path, tmp_path: Path, fixture_component: Component) -> None:
    store, shared = tmp_path / "store", tmp_path / "shared"
    shared.mkdir()
    (shared / "note.txt").write_text("hello")
    options = ("--component-dir", str(store))
    wassette("component", "load", str(fixture_component("c-probe")), *options)
    wassette(
        "permission", "grant", "storage", "c-probe", f"fs://{shared}", "--access", "read", *options
    )
    async with Client(server(store)) as client:
        write = {"path": f"{shared}/note.txt", "text": "x"}
        assert (await client.call_tool("write-file", write)).is_error
        grant = ("storage", "c-probe", f"fs://{shared}", "--access", "write")
        wassette("permission", "grant", *grant, *options)
        assert not (await client.call_tool("write-file", write)).is_error
    assert (shared / "note.txt").read_text() == "x"


async def test_a_fetch_needs_a_grant(
    home: Path, tmp_path: Path, fixture_component: Component
) -> None:
    """The guest sees `HTTP-request-denied`, and the answer says who can help; then it gets out."""
    store = tmp_path / "store"
    options = ("--component-dir", str(store))
    for name in ("c-http", "js-fetch"):
        wassette("component", "load", str(fixture_component(name)), *options)
    async with Client(server(store)) as client:
        request = {"url-authority": "127.0.0.1:1", "path": "/x?key=secret", "https": False}
        refused = await client.call_tool("get", request)
        assert refused.is_error
        assert refused.structured_content == {"result": {"err": "HTTP-request-denied"}}
        hint = refused.content[1].text  # type: ignore[union-attr]
        assert "refused network access to http://127.0.0.1:1" in hint
        assert hint.endswith("wassette permission grant network c-http 127.0.0.1:1")
        assert "secret" not in hint
        fetched = await client.call_tool("fetch-text", {"url": "https://example.com/"})
        assert fetched.is_error
        assert "https://example.com" in fetched.content[1].text  # type: ignore[union-attr]
        wassette("permission", "grant", "network", "c-http", "127.0.0.1:1", *options)
        tried = await client.call_tool("get", request)
        assert tried.structured_content == {"result": {"err": "connection-refused"}}
