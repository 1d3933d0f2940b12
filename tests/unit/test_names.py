"""Tool names and component ids."""

from __future__ import annotations

import re
from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wassette.components.ids import check_id, id_of_file
from wassette.components.names import MAX_TOOL_NAME, base_name, unique_name
from wassette.errors import InvalidComponentId

TOOL_NAME = re.compile(r"[a-z0-9_-]{1,64}")


@pytest.mark.parametrize(
    ("interface", "function", "name"),
    [
        (None, "get-weather", "get-weather"),
        (
            "local:context7/context7@0.1.0",
            "resolve-library-id",
            "local_context7_context7_0_1_0_resolve-library-id",
        ),
        ("foo:foo/foo", "generate", "foo_foo_foo_generate"),
        ("a:b/c", "[method]r.m", "a_b_c__method_r_m"),
        (None, "HTTP-get", "http-get"),
    ],
)
def test_base_names(interface: str | None, function: str, name: str) -> None:
    assert base_name(interface, function) == name


@given(st.none() | st.text(max_size=200), st.text(min_size=1, max_size=200))
def test_every_name_is_fit_for_clients(interface: str | None, function: str) -> None:
    assert TOOL_NAME.fullmatch(base_name(interface, function))


@given(st.lists(st.tuples(st.text(min_size=1, max_size=90), st.text(min_size=1, max_size=90))))
def test_names_are_unique(components: list[tuple[str, str]]) -> None:
    taken: set[str] = set()
    for component, function in components:
        name = unique_name(base_name(None, function), component, taken)
        assert name not in taken
        assert len(name) <= MAX_TOOL_NAME
        taken.add(name)


def test_long_names_are_shortened_by_all_of_them() -> None:
    one, other = base_name(None, "x" * 100), base_name(None, "x" * 99 + "y")
    assert len(one) == len(other) == MAX_TOOL_NAME
    assert one != other
    assert one[:50] == other[:50]


@pytest.mark.parametrize("text", ["a", "fetch_rs", "a.b-c", "0", "x" * 128])
def test_ids(text: str) -> None:
    assert check_id(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "a\\b",
        "A",
        "-a",
        "_a",
        "a b",
        "é",
        "a\0",
        "a\n",
        "con",
        "nul.x",
        "com1",
        "a.",
        "x" * 129,
        "~",
        "a:b",
        "\u202ea",
    ],
)
def test_not_ids(text: str) -> None:
    with pytest.raises(InvalidComponentId, match="is not a component id"):
        check_id(text)


@pytest.mark.parametrize(
    ("file", "component_id"),
    [
        ("fetch_rs.wasm", "fetch_rs"),
        ("My Tool (2).wasm", "my_tool__2_"),
        ("Ünï.wasm", "n_"),
        ("..hidden.wasm", "hidden"),
        ("a.b.wasm", "a.b"),
    ],
)
def test_id_of_file(file: str, component_id: str) -> None:
    assert id_of_file(PurePath(file)) == component_id


@pytest.mark.parametrize("file", [".wasm", "___.wasm", "con.wasm", "日本.wasm"])
def test_files_that_give_no_id(file: str) -> None:
    with pytest.raises(InvalidComponentId):
        id_of_file(PurePath(file))
