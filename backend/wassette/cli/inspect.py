"""`wassette inspect`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from wassette.answers import signature_shown, signature_text
from wassette.errors import visible
from wassette.sandbox.capabilities import capabilities

from .base import Command, examples
from .output import show, to_json, visible_text
from .run import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wassette.answers import Preview
    from wassette.components.record import ComponentRecord
    from wassette.host import Host
    from wassette.sandbox.capabilities import Capabilities
    from wassette.toolset import Tool


@click.command(
    cls=Command,
    epilog=examples(
        "wassette inspect my-tool", "wassette inspect my-tool -o json", "wassette inspect ./x.wasm"
    ),
)
@click.argument("component_id", metavar="ID|REFERENCE")
def inspect(component_id: str) -> None:
    """Show everything that is known of a component: its functions, imports, origin and signer.

    Of a file, or what an oci:// or https:// reference leads to: what it can reach, who signed it
    and what it asks for. For that, nothing of it is run, and it is not loaded.
    """
    if component_id.endswith(".wasm") or "://" in component_id:
        _inspect_file(component_id)
        return

    async def work(host: Host) -> tuple[ComponentRecord, list[Tool], bool]:
        record = await host.component(component_id)
        return record, host.tools().all_of(component_id), host.trusted(record)

    record, tools, trusted = run(work)

    def text() -> str:
        return _text(record, tools, trusted)

    show(_structured(record, tools, trusted), table=text, default=text)


def _inspect_file(reference: str) -> None:
    async def work(host: Host) -> Preview:
        return await host.preview(reference)

    found = run(work)

    def text() -> str:
        lines = [
            f"source: {_line(found.source)}",
            f"digest: sha256:{found.digest}",
            f"size: {found.capabilities.size:,} bytes",
            f"signed by: {_line(signature_text(found.signature, found.trusted))}",
            *_reach_lines(found.capabilities, exports=True),
            *_listed("asks for:", found.asks_for),
            *_listed("otherwise than before:", found.changes),
        ]
        if found.refusal is not None:
            lines.append(f"would not be loaded: {_line(found.refusal)}")
        return "\n".join(lines)

    show(found.to_json(), table=text, default=text)


def _listed(title: str, texts: Sequence[str]) -> list[str]:
    return [title, *(f"  {_line(one)}" for one in texts)] if texts else []


def _reach_lines(found: Capabilities, *, exports: bool = False) -> list[str]:
    lines = []
    if found.producers:
        lines.append("made with:")
        lines += [f"  {_line(kind)}: {_line(_names(of))}" for kind, of in found.producers.items()]
    lines.append("it can:" if found.reach else "it can: only compute")
    lines += [f"  {one.text}" for one in found.reach]
    if found.unavailable:
        lines.append("cannot be loaded, since these are not provided:")
        lines += [f"  {_line(name)}" for name in found.unavailable]
    lines.append("imports:" if found.imports else "imports: none")
    lines += [f"  {_line(name)}" for name in found.imports]
    if exports:
        lines.append("exports:" if found.exports else "exports: none")
        lines += [f"  {_line(name)}" for name in found.exports]
    return lines


def _structured(record: ComponentRecord, tools: list[Tool], trusted: bool) -> dict[str, Any]:
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
        "capabilities": capabilities(record).to_json()["reach"],
        "signature": signature_shown(record.signature, trusted),
        "asks_for": list(record.asks_for),
    }


def _text(record: ComponentRecord, tools: list[Tool], trusted: bool) -> str:
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
    lines.append(f"signed by: {_line(signature_text(record.signature, trusted))}")
    lines += _reach_lines(capabilities(record))
    lines += _listed("asks for:", record.asks_for)
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
