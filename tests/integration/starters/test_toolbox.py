"""The starter component, through the whole product, against Python's own answers."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from wassette.host import Host

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from wassette.config import Settings

pytestmark = pytest.mark.anyio
TEXTS = ["", "hello", "Zażółć gęślą jaźń 🎉\n", "a\0b", "x" * 200_000]


@pytest.fixture
async def toolbox(settings: Settings) -> AsyncIterator[Host]:
    async with Host(settings) as host:
        await host.load("starter:toolbox")
        yield host


async def value(host: Host, tool: str, **arguments: object) -> object:
    result = await host.call_tool(tool, arguments)
    assert result.error is None, result.error
    return result.value


async def test_hashes(toolbox: Host) -> None:
    for text in TEXTS:
        data = text.encode()
        for algorithm in ("sha256", "sha512", "md5"):
            digest = hashlib.new(algorithm, data).hexdigest()
            assert await value(toolbox, "hash", text=text, algorithm=algorithm) == digest
        assert (
            await value(toolbox, "hash", text=text, algorithm="crc32") == f"{zlib.crc32(data):08x}"
        )


async def test_base64(toolbox: Host) -> None:
    for text in TEXTS:
        encoded = base64.b64encode(text.encode()).decode()
        assert await value(toolbox, "base64-encode", data=text) == encoded
        assert await value(toolbox, "base64-decode", encoded=encoded) == {"ok": text}
    for bad in ("a", "a===", "!!!!", "/w=="):
        result = await toolbox.call_tool("base64-decode", {"encoded": bad})
        assert result.is_error
        assert isinstance(result.value["err"], str)


async def test_text(toolbox: Host) -> None:
    stats = await value(toolbox, "text-stats", text="Üb er\nzwei Zeilen")
    assert stats == {"characters": "17", "words": "4", "lines": "2", "bytes": "18"} or stats == {
        "characters": 17,
        "words": 4,
        "lines": 2,
        "bytes": 18,
    }
    replaced = await value(toolbox, "find-replace", text="a-b-c", find="-", replace="+")
    assert replaced == {"ok": "a+b+c"}
    assert (
        await toolbox.call_tool("find-replace", {"text": "a", "find": "", "replace": "b"})
    ).is_error
    for style, expected in (
        ("upper", "HELLO WORLD"),
        ("lower", "hello world"),
        ("title", "Hello World"),
        ("snake", "hello_world"),
        ("kebab", "hello-world"),
    ):
        assert await value(toolbox, "change-case", text="hello World", style=style) == expected
    lines = await value(toolbox, "sort-lines", text="b\na\nB\na", options=["unique", "descending"])
    assert isinstance(lines, str)
    assert lines.split("\n")[:3] == ["b", "a", "B"]


async def test_time(toolbox: Host) -> None:
    now = await value(toolbox, "current-time")
    assert isinstance(now, dict)
    parsed = datetime.fromisoformat(now["ok"])
    assert abs(datetime.now(UTC) - parsed) < timedelta(minutes=5)
    converted = await value(
        toolbox,
        "convert-time",
        **{"timestamp": "2026-02-28T23:30:00Z", "utc-offset-minutes": 90},
    )
    assert isinstance(converted, dict)
    assert datetime.fromisoformat(converted["ok"]).isoformat() == "2026-03-01T01:00:00+01:30"
    bad = await toolbox.call_tool(
        "convert-time", {"timestamp": "2026-02-30T00:00:00Z", "utc-offset-minutes": 0}
    )
    assert bad.is_error


async def test_uuids_differ(toolbox: Host) -> None:
    found = {str(await value(toolbox, "uuid")) for _ in range(20)}
    assert len(found) == 20
    version_4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    assert all(version_4.fullmatch(one) for one in found)


async def test_every_tool_and_parameter_is_described(toolbox: Host) -> None:
    for tool in toolbox.tools().all():
        assert tool.function.description, tool.name
        for name, schema in tool.function.input_schema["properties"].items():
            assert "description" in schema, (tool.name, name, json.dumps(schema))


async def test_needs_no_permission(toolbox: Host) -> None:
    record = await toolbox.component("toolbox")
    assert all(
        name.startswith(("wasi:clocks/", "wasi:random/", "wasi:io/")) or "/" not in name
        for name in record.imports
    )
