"""Provisioning from a manifest, with real components and a real host."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from support import wat
from wassette.errors import DigestMismatch, ProvisioningFailed
from wassette.host import Host
from wassette.policy import PolicyStatus
from wassette.provision import Provisioning, State, read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wassette.config import Settings

pytestmark = pytest.mark.anyio


def sha256(path: Path) -> str:
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


def declare(path: Path, permissions: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"uri": path.as_uri(), "permissions": permissions or {}, **more}


def manifest(folder: Path, *components: dict[str, Any], **options: bool) -> Provisioning:
    path = folder / "manifest.json"
    path.write_text(json.dumps({"version": 1, "components": components}))
    return Provisioning(read_manifest(path), **options)


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """What is in a component directory, and when it was written."""
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.iterdir()
        if path.name != ".lock"
    }


ENVIRONMENT = {"environment": {"allow": [{"key": "HOME"}]}}


async def test_from_nothing(host: Host, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    calc, other = wat.write(tmp_path, "calc"), wat.write(tmp_path, "o", wat.one_function("other"))
    permissions = {
        "storage": {"allow": [{"uri": f"fs://{shared}", "access": ["read"]}]},
        "resources": {"memory_bytes": 64 * 2**20, "cpu_time_ms": 2500},
    }
    run = manifest(tmp_path, declare(calc, permissions, digest=sha256(calc)), declare(other))
    assert (run.state, [one.state for one in run.components]) == (
        State.PENDING,
        [State.PENDING] * 2,
    )
    await run.run(host)
    assert run.state is State.READY
    assert [(one.state, one.component_id, one.changed) for one in run.components] == [
        (State.READY, "calc", True),
        (State.READY, "o", True),
    ]
    assert (await host.call_tool("add", {"a": 2, "b": 3})).value == 5
    grants = host.grants("calc")
    assert [mount.host for mount in grants.mounts] == [str(shared)]
    assert (grants.limits.memory, grants.limits.timeout) == (64 * 2**20, 2.5)
    assert host.policies.read("o").status is PolicyStatus.ABSENT
    meta = json.loads((host.settings.component_dir / "calc.policy.meta.json").read_text())
    assert meta["source_uri"] == (tmp_path / "manifest.json").as_uri()
    assert run.to_json()["components"][0] == {
        "name": calc.as_uri(),
        "uri": calc.as_uri(),
        "state": "ready",
        "component_id": "calc",
        "reason": None,
        "notes": [],
        "attempts": 1,
    }


async def test_twice_is_once(settings: Settings, tmp_path: Path) -> None:
    calc, other = wat.write(tmp_path, "calc"), wat.write(tmp_path, "o", wat.one_function("other"))
    components = (declare(calc, ENVIRONMENT, digest=sha256(calc)), declare(other, ENVIRONMENT))
    async with Host(settings) as host:
        await manifest(tmp_path, *components).run(host)
    before = files(settings.component_dir)
    async with Host(settings) as host:
        run = manifest(tmp_path, *components)
        await run.run(host)
    assert files(settings.component_dir) == before
    assert [(one.state, one.changed) for one in run.components] == [(State.READY, False)] * 2


async def test_bytes_that_are_here_need_no_source(host: Host, tmp_path: Path) -> None:
    """A container that starts again, without a network."""
    calc = wat.write(tmp_path, "calc")
    declared = declare(calc, digest=sha256(calc))
    await manifest(tmp_path, declared).run(host)
    calc.unlink()
    run = manifest(tmp_path, declared)
    await run.run(host)
    assert run.state is State.READY


async def test_a_changed_manifest_changes_the_policy(host: Host, tmp_path: Path) -> None:
    calc = wat.write(tmp_path, "calc")
    policy = host.policies.path("calc")
    await manifest(tmp_path, declare(calc, ENVIRONMENT)).run(host)
    assert "HOME" in policy.read_text()
    run = manifest(tmp_path, declare(calc, {"environment": {"allow": [{"key": "PATH"}]}}))
    await run.run(host)
    assert "HOME" not in policy.read_text()
    assert "PATH" in policy.read_text()
    assert run.components[0].changed
    # What is declared no more is granted no more.
    await manifest(tmp_path, declare(calc)).run(host)
    assert policy.read_text().endswith("permissions: {}\n")


@pytest.mark.parametrize("edited", [True, False], ids=["edited since", "its own from the start"])
async def test_a_persons_policy_stays(host: Host, tmp_path: Path, edited: bool) -> None:
    calc = wat.write(tmp_path, "calc")
    if edited:
        await manifest(tmp_path, declare(calc, ENVIRONMENT)).run(host)
    else:
        await host.load(str(calc))
    await host.grant_network("calc", "api.example.com")
    before = files(host.settings.component_dir)
    wat.write(tmp_path, "calc", wat.one_function("changed"))
    run = manifest(tmp_path, declare(calc, ENVIRONMENT))
    with pytest.raises(ProvisioningFailed) as failed:
        await run.run(host)
    assert "calc.policy.yaml: this policy was written or changed by a person" in str(failed.value)
    assert "wassette permission reset calc" in str(failed.value)
    assert run.state is State.FAILED
    assert files(host.settings.component_dir) == before, "nor were the bytes replaced"
    # Either way out: keep it, or have the manifest's.
    await manifest(tmp_path, declare(calc)).run(host)
    assert "api.example.com" in host.policies.path("calc").read_text()
    await host.reset_permissions("calc")
    await manifest(tmp_path, declare(calc, ENVIRONMENT)).run(host)
    assert "HOME" in host.policies.path("calc").read_text()


async def test_interrupted_between_the_policy_and_its_record(host: Host, tmp_path: Path) -> None:
    calc = wat.write(tmp_path, "calc")
    declared = declare(calc, ENVIRONMENT)
    await manifest(tmp_path, declared).run(host)
    (host.settings.component_dir / "calc.policy.meta.json").unlink()
    await manifest(tmp_path, declared).run(host)
    # It is known again as ours.
    run = manifest(tmp_path, declare(calc, {"environment": {"allow": [{"key": "PATH"}]}}))
    await run.run(host)
    assert run.state is State.READY


async def test_a_component_without_a_file(host: Host) -> None:
    """`starter:` and a value from a variable of another name, seen by a real component."""
    folder = host.settings.component_dir.parent
    folder.mkdir(parents=True, exist_ok=True)
    run = manifest(folder, {"uri": "starter:toolbox", "name": "tools", "permissions": {}})
    await run.run(host)
    assert (run.components[0].label, run.components[0].component_id) == ("tools", "toolbox")


async def test_values_from_variables(
    settings: Settings, fixture_component: Callable[[str], Path], tmp_path: Path
) -> None:
    available = {"PROD_TOKEN": "s3cret", "TOKEN": "not this one"}
    rules = [{"key": "TOKEN", "value_from": "PROD_TOKEN"}, {"key": "OTHER", "value_from": "GONE"}]
    async with Host(replace(settings, environment=available)) as host:
        declared = declare(fixture_component("c-probe"), {"environment": {"allow": rules}})
        run = manifest(tmp_path, declared)
        await run.run(host)
        assert (await host.call_tool("all-env", {})).value == [["TOKEN", "s3cret"]]
        assert run.components[0].notes == ("the variable GONE is not set (OTHER is empty)",)
    for path in settings.component_dir.iterdir():
        assert b"s3cret" not in path.read_bytes(), "the value is nowhere on disk"
    assert "s3cret" not in json.dumps(run.to_json())


# ---- failures -----------------------------------------------------------------------------------


async def test_the_first_failure_ends_it(host: Host, tmp_path: Path) -> None:
    bad = tmp_path / "bad.wasm"
    bad.write_text("no component")
    run = manifest(
        tmp_path,
        declare(wat.write(tmp_path, "a", wat.one_function("a"))),
        declare(bad, name="broken"),
        declare(wat.write(tmp_path, "c", wat.one_function("c"))),
    )
    with pytest.raises(ProvisioningFailed) as failed:
        await run.run(host)
    assert str(failed.value).startswith("Failed to provision 1 component(s):\n  - broken: file://")
    assert "bad.wasm is not WebAssembly" in str(failed.value)
    assert [one.state for one in run.components] == [State.READY, State.FAILED, State.PENDING]
    assert run.components[2].reason == "not tried, since broken failed"
    assert run.state is State.FAILED
    assert [state.id for state in host.components()] == ["a"]


async def test_failures_can_be_passed_over(host: Host, tmp_path: Path) -> None:
    bad = tmp_path / "bad.wasm"
    bad.write_text("no component")
    run = manifest(
        tmp_path,
        declare(bad),
        declare(wat.write(tmp_path, "c", wat.one_function("c"))),
        continue_on_failure=True,
    )
    await run.run(host)
    assert [one.state for one in run.components] == [State.FAILED, State.READY]
    assert run.state is State.READY
    assert run.to_json()["failed"] == 1
    summary = run.summary()
    assert summary is not None
    assert "bad.wasm is not WebAssembly" in summary
    assert (await host.call_tool("c", {})).value == 1


async def test_tries_again(host: Host, tmp_path: Path) -> None:
    """A file that is not there yet. What is wrong with bytes is wrong the next time too."""
    path = tmp_path / "later.wasm"
    policy = {"attempts": 50, "backoff": {"type": "linear", "increment_ms": 20}}
    run = manifest(tmp_path, declare(path, retry_policy=policy))
    task = asyncio.create_task(run.run(host))
    async with asyncio.timeout(60):
        while run.components[0].attempts < 3:
            await asyncio.sleep(0.005)
        assert "Trying again in" in str(run.components[0].reason)
        assert run.state is State.LOADING
        wat.write(tmp_path, "later")
        await task
    assert run.components[0].reason is None
    path.write_text("no component")
    run = manifest(tmp_path, declare(path, retry_policy=policy))
    with pytest.raises(ProvisioningFailed):
        await run.run(host)
    assert run.components[0].attempts == 1


async def test_gives_up_after_the_last_try(host: Host, tmp_path: Path) -> None:
    policy = {"attempts": 2, "backoff": {"type": "exponential", "base_ms": 1}}
    run = manifest(tmp_path, declare(tmp_path / "never.wasm", retry_policy=policy))
    with pytest.raises(ProvisioningFailed, match="does not exist"):
        await run.run(host)
    assert run.components[0].attempts == 3


async def test_can_be_cancelled(
    host: Host, tmp_path: Path, fixture_component: Callable[[str], Path]
) -> None:
    """While it waits for another try, and while it compiles."""
    waits = {"attempts": 1, "backoff": {"type": "linear", "increment_ms": 300_000}}
    large = tmp_path / "large.wasm"
    shutil.copy(fixture_component("js-inventory"), large)
    for declared in (declare(tmp_path / "never.wasm", retry_policy=waits), declare(large)):
        run = manifest(tmp_path, declared)
        task = asyncio.create_task(run.run(host))
        await asyncio.sleep(0.3)
        task.cancel()
        async with asyncio.timeout(60):
            with pytest.raises(asyncio.CancelledError):
                await task
        assert run.components[0].reason == "it was interrupted"
        assert run.state is State.PENDING
    assert host.components() == []
    assert not list(host.settings.component_dir.glob(".incoming*"))


# ---- attacks ------------------------------------------------------------------------------------


async def test_other_bytes_than_declared(host: Host, tmp_path: Path) -> None:
    """Attack: replace the component where it comes from. Not even its format is looked at."""
    calc = wat.write(tmp_path, "calc")
    declared = declare(calc, ENVIRONMENT, digest=sha256(calc))
    await manifest(tmp_path, declared).run(host)
    before = files(host.settings.component_dir)
    wat.write(tmp_path, "calc", wat.one_function("evil"))
    # As declared, nothing is loaded at all: the right bytes are here.
    await manifest(tmp_path, declared).run(host)
    assert (await host.call_tool("add", {"a": 1, "b": 1})).value == 2
    expected = "sha256:" + "0" * 64
    for content in (calc.read_bytes(), b"rubbish, not a component"):
        calc.write_bytes(content)
        run = manifest(tmp_path, declare(calc, ENVIRONMENT, digest=expected))
        with pytest.raises(ProvisioningFailed) as failed:
            await run.run(host)
        assert f"has the digest {sha256(calc)}, but {expected} was asked for" in str(failed.value)
        assert isinstance(failed.value.__cause__, DigestMismatch)
    assert files(host.settings.component_dir) == before


async def test_another_component_under_its_name(host: Host, tmp_path: Path) -> None:
    """Attack: bytes put by hand into the directory are not those that were declared."""
    calc = wat.write(tmp_path, "calc")
    declared = declare(calc, digest=sha256(calc))
    await manifest(tmp_path, declared).run(host)
    here = host.store.path("calc")
    here.write_bytes(wat.component(wat.one_function("evil")))
    await manifest(tmp_path, declared).run(host)
    assert sha256(here) == sha256(calc)
    assert [tool.name for tool in host.tools().of("calc")] == ["add", "spin", "trap"]


async def test_a_component_that_may_write_beside_the_manifest(
    host: Host, fixture_component: Callable[[str], Path], tmp_path: Path
) -> None:
    """Attack: write the manifest, and be granted everything at the next start."""
    folder = tmp_path / "deploy"
    folder.mkdir()
    rule = {"uri": f"fs://{folder}", "access": ["read", "write"]}
    declared = declare(fixture_component("c-probe"), {"storage": {"allow": [rule]}})
    await manifest(folder, declared).run(host)
    path = folder / "manifest.json"
    before = path.read_text()
    beside = await host.call_tool("write-file", {"path": f"{folder}/beside", "text": "x"})
    assert not beside.is_error
    wrote = await host.call_tool("write-file", {"path": str(path), "text": "x"})
    assert wrote.is_error
    assert path.read_text() == before


async def test_wassettes_own_files_are_not_granted(host: Host, tmp_path: Path) -> None:
    """A manifest may grant, but not what no policy may."""
    calc = wat.write(tmp_path, "calc")
    rule = {"uri": f"fs://{host.settings.component_dir}", "access": ["write"]}
    run = manifest(tmp_path, declare(calc, {"storage": {"allow": [rule]}}))
    with pytest.raises(ProvisioningFailed, match="Wassette's own files"):
        await run.run(host)
    assert host.components() == []
    assert host.policies.read("calc").status is PolicyStatus.ABSENT


async def test_a_record_that_was_made_up(host: Host, tmp_path: Path) -> None:
    """Rubbish beside the policy is not taken for our own word."""
    calc = wat.write(tmp_path, "calc")
    await host.load(str(calc))
    await host.grant_environment("calc", "PATH")
    meta = host.settings.component_dir / "calc.policy.meta.json"
    for text in ("", "[]", "{", '{"sha256": 5}', '{"source_uri": "x"}', "[" * 10_000):
        meta.write_text(text)
        with pytest.raises(ProvisioningFailed, match="by a person"):
            await manifest(tmp_path, declare(calc, ENVIRONMENT)).run(host)
    assert "PATH" in host.policies.path("calc").read_text()
