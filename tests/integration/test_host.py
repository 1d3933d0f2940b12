"""The host with real workers: loading, calling, reloading, and what may not go wrong."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from support import wat
from wassette.answers import Change
from wassette.components.store import ComponentStore, Unexamined
from wassette.errors import (
    ComponentChanged,
    ComponentNotFound,
    InvalidComponent,
    InvalidReference,
    ToolNotFound,
    WassetteError,
)
from wassette.host import Host
from wassette.paths import paths

if TYPE_CHECKING:
    from pathlib import Path

    from wassette.config import Settings

pytestmark = pytest.mark.anyio


async def test_loads_and_calls(host: Host, tmp_path: Path) -> None:
    stages: list[str] = []
    loaded = await host.load(str(wat.write(tmp_path, "calc")), lambda s, _: stages.append(s))
    assert (loaded.record.id, loaded.replaced, loaded.changed_from) == ("calc", False, None)
    assert loaded.tools == ("add", "spin", "trap")
    assert list(dict.fromkeys(stages)) == ["reading", "compiling", "loaded"]
    result = await host.call_tool("add", {"a": 2, "b": -5})
    assert (result.value, result.error, result.is_error) == (-3, None, False)


async def test_loading_again_keeps_place_and_policy(host: Host, tmp_path: Path) -> None:
    path = wat.write(tmp_path, "calc")
    first = await host.load(str(path))
    await host.grant_environment("calc", "HOME")
    again = await host.load(str(path))
    assert (again.replaced, again.changed_from) == (True, None)
    assert again.record.loaded_at == first.record.loaded_at
    wat.write(tmp_path, "calc", wat.one_function("other", 7))
    changed = await host.load(str(path))
    assert changed.changed_from == first.record.digest
    assert changed.tools == ("other",)
    assert host.policy("calc").document is None  # until a person has seen what is different
    await host.mark_seen("calc")
    document = host.policy("calc").document
    assert document is not None
    assert document["permissions"]["environment"] == {"allow": [{"key": "HOME"}]}
    assert (await host.call_tool("other", {})).value == 7


async def test_unloading_leaves_nothing(host: Host, tmp_path: Path) -> None:
    await host.load(str(wat.write(tmp_path, "calc")))
    await host.grant_environment("calc", "HOME")
    await host.unload("calc")
    left = {path.name for path in host.settings.component_dir.iterdir()}
    assert left <= {".lock"}
    with pytest.raises(ToolNotFound):
        await host.call_tool("add", {"a": 1, "b": 1})
    with pytest.raises(ComponentNotFound):
        await host.unload("calc")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is an empty file"),
        (b"hello, world", "is not WebAssembly"),
        (wat.component("(module)"), "is a core WebAssembly module, not a component"),
        (wat.component(wat.CALC)[:-20], "is cut short"),
        (wat.component("(component)"), "has no code"),
        (b"\0asm\x0e\0\x01\0", "of a version that is not known"),
        (wat.component(wat.CALC) + b"\x07\x02\x01\x99", "a type of kind 0x99 is not understood"),
    ],
)
async def test_refuses_what_is_no_component(
    host: Host, tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "bad.wasm"
    path.write_bytes(content)
    with pytest.raises(InvalidComponent, match=r"bad\.wasm") as refused:
        await host.load(str(path))
    assert says in str(refused.value)
    assert host.components() == []
    assert not list(host.settings.component_dir.glob("*.wasm"))
    assert not list(host.settings.component_dir.glob(".incoming*"))


async def test_a_refused_reload_keeps_what_was_there(host: Host, tmp_path: Path) -> None:
    path = wat.write(tmp_path, "calc")
    await host.load(str(path))
    path.write_bytes(b"rubbish")
    with pytest.raises(InvalidComponent):
        await host.load(str(path))
    assert (await host.call_tool("add", {"a": 1, "b": 1})).value == 2


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("", "Invalid component reference"),
        ("file://", "names no file"),
        ("invalid://path", "Unsupported URI scheme 'invalid'. Use 'file://' or 'oci://'"),
        ("http://example.com/x.wasm", "Unsupported URI scheme 'http'"),
        ("oci://ghcr.io/X/y:latest", "Failed to parse OCI reference"),
        ("https://me:pw@example.com/x.wasm", "no user name or password"),
        ("starter:nothing", "no starter component 'nothing'"),
        ("starter:../../etc/passwd", "no starter component"),
        ("/does/not/exist.wasm", "Component path does not exist: /does/not/exist.wasm"),
        ("/etc/passwd", "Invalid file extension"),
        ("/", "is a directory"),
        ("a\0b.wasm", "Invalid component reference"),
        ("file:///%00.wasm", "is not a path"),
    ],
)
async def test_refuses_bad_references(host: Host, reference: str, says: str) -> None:
    with pytest.raises(InvalidReference) as refused:
        await host.load(reference)
    assert says in str(refused.value)


async def test_refuses_large_and_special_files(host: Host, tmp_path: Path) -> None:
    large = tmp_path / "large.wasm"
    with large.open("wb") as file:
        file.truncate(2 * 1024**3)
    with pytest.raises(InvalidComponent, match="is too large: 2,048 MB; the limit is 256 MB"):
        await host.load(str(large))
    fifo = tmp_path / "fifo.wasm"
    os.mkfifo(fifo)
    with pytest.raises(InvalidComponent, match="is not a regular file"):
        await asyncio.wait_for(host.load(str(fifo)), 20)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            '(component (import "wasi:nn/inference@0.2.0" (instance (export "f" (func)))))',
            "wasi:nn/inference@0.2.0 (an interface)",
        ),
        ('(component (import "helper" (func)))', "helper (a function)"),
        (
            '(component (import "wassette:guard/host@0.1.0" (instance'
            ' (export "refused" (func (param "kind" string) (param "target" string))))))',
            "wassette:guard/host@0.1.0",
        ),
        ('(component (import "m" (core module)))', "m (a core module)"),
        (
            '(component (import "wasi:io/poll@0.3.0" (instance (export "f" (func)))))',
            "wasi:io/poll@0.3.0",
        ),
        (
            '(component (import "a:b/c" (instance (export "r" (type (sub resource))))))',
            "a:b/c (an interface)",
        ),
    ],
)
async def test_names_imports_that_are_not_provided(
    host: Host, tmp_path: Path, text: str, says: str
) -> None:
    with_code = text.rstrip()[:-1] + " (core module))"
    with pytest.raises(InvalidComponent) as refused:
        await host.load(str(wat.write(tmp_path, "importer", with_code)))
    assert says in str(refused.value)
    assert "which Wassette does not provide" in str(refused.value)


async def test_changed_bytes_are_not_run(host: Host, tmp_path: Path) -> None:
    await host.load(str(wat.write(tmp_path, "calc")))
    path = host.store.path("calc")
    path.write_bytes(wat.component(wat.one_function("add")))
    with pytest.raises(ComponentChanged, match="changed on disk"):
        host.store.get("calc")
    state = next(iter(host.components()))
    assert state.error is not None
    with pytest.raises(WassetteError):
        await host.call_tool("add", {"a": 1, "b": 1})


async def test_touched_bytes_are(host: Host, tmp_path: Path) -> None:
    await host.load(str(wat.write(tmp_path, "calc")))
    os.utime(host.store.path("calc"))
    assert (await host.call_tool("add", {"a": 1, "b": 1})).value == 2


async def test_adopts_what_was_put_there_by_hand(host: Host) -> None:
    folder = host.settings.component_dir
    wat.write(folder, "calc")
    assert isinstance(ComponentStore(folder).get("calc"), Unexamined)
    await host.examined()
    assert (await host.call_tool("add", {"a": 1, "b": 1})).value == 2


async def test_bad_metadata_is_made_again(host: Host, tmp_path: Path) -> None:
    await host.load(str(wat.write(tmp_path, "calc")))
    metadata = host.settings.component_dir / "calc.metadata.json"
    good = json.loads(metadata.read_text())
    for bad in (
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        json.dumps({**good, "component_id": "x"}).encode(),
    ):
        metadata.write_bytes(bad)
        fresh = ComponentStore(host.settings.component_dir)
        assert isinstance(fresh.get("calc"), Unexamined)
    await host.examined()
    assert (await host.call_tool("add", {"a": 1, "b": 1})).value == 2


async def test_planted_code_is_not_run(host: Host, tmp_path: Path) -> None:
    """Attack: other machine code under the name of a component's, in the cache."""
    await host.load(str(wat.write(tmp_path, "calc")))
    await host.load(str(wat.write(tmp_path, "evil", wat.one_function("evil"))))
    ours, evil = (
        paths().code / name
        for component in ("calc", "evil")
        for name in host.store.get(component).code  # type: ignore[union-attr]
    )
    ours.write_bytes(evil.read_bytes())
    assert (await host.call_tool("add", {"a": 1, "b": 1})).value == 2


