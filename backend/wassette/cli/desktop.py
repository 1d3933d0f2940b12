"""`wassette desktop`: the app in the tray. Its own package; imported when it is wanted."""

from __future__ import annotations

import click

from .base import Command, examples, options
from .output import note


@click.command(
    cls=Command,
    epilog=examples(
        "wassette desktop",
        "wassette desktop ./my-tool.wasm",
        "wassette desktop --background",
        "wassette desktop --install",
    ),
)
@click.argument("reference", required=False)
@click.option("--background", is_flag=True, help="Show no window at first.")
@click.option("--browser", is_flag=True, help="Use the browser in place of a window.")
@click.option(
    "--install",
    "install",
    flag_value=True,
    default=None,
    type=bool,
    help="Add Wassette to the menu of applications, for .wasm files and wassette:// links.",
)
@click.option("--uninstall", "install", flag_value=False, type=bool, help="Undo --install.")
def desktop(reference: str | None, background: bool, browser: bool, install: bool | None) -> None:
    """Start the app: an icon in the tray, a window, notifications when you are needed.

    If it runs already, its window comes to the front. With REFERENCE (a file, a reference or a
    wassette:// link) the window asks whether to load that.
    """
    if install is not None:
        _integrate(install)
        return
    from wassette_desktop.app import Options
    from wassette_desktop.run import run
    from wassette_desktop.wanted import place_of

    place = place_of(reference)
    code = run(
        Options(place=place, background=background and reference is None, browser=browser),
        options().component_dir,
    )
    click.get_current_context().exit(code)


def _integrate(install: bool) -> None:
    from wassette_desktop.integration import integration

    if not install:
        integration().uninstall()
        note("Removed.")
        return
    for written in integration().install():
        note(f"Wrote {written}")
