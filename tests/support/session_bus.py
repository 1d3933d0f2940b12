"""A session bus of a test's own, with a tray and a notification daemon on it that only remember."""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from dbus_fast import Message, MessageType, PropertyAccess, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import (
    DBusBool,
    DBusDict,
    DBusInt32,
    DBusSignature,
    DBusStr,
    DBusUInt32,
)
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

PATIENCE = 30.0
"""Seconds after which something hangs."""
WATCHER = "org.kde.StatusNotifierWatcher"
NOTIFICATIONS = "org.freedesktop.Notifications"
# dbus-fast reads annotations, and takes the text "None" for a signature.
Nothing = Annotated[None, DBusSignature("")]
_Texts = Annotated[list[str], DBusSignature("as")]


@contextmanager
def session_bus() -> Iterator[str]:
    """Its address."""
    process = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address=1"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate()


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[MessageBus]:
    bus = await MessageBus(bus_address=address).connect()
    try:
        yield bus
    finally:
        bus.disconnect()


async def until(condition: Callable[[], object], what: str = "") -> None:
    """Wait until something is so."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(what or condition) from None


class Watcher(ServiceInterface):
    """A tray, as far as items know: it takes their names."""

    def __init__(self) -> None:
        super().__init__(WATCHER)
        self.items: list[str] = []

    async def appear(self, bus: MessageBus) -> None:
        bus.export("/StatusNotifierWatcher", self)
        await bus.request_name(WATCHER)

    async def disappear(self, bus: MessageBus) -> None:
        await bus.release_name(WATCHER)
        bus.unexport("/StatusNotifierWatcher", self)
        self.items.clear()

    @dbus_method()
    def RegisterStatusNotifierItem(self, name: DBusStr) -> Nothing:
        self.items.append(name)

    @dbus_property(access=PropertyAccess.READ)
    def IsStatusNotifierHostRegistered(self) -> DBusBool:
        return True


class Daemon(ServiceInterface):
    """A notification daemon, whose buttons a test presses."""

    def __init__(self, capabilities: tuple[str, ...] = ("actions", "body", "body-markup")) -> None:
        super().__init__(NOTIFICATIONS)
        self.capabilities = list(capabilities)
        self.shown: dict[int, list[Any]] = {}
        self.closed: list[int] = []
        self._next = 1

    async def appear(self, bus: MessageBus) -> None:
        bus.export("/org/freedesktop/Notifications", self)
        await bus.request_name(NOTIFICATIONS)

    @property
    def bodies(self) -> list[str]:
        return [one[4] for one in self.shown.values()]

    def buttons(self, number: int) -> list[str]:
        return list(self.shown[number][5][::2])

    def press(self, number: int, button: str) -> None:
        """As daemons do: the notification goes with the click."""
        self.ActionInvoked(number, button)
        self.dismiss(number)

    def dismiss(self, number: int) -> None:
        self.shown.pop(number, None)
        self.NotificationClosed(number, 2)

    @dbus_method()
    def GetCapabilities(self) -> _Texts:
        return self.capabilities

    @dbus_method()
    def Notify(
        self,
        app: DBusStr,
        replaces: DBusUInt32,
        icon: DBusStr,
        summary: DBusStr,
        body: DBusStr,
        actions: _Texts,
        hints: DBusDict,
        timeout: DBusInt32,
    ) -> DBusUInt32:
        number = replaces or self._next
        self._next += 0 if replaces else 1
        self.shown[number] = [app, replaces, icon, summary, body, actions, hints, timeout]
        return number

    @dbus_method()
    def CloseNotification(self, number: DBusUInt32) -> Nothing:
        self.closed.append(number)
        self.shown.pop(number, None)
        self.NotificationClosed(number, 3)

    @dbus_signal()
    def ActionInvoked(self, number: int, button: str) -> Annotated[list[Any], DBusSignature("us")]:
        return [number, button]

    @dbus_signal()
    def NotificationClosed(
        self, number: int, why: int
    ) -> Annotated[list[Any], DBusSignature("uu")]:
        return [number, why]


class Item:
    """An item in the tray, as a tray sees it."""

    def __init__(self, bus: MessageBus, name: str) -> None:
        self._bus, self._name = bus, name

    async def call(
        self, path: str, interface: str, member: str, signature: str = "", *body: Any
    ) -> list[Any]:
        reply = await self._bus.call(
            Message(
                destination=self._name,
                path=path,
                interface=interface,
                member=member,
                signature=signature,
                body=list(body),
            )
        )
        assert reply is not None
        assert reply.message_type is not MessageType.ERROR, reply.body
        found: list[Any] = reply.body
        return found

    async def get(self, name: str) -> Any:
        [value] = await self.call(
            "/StatusNotifierItem", "org.freedesktop.DBus.Properties", "Get", "ss",
            "org.kde.StatusNotifierItem", name,
        )  # fmt: skip
        return value.value

    async def tooltip(self) -> str:
        found: str = (await self.get("ToolTip"))[3]
        return found

    async def activate(self) -> None:
        await self.call("/StatusNotifierItem", "org.kde.StatusNotifierItem", "Activate", "ii", 0, 0)

    async def menu(self) -> list[Line]:
        """Every line of it, those of submenus after theirs."""
        _, root = await self.call(
            "/MenuBar", "com.canonical.dbusmenu", "GetLayout", "iias", 0, -1, []
        )
        return _lines(root)

    async def labels(self) -> list[str]:
        return [line.label for line in await self.menu() if line.label]

    async def click(self, label: str) -> None:
        [number] = [line.number for line in await self.menu() if line.label == label]
        await self.click_number(number)

    async def click_number(self, number: int) -> None:
        await self.call(
            "/MenuBar", "com.canonical.dbusmenu", "Event", "isvu",
            number, "clicked", Variant("s", ""), 0,
        )  # fmt: skip


class Line:
    """A line of a menu."""

    def __init__(self, number: int, properties: dict[str, Variant]) -> None:
        self.number = number
        found = {name: value.value for name, value in properties.items()}
        self.label: str = found.get("label", "")
        self.enabled: bool = found.get("enabled", True)
        self.checked = bool(found["toggle-state"]) if "toggle-state" in found else None


def _lines(layout: list[Any]) -> list[Line]:
    number, properties, children = layout
    found = [] if number == 0 else [Line(number, properties)]
    for child in children:
        found += _lines(child.value)
    return found
