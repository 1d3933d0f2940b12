"""The person's browser, in place of a window."""

from __future__ import annotations

import html
import tempfile
import threading
import webbrowser
from pathlib import Path

FORGET_AFTER = 60.0
"""Seconds for which a one-time link is good."""


def open_in_browser(link: str) -> bool:
    """Have the browser go to a one-time link; whether there is one. May take its time.

    It is given a file that only this user can read: the arguments of a process can be seen by all.
    """
    address = html.escape(link)
    page = (
        '<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">'
        f'<meta http-equiv="refresh" content="0; url={address}"><title>Wassette</title>'
        f'<a href="{address}">Wassette</a>'
    )
    number, name = tempfile.mkstemp(prefix="wassette-", suffix=".html")  # mode 0600
    with open(number, "w", encoding="utf-8") as file:
        file.write(page)
    forget = threading.Timer(FORGET_AFTER, Path(name).unlink, kwargs={"missing_ok": True})
    forget.daemon = True
    forget.start()
    return webbrowser.open(Path(name).as_uri())
