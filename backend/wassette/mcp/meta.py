"""`find-tool` and `call-tool`: for clients that do not ask for the tools again when they change.

Off unless configured. Their own list of tools then never has to change: the one finds a tool, the
other calls it. `call-tool` is the same as calling directly, for Wassette's own tools too: nothing
can be done with it that could not be done without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mcp_types as types

from wassette.errors import InvalidArguments
from wassette.toolset import META_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wassette.toolset import Tool, Toolset

FIND, CALL = META_NAMES
MAX_FOUND = 20
"""Tools that one search shows; their schemas are in the answer."""

TOOLS = (
    types.Tool(
        name=FIND,
        description=(
            "Finds tools by words in their names and descriptions, over all components. The answer "
            "has their schemas; call-tool calls them. Without a query: the first ones."
        ),
        input_schema={
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "Words to look for"},
                "component_id": {"type": "string", "description": "Only tools of this component"},
            },
        },
        annotations=types.ToolAnnotations(read_only_hint=True, open_world_hint=False),
    ),
    types.Tool(
        name=CALL,
        description="Calls a tool by its name; find-tool shows what it takes.",
        input_schema={
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "The name of the tool"},
                "arguments": {"type": "object", "description": "Its arguments"},
            },
            "required": ["name"],
        },
    ),
)


def find(toolset: Toolset, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of `find-tool`. Raises `InvalidArguments`."""
    query, component_id = arguments.get("query", ""), arguments.get("component_id")
    if not isinstance(query, str) or not isinstance(component_id, str | None):
        raise InvalidArguments("Invalid arguments for find-tool: query and component_id are texts")
    words = query.lower().split()
    tools = toolset.all() if component_id is None else toolset.of(component_id)
    scored = [(score(tool, words), tool) for tool in tools]
    found = sorted((one for one in scored if one[0] or not words), key=lambda one: -one[0])
    return {
        "tools": [
            {**tool.schema(), "component_id": tool.component_id} for _, tool in found[:MAX_FOUND]
        ],
        "total": len(found),
    }


def score(tool: Tool, words: list[str]) -> int:
    """How well a tool fits. A word that is nowhere counts nothing, so that more words find more."""
    name, text = tool.name.lower(), tool.function.shown_description.lower()
    total = 0
    for word in words:
        total += 100 * (name == word) + 50 * name.startswith(word) + 20 * (word in name)
        total += 15 * text.startswith(word) + 10 * (word in text)
        total += 5 * (word in tool.component_id)
    return total


def unwrap(arguments: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """What `call-tool` is to call. Raises `InvalidArguments`."""
    name, inner = arguments.get("name"), arguments.get("arguments", {})
    if not isinstance(name, str) or not isinstance(inner, dict):
        raise InvalidArguments(
            "Invalid arguments for call-tool: name is a text, and arguments an object"
        )
    if name == CALL:
        raise InvalidArguments("Invalid arguments for call-tool: it cannot call itself")
    return name, inner
