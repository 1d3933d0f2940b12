"""`wassette permission`: grant, revoke, reset."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from wassette.errors import PolicyError, visible

from .base import Group, examples
from .output import note, show
from .permissions_text import names
from .run import run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from wassette.host import Host


@click.group(cls=Group)
def permission() -> None:
    """Give components permissions, and take them back."""


@permission.group(cls=Group)
def grant() -> None:
    """Give a component a permission."""


@permission.group(cls=Group)
def revoke() -> None:
    """Take a permission back from a component."""


_component_id = click.argument("component_id", metavar="ID")

# ---- grant ---------------------------------------------------------------------------------------


@grant.command(
    "storage",
    epilog=examples(
        "wassette permission grant storage my-tool fs:///home/me/notes --access read",
        "wassette permission grant storage my-tool fs:///home/me/notes --access read,write",
        "wassette permission grant storage my-tool 'fs:///home/me/**/*.md' --access read",
    ),
)
@_component_id
@click.argument("uri")
@click.option(
    "--access",
    multiple=True,
    required=True,
    metavar="ACCESS",
    help="read, write or both, with a comma between them; can be repeated.",
)
def grant_storage(component_id: str, uri: str, access: tuple[str, ...]) -> None:
    """Let a component read or write a directory, a file, or what a pattern matches.

    URI is fs:// and a path: fs:///home/me/notes with everything below, fs:///home/me/notes/* its
    children only, fs:///home/me/**/*.md matching files. Without a slash at the beginning of the
    path (fs://workspace) it is a directory of the component's own; see `wassette policy bind`.
    """
    kinds = [word.strip() for text in access for word in text.split(",") if word.strip()]
    wanted = ",".join(visible(kind, 40) for kind in kinds)
    what = f"Permission denied: cannot grant {wanted or 'no'} access to {visible(uri, 1000)}"
    with _explained(what):
        notes = run(
            _granting(component_id, lambda host: host.grant_storage(component_id, uri, kinds))
        )
    _granted(component_id, "storage", {"uri": uri, "access": kinds}, uri, notes)


@grant.command(
    "network", epilog=examples("wassette permission grant network my-tool api.example.com")
)
@_component_id
@click.argument("host")
def grant_network(component_id: str, host: str) -> None:
    """Let a component connect to a host."""
    with _explained(_failed("network", component_id)):
        notes = run(_granting(component_id, lambda h: h.grant_network(component_id, host)))
    _granted(component_id, "network", {"host": host}, host, notes)


@grant.command(
    "environment-variable",
    epilog=examples(
        "wassette permission grant environment-variable my-tool API_URL",
        "wassette permission grant environment-variable my-tool API_KEY "
        "--inject-host api.example.com",
    ),
)
@_component_id
@click.argument("key")
@click.option(
    "--inject-host",
    "hosts",
    multiple=True,
    metavar="HOST",
    help="Bind the value to this host: the component has a placeholder, and the value takes its "
    "place in requests to the host; can be repeated.",
)
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="NAME",
    help="With --inject-host: only this header may carry the value; can be repeated.",
)
@click.option(
    "--query",
    metavar="NAME",
    help="With --inject-host: this query parameter may carry the value.",
)
def grant_environment(
    component_id: str, key: str, hosts: tuple[str, ...], headers: tuple[str, ...], query: str | None
) -> None:
    """Let a component read an environment variable, or send its value without reading it."""
    if hosts:
        _bind(component_id, key, hosts, headers, query)
        return
    if headers or query is not None:
        raise click.UsageError("--header and --query need --inject-host.")
    with _explained(_failed("environment variable", component_id)):
        notes = run(_granting(component_id, lambda host: host.grant_environment(component_id, key)))
    _granted(component_id, "environment variable", {"key": key}, key, notes)


def _bind(
    component_id: str, key: str, hosts: tuple[str, ...], headers: tuple[str, ...], query: str | None
) -> None:
    async def work(host: Host) -> tuple[tuple[str, ...], list[str]]:
        from wassette.policy import Injection
        from wassette.policy.verdict import Kind

        bound = Injection.checked(key, hosts, headers, query)
        notes = await _granting(component_id, lambda h: h.bind_environment(component_id, bound))(
            host
        )
        single = [name for name in hosts if "*" not in name]
        refused = [
            name for name in single if not host.explain(component_id, Kind.NETWORK, name).allowed
        ]
        return notes, refused

    with _explained(_failed("environment variable", component_id)):
        notes, refused = run(work)
    for name in refused:
        command = ["wassette", "permission", "grant", "network", component_id, name]
        note(f"Note: it cannot connect to {visible(name)} yet: {shlex.join(command)}")
    inject: dict[str, Any] = {"host": list(hosts)}
    inject |= {"header": list(headers)} if headers else {}
    inject |= {"query": query} if query is not None else {}
    details = {"key": key, "inject": inject}
    _granted(component_id, "environment variable", details, key, notes)


@grant.command("memory", epilog=examples("wassette permission grant memory my-tool 512Mi"))
@_component_id
@click.argument("limit")
def grant_memory(component_id: str, limit: str) -> None:
    """Set how much memory a component may use: 512Mi, 1Gi, 2048Ki or a number of bytes."""
    with _explained(_failed("memory", component_id)):
        run(lambda host: host.grant_memory(component_id, limit))
    details = {"resources": {"limits": {"memory": limit}}}
    _granted(component_id, "memory", details, limit, ())


def _granting(
    component_id: str, change: Callable[[Host], Awaitable[None]]
) -> Callable[[Host], Awaitable[tuple[str, ...]]]:
    async def work(host: Host) -> tuple[str, ...]:
        await change(host)
        await host.read_secrets(component_id)
        return host.policy(component_id).notes

    return work


def _granted(
    component_id: str, kind: str, details: dict[str, Any], what: str, notes: tuple[str, ...]
) -> None:
    for one in notes:
        if f"'{visible(what)}'" in one:
            note(f"Note: {one}")
    show(
        {
            "status": "permission granted successfully",
            "component_id": component_id,
            "permission_type": kind,
            "details": details,
        }
    )


def _failed(kind: str, component_id: str) -> str:
    return f"Failed to grant {kind} permission to component {component_id}"


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Says first what could not be done; why becomes its cause."""
    try:
        yield
    except PolicyError as error:
        raise PolicyError(what) from error


# ---- revoke --------------------------------------------------------------------------------------


@revoke.command(
    "storage",
    epilog=examples("wassette permission revoke storage my-tool fs:///home/me/notes"),
)
@_component_id
@click.argument("uri")
def revoke_storage(component_id: str, uri: str) -> None:
    """Take all access to a directory, a file or a pattern back."""
    _revoke(component_id, "storage", uri, lambda host: host.revoke_storage(component_id, uri))
    show(
        {
            "status": "permission revoked successfully",
            "component_id": component_id,
            "uri": uri,
            "message": "All access (read and write) to the specified URI has been revoked",
        }
    )


@revoke.command(
    "network", epilog=examples("wassette permission revoke network my-tool api.example.com")
)
@_component_id
@click.argument("host")
def revoke_network(component_id: str, host: str) -> None:
    """Take access to a host back."""
    _revoke(component_id, "network", host, lambda h: h.revoke_network(component_id, host))
    _revoked(component_id, "network", {"host": host})


@revoke.command(
    "environment-variable",
    epilog=examples("wassette permission revoke environment-variable my-tool API_KEY"),
)
@_component_id
@click.argument("key")
def revoke_environment(component_id: str, key: str) -> None:
    """Take access to an environment variable back."""
    _revoke(
        component_id, "environment", key, lambda host: host.revoke_environment(component_id, key)
    )
    _revoked(component_id, "environment variable", {"key": key})


def _revoke(
    component_id: str, kind: str, what: str, change: Callable[[Host], Awaitable[bool]]
) -> None:
    async def work(host: Host) -> tuple[bool, list[str]]:
        if await change(host):
            return True, []
        return False, names(host.policy(component_id).document, kind)

    done, held = run(work)
    if not done:
        has = f"It has: {', '.join(visible(one) for one in held)}" if held else "It has none"
        raise PolicyError(
            f"Component '{component_id}' has no {kind} permission for {visible(what, 1000)}. {has}."
        )


def _revoked(component_id: str, kind: str, details: dict[str, Any]) -> None:
    show(
        {
            "status": "permission revoked",
            "component_id": component_id,
            "permission_type": kind,
            "details": details,
        }
    )


# ---- reset ---------------------------------------------------------------------------------------


@permission.command(epilog=examples("wassette permission reset my-tool"))
@_component_id
def reset(component_id: str) -> None:
    """Take all permissions back from a component, and its limits, to what they are by default."""
    run(lambda host: host.reset_permissions(component_id))
    show({"status": "permissions reset successfully", "component_id": component_id})
