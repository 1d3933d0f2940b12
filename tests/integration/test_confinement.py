"""Confined workers in their daily life: what components were granted works as it did without."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from support import wat
from support.files import Guest
from wassette.errors import NotConfined
from wassette.host import Host
from wassette.workers import protocol, walls
from wassette.workers.launcher import ForkLauncher, SpawnLauncher
from wassette.workers.process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from wassette.config import Settings
    from wassette.policy import Grants

pytestmark = pytest.mark.anyio

LINUX = sys.platform.startswith("linux")
if LINUX:
    from support.ward import harness


@pytest.fixture
async def files(host: Host, fixture_component: Callable[[str], Path]) -> Host:
    await host.load(str(fixture_component("c-files")))
    return host


async def run(host: Host, *script: str) -> list[str]:
    operations = [one.split(" ") for one in script]
    result = await host.call_tool("run", {"operations": operations})
    assert result.error is None, result.error
    return list(result.value)


def natively(host: Host, *script: str) -> list[str]:
    """The same with the same grants in this process, around which are no walls."""
    grants = host.grants("c-files")
    mounts = tuple((one.host, one.guest, one.writable) for one in grants.mounts)
    return Guest("c-files", mounts, grants.file_rules).run(one.split(" ") for one in script)


async def grant(host: Host, *rules: tuple[str, Sequence[str]]) -> None:
    for uri, access in rules:
        await host.grant_storage("c-files", uri, list(access))


def make(folder: Path) -> Path:
    """A small tree, always the same."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("docs/deep/er", "logs", "single", "locked"):
        (folder / name).mkdir(parents=True)
    for name in ("docs/a.md", "docs/b.txt", "docs/deep/c.md", "docs/deep/er/d.md", "logs/1.log",
                 "single/only.txt", "single/other.txt", "single/w.txt", "locked/x"):  # fmt: skip
        (folder / name).write_text(name)
    (folder / "docs/link.md").symlink_to("deep/c.md")
    (folder / "docs/out.md").symlink_to("../single/other.txt")
    return folder


RW = ("read", "write")
POLICIES: dict[str, list[tuple[str, Sequence[str]]]] = {
    "nothing": [],
    "a tree": [("fs://{T}", RW)],
    "a tree for reading": [("fs://{T}", ("read",))],
    "a tree for writing": [("fs://{T}/docs", ("write",))],
    "patterns": [("fs://{T}/docs/**/*.md", RW), ("fs://{T}/logs/*", ("read",))],
    "a file": [("fs://{T}/single/only.txt", ("read",))],
    "a file for writing": [("fs://{T}/single/w.txt", RW), ("fs://{T}/single/new.txt", RW)],
    "a directory to be made": [("fs://{T}/made", RW)],
    "nested": [("fs://{T}/docs", ("read",)), ("fs://{T}/docs/deep", RW)],
    "files and trees": [
        ("fs://{T}/single/only.txt", ("read",)),
        ("fs://{T}/single/w.txt", RW),
        ("fs://{T}/docs", RW),
        ("fs://notes", RW),
    ],
}
SCRIPT = [
    "list /", "list {T}", "list {T}/docs", "list {T}/docs/deep", "list {T}/single", "list {T}/logs",
    "read {T}/docs/a.md", "read {T}/docs/b.txt", "read {T}/docs/deep/er/d.md",
    "read {T}/docs/link.md", "read {T}/docs/out.md", "read {T}/single/only.txt",
    "read {T}/single/other.txt",
    "stat {T}/single/only.txt", "lstat {T}/docs/link.md", "stat {T}/docs/deep",
    "access {T}/locked/x",
    "write {T}/docs/a.md new", "append {T}/docs/a.md +", "read {T}/docs/a.md",
    "create {T}/docs/n.md x", "create {T}/docs/deep/n.txt x", "mkdir {T}/docs/deep/d",
    "rename {T}/docs/n.md {T}/docs/deep/n.md", "rename {T}/docs/deep/er {T}/docs/er",
    "link {T}/docs/a.md {T}/docs/deep/hard.md", "symlink a.md {T}/docs/sym.md",
    "readlink {T}/docs/sym.md", "read {T}/docs/sym.md", "unlink {T}/docs/sym.md",
    "times {T}/docs/a.md", "ltimes {T}/docs/deep/c.md", "truncate {T}/docs/a.md",
    "rmdir {T}/docs/deep/d", "unlink {T}/docs/deep/c.md", "write {T}/single/w.txt w2",
    "read {T}/single/w.txt", "unlink {T}/single/w.txt", "create {T}/single/w.txt again",
    "read {T}/single/w.txt", "write {T}/single/new.txt n", "read {T}/single/new.txt",
    "rename {T}/single/new.txt {T}/single/w.txt", "read {T}/single/w.txt",
    "write {T}/single/only.txt no", "unlink {T}/single/only.txt", "mkdir {T}/made",
    "write {T}/made/f x", "read {T}/made/f", "list {T}/made", "rename {T}/made/f {T}/docs/f",
    "with {T}/docs/a.md r stat", "write /notes/n n", "read /notes/n", "list /notes",
    "read /etc/passwd", "read /proc/self/statm", "read {T}/locked/x",
]  # fmt: skip


@pytest.mark.parametrize("rules", POLICIES.values(), ids=POLICIES)
async def test_files_are_as_they_are_without_walls(
    files: Host, tmp_path: Path, rules: list[tuple[str, Sequence[str]]]
) -> None:
    tree = make(tmp_path.resolve() / "T")
    await grant(files, *((uri.format(T=tree), access) for uri, access in rules))
    script = [one.format(T=tree) for one in SCRIPT]
    before = natively(files, *script)
    shutil.rmtree(files._parts.permissions.roots / "c-files", ignore_errors=True)
    make(tree)
    assert await run(files, *script) == before


