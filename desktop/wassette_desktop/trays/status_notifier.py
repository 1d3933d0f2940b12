"""The icon on Linux desktops: a StatusNotifierItem with a com.canonical.dbusmenu, over D-Bus.

KDE, XFCE, LXQt, MATE, Cinnamon and GNOME with the AppIndicator extension show these, under X11 and
Wayland alike. The item is offered to the watcher that is there, and to every one that comes later:
a panel may start after us, or start again.

https://www.freedesktop.org/wiki/Specifications/StatusNotifierItem/
https://github.com/AyatanaIndicators/libdbusmenu/blob/master/libdbusmenu-glib/dbus-menu.xml
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from itertools import count
from typing import TYPE_CHECKING, Annotated, Any

from dbus_fast import BusType, DBusError, Message, MessageType, PropertyAccess, Variant
from dbus_fast.annotations import (
    DBusBool,
    DBusInt32,
    DBusObjectPath,
    DBusSignature,
    DBusStr,
    DBusUInt32,
    DBusVariant,
)
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal

from wassette_desktop.icon import SIZES, Look, Picture, draw
from wassette_desktop.state import OPEN, SEPARATOR, Item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbus_fast.aio import MessageBus
    from PIL.Image import Image

    from . import Act

log = logging.getLogger(__name__)

WATCHER = "org.kde.StatusNotifierWatcher"
WATCHER_PATH = "/StatusNotifierWatcher"
ITEM_PATH = "/StatusNotifierItem"
MENU_PATH = "/MenuBar"
_BUS = "org.freedesktop.DBus"

# dbus-fast reads annotations, and takes the text "None" for a signature.
Nothing = Annotated[None, DBusSignature("")]
Pixmap = Annotated[list[list[Any]], DBusSignature("a(iiay)")]
Tooltip = Annotated[list[Any], DBusSignature("(sa(iiay)ss)")]
Ids = Annotated[list[int], DBusSignature("ai")]
Names = Annotated[list[str], DBusSignature("as")]
Layout = Annotated[list[Any], DBusSignature("u(ia{sv}av)")]
Properties = Annotated[list[list[Any]], DBusSignature("a(ia{sv})")]
Removed = Annotated[list[list[Any]], DBusSignature("a(ias)")]
Events = Annotated[list[list[Any]], DBusSignature("a(isvu)")]
TwoIds = Annotated[list[list[int]], DBusSignature("aiai")]
Revision = Annotated[list[int], DBusSignature("ui")]


async def watcher_is_there(bus: MessageBus) -> bool:
    """Whether something shows such icons now."""
    try:
        [found] = await call(
            bus, WATCHER, WATCHER_PATH, "org.freedesktop.DBus.Properties", "Get", "ss",
            [WATCHER, "IsStatusNotifierHostRegistered"],
        )  # fmt: skip
    except DBusError:
        return False
    return found.value is True


async def call(
    bus: MessageBus, to: str, path: str, interface: str, member: str,
    signature: str = "", body: list[Any] | None = None,
) -> list[Any]:  # fmt: skip
    """What a method answers. Raises `DBusError`; nothing is started for it."""
    message = Message(
        destination=to, path=path, interface=interface, member=member,
        signature=signature, body=body or [], flags=_NO_START,
    )  # fmt: skip
    reply = await bus.call(message)
    assert reply is not None
    if reply.message_type is MessageType.ERROR:
        raise DBusError._from_message(reply)
    found: list[Any] = reply.body
    return found


def _no_start() -> Any:
    from dbus_fast import MessageFlag

    return MessageFlag.NO_AUTOSTART


_NO_START = _no_start()


class StatusNotifierTray:
    """`start` and what is called from D-Bus are in the loop; `show` and `stop` can be called from
    any thread; `run` only waits, since nothing here needs the main thread."""

    def __init__(self, bus: MessageBus, act: Act) -> None:
        self._bus = bus
        self._loop = asyncio.get_running_loop()
        self._stopped = threading.Event()
        self._item = _Item(act)
        self._menu = _Menu(act)
        self._name = f"org.kde.StatusNotifierItem-{os.getpid()}-1"
        self._tasks: set[asyncio.Task[None]] = set()
        self.visible = False

    async def start(self) -> None:
        bus = self._bus
        bus.export(ITEM_PATH, self._item)
        bus.export(MENU_PATH, self._menu)
        await bus.request_name(self._name)
        bus.add_message_handler(self._noticed)
        rule = f"type='signal',sender='{_BUS}',member='NameOwnerChanged',arg0='{WATCHER}'"
        await call(bus, _BUS, "/org/freedesktop/DBus", _BUS, "AddMatch", "s", [rule])
        rule = f"type='signal',sender='{WATCHER}',interface='{WATCHER}'"
        await call(bus, _BUS, "/org/freedesktop/DBus", _BUS, "AddMatch", "s", [rule])
        await self._register()

    def _noticed(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.member == "NameOwnerChanged" and message.body[:1] == [WATCHER]:
            self.visible = False
            if message.body[2]:
                self._later()
        elif message.interface == WATCHER and message.member in (
            "StatusNotifierHostRegistered",
            "StatusNotifierHostUnregistered",
        ):
            self._later()

    def _later(self) -> None:
        task = self._loop.create_task(self._register())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _register(self) -> None:
        try:
            await call(
                self._bus, WATCHER, WATCHER_PATH, WATCHER, "RegisterStatusNotifierItem", "s",
                [self._name],
            )  # fmt: skip
        except DBusError as error:
            log.info("no icon in the tray: %s", error)
            self.visible = False
        else:
            self.visible = await watcher_is_there(self._bus)

    # -- Tray ------------------------------------------------------------------------------------

    def run(self) -> None:
        self._stopped.wait()

    def show(self, picture: Picture, summary: str, menu: Sequence[Item]) -> None:
        self._loop.call_soon_threadsafe(self._show, picture, summary, tuple(menu))

    def _show(self, picture: Picture, summary: str, menu: tuple[Item, ...]) -> None:
        if not self._bus.connected:
            return
        self._item.update(picture, summary)
        self._menu.update(menu)

    def stop(self) -> None:
        self._stopped.set()


class _Item(ServiceInterface):
    """https://www.freedesktop.org/wiki/Specifications/StatusNotifierItem/StatusNotifierItem/"""

    def __init__(self, act: Act) -> None:
        super().__init__("org.kde.StatusNotifierItem")
        self._act = act
        self._picture = Picture()
        self._summary = ""

    def update(self, picture: Picture, summary: str) -> None:
        status = self._status
        if picture != self._picture:
            self._picture = picture
            self.NewIcon()
            if picture.look is Look.ASKS:
                self.NewAttentionIcon()
        if summary != self._summary:
            self._summary = summary
            self.NewToolTip()
        if status != self._status:
            self.NewStatus()

    @property
    def _status(self) -> str:
        return "NeedsAttention" if self._picture.look is Look.ASKS else "Active"

    @property
    def _pixmap(self) -> list[list[Any]]:
        return [_argb(draw(self._picture, size)) for size in SIZES]

    @dbus_method()
    def Activate(self, x: DBusInt32, y: DBusInt32) -> Nothing:
        self._act(OPEN)

    @dbus_method()
    def SecondaryActivate(self, x: DBusInt32, y: DBusInt32) -> Nothing:
        self._act(OPEN)

    @dbus_method()
    def ContextMenu(self, x: DBusInt32, y: DBusInt32) -> Nothing:
        """The tray shows the menu by itself."""

    @dbus_method()
    def Scroll(self, delta: DBusInt32, orientation: DBusStr) -> Nothing:
        """Nothing to scroll."""

    @dbus_property(access=PropertyAccess.READ)
    def Category(self) -> DBusStr:
        return "ApplicationStatus"

    @dbus_property(access=PropertyAccess.READ)
    def Id(self) -> DBusStr:
        return "wassette"

    @dbus_property(access=PropertyAccess.READ)
    def Title(self) -> DBusStr:
        return "Wassette"

    @dbus_property(access=PropertyAccess.READ)
    def Status(self) -> DBusStr:
        return self._status

    @dbus_property(access=PropertyAccess.READ)
    def WindowId(self) -> DBusInt32:
        return 0

    @dbus_property(access=PropertyAccess.READ)
    def IconName(self) -> DBusStr:
        return ""

    @dbus_property(access=PropertyAccess.READ)
    def IconPixmap(self) -> Pixmap:
        return self._pixmap

    @dbus_property(access=PropertyAccess.READ)
    def AttentionIconName(self) -> DBusStr:
        return ""

    @dbus_property(access=PropertyAccess.READ)
    def AttentionIconPixmap(self) -> Pixmap:
        return self._pixmap if self._picture.look is Look.ASKS else []

    @dbus_property(access=PropertyAccess.READ)
    def OverlayIconName(self) -> DBusStr:
        return ""

    @dbus_property(access=PropertyAccess.READ)
    def ToolTip(self) -> Tooltip:
        return ["", [], "Wassette", self._summary]

    @dbus_property(access=PropertyAccess.READ)
    def ItemIsMenu(self) -> DBusBool:
        return False

    @dbus_property(access=PropertyAccess.READ)
    def Menu(self) -> DBusObjectPath:
        return MENU_PATH

    @dbus_signal()
    def NewIcon(self) -> Nothing:
        """Another picture."""

    @dbus_signal()
    def NewAttentionIcon(self) -> Nothing:
        """Another picture while a person is needed."""

    @dbus_signal()
    def NewToolTip(self) -> Nothing:
        """Another summary."""

    @dbus_signal()
    def NewStatus(self) -> DBusStr:
        return self._status


