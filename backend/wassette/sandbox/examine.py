"""From a component's bytes to what there is to know of it: functions, schemas, imports.

Runs in a process of its own, since the bytes are untrusted and compiling cannot be interrupted.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from wasmtime.component._types import ComponentInstanceType, FuncType, ValType

from wassette.errors import InvalidComponent

from . import binary, docs, schema, wit, wit_text
from .engine import compile_component, engine
from .weave import TARGET, weave

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasmtime.component import Component

    from .tiers import Tier


_COMPONENTIZE_PY = "exports"
"""An instance that componentize-py exports for its own use."""


@dataclass(frozen=True)
class FunctionInfo:
    """An exported function."""

    interface: str | None
    """Name of the exported interface it is in; None at world level."""
    name: str
    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any] | None
    unavailable: str | None
    """Why it cannot be called; None when it can."""


@dataclass(frozen=True)
class Examination:
    """What is known of a component without running it."""

    description: str
    functions: tuple[FunctionInfo, ...]
    imports: tuple[str, ...]
    producers: dict[str, list[str]]
    wit: str
    """Its world as WIT text."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def compile_and_examine(data: bytes, tier: Tier) -> tuple[Component, Examination]:
    """Weave, compile and describe a component. Raises `InvalidComponent`."""
    outline = binary.outline(data)
    component = compile_component(weave(data), tier)
    documentation = docs.PackageDocs.of(outline)
    exports = list(exported_functions(component, tier))
    found = tuple(_describe(*one, documentation) for one in exports)
    if not found:
        raise InvalidComponent("exports no function, so there is no tool in it")
    imports = tuple(one.name for one in outline.imports)
    return component, Examination(
        description=documentation.component(),
        functions=found,
        imports=imports,
        producers=docs.producers(outline),
        wit=_world_text(component, tier, imports, exports, documentation),
    )


def _world_text(
    component: Component,
    tier: Tier,
    imports: tuple[str, ...],
    functions: list[tuple[str | None, str, FuncType]],
    documentation: docs.PackageDocs,
) -> str:
    exports: dict[str | None, wit_text.Exports] = {}
    for interface, name, ty in functions:
        one = wit_text.FunctionText(
            name, wit.from_wasmtime(ty), documentation.function(interface, name)
        )
        exports.setdefault(interface, wit_text.Exports()).functions.append(one)
    for interface, name, value in _exported_types(component, tier):
        if interface in exports:
            exports[interface].types[name] = wit.from_wasmtime(value)
    return wit_text.world(imports, exports, documentation.component())


def _exported_types(component: Component, tier: Tier) -> Iterator[tuple[str | None, str, ValType]]:
    """(interface, name, type) of the types that are exported under a name."""
    of = engine(tier)
    target = component.type.exports(of)[TARGET].ty
    assert isinstance(target, ComponentInstanceType)
    for name, extern in target.exports(of).items():
        item = extern.ty
        if isinstance(item, ValType):
            yield None, name, item
        elif isinstance(item, ComponentInstanceType):
            for inner, inside in item.exports(of).items():
                if isinstance(inside.ty, ValType):
                    yield name, inner, inside.ty


def exported_functions(component: Component, tier: Tier) -> list[tuple[str | None, str, FuncType]]:
    """(interface, function, type) of everything a woven component exports, in its order."""
    of = engine(tier)
    target = component.type.exports(of)[TARGET].ty
    assert isinstance(target, ComponentInstanceType)
    found: list[tuple[str | None, str, FuncType]] = []
    for name, extern in target.exports(of).items():
        item = extern.ty
        if isinstance(item, FuncType):
            found.append((None, name, item))
        elif isinstance(item, ComponentInstanceType) and name != _COMPONENTIZE_PY:
            for inner, inside in item.exports(of).items():
                ty = inside.ty
                if isinstance(ty, FuncType):
                    found.append((name, inner, ty))
    return found


def _describe(
    interface: str | None, name: str, ty: FuncType, documentation: docs.PackageDocs
) -> FunctionInfo:
    function = wit.from_wasmtime(ty)
    unavailable = function.unavailable
    parameters = [parameter for parameter, _ in function.params]
    said = docs.split(documentation.function(interface, name), parameters)
    nothing: dict[str, Any] = {"type": "object", "properties": {}}
    return FunctionInfo(
        interface=interface,
        name=name,
        description=said.text,
        input_schema=nothing if unavailable else schema.input_schema(function, said.parameters),
        output_schema=None if unavailable else schema.output_schema(function),
        unavailable=unavailable,
    )
