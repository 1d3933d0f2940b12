"""What a component can reach, from its imports and exports alone: nothing of it is run or compiled.

What is not imported cannot be called, so this is the most that it could ever do; what of it is
allowed is for the policy. For bytes that were not loaded, only names and types at the top level are
read (`binary`), in Python, and only so much of them: this may be done in the host process.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from wassette.errors import InvalidComponent

from . import binary, docs
from .weave import unprovided

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_STRUCTURE = 4 * 1024 * 1024
"""Bytes of types, imports and exports that are read. Those of a large language runtime with all of
WASI are 100 KB."""


class Held(StrEnum):
    """Who decides whether a component gets what it can reach."""

    POLICY = "policy"
    """Only what a person granted."""
    ALWAYS = "always"
    NEVER = "never"
    """It may ask; the answer is always no."""


@dataclass(frozen=True)
class Capability:
    """One kind of thing that a component can ask for."""

    name: str
    """One word: `network`, `files`, …"""
    text: str
    """For people, as the end of “it can …”."""
    held: Held
    imports: tuple[str, ...] = ()
    """Why: the interfaces."""


@dataclass(frozen=True)
class Capabilities:
    """All that is to be known without running it. What is a name in it is the author's word."""

    size: int
    imports: tuple[str, ...]
    exports: tuple[str, ...]
    """Functions, and interfaces with functions in them."""
    reach: tuple[Capability, ...]
    unavailable: tuple[str, ...] = ()
    """Imports that are not provided, so that it cannot be loaded."""
    producers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """What a policy decides about, a word each; what every component has is left out."""
        return tuple(one.name for one in self.reach if one.held is Held.POLICY)

    @property
    def languages(self) -> tuple[str, ...]:
        """What it was written in, by its own account."""
        found = self.producers.get("language")
        return tuple(map(str, found)) if isinstance(found, list) else ()

    def summary(self) -> str:
        """In a few words, none of them the author's."""
        return ", ".join(self.names) if self.names else "nothing outside of it"

    def to_json(self) -> dict[str, Any]:
        return {
            "size": self.size,
            "reach": [
                {"name": one.name, "text": one.text, "held": one.held.value}
                | {"imports": list(one.imports)}
                for one in self.reach
            ],
            "imports": list(self.imports),
            "exports": list(self.exports),
            "unavailable": list(self.unavailable),
            "languages": list(self.languages),
            "producers": dict(self.producers),
        }


class _Stamp(Protocol):
    @property
    def size(self) -> int: ...


class _Function(Protocol):
    @property
    def interface(self) -> str | None: ...
    @property
    def name(self) -> str: ...


class Described(Protocol):
    """As `components.record.ComponentRecord`: what was found when it was loaded."""

    @property
    def stamp(self) -> _Stamp: ...
    @property
    def imports(self) -> tuple[str, ...]: ...
    @property
    def producers(self) -> Mapping[str, Any]: ...
    @property
    def functions(self) -> Iterable[_Function]: ...


# Beginnings of names of interfaces. The first that fits counts.
_KINDS: tuple[tuple[tuple[str, ...], Capability], ...] = (
    (
        ("wasi:http/outgoing-handler",),
        Capability("network", "send HTTP requests to hosts that you allow", Held.POLICY),
    ),
    (
        ("wasi:filesystem/",),
        Capability("files", "read or write files that you allow", Held.POLICY),
    ),
    (
        ("wasi:cli/environment", "wasi:config/"),
        Capability("environment", "read variables that you allow", Held.POLICY),
    ),
    (
        ("wasi:sockets/",),
        Capability("sockets", "ask for raw connections, which are always refused", Held.NEVER),
    ),
    (
        ("wasi:clocks/",),
        Capability("clocks", "see the time", Held.ALWAYS),
    ),
    (("wasi:random/",), Capability("randomness", "have random numbers", Held.ALWAYS)),
    (
        ("wasi:cli/stdout", "wasi:cli/stderr"),
        Capability("output", "print text, which is kept with the call", Held.ALWAYS),
    ),
)


def capabilities(component: bytes | Described) -> Capabilities:
    """Of a component's bytes, or of what is known of one. Raises `InvalidComponent` for bytes."""
    if not isinstance(component, bytes):
        exports = dict.fromkeys(one.interface or one.name for one in component.functions)
        return Capabilities(
            size=component.stamp.size,
            imports=component.imports,
            exports=tuple(exports),
            reach=reach(component.imports),
            producers=component.producers,
        )
    _check_size(component)
    outline = binary.outline(component)
    imports = tuple(one.name for one in outline.imports)
    callable_sorts = (binary.Sort.FUNC, binary.Sort.INSTANCE)
    return Capabilities(
        size=len(component),
        imports=imports,
        exports=tuple(name for name, sort in outline.exports if sort in callable_sorts),
        reach=reach(imports),
        unavailable=unprovided(component),
        producers=docs.producers(outline),
    )


def reach(imports: Iterable[str]) -> tuple[Capability, ...]:
    """What the imports of these names make possible, what weighs most first."""
    names = sorted(set(imports))
    found = []
    for beginnings, kind in _KINDS:
        why = tuple(name for name in names if _begins(name, beginnings))
        if why:
            found.append(Capability(kind.name, kind.text, kind.held, why))
    return tuple(found)


def _begins(name: str, beginnings: tuple[str, ...]) -> bool:
    base = name.partition("@")[0]
    return any(base.startswith(one) if one.endswith("/") else base == one for one in beginnings)


def _check_size(data: bytes) -> None:
    structure = sum(
        r.end - r.at
        for kind, r in binary.sections(data)
        if kind not in (binary.Section.CUSTOM, binary.Section.CORE_MODULE, binary.Section.COMPONENT)
    )
    if structure > MAX_STRUCTURE:
        raise InvalidComponent(
            f"has {structure // 1024 // 1024} MB of types and names, more than is looked at "
            "without loading it"
        )
