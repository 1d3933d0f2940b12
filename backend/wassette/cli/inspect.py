"""`wassette inspect`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from wassette.errors import visible

from .base import Command, examples
from .output import show, to_json, visible_text
from .run import run

if TYPE_CHECKING:
    from wassette.components.record import ComponentRecord
    from wassette.host import Host
    from wassette.toolset import Tool


@click.command(
    cls=Command, epilog=examples("wassette inspect my-tool", "wassette inspect my-tool -o json")
)
@click.argument("component_id", metavar="ID")
def inspect(component_id: str) -> None:
    """Show everything that is known of a component: its functions, imports and origin."""

    async def work(host: Host) -> tuple[ComponentRecord, list[Tool]]:
        record = await host.component(component_id)
        return record, host.tools().all_of(component_id)

    record, tools = run(work)

    def text() -> str:
        return _text(record, tools)

    show(_structured(record, tools), table=text, default=text)


def _structured(record: ComponentRecord, tools: list[Tool]) -> dict[str, Any]:
    return {
        "id": record.id,
        "description": record.description,
        "digest": f"sha256:{record.digest}",
        "size": record.stamp.size,
        "source": record.source,
        "loaded_at": _time(record.loaded_at),
        "tools": [
            {
                "name": tool.name,
                "function": _function(tool.function.interface, tool.function.name),
                "description": tool.function.shown_description,
                "input_schema": tool.function.input_schema,
                "output_schema": tool.function.output_schema,
            }
            for tool in tools
        ],
        "unavailable": [
            {"function": _function(one.interface, one.name), "reason": one.unavailable}
            for one in record.functions
            if one.unavailable is not None
        ],
        "imports": list(record.imports),
        "producers": record.producers,
    }


def _text(record: ComponentRecord, tools: list[Tool]) -> str:
    # Only what is indented can be more than a line of the author's: none of it passes for ours.
    lines: list[str] = []
    for tool in tools:  # Wassette's lines; it is written in Rust, and shows an option as Rust does
        description = json.dumps(tool.function.shown_description, ensure_ascii=False)
        lines.append(f"{tool.name}, Some({_line(description)})")
        lines.append(f"input schema: {to_json(tool.function.input_schema)}")
        if tool.function.output_schema is not None:
            lines.append(f"output schema: {to_json(tool.function.output_schema)}")
        lines.append("")
    lines.append(f"id: {record.id}")
    if record.description.strip():
        lines.append("description:")
        lines += [f"  {one}" for one in visible_text(record.description.strip()).split("\n")]
    lines.append(f"digest: sha256:{record.digest}")
    lines.append(f"size: {record.stamp.size:,} bytes")
    lines.append(f"source: {_line(record.source)}")
    lines.append(f"loaded: {_time(record.loaded_at)}")
    if record.producers:
        lines.append("made with:")
        lines += [f"  {_line(kind)}: {_line(_names(of))}" for kind, of in record.producers.items()]
    lines.append("imports:" if record.imports else "imports: none")
    lines += [f"  {_line(name)}" for name in record.imports]
    unavailable = [one for one in record.functions if one.unavailable is not None]
    if unavailable:
        lines.append("cannot be called:")
        lines += [
            f"  {_line(_function(one.interface, one.name))}: {_line(one.unavailable or '')}"
            for one in unavailable
        ]
    return "\n".join(lines)


def _line(text: str) -> str:
    return visible(text, len(text))


def _names(values: Any) -> str:
    return ", ".join(map(str, values)) if isinstance(values, list) else str(values)


def _function(interface: str | None, name: str) -> str:
    return f"{interface}#{name}" if interface else name


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
