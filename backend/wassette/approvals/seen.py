"""What a person has seen of a component, and what is different in another one of the same id.

A component that comes back with other bytes keeps no grant until a person has seen what changed.
`changes` says that in plain words; `Seen` remembers, for each digest, that somebody has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from .model import Component, canonical
from .text import quoted, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .model import Surface
    from .store import Store


class _Function(Protocol):
    """As `components.record.FunctionRecord`."""

    @property
    def base_name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def input_schema(self) -> Mapping[str, Any]: ...
    @property
    def output_schema(self) -> Mapping[str, Any] | None: ...


class _Record(Protocol):
    """As `components.record.ComponentRecord`."""

    @property
    def description(self) -> str: ...
    @property
    def imports(self) -> tuple[str, ...]: ...
    @property
    def asks_for(self) -> tuple[str, ...]: ...
    @property
    def signed_by(self) -> str | None: ...
    @property
    def tools(self) -> Sequence[_Function]: ...


@dataclass(frozen=True)
class View:
    """What there is to see of a component: JSON-able data."""

    data: Mapping[str, Any]

    @classmethod
    def of(cls, record: _Record) -> View:
        return cls(
            {
                "description": record.description,
                "imports": sorted(record.imports),
                "requested": sorted(set(record.asks_for)),
                "signed_by": record.signed_by,
                "tools": {
                    one.base_name: {
                        "description": one.description,
                        "input": one.input_schema,
                        "output": one.output_schema,
                    }
                    for one in record.tools
                },
            }
        )


@dataclass(frozen=True)
class Change:
    """`weight` 2: it can do more; 1: it says something else to the model; 0: the rest."""

    text: str
    weight: int = 0


class Seen:
    """On record with the approvals. What cannot be read has not been seen."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def mark(self, component: Component, view: View, by: Surface) -> None:
        """A person has been shown this. Raises `ApprovalsUnavailable`."""
        self._store.mark_seen(component, dict(view.data), by)

    def has(self, component: Component) -> bool:
        """Raises `ApprovalsUnavailable`; whoever asks for a grant then has none."""
        return self._store.seen(component.id, component.digest) is not None

    def last(self, component_id: str) -> tuple[Component, View] | None:
        """What was seen last under this id. Raises `ApprovalsUnavailable`."""
        found = self._store.seen(component_id)
        if found is None or not isinstance(found[1], dict):
            return None
        return Component(component_id, found[0]), View(found[1])

    def forget(self, component_id: str) -> None:
        """It was removed by a person, so that the next one of this id is a new one."""
        self._store.forget_seen(component_id)


def changes(before: View, after: View) -> list[Change]:
    """What is different, in plain words, what weighs most first. Empty if only the code is."""
    found = [
        *_signer(before, after),
        *_imports(before, after),
        *_requested(before, after),
        *_tools(before, after),
        *_description(before, after),
    ]
    return sorted(found, key=lambda change: -change.weight)


_MEANINGS = (
    ("wasi:http/outgoing-handler", "it can ask for the network"),
    ("wasi:http/", "it can handle HTTP messages"),
    ("wasi:sockets/", "it can ask for raw connections"),
    ("wasi:filesystem/", "it can ask for files"),
    ("wasi:config/", "it can read variables that you granted"),
    ("wasi:cli/environment", "it can read variables that you granted"),
)


def _imports(before: View, after: View) -> Iterable[Change]:
    old = {_unversioned(one) for one in before.data.get("imports", ())}
    new = {_unversioned(one) for one in after.data.get("imports", ())}
    for name in sorted(new - old):
        meaning = next((text for start, text in _MEANINGS if name.startswith(start)), "")
        text = f"it imports {quoted(name)}, which it did not"
        yield Change(f"{text}: {meaning}" if meaning else text, 2 if meaning else 0)
    for name in sorted(old - new):
        yield Change(f"it does not import {quoted(name)} any more")


def _signer(before: View, after: View) -> Iterable[Change]:
    old, new = (view.data.get("signed_by") for view in (before, after))
    if old is None or new is None:
        return  # nobody looked
    old, new = str(old), str(new)
    if new and old != new:
        was = f"before by {quoted(old, 500)}" if old else "before by nobody"
        yield Change(f"it is signed by {quoted(new, 500)}; {was}", 2 if old else 0)
    elif old and not new:
        yield Change(f"it is not signed; before by {quoted(old, 500)}", 2)


def _unversioned(name: str) -> str:
    return str(name).partition("@")[0]


def _requested(before: View, after: View) -> Iterable[Change]:
    old, new = (set(map(str, view.data.get("requested", ()))) for view in (before, after))
    for rule in sorted(new - old):
        yield Change(f"it asks for {quoted(rule, 500)}, which it did not", 2)
    for rule in sorted(old - new):
        yield Change(f"it does not ask for {quoted(rule, 500)} any more")


def _tools(before: View, after: View) -> Iterable[Change]:
    old, new = before.data.get("tools", {}), after.data.get("tools", {})
    for name in sorted(new.keys() - old.keys()):
        yield Change(f"new tool {quoted(name)}: {quoted(new[name]['description'], 500)}", 1)
    for name in sorted(old.keys() - new.keys()):
        yield Change(f"tool {quoted(name)} is gone")
    for name in sorted(old.keys() & new.keys()):
        was, now = old[name], new[name]
        if was["description"] != now["description"]:
            yield Change(
                f"tool {quoted(name)} says {quoted(now['description'], 1000)}; "
                f"before {quoted(was['description'], 1000)}",
                1,
            )
        yield from _schema(f"tool {quoted(name)}", was["input"], now["input"])
        if _text(was["output"]) != _text(now["output"]):
            yield Change(f"tool {quoted(name)} gives another kind of result", 1)


def _schema(what: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterable[Change]:
    if _text(was) == _text(now):
        return
    old, new = (_properties(one) for one in (was, now))
    details = [f"{quoted(name)} is new" for name in sorted(new.keys() - old.keys())]
    details += [f"{quoted(name)} is gone" for name in sorted(old.keys() - new.keys())]
    details += [
        f"{quoted(name)} is {_kind(new[name])} and was {_kind(old[name])}"
        for name in sorted(old.keys() & new.keys())
        if _text(old[name]) != _text(new[name])
    ]
    yield Change(f"{what} takes other arguments: {', '.join(details) or 'other rules for them'}", 1)


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}


def _kind(schema: Any) -> str:
    """A property's type and what is said about it."""
    return quoted(_text(schema), 300)


def _description(before: View, after: View) -> Iterable[Change]:
    was, now = str(before.data.get("description", "")), str(after.data.get("description", ""))
    if was != now:
        yield Change(f"it says of itself {quoted(now, 1000)}; before {quoted(was, 1000)}", 1)


def _text(value: Any) -> str:
    try:
        return canonical(value).decode()
    except (ValueError, TypeError, RecursionError):
        return shown(repr(value), 10_000)
