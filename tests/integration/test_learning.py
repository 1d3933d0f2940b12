"""Learning what real components do, and pointing out what they were granted and do not use."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from support.asking import Web, web
from wassette.activity import ActivityReader, Filter, Kind
from wassette.answers import Client
from wassette.errors import NeedsPerson, PolicyConflict, PolicyError, StoreError
from wassette.host import Host
from wassette.paths import paths
from wassette.policy import Access
from wassette.policy.verdict import Kind as About
from wassette.recording import CALLER
from wassette.usage.tracker import GRAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wassette.config import Settings
    from wassette.learning import Learned

pytestmark = pytest.mark.anyio


@pytest.fixture
def site() -> Iterator[Web]:
    with web() as one:
        yield one


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    for name in ("today.md", "old.md", "private/key", "deep/x"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


async def begin(host: Host, component_id: str) -> None:
    await host.learning.begin(await host.component(component_id), 3600)


async def learned(host: Host, component_id: str) -> Learned:
    return await host.learning.learned(await host.component(component_id))


async def c_files(host: Host, *operations: list[str]) -> list[str]:
    called = await host.call_tool("run", {"operations": list(operations)})
    assert called.error is None
    value: list[str] = called.value
    return value


def rules(host: Host, component_id: str) -> set[tuple[str, ...]]:
    policy = host.policies.read(component_id).policy
    assert policy is not None
    found = {(rule.uri, *sorted(rule.access)) for rule in policy.storage_allow}
    return found | {(rule.host or "", *rule.methods) for rule in policy.network_allow}


async def test_files(
    settings: Settings, notes: Path, fixture_component: Callable[[str], Path]
) -> None:
    """Seen, compared, applied: it can still do what it did, and nothing else."""
    work = (["read", f"{notes}/today.md"], ["write", f"{notes}/new.md", "x"])
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-files")))
        await host.grant_storage("c-files", f"fs://{notes}", ["read", "write"])
        await host.grant_network("c-files", "example.com")
        await begin(host, "c-files")
        assert await c_files(host, *work, ["stat", f"{notes}/nothing"]) == [
            "today.md",
            "ok",
            "ENOENT",
        ]
        before = host.policies.path("c-files").read_text()
        found = await learned(host, "c-files")
        assert host.policies.path("c-files").read_text() == before  # only looked at
        assert (found.observed.calls, found.observed.complete) == (1, True)
        assert any(f"not there: {notes}/nothing" in one for one in found.notes)
        assert f'-      - uri: "fs://{notes}"\n' in found.diff
        assert f'+      - uri: "fs://{notes}/today.md"\n' in found.diff
        assert await host.learning.apply(found)
        assert rules(host, "c-files") == {
            (f"fs://{notes}/today.md", "read"),
            (f"fs://{notes}/new.md", "write"),
        }
        assert host.policy("c-files").notes == ()
        again = await c_files(host, *work, ["read", f"{notes}/old.md"], ["list", f"{notes}/deep"])
        assert again == ["today.md", "ok", "EACCES", "EACCES"]
        assert not (await learned(host, "c-files")).diff
    (change,) = ActivityReader(paths().activity).find(Filter(kind=Kind.CHANGE, text="narrow"))
    assert change.component == "c-files"


async def test_a_program_that_lists_and_follows_links(
    settings: Settings, notes: Path, fixture_component: Callable[[str], Path]
) -> None:
    (notes / "link").symlink_to("deep/x")
    work = [f"list({str(notes)!r})", f"read({str(notes / 'link')!r})"]
    async with Host(settings) as host:
        await host.load(str(fixture_component("py-files")))
        await host.grant_storage("py-files", f"fs://{notes}", ["read", "write"])
        await begin(host, "py-files")
        before = (await host.call_tool("evaluate", {"expressions": work})).value
        found = await learned(host, "py-files")
        await host.learning.apply(found)
        assert rules(host, "py-files") == {
            (f"fs://{notes}/*", "read"),
            (f"fs://{notes}/deep/x", "read"),
        }
        assert (await host.call_tool("evaluate", {"expressions": work})).value == before


async def test_requests(
    settings: Settings, site: Web, fixture_component: Callable[[str], Path]
) -> None:
    async with Host(settings) as host:
        await host.load(str(fixture_component("js-fetch")))
        await host.grant_network("js-fetch", f"127.0.0.1:{site.port}")
        await host.grant_network("js-fetch", "*.example.com")
        await begin(host, "js-fetch")
        called = await host.call_tool("fetch-text", {"url": f"{site.url}/a?token=b"})
        assert called.value == {"ok": "hello"}
        # Refused, which is no use.
        await host.call_tool("fetch-text", {"url": "http://127.0.0.1:9/"})
        found = await learned(host, "js-fetch")
        assert [one.action for one in found.suggestions] == ["keep", "remove"]
        await host.learning.apply(found)
        assert rules(host, "js-fetch") == {(f"127.0.0.1:{site.port}",)}
        called = await host.call_tool("fetch-text", {"url": f"{site.url}/a"})
        assert called.value == {"ok": "hello"}


async def test_a_deny_rule_stays(
    settings: Settings, notes: Path, fixture_component: Callable[[str], Path]
) -> None:
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-files")))
        host.policies.path("c-files").write_text(
            'version: "1.0"\npermissions:\n  storage:\n    allow:\n'
            f'      - uri: "fs://{notes}"\n        access: [read]\n    deny:\n'
            f'      - uri: "fs://{notes}/private"\n        access: [read]\n'
        )
        await begin(host, "c-files")
        work = ["read", f"{notes}/private/key"], ["read", f"{notes}/today.md"]
        assert await c_files(host, *work) == ["EACCES", "today.md"]
        found = await learned(host, "c-files")
        assert "private" not in "".join(
            line for line in found.diff.splitlines() if line[:1] in "+-" and "---" not in line
        )
        await host.learning.apply(found)
        assert rules(host, "c-files") == {(f"fs://{notes}/today.md", "read")}
        verdict = host.explain("c-files", About.STORAGE, f"{notes}/private/key")
        assert not verdict.allowed
        assert "deny" in (verdict.rule or "")


async def test_what_was_taken_back_does_not_come_back(
    settings: Settings, notes: Path, fixture_component: Callable[[str], Path]
) -> None:
    """A use that the policy does not allow any more is told, and not suggested."""
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-files")))
        await host.grant_storage("c-files", f"fs://{notes}", ["read"])
        await begin(host, "c-files")
        await c_files(host, ["read", f"{notes}/today.md"])
        await host.revoke_storage("c-files", f"fs://{notes}")
        await host.grant_storage("c-files", f"fs://{notes}/deep", ["read"])
        found = await learned(host, "c-files")
        assert "today.md" not in found.diff
        assert any(f"fs://{notes}/today.md --access read" in one for one in found.notes)
        await host.learning.apply(found)
        assert rules(host, "c-files") == set()


async def test_more_files_than_are_kept(
    settings: Settings, notes: Path, fixture_component: Callable[[str], Path]
) -> None:
    """What is not all known is not narrowed."""
    for number in range(1100):
        (notes / f"f{number}").touch()
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-files")))
        await host.grant_storage("c-files", f"fs://{notes}", ["read"])
        await begin(host, "c-files")
        await c_files(host, *(["read", f"{notes}/f{number}"] for number in range(1100)))
        found = await learned(host, "c-files")
        assert not found.observed.complete
        assert not found.diff
        assert any("more files than can be kept" in one for one in found.notes)


async def test_only_while_somebody_watches(
    settings: Settings, notes: Path, fixture_component: Callable[[str], Path]
) -> None:
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-files")))
        await host.grant_storage("c-files", f"fs://{notes}", ["read"])
        with pytest.raises(PolicyError, match="Nobody has watched"):
            await learned(host, "c-files")
        await begin(host, "c-files")
        with pytest.raises(PolicyError, match="was not called"):
            await learned(host, "c-files")
        await c_files(host, ["read", f"{notes}/today.md"])
        await host.learning.end(await host.component("c-files"))
        await c_files(host, ["read", f"{notes}/old.md"])
        seen = (await learned(host, "c-files")).observed
        assert {use.path for use in seen.files} == {f"{notes}/today.md"}
        # Anew: what was seen before is forgotten.
        await begin(host, "c-files")
        await c_files(host, ["read", f"{notes}/old.md"])
        seen = (await learned(host, "c-files")).observed
        assert {use.path for use in seen.files} == {f"{notes}/old.md"}


async def test_other_bytes_are_another_component(
    settings: Settings, tmp_path: Path, fixture_component: Callable[[str], Path]
) -> None:
    place = tmp_path / "one.wasm"
    place.write_bytes(fixture_component("c-files").read_bytes())
    async with Host(settings) as host:
        await host.load(str(place))
        await host.grant_network("one", "example.com")
        await begin(host, "one")
        await c_files(host, ["read", "/x"])
        place.write_bytes(fixture_component("c-http").read_bytes())
        await host.load(str(place), seen=True)
        assert (await host.component("one")).learn_until == 0
        with pytest.raises(PolicyError, match="other bytes"):
            await learned(host, "one")


async def test_a_policy_that_changed_meanwhile(
    settings: Settings, notes: Path, fixture_component: Callable[[str], Path]
) -> None:
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-files")))
        await host.grant_storage("c-files", f"fs://{notes}", ["read"])
        await begin(host, "c-files")
        await c_files(host, ["read", f"{notes}/today.md"])
        found = await learned(host, "c-files")
        await host.grant_network("c-files", "example.com")
        with pytest.raises(PolicyConflict, match="changed meanwhile"):
            await host.learning.apply(found)
        forged = replace(await learned(host, "c-files"), suggestions=found.suggestions)
        with pytest.raises(PolicyError, match="not be what was shown"):
            await host.learning.apply(forged)
        assert (f"fs://{notes}", "read") in rules(host, "c-files")


async def test_no_client_begins_or_applies_it(
    settings: Settings, notes: Path, fixture_component: Callable[[str], Path]
) -> None:
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-files")))
        await host.grant_storage("c-files", f"fs://{notes}", ["read"])
        await begin(host, "c-files")
        await c_files(host, ["read", f"{notes}/today.md"])
        found = await learned(host, "c-files")
        token = CALLER.set(Client("Agent", "1", "http", "s"))
        try:
            with pytest.raises(NeedsPerson):
                await begin(host, "c-files")
            with pytest.raises(NeedsPerson):
                await host.learning.apply(found)
        finally:
            CALLER.reset(token)


# ---- grants that are not used ------------------------------------------------------------------


def age(days: float) -> None:
    """Everything that is known happened so much earlier."""
    with sqlite3.connect(paths().usage) as db:
        db.execute("UPDATE began SET at = at - ?", (days * 86_400,))
        db.execute(
            "UPDATE grants SET since = since - ?, last = max(0, last - ?)", [days * 86_400] * 2
        )


async def unused(settings: Settings, component_id: str) -> list[tuple[str, str, int]]:
    async with Host(settings) as host:
        found = await host.unused_grants(component_id)
    return [(one.kind, one.rule, one.days) for one in found]


async def test_grants_that_are_not_used(
    settings: Settings, notes: Path, site: Web, fixture_component: Callable[[str], Path]
) -> None:
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-files")))
        await host.load(str(fixture_component("c-http")))
        await host.grant_storage("c-files", f"fs://{notes}/deep", ["read"])
        await host.grant_storage("c-files", f"fs://{notes}/private", ["read"])
        await host.grant_environment("c-files", "HOME")
        await host.grant_network("c-http", f"127.0.0.1:{site.port}")
        await host.grant_network("c-http", "example.com")
        await c_files(host, ["read", f"{notes}/deep/x"])
        await host.call_tool("download", {"url": site.url})
    assert await unused(settings, "c-files") == []
    age(31)
    assert [one[1:] for one in await unused(settings, "c-http")] == [
        (f"127.0.0.1:{site.port}", 31),
        ("example.com", 31),
    ]
    async with Host(settings) as host:
        await c_files(host, ["read", f"{notes}/deep/x"])
        await host.call_tool("download", {"url": site.url})
    assert await unused(settings, "c-files") == [("storage", f"read fs://{notes}/private", 31)]
    assert await unused(settings, "c-http") == [("network", "example.com", 31)]
    async with Host(settings) as host:
        # Another rule in its place is a new one.
        await host.revoke_network("c-http", "example.com")
        await host.grant_network("c-http", "example.org")
    assert await unused(settings, "c-http") == []


async def test_unused_begins_when_it_began_to_be_looked_for(
    settings: Settings, fixture_component: Callable[[str], Path]
) -> None:
    """A policy that is older than the record of uses is not said to be unused."""
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-http")))
        await host.grant_network("c-http", "example.com")
        import os

        old = time.time() - 100 * 86_400
        os.utime(host.policies.path("c-http"), (old, old))
        assert await host.unused_grants("c-http") == []
    age(30)
    assert await unused(settings, "c-http") == [("network", "example.com", 30)]


async def test_what_is_known_to_be_used_is_not_looked_for_again(
    settings: Settings, notes: Path, fixture_component: Callable[[str], Path]
) -> None:
    """The guard tells nothing once every grant is known to be used."""
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-files")))
        await host.grant_storage("c-files", f"fs://{notes}/deep", ["read"])
        policy = host.policies.read("c-files").policy
        usage: Any = host._parts.usage
        assert usage.wants_files("c-files", policy)
        await c_files(host, ["read", f"{notes}/deep/x"])
        assert await host.unused_grants("c-files") == []  # after what the call did
        assert not usage.wants_files("c-files", policy)
        for rule in usage._known["c-files"].last:
            usage._known["c-files"].last[rule] -= GRAIN + 1
        assert usage.wants_files("c-files", policy)


async def test_without_its_file_calls_go_on(
    settings: Settings, notes: Path, fixture_component: Callable[[str], Path]
) -> None:
    paths().usage.parent.mkdir(parents=True)
    paths().usage.write_bytes(b"not a database" * 100)
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-files")))
        await host.grant_storage("c-files", f"fs://{notes}", ["read"])
        assert await c_files(host, ["read", f"{notes}/today.md"]) == ["today.md"]
        assert await host.unused_grants("c-files") == []
        with pytest.raises(StoreError, match="can be deleted"):
            await begin(host, "c-files")


async def test_access_is_not_wider_after_it(
    settings: Settings, notes: Path, fixture_component: Callable[[str], Path]
) -> None:
    """Every path of the tree: nothing is allowed that was not."""
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-files")))
        await host.grant_storage("c-files", f"fs://{notes}/*", ["read"])
        await host.grant_storage("c-files", f"fs://{notes}/deep", ["write"])
        await begin(host, "c-files")
        await c_files(host, ["read", f"{notes}/today.md"], ["write", f"{notes}/deep/y", "y"])
        every = [str(one) for one in (*notes.rglob("*"), notes / "deep/z", notes / "today.md/x")]

        def allowed() -> set[tuple[str, Access]]:
            return {
                (path, access)
                for path in every
                for access in Access
                if host.explain("c-files", About.STORAGE, path, access=access).allowed
            }

        before = allowed()
        await host.learning.apply(await learned(host, "c-files"))
        after = allowed()
    assert after < before
    assert (f"{notes}/today.md", Access.READ) in after
    assert (f"{notes}/deep/y", Access.WRITE) in after
