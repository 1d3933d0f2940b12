"""What the desktop knows of the host, and what of it the icon and the menu show. Plain data and
pure functions; the data is the window's API's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import TYPE_CHECKING, Any

from wassette.errors import visible

from .icon import Look, Picture

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_LISTED = 30
"""Components, and clients, that a menu lists; the window has all."""


@dataclass(frozen=True)
class Component:
    id: str
    enabled: bool
    usable: bool = True

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Component:
        return cls(str(said["id"]), said.get("enabled") is not False, not said.get("error"))


@dataclass(frozen=True)
class Approval:
    """Something that waits for a person. All texts are ready to be shown (approvals/text.py)."""

    id: str
    digest: str
    """Of all that was shown; a decision names it."""
    question: str
    kind: str = ""
    details: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    default: int = 0
    """The choice that was asked for, or a narrower one."""
    warning: bool = False
    """Whether there is something to be seen that only the window shows as it should be."""

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Approval:
        question, *details = str(said["text"]).split("\n")
        choices = said.get("choices") or []
        target = said.get("target") or {}
        return cls(
            id=str(said["id"]),
            digest=str(said["digest"]),
            question=question,
            kind=str(said.get("kind") or ""),
            details=tuple(line.strip() for line in details if line.strip()),
            scopes=tuple(map(str, said.get("scopes") or ())),
            default=int(said.get("default") or 0),
            warning=bool(target.get("as_ascii")) or any(one.get("warning") for one in choices),
        )


@dataclass(frozen=True)
class State:
    """What is known now."""

    connected: bool = False
    problem: str = ""
    """Why there is no connection, for a person; empty while it is being made."""
    paused: bool = False
    running: int = 0
    """Calls that run."""
    clients: tuple[str, ...] = ()
    """The names of the clients that are connected."""
    components: tuple[Component, ...] = ()
    waiting: tuple[Approval, ...] = ()

    @property
    def look(self) -> Look:
        if self.problem:
            return Look.ERROR
        if self.waiting:
            return Look.ASKS
        if self.paused:
            return Look.PAUSED
        return Look.RUNNING if self.running else Look.IDLE

    def picture(self, frame: int = 0) -> Picture:
        look = self.look
        return Picture(
            look,
            len(self.waiting) if look is Look.ASKS else 0,
            frame if look is Look.RUNNING else 0,
        )

    @property
    def summary(self) -> str:
        """One line, as the icon's tooltip."""
        if self.problem:
            return self.problem
        if not self.connected:
            return "Starting"
        if self.waiting:
            return f"{_count(len(self.waiting), 'approval')} waiting for you"
        if self.paused:
            return "Paused: no tool runs"
        if self.running:
            return f"{_count(self.running, 'call')} running"
        return f"{_count(len(self.components), 'component')}, {_count(len(self.clients), 'client')}"


# ---- the menu ------------------------------------------------------------------------------------


class Do(StrEnum):
    """What a click can do."""

    OPEN = auto()
    """Show the window; `target` is a place in it."""
    ENABLE = auto()
    DISABLE = auto()
    """A component, whose id is `target`."""
    PAUSE = auto()
    GO_ON = auto()
    START_AT_LOGIN = auto()
    DO_NOT_START_AT_LOGIN = auto()
    QUIT = auto()


@dataclass(frozen=True)
class Action:
    do: Do
    target: str = ""


@dataclass(frozen=True)
class Item:
    """A line of the menu. Neither an action nor children: it only says something."""

    label: str = ""
    action: Action | None = None
    checked: bool | None = None
    """None: it is not something that is on or off."""
    children: tuple[Item, ...] = field(default=())
    default: bool = False
    """What a click on the icon itself does."""

    @property
    def separator(self) -> bool:
        return not self.label

    @property
    def enabled(self) -> bool:
        return self.action is not None or bool(self.children)


SEPARATOR = Item()
OPEN = Action(Do.OPEN, "/")
APPROVALS = "/approvals"
SETTINGS = "/settings"


def menu(state: State, at_login: bool | None) -> tuple[Item, ...]:
    """The menu. `at_login`: whether we start at login; None where that cannot be set."""
    return tuple(_menu(state, at_login))


def _menu(state: State, at_login: bool | None) -> list[Item]:
    items = [Item("Open Wassette", OPEN, default=True)]
    if state.problem:
        items.append(Item(_short(state.problem)))
    if state.connected:
        waiting = len(state.waiting)
        label = f"Approvals ({waiting} waiting)" if waiting else "Approvals (none waiting)"
        items += [
            Item(label, Action(Do.OPEN, APPROVALS)),
            SEPARATOR,
            _components(state),
            _clients(state),
            SEPARATOR,
            Item("Pause all", Action(Do.GO_ON if state.paused else Do.PAUSE), state.paused),
        ]
    else:
        items.append(SEPARATOR)
    if at_login is not None:
        do = Do.DO_NOT_START_AT_LOGIN if at_login else Do.START_AT_LOGIN
        items.append(Item("Start at login", Action(do), at_login))
    items += [Item("Settings", Action(Do.OPEN, SETTINGS)), SEPARATOR, Item("Quit", Action(Do.QUIT))]
    return items


def _components(state: State) -> Item:
    found = state.components
    lines = [
        Item(
            _short(one.id) if one.usable else f"{_short(one.id)} (cannot be used)",
            Action(Do.DISABLE if one.enabled else Do.ENABLE, one.id),
            one.enabled,
        )
        for one in found[:MAX_LISTED]
    ]
    return _submenu("Components", len(found), lines, "/components")


def _clients(state: State) -> Item:
    lines = [Item(_short(name)) for name in state.clients[:MAX_LISTED]]
    return _submenu("Clients", len(state.clients), lines, "/clients")


def _submenu(title: str, count: int, lines: list[Item], place: str) -> Item:
    there = Action(Do.OPEN, place)
    if not lines:
        return Item(f"{title} (none)", there)
    more = f"{count - len(lines)} more" if count > len(lines) else "Show"
    return Item(f"{title} ({count})", None, children=(*lines, SEPARATOR, Item(f"{more} …", there)))


def _short(text: str) -> str:
    return visible(text, 60)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
