"""The weave: one component made of guards and somebody's component, in the binary.

    (component
      (import …)                        the native interfaces that either of them needs, in full,
                                        and the types and type-only interfaces of the component
      (component $guard …)              for each guard that the component needs:
      (instance $g (instantiate $guard  with native interfaces))
      (alias the interfaces that $g exports)
      (component $target …)             the component's bytes, untouched
      (instance $t (instantiate $target with guards' interfaces where they are, else native ones))
      (export "target" (instance $t)))

Nothing of the component's own code has to be understood: because the native interfaces are imported
with their full types (host.wasm has them), the pruned ones that a component declares are satisfied
by subtyping, which wasmtime checks when it compiles the result. Only the *names* of the imports
are read, and the definitions of types that the component imports without any function (wasmtime's
linker satisfies those by itself, but a composition has to pass them on).

An interface that a guard exports never reaches a component in its native form. A guard none of
whose interfaces a component imports is left out: there is nothing to stand between, and an instance
less makes every call faster. docs/the-weave.md has a picture.

All exports leave as one instance, so their types need not be known either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from wassette.errors import InvalidComponent

from . import binary
from .binary import (
    Defined,
    FromInstance,
    Import,
    Outline,
    Reader,
    SameAs,
    Section,
    Sort,
    TypeEntry,
    TypeWalk,
)

if TYPE_CHECKING:
    from collections.abc import Callable

TARGET = "target"
"""Name of the instance that a woven component exports: the component's own exports are in it."""

_SHIPPED = ("files", "http", "config")
_GUARD_ONLY = "wassette:guard/host"
_WASI_02 = re.compile(r"^(wasi:[a-z0-9-]+/[a-z0-9-]+)@0\.2\.\d+$")


@dataclass(frozen=True)
class Guard:
    """The built guards, and a component prefix that imports every native interface."""

    guards: tuple[bytes, ...]
    """None imports what another exports, and no two export the same."""
    host: bytes


@cache
def shipped() -> Guard:
    """The guards in this package."""
    folder = resources.files(__package__) / "guard"
    files = [(folder / f"{name}.wasm").read_bytes() for name in _SHIPPED]
    return Guard(tuple(files), (folder / "host.wasm").read_bytes())


def weave(target: bytes, guard: Guard | None = None) -> bytes:
    """The woven component. Raises `InvalidComponent`, naming each import that is not provided."""
    return _Weave(target, guard or shipped()).binary()


def unprovided(target: bytes) -> tuple[str, ...]:
    """The imports that are not provided, for people; a component that has any cannot be loaded.

    Raises `InvalidComponent`.
    """
    return tuple(_Weave(target, shipped()).missing())


class _Output:
    """A component being written: its sections, and how many types and instances it has."""

    def __init__(self) -> None:
        self.parts = [binary.COMPONENT]
        self._types = 0
        self._instances = 0

    def add(self, section: Section, body: bytes) -> None:
        """A section with one item."""
        self.parts.append(binary.section(section, binary.vector([body])))

    def add_type(self, section: Section, body: bytes) -> int:
        """A section with one item that makes a type; the type's index."""
        self.add(section, body)
        self._types += 1
        return self._types - 1

    def add_instance(self, section: Section, body: bytes) -> int:
        """A section with one item that makes an instance; the instance's index."""
        self.add(section, body)
        self._instances += 1
        return self._instances - 1


