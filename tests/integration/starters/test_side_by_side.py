"""The same requests to the starters and to the servers of the protocol's authors. What differs is
in docs/starters.md; what is said there to be the same is here."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from support import peers
from support.starters import Hosted, patched

from .test_pages import server

if TYPE_CHECKING:
    from pathlib import Path

    from wassette.host import Host

pytestmark = pytest.mark.anyio
__all__ = ["server"]

SOURCE = "def f():\n    return 1\n\n\ndef g():\n    return 2\n"
EDITS = [
    [("return 1", "return 3")],
    [("def g():\nreturn 2", "def h():\n    return 4")],  # found without its indentation
    [("return 1", "return 3"), ("return 3", "return 5")],
]


def fill(folder: Path) -> None:
    (folder / "src" / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("one\ntwo\nthree\n")
    (folder / "ü.md").write_text("# ü\n")
    (folder / "src" / "b.py").write_text(SOURCE)
    (folder / "src" / "deep" / "c.py").write_text("x = 1\n")
    (folder / "image.png").write_bytes(b"\x89PNG\r\n\x1a\n\0")
    (folder / "link").symlink_to("a.txt")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): b"" if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def text(result: Any) -> str:
    [content] = result.content
    return str(content.text)


async def test_files(host: Host, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    fill(ours)
    fill(theirs)
    await host.load("starter:files")
    await host.grant_storage("files", f"fs://{ours}", ["read", "write"])
    files = Hosted(host)
    async with peers.filesystem(theirs) as peer:

        async def they(tool: str, **arguments: object) -> Any:
            return await peer.call_tool(tool, arguments)

        # reading
        for name in ("a.txt", "ü.md", "src/b.py", "link"):
            read = await files.ok("read-text-file", path=f"{ours}/{name}")
            assert read == text(await they("read_text_file", path=f"{theirs}/{name}"))
        head = await files.ok("read-text-file", path=f"{ours}/a.txt", head=2)
        assert head.rstrip("\n") == text(
            await they("read_text_file", path=f"{theirs}/a.txt", head=2)
        )
        media = await files.ok("read-media-file", path=f"{ours}/image.png")
        [image] = (await they("read_media_file", path=f"{theirs}/image.png")).content
        assert (media["mime-type"], media["data"]) == (image.mime_type, image.data)
        assert base64.b64decode(image.data) == (ours / "image.png").read_bytes()
        both = [f"{theirs}/a.txt", f"{theirs}/none"]
        joined = text(await they("read_multiple_files", paths=both)).split("\n---\n")
        found = await files.ok(
            "read-multiple-files", paths=[one.replace("theirs", "ours") for one in both]
        )
        assert joined[0] == f"{theirs}/a.txt:\n{found[0]['text']['ok']}\n"
        assert "Error" in joined[1]
        assert "err" in found[1]["text"]

        # listing
        listed = [
            f"[{'DIR' if one['kind'] == 'directory' else 'FILE'}] {one['name']}"
            for one in await files.ok("list-directory", path=str(ours))
        ]
        assert sorted(text(await they("list_directory", path=str(theirs))).split("\n")) == sorted(
            listed
        )
        sizes = {
            one["name"]: one["size"] for one in await files.ok("list-directory", path=str(ours))
        }
        with_sizes = text(await they("list_directory_with_sizes", path=str(theirs)))
        assert dict(re.findall(r"\[FILE\] (\S+) +(\d+) B", with_sizes))["a.txt"] == str(
            sizes["a.txt"]
        )
        for exclude in ([], ["deep"], ["**/*.py"]):
            tree = json.loads(await files.ok("directory-tree", path=str(ours), exclude=exclude))
            raw = json.loads(
                text(await they("directory_tree", path=str(theirs), excludePatterns=exclude))
            )
            assert tree == in_order(raw)
        info = text(await they("get_file_info", path=f"{theirs}/a.txt"))
        assert f"size: {(await files.ok('get-file-info', path=f'{ours}/a.txt'))['size']}" in info
        assert text(await they("list_allowed_directories")).endswith(str(theirs))
        assert await files.ok("list-allowed-directories") == [str(ours)]

        # searching
        for pattern in (
            "*.txt",
            "**/*.py",
            "**/*",
            "src/**",
            "**/b.*",
            "*.{md,txt}",
            "none",
            "**/[ab].*",
        ):
            expected = text(await they("search_files", path=str(theirs), pattern=pattern))
            names = [] if expected == "No matches found" else expected.split("\n")
            matches = await files.ok("search-files", path=str(ours), pattern=pattern)
            assert matches == sorted(name.replace("theirs", "ours") for name in names), pattern

        # editing: the same files, and diffs that lead to them
        for edits in EDITS:
            for folder in (ours, theirs):
                (folder / "src" / "b.py").write_text(SOURCE)
            diff = await files.ok(
                "edit-file",
                path=f"{ours}/src/b.py",
                edits=[{"old-text": old, "new-text": new} for old, new in edits],
            )
            await they(
                "edit_file",
                path=f"{theirs}/src/b.py",
                edits=[{"oldText": old, "newText": new} for old, new in edits],
            )
            assert contents(ours) == contents(theirs)
            assert patched(SOURCE, diff) == (theirs / "src" / "b.py").read_text()

        # changing
        steps: list[tuple[str, str, dict[str, str]]] = [
            ("write-file", "write_file", {"path": "{}/new.txt", "content": "né\n"}),
            ("write-file", "write_file", {"path": "{}/a.txt", "content": "other"}),
            ("create-directory", "create_directory", {"path": "{}/x/y/z"}),
            ("create-directory", "create_directory", {"path": "{}/x"}),
            ("move-file", "move_file", {"source": "{}/new.txt", "destination": "{}/x/moved"}),
            ("move-file", "move_file", {"source": "{}/src", "destination": "{}/x/src"}),
        ]
        for our_tool, their_tool, given in steps:
            await files.ok(our_tool, **{key: one.format(ours) for key, one in given.items()})
            answer = await they(
                their_tool, **{key: one.format(theirs) for key, one in given.items()}
            )
            assert not answer.is_error, answer
            assert contents(ours) == contents(theirs)

        # refusing
        refused: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
            ("read-text-file", "read_text_file", {"path": "{}/none"}, {}),
            ("read-text-file", "read_text_file", {"path": "/etc/passwd"}, {}),
            ("read-text-file", "read_text_file", {"path": "{}/../outside"}, {}),
            ("write-file", "write_file", {"path": "{}/no/x", "content": ""}, {}),
            ("list-directory", "list_directory", {"path": "{}/a.txt"}, {}),
            ("move-file", "move_file", {"source": "{}/a.txt", "destination": "{}/ü.md"}, {}),
            (
                "edit-file",
                "edit_file",
                {"path": "{}/a.txt"},
                {"edits": [{"old-text": "none", "new-text": ""}]},
            ),
        ]
        (tmp_path / "outside").write_text("secret")
        for our_tool, their_tool, given, more in refused:
            await files.error(
                our_tool, **{key: one.format(ours) for key, one in given.items()}, **more
            )
            if "edits" in more:
                more = {"edits": [{"oldText": "none", "newText": ""}]}
            arguments = {key: one.format(theirs) for key, one in given.items()} | more
            assert (await they(their_tool, **arguments)).is_error, (their_tool, arguments)
        assert contents(ours) == contents(theirs)


def in_order(tree: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A tree as they give it, by name."""
    return [
        {**one, "children": in_order(one["children"])} if "children" in one else one
        for one in sorted(tree, key=lambda one: str(one["name"]))
    ]


