"""find-tool: what is found, and in which order."""

from __future__ import annotations

from typing import Any

import pytest

from wassette.components.record import ComponentRecord, FunctionRecord, Stamp
from wassette.errors import InvalidArguments
from wassette.mcp import meta
from wassette.toolset import BUILTIN_NAMES, META_NAMES, Toolset


def record(component_id: str, **functions: str) -> ComponentRecord:
    found = tuple(
        FunctionRecord(None, name.replace("_", "-"), text, {"type": "object"}, None, None)
        for name, text in functions.items()
    )
    return ComponentRecord(component_id, "0" * 64, Stamp(0, 0), "", 0.0, "", (), {}, found)


TOOLS = Toolset(
    [
        record("web", fetch="Gets a page", fetch_all="Gets pages", post="Sends a page"),
        record("notes", read_note="Reads a note", search="Finds the page of a note"),
    ]
)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("fetch", ["fetch", "fetch-all"]),
        ("FETCH", ["fetch", "fetch-all"]),
        ("note", ["read-note", "search"]),
        ("page", ["search", "fetch", "fetch-all", "post"]),
        ("notes", ["read-note", "search"]),
        ("sends page", ["post", "search", "fetch", "fetch-all"]),
        ("", ["read-note", "search", "fetch", "fetch-all", "post"]),
        ("nothing-like-it", []),
    ],
)
def test_finds(query: str, found: list[str]) -> None:
    answer = meta.find(TOOLS, {"query": query})
    assert [tool["name"] for tool in answer["tools"]] == found
    assert answer["total"] == len(found)


def test_of_one_component() -> None:
    answer = meta.find(TOOLS, {"query": "page", "component_id": "web"})
    assert {tool["component_id"] for tool in answer["tools"]} == {"web"}


def test_shows_no_more_than_a_client_can_read() -> None:
    many = Toolset([record("many", **{f"tool_{number}": "One of them" for number in range(100)})])
    answer = meta.find(many, {"query": "tool"})
    assert (len(answer["tools"]), answer["total"]) == (meta.MAX_FOUND, 100)


@pytest.mark.parametrize("arguments", [{"query": 5}, {"query": "x", "component_id": []}])
def test_arguments_that_do_not_fit(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidArguments, match="find-tool"):
        meta.find(TOOLS, arguments)


def test_no_component_takes_the_names() -> None:
    """Attack: a component whose tool is called as one of Wassette's own."""
    names = dict.fromkeys((name.replace("-", "_") for name in (*BUILTIN_NAMES, *META_NAMES)), "x")
    tools = Toolset([record("evil", **names)])
    assert {tool.name for tool in tools.all()} == {
        f"evil__{name}" for name in (*BUILTIN_NAMES, *META_NAMES)
    }
