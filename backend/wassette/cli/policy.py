"""`wassette policy`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wassette.errors import PolicyError, visible

from .base import Group, examples
from .learn import learn
from .output import show, table
from .permissions_text import rows
from .run import run

if TYPE_CHECKING:
    from wassette.answers import PolicyView
    from wassette.host import Host
    from wassette.policy import Verdict
    from wassette.usage import UnusedGrant

_KINDS = ("storage", "network", "environment", "memory", "cpu", "timeout")


@click.group(cls=Group)
def policy() -> None:
    """Look at what components may do, narrow it, and bind named roots."""


@policy.command(
    epilog=examples("wassette policy get my-tool", "wassette policy get my-tool -o table")
)
@click.argument("component_id", metavar="ID")
def get(component_id: str) -> None:
    """Show a component's permissions, and which of them are not applied."""
    from wassette.policy.view import policy_found

    async def work(host: Host) -> tuple[PolicyView, list[UnusedGrant]]:
        await host.read_secrets(component_id)
        return host.policy(component_id), await host.unused_grants(component_id)

    view, unused = run(work)
    if view.error is not None:
        raise PolicyError(
            f"{view.error}\nUntil the file is right, '{component_id}' runs without any "
            f"permissions. To start afresh: wassette permission reset {component_id}"
        )
    shown = policy_found(view.component_id, view.path, view.document, view.notes, view.roots)

    if unused:
        shown["unused"] = [{"kind": u.kind, "rule": u.rule, "days": u.days} for u in unused]

    def as_table() -> str:
        lines = rows(shown.get("permissions", {}))
        lines += [("root", name, str(directory)) for name, directory in view.roots.items()]
        text = table(("Kind", "What", "Access"), lines)
        notes = [*view.notes, *(_not_used(one) for one in unused)]
        return "\n".join([text, *(f"Note: {one}" for one in notes)])

    show(shown, table=as_table)


def _not_used(one: UnusedGrant) -> str:
    return f"{one.kind} '{visible(one.rule, 1000)}' was not used for {one.days} days"


@policy.command(
    epilog=examples(
        "wassette policy explain my-tool storage /home/me/notes/a.md --access write",
        "wassette policy explain my-tool network https://api.example.com/v1 --method POST",
        "wassette policy explain my-tool memory",
    )
)
@click.argument("component_id", metavar="ID")
@click.argument("kind", type=click.Choice(_KINDS), metavar="KIND")
@click.argument("target", required=False, default="")
@click.option(
    "--access",
    type=click.Choice(["read", "write"]),
    default="read",
    metavar="ACCESS",
    help="For storage: read (the default) or write.",
)
@click.option(
    "--method", default="GET", metavar="METHOD", help="For network: GET (the default), POST, …"
)
def explain(component_id: str, kind: str, target: str, access: str, method: str) -> None:
    """Say whether a component may do something, and which rule decides.

    KIND is storage (TARGET is a path or fs:// address), network (a URL or host), environment (a
    variable), or memory, cpu or timeout (an amount, or nothing to see the limit).
    """
    if not target and kind in ("storage", "network", "environment"):
        raise click.UsageError(f"Missing argument 'TARGET': {kind} needs one.")

    async def work(host: Host) -> Verdict:
        from wassette.policy import Access
        from wassette.policy.verdict import Kind

        await host.read_secrets(component_id)
        return host.explain(component_id, Kind(kind), target, access=Access(access), method=method)

    verdict = run(work)
    asked = {"storage": {"access": access}, "network": {"method": method.upper()}}
    answer = {
        "component_id": component_id,
        "kind": kind,
        "target": target,
        **asked.get(kind, {}),
        "allowed": verdict.allowed,
        "reason": verdict.reason,
        "rule": verdict.rule,
    }
    word = "allowed" if verdict.allowed else "not allowed"
    show(answer, default=lambda: visible(f"{word}: {verdict.reason}", 10_000))


policy.add_command(learn)


@policy.command(epilog=examples("wassette policy bind my-tool workspace ./workspace"))
@click.argument("component_id", metavar="ID")
@click.argument("name")
@click.argument("directory", type=click.Path())
def bind(component_id: str, name: str, directory: str) -> None:
    """Have a component's named root be a directory of yours.

    Rules for fs://NAME are then about DIRECTORY, which the component sees as /NAME.
    """
    path = Path(directory).absolute()
    bound = run(lambda host: host.bind_root(component_id, name, path))
    show(
        {
            "status": "root bound",
            "component_id": component_id,
            "name": name,
            "directory": str(bound),
        }
    )


@policy.command(epilog=examples("wassette policy unbind my-tool workspace"))
@click.argument("component_id", metavar="ID")
@click.argument("name")
def unbind(component_id: str, name: str) -> None:
    """Have a named root be the component's own private directory again."""
    if not run(lambda host: host.unbind_root(component_id, name)):
        raise PolicyError(f"Component '{component_id}' has no bound root {visible(name)}.")
    show({"status": "root unbound", "component_id": component_id, "name": name})
