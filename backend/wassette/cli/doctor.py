"""`wassette doctor`: what there is to know of this installation."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from wassette.components.remote import registry_name
from wassette.errors import ClientError, WassetteError

from .base import Command, examples, options
from .output import note, show, table, visible_text

if TYPE_CHECKING:
    from wassette.doctor import Reached, Report


@dataclass(frozen=True)
class _Around:
    """What is found beside the installation itself."""

    host: dict[str, Any]
    desktop: dict[str, str]
    registries: tuple[Reached, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "host": self.host,
            "desktop": self.desktop,
            "registries": [one.to_json() for one in self.registries],
        }


@click.command(
    cls=Command,
    epilog=examples(
        "wassette doctor",
        "wassette doctor -o json",
        "wassette doctor --registry ghcr.io",
        "wassette doctor --fix",
    ),
)
@click.option(
    "--registry",
    "registries",
    metavar="HOST",
    multiple=True,
    help="See whether this registry answers, besides those that your components came from.",
)
@click.option("--offline", is_flag=True, help="Ask no registry.")
@click.option(
    "--fix",
    is_flag=True,
    help="Offer to mend the entries in clients that are wrong, one by one.",
)
@click.pass_context
def doctor(ctx: click.Context, registries: tuple[str, ...], offline: bool, fix: bool) -> None:
    """Say what Wassette finds on this machine: versions, files and who may change them, the host
    process, how well components are confined, registries, window and tray, and which entries in
    MCP clients are wrong.

    Nothing is changed, unless you agree to it with --fix. No secret is shown. The exit code is 1
    if no component could run as Wassette is set.
    """
    from wassette import config
    from wassette.doctor import examine, reach, registries_used

    settings = config.load(component_dir=options().component_dir)
    report = examine(settings)
    wanted = {registry_name(one) for one in registries}
    if not offline:
        wanted |= set(registries_used(settings))
    around = _Around(_host(), _desktop(), asyncio.run(reach(settings, sorted(wanted))))
    show(
        {**report.to_json(), **around.to_json()},
        lambda: _text(report, around),
        lambda: _text(report, around),
    )
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


def _host() -> dict[str, Any]:
    """Of the component directory: what it says of itself."""
    from .host import running

    try:
        found = running()
    except WassetteError as error:
        return {"running": False, "problem": str(error)}
    if found is None:
        return {"running": False, "problem": None}
    return {
        "running": True,
        "problem": None,
        **{key: found[key] for key in ("pid", "version", "socket") if key in found},
    }


def _desktop() -> dict[str, str]:
    try:
        from wassette_desktop import surroundings
    except ImportError as error:  # an installation for servers, or on a system without it
        return {"window": f"none: {error}"}
    return surroundings.look()


def _text(report: Report, around: _Around) -> str:
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
            _files(report),
            f"Host process: {_of_host(around.host)}",
            table(("Wall", "Stands", "What it does, or why it does not stand"), walls),
            f'Walls are set to "{report.walls_setting}" '
            "(`walls` in config.toml, or WASSETTE_WALLS).",
            table(("Desktop", "Is shown by"), sorted(around.desktop.items())),
            table(
                ("Registry", "Says"),
                [(one.registry, visible_text(one.says)) for one in around.registries],
            )
            if around.registries
            else "No registry was asked: nothing here came from one. (`--registry HOST` asks one.)",
            f"In your MCP clients:\n{found}"
            if found
            else "The entries in your MCP clients are right.",
            *(["`wassette doctor --fix` offers to mend that."] if fixable else []),
        )
    )


def _files(report: Report) -> str:
    wrong = [one for one in report.places if one.problem is not None]
    if not wrong:
        return "Nobody else can change your files, or read what is private."
    return "\n".join(
        ("Of your files:", *(f"- {visible_text(str(one.path))}: {one.problem}" for one in wrong))
    )


def _of_host(found: dict[str, Any]) -> str:
    if found["problem"] is not None:
        return visible_text(found["problem"])
    if not found["running"]:
        return "none is running; one is started when a client needs it."
    return ", ".join(
        f"{key} {value}" for key, value in found.items() if key not in ("running", "problem")
    )
