"""`wassette ui`: the window, in the browser."""

from __future__ import annotations

import html
import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from wassette.errors import ConfigError, StoreError, WassetteError, visible
from wassette.hosting import rendezvous
from wassette.hosting.rendezvous import HostUnavailable, Rendezvous

from .base import Command, examples, options
from .output import note, show

_QUESTION = json.dumps({"wassette": rendezvous.PROTOCOL, "want": "window"}).encode() + b"\n"
_LEADS = """<!doctype html>
<html><head><meta charset="utf-8"><title>Wassette</title>
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={url}"></head>
<body><p><a href="{url}">Open Wassette</a></p></body></html>
"""


@click.command(cls=Command, epilog=examples("wassette ui", "wassette ui --no-browser"))
@click.option("--no-browser", is_flag=True, help="Print the link, and open nothing.")
def ui(no_browser: bool) -> None:
    """Open Wassette's window in your browser.

    It belongs to the host process, which is started if none is running. The link opens the window
    once, within a minute, for whoever has it.
    """
    url = one_time_link()
    if not no_browser and _can_show() and open_in_browser(url):
        show(
            {"status": "window opened", "url": url.partition("/open/")[0]},
            default=lambda: (
                "The window opens in your browser. If it does not: wassette ui --no-browser"
            ),
        )
        return
    if not no_browser:
        note("There is no browser that could be opened from here.")
    show({"status": "link made", "url": url}, default=lambda: url)


def one_time_link() -> str:
    """A link that opens the window, from the host that is running, or is started."""
    try:
        said = _ask(_directory())
    except HostUnavailable as error:
        raise ConfigError(str(error)) from None
    url = said.get("url") if isinstance(said, dict) else None
    if not isinstance(url, str):
        why = said.get("error") if isinstance(said, dict) else None
        raise WassetteError(f"The window cannot be opened: {visible(str(why), 500)}")
    return url


def _ask(directory: str) -> Any:
    if sys.platform == "win32":
        from wassette.hosting import windows

        return windows.ask(directory, _QUESTION)
    meeting = Rendezvous(directory)
    try:
        sock, answer = meeting.attach(_QUESTION)
        sock.close()
    finally:
        meeting.close()
    return json.loads(answer)


def _directory() -> str:
    try:
        return rendezvous.component_dir(options().component_dir, os.environ)
    except HostUnavailable as error:
        raise ConfigError(str(error)) from None


def _can_show() -> bool:
    """Whether there is a screen. A browser for terminals would take this one."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_in_browser(url: str) -> bool:
    """Open a browser on a file that leads there: other users can see the arguments of processes,
    and who is first uses the link up."""
    import webbrowser

    from wassette.components.store import write_atomically
    from wassette.paths import paths

    file = paths().state / "window" / "open.html"
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(file, _LEADS.format(url=html.escape(url)).encode())
    except (OSError, StoreError) as error:
        note(f"Note: {visible(str(error), 500)}")
        return False
    try:
        return webbrowser.open(Path(file).as_uri())
    except webbrowser.Error:
        return False