async def test_a_directory_that_is_made_later(files: Host, tmp_path: Path) -> None:
    later = tmp_path.resolve() / "later"
    await grant(files, (f"fs://{later}", ("read",)))
    assert await run(files, f"list {later}") == ["EACCES"]
    later.mkdir()
    (later / "f").write_text("here now")
    files._parts.permissions.forget()  # what a policy comes to is kept for a second
    assert await run(files, f"list {later}", f"read {later}/f") == ["f", "here now"]


async def test_a_file_that_an_editor_replaced(files: Host, tmp_path: Path) -> None:
    """At once: what a policy comes to may be kept for a second, but not for another file."""
    file = tmp_path.resolve() / "notes.txt"
    file.write_text("first")
    await grant(files, (f"fs://{file}", ("read",)))
    assert await run(files, f"read {file}") == ["first"]
    for text in ("second", "third"):
        fresh = tmp_path / "fresh"
        fresh.write_text(text)
        os.replace(fresh, file)
        assert await run(files, f"read {file}") == [text]


async def test_a_directory_that_was_replaced(files: Host, tmp_path: Path) -> None:
    folder = tmp_path.resolve() / "checkout"
    folder.mkdir()
    (folder / "f").write_text("first")
    await grant(files, (f"fs://{folder}", RW))
    assert await run(files, f"read {folder}/f") == ["first"]
    folder.rename(tmp_path / "old")
    folder.mkdir()
    (folder / "f").write_text("second")
    assert await run(files, f"read {folder}/f", f"write {folder}/g x") == ["second", "ok"]
    assert not (tmp_path / "old/g").exists()


async def test_a_path_that_leads_elsewhere_when_the_worker_starts(
    files: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attack: swap a directory for a link between the look at the policy and the start."""
    if not LINUX:
        pytest.skip("there are no such walls")
    folder, secret = tmp_path.resolve() / "granted", tmp_path.resolve() / "secret"
    for one in (folder, secret):
        one.mkdir()
        (one / "f").write_text(one.name)
    await grant(files, (f"fs://{folder}", ("read",)))
    grants = files.grants("c-files")

    async def those(*_: object) -> Grants:
        return grants

    folder.rename(tmp_path / "moved")
    folder.symlink_to(secret)
    monkeypatch.setattr(files._parts.permissions, "current_grants", those)
    result = await files.call_tool("run", {"operations": [["read", f"{folder}/f"]]})
    assert result.value == ["EACCES"]


# ---- the setting ---------------------------------------------------------------------------------


@pytest.mark.parametrize("launcher", [ForkLauncher, SpawnLauncher])
async def test_a_worker_says_which_walls_stand(
    host: Host, tmp_path: Path, launcher: Callable[[], Any]
) -> None:
    await host.load(str(wat.write(tmp_path, "calc")))
    record = await host.component("calc")
    spec = host._parts.workers.spec(record, await host._parts.code.get(record), host.grants("calc"))
    starting = launcher()
    worker = await WorkerProcess.start(starting)
    try:
        granted = protocol.grants(spec.environment, spec.file_rules, spec.openings)
        ready, _ = await worker.request(spec.load_request(None), granted)
    finally:
        worker.kill()
        await starting.close()
    assert ready["kind"] == "ready"
    assert ready["walls"] == [wall.name for wall in walls.available() if wall.stands]


async def test_all_walls_can_be_required(settings: Settings, tmp_path: Path) -> None:
    if walls.refusal(walls.available()):
        pytest.skip("a wall is missing on this machine")
    async with Host(replace(settings, walls="require")) as host:
        await host.load(str(wat.write(tmp_path, "calc")))
        assert (await host.call_tool("add", {"a": 1, "b": 2})).value == 3


@pytest.mark.skipif(not LINUX, reason="walls are taken away as Linux lets us")
@pytest.mark.parametrize(
    ("without", "wall", "reason"),
    [
        ("no-libseccomp", "network", "is not installed"),
        ("no-landlock", "files", "the kernel has no Landlock"),
    ],
)
async def test_without_a_wall_nothing_runs_where_all_are_required(
    settings: Settings, tmp_path: Path, without: str, wall: str, reason: str
) -> None:
    component = str(wat.write(tmp_path, "calc"))
    required = replace(settings, walls="require")
    with harness((without,)):
        async with Host(required) as host:
            with pytest.raises(NotConfined) as compiling:
                await host.load(component)
    async with Host(settings) as host:
        await host.load(component)
    with harness((without,)):
        async with Host(required) as host:
            calling = (await host.call_tool("add", {"a": 1, "b": 2})).error
    assert isinstance(calling, NotConfined)
    for text in (str(compiling.value), str(calling)):
        assert f"the wall '{wall}' around its process does not stand here" in text
        assert reason in text
        assert "walls" in text
        assert "WASSETTE_WALLS" in text
        assert "wassette doctor" in text


@pytest.mark.skipif(not LINUX, reason="walls are taken away as Linux lets us")
@pytest.mark.parametrize("without", ["no-libseccomp", "no-landlock"])
async def test_without_a_wall_best_effort_runs(
    settings: Settings, tmp_path: Path, without: str
) -> None:
    with harness((without,)):
        async with Host(settings) as host:
            await host.load(str(wat.write(tmp_path, "calc")))
