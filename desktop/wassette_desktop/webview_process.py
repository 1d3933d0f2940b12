"""The process of the window: one pywebview window, and nothing else of Wassette.

It is a process of its own because the libraries below it want the main thread, as trays do, and may
end the process that they are in. It is told what to do on stdin, a JSON object a line:

    {"url": "http://127.0.0.1:…/open/…"}    go there; the first line
    {"show": "/approvals"}                  come to the front, at this place; "" is where it is
    {"url": …}                              the host is another one: go there
    {"quit": true}

The one-time link comes that way since others can see the arguments and the variables of a process.
When stdin ends, the app is gone, and so goes the window. On stdout it says `{"event": "loaded"}`
once it is there, `{"event": "shown"}` after each "show", or `{"event": "failed", "why": …}`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import IO, Any
from urllib.parse import urlsplit

WIDTH, HEIGHT = 1120, 760
SMALLEST = (360, 480)
_BACKGROUND = "#ffffff"


class _View:
    def __init__(self, webview: Any, first: dict[str, Any], out: IO[str]) -> None:
        self._out = out
        self._origin = _origin(first["url"])
        self._said = False
        self._window = webview.create_window(
            "Wassette",
            first["url"],
            width=WIDTH,
            height=HEIGHT,
            min_size=SMALLEST,
            text_select=True,
            background_color=_BACKGROUND,
        )
        self._window.events.loaded += self._loaded

    def listen(self, lines: IO[str]) -> None:
        """In a thread, until it is to end."""
        for line in lines:
            said = json.loads(line)
            if said.get("quit"):
                break
            if "url" in said:
                self._origin = _origin(said["url"])
                self._window.load_url(said["url"])
            elif "show" in said:
                self._show(said["show"])
                tell(self._out, event="shown")
        try:
            self._window.destroy()
        finally:
            # Whatever state its libraries are in: the app is gone, or wants it gone.
            threading.Timer(3.0, os._exit, (0,)).start()

    def _show(self, place: str) -> None:
        window = self._window
        if place:
            window.load_url(self._origin + place)
        window.restore()
        window.show()
        # What brings a window to the front that is below others.
        window.on_top = True
        window.on_top = False

    def _loaded(self) -> None:
        """A page is there."""
        if not self._said:
            self._said = True
            tell(self._out, event="loaded")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def tell(out: IO[str], **what: str) -> None:
    print(json.dumps(what), file=out, flush=True)


def main() -> int:
    # Libraries print on stdout; what the app reads has a descriptor of its own.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lines = sys.stdin
    first = json.loads(lines.readline() or "{}")
    if "url" not in first:
        return 2
    from wassette_desktop.system_gi import use_system_gi

    use_system_gi()
    if sys.platform == "linux" and os.geteuid() == 0:
        # Chromium's sandbox refuses root, and then nothing is shown.
        os.environ.setdefault("QTWEBENGINE_CHROMIUM_FLAGS", "--no-sandbox")
    try:
        import webview

        view = _View(webview, first, out)
        listening = threading.Thread(target=view.listen, args=(lines,), daemon=True)
        webview.start(listening.start, private_mode=True, icon=first.get("icon"))
    except Exception as error:  # noqa: BLE001  (of many libraries; the app opens a browser then)
        tell(out, event="failed", why=f"{type(error).__name__}: {error}"[:500])
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