def words(markdown: str) -> list[str]:
    return re.findall(r"\w+", markdown)


async def test_pages(host: Host, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from . import test_pages

    article = "".join(
        f"<p>Sentence {i} says <b>something</b> new, as all do.</p>" for i in range(20)
    )
    page = (
        f"<html><head><title>T</title></head><body><h1>Title</h1><h2>Part</h2>{article}"
        "<ul><li>one</li><li>two</li></ul></body></html>"
    )
    answers = {"/article": (200, {"content-type": "text/html"}, page.encode())}
    monkeypatch.setattr(test_pages, "ANSWERS", test_pages.ANSWERS | answers)
    await host.load("starter:fetch")
    await host.grant_network("fetch", server)
    fetch = Hosted(host)
    async with peers.fetch() as peer:

        async def they(path: str, **more: object) -> tuple[bool, str]:
            answer = await peer.call_tool("fetch", {"url": f"http://{server}{path}", **more})
            return bool(answer.is_error), text(answer)

        # Markdown with the same words and the same structure
        failed, theirs = await they("/article")
        ours = (await fetch.ok("fetch", url=f"http://{server}/article"))["content"]
        assert not failed
        assert words(ours)[2:] == words(theirs.partition("\n")[2])[-len(words(ours)) + 2 :]
        for mark in ("## Part", "**something**", "one", "two"):
            assert mark in ours
            assert mark in theirs
        # raw, other texts, parts of them, and where it leads on
        for path in ("/json", "/text"):
            for start in (0, 100):
                expected = await they(path, max_length=5, start_index=start)
                page_ours = await fetch(
                    "fetch", url=f"http://{server}{path}", max_length=5, start_index=start
                )
                content = page_ours["ok"]["content"]
                assert content in expected[1] if content else "No more content" in expected[1]
        assert ANSWER in (await they("/page", raw=True))[1]
        assert (await fetch.ok("fetch", url=f"http://{server}/page", raw=True))["content"] == ANSWER
        assert ANSWER in (await they("/on", raw=True))[1]
        assert (await fetch.ok("fetch", url=f"http://{server}/on", raw=True))["content"] == ANSWER
        # mistakes
        for path in ("/gone", "/loop"):
            assert (await they(path))[0]
            await fetch.error("fetch", url=f"http://{server}{path}")


ANSWER = "<title>A &amp; B</title><p>Hi <a href='x'>x</a>"
