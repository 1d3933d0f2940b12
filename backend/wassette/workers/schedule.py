"""Whose turn it is to have a worker: a decision about names and numbers, with no process in it.

At most `size` calls run at once. What is promised to a component, whatever the others do:

- The last place is only for a component that has none. So one that asks for all of them, and asks
  for long, still leaves a place in which another's call begins at once.
- A place that becomes free goes to the waiting component that runs the fewest calls; among equals,
  to the one that has not had one for longest. Within a component, first come, first served.
- A component may be held to fewer calls at once (`hold`); the places are then the others'.
- At most `MAX_WAITING` calls of a component wait, so that one cannot fill the host's memory.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

_T = TypeVar("_T")

MAX_WAITING = 256
"""Calls of one component; each may hold arguments of some megabytes."""


class QueueFull(Exception):
    """As many calls of this component wait as may."""


@dataclass
class _Component(Generic[_T]):
    served: int
    """The number of the turn that it had last."""
    running: int = 0
    at_once: int | None = None
    # Ordered, so that a call that is given up leaves from the middle without a search.
    waiting: OrderedDict[int, _T] = field(default_factory=OrderedDict)


class Schedule(Generic[_T]):
    """`T` is whatever stands for a waiting call; it is only kept and handed back."""

    def __init__(self, size: int, max_waiting: int = MAX_WAITING) -> None:
        self.size = size
        self._max_waiting = max_waiting
        self._components: dict[str, _Component[_T]] = {}
        self._waiting: dict[str, _Component[_T]] = {}  # those of them in which a call waits
        self._running = 0
        self._turns = 0
        self._tickets = 0

    @property
    def running(self) -> int:
        """Calls that have a place."""
        return self._running

    def running_of(self, name: str) -> int:
        known = self._components.get(name)
        return known.running if known else 0

    def waiting_of(self, name: str) -> int:
        known = self._waiting.get(name)
        return len(known.waiting) if known else 0

    def enter(self, name: str) -> bool:
        """Take a place for a call of `name` if it has a right to one now. If not, `wait`."""
        component = self._of(name)
        if component.waiting or not self._may(component):
            return False
        self._begin(component)
        return True

    def wait(self, name: str, call: _T) -> int:
        """Have `call` wait until `next` gives it. Returns a ticket for `give_up`.

        Raises `QueueFull`.
        """
        component = self._of(name)
        if len(component.waiting) >= self._max_waiting:
            raise QueueFull
        self._tickets += 1
        component.waiting[self._tickets] = call
        self._waiting[name] = component
        return self._tickets

    def give_up(self, name: str, ticket: int) -> None:
        """A call does not wait any more. Nothing if it had its turn already."""
        component = self._components.get(name)
        if component is not None and component.waiting.pop(ticket, None) is not None:
            self._tidy(name, component)

    def leave(self, name: str) -> None:
        """A call that had a place is over. `next` may have something now."""
        component = self._components[name]
        assert component.running > 0
        component.running -= 1
        self._running -= 1
        self._tidy(name, component)

    def hold(self, name: str, at_once: int | None) -> None:
        """Let at most so many calls of `name` run at once (at least one); None: no bound but ours.

        Calls that run already go on. `next` may have something now.
        """
        component = self._of(name)
        component.at_once = None if at_once is None else max(1, at_once)
        self._tidy(name, component)

    def next(self) -> _T | None:
        """The waiting call whose turn it is; it has a place now. None: nobody's."""
        best: tuple[int, int] | None = None
        chosen = ""
        for name, component in self._waiting.items():
            rank = component.running, component.served
            if (best is None or rank < best) and self._may(component):
                best, chosen = rank, name
        if best is None:
            return None
        component = self._waiting[chosen]
        _, call = component.waiting.popitem(last=False)
        self._begin(component)
        self._tidy(chosen, component)
        return call

    def clear(self) -> list[_T]:
        """Everything that waits; it waits no more."""
        left = [call for one in self._waiting.values() for call in one.waiting.values()]
        for name, component in list(self._waiting.items()):
            component.waiting.clear()
            self._tidy(name, component)
        return left

    def _of(self, name: str) -> _Component[_T]:
        known = self._components.get(name)
        if known is None:
            # As if it had just been served: those that wait already have waited longer.
            known = self._components[name] = _Component(served=self._turns)
        return known

    def _may(self, component: _Component[_T]) -> bool:
        if component.at_once is not None and component.running >= component.at_once:
            return False
        return self._running < self.size - (component.running > 0)

    def _begin(self, component: _Component[_T]) -> None:
        component.running += 1
        self._running += 1
        self._turns += 1
        component.served = self._turns

    def _tidy(self, name: str, component: _Component[_T]) -> None:
        """Remember nothing of a component that has nothing."""
        if not component.waiting:
            self._waiting.pop(name, None)
            if not component.running and component.at_once is None:
                self._components.pop(name, None)