async def test_a_lost_cache_is_made_again(host: Host, tmp_path: Path) -> None:
    await host.load(str(wat.write(tmp_path, "calc")))
    for path in paths().code.iterdir():
        path.unlink()
    assert (await host.call_tool("add", {"a": 1, "b": 1})).value == 2


async def test_a_broken_policy_gives_nothing(host: Host, tmp_path: Path) -> None:
    await host.load(str(wat.write(tmp_path, "calc")))
    await host.grant_storage("calc", f"fs://{tmp_path}", ["read"])
    await host.grant_memory("calc", "64Mi")
    good = host.grants("calc")
    assert [mount.host for mount in good.mounts] == [str(tmp_path)]
    host.policies.path("calc").write_text("version: [")
    broken = host.grants("calc")
    assert (broken.mounts, broken.environment) == ((), ())
    assert str(tmp_path) in good.file_rules
    assert str(tmp_path) not in broken.file_rules
    assert (await host.call_tool("add", {"a": 1, "b": 1})).value == 2
    assert host.policy("calc").error is not None


async def test_cancelling_a_load_leaves_nothing(host: Host, tmp_path: Path) -> None:
    def cancel(stage: str, _: float | None) -> None:
        if stage == "compiling":
            asyncio.get_running_loop().call_later(0.01, task.cancel)

    task = asyncio.create_task(host.load(str(wat.write(tmp_path, "calc")), cancel))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert host.components() == []
    assert not list(host.settings.component_dir.glob(".incoming*"))
    assert not list(paths().code.glob(".*"))
    await host.load(str(tmp_path / "calc.wasm"))


