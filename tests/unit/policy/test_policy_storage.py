from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wassette.errors import NotEnforceable, PolicyError
from wassette.policy import Access, Mount, StorageRule, check_enforceable_storage, places
from wassette.policy.storage import Storage, host_path, resolve_storage

if TYPE_CHECKING:
    from collections.abc import Sequence

R = frozenset({Access.READ})
W = frozenset({Access.WRITE})
RW = R | W
LETTERS = {"r": R, "w": W, "rw": RW}
Rules = list[tuple[str, str]]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A small file system; `T` in the tests stands for its root."""
    root = Path(os.path.realpath(tmp_path)) / "disk"
    for name in ("a/b/c", "d", "deep/x", "own/private", "own/components", "Über b", "bound/in"):
        (root / name).mkdir(parents=True)
    (root / "a/file.txt").write_text("x")
    (root / "a/star*.txt").write_text("x")
    (root / "to-a").symlink_to(root / "a")
    (root / "to-b").symlink_to("a/b")
    (root / "to-own").symlink_to(root / "own/components")
    (root / "to-file").symlink_to("a/file.txt")
    (root / "loop").symlink_to("loop")
    (root / "gone").symlink_to("nowhere")
    os.mkfifo(root / "a/fifo")
    # In `a`, which some tests make writable: what a component could have put there.
    (root / "a/planted").symlink_to(root / "d")
    (root / "via-planted").symlink_to(root / "a/planted")
    return root


def _rules(disk: Path, pairs: Sequence[tuple[str, str]]) -> tuple[StorageRule, ...]:
    return tuple(StorageRule(u.replace("T", str(disk)), LETTERS[a]) for u, a in pairs)


def _resolve(
    disk: Path,
    allow: Sequence[tuple[str, str]],
    deny: Sequence[tuple[str, str]] = (),
    platform: str = "linux",
) -> Storage:
    return resolve_storage(
        _rules(disk, allow),
        _rules(disk, deny),
        private_root=disk / "own/private/x",
        protected=[disk / "own"],
        bound={"bound": disk / "bound", "stale": disk / "to-a", "ours": disk / "own"},
        platform=platform,
    )


def _short(disk: Path, storage: Storage) -> list[tuple[str, str, str]]:
    return [
        (
            mount.host.replace(str(disk), "T"),
            mount.guest.replace(str(disk), "T"),
            "rw" if mount.writable else "r",
        )
        for mount in storage.mounts
    ]


def _may(disk: Path, storage: Storage, path: str) -> str:
    """`r`, `w`, `rw`, `-` for a directory that is only visible, or nothing."""
    verdict = storage.rules.verdict(path.replace("T", str(disk)))
    letters = "".join(one.value[0] for one in Access if one in verdict.access)
    return letters or "-" * verdict.visible


PRIVATE = "T/own/private/x"

# (allow, deny, mounts as (host, guest, access), {path: what a component may do with it})
APPLIED: list[tuple[Rules, Rules, list[tuple[str, str, str]], dict[str, str]]] = [
    # Directories.
    (
        [("fs://T/a", "r")],
        [],
        [("T/a", "T/a", "r")],
        {"T/a": "r", "T/a/x/y": "r", "T/ab": "", "T": "-", "/": "-", "T/d": "", "T/a/..": "-"},
    ),
    ([("fs://T/a/", "rw")], [], [("T/a", "T/a", "rw")], {"T/a/x": "rw"}),
    ([("fs://T/a/**", "rw")], [], [("T/a", "T/a", "rw")], {"T/a": "rw", "T/a/x/y": "rw"}),
    ([("fs://T/a/**/**", "r")], [], [("T/a", "T/a", "r")], {"T/a/x/y": "r"}),
    ([("fs://T//a/./b//", "r")], [], [("T/a/b", "T/a/b", "r")], {"T/a/b/c": "r", "T/a": "-"}),
    ([("fs://T/Über b", "r")], [], [("T/Über b", "T/Über b", "r")], {"T/Über b/x": "r"}),
    # Direct children.
    (
        [("fs://T/a/*", "r")],
        [],
        [("T/a", "T/a", "r")],
        {"T/a": "-", "T/a/b": "r", "T/a/b/c": "", "T/a/.hidden": "r"},
    ),
    # Single files, there or not.
    (
        [("fs://T/a/file.txt", "r")],
        [],
        [("T/a", "T/a", "r")],
        {"T/a/file.txt": "r", "T/a": "-", "T/a/file.txt/x": "", "T/a/fileXtxt": ""},
    ),
    ([("fs://T/a/new.txt", "rw")], [], [("T/a", "T/a", "rw")], {"T/a/new.txt": "rw"}),
    ([("fs://T/a/new.txt", "rw")], [], [("T/a", "T/a", "rw")], {"T/a/new.txt/x": ""}),
    # A directory that a component makes itself.
    (
        [("fs://T/new", "rw")],
        [],
        [("T", "T", "rw")],
        {"T/new": "rw", "T/new/x": "rw", "T/a": "", "T": "-", "T/own": ""},
    ),
    ([("fs://T/new.d/", "rw")], [], [("T", "T", "rw")], {"T/new.d/x": "rw"}),
    ([("fs://T/new/**", "w")], [], [("T", "T", "rw")], {"T/new/x": "w"}),
    # Patterns.
    (
        [("fs://T/a/**/*.md", "r")],
        [],
        [("T/a", "T/a", "r")],
        {"T/a/x.md": "r", "T/a/b/x.md": "r", "T/a/b": "-", "T/a/b/x": "-", "T/x.md": ""},
    ),
    ([("fs://T/*/b", "r")], [], [("T", "T", "r")], {"T/a/b": "r", "T/a/b/x": "", "T/a": "-"}),
    ([("fs://T/*/b/**", "r")], [], [("T", "T", "r")], {"T/a/b": "r", "T/a/b/x": "r"}),
    ([("fs://T/a/f?le.txt", "r")], [], [("T/a", "T/a", "r")], {"T/a/file.txt": "r"}),
    # Write-only.
    ([("fs://T/a", "w")], [], [("T/a", "T/a", "rw")], {"T/a/x": "w"}),
    # Allow adds up, in one place, from above, and where patterns overlap.
    ([("fs://T/a", "r"), ("fs://T/a/**", "w")], [], [("T/a", "T/a", "rw")], {"T/a/x": "rw"}),
    (
        [("fs://T/a", "r"), ("fs://T/a/b", "w")],
        [],
        [("T/a", "T/a", "r"), ("T/a/b", "T/a/b", "rw")],
        {"T/a/x": "r", "T/a/b": "rw", "T/a/b/x": "rw"},
    ),
    ([("fs://T/a", "rw"), ("fs://T/a/b", "r")], [], [("T/a", "T/a", "rw")], {"T/a/b": "rw"}),
    ([("fs://T/a/b", "r"), ("fs://T/a", "r")], [], [("T/a", "T/a", "r")], {"T/a/b/c": "r"}),
    ([("fs://T/a", "rw"), ("fs://T/a/missing", "r")], [], [("T/a", "T/a", "rw")], {}),
    (
        [("fs://T/a/**/*.md", "r"), ("fs://T/a/b", "w")],
        [],
        [("T/a", "T/a", "r"), ("T/a/b", "T/a/b", "rw")],
        {"T/a/x.md": "r", "T/a/b/x.md": "rw", "T/a/b/c/x.md": "rw", "T/a/b/x": "w"},
    ),
    (
        [("fs://T/a/*", "r"), ("fs://T/a/b", "w")],
        [],
        [("T/a", "T/a", "r"), ("T/a/b", "T/a/b", "rw")],
        {"T/a/b": "rw", "T/a/b/c": "w", "T/a/x": "r"},
    ),
    (
        [("fs://T/d", "r"), ("fs://T/a", "r")],
        [],
        [("T/a", "T/a", "r"), ("T/d", "T/d", "r")],
        {"T/a/x": "r", "T/d/x": "r"},
    ),
    # Links: the real directory, under the name as written.
    ([("fs://T/to-a", "r")], [], [("T/a", "T/to-a", "r")], {"T/to-a/x": "r", "T/a/x": ""}),
    ([("fs://T/to-a/b", "r")], [], [("T/a/b", "T/to-a/b", "r")], {}),
    ([("fs://T/to-b", "rw")], [], [("T/a/b", "T/to-b", "rw")], {}),
    ([("fs://T/to-a/file.txt", "r")], [], [("T/a", "T/to-a", "r")], {"T/to-a/file.txt": "r"}),
    (
        [("fs://T/a", "rw"), ("fs://T/to-a", "r")],
        [],
        [("T/a", "T/a", "rw"), ("T/a", "T/to-a", "r")],
        {"T/to-a/x": "r", "T/a/x": "rw"},
    ),
    # A link that only a person could have made is followed.
    (
        [("fs://T/a", "r"), ("fs://T/via-planted", "r")],
        [],
        [("T/a", "T/a", "r"), ("T/d", "T/via-planted", "r")],
        {},
    ),
    (
        [("fs://T/a", "r"), ("fs://T/a/planted", "r")],
        [],
        [("T/a", "T/a", "r"), ("T/d", "T/a/planted", "r")],
        {},
    ),
    # It is also the person's where only other names can be written.
    (
        [("fs://T/a/out.txt", "rw"), ("fs://T/a/planted", "r")],
        [],
        [("T/a", "T/a", "rw"), ("T/d", "T/a/planted", "r")],
        {"T/a/out.txt": "rw", "T/a/planted/x": "r"},
    ),
    # Named roots: private directories, or those that they are bound to.
    ([("fs://work", "rw")], [], [(f"{PRIVATE}/work", "/work", "rw")], {"/work/x": "rw"}),
    ([("fs://work/**", "r")], [], [(f"{PRIVATE}/work", "/work", "r")], {"/work/x": "r"}),
    ([("fs://work/app.yaml", "rw")], [], [(f"{PRIVATE}/work", "/work", "rw")], {"/work": "-"}),
    ([("fs://work/*.md", "r")], [], [(f"{PRIVATE}/work", "/work", "r")], {"/work/x.md": "r"}),
    ([("fs://bound", "rw")], [], [("T/bound", "/bound", "rw")], {"/bound/x": "rw"}),
    ([("fs://bound/in/", "r")], [], [("T/bound/in", "/bound/in", "r")], {"/bound/x": ""}),
    # Deny rules.
    (
        [("fs://T/a", "rw")],
        [("fs://T/a/b", "rw")],
        [("T/a", "T/a", "rw")],
        {"T/a/x": "rw", "T/a/b": "", "T/a/b/c": ""},
    ),
    ([("fs://T/a", "rw")], [("fs://T/a/b", "w")], [("T/a", "T/a", "rw")], {"T/a/b/x": "r"}),
    ([("fs://T/a", "rw")], [("fs://T", "w")], [("T/a", "T/a", "r")], {"T/a/x": "r"}),
    (
        [("fs://T/a", "r")],
        [("fs://T/**/*.key", "r")],
        [("T/a", "T/a", "r")],
        {"T/a/x.key": "", "T/a/b/x.key": "", "T/a/x.key/y": "", "T/a/x": "r"},
    ),
    ([("fs://T/a", "r")], [("fs:///**/c", "r")], [("T/a", "T/a", "r")], {"T/a/b/c/x": ""}),
    ([("fs://T/a", "r")], [("fs://T/ab", "rw")], [("T/a", "T/a", "r")], {"T/a/b": "r"}),
    # They are about directories, whatever their name.
    ([("fs://T/to-a", "r")], [("fs://T/a/b", "r")], [("T/a", "T/to-a", "r")], {"T/to-a/b": ""}),
    ([("fs://T/to-a", "r")], [("fs://T/a/*.x", "r")], [("T/a", "T/to-a", "r")], {"T/to-a/y.x": ""}),
    ([("fs://T/to-a", "r")], [("fs://T/**/b", "r")], [("T/a", "T/to-a", "r")], {"T/to-a/b/c": ""}),
    ([("fs://T/a", "r")], [("fs://T/to-b", "r")], [("T/a", "T/a", "r")], {"T/a/b/x": ""}),
    ([("fs://T/a", "r")], [("fs://T/a/planted/x", "r")], [("T/a", "T/a", "r")], {"T/a/x": "r"}),
    (
        [("fs://bound", "r")],
        [("fs://T/bound/in", "r")],
        [("T/bound", "/bound", "r")],
        {"/bound/in": ""},
    ),
    (
        [("fs://T/bound", "r")],
        [("fs://bound/in", "r")],
        [("T/bound", "T/bound", "r")],
        {"T/bound/in": ""},
    ),
    (
        [("fs://work", "rw")],
        [("fs://work/x", "w")],
        [(f"{PRIVATE}/work", "/work", "rw")],
        {"/work/x": "r"},
    ),
    (
        [("fs://work", "rw")],
        [("fs://*/x", "w")],
        [(f"{PRIVATE}/work", "/work", "rw")],
        {"/work/x/y": "r"},
    ),
    # A rule about the system's /work is none about the named root.
    (
        [("fs://work", "r")],
        [("fs:///work", "r")],
        [(f"{PRIVATE}/work", "/work", "r")],
        {"/work": "r"},
    ),
    # A pattern that covers less than the mount takes only that.
    (
        [("fs://T/a", "r")],
        [("fs://T/a/*", "r")],
        [("T/a", "T/a", "r")],
        {"T/a": "r", "T/a/b/c": ""},
    ),
    # Wassette's own files, under a directory that is allowed.
    (
        [("fs://T", "rw")],
        [],
        [("T", "T", "rw")],
        {"T/x": "rw", "T/own": "", "T/own/components/x": "", "T/owner": "rw", "T/to-own": "rw"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("allow", "deny", "mounts", "paths"), APPLIED, ids=range(len(APPLIED)))
def test_applied(
    disk: Path,
    allow: Rules,
    deny: Rules,
    mounts: list[tuple[str, str, str]],
    paths: dict[str, str],
) -> None:
    storage = _resolve(disk, allow, deny)
    assert _short(disk, storage) == mounts
    assert {path: _may(disk, storage, path) for path in paths} == paths
    assert storage.notes == ()


# (allow, deny, what remains, the rule in the note, its reason)
NOT_APPLIED: list[tuple[Rules, Rules, list[str], str, str]] = [
    ([("fs://T/a/file.txt/x", "r")], [], [], "x", "not a directory"),
    ([("fs://T/a/file.txt/x/y", "r")], [], [], "y", "not a directory"),
    ([("fs://T/a/file.txt/", "r")], [], [], "file.txt/", "not a directory"),
    ([("fs://T/a/file.txt/**", "r")], [], [], "file.txt/**", "not a directory"),
    ([("fs://T/a/fifo", "r")], [], [], "fifo", "neither a file nor a directory"),
    ([("fs://T/to-file", "r")], [], [], "to-file", "a/file.txt"),
    ([("fs://T/missing", "r")], [], [], "missing", "does not exist"),
    ([("fs://T/missing/*.md", "rw")], [], [], "*.md", "does not exist"),
    ([("fs://T/missing/deeper", "rw")], [], [], "deeper", "directory above it"),
    ([("fs:///missing-in-root", "rw")], [], [], "missing-in-root", "it is in /"),
    ([("fs://T/gone", "rw")], [], [], "gone", "does not exist"),
    ([("fs://T/loop", "r")], [], [], "loop", "symbolic links"),
    # Wassette's own files: the same, inside, by a link, as a pattern.
    ([("fs://T/own", "r")], [], [], "own", "own files"),
    ([("fs://T/own/components", "r")], [], [], "components", "own files"),
    ([("fs://T/own/private", "r")], [], [], "private", "own files"),
    ([("fs://T/own/new", "rw")], [], [], "new", "own files"),
    ([("fs://T/own/*.yaml", "rw")], [], [], "*.yaml", "own files"),
    ([("fs://T/to-own", "r")], [], [], "to-own", "own files"),
    ([("fs://ours", "r")], [], [], "ours", "own files"),
    # The kernel's.
    ([("fs:///proc", "r")], [], [], "proc", "kernel"),
    ([("fs:///proc/self/status", "r")], [], [], "status", "kernel"),
    ([("fs:///sys/**/x", "r")], [], [], "sys", "kernel"),
    ([("fs:///dev/null", "rw")], [], [], "null", "neither"),
    # Deny rules that leave nothing.
    ([("fs://T/a", "r"), ("fs://T/d", "r")], [("fs://T/a", "r")], ["T/d"], "/a", "deny rule"),
    ([("fs://T/a/b", "r")], [("fs://T/a", "rw")], [], "/a/b", "deny rule"),
    ([("fs://T/a/b", "r")], [("fs://T/a/*", "rw")], [], "/a/b", "deny rule"),
    ([("fs://T/a/b/c", "r")], [("fs://T/a/*", "rw")], [], "/a/b/c", "deny rule"),
    ([("fs://T/a", "r")], [("fs:///**", "r")], [], "/a", "deny rule"),
    ([("fs://T/a", "r")], [("fs:///", "r")], [], "/a", "deny rule"),
    ([("fs://T/to-a", "r")], [("fs://T/a", "r")], [], "to-a", "deny rule"),
    ([("fs://work", "r")], [("fs://**", "r")], [], "work", "deny rule"),
    # A way through what the component itself can write.
    ([("fs://T/a", "rw"), ("fs://T/via-planted", "r")], [], ["T/a"], "via-planted", "can change"),
    ([("fs://T/a", "rw"), ("fs://T/to-b", "r")], [], ["T/a"], "to-b", "can change"),
    ([("fs://T/to-a", "rw"), ("fs://T/a/b", "r")], [], ["T/to-a"], "/a/b", "can change"),
    ([("fs://T/to-a", "rw"), ("fs://T/a/planted", "r")], [], ["T/to-a"], "planted", "can change"),
    ([("fs://T/a/p*", "w"), ("fs://T/a/planted", "r")], [], ["T/a"], "planted", "can change"),
    ([("fs://T/a/**/p*", "w"), ("fs://T/via-planted", "r")], [], ["T/a"], "via", "can change"),
    # Named roots.
    ([("fs://work/app.yaml", "r")], [], [], "app.yaml", "does not exist"),
    ([("fs://stale", "r")], [], [], "stale", "bind it again"),
    ([("fs://*", "r")], [], [], "fs://*", "needs a name"),
    ([("fs://**", "r")], [], [], "fs://**", "needs a name"),
    ([("fs://.", "r")], [], [], "fs://.", "needs a name"),
    ([("fs://C:/x", "r")], [], [], "C:", "needs a name"),
    ([("fs:///*" + "/x" * 60, "r")], [], [], "/x/x", "60 names"),
    ([("fs:///" + "x" * 256, "r")], [], [], "xxx", "too long"),
    ([("fs://" + "/x" * 2049, "r")], [], [], "/x/x", "too long"),
]


@pytest.mark.parametrize(
    ("allow", "deny", "remains", "rule", "reason"), NOT_APPLIED, ids=range(len(NOT_APPLIED))
)
def test_not_applied_with_a_note(
    disk: Path, allow: Rules, deny: Rules, remains: list[str], rule: str, reason: str
) -> None:
    storage = _resolve(disk, allow, deny)
    assert [guest for _, guest, _ in _short(disk, storage)] == remains
    (note,) = storage.notes
    assert rule in note.partition("' is not applied: ")[0]
    assert reason in note.partition("' is not applied: ")[2]


def test_the_whole_file_system(disk: Path) -> None:
    storage = _resolve(disk, [("fs:///", "rw")])
    assert storage.mounts == (Mount("/", "/", True),)
    assert storage.notes == ()
    denied = ("T/own/x", "/proc/self/mem", "/proc", "/sys/x", "/dev/sda", "/../proc/1/root")
    assert [_may(disk, storage, path) for path in denied] == [""] * len(denied)
    assert [_may(disk, storage, path) for path in ("/", "/etc/x", "T/a")] == ["rw"] * 3
    verdict = storage.rules.verdict("/proc/1")
    assert "denied by the kernel's files" in verdict.reasons


def test_a_root_named_as_a_directory_of_the_system(disk: Path) -> None:
    storage = _resolve(disk, [("fs:///usr", "r"), ("fs://usr", "rw")])
    assert [(mount.guest, mount.writable) for mount in storage.mounts] == [("/usr", False)]
    assert "rename" in storage.notes[0]
    storage = _resolve(disk, [("fs:///", "r"), ("fs://usr", "rw"), ("fs://my-own", "rw")])
    assert [mount.guest for mount in storage.mounts] == ["/", "/my-own"]
    assert "rename" in storage.notes[0]


def test_overlaps_that_no_pattern_can_say_get_a_note(disk: Path) -> None:
    storage = _resolve(disk, [("fs://T/a/*f", "r"), ("fs://T/a/longer*", "w")])
    assert _may(disk, storage, "T/a/f") == "r"
    assert _may(disk, storage, "T/a/longer") == "w"
    assert _may(disk, storage, "T/a/longerf") in ("r", "w")
    (note,) = storage.notes
    assert "overlap" in note


def test_a_private_directory_is_made_for_this_user_only(disk: Path) -> None:
    _resolve(disk, [("fs://work", "rw")])
    for made in (disk / "own/private/x", disk / "own/private/x/work"):
        assert made.stat().st_mode & 0o777 == 0o700


def test_a_link_in_a_private_directory_is_not_followed(disk: Path) -> None:
    home = disk / "own/private/x/work"
    home.mkdir(parents=True)
    (home / "out").symlink_to(disk / "d")
    storage = _resolve(disk, [("fs://work/out", "r"), ("fs://link", "r")])
    assert storage.mounts[0].guest == "/link"
    assert "symbolic link" in storage.notes[0]
    (disk / "own/private/x/link").rmdir()
    (disk / "own/private/x/link").symlink_to(disk / "own/components")
    storage = _resolve(disk, [("fs://link", "r")])
    assert storage.mounts == ()
    # Whatever the way, it is refused: as a link, or for where it leads.
    assert len(storage.notes) == 1


def test_a_named_root_is_none_of_our_own_files(disk: Path) -> None:
    storage = resolve_storage(
        [StorageRule("fs://components", RW)],
        [],
        private_root=disk / "own",
        protected=[disk / "own/components"],
    )
    assert storage.mounts == ()
    assert "own files" in storage.notes[0]


def test_a_private_directory_that_cannot_be_made_is_a_note(disk: Path) -> None:
    (disk / "own/private/x").write_text("in the way")
    storage = _resolve(disk, [("fs://work", "r")])
    assert storage.mounts == ()
    assert "cannot be made" in storage.notes[0]


def test_another_name_for_the_same_directory_is_protected_too(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bind mount, or another spelling on a file system that ignores case."""
    stat = os.stat
    twin = str(disk / "d")

    def pretend(path: str | Path, *args: object, **kwargs: object) -> os.stat_result:
        return stat(disk / "own" if str(path) == twin else path)

    monkeypatch.setattr(os, "stat", pretend)
    storage = _resolve(disk, [("fs://T/d", "r")])
    assert storage.mounts == ()
    assert "own files" in storage.notes[0]


