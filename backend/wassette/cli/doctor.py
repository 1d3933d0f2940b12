"""`wassette doctor`: what there is to know of this installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .base import Command, examples, options
from .output import note, show, table

if TYPE_CHECKING:
    from wassette.doctor import Report


@click.command(
    cls=Command,
    epilog=examples("wassette doctor", "wassette doctor -o json"),
)
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """Say what Wassette finds on this machine, and how well components are confined here.

    Nothing is changed. The exit code is 1 if no component could run as Wassette is set.
    """
    from wassette import config
    from wassette.doctor import examine

    report = examine(config.load(component_dir=options().component_dir))
    show(report.to_json(), lambda: _text(report), lambda: _text(report))
    if report.refusal is not None:
        note(f"Every component would be refused: it {report.refusal}")
        ctx.exit(1)


def _text(report: Report) -> str:
    facts = [*report.versions.items(), *((name, str(at)) for name, at in report.paths.items())]
    walls = [
        (
            wall.name.value,
            "yes" if wall.stands else "no",
            f"{wall.does} ({wall.by})" if wall.stands else wall.why,
        )
        for wall in report.walls
    ]
    return "\n\n".join(
        (
            table(("What", "Is"), facts),
            table(("Wall", "Stands", "What it does, or why it does not stand"), walls),
            f'Walls are set to "{report.walls_setting}" '
            "(`walls` in config.toml, or WASSETTE_WALLS).",
        )
    )
