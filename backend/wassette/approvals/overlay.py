"""What a component may do beyond its policy for a while: for a call, a session or an hour.

Deny rules of the policy still beat all of it. What is written to a policy (`always`) is not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wassette.policy import EnvironmentRule, NetworkRule, StorageRule

from .choices import covers
from .model import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .database import Standing
    from .model import Component, Decision, Rule, Subject


@dataclass(frozen=True)
class Extra:
    """Rules to add to the allow lists of a policy. Equal ones are equal and hash equal."""

    storage: tuple[StorageRule, ...] = ()
    network: tuple[NetworkRule, ...] = ()
    environment: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != NOTHING

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> Extra:
        unique = list(dict.fromkeys(rules))
        return cls(
            tuple(one for one in unique if isinstance(one, StorageRule)),
            tuple(one for one in unique if isinstance(one, NetworkRule)),
            tuple(one.key for one in unique if isinstance(one, EnvironmentRule)),
        )


NOTHING = Extra()


class Overlay:
    """Asking costs nothing while there is nothing in it: no file is looked at."""

    def __init__(self, refresh: Callable[[], None], now: Callable[[], int]) -> None:
        """`refresh` is called before standing decisions are used; `now` is in milliseconds."""
        self._refresh = refresh
        self._now = now
        self._standing: tuple[Standing, ...] = ()
        self._calls: dict[str, list[tuple[Component, Decision]]] = {}

    def rules(self, component: Component, session: str, call: str = "") -> Extra:
        """What is allowed to this component, called in this session, by this call."""
        if not self._standing and not self._calls:
            return NOTHING
        found = [decision.rule for decision in self._decisions(component, session, call)]
        return Extra.of(rule for rule in found if rule is not None)

    def covering(
        self, component: Component | None, session: str, call: str, subject: Subject
    ) -> Decision | None:
        """The decision that allows this already, if there is one."""
        if component is None:
            return None
        for decision in self._decisions(component, session, call):
            if decision.rule is not None and covers(decision.rule, subject):
                return decision
        return None

    def _decisions(self, component: Component, session: str, call: str) -> list[Decision]:
        # Only what is there can have been taken back meanwhile; what is new is seen when it is
        # asked for.
        if self._standing:
            self._refresh()
        now = self._now()
        found = [made for for_, made in self._calls.get(call, ()) if for_ == component]
        found += [
            one.decision
            for one in self._standing
            if one.component == component
            and (one.scope is Scope.HOUR or (one.scope is Scope.SESSION and one.session == session))
            and one.holds(now)
        ]
        return found

    def standing(self) -> list[Standing]:
        """Decisions for a session or an hour that hold now."""
        if self._standing:
            self._refresh()
        return [one for one in self._standing if one.holds(self._now())]

    # -- for the broker ----------------------------------------------------------------------------

    def replace(self, standing: Iterable[Standing]) -> None:
        self._standing = tuple(one for one in standing if one.scope is not Scope.ONCE)

    def add_to_call(self, call: str, component: Component, decision: Decision) -> None:
        self._calls.setdefault(call, []).append((component, decision))

    def end_call(self, call: str) -> None:
        self._calls.pop(call, None)

    def forget(self, component_id: str) -> None:
        """What calls of a component have been allowed."""
        for call, made in list(self._calls.items()):
            left = [one for one in made if one[0].id != component_id]
            if left:
                self._calls[call] = left
            else:
                del self._calls[call]
