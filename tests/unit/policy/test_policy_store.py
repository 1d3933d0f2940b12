from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from wassette.errors import PolicyError, StoreError
from wassette.policy import Access, PolicyState, PolicyStatus, PolicyStore, store

if TYPE_CHECKING:
    from pathlib import Path

VALID = 'version: "1.0"\npermissions:\n  network: {allow: [{host: a.com}]}\n'
READ = frozenset({Access.READ})


@pytest.fixture
def policies(tmp_path: Path) -> PolicyStore:
    return PolicyStore(tmp_path / "components")


def _write(policies: PolicyStore, text: str | bytes, *, age: float = 10) -> Path:
    """A policy file last changed `age` seconds ago."""
    path = policies.path("x")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    then = path.stat().st_mtime_ns - int(age * 1e9)
    os.utime(path, ns=(then, then))
    return path


def _error(state: PolicyState) -> str:
    assert state.status is PolicyStatus.BROKEN
    assert state.policy is None
    return str(state.error)


def test_absent(policies: PolicyStore) -> None:
    assert policies.read("x") == PolicyState(PolicyStatus.ABSENT)
    assert not policies.directory.exists()


def test_loaded(policies: PolicyStore) -> None:
    _write(policies, VALID)
    state = policies.read("x")
    assert state.status is PolicyStatus.LOADED
    assert state.policy is not None
    assert state.policy.network_allow[0].host == "a.com"


@pytest.mark.parametrize(
    ("text", "reason"),
    [("permissions: [", ":1: "), (b"\xff", "not UTF-8"), ("", "mapping"), ("#" * 300_000, "KiB")],
)
def test_broken(policies: PolicyStore, text: str | bytes, reason: str) -> None:
    path = _write(policies, text)
    error = _error(policies.read("x"))
    assert error.startswith(f"{path}:1: ")
    assert reason in error


