"""What the app would use here, for `wassette doctor`. Nothing is shown or started for it."""

from __future__ import annotations

import asyncio
import sys
from importlib.util import find_spec

from .system_gi import use_system_gi
from .window import has_display

BUS_TIMEOUT = 3.0
"""Seconds that the session's bus has to answer."""


def look(system: str = sys.platform) -> dict[str, str]:
    """`window`, `tray` and `notifications`: by what, or why by nothing, and what happens then."""
    if system != "linux":
        shown = {"darwin": "the menu bar", "win32": "the notification area"}.get(system, system)
        return {"window": _window(system), "tray": shown, "notifications": shown}
    tray, notifications = asyncio.run(_on_the_bus())
    return {"window": _window(system), "tray": tray, "notifications": notifications}


def _window(system: str) -> str:
    browser = "the browser is used"
    if not has_display(system):
        return "none: there is no display; a link is printed"
    if find_spec("webview") is None:
        return f"none: pywebview is not installed; {browser}"
    if system == "darwin":
        return "a web view (WebKit)"
    if system == "win32":
        return "a web view (WebView2)"
    if library := _gtk():
        return f"a web view ({library})"
    if any(find_spec(name) for name in ("PyQt6", "PySide6", "PyQt5", "PySide2")):
        return "a web view (Qt)"
    wanted = "gir1.2-webkit2-4.1 and python3-gi"
    return f"none: neither WebKitGTK ({wanted}) nor Qt is installed for this Python; {browser}"


def _gtk() -> str | None:
    use_system_gi()
    try:
        import gi
    except Exception:  # noqa: BLE001  (one of another Python may fail in whatever way)
        return None
    for name, version in (("WebKit2", "4.1"), ("WebKit2", "4.0")):
        try:
            gi.require_version(name, version)
        except (ValueError, AttributeError):
            continue
        return f"WebKitGTK, {name} {version}"
    return None


async def _on_the_bus() -> tuple[str, str]:
    from .trays.detect import old_tray_is_there

    nothing = "none: there is no session bus"
    try:
        async with asyncio.timeout(BUS_TIMEOUT):
            found = await _asked()
    except TimeoutError:
        found = None
        nothing = f"none: the session bus did not answer within {BUS_TIMEOUT:g} s"
    if found is None:
        old = await asyncio.to_thread(old_tray_is_there)
        return ("an X11 tray of the old kind" if old else nothing), nothing
    watched, notifications = found
    if watched:
        tray = "the desktop shows icons of applications (StatusNotifierItem)"
    elif await asyncio.to_thread(old_tray_is_there):
        tray = "an X11 tray of the old kind"
    else:
        tray = "none shows icons now; the window is the app until one comes"
    return tray, notifications


async def _asked() -> tuple[bool, str] | None:
    """Whether there is a tray, and what of notifications; None without a bus."""
    from .notices.freedesktop import NAME
    from .trays.status_notifier import call, session_bus, watcher_is_there

    bus = await session_bus()
    if bus is None:
        return None
    daemon = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
    try:
        [there] = await call(bus, *daemon, "NameHasOwner", "s", [NAME])
        [startable] = await call(bus, *daemon, "ListActivatableNames")
        said = "none: nothing here shows them"
        if there or NAME in startable:
            said = "the desktop shows them" + ("" if there else ", once there is one")
        return await watcher_is_there(bus), said
    finally:
        bus.disconnect()
