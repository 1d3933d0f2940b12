"""Any settings in: an entry comes in and goes out again, and everything else keeps its place."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from wassette.clients.formats import Absent, CannotEdit, Named, Unreadable, edit, found, reader

ENTRY = {"command": "/opt/w w/wassette", "args": ["serve", "--stdio"], "on": True}
LONG = settings(max_examples=150, deadline=None)

words = st.text(
    st.sampled_from("abcXYZ019 _-./:#\"'\\{}[],\u00e9\u2028\U0001f980\t\n*&!|>%@`~"), max_size=8
)
scalars = st.one_of(words, st.integers(-(10**20), 10**20), st.booleans())


# ---- JSON ----------------------------------------------------------------------------------------

spaces = st.text(st.sampled_from(" \t\n"), max_size=3)
comments = st.sampled_from(["// c\n", "/* c */", "/*,}*/", '// "x": 1,\n', "/*\n*/", "/***/"])
gaps = st.lists(st.one_of(spaces, comments), max_size=2).map("".join)


@st.composite
def written_json(draw: st.DrawFn, value: Any, gap: st.SearchStrategy[str], commas: bool) -> str:
    """`value` as somebody could have written it."""
    if isinstance(value, dict):
        parts = [
            f"{draw(gap)}{json.dumps(key)}{draw(gap)}:{draw(gap)}"
            f"{draw(written_json(one, gap, commas))}{draw(gap)}"
            for key, one in value.items()
        ]
        trail = "," + draw(gap) if commas and parts and draw(st.booleans()) else ""
        return "{" + ",".join(parts) + trail + draw(gap) + "}"
    if isinstance(value, list):
        parts = [f"{draw(gap)}{draw(written_json(one, gap, commas))}{draw(gap)}" for one in value]
        trail = "," + draw(gap) if commas and parts and draw(st.booleans()) else ""
        return "[" + ",".join(parts) + trail + draw(gap) + "]"
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


values = st.recursive(
    st.one_of(scalars, st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=6,
)
entries = st.dictionaries(words.filter(lambda key: key != "wassette"), values, max_size=3)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    value = draw(st.dictionaries(words, values, max_size=3))
    if draw(st.booleans()):
        value["mcpServers"] = draw(entries)
    return dict(draw(st.permutations(list(value.items()))))


PATH = ("mcpServers", "wassette")


def check_json(format_: str, text: str, value: dict[str, Any]) -> None:
    added = edit(format_, text, [(PATH, ENTRY)])
    result = reader(format_).read(added)
    assert result["mcpServers"].pop("wassette") == ENTRY
    assert result == {**value, "mcpServers": value.get("mcpServers", {})}
    assert is_inside(text, added)
    removed = edit(format_, added, [(PATH, Absent)])
    if value.get("mcpServers"):
        assert removed == text
        return
    if "mcpServers" not in value:
        removed = edit(format_, removed, [(PATH[:1], Absent)])
        if value:
            assert removed == text
            return
    assert "".join(removed.split()) == "".join(text.split())


def is_inside(text: str, added: str) -> bool:
    """Whether every character is still there, in its order, but for white space in `{ }`."""
    rest = iter(added)
    return all(char in rest for char in text if not char.isspace())


@LONG
@given(st.data(), documents())
def test_json_with_comments(data: st.DataObject, value: dict[str, Any]) -> None:
    text = data.draw(gaps) + data.draw(written_json(value, gaps, commas=True)) + data.draw(gaps)
    check_json("jsonc", text, value)


@LONG
@given(st.data(), documents())
def test_strict_json(data: st.DataObject, value: dict[str, Any]) -> None:
    text = data.draw(spaces) + data.draw(written_json(value, spaces, commas=False))
    assert reader("json").read(text) == json.loads(text)
    check_json("json", text, value)


@LONG
@given(documents(), st.sampled_from([None, 0, 1, 2, 3, 4, 8, "\t"]))
def test_json_as_programs_write_it(value: dict[str, Any], indent: int | str | None) -> None:
    check_json("json", json.dumps(value, indent=indent), value)


@LONG
@given(documents(), st.sampled_from([2, 4, "\t"]))
def test_an_entry_looks_as_if_it_had_been_there(value: dict[str, Any], indent: int | str) -> None:
    """Programs that write the file again make no difference of it."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if len(value) == 0 or "\n" not in text:
        return
    expected = {**value, "mcpServers": {**value.get("mcpServers", {}), "wassette": ENTRY}}
    added = edit("json", text, [(PATH, ENTRY)])
    assert added == json.dumps(expected, indent=indent, ensure_ascii=False)


