"""`wassette component`: load, unload, list; project.py has new, build and dev."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from wassette.errors import (
    ComponentDisabled,
    ComponentError,
    SourceChanged,
    WassetteError,
    visible,
)
from wassette.sandbox.capabilities import capabilities

from .approval_text import wrapped
from .base import Group, examples
from .output import has_terminal, note, show, table
from .permissions_text import summary
from .run import run

if TYPE_CHECKING:
    from wassette.answers import ComponentState, Loaded
    from wassette.asking import Caller
    from wassette.components.record import ComponentRecord
    from wassette.host import Host
    from wassette.toolset import Tool


@click.group(
    cls=Group,
    lazy={
        "push": "push:push",
        "outdated": "update:outdated",
        "update": "update:update",
        "new": "project:new",
        "build": "project:build",
        "dev": "project:dev",
    },
)
def component() -> None:
    """Load, list, switch off, remove, push, update and make components."""


@component.command(
    epilog=examples(
        "wassette component load ./my-tool.wasm",
        "wassette component load file:///path/to/my-tool.wasm",
        "wassette component load starter:toolbox",
        "wassette component load oci://ghcr.io/org/tool:1.2",
        "wassette component load https://example.com/tool.wasm",
    )
)
@click.argument("reference", metavar="REFERENCE")
@click.option(
    "--trust-bundled-policy",
    is_flag=True,
    help="Give it all the permissions that it comes with, for scripts.",
)
@click.option(
    "--accept-change",
    is_flag=True,
    help="Load it although its source gave something else before, or of another signer.",
)
@click.option(
    "--keep-permissions",
    is_flag=True,
    help="Let other bytes have the permissions that are there, for scripts.",
)
def load(
    reference: str, keep_permissions: bool, trust_bundled_policy: bool, accept_change: bool
) -> None:
    """Load a component: a path, a file:// or https:// URL, oci://REGISTRY/REPOSITORY:TAG, or
    starter:NAME for one that comes with Wassette.

    Loading one again replaces it. If its bytes are others and it has permissions, you see what is
    different, and it keeps them; where there is no terminal to show it on, they wait until you
    load it at one.

    A component can come with permissions that it asks for: in a policy.yaml beside the file, or in
    the artifact. You are asked for them at a terminal, and they are not given otherwise.
    """
    load_and_show(
        reference,
        keep_permissions=keep_permissions,
        trust_bundled_policy=trust_bundled_policy,
        accept_change=accept_change,
    )


def load_and_show(
    reference: str,
    *,
    keep_permissions: bool,
    digest: str | None = None,
    trust_bundled_policy: bool = False,
    accept_change: bool = False,
) -> None:
    """Load, and print what came of it."""

    async def work(host: Host, *, digest: str | None = digest, accept: bool = False) -> Loaded:
        from .progress import ProgressLine

        try:
            async with ProgressLine() as progress:
                loaded = await host.load(
                    reference, progress, digest=digest, accept_change=accept or accept_change
                )
        except SourceChanged:
            raise
        except WassetteError as error:
            if str(error).startswith("Unsupported URI scheme"):  # documented as it is
                raise
            raise ComponentError(f"Failed to load component: {reference}") from error
        for change in loaded.changes:
            note(wrapped(f"  {change}"))
        if loaded.changes and (keep_permissions or has_terminal()):
            await host.mark_seen(loaded.record.id)
        if host.store.is_disabled(loaded.record.id):
            note(str(ComponentDisabled(loaded.record.id)))
        if loaded.changed_from is not None:
            note(_what_changed(host, loaded.record, loaded.changed_from))
        elif loaded.changes and not (keep_permissions or has_terminal()):
            note(str(host.policy(loaded.record.id).error))
        for remark in loaded.remarks:
            note(wrapped(f"Note: {remark}."))
        if loaded.wanted:
            await _give_wanted(host, loaded, trust_bundled_policy)
        return loaded

    try:
        loaded = run(work)
    except SourceChanged as changed:
        if not _accepted(changed):
            raise
        shown = changed.digest  # those bytes, and no others
        loaded = run(lambda host: work(host, digest=shown, accept=True))
    word = "reloaded" if loaded.replaced else "loaded"
    found: dict[str, Any] = {
        "status": f"component {word} successfully",
        "id": loaded.record.id,
        "tools": list(loaded.tools),
    }
    # Documented with these three keys, which is what a component has that reaches nothing.
    names = capabilities(loaded.record).names
    if names:
        found["capabilities"] = list(names)
    if loaded.record.signed_by:
        found["signed_by"] = loaded.record.signed_by
    show(found)


def _accepted(changed: SourceChanged) -> bool:
    """Whether a person, who is shown what changed at a source, wants it all the same."""
    from .prompt import forget_typed

    if not has_terminal():
        return False
    note(wrapped(f"{visible(changed.source, 500)} is not what it was:"))
    for change in changed.changes:
        note(wrapped(f"  {change}"))
    forget_typed(sys.stdin.fileno())
    return click.confirm("Load it?", default=False, err=True)


async def _give_wanted(host: Host, loaded: Loaded, trusted: bool) -> None:
    """What it came with: given, asked for, or said."""
    component_id = loaded.record.id
    if trusted:
        given = await host.grant_wanted(component_id, loaded.record.digest)
        note(f"It has the permissions that it came with: {'; '.join(map(_quoted, given))}")
        return
    if has_terminal():
        answer = await host.ask_for_wanted(component_id, _caller(loaded))
        if not answer.allowed:
            note(wrapped(f"It has none of the permissions that it asks for: {answer.reason}"))
        return
    note("It asks for permissions, and has none of them by that:")
    for line in loaded.wanted:
        note(wrapped(f"  {_quoted(line)}"))
    note("To give it all of them, load it at a terminal, or with --trust-bundled-policy.")


def _quoted(text: str) -> str:
    from wassette.approvals.text import quoted

    return quoted(text, 1000)


def _caller(loaded: Loaded) -> Caller:
    import time
    from secrets import token_urlsafe

    from wassette._version import __version__
    from wassette.answers import Client
    from wassette.asking import Caller
    from wassette.recording import Call

    from .prompt import TerminalPrompter

    client = Client("wassette", __version__, "cli", token_urlsafe(16))
    call = Call("component load", loaded.record.id, loaded.record.digest, client)
    arguments = {"reference": loaded.record.source}
    dialog = TerminalPrompter(lambda: int(time.time() * 1000))
    return Caller(client, call, arguments, dialog=dialog)


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


@component.command(epilog=examples("wassette component disable my-tool"))
@click.argument("component_id", metavar="ID")
def disable(component_id: str) -> None:
    """Switch a component off: its tools are not offered, and cannot be called, until you enable it.

    Calls that are running may finish. It keeps its permissions.
    """
    run(lambda host: host.set_enabled(component_id, False))
    show({"status": "component disabled", "id": component_id})


@component.command(epilog=examples("wassette component enable my-tool"))
@click.argument("component_id", metavar="ID")
def enable(component_id: str) -> None:
    """Switch a component on again."""
    run(lambda host: host.set_enabled(component_id, True))
    show({"status": "component enabled", "id": component_id})


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
    signed = any(state.record is not None and state.record.signed_by for state, _ in found)

    def as_table() -> str:
        header = ("ID", "Tools", *(("Signed by",) if signed else ()), "Description")
        rows = [
            (
                state.id,
                str(len(tools)),
                *((_signed_by(state),) if signed else ()),
                _description(state),
            )
            for state, tools in found
        ]
        return table(header, rows)

    show(
        {"components": [state.listed(tools) for state, tools in found], "total": len(found)},
        table=as_table,
    )


def _signed_by(state: ComponentState) -> str:
    signer = state.record.signature.signer if state.record is not None else None
    if signer is None:
        return ""
    return signer.short if state.trusted else f"{signer.short} (not named in your settings)"


def _description(state: ComponentState) -> str:
    if state.error is not None:
        return f"Cannot be used: {state.error}"
    if not state.enabled:
        return "Disabled"
    assert state.record is not None
    return state.record.description.strip().partition("\n")[0]
