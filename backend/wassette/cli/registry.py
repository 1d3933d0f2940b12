"""`wassette registry`: what there is to load, and who we are to registries."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from wassette.errors import ComponentError, ConfigError, RegistryError, visible

from .base import Group, examples
from .output import note, show, table
from .run import run

if TYPE_CHECKING:
    from wassette.host import Host
    from wassette.registry.catalog import Catalog, Entry
    from wassette.secrets import Kept


@click.group(cls=Group)
def registry() -> None:
    """Find components, and log in to registries."""


@registry.command(
    epilog=examples("wassette registry search", "wassette registry search weather -o table")
)
@click.argument("query", required=False, default="")
def search(query: str) -> None:
    """List the components of the catalogs: all, or those that fit the words, the best first."""
    from wassette.registry import catalog

    found = run(lambda host: host.fetching.catalog())
    for one in found.notes:
        note(f"Note: {one}")
    entries = catalog.search(found.entries, query)
    show(
        {
            "status": "success",
            "count": len(entries),
            "components": [entry.to_json() for entry in entries],
        },
        table=lambda: table(
            ("Name", "Description", "Reference"),
            [(one.name, one.description, one.uri) for one in entries],
        ),
    )


@registry.command(
    epilog=examples(
        'wassette registry get "Time Server"',
        "wassette registry get oci://ghcr.io/microsoft/time-server-js:latest",
    )
)
@click.argument("name", metavar="NAME|REFERENCE")
@click.option(
    "--keep-permissions",
    is_flag=True,
    help="Let other bytes have the permissions that are there, for scripts.",
)
def get(name: str, keep_permissions: bool) -> None:
    """Load a component of the catalogs, by its name there or by its reference."""
    from .component import load_and_show

    async def found(host: Host) -> tuple[Catalog, Entry | None]:
        from wassette.registry import catalog

        all_of_them = await host.fetching.catalog()
        return all_of_them, catalog.find(all_of_them.entries, name)

    catalogs, entry = run(found)
    for one in catalogs.notes:
        note(f"Note: {one}")
    if entry is None:
        raise ComponentError(
            f"Component '{visible(name)}' not found in registry. "
            "Use 'wassette registry search' to list available components."
        )
    load_and_show(entry.uri, keep_permissions=keep_permissions, digest=entry.digest)


@registry.command(
    epilog=examples(
        "wassette registry login ghcr.io",
        "wassette registry login ghcr.io -u me --password-stdin < token.txt",
    )
)
@click.argument("host", metavar="HOST")
@click.option("-u", "--username", metavar="NAME", help="The user name; asked for without it.")
@click.option("--password-stdin", is_flag=True, help="Read the password or token from stdin.")
def login(host: str, username: str | None, password_stdin: bool) -> None:
    """Log in to a registry: its password or token is kept in the keyring, once it has taken it.

    What `docker login` keeps is used without that.
    """
    from wassette.components.remote import registry_name

    name = registry_name(host)
    if username is None:
        username = _asked(f"User name for {name}", "-u NAME", hidden=False)
    if ":" in username:
        raise RegistryError("A user name has no colon in it")
    password = (
        _piped() if password_stdin else _asked(f"Password for {name}", "--password-stdin", True)
    )

    async def work(app: Host) -> Kept:
        return await (await app.fetching.registries()).login(name, username, password)

    kept = run(work)
    if kept.note is not None:
        note(f"Note: {kept.note}")
    show({"status": "login succeeded", "registry": name, "username": username})


@registry.command(epilog=examples("wassette registry logout ghcr.io"))
@click.argument("host", metavar="HOST")
def logout(host: str) -> None:
    """Forget what was kept for a registry."""
    from wassette.components.remote import registry_name

    name = registry_name(host)

    async def work(app: Host) -> bool:
        return await (await app.fetching.registries()).logout(name)

    if not run(work):
        raise RegistryError(f"There is no login for {name}")
    show({"status": "logout succeeded", "registry": name})


def _asked(what: str, otherwise: str, hidden: bool) -> str:
    if not sys.stdin.isatty():
        raise ConfigError(f"There is no terminal to ask for it: use {otherwise}")
    value = click.prompt(what, hide_input=hidden, err=True)
    assert isinstance(value, str)
    return value


def _piped() -> str:
    """All of stdin, without the line break at its end."""
    data = sys.stdin.buffer.read(64 * 1024)
    try:
        text = data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ConfigError("what is on stdin is not valid text (UTF-8)") from None
    if not text or "\0" in text or "\n" in text:
        raise ConfigError("there is no password on stdin, or more than one line")
    return text
