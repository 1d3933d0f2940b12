"""Which tray and which notifications there are here.

| | tray | notifications |
|---|---|---|
| Linux, a StatusNotifierWatcher on the session's bus | our item | D-Bus, with buttons |
| Linux, only an X11 tray of the old kind (XEmbed), and GTK | pystray | the same |
| Linux, a bus but no tray | our item, which waits for one to come | the same |
| Linux, no bus | none | none |
| macOS, Windows | pystray | without buttons |
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wassette_desktop.notices.plain import NoNotifier, PlainNotifier, by_osascript

from . import pystray_icon
from .none import NoTray

if TYPE_CHECKING:
    from collections.abc import Callable

    from wassette_desktop.notices import Notifier, Pressed

    from . import Act, Tray

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Surroundings:
    tray: Tray | None
    """None: to be made by `in_main_thread`."""
    notifier: Notifier
    close: Callable[[], None] = lambda: None


async def look(act: Act, pressed: Pressed, system: str = sys.platform) -> Surroundings:
    """What there is. Call in the loop that everything is to be used in."""
    if system == "linux":
        return await _linux(act, pressed)
    if system == "darwin":
        return Surroundings(None, PlainNotifier(by_osascript()))
    return Surroundings(None, PlainNotifier(_by_icon))


async def _linux(act: Act, pressed: Pressed) -> Surroundings:
    from wassette_desktop.notices.freedesktop import FreedesktopNotifier

    from .status_notifier import StatusNotifierTray, session_bus, watcher_is_there

    bus = await session_bus()
    old = await asyncio.to_thread(old_tray_is_there)
    if bus is None:
        return Surroundings(None if old else NoTray(), NoNotifier())
    notifier = FreedesktopNotifier(bus, pressed)
    if old and not await watcher_is_there(bus):
        return Surroundings(None, notifier, bus.disconnect)
    tray = StatusNotifierTray(bus, act)
    await tray.start()
    return Surroundings(tray, notifier, bus.disconnect)


def in_main_thread(act: Act) -> Tray | None:
    """An icon by pystray; None if that shows none. For the main thread."""
    global _icon
    if sys.platform == "linux":
        from wassette_desktop.system_gi import use_system_gi

        use_system_gi()
    module = pystray_icon.load()
    if module is None:
        return None
    _icon = pystray_icon.PystrayTray(module, act)
    return _icon


_icon: pystray_icon.PystrayTray | None = None


def _by_icon(title: str, text: str) -> None:
    """On Windows, a notification belongs to an icon."""
    if _icon is not None:
        _icon.notify(title, text)


def old_tray_is_there() -> bool:
    """Whether an X11 tray takes icons (XEmbed): one has the selection that the specification names.

    https://specifications.freedesktop.org/systemtray-spec/latest/
    """
    if not os.environ.get("DISPLAY"):
        return False
    try:
        from Xlib import display

        opened = display.Display()
        try:
            name = f"_NET_SYSTEM_TRAY_S{opened.get_default_screen()}"
            owner = opened.get_selection_owner(opened.intern_atom(name))
        finally:
            opened.close()
    except Exception as error:  # noqa: BLE001  (whatever an X server does)
        log.info("no X11 tray: %s: %s", type(error).__name__, error)
        return False
    return bool(getattr(owner, "id", 0))
