"""What the operating system has to let through for each kind of rule: no more than it needs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from wassette.policy import Access, Mount, StorageRule
from wassette.policy.files import FileRule, FileRules, Kind
from wassette.policy.openings import Opening, openings, unchanged
from wassette.policy.places import Found
from wassette.policy.storage import Storage, resolve_storage

if TYPE_CHECKING:
    from pathlib import Path

R = frozenset({Access.READ})
W = frozenset({Access.WRITE})
LETTERS = {"r": R, "w": W, "rw": R | W}

DISK = {
    **dict.fromkeys(("/", "/a", "/a/b", "/a/b/c", "/d", "/private/x"), "directory"),
    **dict.fromkeys(("/a/f.txt", "/a/b/g.txt", "/d/f.txt"), "file"),
    "/a/link": "link",
    "/a/fifo": "fifo",
}


def look(path: str) -> Found | None:
    """A disk without a disk; each place has an inode of its own."""
    kind = DISK.get(path)
    if kind is None:
        return None
    return Found(1, list(DISK).index(path), kind == "directory", kind == "file")


def rule(letters: str, pattern: str, kind: Kind, mount: int = 0) -> FileRule:
    return FileRule(pattern, LETTERS[letters], kind, preopen=mount)


def short(found: tuple[Opening, ...]) -> list[str]:
    return [f"{one.plain()[3] or '-'} {one.path}" for one in found]


TREE, EXACT, LITERAL = Kind.TREE, Kind.EXACT, Kind.LITERAL

CASES: dict[str, tuple[list[str], list[FileRule], list[str]]] = {
    "nothing": ([], [], []),
    "a directory": (["/a"], [rule("r", "/a", TREE)], ["r /a"]),
    "a directory for writing": (["/a"], [rule("rw", "/a", TREE)], ["rw /a"]),
    "a directory for writing only": (["/a"], [rule("w", "/a", TREE)], ["w /a"]),
    "everything": (["/"], [rule("r", "/**", TREE)], ["r /"]),
    "a pattern": (["/a"], [rule("r", "/a/**/*.md", EXACT)], ["r /a"]),
    "a pattern of children": (["/a"], [rule("rw", "/a/*", EXACT)], ["rw /a"]),
    "a pattern in a served directory": (
        ["/a"],
        [rule("r", "/a/b/*.md", EXACT), rule("r", "/a/*.txt", EXACT)],
        ["r /a"],
    ),
    "a pattern below a mount": (
        ["/a"],
        [rule("r", "/a/f.txt", LITERAL), rule("r", "/a/b/*.md", EXACT)],
        ["- /a", "r /a/b", "r /a/f.txt"],
    ),
    "a pattern where there is nothing now": (
        ["/a"],
        [rule("rw", "/a/gone/*.md", EXACT)],
        ["- /a"],
    ),
    "a file": (["/a"], [rule("r", "/a/f.txt", LITERAL)], ["- /a", "r /a/f.txt"]),
    "files": (
        ["/a", "/d"],
        [rule("r", "/a/f.txt", LITERAL), rule("r", "/d/f.txt", LITERAL, 1)],
        ["- /a", "r /a/f.txt", "- /d", "r /d/f.txt"],
    ),
    "a file for writing": (["/a"], [rule("rw", "/a/f.txt", LITERAL)], ["rw /a"]),
    "a file for writing only": (["/a"], [rule("w", "/a/f.txt", LITERAL)], ["w /a"]),
    "a file for writing in a directory for reading": (
        ["/a"],
        [rule("r", "/a", TREE), rule("w", "/a/f.txt", LITERAL)],
        ["rw /a"],
    ),
    "a file that may be made": (["/a"], [rule("rw", "/a/new.txt", LITERAL)], ["rw /a"]),
    "a directory that may be made": (["/a"], [rule("rw", "/a/new", TREE)], ["rw /a"]),
    "a file that is not there": (["/a"], [rule("r", "/a/new.txt", LITERAL)], ["- /a"]),
    "a link": (["/a"], [rule("r", "/a/link", LITERAL)], ["- /a"]),
    "a pipe": (["/a"], [rule("r", "/a/fifo", LITERAL)], ["- /a"]),
    "a file that became a directory": (["/a"], [rule("r", "/a/b", LITERAL)], ["- /a", "r /a/b"]),
    "wider rights further down": (
        ["/a"],
        [rule("r", "/a", TREE), rule("rw", "/a/b", TREE)],
        ["r /a", "rw /a/b"],
    ),
    "narrower rights further down, which cannot be said": (
        ["/a"],
        [rule("rw", "/a", TREE), rule("r", "/a/b", TREE)],
        ["rw /a"],
    ),
    "denied, which cannot be said either": (
        ["/a"],
        [rule("rw", "/a", TREE), FileRule("/a/b", R | W, TREE, deny=True)],
        ["rw /a"],
    ),
    "a directory that is gone": (["/gone"], [rule("r", "/gone", TREE)], []),
}


@pytest.mark.parametrize(("mounts", "rules", "expected"), CASES.values(), ids=CASES)
def test_openings(mounts: list[str], rules: list[FileRule], expected: list[str]) -> None:
    storage = Storage(tuple(Mount(path, path, True) for path in mounts), FileRules(tuple(rules)))
    assert short(openings(storage, look)) == expected


def test_the_guests_path_is_not_the_hosts() -> None:
    storage = Storage(
        (Mount("/a", "/workspace", False), Mount("/private/x", "/notes", True)),
        FileRules((rule("r", "/workspace/b/c", TREE), rule("w", "/notes", TREE, 1))),
    )
    assert short(openings(storage, look)) == ["- /a", "r /a/b/c", "w /private/x"]


def test_a_file_in_place_of_a_mount_opens_nothing_above_it() -> None:
    """A rule that is about the whole mount never leads to the directory above that."""
    storage = Storage((Mount("/a/f.txt", "/m", True),), FileRules((rule("rw", "/m", TREE),)))
    assert short(openings(storage, look)) == []


def test_what_a_policy_comes_to(tmp_path: Path) -> None:
    root = tmp_path.resolve()
    (root / "in/deep").mkdir(parents=True)
    (root / "one.txt").write_text("x")
    storage = resolve_storage(
        [
            StorageRule(f"fs://{root}/in/**/*.md", R | W),
            StorageRule(f"fs://{root}/one.txt", R),
            StorageRule("fs://notes", R | W),
        ],
        [],
        private_root=root / "private",
        protected=[],
    )
    assert short(openings(storage)) == [
        f"- {root}",
        f"rw {root}/in",
        f"r {root}/one.txt",
        f"rw {root}/private/notes",
    ]


def test_another_file_of_the_same_name_is_a_change(tmp_path: Path) -> None:
    file = tmp_path.resolve() / "one.txt"
    file.write_text("x")
    rules = [StorageRule(f"fs://{file}", R)]
    before = openings(resolve_storage(rules, [], private_root=tmp_path, protected=[]))
    assert unchanged(before)
    file.write_text("more, in the same file")
    assert unchanged(before)
    fresh = tmp_path / "fresh"
    fresh.write_text("y")
    os.replace(fresh, file)
    assert not unchanged(before)
    file.unlink()
    assert not unchanged(before)
