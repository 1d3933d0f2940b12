"""What a component can reach, from its bytes alone."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support import wat
from wassette.components.record import ComponentRecord, FunctionRecord, Stamp
from wassette.errors import InvalidComponent
from wassette.sandbox import binary
from wassette.sandbox.capabilities import MAX_STRUCTURE, Held, capabilities, reach

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FUNCTION = '(instance (export "f" (func)))'


@pytest.mark.parametrize(
    ("name", "word", "held"),
    [
        ("wasi:http/outgoing-handler@0.2.3", "network", Held.POLICY),
        ("wasi:filesystem/types@0.2.0", "files", Held.POLICY),
        ("wasi:filesystem/preopens@0.2.9", "files", Held.POLICY),
        ("wasi:cli/environment@0.2.0", "environment", Held.POLICY),
        ("wasi:config/store@0.2.0-rc.1", "environment", Held.POLICY),
        ("wasi:sockets/tcp@0.2.0", "sockets", Held.NEVER),
        ("wasi:clocks/wall-clock@0.2.0", "clocks", Held.ALWAYS),
        ("wasi:random/insecure@0.2.0", "randomness", Held.ALWAYS),
        ("wasi:cli/stdout@0.2.0", "output", Held.ALWAYS),
    ],
)
def test_what_an_import_makes_possible(name: str, word: str, held: Held) -> None:
    [found] = reach([name])
    assert (found.name, found.held, found.imports) == (word, held, (name,))


@pytest.mark.parametrize(
    "name",
    [
        "wasi:http/types@0.2.0",  # messages, which go nowhere by themselves
        "wasi:http/outgoing-handler-like@0.2.0",
        "evil:wasi:filesystem/types",
        "wasi:cli/environment-of-mine",
        "wasi:io/streams@0.2.0",
    ],
)
def test_a_name_that_only_looks_like_one(name: str) -> None:
    assert reach([name]) == ()


def test_of_real_components(fixture_component: Callable[[str], Path]) -> None:
    found = {
        name: capabilities(fixture_component(name).read_bytes())
        for name in ("c-http", "c-files", "c-sockets", "js-fetch")
    }
    assert found["c-http"].names == ("network",)
    assert found["c-files"].names == ("files",)
    assert found["c-sockets"].names == ()
    assert "sockets" in [one.name for one in found["c-sockets"].reach]
    assert "network" in found["js-fetch"].names
    assert "JavaScript" in found["js-fetch"].languages  # said by a module inside of it
    assert found["js-fetch"].size == fixture_component("js-fetch").stat().st_size
    assert all(one.unavailable == () for one in found.values())
    assert "request" in found["c-http"].exports


def test_imports_that_are_not_provided() -> None:
    text = f"""(component (import "wasi:nn/inference@0.2.0" {FUNCTION})
      (import "wasi:clocks/wall-clock@0.2.0" {FUNCTION})
      (core module $m) (core instance (instantiate $m)))"""
    found = capabilities(wat.component(text))
    assert found.unavailable == ("wasi:nn/inference@0.2.0 (an interface)",)
    assert found.imports == ("wasi:nn/inference@0.2.0", "wasi:clocks/wall-clock@0.2.0")


def test_of_what_is_known_is_the_same_as_of_bytes() -> None:
    data = wat.component(wat.one_function("f"))
    functions = (FunctionRecord(None, "f", "", {}, None, None),)
    record = ComponentRecord("x", "ab" * 32, Stamp(len(data), 1), "x", 1.0, "", (), {}, functions)
    assert capabilities(record) == capabilities(data)
    assert capabilities(data).summary() == "nothing outside of it"


def custom(name: str, body: bytes) -> bytes:
    return binary.section(binary.Section.CUSTOM, binary.text(name) + body)


def producers(value: str) -> bytes:
    one = binary.vector([binary.text(value) + binary.text("1")])
    return custom("producers", binary.vector([binary.text("language") + one]))


def test_producers_of_what_is_inside_up_to_a_depth() -> None:
    data = binary.CORE_MODULE + producers("Core")
    data = binary.COMPONENT + binary.section(binary.Section.CORE_MODULE, data) + producers("Mid")
    data = binary.COMPONENT + binary.section(binary.Section.COMPONENT, data) + producers("Top")
    found = capabilities(data)
    assert found.languages == ("Top 1", "Core 1", "Mid 1")
    for _ in range(5000):  # as deep as somebody likes
        data = binary.COMPONENT + binary.section(binary.Section.COMPONENT, data)
    assert capabilities(data).languages == ()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0asm\1\0\0\0",
        binary.COMPONENT + b"\x0a\xff\xff\xff\xff\x0f",
        binary.COMPONENT + b"\x07\x05\x01",
        binary.COMPONENT + binary.section(binary.Section.TYPE, b"\0" * (MAX_STRUCTURE + 1)),
    ],
)
def test_what_is_no_component(data: bytes) -> None:
    with pytest.raises(InvalidComponent):
        capabilities(data)


def test_nothing_of_it_is_compiled() -> None:
    """The host process never imports wasmtime."""
    code = (
        "import sys\n"
        "from wassette.sandbox.capabilities import capabilities\n"
        f"assert capabilities({wat.component(wat.CALC)!r}).exports == ('add', 'spin', 'trap')\n"
        "assert not [one for one in sys.modules if one.startswith('wasmtime')]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == "" or "WIT package" in done.stderr
    assert (done.returncode, done.stderr) == (0, "")
