"""Tool results as MCP has them, in Wassette's shapes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import mcp_types as types

if TYPE_CHECKING:
    from wassette.answers import CallResult
    from wassette.errors import WassetteError

_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def text_result(value: Any, *, is_error: bool = False) -> types.CallToolResult:
    """An object as compact JSON text, as Wassette's own tools answer."""
    return types.CallToolResult(content=[types.TextContent(text=compact(value))], is_error=is_error)


def error_result(error: WassetteError | str) -> types.CallToolResult:
    """A failure that the model is to read: `Error: …`."""
    return types.CallToolResult(content=[types.TextContent(text=f"Error: {error}")], is_error=True)


def call_result(result: CallResult) -> types.CallToolResult:
    """A component's answer: its value as text, and as `{"result": …}` if it has a type.

    A WIT `err` is a failed tool (`isError`); what the guard refused is added, with the way out.
    """
    hints = [types.TextContent(text=hint) for hint in result.refusals]
    if result.error is not None:
        return types.CallToolResult(
            content=[types.TextContent(text=f"Error: {result.error}"), *hints], is_error=True
        )
    value = result.value
    text = value if isinstance(value, str) else compact(value)
    return types.CallToolResult(
        content=[types.TextContent(text=text), *(hints if result.is_error else [])],
        structured_content=None
        if result.tool.function.output_schema is None
        else {"result": value},
        is_error=result.is_error,
    )


def compact(value: Any) -> str:
    return _COMPACT.encode(value)