def test_a_bind_mount_of_our_own_files_is_denied(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        "21 1 8:1 / / rw - ext4 /dev/sda1 rw",
        f"22 21 8:1 {disk}/own {disk}/a/whole rw - ext4 /dev/sda1 rw",
        f"23 21 8:1 {disk}/own/components {disk}/a/part\\040of\\040it rw - ext4 /dev/sda1 rw",
        f"24 21 8:1 {disk} {disk}/a/above rw shared:1 - ext4 /dev/sda1 rw",
        f"25 21 0:5 / {disk}/a/jail/proc rw - proc proc rw",
        f"26 21 8:2 / {disk}/a/other rw - ext4 /dev/sdb1 rw",
        "a line that is not one",
    ]
    table = "\n".join(lines)
    monkeypatch.setattr(places, "_read_mounts", lambda: table)
    storage = _resolve(disk, [("fs://T/a", "rw")])
    for path in ("whole/x", "part of it", "above/own/x", "jail/proc/1"):
        assert _may(disk, storage, f"T/a/{path}") == "", path
    for path in ("whol", "part", "above/d/x", "jail", "other/x"):
        assert _may(disk, storage, f"T/a/{path}") == "rw", path
    # Deny rules are about directories, too.
    storage = _resolve(disk, [("fs://T/a/above", "rw")], [("fs://T/d", "rw")])
    assert _may(disk, storage, "T/a/above/d/x") == ""


