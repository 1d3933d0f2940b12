"""`wassette clients`: Wassette in the editors and agents of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wassette.errors import ClientError, visible

from .base import Group, examples, options
from .output import note, show, table, visible_text, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from wassette.clients import Clients, Plan, State, Written


@click.group(cls=Group)
def clients() -> None:
    """Register Wassette in the editors and agents on this machine, and undo it."""


_client = click.argument("client", metavar="CLIENT")
_project = click.option(
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="In the settings of the project in DIR, which everybody who works on it shares.",
)
_replace = click.option(
    "--replace", is_flag=True, help="Also in place of an entry that runs something else."
)


def _clients(project: Path | None) -> Clients:
    from wassette.clients import Clients

    chosen = options().component_dir
    return Clients(
        project=project,
        component_dir=None if chosen is None else str(Path(chosen).expanduser().absolute()),
    )


@clients.command(
    "list", epilog=examples("wassette clients list -o table", "wassette clients list --project .")
)
@_project
def list_clients(project: Path | None) -> None:
    """List the clients: which are installed, and which have Wassette."""
    states = _clients(project).states()
    show(
        {"clients": [_listed(one) for one in states], "total": len(states)},
        table=lambda: table(
            ("Client", "Name", "Installed", "Wassette", "File"),
            [
                (
                    one.client.id,
                    one.client.name,
                    "yes" if one.installed else "no",
                    "unreadable" if one.problem else _standing(one),
                    str(one.file),
                )
                for one in states
            ],
        ),
    )
    for one in states:
        if one.problem is not None:
            note(f"Note: {one.problem}")


def _standing(state: State) -> str:
    return f"{state.standing.value}, but switched off" if state.disabled else state.standing.value


def _listed(state: State) -> dict[str, Any]:
    from wassette.clients import deep_link

    one = state.client
    command = state.command
    return {
        "id": one.id,
        "name": one.name,
        "installed": state.installed,
        "state": "unreadable" if state.problem else state.standing.value,
        "disabled": state.disabled,
        "file": str(state.file),
        "command": None if command is None else [command.program, *command.arguments],
        "install_link": deep_link(one.link) if one.link else None,
    }


@clients.command(
    epilog=examples(
        "wassette clients add vscode",
        "wassette clients add claude-code --verify",
        "wassette clients add cursor --project .",
    )
)
@_client
@_project
@_replace
@click.option("--verify", is_flag=True, help="Ask the client's own command about it afterwards.")
def add(client: str, project: Path | None, replace: bool, verify: bool) -> None:
    """Register Wassette with a client, or correct an entry that does not work any more.

    `wassette clients show-diff CLIENT` shows what this changes, and
    `wassette clients undo CLIENT` undoes it.
    """
    chosen = _clients(project)
    written = chosen.add(client, replace=replace)
    status = {
        "none": "client already registered",
        "add": "client registered",
        "replace": "client registered",
        "update": "entry corrected",
    }[written.plan.action]
    _report(written, status)
    if verify:
        _verify(chosen, client)


def _verify(chosen: Clients, client: str) -> None:
    verified = chosen.verify(client)
    if verified is None:
        note("Note: it has no command on this machine that could be asked")
        return
    if not verified.listed or verified.healthy is False:
        what = "could not start Wassette" if verified.listed else "does not know of Wassette"
        raise ClientError(f"The client {what}. It says: {visible(verified.output.strip(), 2000)}")
    note("The client sees it" + (" and could start it." if verified.healthy else "."))


@clients.command(
    epilog=examples("wassette clients remove vscode", "wassette clients remove cursor --project .")
)
@_client
@_project
def remove(client: str, project: Path | None) -> None:
    """Take Wassette out of a client's settings."""
    written = _clients(project).remove(client)
    _report(written, "client not registered" if written.plan.action == "none" else "client removed")


@clients.command(
    "show-diff",
    epilog=examples(
        "wassette clients show-diff vscode",
        "wassette clients show-diff vscode --remove",
        "wassette clients show-diff vscode --undo",
    ),
)
@_client
@_project
@_replace
@click.option("--remove", "removal", is_flag=True, help="What `remove` would change.")
@click.option("--undo", "undoing", is_flag=True, help="What `undo` would change.")
def show_diff(
    client: str, project: Path | None, replace: bool, removal: bool, undoing: bool
) -> None:
    """Show what `add` would change in a client's settings, and change nothing."""
    if removal + undoing + replace > 1:
        raise click.UsageError("--remove, --undo and --replace exclude each other")
    chosen = _clients(project)
    if removal:
        plan = chosen.plan_remove(client)
    elif undoing:
        plan = chosen.plan_undo(client)
    else:
        plan = chosen.plan_add(client, replace=replace)
    for text in plan.notes:
        note(f"Note: {text}")
    show({**_planned(plan), "diff": plan.diff}, default=_plain(plan))


def _plain(plan: Plan) -> Callable[[], str]:
    return lambda: visible_text(plan.diff).removesuffix("\n") or "Nothing would change."


@clients.command(
    epilog=examples("wassette clients undo vscode", "wassette clients undo cursor --project .")
)
@_client
@_project
def undo(client: str, project: Path | None) -> None:
    """Undo the last change that was made in a client's settings.

    If nobody touched the file since, it becomes what it was, to the byte; otherwise only what was
    changed is changed back. You can repeat it.
    """
    _report(_clients(project).undo(client), "change undone")


@clients.command(epilog=examples("wassette clients bundle ./wassette.mcpb"))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@click.option("--portable", is_flag=True, help="For other machines too: look for Wassette there.")
def bundle(file: Path, portable: bool) -> None:
    """Write a .mcpb bundle, which Claude Desktop installs with a double click."""
    from wassette.clients import bundle as made
    from wassette.clients import find_launcher

    try:
        file.write_bytes(made(None if portable else find_launcher()))
    except OSError as error:
        raise ClientError(f"{file} cannot be written: {error.strerror}") from None
    show({"status": "bundle written", "file": str(file.absolute())}, default=lambda: str(file))


@clients.command(epilog=examples("wassette clients badges"))
def badges() -> None:
    """Print the install badges for a web page, as Markdown."""
    from wassette.clients import badges as made

    write(made())


def _planned(plan: Plan) -> dict[str, Any]:
    return {
        "client": plan.client.id,
        "action": plan.action,
        "file": str(plan.settings.path),
        "changes": plan.changes,
    }


def _report(written: Written, status: str) -> None:
    for text in written.notes:
        note(f"Note: {text}")
    show({"status": status, **_planned(written.plan)})
