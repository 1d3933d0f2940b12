"""The icon by pystray: Windows, macOS, and X11 trays of the old kind (XEmbed)."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from wassette_desktop.icon import Picture, draw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wassette_desktop.state import Item

    from . import Act

log = logging.getLogger(__name__)

SIZE = 64
_MAX_TITLE = 120  # Windows refuses more than 127


def load() -> Any:
    """The module of pystray; None if it can show nothing useful here.

    Without a display it fails with errors of the X library. What it has without GTK shows a picture
    that no click reaches: not a tray.
    """
    if sys.platform == "linux":
        # Its first choice is for the trays that ours is for, and ends it where that is missing.
        os.environ.setdefault("PYSTRAY_BACKEND", "gtk")
    try:
        import pystray
    except Exception as error:  # noqa: BLE001  (whatever its libraries raise)
        log.info("no icon by pystray: %s: %s", type(error).__name__, error)
        return None
    if not pystray.Icon.HAS_MENU:
        log.info("no icon by pystray: it has no menu here")
        return None
    return pystray


class PystrayTray:
    visible = True

    def __init__(self, pystray: Any, act: Act) -> None:
        self._pystray = pystray
        self._act = act
        self._menu: tuple[Item, ...] = ()
        self._picture = Picture()
        self._icon = pystray.Icon(
            "wassette", draw(self._picture, SIZE), "Wassette", pystray.Menu(self._lines)
        )

    def run(self) -> None:
        # On GTK it has Ctrl-C end the process at once, without a word to anybody.
        interrupted = signal.getsignal(signal.SIGINT)

        def restore() -> None:
            signal.signal(signal.SIGINT, interrupted)

        def ready(icon: Any) -> None:
            icon.visible = True
            if sys.platform == "linux":
                _in_gtk(restore)

        try:
            self._icon.run(ready)
        except Exception as error:  # noqa: BLE001  (GLib's, if there is no notification daemon)
            log.info("the icon ended: %s: %s", type(error).__name__, error)

    def show(self, picture: Picture, summary: str, menu: Sequence[Item]) -> None:
        icon = self._icon
        if picture != self._picture:
            self._picture = picture
            icon.icon = draw(picture, SIZE)
        title = f"Wassette: {summary}"[:_MAX_TITLE]
        if icon.title != title:
            icon.title = title
        if tuple(menu) != self._menu:
            self._menu = tuple(menu)
            icon.update_menu()

    def stop(self) -> None:
        # pystray waits for its own thread; which may be the one that calls.
        with contextlib.suppress(RuntimeError):
            self._icon.stop()

    def notify(self, title: str, text: str) -> None:
        self._icon.notify(text, title)

    # -- the menu --------------------------------------------------------------------------------

    def _lines(self) -> list[Any]:
        return [self._line(item) for item in self._menu]

    def _line(self, item: Item) -> Any:
        if item.separator:
            return self._pystray.Menu.SEPARATOR
        what: Any = self._pystray.Menu(*map(self._line, item.children))
        if not item.children:
            what = self._on_click(item)
        return self._pystray.MenuItem(
            _label(item.label),
            what,
            checked=None if item.checked is None else lambda _: bool(item.checked),
            default=item.default,
            enabled=item.enabled,
        )

    def _on_click(self, item: Item) -> Callable[[object, object], None]:
        def clicked(_icon: object, _item: object) -> None:
            if item.action is not None:
                self._act(item.action)

        return clicked


def _in_gtk(what: Callable[[], None]) -> None:
    """Do it in GTK's thread, the main one."""
    from gi.repository import GLib

    def once() -> bool:
        what()
        return False

    GLib.idle_add(once)


def _label(text: str) -> str:
    """On Windows, & would make the next letter a shortcut and vanish."""
    return text.replace("&", "&&") if sys.platform == "win32" else text
