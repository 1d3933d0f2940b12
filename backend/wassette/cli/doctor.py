"""`wassette doctor`: what there is to know of this installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wassette.errors import ClientError

from .base import Command, examples, options
from .output import note, show, table, visible_text

if TYPE_CHECKING:
    from wassette.doctor import Report


@click.command(
    cls=Command,
    epilog=examples("wassette doctor", "wassette doctor -o json", "wassette doctor --fix"),
)
@click.option(
    "--fix",
    is_flag=True,
    help="Offer to mend the entries in clients that are wrong, one by one.",
)
@click.pass_context
def doctor(ctx: click.Context, fix: bool) -> None:
    """Say what Wassette finds on this machine, how well components are confined here, and which
    entries in MCP clients are wrong.

    Nothing is changed, unless you agree to it with --fix. The exit code is 1 if no component could
    run as Wassette is set.
    """
    from wassette import config
    from wassette.doctor import examine

    report = examine(config.load(component_dir=options().component_dir))
    show(report.to_json(), lambda: _text(report), lambda: _text(report))
    if fix:
        _fix(report)
    if report.refusal is not None:
        note(f"Every component would be refused: it {report.refusal}")
        ctx.exit(1)


def _fix(report: Report) -> None:
    from wassette import clients

    if not any(one.fixable for one in report.findings):
        note("There is nothing to mend.")
        return
    registered = clients.Clients()
    for finding in report.findings:
        if not finding.fixable:
            continue
        try:
            plan = clients.fix(registered, finding)
            note(f"\n{visible_text(finding.message)}\n\n{visible_text(plan.diff)}")
            if click.confirm("Change this?", err=True):
                registered.write(plan)
        except ClientError as error:
            note(f"Not changed: {visible_text(str(error))}")


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
    found = "\n".join(f"- {visible_text(one.message)}" for one in report.findings)
    fixable = any(one.fixable for one in report.findings)
    return "\n\n".join(
        (
            table(("What", "Is"), facts),
            table(("Wall", "Stands", "What it does, or why it does not stand"), walls),
            f'Walls are set to "{report.walls_setting}" '
            "(`walls` in config.toml, or WASSETTE_WALLS).",
            f"In your MCP clients:\n{found}"
            if found
            else "The entries in your MCP clients are right.",
            *(["`wassette doctor --fix` offers to mend that."] if fixable else []),
        )
    )