def test_a_directory_whose_name_has_wildcards_is_denied_literally(tmp_path: Path) -> None:
    own = tmp_path / "*"
    own.mkdir()
    storage = resolve_storage(
        [StorageRule(f"fs://{tmp_path}", RW)], [], private_root=own / "r", protected=[own]
    )
    assert storage.rules.verdict(f"{tmp_path}/*/x").access == frozenset()
    assert storage.rules.verdict(f"{tmp_path}/other").access == RW


def test_deny_rules_ignore_case_where_file_systems_do(disk: Path) -> None:
    allow, deny = [("fs://T/a", "r")], [("fs://T/a/Code", "r")]
    assert _may(disk, _resolve(disk, allow, deny), "T/a/cODE") == "r"
    storage = _resolve(disk, allow, deny, platform="darwin")
    assert _may(disk, storage, "T/a/cODE/x") == ""
    assert storage.rules.encode().startswith("f\0")
    assert _resolve(disk, allow, deny, platform="win32").rules.encode().startswith("fw\0")


def test_a_deny_rule_that_is_too_long_denies_more(disk: Path) -> None:
    for rest in ("/*" * 100, "/x/" + "x" * 256, "/*/" + "x" * 256):
        storage = _resolve(disk, [("fs://T/a", "r")], [("fs://T/a" + rest, "r")])
        for rule in storage.rules.rules:
            assert rule.compiled.full - rule.compiled.fixed <= 60
            assert len(rule.pattern) <= 4096
            assert max(map(len, rule.pattern.split("/"))) <= 255
        assert _may(disk, storage, "T/a" + "/x" * 1000) == ""


