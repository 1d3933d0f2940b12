"""Notifications on Linux desktops, with buttons: org.freedesktop.Notifications over D-Bus.

https://specifications.freedesktop.org/notification-spec/latest/
"""

from __future__ import annotations

import html
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbus_fast import DBusError, Message, MessageType, Variant

from wassette_desktop.icon import Look, Picture, draw

from . import LABELS, Button

if TYPE_CHECKING:
    from dbus_fast.aio import MessageBus

    from . import Notice, Pressed

log = logging.getLogger(__name__)

NAME = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"
_NEVER = 0
"""Never goes by itself: it is withdrawn when nothing waits any more."""
_ICON = 48


@dataclass(frozen=True)
class _Shown:
    notice: Notice
    number: int
    """The daemon's."""
    by: str
    """The daemon's own name on the bus: nobody else says what was clicked."""


class FreedesktopNotifier:
    def __init__(self, bus: MessageBus, pressed: Pressed) -> None:
        self._bus = bus
        self._pressed = pressed
        self._shown: dict[str, _Shown] = {}
        self._listening = False

    async def available(self) -> bool:
        try:
            await self._call("GetCapabilities")
        except DBusError:
            return False
        return True

    async def show(self, notice: Notice) -> None:
        try:
            await self._listen()
            capabilities = (await self._call("GetCapabilities")).body[0]
            reply = await self._call(
                "Notify", "susssasa{sv}i", self._message(notice, set(capabilities))
            )
        except DBusError as error:
            log.info("no notification: %s", error)
            return
        self._shown[notice.key] = _Shown(notice, reply.body[0], reply.sender or "")

    def _message(self, notice: Notice, capabilities: set[str]) -> list[Any]:
        before = self._shown.get(notice.key)
        markup = "body-markup" in capabilities
        body = html.escape(notice.body, quote=False) if markup else notice.body
        actions: list[str] = []
        if "actions" in capabilities:
            for button in notice.buttons:
                actions += [button.value, LABELS[button]]
        hints = {
            "urgency": Variant("y", 1),
            "desktop-entry": Variant("s", "wassette"),
            "image-data": Variant("(iiibiiay)", _pixels()),
        }
        number = before.number if before is not None else 0
        return ["Wassette", number, "", notice.title, body, actions, hints, _NEVER]

    async def withdraw(self, key: str) -> None:
        shown = self._shown.pop(key, None)
        if shown is None:
            return
        try:
            await self._call("CloseNotification", "u", [shown.number])
        except DBusError as error:
            log.debug("a notification was gone already: %s", error)

    async def close(self) -> None:
        for key in list(self._shown):
            await self.withdraw(key)

    # -- what the daemon says --------------------------------------------------------------------

    async def _listen(self) -> None:
        if self._listening:
            return
        self._listening = True
        self._bus.add_message_handler(self._noticed)
        rule = f"type='signal',interface='{NAME}',path='{PATH}'"
        await self._call(
            "AddMatch", "s", [rule], to="org.freedesktop.DBus", path="/org/freedesktop/DBus"
        )

    def _noticed(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL or message.interface != NAME:
            return
        match message.member, message.signature:
            case "ActionInvoked", "us":
                number, said = message.body
            case "NotificationClosed", "uu":
                number, said = message.body[0], None
            case _:
                return
        for key, shown in list(self._shown.items()):
            if (shown.number, shown.by) == (number, message.sender):
                if said is None:
                    # Dismissed, or its time is over, or it was clicked. Nothing follows from it.
                    del self._shown[key]
                elif said in {button.value for button in shown.notice.buttons}:
                    self._pressed(key, Button(said))

    async def _call(
        self, member: str, signature: str = "", body: list[Any] | None = None,
        to: str = NAME, path: str = PATH,
    ) -> Message:  # fmt: skip
        """Raises `DBusError`. A daemon that is started by its name is started for it."""
        message = Message(
            destination=to, path=path, interface=to, member=member,
            signature=signature, body=body or [],
        )  # fmt: skip
        reply = await self._bus.call(message)
        assert reply is not None
        if reply.message_type is MessageType.ERROR:
            raise DBusError._from_message(reply)
        return reply


def _pixels() -> list[Any]:
    """Width, height, bytes a row, with alpha, bits, channels, RGBA."""
    image = draw(Picture(Look.ASKS, 0), _ICON)
    return [image.width, image.height, image.width * 4, True, 8, 4, image.tobytes()]
