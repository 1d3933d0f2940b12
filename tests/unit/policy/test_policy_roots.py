"""Named roots that are bound to directories."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from wassette.errors import NotEnforceable, PolicyError
from wassette.policy import PolicyStore, check_bindable


@pytest.fixture
def store(tmp_path: Path) -> PolicyStore:
    return PolicyStore(tmp_path / "components")


def test_bind_and_unbind(store: PolicyStore) -> None:
    assert store.roots("x") == {}
    assert store.bind("x", "work", Path("/a"))
    assert not store.bind("x", "work", Path("/a"))
    assert store.bind("x", "work", Path("/b"))
    assert store.bind("x", "data", Path("/c"))
    assert store.roots("x") == {"work": Path("/b"), "data": Path("/c")}
    assert store.roots("y") == {}
    assert (store.directory / "x.roots.json").stat().st_mode & 0o777 == 0o600
    assert store.bind("x", "work", None)
    assert not store.bind("x", "work", None)
    assert store.bind("x", "data", None)
    assert not (store.directory / "x.roots.json").exists()


def test_reset_takes_bindings_back(store: PolicyStore) -> None:
    store.bind("x", "work", Path("/a"))
    store.bind("y", "work", Path("/a"))
    store.reset("x")
    assert store.roots("x") == {}
    assert store.roots("y") == {"work": Path("/a")}


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "*", "a*", ".x", "a b", "é", "C:", "x" * 65]
)
def test_names_that_cannot_be(store: PolicyStore, name: str) -> None:
    with pytest.raises(PolicyError):
        store.bind("x", name, Path("/a"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"work": 1}',
        '{"work": "relative"}',
        '{"../x": "/a"}',
        '{"work": "/a\\u0000"}',
        "[" * 100_000,
        "\ufeff{}",
    ],
)
def test_a_broken_file_binds_nothing_and_is_replaced(store: PolicyStore, text: str) -> None:
    store.directory.mkdir()
    (store.directory / "x.roots.json").write_text(text)
    with pytest.raises(PolicyError, match=r"x\.roots\.json"):
        store.roots("x")
    assert store.bind("x", "work", Path("/a"))
    assert store.roots("x") == {"work": Path("/a")}


def test_a_link_is_no_file_of_ours(store: PolicyStore, tmp_path: Path) -> None:
    store.directory.mkdir()
    (tmp_path / "planted").write_text('{"work": "/"}')
    (store.directory / "x.roots.json").symlink_to(tmp_path / "planted")
    with pytest.raises(PolicyError):
        store.roots("x")


def test_no_binding_is_lost(store: PolicyStore) -> None:
    def bind(number: int) -> None:
        for turn in range(5):
            store.bind("x", f"r{number}-{turn}", Path("/a"))

    threads = [threading.Thread(target=bind, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.roots("x")) == 30


def test_what_can_be_bound(tmp_path: Path) -> None:
    for name in ("dir", "own/x"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("dir")
    own = [tmp_path / "own"]
    assert check_bindable(tmp_path / "link", own) == (tmp_path / "dir").resolve()
    for wrong in ("file", "missing", "own", "own/x"):
        with pytest.raises(NotEnforceable):
            check_bindable(tmp_path / wrong, own)
    for wrong in ("relative", "/proc", "/proc/self"):
        with pytest.raises(NotEnforceable):
            check_bindable(Path(wrong), own)
