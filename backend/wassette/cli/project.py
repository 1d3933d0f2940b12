"""`wassette component`: new, build, dev."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wassette.errors import WassetteError

from .approval_text import wrapped
from .base import Command, examples
from .output import has_terminal, note, show, visible_text
from .run import run

if TYPE_CHECKING:
    from wassette.host import Host
    from wassette.projects.project import Project
    from wassette.projects.tools import Tools

LANGUAGES = ("js", "py", "c", "rust", "go")
PAUSE = 0.3
"""Seconds between two looks at whether something has changed."""


@click.command(
    cls=Command,
    epilog=examples(
        "wassette component new --lang js my-tool",
        "wassette component new --lang py my-tool --directory ~/tools/my-tool",
    ),
)
@click.argument("name", metavar="NAME")
@click.option(
    "--lang",
    "language",
    type=click.Choice(LANGUAGES),
    required=True,
    help="What it is written in.",
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    help="Where it is made; NAME here if not given.",
)
def new(name: str, language: str, directory: Path | None) -> None:
    """Make a project that builds and loads at once: WIT, code, policy and README."""
    from wassette.projects.create import create

    made = create((directory or Path(name)).expanduser(), name, language)
    show(
        {
            "status": "project created successfully",
            "name": made.name,
            "language": language,
            "directory": str(made.folder.resolve()),
            "next": [
                f"wassette component build {made.folder}",
                f"wassette component load {made.component}",
            ],
        }
    )


@click.command(
    cls=Command, epilog=examples("wassette component build", "wassette component build ./my-tool")
)
@click.argument("directory", type=click.Path(path_type=Path), default=".")
def build(directory: Path) -> None:
    """Build a project: DIRECTORY, or the one here.

    The tool chain is installed when it is first needed.
    """
    project, tools = _open(directory)
    started = time.monotonic()
    component = _build(project, tools)
    show(
        {
            "status": "component built successfully",
            "name": project.name,
            "component": str(component.resolve()),
            "bytes": component.stat().st_size,
            "seconds": round(time.monotonic() - started, 1),
        }
    )


@click.command(cls=Command, epilog=examples("wassette component dev ./my-tool"))
@click.argument("directory", type=click.Path(path_type=Path), default=".")
@click.option(
    "--keep-permissions",
    is_flag=True,
    help="Let each build have the permissions that are there, also without a terminal.",
)
@click.option("--once", is_flag=True, help="Build and load it once.")
def dev(directory: Path, keep_permissions: bool, once: bool) -> None:
    """Build and load a project, and again whenever something in it changes, until Ctrl-C."""

    async def work(host: Host) -> None:
        import asyncio

        from wassette.projects.watch import stamp

        known = None
        while True:
            # Before it is built: what changes meanwhile is built again.
            project, tools = await asyncio.to_thread(_open, directory)
            known = await asyncio.to_thread(stamp, project)
            try:
                await _renew(host, project, tools, keep_permissions)
            except WassetteError as error:
                if once:
                    raise
                note(visible_text(f"Error: {error}"))
            if once:
                return
            while await asyncio.to_thread(stamp, project) == known:  # noqa: ASYNC110
                await asyncio.sleep(PAUSE)

    run(work)


def _open(directory: Path) -> tuple[Project, Tools]:
    from wassette.paths import paths
    from wassette.projects.project import read
    from wassette.projects.tools import Tools

    return read(directory.expanduser()), Tools(paths().tools, note)


def _build(project: Project, tools: Tools) -> Path:
    from wassette.projects.build import build as build_project

    return build_project(project, tools)


async def _renew(host: Host, project: Project, tools: Tools, keep_permissions: bool) -> None:
    import asyncio

    started = time.monotonic()
    component = await asyncio.to_thread(_build, project, tools)
    built = time.monotonic()
    loaded = await host.load(str(component))
    for change in loaded.changes:
        note(wrapped(f"  {change}"))
    if loaded.changes and (keep_permissions or has_terminal()):
        await host.mark_seen(loaded.record.id)
    elif loaded.changes:
        note(str(host.policy(loaded.record.id).error))
    size = component.stat().st_size / 1024
    note(
        f"{project.name}: {size:,.0f} KB, built in {built - started:.1f} s, "
        f"loaded in {time.monotonic() - built:.1f} s; tools: {', '.join(loaded.tools)}"
    )
