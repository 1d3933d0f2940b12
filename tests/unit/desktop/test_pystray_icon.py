"""The icon by pystray, over a fake of its `Icon`: what Windows, macOS and GTK make of that is
pystray's own affair."""

from __future__ import annotations

from typing import Any

import pytest

from wassette_desktop.icon import Look, Picture
from wassette_desktop.state import Action, Component, Do, State, menu
from wassette_desktop.trays import pystray_icon
from wassette_desktop.trays.pystray_icon import PystrayTray

pytestmark = pytest.mark.desktop

STATE = State(connected=True, components=(Component("a & b", True), Component("c", False)))


class MenuItem:
    def __init__(self, text: str, action: Any, **options: Any) -> None:
        self.text, self.action, self.options = text, action, options


class Menu(list[Any]):
    SEPARATOR = MenuItem("-", None)

    def __init__(self, *items: Any) -> None:
        # As pystray's: a single function gives the items whenever they are wanted.
        self.given = items
        super().__init__(() if len(items) == 1 and callable(items[0]) else items)

    def now(self) -> list[Any]:
        found: list[Any] = self.given[0]()
        return found


class Icon:
    HAS_MENU = True

    def __init__(self, name: str, icon: Any, title: str, menu: Menu) -> None:
        self.icon, self.title, self.menu = icon, title, menu
        self.updates = 0
        self.said: list[tuple[str, str]] = []
        self.stopped = False

    def run(self, ready: Any) -> None:
        raise RuntimeError("GLib.GError: no notification daemon")

    def update_menu(self) -> None:
        self.updates += 1

    def notify(self, text: str, title: str) -> None:
        self.said.append((title, text))

    def stop(self) -> None:
        self.stopped = True


class Module:
    Icon, Menu, MenuItem = Icon, Menu, MenuItem


def tray() -> tuple[PystrayTray, Icon, list[Action]]:
    acted: list[Action] = []
    made = PystrayTray(Module, acted.append)
    icon: Icon = made._icon
    made.show(STATE.picture(), STATE.summary, menu(STATE, True))
    return made, icon, acted


def by_text(items: list[Any]) -> dict[str, Any]:
    found = {one.text: one for one in items}
    for one in items:
        if isinstance(one.action, Menu):
            found |= by_text(one.action)
    return found


def test_clicks_become_actions() -> None:
    _, icon, acted = tray()
    lines = by_text(icon.menu.now())
    for text in ("a & b", "c", "Pause all", "Start at login", "Quit"):
        lines[text].action(icon, lines[text])
    assert acted == [
        Action(Do.DISABLE, "a & b"),
        Action(Do.ENABLE, "c"),
        Action(Do.PAUSE),
        Action(Do.DO_NOT_START_AT_LOGIN),
        Action(Do.QUIT),
    ]


def test_checks_and_the_default() -> None:
    _, icon, _ = tray()
    lines = by_text(icon.menu.now())
    assert lines["a & b"].options["checked"](None) is True
    assert lines["c"].options["checked"](None) is False
    assert lines["Quit"].options["checked"] is None
    assert lines["Open Wassette"].options["default"] is True
    assert lines["Clients (none)"].options["enabled"] is True


def test_an_ampersand_is_no_shortcut_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    _, icon, _ = tray()
    assert "a && b" in by_text(icon.menu.now())


def test_only_what_changed_is_drawn_again() -> None:
    made, icon, _ = tray()
    before = icon.icon
    made.show(STATE.picture(), STATE.summary, menu(STATE, True))
    assert (icon.updates, icon.icon) == (1, before)
    made.show(Picture(Look.ASKS, 2), "x" * 500, menu(STATE, False))
    assert icon.updates == 2
    assert icon.icon is not before
    assert len(icon.title) <= 120


def test_an_icon_that_ends_with_an_error_only_ends() -> None:
    made, icon, _ = tray()
    made.run()
    made.stop()
    made.notify("title", "text")
    assert icon.stopped
    assert icon.said == [("title", "text")]


def test_without_a_display_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    import sys

    monkeypatch.delitem(sys.modules, "pystray", raising=False)
    if sys.platform == "linux":
        assert pystray_icon.load() is None
