"""A hostile component tries to leave its grants of files. Each attack has a name, and fails."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.files import Guest, Mounts, rule, rules
from wassette.errors import CallError, CallTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wassette.host import Host

SECRET = "SECRET"  # the text of every file that must not be read


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[Mounts]:
    """/m can be written, but for /m/secret; beside it is a file that is in no grant."""
    (tmp_path / "m/secret/deep").mkdir(parents=True)
    (tmp_path / "m/open/sub").mkdir(parents=True)
    for name in ("outside.txt", "m/secret/pw", "m/secret/deep/pw"):
        (tmp_path / name).write_text(SECRET)
    (tmp_path / "m/open/f").write_text("ok")
    (tmp_path / "m/open/sub/f").write_text("ok")
    yield ((str(tmp_path / "m"), "/m", True),)
    # Some of these trees are deeper than Python's own functions go.
    subprocess.run(["rm", "-rf", tmp_path / "m"], check=True)


DENIED = rules(rule("rwt", "/m"), rule("rwd", "/m/secret"))
TREE = rules(rule("rwt", "/m"))
GLOB = rules(rule("rw", "/m/open/**/f"))


def attack(mounts: Mounts, text: str, *script: str) -> list[str]:
    """What the operations give; none gives the secret, wherever it is hidden."""
    found = Guest("c-files", mounts, text).run(one.split(" ") for one in script)
    assert not any(SECRET in one for one in found), list(zip(script, found, strict=True))
    return found


# ---- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [DENIED, TREE, GLOB], ids=["denied", "tree", "glob"])
def test_dots(mounts: Mounts, text: str) -> None:
    ways = [
        f"{start}{'../' * depth}{end}"
        for start in ("/m/", "/m/open/", "/m/open/sub/", "m/", "", "/m/./open/.//", "/m/open/f/")
        for depth in range(5)
        for end in ("outside.txt", "etc/passwd", "..", f"{mounts[0][0][1:]}/../outside.txt")
    ]
    for found in attack(mounts, text, *(f"read {way}" for way in ways)):
        assert found.startswith("E"), found


@pytest.mark.parametrize("text", [DENIED, GLOB], ids=["denied", "glob"])
def test_trailing_slashes_and_dots(mounts: Mounts, tmp_path: Path, text: str) -> None:
    (tmp_path / "m/open/link").symlink_to("../secret/pw")
    (tmp_path / "m/open/up").symlink_to("../secret")
    names = ("secret", "secret/pw", "secret/deep", "open/link", "open/up", "open/up/pw")
    ends = ("", "/", "//", "/.", "/./", "/..", "/../pw", "/pw/", "/../secret/pw")
    script = [f"{what} /m/{name}{end}" for what in ("read", "list", "unlink", "rmdir", "truncate")
              for name in names for end in ends]  # fmt: skip
    attack(mounts, text, *script)
    assert (tmp_path / "m/secret/pw").read_text() == SECRET
    assert (tmp_path / "m/secret/deep/pw").read_text() == SECRET


def test_proc_and_devices(mounts: Mounts) -> None:
    for path in ("/proc/self/root/etc/passwd", "/proc/self/environ", "/dev/zero", "/dev/stdin"):
        assert attack(mounts, TREE, f"read {path}", f"stat {path}") == ["EACCES", "EACCES"]


def test_case(mounts: Mounts) -> None:
    """Where the disk does not tell cases apart, a denied name is denied in every case."""
    folded = rules(rule("rwt", "/m"), rule("rwd", "/m/secret"), options="fw")
    for name in ("SECRET", "Secret", "\u017fecret", "secre\uff34", "secr\u00c9t", "sec\u200bret"):
        assert attack(mounts, folded, f"mkdir /m/{name}") == ["EACCES"], name


def test_unicode_normalisation(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    mounts = ((str(tmp_path / "m"), "/m", True),)
    for denied in ("caf\u00e9", "cafe\u0301", "\uac00", "\u1112\u1161", "\ufb01le", "\u212b"):
        text = rules(rule("rwt", "/m"), rule("rwd", f"/m/{denied}"), options="f")
        others = {
            "caf": ("caf\u00e9", "cafe\u0301", "CAF\u00c9", "cafE\u0301"),
            "\uac00": ("\u1100\u1161", "\uac00"),
            "\u1112": ("\ud558",),
            "\ufb01": ("file", "FILE"),
            "\u212b": ("\u00c5", "a\u030a"),
        }
        for start, names in others.items():
            if denied.startswith(start):
                for name in names:
                    assert attack(mounts, text, f"mkdir /m/{name}") == ["EACCES"], (denied, name)


def test_no_character_outside_the_table_becomes_ascii() -> None:
    """What the guard takes for `other scripts` (rules.c) never folds or normalises to ASCII, nor
    disappears."""
    import unicodedata

    ranges = [
        (0x0391, 0x05FF),
        (0x0620, 0x06D3),
        (0x0900, 0x10FF),
        (0x3041, 0x3096),
        (0x30A1, 0x312F),
        (0x3400, 0x9FFF),
        (0xAC00, 0xD7A3),
        (0x1F300, 0x1FAFF),
    ]
    source = Path(__file__).parents[2] / "backend/wassette/sandbox/guard/rules.c"
    for first, last in ranges:
        assert f"{{0x{first:04X}, 0x{last:04X}}}" in source.read_text()
        for code in range(first, last + 1):
            c = chr(code)
            forms = {c, c.lower(), c.upper(), c.casefold(), c.swapcase()}
            forms |= {unicodedata.normalize(f, x) for f in ("NFD", "NFKD") for x in set(forms)}
            forms |= {form.casefold() for form in set(forms)}
            assert not any(form == "" or form.isascii() for form in forms), hex(code)
            assert not any(x.isascii() for form in forms for x in form), hex(code)
            assert unicodedata.category(c) != "Cf", hex(code)


# ---- links ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [DENIED, TREE, GLOB], ids=["denied", "tree", "glob"])
def test_links_that_are_there(mounts: Mounts, tmp_path: Path, text: str) -> None:
    folder = tmp_path / "m/open"
    for name, target in {
        "absolute": str(tmp_path / "outside.txt"),
        "up": "../..",
        "f2": "../../outside.txt",
        "root": "/",
        "proc": "/proc/self/root",
        "twice": "up2",
        "up2": "up",
    }.items():
        (folder / name).symlink_to(target)
        (folder / "sub" / name).mkdir()
        (folder / "sub" / name / "f").symlink_to(f"../../../../{target}")
    for name in os.listdir(folder):
        ends = ("", "/f", "/outside.txt", "/etc/passwd", "/m/../outside.txt", "/../outside.txt")
        script = [f"{what} /m/open/{name}{end}" for end in ends for what in ("read", "list")]
        attack(mounts, text, *script, f"read /m/open/sub/{name}/f")
    attack(mounts, text, *(f"write /m/open/{name} x" for name in os.listdir(folder)))
    assert (tmp_path / "outside.txt").read_text() == SECRET


def test_links_of_its_own(mounts: Mounts, tmp_path: Path) -> None:
    made = attack(
        mounts,
        DENIED,
        "symlink ../secret/pw /m/open/a",
        "symlink ../../outside.txt /m/open/b",
        "symlink /etc/passwd /m/open/c",
        "symlink .. /m/open/d",
        "read /m/open/d/secret/pw",
        "symlink sub /m/open/e",
        "symlink e/../../secret/pw /m/open/g",
        "read /m/open/g",
        "symlink nothing/../../secret/pw /m/open/h",
        "read /m/open/h",
    )
    assert made == ["EACCES", "EACCES", "EACCES", "ok", "EACCES", "ok", *["EACCES", "ENOENT"] * 2]


def test_hard_links(mounts: Mounts, tmp_path: Path) -> None:
    """New ones need the rights of both names. One that is there is the file: no name tells it."""
    assert (
        attack(
            mounts,
            DENIED,
            "link /m/secret/pw /m/open/pw",
            "link /m/open/../secret/pw /m/pw",
            "link /m/secret /m/open/s",
            "link /m/open/f /m/secret/f",
        )
        == ["EACCES"] * 4
    )
    (tmp_path / "m/open/both").hardlink_to(tmp_path / "m/open/f")
    assert attack(mounts, DENIED, "read /m/open/both") == ["ok"]


def test_chains_and_loops_of_links(mounts: Mounts, tmp_path: Path) -> None:
    folder = tmp_path / "m/open"
    for number in range(300):
        (folder / f"l{number}").symlink_to(f"l{number + 1}")
    (folder / "l300").symlink_to("f")
    (folder / "self").symlink_to("self")
    (folder / "wide").symlink_to("wide/wide")
    (folder / "long").symlink_to("sub/../" * 580 + "f")
    for text in (DENIED, TREE):
        found = attack(mounts, text, *(f"read /m/open/{n}" for n in ("l0", "self", "wide", "l290")))
        assert found == ["ELOOP", "ELOOP", "ELOOP", "ok"]
    script = ["read /m/open/long", "read /m/open/" + "self/" * 500, "read " + "/m/open/l0" * 300]
    attack(mounts, DENIED, *script)


# ---- moving things -------------------------------------------------------------------------------


def test_renaming_into_place(mounts: Mounts, tmp_path: Path) -> None:
    assert attack(
        mounts,
        DENIED,
        "rename /m/secret /m/plain",
        "rename /m/secret/pw /m/open/pw",
        "rename /m/open /m/secret",
        "rename /m/open/f /m/secret/f",
        "rename /m /n",
    ) == ["EACCES", "EACCES", "EACCES", "EACCES", "EACCES"]
    only = rules(rule("rwl", "/m/open/f"), rule("rwt", "/m/open/sub"))
    assert attack(
        mounts,
        only,
        "rename /m/secret/pw /m/open/f",
        "rename /m/open/sub /m/open/f",
        "rename /m/open /m/open2",
        "read /m/secret/pw",
    ) == ["EACCES", "EXDEV", "EACCES", "EACCES"]


def test_renaming_a_directory_above_what_is_denied(mounts: Mounts, tmp_path: Path) -> None:
    deep = rules(rule("rwt", "/m"), rule("rwd", "/m/secret/deep"), rule("rwd", "/m/**/pw"))
    assert attack(
        mounts,
        deep,
        "rename /m/secret /m/free",
        "read /m/free/deep/pw",
        "mkdir /m/x",
        "rename /m/secret /m/x",
        "rename /m/secret/deep /m/x/deep",
        "read /m/x/deep/pw",
        "rename /m/open /m/x/open",
    ) == ["EXDEV", "EACCES", "ok", "EXDEV", "EACCES", "EACCES", "ok"]


def test_a_directory_moved_to_where_more_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "m/in/d").mkdir(parents=True)
    (tmp_path / "m/out").mkdir()
    (tmp_path / "m/in/d/f").write_text(SECRET)
    mounts = ((str(tmp_path / "m"), "/m", True),)
    text = rules(rule("wt", "/m/in"), rule("rwt", "/m/out"))
    found = attack(
        mounts,
        text,
        "rename /m/in/d /m/out/d",
        "rename /m/in/d/f /m/out/f",
        "link /m/in/d/f /m/out/f",
    )
    assert found == ["EXDEV", "EXDEV", "EACCES"]


def test_descriptor_of_a_parent(mounts: Mounts) -> None:
    assert attack(
        mounts,
        DENIED,
        "read-at /m secret/pw",
        "read-at /m/open ../secret/pw",
        "read-at / m/secret/pw",
        "read-at / ../../m/secret/pw",
        "read-at /m/open /m/secret/pw",
        "read-at /m/open ../../outside.txt",
        "read-at /m open/f",
    ) == ["EACCES"] * 6 + ["ok"]
    only = rules(rule("rl", "/m/open/f"))
    assert attack(mounts, only, "read-at /m/open sub/f", "read-at /m/open f") == ["EACCES", "ok"]


@contextmanager
def meanwhile(change: Callable[[], None]) -> Iterator[None]:
    """Has a thread do something again and again."""
    stop = threading.Event()

    def again() -> None:
        while not stop.is_set():
            change()

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("text", [DENIED, GLOB], ids=["denied", "glob"])
def test_swapping_names_for_links_from_the_host(mounts: Mounts, tmp_path: Path, text: str) -> None:
    folder = tmp_path / "m/open"
    (tmp_path / "m/secret/f").write_text(SECRET)

    def swap() -> None:
        os.rename(folder / "sub", folder / "real")
        os.symlink("../secret", folder / "sub")
        time.sleep(0)
        os.unlink(folder / "sub")
        os.rename(folder / "real", folder / "sub")
        os.symlink("../secret/pw", folder / "new")
        os.rename(folder / "new", folder / "f")
        (folder / "new").write_text("ok")
        os.rename(folder / "new", folder / "f")

    script = [f"{what} /m/open/{name}" for name in ("sub/f", "f") for what in ("read", "stat")]
    script += ["truncate /m/open/sub/f", "list /m/open/sub", "truncate /m/open/f"]
    seen: set[str] = set()
    with meanwhile(swap):
        until = time.monotonic() + 3
        while time.monotonic() < until:
            seen |= set(attack(mounts, text, *script * 20))
    assert "file 6" not in seen
    assert {one for one in seen if one.startswith("E")} <= {
        "EACCES",
        "ELOOP",
        "ENOENT",
        "ENOTDIR",
        "EBADF",
    }, seen
    for name in ("pw", "f"):
        assert (tmp_path / "m/secret" / name).read_text() == SECRET


def test_swapping_names_for_links_from_another_call(mounts: Mounts, tmp_path: Path) -> None:
    """Two calls of one component: one makes links and moves directories, the other opens."""
    other = Guest("c-files", mounts, DENIED)
    moves = [
        "rename /m/open/sub /m/open/real",
        "symlink .. /m/open/sub",
        "unlink /m/open/sub",
        "symlink ../secret /m/open/sub",
        "rename /m/open/real /m/open/sub",
        "mkdir /m/open/secret",
        "write /m/open/secret/pw ok",
        "rename /m/open/secret /m/secret",
        "rename /m/open /m/o2",
        "rename /m/o2 /m/open",
    ]
    script = ["read /m/open/sub/secret/pw", "read /m/open/sub/pw", "list /m/open/sub"]
    with meanwhile(lambda: void(other.run(one.split(" ") for one in moves * 5))):
        until = time.monotonic() + 2
        while time.monotonic() < until:
            attack(mounts, DENIED, *script * 20)
    assert (tmp_path / "m/secret/pw").read_text() == SECRET


def void(_: object) -> None: ...


# ---- special files -------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [DENIED, TREE, GLOB], ids=["denied", "tree", "glob"])
def test_fifos_sockets_and_devices_are_not_opened(tmp_path: Path, text: str) -> None:
    """Opening a FIFO would block in native code, where nothing interrupts it."""
    folder = tmp_path / "m/open"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "f")
    os.mkfifo(folder / "other")
    (folder / "sub").mkdir()
    (folder / "sub/f").symlink_to("../f")
    (folder / "d").symlink_to("other")
    here = os.getcwd()
    os.chdir(folder)  # a socket's path has to be short
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("s")
    finally:
        os.chdir(here)
    mounts = ((str(tmp_path / "m"), "/m", True),)
    names = ("f", "other", "s", "sub/f", "d", "f/", "other/", "f/f", "other/f", "d/f", "sub/f/f")
    began = time.monotonic()
    script = [f"open /m/open/{name} {how}" for name in names
              for how in ("r", "w", "rw", "rd", "rn", "cw", "rdn", "cwt", "wa")]  # fmt: skip
    script += [f"list /m/open/{name}" for name in names]
    found = attack(mounts, text, *script)
    assert all(one.startswith("E") for one in found), list(zip(script, found, strict=True))
    assert time.monotonic() - began < 10


@pytest.mark.anyio
async def test_a_fifo_swapped_in_only_blocks_the_call(
    host: Host, fixture_component: Callable[[str], Path], tmp_path: Path
) -> None:
    """Between looking and opening, somebody else may put a FIFO there: then the time limit ends
    the call, and others go on."""
    folder = tmp_path / "shared"
    folder.mkdir()
    await host.load(str(fixture_component("c-files")))
    await host.grant_storage("c-files", f"fs://{folder}", ["read"])
    path = host.policies.path("c-files")
    path.write_text(path.read_text() + "  resources:\n    limits:\n      timeout: 1s\n")
    os.mkfifo(folder / "fifo")

    def swap() -> None:
        (folder / "t").write_text("ok")
        os.rename(folder / "t", folder / "f")
        os.link(folder / "fifo", folder / "t")
        os.rename(folder / "t", folder / "f")

    with meanwhile(swap):
        for _ in range(3):
            operations = [["read", f"{folder}/f"]] * 300
            async with asyncio.timeout(60):
                result = await host.call_tool("run", {"operations": operations})
            assert result.error is None or isinstance(result.error, CallTimeout)
    result = await host.call_tool("run", {"operations": [["stat", str(folder)]]})
    assert result.value == ["dir"]


# ---- quantities ----------------------------------------------------------------------------------


def test_a_huge_directory(tmp_path: Path) -> None:
    folder = tmp_path / "m/open"
    folder.mkdir(parents=True)
    for number in range(100_000):
        os.close(os.open(folder / f"n{number:06}", os.O_CREAT))
    (folder / "f").write_text("ok")
    mounts = ((str(tmp_path / "m"), "/m", True),)
    assert attack(mounts, GLOB, "list /m/open", "count /m/open") == ["f", "1"]
    found = attack(mounts, DENIED, "count /m/open")
    assert found == ["100001"]


def test_thousands_of_open_files(mounts: Mounts) -> None:
    """libc stops at its own limit; without it, at ours (900), with an error that can be handled."""
    for text in (DENIED, TREE):
        assert 100 < int(attack(mounts, text, "hold /m/open/f 5000")[0]) < 1000
    guest = Guest("js-files", mounts, TREE)
    for path in ("m/open/f", ""):
        assert guest.call("hold", path=path, count=1000) == "899 insufficient-memory"
    assert attack(mounts, TREE, "read /m/open/f") == ["ok"]


def test_deep_directories(mounts: Mounts) -> None:
    def nested(depth: int) -> str:
        return "/m/open" + "/d" * depth

    found = attack(mounts, DENIED, *(f"mkdir {nested(depth)}" for depth in range(1, 1000)))
    assert set(found) == {"ok"}
    last = nested(999)
    found = attack(mounts, DENIED, f"write {last}/f ok", f"read {last}/f", f"stat {last}/../../d")
    assert found == ["ok", "ok", "dir"]
    assert attack(mounts, DENIED, f"list {last}{'/..' * 600}/d") == ["d"]


def test_memory_of_the_guard_by_long_paths(mounts: Mounts) -> None:
    """Arguments are copied into the guard's memory: what does not fit ends the call, only."""
    script = [f"read /m/{'x' * size}" for size in (5000, 100_000, 3_000_000)]
    assert attack(mounts, DENIED, *script) == ["ENAMETOOLONG"] * 3
    guest = Guest("c-files", mounts, DENIED, memory=24 * 2**20)
    for _ in range(3):
        for size in (1_000_000, 9_000_000):
            try:
                found = guest.run([["read", "/m/" + "y" * size]] * 4)
                assert set(found) == {"ENAMETOOLONG"}
            except CallError:
                continue
        assert guest.run([["read", "/m/open/f"]]) == ["ok"]


def test_many_calls_leave_no_memory_behind_in_the_guard(mounts: Mounts) -> None:
    """Handles and paths are given back: a long call needs no more memory than a short one."""
    deep = "/m/open" + ("/" + "d" * 200) * 18
    script = [
        *(f"write {deep}/a x", f"rename {deep}/a {deep}/b", f"link {deep}/b {deep}/a"),
        *(f"symlink b {deep}/l", f"open {deep}/l r", f"stat {deep}/l", f"open {deep} rd"),
        *("read /m/secret/pw", f"unlink {deep}/a", f"unlink {deep}/b", f"unlink {deep}/l"),
    ]
    # libc alone has a stack of 16 MiB; each path kept would be 4 KiB.
    guest = Guest("c-files", mounts, DENIED, memory=40 * 2**20)
    folders = [f"mkdir {deep[: 7 + 201 * depth]}" for depth in range(1, 19)]
    assert set(guest.run(one.split(" ") for one in folders)) == {"ok"}
    for _ in range(3):
        found = guest.run([["hold", "/", "1"], *(one.split(" ") for one in script * 300)])
        assert [one for one in found if one.startswith("E")] == ["EACCES"] * 300
