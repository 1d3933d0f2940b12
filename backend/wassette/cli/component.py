"""`wassette component`: load, unload, list; project.py has new, build and dev."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wassette.errors import ComponentError, WassetteError

from .approval_text import wrapped
from .base import Group, examples
from .output import has_terminal, note, show, table
from .permissions_text import summary
from .run import run

if TYPE_CHECKING:
    from wassette.answers import ComponentState, Loaded
    from wassette.components.record import ComponentRecord
    from wassette.host import Host
    from wassette.toolset import Tool


@click.group(cls=Group, lazy={"new": "project:new", "build": "project:build", "dev": "project:dev"})
def component() -> None:
    """Load, list, remove and make components."""


@component.command(
    epilog=examples(
        "wassette component load ./my-tool.wasm",
        "wassette component load file:///path/to/my-tool.wasm",
        "wassette component load starter:toolbox",
    )
)
@click.argument("reference", metavar="REFERENCE")
@click.option(
    "--keep-permissions",
    is_flag=True,
    help="Let other bytes have the permissions that are there, for scripts.",
)
def load(reference: str, keep_permissions: bool) -> None:
    """Load a component: a path, a file:// URL, or starter:NAME for one that comes with Wassette.

    Loading one again replaces it. If its bytes are others and it has permissions, you see what is
    different, and it keeps them; where there is no terminal to show it on, they wait until you
    load it at one.
    """

    async def work(host: Host) -> Loaded:
        from .progress import ProgressLine

        try:
            async with ProgressLine() as progress:
                loaded = await host.load(reference, progress)
        except WassetteError as error:
            if str(error).startswith("Unsupported URI scheme"):  # documented as it is
                raise
            raise ComponentError(f"Failed to load component: {reference}") from error
        for change in loaded.changes:
            note(wrapped(f"  {change}"))
        if loaded.changes and (keep_permissions or has_terminal()):
            await host.mark_seen(loaded.record.id)
        if loaded.changed_from is not None:
            note(_what_changed(host, loaded.record, loaded.changed_from))
        elif loaded.changes and not (keep_permissions or has_terminal()):
            note(str(host.policy(loaded.record.id).error))
        return loaded

    loaded = run(work)
    word = "reloaded" if loaded.replaced else "loaded"
    show(
        {
            "status": f"component {word} successfully",
            "id": loaded.record.id,
            "tools": list(loaded.tools),
        }
    )


def _what_changed(host: Host, record: ComponentRecord, before: str) -> str:
    change = f"'{record.id}' changed (sha256 {before[:12]}… → {record.digest[:12]}…)"
    view = host.policy(record.id)
    held = summary(view.document)
    if view.error is not None:
        return f"Note: {change}. It has no permissions now: {view.error}"
    if not held:
        return f"Note: {change}. It has no permissions."
    return (
        f"Note: {change}. It keeps its permissions: {held}; "
        f"take them back with `wassette permission reset {record.id}`."
    )


@component.command(epilog=examples("wassette component unload my-tool"))
@click.argument("component_id", metavar="ID")
def unload(component_id: str) -> None:
    """Remove a component, with its tools and permissions."""
    run(lambda host: host.unload(component_id))
    show({"status": "component unloaded successfully", "id": component_id})


@component.command(
    "list",
    epilog=examples(
        "wassette component list",
        "wassette component list -o table",
        "wassette component list --plugin-dir ./components",
    ),
)
def list_components() -> None:
    """List the loaded components with their tools."""

    async def work(host: Host) -> list[tuple[ComponentState, list[Tool]]]:
        states = await host.examined()
        toolset = host.tools()
        return [(state, toolset.of(state.id)) for state in states]

    found = run(work)
    show(
        {"components": [state.listed(tools) for state, tools in found], "total": len(found)},
        table=lambda: table(
            ("ID", "Tools", "Description"),
            [(state.id, str(len(tools)), _description(state)) for state, tools in found],
        ),
    )


def _description(state: ComponentState) -> str:
    if state.error is not None:
        return f"Cannot be used: {state.error}"
    assert state.record is not None
    return state.record.description.strip().partition("\n")[0]
