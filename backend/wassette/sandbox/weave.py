"""The weave: one component made of the guard and somebody's component, in the binary.

    (component
      <host prefix>                                      imports all of WASI 0.2, in full
      <imports of types and of type-only interfaces>     copied from the component
      (component $guard …)
      (component $target …)             the component's bytes, untouched
      (instance $g (instantiate $guard  with native interfaces))
      (alias the interfaces that $g exports)
      (instance $t (instantiate $target with $g's interfaces where it has them, else native ones))
      (export "target" (instance $t)))

Nothing of the component's own code or types has to be understood: because the host prefix imports
the full interfaces, the pruned ones that a component declares are satisfied by subtyping, which
wasmtime checks when it compiles the result. Only the *names* of the imports are read here, and
the definitions of interfaces that hold nothing but types, which wasmtime's linker satisfies by
itself but a composition has to pass on.

All exports leave as one instance, so their types need not be known either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

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

TARGET = "target"
"""Name of the instance that a woven component exports: the component's own exports are in it."""

_GUARD_ONLY = "wassette:guard/host"
_WASI_02 = re.compile(r"^(wasi:[a-z0-9-]+/[a-z0-9-]+)@0\.2\.\d+$")


@dataclass(frozen=True)
class Guard:
    """The built guard and the prefix of native interfaces, as shipped."""

    guard: bytes
    prefix: bytes


@cache
def shipped() -> Guard:
    """The guard in this package."""
    folder = resources.files(__package__) / "guard"
    return Guard((folder / "guard.wasm").read_bytes(), (folder / "host.wasm").read_bytes())


def weave(target: bytes, guard: Guard | None = None) -> bytes:
    """The woven component. Raises `InvalidComponent`, naming each import that is not provided."""
    return _Weave(target, guard or shipped()).binary()


def imported(target: bytes) -> list[str]:
    """The names of all imports of a component, in its order. Raises `InvalidComponent`."""
    return [one.name for one in binary.outline(target).imports]