def test_more_rules_than_can_be_decided_allow_nothing(disk: Path) -> None:
    storage = _resolve(disk, [("fs://T/a", "r")], [(f"fs://T/a/{i}", "r") for i in range(1001)])
    assert storage.mounts == ()
    assert storage.rules.rules == ()
    assert "no rule is applied" in storage.notes[0]


def test_each_rule_is_served_by_a_mount_above_its_wildcards(disk: Path) -> None:
    storage = _resolve(
        disk, [("fs://T/a", "r"), ("fs://T/a/b", "w"), ("fs://T/*/x*", "w"), ("fs://work", "rw")]
    )
    for rule in storage.rules.rules:
        mount = storage.mounts[rule.preopen]
        if rule.deny:
            continue
        fixed = "/" + "/".join(rule.compiled.segments[: rule.compiled.fixed])
        assert fixed == mount.guest or fixed.startswith(mount.guest + "/")
        assert mount.writable or Access.WRITE not in rule.access


CHECKED = [
    ("fs://T/a", None),
    ("fs://T/a/**", None),
    ("fs://T/missing", None),
    ("fs://work/**", None),
    ("fs://T/a/file.txt", None),
    ("fs://T/a/*", None),
    ("fs://T/a/**/*.md", None),
    ("fs:///", None),
    ("fs://T", None),
    ("fs://T/own/x", "own files"),
    ("fs://T/own/*.yaml", "own files"),
    ("fs:///proc/self", "kernel"),
    ("fs://*/x", "named root"),
]


