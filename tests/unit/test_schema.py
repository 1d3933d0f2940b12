"""WIT types as JSON Schema."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from wassette.sandbox import wit
from wassette.sandbox.schema import input_schema, json_schema, output_schema

U32 = wit.Int(32, signed=False)
U32_SCHEMA = {"type": "integer", "minimum": 0, "maximum": 4294967295}
FLOAT_SCHEMA = {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}

SCHEMAS: list[tuple[wit.Type, dict[str, Any]]] = [
    (wit.Bool(), {"type": "boolean"}),
    (wit.U8, {"type": "integer", "minimum": 0, "maximum": 255}),
    (wit.Int(8, signed=True), {"type": "integer", "minimum": -128, "maximum": 127}),
    (wit.Int(16, signed=True), {"type": "integer", "minimum": -32768, "maximum": 32767}),
    (U32, U32_SCHEMA),
    (
        wit.Int(64, signed=True),
        {
            "anyOf": [
                {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
                {"type": "string", "pattern": "^(0|-?[1-9][0-9]{0,18})$"},
            ]
        },
    ),
    (
        wit.Int(64, signed=False),
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": 2**64 - 1},
                {"type": "string", "pattern": "^(0|[1-9][0-9]{0,19})$"},
            ]
        },
    ),
    (wit.Float(32), FLOAT_SCHEMA),
    (wit.Float(64), FLOAT_SCHEMA),
    (wit.Char(), {"type": "string", "minLength": 1, "maxLength": 1}),
    (wit.String(), {"type": "string"}),
    (wit.List(wit.U8), {"type": "string", "contentEncoding": "base64"}),
    (wit.List(U32), {"type": "array", "items": U32_SCHEMA}),
    (
        wit.Tuple((wit.String(), U32)),
        {
            "type": "array",
            "prefixItems": [{"type": "string"}, U32_SCHEMA],
            "items": False,
            "minItems": 2,
            "maxItems": 2,
        },
    ),
    (
        wit.Record((("name", wit.String()), ("age", wit.Option(U32)))),
        {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "age": {"anyOf": [{"type": "null"}, U32_SCHEMA]},
            },
            "required": ["name"],
            "additionalProperties": False,
        },
    ),
    (
        wit.Variant((("none", None), ("some", U32))),
        {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {"tag": {"const": "none"}},
                    "required": ["tag"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {"tag": {"const": "some"}, "val": U32_SCHEMA},
                    "required": ["tag", "val"],
                    "additionalProperties": False,
                },
            ]
        },
    ),
    (wit.Enum(("red", "green")), {"type": "string", "enum": ["red", "green"]}),
    (wit.Option(wit.String()), {"anyOf": [{"type": "null"}, {"type": "string"}]}),
    (
        wit.Option(wit.Option(wit.Bool())),
        {
            "anyOf": [
                {"type": "null"},
                {
                    "type": "object",
                    "properties": {"some": {"anyOf": [{"type": "null"}, {"type": "boolean"}]}},
                    "required": ["some"],
                    "additionalProperties": False,
                },
            ]
        },
    ),
    (
        wit.Result(U32, None),
        {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {"ok": U32_SCHEMA},
                    "required": ["ok"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {"err": {"type": "null"}},
                    "required": ["err"],
                    "additionalProperties": False,
                },
            ]
        },
    ),
    (
        wit.Flags(("read", "write")),
        {
            "type": "array",
            "items": {"type": "string", "enum": ["read", "write"]},
            "uniqueItems": True,
        },
    ),
    (
        wit.Unsupported("a resource"),
        {"not": {}, "description": "holds a resource, which cannot be passed as JSON"},
    ),
]


@pytest.mark.parametrize(("ty", "schema"), SCHEMAS)
def test_each_type(ty: wit.Type, schema: dict[str, Any]) -> None:
    assert json_schema(ty) == schema
    Draft202012Validator.check_schema(schema)


def test_input() -> None:
    function = wit.Function((("path", wit.String()), ("limit", wit.Option(U32))), wit.String())
    schema = input_schema(function, {"path": "Where to look.", "other": "Not a parameter."})
    Draft202012Validator.check_schema(schema)
    assert schema == {
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "Where to look."},
            "limit": {"anyOf": [{"type": "null"}, U32_SCHEMA]},
        },
        "required": ["path"],
        "additionalProperties": False,
    }


def test_input_of_a_function_without_parameters() -> None:
    assert input_schema(wit.Function(), {}) == {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    }


def test_output() -> None:
    schema = output_schema(wit.Function((), wit.Bool()))
    assert schema == {
        "type": "object",
        "properties": {"result": {"type": "boolean"}},
        "required": ["result"],
    }
    assert output_schema(wit.Function()) is None


def test_nothing_fits_a_type_that_cannot_cross() -> None:
    validator = Draft202012Validator(json_schema(wit.Unsupported("a stream")))
    samples: list[Any] = [None, 1, "x", [], {}]
    assert not any(validator.is_valid(value) for value in samples)
