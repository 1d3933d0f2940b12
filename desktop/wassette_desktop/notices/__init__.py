"""What a notification says of something that waits for a person, and what its buttons mean.

A notification is a small place, and comes by itself, under a mouse that may just click. So:

- *Allow once* is offered only for what a component wants in a call, where all that it is about is
  plain and short enough to be read in full. The rest is to be looked at in the window.
- Only the button allows. Closing it, its time running out, a daemon that goes: nothing follows.
- A click within `TOO_SOON` of its appearing does not allow; it is shown again.
- The daemon reads some bodies as markup. What we send is text: see `freedesktop.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from wassette.errors import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wassette_desktop.state import Approval

TOO_SOON = 0.7
"""Seconds in which nobody can have read it."""
MOST = 3
"""Notifications at a time; what else waits is counted in one more."""
MORE = "more"
"""The key of that one."""
MAX_QUESTION = 200
MAX_DETAILS = 600
"""Characters. What is longer may be cut by who shows it, and is then for the window."""
_IN_A_CALL = frozenset({"network", "storage"})
_ONCE = "once"
_QUOTES = str.maketrans("", "", "“”")
"""Around what a component wrote, which has none in it (approvals/text.py)."""


class Button(StrEnum):
    OPEN = "default"
    """What D-Bus calls a click on the notification itself."""
    ALLOW = "allow-once"
    DENY = "deny"


LABELS = {Button.ALLOW: "Allow once", Button.DENY: "Deny", Button.OPEN: "Open"}


@dataclass(frozen=True)
class Notice:
    """A notification. `key` is the approval's id, or `MORE`."""

    key: str
    title: str
    body: str
    buttons: tuple[Button, ...] = ()


class Notifier(Protocol):
    """Shows notifications, by whatever means there is. All of it in the loop."""

    async def available(self) -> bool:
        """Whether a person would see them."""
        ...

    async def show(self, notice: Notice) -> None:
        """Show it, in place of the one with the same key."""
        ...

    async def withdraw(self, key: str) -> None: ...

    async def close(self) -> None:
        """Withdraw all."""
        ...


if TYPE_CHECKING:
    Pressed = Callable[[str, Button], None]
    """Told the key of a notification and its button, in the loop."""


def notice_of(approval: Approval) -> Notice:
    """What a person is shown of it."""
    buttons: tuple[Button, ...] = (Button.DENY, Button.OPEN)
    if can_be_allowed(approval):
        buttons = (Button.ALLOW, *buttons)
    # Made visible a second time: it costs nothing, and this is the last place where it can be done.
    lines = [visible(line, 1000) for line in (approval.question, *approval.details)]
    return Notice(approval.id, "Wassette asks", "\n".join(lines), buttons)


def can_be_allowed(approval: Approval) -> bool:
    """Whether a notification shows enough of it."""
    details = "\n".join(approval.details)
    return (
        approval.kind in _IN_A_CALL
        and _ONCE in approval.scopes
        and not approval.warning
        and approval.question.translate(_QUOTES).isascii()
        and "\\u{" not in approval.question
        and len(approval.question) <= MAX_QUESTION
        and len(details) <= MAX_DETAILS
    )


def notices(waiting: Iterable[Approval]) -> dict[str, Notice]:
    """What should be shown of all that waits, by key; the oldest first."""
    every = list(waiting)
    found = {one.id: notice_of(one) for one in every[:MOST]}
    rest = len(every) - len(found)
    if rest:
        what = "1 more request waits" if rest == 1 else f"{rest} more requests wait"
        found[MORE] = Notice(MORE, "Wassette asks", f"{what} for you.", (Button.OPEN,))
    return found
