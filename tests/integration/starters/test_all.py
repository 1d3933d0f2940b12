"""What holds for every starter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from wassette.components.sources import starters
from wassette.policy.parse import parse_policy

if TYPE_CHECKING:
    from wassette.host import Host
    from wassette.policy.model import Policy

pytestmark = pytest.mark.anyio
NAMES = ["data", "fetch", "files", "memory", "toolbox"]
LARGEST = 300 * 1024
"""Bytes. A starter is small enough to be compiled while somebody waits."""
HARMLESS = ("wasi:clocks/", "wasi:random/", "wasi:io/")
REACHES = {
    "data": ("wasi:filesystem/",),
    "fetch": ("wasi:http/",),
    "files": ("wasi:filesystem/",),
    "memory": ("wasi:filesystem/",),
    "toolbox": (),
}


def asked_for(name: str) -> Policy:
    file = starters()[name].with_name(f"{name}.policy.yaml")
    return parse_policy(file.read_text(), file.name)


def without_description(schema: Any, where: str) -> list[str]:
    """The parameters that nothing is said about."""
    return [
        f"{where}.{name}" for name, one in schema["properties"].items() if "description" not in one
    ]


def test_there_are_these() -> None:
    assert sorted(starters()) == NAMES


@pytest.mark.parametrize("name", NAMES)
async def test_a_starter(host: Host, name: str) -> None:
    """Small, described to the last parameter, and reaching no more than it is for."""
    assert starters()[name].stat().st_size < LARGEST
    await host.load(f"starter:{name}")
    record = await host.component(name)
    assert record.description
    for one in record.imports:
        assert one.startswith((*HARMLESS, *REACHES[name])) or "/" not in one
    tools = host.tools().all()
    assert tools
    for tool in tools:
        assert tool.function.description, tool.name
        assert without_description(tool.function.input_schema, tool.name) == []


async def test_together_their_tools_have_names_of_their_own(host: Host) -> None:
    for name in NAMES:
        await host.load(f"starter:{name}")
    tools = host.tools().all()
    assert not [tool.name for tool in tools if "__" in tool.name]


def test_what_they_ask_for_is_little() -> None:
    """Directories of their own until a person binds them; no host."""
    for name in NAMES:
        asks = asked_for(name)
        assert not (asks.network_allow)
        assert not (asks.environment_allow)
        uris = [rule.uri for rule in asks.storage_allow]
        expected = {
            "files": ["fs://workspace/**"],
            "data": ["fs://workspace/**"],
            "memory": ["fs://notes/**"],
        }
        assert uris == expected.get(name, [])
