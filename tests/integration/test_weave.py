"""Weaving: what components of each kind import and export, through a real guard and worker."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support import wat
from wassette.config import Settings
from wassette.errors import InvalidComponent, ToolNotFound
from wassette.host import Host
from wassette.sandbox import binary, docs
from wassette.sandbox.weave import weave

pytestmark = pytest.mark.anyio
Component = Callable[[str], Path]


async def test_interfaces_that_only_define_types(host: Host, fixture_component: Component) -> None:
    path = fixture_component("types-only")
    names = [one.name for one in binary.outline(path.read_bytes()).imports]
    assert {name.partition("@")[0] for name in names} >= {
        "test:shapes/shapes",
        "test:shapes/colors",
    }
    await host.load(str(path))
    point = {"x": 3, "y": -4, "color": "green"}
    mirrored = await host.call_tool("mirror", {"p": point})
    assert mirrored.value == {"x": -3, "y": 4, "color": "green"}
    scaled = await host.call_tool("test_shapes_geometry_0_1_0_scale", {"p": point, "by": 2})
    assert scaled.value == {"x": 6, "y": -8, "color": "green"}


async def test_a_resource_makes_one_function_unavailable(
    host: Host, fixture_component: Component
) -> None:
    loaded = await host.load(str(fixture_component("resources")))
    assert loaded.tools == ("test_resources_counters_0_1_0_plain",)
    reasons = {f.name: f.unavailable for f in loaded.record.functions if f.unavailable}
    assert set(reasons) == {"[constructor]counter", "[method]counter.increment"}
    assert all("resource" in reason for reason in reasons.values())
    plain = await host.call_tool("test_resources_counters_0_1_0_plain", {"x": 21})
    assert plain.value == 42
    with pytest.raises(ToolNotFound):
        await host.call_tool("test_resources_counters_0_1_0__constructor_counter", {})


@pytest.mark.parametrize("fixture", ["js-config", "c-config-rc"])
async def test_configuration_in_both_published_shapes(
    settings: Settings, fixture_component: Component, fixture: str
) -> None:
    """`wasi:config/store` shows the granted variables, and no others."""
    variables = {"TOKEN": "s3cret", "REGION": "eu", "EMPTY": ""}
    async with Host(Settings(settings.component_dir, variables)) as host:
        await host.load(str(fixture_component(fixture)))
        assert (await host.call_tool("all-config", {})).value == []
        await host.grant_environment(fixture, "REGION")
        await host.grant_environment(fixture, "EMPTY")
        shown = (await host.call_tool("all-config", {})).value
        assert sorted(shown) == [["EMPTY", ""], ["REGION", "eu"]]
        for key, value in (("REGION", "eu"), ("EMPTY", ""), ("TOKEN", None), ("REG", None)):
            assert (await host.call_tool("get-config", {"key": key})).value == value


async def test_sockets_are_off(host: Host, fixture_component: Component) -> None:
    await host.load(str(fixture_component("c-sockets")))
    answers = [
        (await host.call_tool("tcp-probe", {"port": 9})).value,
        (await host.call_tool("udp-probe", {"port": 9})).value,
        (await host.call_tool("listen-probe", {})).value,
        (await host.call_tool("lookup-probe", {"name": "localhost"})).value,
    ]
    assert [answer.partition(": ")[2] for answer in answers] == [
        "access-denied",
        "access-denied",
        "access-denied",
        "permanent-resolver-failure",
    ]


def test_parameters_are_taken_out_of_a_doc_comment() -> None:
    text = "Adds.\n\n- `item`: the item,\n  all of it\n- other: not a parameter\n@param to where"
    found = docs.split(text, ["item", "to"])
    assert found.text == "Adds.\n\n- other: not a parameter"
    assert found.parameters == {"item": "the item, all of it", "to": "where"}


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_are_woven_or_refused(data: bytes) -> None:
    """Whatever is woven all the same, the compiler judges; nothing else is raised."""
    for content in (data, binary.COMPONENT + data):
        with contextlib.suppress(InvalidComponent):
            weave(content)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(), st.integers(1, 8))
def test_garbled_components_are_woven_or_refused(seed: int, edits: int) -> None:
    """Nothing but `InvalidComponent` comes out, however a real component is garbled."""
    choices = random.Random(seed)
    data = bytearray(_real)
    for _ in range(edits):
        data[choices.randrange(8, len(data))] = choices.randrange(256)
    with contextlib.suppress(InvalidComponent):
        weave(bytes(data))


_real = wat.component(
    """
(component
  (type $shapes (instance
    (type (record (field "x" s32) (field "y" (list string))))
    (export "point" (type (eq 0)))))
  (import "a:b/shapes" (instance $s (type $shapes)))
  (alias export $s "point" (type $point))
  (import "point" (type (eq $point)))
  (import "wasi:cli/environment@0.2.0" (instance
    (export "get-arguments" (func (result (list string))))))
  (core module $m (func (export "f") (result i32) (i32.const 1)))
  (core instance $i (instantiate $m))
  (func (export "f") (result u32) (canon lift (core func $i "f"))))
"""
)


async def test_garbled_components_never_harm_the_host(host: Host, tmp_path: Path) -> None:
    choices = random.Random(3)
    good = wat.component(wat.CALC)
    await host.load(str(wat.write(tmp_path, "calc")))
    for _ in range(25):
        data = bytearray(good)
        for _ in range(choices.randrange(1, 4)):
            data[choices.randrange(8, len(data))] = choices.randrange(256)
        path = tmp_path / "garbled.wasm"
        path.write_bytes(data)
        with contextlib.suppress(InvalidComponent):
            await host.load(str(path))
    assert (await host.call_tool("add", {"a": 1, "b": 1})).value == 2


def test_nested_types_cannot_exhaust_the_stack() -> None:
    """Attack: a component type in a component type in … thousands of times."""
    nested = b"\x42\x01\x01" * 5000 + b"\x7f"
    with pytest.raises(InvalidComponent, match="nested too deeply"):
        weave(binary.COMPONENT + binary.section(binary.Section.TYPE, b"\x01" + nested))


def test_a_list_longer_than_the_file() -> None:
    with pytest.raises(InvalidComponent, match="longer than the file"):
        weave(binary.COMPONENT + binary.section(binary.Section.IMPORT, b"\xff\xff\xff\xff\x0f"))
