"""The icon and the notifications over a real bus, with a tray and a daemon that only remember."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from dbus_fast import Message, MessageType

from support.session_bus import Daemon, Item, Watcher, connected, session_bus, until
from wassette_desktop import surroundings
from wassette_desktop.icon import Look, Picture
from wassette_desktop.notices import Button, Notice
from wassette_desktop.notices.freedesktop import FreedesktopNotifier
from wassette_desktop.state import OPEN, Action, Component, Do, State, menu
from wassette_desktop.trays.status_notifier import StatusNotifierTray

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio

STATE = State(connected=True, components=(Component("my_tool", True), Component("other", False)))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with session_bus() as found:
        yield found


async def test_icon_and_menu(address: str) -> None:
    acted: list[Action] = []
    async with connected(address) as ours, connected(address) as theirs:
        watcher = Watcher()
        await watcher.appear(theirs)
        tray = StatusNotifierTray(ours, acted.append)
        await tray.start()
        assert tray.visible
        [name] = watcher.items
        item = Item(theirs, name)
        tray.show(STATE.picture(), STATE.summary, menu(STATE, False))
        assert await item.tooltip() == "2 components, 0 clients"
        assert await item.get("Status") == "Active"
        width, height, pixels = (await item.get("IconPixmap"))[0]
        assert (width, height, len(pixels)) == (22, 22, 22 * 22 * 4)
        lines = {line.label: line for line in await item.menu()}
        # An underscore that is not doubled makes the next letter a shortcut.
        assert (lines["my__tool"].checked, lines["other"].checked) == (True, False)
        await item.activate()
        await item.click("my__tool")
        await item.click("Pause all")
        assert acted == [OPEN, Action(Do.DISABLE, "my_tool"), Action(Do.PAUSE)]
        tray.show(Picture(Look.ASKS, 1), "1 approval waiting for you", menu(STATE, False))
        assert await item.get("Status") == "NeedsAttention"
        assert (await item.get("AttentionIconPixmap"))[0][2] != pixels
        tray.stop()
        tray.run()  # over at once
        await watcher.disappear(theirs)


async def test_a_click_on_a_menu_that_has_changed_is_a_click_on_nothing(address: str) -> None:
    acted: list[Action] = []
    async with connected(address) as ours, connected(address) as theirs:
        watcher = Watcher()
        await watcher.appear(theirs)
        tray = StatusNotifierTray(ours, acted.append)
        await tray.start()
        item = Item(theirs, watcher.items[0])
        tray.show(STATE.picture(), STATE.summary, menu(STATE, None))
        await item.tooltip()
        [shown] = [line.number for line in await item.menu() if line.label == "other"]
        tray.show(STATE.picture(), STATE.summary, menu(State(connected=True), None))
        await item.tooltip()
        await item.click_number(shown)
        assert acted == []
        await watcher.disappear(theirs)


async def test_a_tray_that_comes_later_and_again(address: str) -> None:
    async with connected(address) as ours, connected(address) as theirs:
        tray = StatusNotifierTray(ours, lambda _: None)
        await tray.start()
        assert not tray.visible
        watcher = Watcher()
        await watcher.appear(theirs)
        await until(lambda: tray.visible)
        await watcher.disappear(theirs)
        await until(lambda: not tray.visible)
        await watcher.appear(theirs)
        await until(lambda: tray.visible and watcher.items)
        await watcher.disappear(theirs)


NOTICE = Notice("a1", "Wassette asks", "read <b>a</b> & b?", (Button.ALLOW, Button.DENY))


class Pressed(list[tuple[str, Button]]):
    def __call__(self, key: str, button: Button) -> None:
        self.append((key, button))


@pytest.mark.parametrize(
    ("capabilities", "body", "buttons"),
    [
        (("actions", "body-markup"), "read &lt;b&gt;a&lt;/b&gt; &amp; b?", ["allow-once", "deny"]),
        (("actions",), "read <b>a</b> & b?", ["allow-once", "deny"]),
        ((), "read <b>a</b> & b?", []),
    ],
)
async def test_what_a_daemon_is_told(
    address: str, capabilities: tuple[str, ...], body: str, buttons: list[str]
) -> None:
    async with connected(address) as ours, connected(address) as theirs:
        daemon = Daemon(capabilities)
        await daemon.appear(theirs)
        await FreedesktopNotifier(ours, Pressed()).show(NOTICE)
        assert daemon.bodies == [body]
        assert daemon.buttons(1) == buttons
        assert daemon.shown[1][7] == 0  # it stays until it is withdrawn


async def test_a_button_counts_and_nothing_else_does(address: str) -> None:
    pressed = Pressed()
    async with connected(address) as ours, connected(address) as theirs:
        daemon = Daemon()
        await daemon.appear(theirs)
        notifier = FreedesktopNotifier(ours, pressed)
        await notifier.show(NOTICE)
        daemon.ActionInvoked(1, "default")  # this notice has no such button
        daemon.ActionInvoked(1, "allow-always")
        daemon.ActionInvoked(7, "allow-once")
        daemon.dismiss(1)
        await notifier.show(NOTICE)  # answered after all that was said before
        assert pressed == []
        daemon.press(2, "deny")
        await until(lambda: pressed)
        assert pressed == [("a1", Button.DENY)]


async def test_forged_signal_of_another_program_on_the_bus(address: str) -> None:
    """A program that may use the bus, but not Wassette, says that the button was pressed."""
    pressed = Pressed()
    async with (
        connected(address) as ours,
        connected(address) as theirs,
        connected(address) as mallory,
    ):
        daemon = Daemon()
        await daemon.appear(theirs)
        notifier = FreedesktopNotifier(ours, pressed)
        await notifier.show(NOTICE)
        seen: list[str] = []
        ours.add_message_handler(lambda message: seen.append(message.sender or ""))
        forged = Message(
            message_type=MessageType.SIGNAL,
            path="/org/freedesktop/Notifications",
            interface="org.freedesktop.Notifications",
            member="ActionInvoked",
            signature="us",
            body=[1, "allow-once"],
        )
        await mallory.send(forged)
        await until(lambda: mallory.unique_name in seen)
        assert pressed == []
        daemon.press(1, "allow-once")
        await until(lambda: pressed)
        assert pressed == [("a1", Button.ALLOW)]


async def test_withdrawn_and_replaced(address: str) -> None:
    async with connected(address) as ours, connected(address) as theirs:
        daemon = Daemon()
        await daemon.appear(theirs)
        notifier = FreedesktopNotifier(ours, Pressed())
        await notifier.show(NOTICE)
        await notifier.show(Notice("a1", "Wassette asks", "another"))
        assert daemon.bodies == ["another"]
        await notifier.show(Notice("a2", "Wassette asks", "more"))
        await notifier.withdraw("a1")
        assert daemon.closed == [1]
        await notifier.close()
        assert daemon.closed == [1, 2]


async def test_without_a_daemon_nothing_is_shown_and_nothing_fails(address: str) -> None:
    async with connected(address) as ours:
        notifier = FreedesktopNotifier(ours, Pressed())
        await notifier.show(NOTICE)
        await notifier.withdraw("a1")
        await notifier.close()


async def test_the_doctor_says_what_there_is(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    found = await asyncio.to_thread(surroundings.look)
    assert found["tray"] == "none shows icons now; the window is the app until one comes"
    assert found["window"] == "none: there is no display; a link is printed"
    async with connected(address) as theirs:
        watcher, daemon = Watcher(), Daemon()
        await watcher.appear(theirs)
        await daemon.appear(theirs)
        found = await asyncio.to_thread(surroundings.look)
        assert found["tray"] == "the desktop shows icons of applications (StatusNotifierItem)"
        assert found["notifications"] == "the desktop shows them"
        assert watcher.items == []  # nothing was shown for it
