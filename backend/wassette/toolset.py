"""The tools of all loaded components, under the names that they are called by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .components.names import unique_name
from .errors import ComponentDisabled, ToolNotFound

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from .components.record import ComponentRecord, FunctionRecord

BUILTIN_NAMES = (
    "load-component",
    "unload-component",
    "list-components",
    "get-policy",
    "grant-storage-permission",
    "grant-network-permission",
    "grant-environment-variable-permission",
    "revoke-storage-permission",
    "revoke-network-permission",
    "revoke-environment-variable-permission",
    "reset-permission",
    "search-components",
)
"""Wassette's own tools, in the order they are listed. No component's tool takes their names."""

META_NAMES = ("find-tool", "call-tool")
"""Those that are only offered when configured. Their names are kept free in any case, so that no
tool is called otherwise with them than without."""


@dataclass(frozen=True)
class Tool:
    """A function of a component, under its tool name."""

    name: str
    component_id: str
    function: FunctionRecord

    @property
    def renamed(self) -> bool:
        """Whether something else had the name that it asks for."""
        return self.name != self.function.base_name

    def schema(self) -> dict[str, Any]:
        """As MCP and Wassette list it."""
        function = self.function
        shown: dict[str, Any] = {
            "name": self.name,
            "description": function.shown_description,
            "inputSchema": function.input_schema,
        }
        if function.output_schema is not None:
            shown["outputSchema"] = function.output_schema
        return shown

    @property
    def returns_result(self) -> bool:
        """Whether it returns a WIT `result`, whose `err` is the tool's failure."""
        schema = self.function.output_schema or {}
        shape = schema.get("properties", {}).get("result", {})
        cases = [case.get("required") for case in shape.get("oneOf", [])]
        return cases == [["ok"], ["err"]]


class Toolset:
    """All tools, by name. Immutable; equal when every name, schema and description is."""

    def __init__(
        self, records: Iterable[ComponentRecord], disabled: Collection[str] = frozenset()
    ) -> None:
        """`disabled`: ids of components whose tools cannot be called. They keep their names, so
        that switching one off renames no other's."""
        self._by_name: dict[str, Tool] = {}
        self._disabled: dict[str, Tool] = {}
        taken: set[str] = {*BUILTIN_NAMES, *META_NAMES}
        # Whoever was loaded first has the plain name, so that loading never renames a tool.
        for record in sorted(records, key=lambda one: (one.loaded_at, one.id)):
            for function in record.tools:
                name = unique_name(function.base_name, record.id, taken)
                taken.add(name)
                where = self._disabled if record.id in disabled else self._by_name
                where[name] = Tool(name, record.id, function)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Toolset) and self._by_name == other._by_name

    __hash__ = None  # type: ignore[assignment]

    def get(self, name: str) -> Tool:
        """Raises `ToolNotFound`, `ComponentDisabled`."""
        tool = self._by_name.get(name)
        if tool is None:
            if name in self._disabled:
                raise ComponentDisabled(self._disabled[name].component_id)
            raise ToolNotFound(name)
        return tool

    def all(self) -> list[Tool]:
        """By component id, then in the component's own order."""
        return sorted(self._by_name.values(), key=lambda tool: tool.component_id)

    def of(self, component_id: str) -> list[Tool]:
        return [tool for tool in self._by_name.values() if tool.component_id == component_id]

    def all_of(self, component_id: str) -> list[Tool]:
        """As `of`, also if the component is disabled."""
        return self.of(component_id) or [
            tool for tool in self._disabled.values() if tool.component_id == component_id
        ]