async def test_names_collide_without_loss(host: Host, tmp_path: Path) -> None:
    await host.load(str(wat.write(tmp_path, "first", wat.one_function("fetch", 1))))
    await host.load(str(wat.write(tmp_path, "second.v2", wat.one_function("fetch", 2))))
    await host.load(str(wat.write(tmp_path, "third", wat.one_function("load-component", 3))))
    names = [tool.name for tool in host.tools().all()]
    assert names == ["fetch", "second_v2__fetch", "third__load-component"]
    values = [(await host.call_tool(name, {})).value for name in names]
    assert values == [1, 2, 3]


async def test_sees_what_another_process_changes(settings: Settings, tmp_path: Path) -> None:
    told: asyncio.Queue[Change] = asyncio.Queue()

    async def next_change() -> Change:
        return await asyncio.wait_for(told.get(), 20)

    async with Host(settings) as ours, Host(settings) as other, ours.watching(told.put_nowait):
        await other.load(str(wat.write(tmp_path, "calc")))
        assert await next_change() == Change(
            tools=True, components=True, updated=frozenset({"calc"})
        )
        assert [tool.name for tool in ours.tools().all()] == ["add", "spin", "trap"]
        await other.grant_environment("calc", "HOME")
        only_policy = Change(tools=False, components=False, updated=frozenset({"calc"}))
        assert await next_change() == only_policy
        await ours.grant_environment("calc", "PATH")
        assert told.get_nowait() == only_policy  # at once: it was changed here
        await other.unload("calc")
        assert await next_change() == Change(
            tools=True, components=True, updated=frozenset({"calc"})
        )
        assert ours.tools().all() == []
        assert told.empty()


@pytest.mark.skipif(sys.platform != "linux", reason="the directory itself shows nothing of it")
async def test_sees_a_policy_that_an_editor_writes_in_place(host: Host, tmp_path: Path) -> None:
    await host.load(str(wat.write(tmp_path, "calc")))
    await host.grant_environment("calc", "HOME")
    policy = host.store.directory / "calc.policy.yaml"
    told: asyncio.Queue[Change] = asyncio.Queue()
    async with host.watching(told.put_nowait):
        await asyncio.sleep(0.2)  # it listens
        with policy.open("r+") as file:
            text = file.read().replace("HOME", "PATH")
            file.seek(0)
            file.write(text)
        change = await asyncio.wait_for(told.get(), 20)
    assert change == Change(tools=False, components=False, updated=frozenset({"calc"}))


async def test_code_of_other_bytes_is_not_kept(host: Host, tmp_path: Path) -> None:
    """Attack: exchange the component's file just before it is compiled again."""
    loaded = await host.load(str(wat.write(tmp_path, "calc")))
    for path in paths().code.iterdir():
        path.unlink()
    evil = wat.component(wat.one_function("add"))
    host.store.path("calc").write_bytes(evil)
    with pytest.raises(ComponentChanged, match="changed while they were compiled"):
        await host._code.get(loaded.record)
    assert list(paths().code.iterdir()) == []