class _Weave:
    def __init__(self, data: bytes, guard: Guard) -> None:
        self.target = binary.outline(data)
        self.guard = binary.outline(guard.guard)
        if not self.target.has_code:
            raise InvalidComponent(
                "has no code: it is a WIT package (interface definitions), not a component to run"
            )
        host = binary.outline(guard.prefix)
        self.out = [binary.COMPONENT, guard.prefix[8:]]
        self.types = len(host.types)
        self.instances = len(host.instances)
        self.native = {one.name.partition("@")[0]: i for i, one in enumerate(host.imports)}
        self.woven: dict[str, int] = {}  # interfaces that the guard exports
        self.passed: dict[str, int] = {}  # type-only interfaces that the component imports
        self.mapped: dict[int, int] = {}  # the component's type indices to ours

    def binary(self) -> bytes:
        self._refuse_unprovided()
        self._pass_types_on()
        self.out.append(binary.section(Section.COMPONENT, self.guard.data))
        self.out.append(binary.section(Section.COMPONENT, self.target.data))
        native = [
            _argument(i.name, Sort.INSTANCE, self._native(i.name)) for i in self.guard.imports
        ]
        guard = self._instantiate(0, native)
        aliases = []
        for name, _ in self.guard.exports:
            aliases.append(bytes([Sort.INSTANCE, 0]) + binary.u32(guard) + binary.text(name))
            self.woven[name] = self._new_instance()
        self.out.append(binary.section(Section.ALIAS, binary.vector(aliases)))
        target = self._instantiate(1, [self._satisfy(i) for i in self.target.imports])
        export = b"\0" + binary.text(TARGET) + bytes([Sort.INSTANCE]) + binary.u32(target) + b"\0"
        self.out.append(binary.section(Section.EXPORT, binary.vector([export])))
        return b"".join(self.out)

    # -- what the component imports ------------------------------------------------------------

    def _provided(self, name: str) -> bool:
        exports = [export for export, _ in self.guard.exports]
        if name in exports:
            return True
        match = _WASI_02.match(name)
        return match is not None and match[1] in self.native

    def _native(self, name: str) -> int:
        return self.native[name.partition("@")[0]]

    def _refuse_unprovided(self) -> None:
        missing = [
            binary.describe(one)
            for one in self.target.imports
            if not (one.sort == Sort.TYPE and one.type is not None)
            and not (one.sort == Sort.INSTANCE and self._provided(one.name))
            and not (one.sort == Sort.INSTANCE and self._only_types(one))
        ]
        if missing:
            raise InvalidComponent(
                f"imports {', '.join(missing)}, which Wassette does not provide. "
                "Ask its author for a build without it."
            )

    def _only_types(self, one: Import) -> bool:
        """Whether an interface holds nothing but types, so that there is nothing to provide."""
        if one.name.partition("@")[0] == _GUARD_ONLY or one.type is None:
            return False
        r = self._definition(one.type)
        if r is None or r.byte() != 0x42:
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

    def _definition(self, index: int) -> Reader | None:
        entry = self._type(index)
        if isinstance(entry, Defined):
            return Reader(self.target.data, entry.start, entry.end)
        return None

    def _type(self, index: int) -> TypeEntry:
        entry = self.target.types[index] if index < len(self.target.types) else None
        while isinstance(entry, SameAs):
            # An index only ever refers to an earlier one, so this ends.
            entry = self.target.types[entry.index] if entry.index < index else None
        return entry

    # -- passing type-only interfaces on -------------------------------------------------------

    def _pass_types_on(self) -> None:
        for one in self.target.imports:
            if one.sort == Sort.INSTANCE and not self._provided(one.name):
                assert one.type is not None
                self._import_interface(one.name, self._our_type(one.type))
            elif one.sort == Sort.TYPE:
                assert one.type is not None
                self._import_type(one, self._our_type(one.type))

    def _import_type(self, one: Import, type_index: int) -> None:
        # Imported by the woven component too: an exported function may only use types that have
        # a name outside.
        body = b"\0" + binary.text(one.name) + bytes([Sort.TYPE, 0]) + binary.u32(type_index)
        self.out.append(binary.section(Section.IMPORT, binary.vector([body])))
        self.mapped[one.defines] = self._new_type()

    def _import_interface(self, name: str, type_index: int) -> None:
        body = b"\0" + binary.text(name) + bytes([Sort.INSTANCE]) + binary.u32(type_index)
        self.out.append(binary.section(Section.IMPORT, binary.vector([body])))
        self.passed[name] = self._new_instance()

    def _our_type(self, index: int) -> int:
        """Index, in the woven component, of the type that the component has at `index`."""
        if index in self.mapped:
            return self.mapped[index]
        entry = self._type(index)
        if isinstance(entry, Defined):
            needs = TypeWalk()
            needs.definition(Reader(self.target.data, entry.start, entry.end))
            if any(used >= index for used in needs.used):
                raise binary.malformed(entry.start, "a type refers to itself")
            outer = {used: self._our_type(used) for used in sorted(needs.used)}
            walk = TypeWalk(outer)
            body = walk.definition(Reader(self.target.data, entry.start, entry.end))
            self.out.append(binary.section(Section.TYPE, binary.vector([body])))
        elif isinstance(entry, FromInstance):
            source = self._interface_of(entry.instance)
            alias = bytes([Sort.TYPE, 0]) + binary.u32(source) + binary.text(entry.name)
            self.out.append(binary.section(Section.ALIAS, binary.vector([alias])))
        else:
            raise InvalidComponent("imports a type that comes from nowhere")
        self.mapped[index] = self._new_type()
        return self.mapped[index]

    def _interface_of(self, instance: int) -> int:
        name = self.target.instances[instance] if instance < len(self.target.instances) else None
        if name is None:
            raise InvalidComponent("imports a type that comes from nowhere")
        if name in self.passed:
            return self.passed[name]
        if self._provided(name) and name.partition("@")[0] in self.native:
            return self._native(name)
        raise InvalidComponent(f"uses types of {name} before it imports it")

    # -- putting it together -------------------------------------------------------------------

    def _satisfy(self, one: Import) -> bytes:
        if one.sort == Sort.TYPE:
            assert one.type is not None
            return _argument(one.name, Sort.TYPE, self.mapped[one.defines])
        if one.name in self.passed:
            return _argument(one.name, Sort.INSTANCE, self.passed[one.name])
        for name, instance in self.woven.items():
            if name == one.name or _same_wasi_02(name, one.name):
                return _argument(one.name, Sort.INSTANCE, instance)
        return _argument(one.name, Sort.INSTANCE, self._native(one.name))

    def _instantiate(self, component: int, arguments: list[bytes]) -> int:
        body = b"\0" + binary.u32(component) + binary.vector(arguments)
        self.out.append(binary.section(Section.INSTANCE, binary.vector([body])))
        return self._new_instance()

    def _new_type(self) -> int:
        self.types += 1
        return self.types - 1

    def _new_instance(self) -> int:
        self.instances += 1
        return self.instances - 1


def _argument(name: str, sort: Sort, index: int) -> bytes:
    return binary.text(name) + bytes([sort]) + binary.u32(index)


def _same_wasi_02(ours: str, theirs: str) -> bool:
    """Whether both are the same interface of WASI 0.2, whose releases are compatible."""
    a, b = _WASI_02.match(ours), _WASI_02.match(theirs)
    return bool(a and b) and a[1] == b[1]  # type: ignore[index]


__all__ = ["TARGET", "Guard", "Outline", "imported", "shipped", "weave"]
