"""`wassette serve --manifest`: servers that begin with what a file declares."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from support import wat
from support.http import PATIENCE, request, serve_process
from support.inspector import Inspector

if TYPE_CHECKING:
    from pathlib import Path

    from wassette.config import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Declares `calc` with a permission."""
    permissions = {"environment": {"allow": [{"key": "HOME"}]}}
    return declare(
        tmp_path, {"uri": wat.write(tmp_path, "calc").as_uri(), "permissions": permissions}
    )


def declare(folder: Path, *components: dict[str, Any]) -> Path:
    path = folder / "manifest.json"
    path.write_text(json.dumps({"version": 1, "components": components}))
    return path


def missing(folder: Path) -> dict[str, Any]:
    return {"uri": (folder / "missing.wasm").as_uri(), "permissions": {}}


async def readiness(port: int, state: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        while True:
            found: dict[str, Any] = (await request(port, "GET", "/ready")).json
            if found["provisioning"] == state:
                return found
            await asyncio.sleep(0.05)


async def test_http_is_ready_once_all_is_there(settings: Settings, manifest: Path) -> None:
    async with serve_process(settings, "--http", "--manifest", str(manifest)) as server:
        port = int(server.url.rpartition(":")[2])
        assert (await readiness(port, "done"))["status"] == "ready"
        inspector = Inspector(url=f"{server.url}/mcp", transport="http")
        result = await asyncio.to_thread(inspector.call, "get-policy", component_id="calc")
        assert '"HOME"' in result["content"][0]["text"]
        assert await server.end() == 0


async def test_http_ends_if_something_fails(settings: Settings, tmp_path: Path) -> None:
    manifest = declare(tmp_path, missing(tmp_path))
    async with serve_process(settings, "--http", "--manifest", str(manifest)) as server:
        assert await asyncio.wait_for(server.process.wait(), PATIENCE) == 1
        assert server.process.stderr is not None
        assert "missing.wasm" in (await server.process.stderr.read()).decode()


async def test_http_serves_what_there_is_if_told_to(settings: Settings, tmp_path: Path) -> None:
    there = {"uri": wat.write(tmp_path, "calc").as_uri(), "permissions": {}}
    manifest = declare(tmp_path, missing(tmp_path), there)
    options = ("--http", "--manifest", str(manifest), "--continue-on-provisioning-failure")
    async with serve_process(settings, *options) as server:
        port = int(server.url.rpartition(":")[2])
        ready = await readiness(port, "done")
        assert "missing.wasm" not in json.dumps(ready)  # paths are nobody else's business
        inspector = Inspector(url=f"{server.url}/mcp", transport="http")
        tools = await asyncio.to_thread(inspector.tools)
        assert "add" in [tool["name"] for tool in tools]


def over_stdio(settings: Settings, *options: str) -> subprocess.CompletedProcess[str]:
    hello = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    }
    lines = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
    ]
    command = [sys.executable, "-m", "wassette", "serve", *options]
    return subprocess.run(
        [*command, "--component-dir", str(settings.component_dir)],
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("options", [(), ("--standalone",)])
def test_stdio_begins_with_it(settings: Settings, manifest: Path, options: tuple[str]) -> None:
    done = over_stdio(settings, "--manifest", str(manifest), *options)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]  # of notifications too
    # All that was asked is answered, though the end came right behind it.
    [tools] = [line["result"]["tools"] for line in lines if line.get("id") == 2]
    assert "add" in [tool["name"] for tool in tools]


def test_stdio_does_not_begin_without_it(settings: Settings, tmp_path: Path) -> None:
    done = over_stdio(settings, "--manifest", str(declare(tmp_path, missing(tmp_path))))
    assert (done.returncode, done.stdout) == (1, "")
    assert "missing.wasm" in done.stderr


def test_the_option_without_a_manifest(settings: Settings) -> None:
    done = over_stdio(settings, "--continue-on-provisioning-failure")
    assert done.returncode == 2
    assert "--manifest" in done.stderr