def _argb(image: Image) -> list[Any]:
    """Width, height, and the pixels as bytes A R G B."""
    r, g, b, a = image.split()
    from PIL import Image as pillow  # noqa: N813

    return [image.width, image.height, pillow.merge("RGBA", (a, r, g, b)).tobytes()]


class _Menu(ServiceInterface):
    """com.canonical.dbusmenu, version 3. Every menu is given new numbers: a click on a menu that
    has changed since it was shown is a click on nothing, never on another line."""

    def __init__(self, act: Act) -> None:
        super().__init__("com.canonical.dbusmenu")
        self._act = act
        self._numbers = count(1)
        self._revision = 1
        self._top: tuple[Item, ...] = ()
        self._items: dict[int, Item] = {0: Item("root")}
        self._children: dict[int, list[int]] = {0: []}

    def update(self, menu: tuple[Item, ...]) -> None:
        if menu == self._top:
            return
        self._top = menu
        self._items, self._children = {}, {}
        self._add(0, Item("root", children=menu))
        self._revision += 1
        self.LayoutUpdated()

    def _add(self, number: int, item: Item) -> int:
        self._items[number] = item
        self._children[number] = [self._add(next(self._numbers), one) for one in item.children]
        return number

    def _properties(self, number: int) -> dict[str, Variant]:
        item = self._items[number]
        if number == 0:
            return {"children-display": Variant("s", "submenu")}
        if item == SEPARATOR:
            return {"type": Variant("s", "separator")}
        found = {
            # An underscore would make the next letter a shortcut and vanish.
            "label": Variant("s", item.label.replace("_", "__")),
            "enabled": Variant("b", item.enabled),
            "visible": Variant("b", True),
        }
        if item.checked is not None:
            found["toggle-type"] = Variant("s", "checkmark")
            found["toggle-state"] = Variant("i", int(item.checked))
        if item.children:
            found["children-display"] = Variant("s", "submenu")
        return found

    def _layout(self, number: int, depth: int) -> list[Any]:
        children = self._children[number] if depth else []
        below = [Variant("(ia{sv}av)", self._layout(one, depth - 1)) for one in children]
        return [number, self._properties(number), below]

    def _known(self, number: int) -> int:
        if number not in self._items:
            raise DBusError("com.canonical.dbusmenu.Error", "there is no such line any more")
        return number

    def _event(self, number: int, event: str) -> bool:
        item = self._items.get(number)
        if item is None:
            return False
        if event == "clicked" and item.action is not None:
            self._act(item.action)
        return True

    @dbus_method()
    def GetLayout(self, parent: DBusInt32, depth: DBusInt32, names: Names) -> Layout:
        return [self._revision, self._layout(self._known(parent), depth)]

    @dbus_method()
    def GetGroupProperties(self, ids: Ids, names: Names) -> Properties:
        wanted = ids or list(self._items)
        return [[one, self._properties(one)] for one in wanted if one in self._items]

    @dbus_method()
    def GetProperty(self, number: DBusInt32, name: DBusStr) -> DBusVariant:
        found = self._properties(self._known(number)).get(name)
        if found is None:
            raise DBusError("com.canonical.dbusmenu.Error", "it has no such property")
        return found

    @dbus_method()
    def Event(
        self, number: DBusInt32, event: DBusStr, data: DBusVariant, at: DBusUInt32
    ) -> Nothing:
        self._event(number, event)

    @dbus_method()
    def EventGroup(self, events: Events) -> Ids:
        return [number for number, event, _, _ in events if not self._event(number, event)]

    @dbus_method()
    def AboutToShow(self, number: DBusInt32) -> DBusBool:
        return False

    @dbus_method()
    def AboutToShowGroup(self, ids: Ids) -> TwoIds:
        return [[], [one for one in ids if one not in self._items]]

    @dbus_property(access=PropertyAccess.READ)
    def Version(self) -> DBusUInt32:
        return 3

    @dbus_property(access=PropertyAccess.READ)
    def Status(self) -> DBusStr:
        return "normal"

    @dbus_property(access=PropertyAccess.READ)
    def TextDirection(self) -> DBusStr:
        return "ltr"

    @dbus_property(access=PropertyAccess.READ)
    def IconThemePath(self) -> Names:
        return []

    @dbus_signal()
    def LayoutUpdated(self) -> Revision:
        return [self._revision, 0]

    @dbus_signal()
    def ItemsPropertiesUpdated(
        self,
    ) -> Annotated[list[Any], DBusSignature("a(ia{sv})a(ias)")]:
        return [[], []]


async def session_bus() -> MessageBus | None:
    """The session's bus; None if there is none. Nothing is started for it."""
    from dbus_fast.aio import MessageBus

    if not (os.environ.get("DBUS_SESSION_BUS_ADDRESS") or _default_bus()):
        return None
    try:
        return await MessageBus(bus_type=BusType.SESSION).connect()
    except Exception as error:  # noqa: BLE001  (of its parsing, its sockets and its greeting)
        log.info("no session bus: %s: %s", type(error).__name__, error)
        return None


def _default_bus() -> str | None:
    """Where it is if the variable was not passed on."""
    path = f"{os.environ.get('XDG_RUNTIME_DIR') or f'/run/user/{os.getuid()}'}/bus"
    if not os.path.exists(path):  # noqa: PTH110
        return None
    os.environ["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={path}"
    return path
