"""The starter `files`, through the whole product."""

from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from support.starters import Hosted, patched

if TYPE_CHECKING:
    from pathlib import Path

    from wassette.host import Host

pytestmark = pytest.mark.anyio


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "place"
    (place / "src" / "deep").mkdir(parents=True)
    (place / "a.txt").write_text("one\ntwo\nthree\n")
    (place / "src" / "b.py").write_text("def f():\n    return 1\n")
    (place / "src" / "deep" / "c.py").write_text("x = 'TWO'\n")
    return place


@pytest.fixture
async def files(host: Host, place: Path) -> Hosted:
    await host.load("starter:files")
    await host.grant_storage("files", f"fs://{place}", ["read", "write"])
    return Hosted(host)


async def test_reading(files: Hosted, place: Path) -> None:
    path = str(place / "a.txt")
    assert await files.ok("read-text-file", path=path) == "one\ntwo\nthree\n"
    assert await files.ok("read-text-file", path=path, head=2) == "one\ntwo\n"
    assert await files.ok("read-text-file", path=path, tail=2) == "two\nthree\n"
    assert await files.ok("read-text-file", path=path, tail=99) == "one\ntwo\nthree\n"
    assert "only one" in await files.error("read-text-file", path=path, head=1, tail=1)
    assert "is a directory" in await files.error("read-text-file", path=str(place))
    assert "not absolute" in await files.error("read-text-file", path="a.txt")
    (place / "bytes").write_bytes(b"a\xff\xc3(b")
    assert await files.ok("read-text-file", path=str(place / "bytes")) == "a��(b"
    found = await files.ok("read-multiple-files", paths=[path, str(place / "none")])
    assert found[0] == {"path": path, "text": {"ok": "one\ntwo\nthree\n"}}
    assert "does not exist" in found[1]["text"]["err"]
    (place / "i.PNG").write_bytes(b"\x89PNG\0\xff")
    media = await files.ok("read-media-file", path=str(place / "i.PNG"))
    assert media["mime-type"] == "image/png"
    assert base64.b64decode(media["data"]) == b"\x89PNG\0\xff"


async def test_writing_leaves_nothing_beside(files: Hosted, place: Path) -> None:
    path = place / "a.txt"
    before = path.stat().st_ino
    await files.ok("write-file", path=str(path), content="héllo")
    assert path.read_text() == "héllo"
    assert path.stat().st_ino != before  # renamed into place
    await files.ok("write-file", path=str(place / "new"), content="")
    assert sorted(os.listdir(place)) == ["a.txt", "new", "src"]
    assert "does not exist" in await files.error("write-file", path=str(place / "no/x"), content="")
    assert "is a directory" in await files.error("write-file", path=str(place / "src"), content="")


async def test_a_single_file_is_written_in_place(host: Host, place: Path) -> None:
    await host.load("starter:files")
    await host.grant_storage("files", f"fs://{place}/a.txt", ["read", "write"])
    await Hosted(host).ok("write-file", path=str(place / "a.txt"), content="x")
    assert (place / "a.txt").read_text() == "x"
    assert sorted(os.listdir(place)) == ["a.txt", "src"]
    await host.grant_storage("files", f"fs://{place}/src/*.py", ["read", "write"])
    result = await host.call_tool("write-file", {"path": f"{place}/src/b.py", "content": "y"})
    assert (result.value["ok"], result.refused) == (f"wrote 1 bytes to {place}/src/b.py", ())
    assert sorted(os.listdir(place / "src")) == ["b.py", "deep"]


async def test_a_link_is_followed_and_stays(files: Hosted, place: Path) -> None:
    (place / "link").symlink_to("a.txt")
    await files.ok("write-file", path=str(place / "link"), content="by the link")
    assert (place / "link").is_symlink()
    assert (place / "a.txt").read_text() == "by the link"
    (place / "out").symlink_to("/etc/hostname")
    assert "permitted" in await files.error("read-text-file", path=str(place / "out"))


EDITS: list[tuple[str, list[dict[str, str]], str]] = [
    ("a\nb\nc\n", [{"old-text": "b", "new-text": "B"}], "a\nB\nc\n"),
    ("a\nb\n", [{"old-text": "a\nb\n", "new-text": ""}], ""),
    ("a\r\nb\r\n", [{"old-text": "a\nb", "new-text": "x\ny"}], "x\r\ny\r\n"),
    ("aa", [{"old-text": "a", "new-text": "b"}, {"old-text": "a", "new-text": "c"}], "bc"),
    (
        "  if x:\n      y\n",
        [{"old-text": "if x:\n    y", "new-text": "if z:\n    y\n    w"}],
        "  if z:\n  y\n    w\n",
    ),
    ("\tf()\n", [{"old-text": "  f()", "new-text": "  g()"}], "\tg()\n"),
]


async def test_editing(files: Hosted, place: Path) -> None:
    path = place / "edited"
    for text, edits, expected in EDITS:
        path.write_bytes(text.encode())
        preview = await files.ok("edit-file", path=str(path), edits=edits, dry_run=True)
        assert path.read_bytes().decode() == text
        diff = await files.ok("edit-file", path=str(path), edits=edits)
        assert (diff, path.read_bytes().decode()) == (preview, expected)
        if "\r" not in text:
            assert patched(text, diff) == expected