class _Importer:
    """Imports things into the output as a source component imports them, with their types.

    `interface_of` gives the output's instance for an interface that the source's types mention.
    """

    def __init__(self, out: _Output, source: Outline, interface_of: Callable[[str], int]) -> None:
        self.out = out
        self.source = source
        self._interface_of = interface_of
        self._types: dict[int, int] = {}  # the source's type indices to the output's

    def interface(self, one: Import) -> int:
        """Import an interface; the instance."""
        assert one.type is not None
        body = bytes([Sort.INSTANCE]) + binary.u32(self.type(one.type))
        return self.out.add_instance(Section.IMPORT, b"\0" + binary.text(one.name) + body)

    def named_type(self, one: Import) -> int:
        """Import a type under its name; its index.

        It cannot just be passed on: an exported function may only use types that have a name
        outside of the component.
        """
        assert one.type is not None
        body = bytes([Sort.TYPE, 0]) + binary.u32(self.type(one.type))
        index = self.out.add_type(Section.IMPORT, b"\0" + binary.text(one.name) + body)
        self._types[one.defines] = index
        return index

    def type(self, index: int) -> int:
        """Index, in the output, of the type that the source has at `index`."""
        if index not in self._types:
            entry = self.entry(index)
            if isinstance(entry, Defined):
                self._types[index] = self._defined(index, entry)
            elif isinstance(entry, FromInstance):
                instance = self._interface_of(self._instance_name(entry.instance))
                alias = bytes([Sort.TYPE, 0]) + binary.u32(instance) + binary.text(entry.name)
                self._types[index] = self.out.add_type(Section.ALIAS, alias)
            else:
                raise InvalidComponent("imports a type that comes from nowhere")
        return self._types[index]

    def entry(self, index: int) -> TypeEntry:
        """What the source has at a type index, after following equalities."""
        entry = self.source.types[index] if index < len(self.source.types) else None
        while isinstance(entry, SameAs) and index not in self._types:
            # An index only ever refers to an earlier one, so this ends.
            index, earlier = entry.index, entry.index < index
            entry = self.source.types[index] if earlier else None
        return entry

    def _defined(self, index: int, entry: Defined) -> int:
        span = self.source.data, entry.start, entry.end
        needs = TypeWalk()
        needs.definition(Reader(*span))
        if any(used >= index for used in needs.used):
            raise binary.malformed(entry.start, "a type refers to itself")
        walk = TypeWalk({used: self.type(used) for used in sorted(needs.used)})
        return self.out.add_type(Section.TYPE, walk.definition(Reader(*span)))

    def _instance_name(self, instance: int) -> str:
        known = self.source.instances
        name = known[instance] if instance < len(known) else None
        if name is None:
            raise InvalidComponent("imports a type that comes from nowhere")
        return name


