"""A world as WIT text: what is written reads back as the same types."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from build import COMPONENTIZE, NODE_MODULES, ROOT

from wassette.sandbox import wit, wit_text
from wassette.sandbox.examine import Examination, compile_and_examine
from wassette.sandbox.tiers import Tier
from wassette.sandbox.wit_text import Exports, FunctionText

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def examined(data: bytes) -> Examination:
    return compile_and_examine(data, Tier.WINCH)[1]


def read_back(text: str, folder: Path) -> Examination:
    """A component of the text's world, made by other people's WIT parser. Its imports are left
    out: what they are is not in the text."""
    lines = [line for line in text.splitlines() if not line.strip().startswith("import ")]
    source, output = folder / "world.wit", folder / "world.wasm"
    source.write_text("\n".join(lines), encoding="utf-8")
    node = NODE_MODULES / ".bin" / "node"
    command = [str(node), str(COMPONENTIZE), "--wit", str(source), "--world", "root"]
    done = subprocess.run(
        [*command, "--dummy", "-o", str(output)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + text
    return examined(output.read_bytes())


def types(schema: Any) -> Any:
    """A schema without its words: comments in nested packages do not come through that parser."""
    if isinstance(schema, dict):
        words = isinstance(schema.get("description"), str)
        return {k: types(v) for k, v in schema.items() if not (words and k == "description")}
    return [types(one) for one in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize("name", ["js-inventory", "types-only", "py-notes", "c-probe", "resources"])
def test_reads_back(name: str, fixture_component: Callable[[str], Path], tmp_path: Path) -> None:
    original = examined(fixture_component(name).read_bytes())
    again = read_back(original.wit, tmp_path)
    callable_ones = [one for one in original.functions if one.unavailable is None]
    assert len(again.functions) == len(callable_ones)
    for one, other in zip(again.functions, callable_ones, strict=True):
        assert (one.interface, one.name) == (other.interface, other.name)
        assert types(one.input_schema) == types(other.input_schema)
        assert one.output_schema == other.output_schema
        for line in other.description.splitlines():
            assert f"/// {line}" in original.wit or not line


EVERY_TYPE = wit.Record(
    (
        ("list", wit.List(wit.U8)),  # keywords are names too
        ("record", wit.Tuple((wit.Bool(), wit.Char(), wit.Float(32), wit.Float(64)))),
        ("a", wit.Option(wit.Option(wit.String()))),
        ("b", wit.Result(None, None)),
        ("c", wit.Result(wit.Int(64, signed=True), None)),
        ("d", wit.Result(None, wit.Enum(("type", "use")))),
        ("e", wit.Flags(("x", "y"))),
        ("f", wit.Variant((("none", None), ("some", wit.Int(16, signed=False))))),
    )
)


def test_every_type(tmp_path: Path) -> None:
    function = wit.Function((("func", EVERY_TYPE),), wit.List(EVERY_TYPE))
    text = wit_text.world(
        [],
        {
            None: Exports([FunctionText("export", function, "Says\u202e it.\n\nTwice.")]),
            "a:b/world@1.2.3": Exports([FunctionText("get", function)], {"thing": EVERY_TYPE}),
            "a:b/other@1.2.3": Exports([FunctionText("get", wit.Function())], {"n": wit.U8}),
            "a:c/other": Exports([FunctionText("get", wit.Function())]),
        },
        "What it is for",
    )
    assert "/// Says\\u{202e} it." in text
    assert "record thing {" in text
    again = read_back(text, tmp_path)
    assert [(one.interface, one.name) for one in again.functions] == [
        (None, "export"),
        ("a:b/world@1.2.3", "get"),
        ("a:b/other@1.2.3", "get"),
        ("a:c/other", "get"),
    ]
    shapes = {json.dumps(one.input_schema["properties"]) for one in again.functions[:2]}
    assert len(shapes) == 1


def test_what_cannot_be_passed_is_named() -> None:
    resource = wit.Unsupported("a resource")
    function = wit.Function((("self", resource),), None)
    text = wit_text.world([], {"a:b/c": Exports([FunctionText("[method]r.m", function)])})
    assert "// [method]r.m: parameter 'self' holds a resource" in text


def test_is_bounded() -> None:
    one = FunctionText("f", wit.Function((("text", wit.String()),), None), "x" * 900)
    many = [FunctionText(f"f{number}", one.function, one.docs) for number in range(1000)]
    text = wit_text.world([], {None: Exports(many)})
    assert len(text) < wit_text.MAX_TEXT + 200
    assert "the rest is left out" in text