def test_an_unchanged_file_is_not_read_again(
    policies: PolicyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(policies, VALID)
    first = policies.read("x")
    monkeypatch.setattr(store, "_read_file", None)
    assert policies.read("x") is first


def test_changes_of_others_are_seen(policies: PolicyStore) -> None:
    path = _write(policies, VALID)
    policies.read("x")
    _write(policies, VALID.replace("a.com", "b.com"), age=10)
    state = policies.read("x")
    assert state.policy is not None
    assert state.policy.network_allow[0].host == "b.com"
    path.unlink()
    assert policies.read("x").status is PolicyStatus.ABSENT
    _write(policies, "broken")
    assert policies.read("x").status is PolicyStatus.BROKEN
    _write(policies, VALID)
    assert policies.read("x").status is PolicyStatus.LOADED


def test_a_file_that_has_just_changed_is_not_remembered(policies: PolicyStore) -> None:
    """Two changes of the same size within a tick of the clock have the same stamp."""
    path = _write(policies, VALID, age=0)
    first = policies.read("x")
    assert policies.read("x") is not first
    assert policies.read("x") == first
    assert path.exists()


@pytest.mark.parametrize("kind", ["link", "dangling", "fifo", "directory"])
def test_what_is_no_file_is_broken_and_stays(policies: PolicyStore, kind: str) -> None:
    path = policies.path("x")
    path.parent.mkdir()
    target = path.with_name("target")
    if kind == "link":
        target.write_text(VALID)
        path.symlink_to(target)
    elif kind == "dangling":
        path.symlink_to(target)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert "regular file" in _error(policies.read("x"))
    with pytest.raises(PolicyError), policies.edit("x"):
        pytest.fail("must not be edited")
    assert target.exists() == (kind == "link")
    if kind == "link":
        policies.reset("x")
        assert target.read_text() == VALID
        assert not path.is_symlink()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a file mode that holds")
def test_unreadable_is_broken_until_it_is_readable(policies: PolicyStore) -> None:
    path = _write(policies, VALID)
    path.chmod(0)
    assert "cannot be read" in _error(policies.read("x"))
    path.chmod(0o600)
    assert policies.read("x").status is PolicyStatus.LOADED


def test_an_error_from_the_disk_is_broken_and_not_remembered(
    policies: PolicyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(policies, VALID)

    def fail(path: Path) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(store, "_read_file", fail)
        assert "Input/output error" in _error(policies.read("x"))
        with pytest.raises(PolicyError, match="cannot be read"), policies.edit("x"):
            pytest.fail("must not be edited")
    assert policies.read("x").status is PolicyStatus.LOADED


def test_edit_makes_and_changes(policies: PolicyStore) -> None:
    with policies.edit("x") as document:
        document.grant_network("a.com")
    path = policies.path("x")
    assert path.stat().st_mode & 0o777 == 0o600
    with policies.edit("x") as document:
        document.grant_storage("fs:///a", READ)
    state = policies.read("x")
    assert state.policy is not None
    assert [rule.host for rule in state.policy.network_allow] == ["a.com"]
    assert [rule.uri for rule in state.policy.storage_allow] == ["fs:///a"]
    assert sorted(file.name for file in path.parent.iterdir()) in (
        [".lock", "x.policy.yaml"],
        ["x.policy.yaml"],
    )


def test_edit_keeps_the_bytes(policies: PolicyStore) -> None:
    text = "# ü\r\nversion: '1.0'\r\npermissions:\r\n"
    path = _write(policies, text)
    with policies.edit("x") as document:
        document.grant_network("a.com")
        document.revoke_network("a.com")
    assert path.read_bytes() == (text + "  network:\r\n    allow: []\r\n").encode()


def test_edit_without_a_change_writes_nothing(policies: PolicyStore) -> None:
    path = _write(policies, VALID)
    before = path.stat()
    with policies.edit("x") as document:
        document.grant_network("a.com")
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    with policies.edit("absent"):
        pass
    assert policies.read("absent").status is PolicyStatus.ABSENT


def test_edit_with_an_exception_writes_nothing(policies: PolicyStore) -> None:
    path = _write(policies, VALID)

    def fail() -> None:
        with policies.edit("x") as document:
            document.grant_network("b.com")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == VALID
    with policies.edit("x") as document:
        document.grant_network("c.com")
    assert "c.com" in path.read_text()


def test_edit_of_a_broken_file_leaves_it(policies: PolicyStore) -> None:
    path = _write(policies, "permissions: [\n# mine")
    with pytest.raises(PolicyError, match=r"x\.policy\.yaml"), policies.edit("x"):
        pytest.fail("must not be edited")
    assert path.read_text() == "permissions: [\n# mine"


def test_a_crash_while_writing_leaves_the_old_file(
    policies: PolicyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _write(policies, VALID)

    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(StoreError, match="No space left"), policies.edit("x") as document:
        document.grant_network("b.com")
    assert path.read_text() == VALID
    assert {file.name for file in path.parent.iterdir()} <= {".lock", path.name}


def test_threads_take_turns(policies: PolicyStore) -> None:
    def grant(number: int) -> None:
        for step in range(4):
            with policies.edit("x") as document:
                document.grant_network(f"h{number}-{step}.com")

    threads = [threading.Thread(target=grant, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    policy = policies.read("x").policy
    assert policy is not None
    assert len(policy.network_allow) == 24


def test_a_lock_that_is_held_is_an_error_in_the_end(
    policies: PolicyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_LOCK_TIMEOUT", 0.05)
    caught: list[Exception] = []

    def grant() -> None:
        try:
            with policies.edit("x"):
                pass
        except StoreError as error:
            caught.append(error)

    with policies.edit("x"):
        thread = threading.Thread(target=grant)
        thread.start()
        thread.join()
    assert ".lock" in str(caught[0])


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    policies = PolicyStore(tmp_path / "file" / "components")
    with pytest.raises(StoreError, match="cannot write"), policies.edit("x"):
        pytest.fail("must not be edited")


def test_reset(policies: PolicyStore) -> None:
    path = _write(policies, "broken")
    meta = path.with_name("x.policy.meta.json")
    meta.write_text("{}")
    other = path.with_name("y.policy.yaml")
    other.write_text(VALID)
    policies.reset("x")
    assert not path.exists()
    assert not meta.exists()
    assert other.exists()
    policies.reset("x")
    assert policies.read("x").status is PolicyStatus.ABSENT


BAD_IDS = [
    "",
    ".",
    "..",
    "../x",
    "a/b",
    "A",
    "-x",
    ".x",
    "a\0",
    "a\n",
    "ü",
    "x" * 129,
    "a\\b",
    "C:x",
]


@pytest.mark.parametrize("component_id", BAD_IDS)
def test_an_id_is_never_a_path(policies: PolicyStore, component_id: str) -> None:
    with pytest.raises(PolicyError, match="component id"):
        policies.read(component_id)
    with pytest.raises(PolicyError, match="component id"), policies.edit(component_id):
        pytest.fail("must not be edited")
    with pytest.raises(PolicyError, match="component id"):
        policies.reset(component_id)
    assert not policies.directory.exists()


def test_longest_id(policies: PolicyStore) -> None:
    with policies.edit("x" * 128) as document:
        document.grant_network("a.com")
    assert policies.read("x" * 128).status is PolicyStatus.LOADED
