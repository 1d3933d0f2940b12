"""Which variables a component has, and in which form: the value, or a placeholder for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from wassette.errors import visible
from wassette.policy.injection import BoundSecret, placeholder, why_not_injectable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wassette.policy.model import EnvironmentRule


class Form(StrEnum):
    """How a component has a variable."""

    VALUE = "value"
    PLACEHOLDER = "placeholder"
    UNSET = "unset"
    """Allowed, but there is no value."""
    WITHHELD = "withheld"
    """Allowed, but cannot be given as the rule wants it."""
    REFUSED = "refused"
    """No rule is about it."""


@dataclass(frozen=True)
class Variables:
    """What a component's variables can come from: its secrets, then the environment.

    `unread` has, for secrets whose values are not to be had, the reason. Such a one is not taken
    from the environment instead: that would be another value.
    """

    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    unread: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Variable:
    """What is decided about one variable. `text` is what the component sees, if anything."""

    key: str
    form: Form
    text: str | None = field(default=None, repr=False)
    secret: bool = False
    """Whether it is one of the component's secrets; else it comes from the environment."""
    bound: tuple[BoundSecret, ...] = ()
    place: str | None = None
    """The rule that decides."""
    note: str | None = None
    """Why it is withheld."""


def decide_variable(
    rules: Sequence[EnvironmentRule], key: str, variables: Variables, component_id: str
) -> Variable:
    """What a component has as the variable `key`.

    A key with several rules of which one binds it to hosts is bound: less is given.
    """
    found = [(index, rule) for index, rule in enumerate(rules) if rule.key == key]
    if not found:
        return Variable(key, Form.REFUSED)
    injections = [(index, rule.inject) for index, rule in found if rule.inject is not None]
    index = injections[0][0] if injections else found[0][0]
    place = f"environment.allow[{index}] ({visible(key)})"
    secret = key in variables.secrets or key in variables.unread
    if key in variables.unread:
        return Variable(key, Form.WITHHELD, secret=True, place=place, note=variables.unread[key])
    value = variables.secrets.get(key, variables.environment.get(key))
    if value is None:
        return Variable(key, Form.UNSET, place=place)
    why = "its value contains a NUL" if "\0" in value else None
    if why is None and injections:
        why = why_not_injectable(value)
        if why is not None:
            why += ", so nothing can stand in for it; without 'inject' the component has the value"
    if why is not None:
        return Variable(key, Form.WITHHELD, secret=secret, place=place, note=why)
    if not injections:
        return Variable(key, Form.VALUE, value, secret, place=place)
    stand_in = placeholder(component_id, key, value)
    bound = dict.fromkeys(BoundSecret(one, stand_in, value) for _, one in injections)
    return Variable(key, Form.PLACEHOLDER, stand_in, secret, tuple(bound), place)


def decide_environment(
    rules: Sequence[EnvironmentRule], variables: Variables, component_id: str
) -> list[Variable]:
    """As `decide_variable`, for every variable that a rule is about, by name."""
    keys = sorted({rule.key for rule in rules})
    return [decide_variable(rules, key, variables, component_id) for key in keys]