class _Weave:
    def __init__(self, data: bytes, guard: Guard) -> None:
        self._target = binary.outline(data)
        self._guards = [binary.outline(one) for one in guard.guards]
        if not self._target.has_code:
            raise InvalidComponent(
                "has no code: it is a WIT package (interface definitions), not a component to run"
            )
        self._out = _Output()
        self._host = _Importer(self._out, binary.outline(guard.host), self._native)
        self._own = _Importer(self._out, self._target, self._interface)
        self._natives = {_base(one.name): one for one in self._host.source.imports}
        self._instances: dict[str, int] = {}  # native interfaces imported so far, by base name
        self._passed: dict[str, int] = {}  # type-only interfaces of the component, by name
        self._woven: dict[str, int] = {}  # the guards' interfaces, by name
        self._components = 0  # in the output

    def binary(self) -> bytes:
        self._refuse_unprovided()
        arguments = {one.name: self._import(one) for one in self._target.imports}
        for guard in self._guards:
            if any(_has(guard, one.name) for one in self._target.imports):
                self._add(guard)
        target = self._instantiate(
            self._target,
            [self._argument(one, arguments[one.name]) for one in self._target.imports],
        )
        export = b"\0" + binary.text(TARGET) + bytes([Sort.INSTANCE]) + binary.u32(target) + b"\0"
        self._out.add(Section.EXPORT, export)
        return b"".join(self._out.parts)

    # -- what the component imports ----------------------------------------------------------

    def missing(self) -> list[str]:
        """What it imports and does not get."""
        return [
            binary.describe(one)
            for one in self._target.imports
            if not (one.sort == Sort.TYPE and one.type is not None)
            and not (one.sort == Sort.INSTANCE and self._provided(one.name))
            and not (one.sort == Sort.INSTANCE and self._only_types(one))
        ]

    def _refuse_unprovided(self) -> None:
        missing = self.missing()
        if missing:
            raise InvalidComponent(
                f"imports {', '.join(missing)}, which Wassette does not provide. "
                "Ask its author for a build without it."
            )

    def _provided(self, name: str) -> bool:
        match = _WASI_02.match(name)
        return self._guarded(name) or (match is not None and match[1] in self._natives)

    def _guarded(self, name: str) -> bool:
        """Whether a guard has this interface, so that the component gets it from nowhere else."""
        return any(_has(guard, name) for guard in self._guards)

    def _only_types(self, one: Import) -> bool:
        """Whether an interface holds nothing but types, so that there is nothing to provide."""
        if _base(one.name) == _GUARD_ONLY or one.type is None:
            return False
        entry = self._own.entry(one.type)
        if not isinstance(entry, Defined):
            return False
        r = Reader(self._target.data, entry.start, entry.end)
        if r.byte() != 0x42:
            return False
        walk = TypeWalk()
        for _ in range(r.count()):
            if r.peek() != 4:
                walk.declaration(r, 1)
                continue
            r.byte()
            r.extern_name()
            if r.peek() != Sort.TYPE or r.data[r.at + 1] != 0:  # a function, a resource, …
                return False
            walk.described(r, 1)
        return True

    # -- importing -------------------------------------------------------------------------------

    def _import(self, one: Import) -> int | None:
        """Have the output import what the component does; None for what a guard gives."""
        if one.sort == Sort.TYPE:
            return self._own.named_type(one)
        if self._guarded(one.name):
            return None
        if self._provided(one.name):
            return self._native(one.name)
        self._passed[one.name] = self._own.interface(one)
        return self._passed[one.name]

    def _native(self, name: str) -> int:
        """The instance of a native interface, imported when first needed."""
        base = _base(name)
        if base not in self._instances:
            self._instances[base] = self._host.interface(self._natives[base])
        return self._instances[base]

    def _interface(self, name: str) -> int:
        """The instance that a type of the component's imports comes from."""
        if name in self._passed:
            return self._passed[name]
        if self._guarded(name):
            # A guard's resources are not the native ones, and types cannot come from a guard: it
            # is instantiated after everything is imported. No interface of WASI 0.2 needs it.
            raise InvalidComponent(f"uses types of {name} in another interface that it imports")
        if self._provided(name) and _base(name) in self._natives:
            return self._native(name)
        raise InvalidComponent(f"uses types of {name} before it imports it")

    # -- putting it together ---------------------------------------------------------------------

    def _add(self, guard: Outline) -> None:
        needs = [(one.name, self._native(one.name)) for one in guard.imports]
        arguments = [_argument(name, Sort.INSTANCE, index) for name, index in needs]
        instance = self._instantiate(guard, arguments)
        for name, _ in guard.exports:
            alias = bytes([Sort.INSTANCE, 0]) + binary.u32(instance) + binary.text(name)
            self._woven[name] = self._out.add_instance(Section.ALIAS, alias)

    def _argument(self, one: Import, index: int | None) -> bytes:
        if index is None:
            index = next(i for name, i in self._woven.items() if _same(name, one.name))
        return _argument(one.name, one.sort, index)

    def _instantiate(self, component: Outline, arguments: list[bytes]) -> int:
        self._out.parts.append(binary.section(Section.COMPONENT, component.data))
        body = b"\0" + binary.u32(self._components) + binary.vector(arguments)
        self._components += 1
        return self._out.add_instance(Section.INSTANCE, body)


def _argument(name: str, sort: Sort, index: int) -> bytes:
    return binary.text(name) + bytes([sort]) + binary.u32(index)


def _has(guard: Outline, name: str) -> bool:
    return any(_same(export, name) for export, _ in guard.exports)


def _base(name: str) -> str:
    return name.partition("@")[0]


def _same(ours: str, theirs: str) -> bool:
    """Whether both are one interface; the releases of WASI 0.2 are compatible with each other."""
    if ours == theirs:
        return True
    a, b = _WASI_02.match(ours), _WASI_02.match(theirs)
    return a is not None and b is not None and a[1] == b[1]