@pytest.mark.parametrize(("uri", "reason"), CHECKED)
def test_what_a_person_can_grant(disk: Path, uri: str, reason: str | None) -> None:
    uri = uri.replace("T", str(disk))
    if reason is None:
        check_enforceable_storage(uri, [disk / "own"])
        return
    with pytest.raises(NotEnforceable, match=reason) as caught:
        check_enforceable_storage(uri, [disk / "own"])
    assert f"storage '{uri}'" in str(caught.value)


def test_what_a_person_can_grant_has_to_be_a_uri() -> None:
    with pytest.raises(PolicyError):
        check_enforceable_storage("/a", [])


_WRITTEN = st.sampled_from(
    ["fs://T/a", "fs://T/a/b", "fs://T/a/**", "fs://T/a/b/c", "fs://T/d", "fs://T/to-a",
     "fs://T/to-b", "fs://T/via-planted", "fs://T/a/planted", "fs://T/to-a/b", "fs://T",
     "fs://T/a/file.txt", "fs://T/*", "fs://work", "fs://work/x", "fs:///", "fs://T/a/*",
     "fs://T/**/c", "fs://T/a/new", "fs://bound/in"]
)  # fmt: skip
_PAIRS = st.lists(st.tuples(_WRITTEN, st.sampled_from(["r", "w", "rw"])), max_size=4)
_PATHS = (
    "T", "T/a", "T/a/b", "T/a/b/c", "T/a/b/c/x", "T/a/file.txt", "T/a/new", "T/d/x", "T/to-a",
    "T/to-a/b/x", "T/to-b/x", "T/a/planted/x", "T/own", "T/own/components/x", "/work/x", "/proc",
    "/bound/in/x", "T/via-planted/x",
)  # fmt: skip


