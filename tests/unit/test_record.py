"""Metadata files: what is written is read back, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wassette.components.record import ComponentRecord, FunctionRecord, Stamp

FUNCTION = FunctionRecord(None, "add", "Adds.", {"type": "object"}, {"type": "object"}, None)
RESOURCE = FunctionRecord("a:b/c@0.1.0", "[method]r.m", "", {}, None, "holds a resource")
RECORD = ComponentRecord(
    id="calc",
    digest="ab" * 32,
    stamp=Stamp(123, 456_000_000_789),
    source="file:///calc.wasm",
    loaded_at=1.5,
    description="Calculates. \u202e",
    imports=("wasi:io/poll@0.2.0",),
    producers={"language": ["C 23"]},
    functions=(FUNCTION, RESOURCE),
    code={"name": "cd" * 32},
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


def test_round_trip() -> None:
    assert ComponentRecord.from_text("calc", RECORD.to_text()) == RECORD


def test_has_the_keys_that_wassette_reads() -> None:
    data = json.loads(RECORD.to_text())
    assert data["component_id"] == "calc"
    assert data["tool_names"] == ["add"]
    assert data["function_identifiers"] == [
        {"package_name": None, "interface_name": None, "function_name": "add"}
    ]
    assert data["validation_stamp"] == {
        "file_size": 123,
        "mtime": 456,
        "content_hash": "ab" * 32,
    }


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ComponentRecord.from_text("calc", data)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict):
        items: Any = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        return found
    for key, inner in items:
        found += _paths(inner, (*path, key))
    return found


PATHS = [path for path in _paths(json.loads(RECORD.to_text())) if path]


@given(st.sampled_from(PATHS), json_values | st.just(...))
def test_one_wrong_part_is_refused_or_read(path: tuple[Any, ...], value: Any) -> None:
    """Whatever part is replaced or missing: `ValueError`, or a record that can be used."""
    data = json.loads(RECORD.to_text())
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    try:
        record = ComponentRecord.from_text("calc", json.dumps(data))
    except ValueError:
        return
    assert all(function.base_name for function in record.tools if function.name)
    assert ComponentRecord.from_text("calc", record.to_text()) == record
