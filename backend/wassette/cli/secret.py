"""`wassette secret`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from wassette.errors import SecretError, visible

from .base import Group, examples
from .output import note, show, table
from .run import run

if TYPE_CHECKING:
    from wassette.host import Host
    from wassette.secrets import ComponentSecrets, Kept


@click.group(cls=Group)
def secret() -> None:
    """Keep values that a component may be given as variables."""


_component_id = click.argument("component_id", metavar="ID")


@secret.command(
    "list",
    epilog=examples("wassette secret list my-tool", "wassette secret list my-tool --show-values"),
)
@_component_id
@click.option("--show-values", is_flag=True, help="Show the values too, after asking.")
@click.option("--yes", is_flag=True, help="Show the values without asking.")
def list_secrets(component_id: str, show_values: bool, yes: bool) -> None:
    """List a component's secrets, without their values."""
    if show_values and not yes and not _confirmed():
        note("Cancelled.")
        return

    async def work(host: Host) -> ComponentSecrets:
        return await host.secrets(component_id)

    found = run(work)
    secrets = [
        {"key": key, "value": found.values.get(key)} if show_values else {"key": key}
        for key in found.keys
    ]
    for key, why in found.unread.items():
        note(f"Note: {key} cannot be used now: {visible(why, 1000)}")

    def as_table() -> str:
        header = ("Key", "Kept in", "Value") if show_values else ("Key", "Kept in")
        rows = [(key, found.places[key].value) for key in found.keys]
        if show_values:
            return table(header, [(*row, found.values.get(row[0], "")) for row in rows])
        return table(header, rows)

    show({"component_id": component_id, "secrets": secrets}, table=as_table)


def _confirmed() -> bool:
    sys.stderr.write("Show secret values? [y/N]: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


@secret.command(
    "set",
    epilog=examples(
        "wassette secret set my-tool API_KEY",
        "wassette secret set my-tool API_KEY=- < key.txt",
        "wassette secret set my-tool API_KEY=value REGION=eu",
    ),
)
@_component_id
@click.argument("secrets", nargs=-1, required=True, metavar="KEY[=VALUE]...")
def set_secrets(component_id: str, secrets: tuple[str, ...]) -> None:
    """Keep secrets for a component, in the keyring or in a file that only you can read.

    KEY alone asks for the value, and KEY=- reads it from stdin: prefer these, since other programs
    of this machine can see the command line, and shells keep it. The component is given the value
    only if you permit it to read the variable.
    """
    from wassette.secrets.store import check_key

    pairs = [text.partition("=") for text in secrets]
    keys = [check_key(key) for key, _, _ in pairs]
    if len(set(keys)) < len(keys):
        raise SecretError("a key is there twice: set each once")
    if sum(value == "-" for _, _, value in pairs) > 1:
        raise SecretError("only one value can be read from stdin")
    values = {
        key: _asked(component_id, key) if not equals else _piped() if value == "-" else value
        for key, equals, value in pairs
    }

    async def work(host: Host) -> tuple[Kept, bool]:
        kept = await host.set_secrets(component_id, values)
        return kept, host.store.path(component_id).is_file()

    kept, loaded = run(work)
    if kept.note is not None:
        note(f"Note: {kept.note}")
    if not loaded:
        note(f"Note: no component '{visible(component_id)}' is loaded yet")
    message = f"Set {len(values)} secret(s) for component"
    show({"status": "success", "component_id": component_id, "message": message})


def _asked(component_id: str, key: str) -> str:
    if not sys.stdin.isatty():
        raise SecretError(
            f"there is no terminal to ask for {key}: to read it from stdin, write {key}=-"
        )
    value = click.prompt(f"{key} for {visible(component_id)}", hide_input=True, err=True)
    assert isinstance(value, str)
    return value


def _piped() -> str:
    """All of stdin, without the line break at its end."""
    from wassette.secrets.store import MAX_VALUE

    data = sys.stdin.buffer.read(8 * MAX_VALUE)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise SecretError("what is on stdin is not valid text (UTF-8)") from None
    return text.removesuffix("\n").removesuffix("\r")


@secret.command("delete", epilog=examples("wassette secret delete my-tool API_KEY"))
@_component_id
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
def delete_secrets(component_id: str, keys: tuple[str, ...]) -> None:
    """Delete secrets of a component."""

    async def work(host: Host) -> tuple[list[str], list[str]]:
        there = (await host.secrets(component_id)).keys
        return there, await host.delete_secrets(component_id, keys)

    there, deleted = run(work)
    if not there:
        raise SecretError(f"Component '{visible(component_id)}' has no secrets")
    for key in dict.fromkeys(keys):
        if key not in deleted:
            note(f"Note: there is no secret {visible(key)}; there are: {', '.join(there)}")
    message = f"Deleted {len(deleted)} secret(s) from component"
    show({"status": "success", "component_id": component_id, "message": message})