@given(_PAIRS, _PAIRS)
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_nothing_is_ever_widened(disk: Path, allow: Rules, deny: Rules) -> None:
    storage = _resolve(disk, allow, deny)
    assert storage == _resolve(disk, allow, deny)
    for mount in storage.mounts:
        assert mount.host == os.path.realpath(mount.host)
    roots = {mount.guest.split("/")[1] for mount in storage.mounts}
    for path in _PATHS:
        if path.startswith(("/work", "/bound")) and path.split("/")[1] not in roots:
            continue  # a directory of the system, then
        written = path.replace("T", str(disk))
        may = storage.rules.verdict(written).access
        allowed = {a for uri, access in allow if _matches(disk, uri, written) for a in access}
        denied = {a for uri, access in deny if _matches(disk, uri, written, True) for a in access}
        assert {access.value[0] for access in may} <= allowed - denied
        if "/own" in path:
            assert not may


def _matches(disk: Path, uri: str, path: str, below: bool = False) -> bool:
    """A second, slow reading of the rules: patterns with one kind of wildcard at most."""
    named = not uri.removeprefix("fs://").startswith(("/", "T"))
    if named and not path.startswith(("/work", "/bound")):
        return False
    pattern = uri.removeprefix("fs://").replace("T", str(disk))
    parts = [part for part in pattern.split("/") if part]
    names = [part for part in path.split("/") if part]
    below = below or "*" not in pattern or parts[-1] == "**"
    if parts[-1:] == ["**"]:
        parts.pop()
    ends = range(len(names) + 1) if below else [len(names)]
    return any(_fits(parts, names[:end]) for end in ends)


def _fits(parts: list[str], names: list[str]) -> bool:
    if not parts:
        return not names
    if parts[0] == "**":
        return any(_fits(parts[1:], names[i:]) for i in range(len(names) + 1))
    return bool(names) and parts[0] in ("*", names[0]) and _fits(parts[1:], names[1:])


MOUNTS = (
    Mount("/home/me", "/home/me", writable=False),
    Mount("/srv/notes", "/notes", writable=True),
    Mount("/real/deep", "/home/me/deep", writable=False),
)


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/home/me/a.txt", "/home/me/a.txt"), ("/home/me", "/home/me"),
        ("/home/me/deep/x", "/real/deep/x"), ("/home/me/deeper/x", "/home/me/deeper/x"),
        ("/notes/n", "/srv/notes/n"), ("/notes", "/srv/notes"),
        ("/notes2/n", None), ("/home", None), ("/", None),
    ],
)  # fmt: skip
def test_a_path_of_a_component_as_others_name_it(path: str, there: str | None) -> None:
    assert host_path(MOUNTS, path) == there