async def test_edits_that_do_not_all_fit_change_nothing(files: Hosted, place: Path) -> None:
    edits = [{"old-text": "one", "new-text": "1"}, {"old-text": "four", "new-text": "4"}]
    assert "number 2: not found" in await files.error(
        "edit-file", path=str(place / "a.txt"), edits=edits
    )
    assert (place / "a.txt").read_text() == "one\ntwo\nthree\n"


async def test_listing(files: Hosted, place: Path) -> None:
    (place / "big").write_bytes(b"x" * 1000)
    (place / "link").symlink_to("a.txt")
    listed = await files.ok("list-directory", path=str(place))
    assert [(one["name"], one["kind"], one["size"]) for one in listed] == [
        ("a.txt", "file", 14),
        ("big", "file", 1000),
        ("link", "link", 5),
        ("src", "directory", 0),
    ]
    by_size = await files.ok("list-directory", path=str(place), order="size")
    assert [one["name"] for one in by_size] == ["big", "a.txt", "link", "src"]
    tree = json.loads(await files.ok("directory-tree", path=str(place), exclude=["deep", "*.txt"]))
    assert tree == [
        {"name": "big", "type": "file"},
        {"name": "link", "type": "file"},
        {"name": "src", "type": "directory", "children": [{"name": "b.py", "type": "file"}]},
    ]
    assert await files.ok("list-allowed-directories") == [str(place)]
    info = await files.ok("get-file-info", path=str(place / "big"))
    assert (info["kind"], info["size"]) == ("file", 1000)


NAMES = [
    ("*.txt", ["a.txt"]),
    ("**/*.py", ["src/b.py", "src/deep/c.py"]),
    ("**/*", ["a.txt", "src", "src/b.py", "src/deep", "src/deep/c.py"]),
    ("src/**", ["src/b.py", "src/deep", "src/deep/c.py"]),
    ("**/[!b].{py,txt}", ["a.txt", "src/deep/c.py"]),
    ("src/?.py", ["src/b.py"]),
    ("**/deep/**/*.py", ["src/deep/c.py"]),
    ("none", []),
]


async def test_searching_names(files: Hosted, place: Path) -> None:
    for pattern, expected in NAMES:
        found = await files.ok("search-files", path=str(place), pattern=pattern)
        assert found == [str(place / one) for one in expected], pattern


async def test_searching_texts(files: Hosted, place: Path) -> None:
    (place / "binary").write_bytes(b"two\0two")
    found = await files.ok("search-text", path=str(place), pattern="t(wo|hree)$", ignore_case=True)
    lines = [
        (os.path.relpath(one["path"], place), one["line"], one["text"]) for one in found["matches"]
    ]
    assert lines == [("a.txt", 2, "two"), ("a.txt", 3, "three")]
    assert (found["files"], found["incomplete"]) == (3, False)
    found = await files.ok("search-text", path=str(place), pattern="TWO", files="**/*.py")
    assert [one["text"] for one in found["matches"]] == ["x = 'TWO'"]
    found = await files.ok("search-text", path=str(place / "a.txt"), pattern=".", limit=2)
    assert (len(found["matches"]), found["incomplete"]) == (2, True)
    assert "without its )" in await files.error("search-text", path=str(place), pattern="(")


async def test_moving(files: Hosted, place: Path) -> None:
    await files.ok("create-directory", path=str(place / "x/y/z"))
    await files.ok("create-directory", path=str(place / "x/y/z"))
    await files.ok("move-file", source=str(place / "a.txt"), destination=str(place / "x/y/a"))
    assert (place / "x/y/a").read_text() == "one\ntwo\nthree\n"
    busy: dict[str, Any] = {"source": str(place / "x/y/a"), "destination": str(place / "src/b.py")}
    assert "exists already" in await files.error("move-file", **busy)
    assert "is not a directory" in await files.error("create-directory", path=f"{place}/src/b.py/x")


async def test_nothing_without_a_permission(host: Host, place: Path) -> None:
    await host.load("starter:files")
    files = Hosted(host)
    for tool, given in (
        ("read-text-file", {"path": str(place / "a.txt")}),
        ("write-file", {"path": str(place / "w"), "content": ""}),
        ("create-directory", {"path": str(place / "d")}),
        ("list-directory", {"path": str(place)}),
        ("move-file", {"source": str(place / "a.txt"), "destination": str(place / "b")}),
        ("search-text", {"path": str(place), "pattern": "one"}),
    ):
        assert "permitted" in await files.error(tool, **given)
    assert sorted(os.listdir(place)) == ["a.txt", "src"]
    assert await files.ok("list-allowed-directories") == []


async def test_reading_is_not_writing(host: Host, place: Path) -> None:
    await host.load("starter:files")
    await host.grant_storage("files", f"fs://{place}", ["read"])
    files = Hosted(host)
    assert await files.ok("read-text-file", path=str(place / "a.txt"), head=1) == "one\n"
    edits = [{"old-text": "one", "new-text": "1"}]
    assert "only be read" in await files.error("edit-file", path=str(place / "a.txt"), edits=edits)
    assert (place / "a.txt").read_text() == "one\ntwo\nthree\n"


async def test_no_path_leads_out(files: Hosted, place: Path) -> None:
    (place.parent / "secret").write_text("s")
    for way in ("/../secret", "/src/../../secret", "//../secret", "/./src/.././../secret"):
        assert "permitted" in await files.error("read-text-file", path=f"{place}{way}")