@LONG
@given(st.text(st.sampled_from('{}[],:"\\/*\n 1ea-.truefalsn\u00e9\x00')))
def test_what_is_no_json_is_refused(text: str) -> None:
    """Whatever we read, another parser reads as the same; else there is a line and a reason."""
    try:
        expected = json.loads(text) if text.strip(" \n") else {}
    except ValueError:
        with pytest.raises(Unreadable) as refusal:
            reader("json").read(text)
        assert 1 <= refusal.value.line <= text.count("\n") + 1
        return
    assert reader("json").read(text) == expected


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"mcpServers": {}, "mcpServers": {}}', "lines 1 and 1"),
        ('{"mcpServers": {"wassette": 1,\n"wassette": 2}}', "lines 1 and 2"),
    ],
)
def test_of_two_keys_none_is_guessed(text: str, where: str) -> None:
    with pytest.raises(CannotEdit, match=f"{where}.*twice"):
        edit("jsonc", text, [(PATH, ENTRY)])


def test_the_value_of_an_entry_is_replaced_where_it_is() -> None:
    text = '{\n  "mcpServers": {\n    "wassette": 1, // mine\n    "b": 2\n  }\n}'
    added = edit("jsonc", text, [(PATH, {"k": [1]})])
    assert added == text.replace("1,", '{\n      "k": [\n        1\n      ]\n    },')
    part = edit("jsonc", added, [((*PATH, "k"), [2])])
    assert part == added.replace("        1\n", "        2\n")


# ---- TOML ----------------------------------------------------------------------------------------

names = st.one_of(st.sampled_from(["a", "b-c", "D_1"]), words)
toml_scalars = st.one_of(words, st.integers(-(10**9), 10**9), st.booleans())


def toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)


@st.composite
def toml_value(draw: st.DrawFn) -> str:
    value = draw(st.one_of(toml_scalars, st.lists(toml_scalars, max_size=3)))
    if isinstance(value, list):
        gap = draw(st.sampled_from(["", " ", "\n  ", " # ] \" '\n"]))
        return "[" + gap + ("," + gap).join(map(json.dumps, value)) + gap + "]"
    if isinstance(value, str):
        style = draw(st.integers(0, 3))
        if style == 1 and not set(value) & set("'\n\t"):
            return f"'{value}'"
        if style == 2 and "'" not in value:
            return f"'''\n{value}'''"
        if style == 3 and not set(value) & set('"\\'):
            return f'"""{value}\n[mcp_servers.wassette]\n"""'
    return json.dumps(value)


@st.composite
def toml_documents(draw: st.DrawFn) -> str:
    lines = []
    filler = st.sampled_from(["", "", "# c", "  # [mcp_servers.wassette]", "\t"])
    keys = draw(st.lists(names, max_size=3, unique=True))
    lines += [f"{toml_key(key)} = {draw(toml_value())}{draw(comment)}" for key in keys]
    tables = draw(
        st.lists(names, max_size=3, unique=True).map(lambda n: [x for x in n if x not in keys])
    )
    for table in tables:
        header = draw(st.sampled_from([f"[{toml_key(table)}]", f"[mcp_servers.{toml_key(table)}]"]))
        lines += [draw(filler), header + draw(comment)]
        for key in draw(st.lists(names, max_size=2, unique=True)):
            lines += [draw(filler), f"{toml_key(key)} = {draw(toml_value())}{draw(comment)}"]
    lines += draw(st.lists(filler, max_size=3))
    return "\n".join(lines)


comment = st.sampled_from(["", "", " # c", " # \"'"])


@LONG
@given(toml_documents(), st.booleans())
def test_toml(text: str, crlf: bool) -> None:
    text = text.replace("\n", "\r\n") if crlf else text
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        with pytest.raises(Unreadable):
            reader("toml").read(text)
        return
    path = ("mcp_servers", "wassette")
    if not isinstance(value.get("mcp_servers", {}), dict) or found(value, path) is not Absent:
        return
    entry = {**ENTRY, "env": {"a b": "c"}}
    added = edit("toml", text, [(path, entry)])
    assert added.startswith(text)
    assert found(tomllib.loads(added), path) == entry
    removed = edit("toml", added, [(path, Absent)])
    newline = "\r\n" if "\r\n" in text else "\n"
    assert removed == (text if not text or text.endswith("\n") else text + newline)


