"""WIT types as JSON Schema (2020-12): what a client is told about a tool's arguments and result.

The shapes are Wassette's, made exact: a schema accepts what `values` accepts, as closely as JSON
Schema can say it. `values` is wider in a few places that help a caller (an array of integers
where base64 is asked for) and narrower where a schema cannot say it:

* text with a lone surrogate, and strings that are not base64 (`contentEncoding` only annotates);
* decimal strings of twenty digits that are over the bounds of a 64-bit integer;
* numbers that no `f64` (or `f32`) can hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from wassette.sandbox import wit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Schema: TypeAlias = dict[str, object]

NON_FINITE = ("NaN", "Infinity", "-Infinity")
"""How the floats that JSON has no number for are written."""


def json_schema(ty: wit.Type) -> Schema:
    """The schema of a value of this type."""
    match ty:
        case wit.Bool():
            return {"type": "boolean"}
        case wit.Int():
            return _integer(ty)
        case wit.Float():
            return {"anyOf": [{"type": "number"}, {"enum": list(NON_FINITE)}]}
        case wit.Char():
            return {"type": "string", "minLength": 1, "maxLength": 1}
        case wit.String():
            return {"type": "string"}
        case wit.List(element) if element == wit.U8:
            return {"type": "string", "contentEncoding": "base64"}
        case wit.List(element):
            return {"type": "array", "items": json_schema(element)}
        case wit.Tuple(elements):
            return {
                "type": "array",
                "prefixItems": [json_schema(element) for element in elements],
                "items": False,
                "minItems": len(elements),
                "maxItems": len(elements),
            }
        case wit.Record(fields):
            return _object(fields)
        case wit.Variant(cases):
            return {"oneOf": [_case(name, payload) for name, payload in cases]}
        case wit.Enum(names):
            return {"type": "string", "enum": list(names)}
        case wit.Option(payload):
            return {"anyOf": [{"type": "null"}, _some(payload)]}
        case wit.Result(ok, err):
            return {"oneOf": [_closed({"ok": _or_null(ok)}), _closed({"err": _or_null(err)})]}
        case wit.Flags(names):
            item = {"type": "string", "enum": list(names)}
            return {"type": "array", "items": item, "uniqueItems": True}
        case wit.Unsupported(reason):
            return {"not": {}, "description": f"holds {reason}, which cannot be passed as JSON"}


def input_schema(function: wit.Function, docs: Mapping[str, str]) -> Schema:
    """The schema of a function's arguments; `docs` has the description of each, by name."""
    return _object(function.params, docs)


def output_schema(function: wit.Function) -> Schema | None:
    """The schema of a tool's structured result, or None for a function without one."""
    if function.result is None:
        return None
    properties = {"result": json_schema(function.result)}
    return {"type": "object", "properties": properties, "required": ["result"]}


def _integer(ty: wit.Int) -> Schema:
    number: Schema = {"type": "integer", "minimum": ty.minimum, "maximum": ty.maximum}
    if ty.bits < 64:
        return number
    # Many JSON readers keep numbers as doubles, which are exact only up to 2^53.
    return {"anyOf": [number, {"type": "string", "pattern": decimal_pattern(ty)}]}


def decimal_pattern(ty: wit.Int) -> str:
    """What a 64-bit integer written as a string looks like; its bounds are checked by `values`."""
    return "^(0|-?[1-9][0-9]{0,18})$" if ty.signed else "^(0|[1-9][0-9]{0,19})$"


def _object(
    members: Iterable[tuple[str, wit.Type]], docs: Mapping[str, str] | None = None
) -> Schema:
    """A closed object; members that are options may be left out."""
    properties: Schema = {}
    required: list[str] = []
    for name, ty in members:
        schema = json_schema(ty)
        if docs and name in docs:
            schema["description"] = docs[name]
        properties[name] = schema
        if not isinstance(ty, wit.Option):
            required.append(name)
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _closed(properties: Schema) -> Schema:
    """An object that has exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _case(name: str, payload: wit.Type | None) -> Schema:
    tag: Schema = {"tag": {"const": name}}
    return _closed(tag if payload is None else {**tag, "val": json_schema(payload)})


def _some(payload: wit.Type) -> Schema:
    """The schema of an option that is not null. An option within an option is wrapped, or null
    would mean two things."""
    if isinstance(payload, wit.Option):
        return _closed({"some": json_schema(payload)})
    return json_schema(payload)


def _or_null(ty: wit.Type | None) -> Schema:
    return {"type": "null"} if ty is None else json_schema(ty)
