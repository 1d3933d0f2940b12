"""`wassette policy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wassette.errors import PolicyError

from .base import Group, examples
from .output import show, table
from .permissions_text import rows
from .run import run

if TYPE_CHECKING:
    from wassette.host import Host, PolicyView


@click.group(cls=Group)
def policy() -> None:
    """Look at what components may do."""


@policy.command(
    epilog=examples("wassette policy get my-tool", "wassette policy get my-tool -o table")
)
@click.argument("component_id", metavar="ID")
def get(component_id: str) -> None:
    """Show a component's permissions, and which of them are not applied."""
    from wassette.policy.view import policy_found

    async def work(host: Host) -> PolicyView:
        return host.policy(component_id)

    view = run(work)
    if view.error is not None:
        raise PolicyError(
            f"{view.error}\nUntil the file is right, '{component_id}' runs without any "
            f"permissions. To start afresh: wassette permission reset {component_id}"
        )
    shown = policy_found(view.component_id, view.path, view.document, view.notes)

    def as_table() -> str:
        text = table(("Kind", "What", "Access"), rows(shown.get("permissions", {})))
        return "\n".join([text, *(f"Note: {one}" for one in view.notes)])

    show(shown, table=as_table)