def test_toml_comments_stay_where_they_belong() -> None:
    text = (
        "# top\n[mcp_servers.wassette] # ours\n# about the command\ncommand = 'x'\n"
        "[mcp_servers.wassette.env]\nA = 'b'\n\n# about b\n[b]\nc = 1\n"
    )
    removed = edit("toml", text, [(("mcp_servers", "wassette"), Absent)])
    assert removed == "# top\n\n# about b\n[b]\nc = 1\n"


def test_toml_only_the_command_is_corrected() -> None:
    text = "[mcp_servers.wassette]\ncommand = '/old' # mine\nargs = [\n  's', # x\n]\nstartup = 9\n"
    path = ("mcp_servers", "wassette")
    changed = edit("toml", text, [((*path, "command"), "/new"), ((*path, "args"), ["a"])])
    assert changed == (
        '[mcp_servers.wassette]\ncommand = "/new" # mine\nargs = ["a"]\nstartup = 9\n'
    )


# ---- YAML ----------------------------------------------------------------------------------------

yaml_keys = st.sampled_from(["a", "b c", "d-e", "f_1", "'quo:ted'"])
yaml_values = st.recursive(
    st.sampled_from(
        ["1", "text", "'it''s'", '"a: b # c"', "true", "null", "[1, {x: y}]", "{}", "é 🦀", "~"]
    ),
    lambda inner: st.one_of(
        st.dictionaries(yaml_keys, inner, min_size=1, max_size=3),
        st.lists(inner, min_size=1, max_size=3),
        st.just("|\n<x\n<  y # no comment"),
        st.just(">-\n<a: b\n\n<c"),
    ),
    max_leaves=6,
)
yaml_comments = st.sampled_from(["", "", "", " # c"])
yaml_blanks = st.sampled_from(["", "", "", "\n", "# c\n", "    # far\n"])


@st.composite
def written_yaml(draw: st.DrawFn, value: Any, indent: str) -> str:
    """Lines, each with its end."""
    step = " " * draw(st.sampled_from([2, 2, 4]))
    if isinstance(value, str):
        return (
            " "
            + value.replace("<", indent + step)
            + draw(yaml_comments) * ("\n" not in value)
            + "\n"
        )
    if isinstance(value, list):
        inner = indent + draw(st.sampled_from(["", step])) if indent else step
        return (
            draw(yaml_comments)
            + "\n"
            + "".join(f"{inner}-{draw(written_yaml(one, inner + '  '))}" for one in value)
        )
    return (
        draw(yaml_comments)
        + "\n"
        + "".join(
            f"{draw(yaml_blanks)}{indent}{step}{key}:{draw(written_yaml(one, indent + step))}"
            for key, one in value.items()
        )
    )


@st.composite
def yaml_documents(draw: st.DrawFn) -> str:
    value = draw(st.dictionaries(yaml_keys, yaml_values, max_size=3))
    if draw(st.booleans()):
        value["extensions"] = draw(
            st.one_of(
                st.dictionaries(yaml_keys, yaml_values, min_size=1, max_size=3), st.just("{}")
            )
        )
    items = draw(st.permutations(list(value.items())))
    return "".join(f"{draw(yaml_blanks)}{key}:{draw(written_yaml(one, ''))}" for key, one in items)


@LONG
@given(yaml_documents(), st.booleans())
def test_yaml(text: str, crlf: bool) -> None:
    text = text.replace("\n", "\r\n") if crlf else text
    value = YAML(typ="safe", pure=True).load(text) or {}
    path = ("extensions", "wassette")
    added = edit("yaml", text, [(path, ENTRY)])
    assert is_inside(text, added)
    result = YAML(typ="safe", pure=True).load(added)
    assert result["extensions"].pop("wassette") == ENTRY
    assert result == {**value, "extensions": value.get("extensions", {})}
    removed = edit("yaml", added, [(path, Absent)])
    if "extensions" not in value:
        removed = edit("yaml", removed, [(path[:1], Absent)])
    assert removed == text


def test_yaml_of_a_list_of_one() -> None:
    path = ("mcpServers", Named("name", "wassette"))
    text = "mcpServers:\n  - name: wassette\n    args:\n      - a\n  # about b\nmodels: []\n"
    assert edit("yaml", text, [(path, Absent)]) == "mcpServers: []\n  # about b\nmodels: []\n"
    assert edit("yaml", text, [((*path, "args"), ["b"])]) == text.replace("- a", "- b")
