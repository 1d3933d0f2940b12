"""What each operation on each kind of path gives, in C, Python and JavaScript."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from support.files import Guest, Mounts, rule, rules

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "outside.txt": "OUTSIDE",
    "one/only.txt": "only",
    "one/sibling.txt": "SECRET",
    "one/sub/only.txt": "SECRET",
    "one/only.txt.bak": "SECRET",
    "wone/only.txt": "only",
    "wone/sibling.txt": "SECRET",
    "star/a*b": "star",
    "star/axb": "SECRET",
    "lnk/real.txt": "SECRET",
    "glob/a.txt": "a",
    "glob/b.txt": "b",
    "glob/c.log": "SECRET",
    "glob/g.md": "g",
    "glob/é.q": "e-acute",
    "glob/sub/d.txt": "SECRET",
    "glob/sub/e.md": "e",
    "glob/sub/deep/f.md": "f",
    "glob/empty/x.log": "SECRET",
    "proj/src/m.c": "m",
    "proj/src/id.key": "SECRET",
    "proj/secret/pw": "SECRET",
    "proj/ro/cfg": "cfg",
    "proj/x/secret2/q": "SECRET",
    "proj/x/plain": "plain",
    "ro/r.txt": "r",
    "ro/d/r2.txt": "r2",
    "rw/w.txt": "w",
    "rw/d/w2.txt": "w2",
    "drop/old": "SECRET",
    "outer/f": "f",
    "outer/inner/i": "i",
}
LINKS = {
    "one/link": "sibling.txt",
    "lnk/only.txt": "real.txt",
    "glob/z.txt": "c.log",  # a name that matches, to one that does not
    "glob/y.txt": "a.txt",
    "glob/x.dat": "a.txt",  # the other way round
    "glob/w.txt": "nothing",
    "glob/dirlink": "sub",
    "glob/out.txt": "../outside.txt",
    "glob/outdir": "../proj",
    "proj/link-secret": "secret/pw",
    "proj/src/up": "../secret",
    "proj/src/m2.c": "m.c",
    "proj/loop1": "loop2",
    "proj/loop2": "loop1",
    "ro/ld": "d",
    "ro/esc": "../outside.txt",
    "ro/escdir": "../rw",
    "ro/abs": "/v/ro/r.txt",
    "ro/etc": "/etc/passwd",
    "rw/esc": "../outside.txt",
    "rw/dangling": "made",
}
MOUNTS = [
    ("one", False),
    ("wone", True),
    ("glob", False),
    ("proj", True),
    ("ro", False),
    ("rw", True),
    ("drop", True),
    ("outer", True),
    ("outer/inner", True),
    ("lnk", False),
    ("star", False),
]
NUMBER = {name: index for index, (name, _) in enumerate(MOUNTS)}


def at(letters: str, pattern: str) -> str:
    """A rule below /v, served by the mount that its first name says."""
    name = "outer/inner" if pattern.startswith("outer/inner") else pattern.partition("/")[0]
    return rule(letters, f"/v/{pattern}", NUMBER[name])


def deny(letters: str, pattern: str) -> str:
    return rule(letters + "d", f"/v/{pattern}")


RULES = (
    at("rl", "one/only.txt"),
    at("rwl", "wone/only.txt"),
    at("rl", "star/a*b"),
    at("r", "glob/*.txt"),
    at("r", "glob/**/*.md"),
    at("r", "glob/?.q"),
    at("rwt", "proj"),
    deny("rw", "proj/secret"),
    deny("rw", "proj/**/*.key"),
    deny("w", "proj/ro"),
    deny("rw", "proj/x/secret2"),
    at("rt", "ro"),
    at("rwt", "rw"),
    at("wt", "drop"),
    at("rt", "outer"),
    at("rwt", "outer/inner"),
    at("rl", "lnk/only.txt"),
)


def make(folder: Path) -> Mounts:
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for name, target in LINKS.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "rw" / "fifo")
    os.mkfifo(folder / "proj" / "fifo")
    return tuple((str(folder / name), f"/v/{name}", writable) for name, writable in MOUNTS)


LONG = "n" * 256
# operation, arguments, result; the last of several operations is what is compared
CASES: list[tuple[str, str]] = [
    # directories above the grants
    ("list /", "v"),
    ("list /v", "drop glob lnk one outer proj ro rw star wone"),
    ("list v", "drop glob lnk one outer proj ro rw star wone"),
    ("list .", "v"),
    ("stat /", "dir"),
    ("stat /v", "dir"),
    ("stat /v/../v/./", "dir"),
    ("stat /../../v", "dir"),
    ("mkdir /v", "EEXIST"),
    ("mkdir /", "EEXIST"),
    ("mkdir /new", "EACCES"),
    ("write /v/x t", "EACCES"),
    ("rmdir /v", "EACCES"),
    ("unlink /v", "EACCES"),
    ("rename /v /w", "EACCES"),
    ("read /v", "EBADF"),
    ("times /v", "EACCES"),
    ("stat /etc", "EACCES"),
    ("list /proc", "EACCES"),
    ("read /proc/self/environ", "EACCES"),
    ("read /etc/passwd", "EACCES"),
    # one file
    ("read /v/one/only.txt", "only"),
    ("read v/one/only.txt", "only"),
    ("read ./v/one/only.txt", "only"),
    ("read /v/one/./sub/../only.txt", "only"),
    ("read /v//one///only.txt", "only"),
    ("read /v/nothing/../one/only.txt", "only"),
    ("read /v/one/only.txt/", "ENOTDIR"),
    ("read /v/one/only.txt/.", "ENOTDIR"),
    ("stat /v/one/only.txt/", "ENOTDIR"),
    ("stat /v/one/only.txt", "file 4"),
    ("list /v/one", "only.txt"),
    ("stat /v/one", "dir"),
    ("read-at /v/one only.txt", "only"),
    ("read-at /v/one sibling.txt", "EACCES"),
    ("read-at /v/one ../one/only.txt", "only"),
    ("read-at /v/one ../../../etc/passwd", "EACCES"),
    ("read /v/one/sibling.txt", "EACCES"),
    ("stat /v/one/sibling.txt", "EACCES"),
    ("lstat /v/one/sibling.txt", "EACCES"),
    ("access /v/one/sibling.txt", "EACCES"),
    ("read /v/one/nothing", "EACCES"),
    ("stat /v/one/nothing", "EACCES"),
    ("read /v/one/only.txt.bak", "EACCES"),
    ("read /v/one/sub/only.txt", "EACCES"),
    ("list /v/one/sub", "EACCES"),
    ("read /v/one/link", "EACCES"),
    ("readlink /v/one/link", "EACCES"),
    ("read /v/one/only.txt/../sibling.txt", "EACCES"),
    ("read /v/one/ONLY.TXT", "EACCES"),
    ("write /v/one/only.txt x", "EROFS"),
    ("append /v/one/only.txt x", "EROFS"),
    ("open /v/one/only.txt rw", "EROFS"),
    ("open /v/one/only.txt rt", "EROFS"),
    ("truncate /v/one/only.txt", "EROFS"),
    ("times /v/one/only.txt", "EROFS"),
    ("unlink /v/one/only.txt", "EROFS"),
    ("write /v/one/new x", "EACCES"),
    ("mkdir /v/one/new", "EACCES"),
    ("read /v/lnk/only.txt", "EACCES"),  # the granted name is a link
    ("readlink /v/lnk/only.txt", "real.txt"),
    ("lstat /v/lnk/only.txt", "link"),
    ("stat /v/lnk/only.txt", "EACCES"),
    # a name with a star in it
    ("read /v/star/a*b", "star"),
    ("read /v/star/axb", "EACCES"),
    ("list /v/star", "a*b"),
    # one file, writable
    ("write /v/wone/only.txt new; read /v/wone/only.txt", "new"),
    ("append /v/wone/only.txt +; read /v/wone/only.txt", "only+"),
    ("truncate /v/wone/only.txt; stat /v/wone/only.txt", "file 1"),
    ("unlink /v/wone/only.txt", "ok"),
    ("unlink /v/wone/only.txt; write /v/wone/only.txt again; read /v/wone/only.txt", "again"),
    ("unlink /v/wone/only.txt; symlink sibling.txt /v/wone/only.txt", "EACCES"),
    ("unlink /v/wone/only.txt; mkdir /v/wone/only.txt", "ok"),
    ("rename /v/wone/only.txt /v/wone/other", "EACCES"),
    ("rename /v/wone/sibling.txt /v/wone/only.txt", "EACCES"),
    ("link /v/wone/sibling.txt /v/wone/only.txt", "EACCES"),
    ("write /v/wone/sibling.txt x", "EACCES"),
    ("rename /v/wone/only.txt /v/rw/moved; read /v/rw/moved", "only"),
    # globs
    ("list /v/glob", "a.txt b.txt empty g.md out.txt sub w.txt y.txt z.txt é.q"),
    ("list /v/glob/sub", "deep e.md"),
    ("list /v/glob/empty", ""),
    ("read /v/glob/a.txt", "a"),
    ("read /v/glob/g.md", "g"),
    ("read /v/glob/é.q", "e-acute"),
    ("read /v/glob/sub/deep/f.md", "f"),
    ("read /v/glob/c.log", "EACCES"),
    ("stat /v/glob/c.log", "EACCES"),
    ("read /v/glob/sub/d.txt", "EACCES"),
    ("read /v/glob/sub/../c.log", "EACCES"),
    ("read /v/glob/nothing", "EACCES"),  # as c.log, which is there
    ("stat /v/glob/nothing", "EACCES"),
    ("list /v/glob/nothing", "EACCES"),
    ("list /v/glob/c.log", "EACCES"),
    ("open /v/glob/c.log rd", "EACCES"),
    ("open /v/glob/nothing rd", "EACCES"),
    ("read /v/glob/c.log/x.md", "ENOENT"),  # as below nothing
    ("read /v/glob/nothing/x.md", "ENOENT"),
    ("read /v/glob/nothing.txt", "ENOENT"),
    ("read /v/glob/a.txt/x.md", "ENOTDIR"),
    ("read /v/glob/y.txt", "a"),
    ("read /v/glob/z.txt", "EACCES"),
    ("stat /v/glob/z.txt", "EACCES"),
    ("lstat /v/glob/z.txt", "link"),
    ("read /v/glob/x.dat", "EACCES"),
    ("lstat /v/glob/x.dat", "EACCES"),
    ("readlink /v/glob/x.dat", "EACCES"),
    ("read /v/glob/w.txt", "EACCES"),
    ("read /v/glob/dirlink/e.md", "e"),
    ("read /v/glob/dirlink/d.txt", "EACCES"),
    ("list /v/glob/dirlink", "deep e.md"),
    ("lstat /v/glob/dirlink", "EACCES"),
    ("stat /v/glob/dirlink", "dir"),
    ("read /v/glob/out.txt", "EACCES"),
    ("read /v/glob/outdir/src/x.md", "ENOENT"),
    ("write /v/glob/a.txt x", "EROFS"),
    ("write /v/glob/new.txt x", "EROFS"),
    ("mkdir /v/glob/new.md", "EROFS"),
    ("stat /v/glob/sub/", "dir"),
    ("inode /v/glob/nothing", "EACCES"),
    # denials in a writable tree
    ("list /v/proj", "fifo link-secret loop1 loop2 ro src x"),
    ("list /v/proj/src", "m.c m2.c up"),
    ("list /v/proj/x", "plain"),
    ("list /v/proj/secret", "EACCES"),
    ("stat /v/proj/secret", "EACCES"),
    ("stat /v/proj/secret/nothing", "EACCES"),
    ("read /v/proj/secret/pw", "EACCES"),
    ("read /v/proj/src/../secret/pw", "EACCES"),
    ("read-at /v/proj secret/pw", "EACCES"),
    ("read-at /v/proj/src ../secret/pw", "EACCES"),
    ("read /v/proj/src/id.key", "EACCES"),
    ("read /v/proj/src/m.c", "m"),
    ("read /v/proj/src/m2.c", "m"),
    ("read /v/proj/link-secret", "EACCES"),
    ("stat /v/proj/link-secret", "EACCES"),
    ("lstat /v/proj/link-secret", "link"),
    ("read /v/proj/src/up/pw", "EACCES"),
    ("list /v/proj/src/up", "EACCES"),
    ("read /v/proj/loop1", "ELOOP"),
    ("stat /v/proj/loop1", "ELOOP"),
    ("list /v/proj/loop1/x", "ELOOP"),
    ("open /v/proj/src/m2.c rn", "ELOOP"),
    ("write /v/proj/src/new.c x; read /v/proj/src/new.c", "x"),
    ("create /v/proj/src/m.c x", "EEXIST"),
    ("write /v/proj/src/new.key x", "EACCES"),
    ("read /v/proj/ro/cfg", "cfg"),
    ("write /v/proj/ro/cfg x", "EROFS"),
    ("times /v/proj/ro/cfg", "EROFS"),
    ("with /v/proj/ro/cfg r times", "EROFS"),
    ("with /v/proj/ro/cfg r write", "EBADF"),
    ("with /v/proj/src/m.c r times", "ok"),
    ("with /v/proj/src/m.c rw truncate", "ok"),
    ("with /v/proj/src/m.c w read", "EBADF"),
    ("symlink ../secret/pw /v/proj/src/s", "EACCES"),
    ("symlink m.c /v/proj/src/s; read /v/proj/src/s", "m"),
    ("rename /v/proj/secret /v/proj/open", "EACCES"),
    ("rename /v/proj/x /v/proj/y", "EXDEV"),
    ("rename /v/proj/src /v/proj/y", "ok"),
    ("rename /v/proj/x/plain /v/proj/src/plain", "ok"),
    ("rename /v/proj/src/id.key /v/proj/src/id.txt", "EACCES"),
    ("rename /v/proj/ro/cfg /v/proj/cfg", "EROFS"),
    ("rename /v/proj/ro /v/proj/free", "EROFS"),
    ("link /v/proj/src/id.key /v/proj/id.txt", "EACCES"),
    ("link /v/proj/ro/cfg /v/proj/cfg", "EXDEV"),
    ("link /v/proj/src/m.c /v/proj/hard; read /v/proj/hard", "m"),
    ("mkdir /v/proj/new; rename /v/proj/new /v/proj/n2; rmdir /v/proj/n2", "ok"),
    ("mkdir /v/proj/secret/x", "EACCES"),
    ("rmdir /v/proj/src", "ENOTEMPTY"),
    ("read /v/proj/fifo", "EPERM"),
    ("open /v/proj/fifo w", "EPERM"),
    ("stat /v/proj/fifo", "other"),
    ("unlink /v/proj/fifo", "ok"),
    # a tree to read
    ("list /v/ro", "abs d esc escdir etc ld r.txt"),
    ("read /v/ro/r.txt", "r"),
    ("read /v/ro/d/r2.txt", "r2"),
    ("read /v/ro/ld/r2.txt", "r2"),
    ("list /v/ro/ld", "r2.txt"),
    ("read /v/ro/d/../r.txt", "r"),
    ("read /v/ro/../rw/w.txt", "w"),
    ("read /v/ro/nothing", "ENOENT"),
    ("read /v/ro/r.txt/x", "ENOTDIR"),
    ("read /v/ro/r.txt/", "ENOTDIR"),
    ("open /v/ro/r.txt rd", "ENOTDIR"),
    ("open /v/ro/ld rn", "ELOOP"),
    ("read /v/ro/esc", "EACCES"),
    ("stat /v/ro/esc", "EACCES"),
    ("lstat /v/ro/esc", "link"),
    ("read /v/ro/escdir/w.txt", "w"),  # out of this grant into another
    ("lstat /v/ro/escdir/w.txt", "file 1"),
    ("write /v/ro/escdir/w.txt x", "EROFS"),  # both names have to allow it
    ("mkdir /v/ro/escdir/new", "EROFS"),
    ("read /v/ro/abs", "EPERM"),
    ("read /v/ro/etc", "EPERM"),
    ("stat /v/ro/etc", "EPERM"),
    ("write /v/ro/r.txt x", "EROFS"),
    ("write /v/ro/new x", "EROFS"),
    ("unlink /v/ro/r.txt", "EROFS"),
    ("mkdir /v/ro/new", "EROFS"),
    ("rename /v/ro/r.txt /v/rw/r.txt", "EROFS"),
    ("link /v/ro/r.txt /v/rw/r.txt", "EXDEV"),
    # a tree to write
    ("write /v/rw/w.txt x; read /v/rw/w.txt", "x"),
    ("write /v/rw/nothing/../w.txt x", "ok"),
    ("mkdir /v/rw/p; mkdir /v/rw/p/q; write /v/rw/p/q/f t; read /v/rw/p/q/f", "t"),
    ("rename /v/rw/d /v/rw/e; list /v/rw/e", "w2.txt"),
    ("rename /v/rw/d /v/rw/d/in", "EINVAL"),
    ("read /v/rw/esc", "EACCES"),
    ("write /v/rw/esc x", "EACCES"),
    ("write /v/rw/dangling x; read /v/rw/made", "x"),
    ("create /v/rw/dangling x", "EEXIST"),
    ("symlink ../ro/r.txt /v/rw/l; read /v/rw/l", "r"),
    ("symlink ../ro/r.txt /v/rw/l; write /v/rw/l x", "EROFS"),
    ("symlink ../../etc/passwd /v/rw/l", "EACCES"),
    ("symlink nothing /v/rw/l/", "ENOENT"),
    ("read /v/rw/fifo", "EPERM"),
    ("open /v/rw/fifo rw", "EPERM"),
    ("rename /v/rw/w.txt /v/ro/w.txt", "EROFS"),
    ("rename /v/rw/w.txt/ /v/rw/x", "ENOTDIR"),
    ("rename /v/rw/. /v/rw/x", "EINVAL"),
    ("unlink /v/rw/w.txt/", "ENOTDIR"),
    ("unlink /v/rw/d", "EISDIR"),
    ("unlink /v/rw/d/", "EISDIR"),
    ("rmdir /v/rw/d/..", "EINVAL"),
    ("rmdir /v/rw/d/.", "EINVAL"),
    ("mkdir /v/rw/new/; stat /v/rw/new", "dir"),
    ("write /v/rw/new/ x", "EISDIR"),
    (f"write /v/rw/{LONG} x", "ENAMETOOLONG"),
    ("read /v/rw/" + "a/" * 2100, "ENAMETOOLONG"),
    ("read /v/rw/" + "d/../" * 700 + "w.txt", "w"),
    # to write only
    ("write /v/drop/new text; stat /v/drop/new", "file 4"),
    ("write /v/drop/new text; read /v/drop/new", "EACCES"),
    ("read /v/drop/old", "EACCES"),
    ("open /v/drop/old rw", "EACCES"),
    ("list /v/drop", "EACCES"),
    ("rename /v/drop/old /v/rw/stolen", "EXDEV"),
    ("link /v/drop/old /v/rw/stolen", "EACCES"),
    # a grant in a grant
    ("list /v/outer", "f inner"),
    ("read /v/outer/f", "f"),
    ("write /v/outer/f x", "EROFS"),
    ("read /v/outer/inner/i", "i"),
    ("write /v/outer/inner/new x; list /v/outer/inner", "i new"),
    ("rename /v/outer/inner /v/rw/other", "EXDEV"),
    ("rename /v/outer/inner/i /v/rw/i; read /v/rw/i", "i"),
]


def operations(text: str) -> list[list[str]]:
    return [one.split(" ") for one in text.split("; ")]


@pytest.fixture
def tree(tmp_path: Path) -> Mounts:
    return make(tmp_path)


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 150


@pytest.mark.parametrize(("script", "expected"), CASES, ids=[case[0][:60] for case in CASES])
def test_in_c(tree: Mounts, tmp_path: Path, script: str, expected: str) -> None:
    guest = Guest("c-files", tree, rules(*RULES))
    assert guest.run(operations(script))[-1] == expected
    assert (tmp_path / "outside.txt").read_text() == "OUTSIDE"
    assert (tmp_path / "wone" / "sibling.txt").read_text() == "SECRET"


IN_PYTHON = [
    ("os.listdir('/')", "['v']"),
    ("sorted(os.listdir('v/one'))", "['only.txt']"),
    ("pathlib.Path('/v/one/only.txt').read_text()", "'only'"),
    ("pathlib.Path('/v/one/sibling.txt').exists()", "False"),
    ("os.path.exists('/v/one/sibling.txt')", "False"),
    ("os.stat('/v').st_nlink", "1"),
    ("sorted(p.name for p in pathlib.Path('/v/glob').rglob('*.md'))", "['e.md', 'f.md', 'g.md']"),
    ("sorted(glob.glob('/v/glob/*.txt'))[:2]", "['/v/glob/a.txt', '/v/glob/b.txt']"),
    (
        "[(at, down, sorted(files)) for at, down, files in os.walk('/v/proj/src')]",
        "[('/v/proj/src', [], ['m.c', 'm2.c', 'up'])]",
    ),
    ("os.rename('/v/proj/x', '/v/proj/y')", "EXDEV"),
    ("shutil.move('/v/proj/x/plain', '/v/proj/moved')", "'/v/proj/moved'"),
    ("sorted(os.listdir(shutil.copytree('/v/ro/d', '/v/rw/copy')))", "['r2.txt']"),
    ("shutil.rmtree('/v/rw/d'), os.path.exists('/v/rw/d')", "(None, False)"),
    ("os.makedirs('/v/rw/a/b/c', exist_ok=True), os.path.isdir('/v/rw/a/b/c')", "(None, True)"),
    ("os.makedirs('/v/rw', exist_ok=True)", "None"),
    ("read('/v/proj/fifo')", "EPERM"),
    ("write('/v/ro/r.txt')", "EROFS"),
    ("write('/v/drop/x'), os.stat('/v/drop/x').st_size", "(1, 1)"),
    ("os.path.samefile('/v/ro/d', 'v/proj/../ro/d')", "True"),
    ("os.path.samefile('/v/proj/src', 'v/proj/src/../src')", "True"),
    ("read('/v/rw/a\\0b')", "ValueError: embedded null byte"),
    ("[e.is_dir() for e in os.scandir('/v/outer') if e.name == 'inner']", "[True]"),
    (
        "os.fstat(os.open('/v/glob/a.txt', os.O_RDONLY)).st_ino == os.stat('/v/glob/a.txt').st_ino",
        "True",
    ),
]


def test_in_python(tmp_path: Path) -> None:
    for number, (expression, expected) in enumerate(IN_PYTHON):
        folder = tmp_path / str(number)
        guest = Guest("py-files", make(folder), rules(*RULES))
        assert guest.evaluate(expression) == [expected], expression


IN_JAVASCRIPT = [
    ("", "readDirectory", "[]", '["v"]'),
    ("v", "getType", "[]", '"directory"'),
    ("v/one/only.txt", "read", '[{"big": 10}, {"big": 0}]', '"only"'),
    ("", "openAt", '[{}, "v/one/sibling.txt", {}, {"read": true}]', "access"),
    ("", "openAt", '[{}, "v/one/a\\u0000b", {}, {"read": true}]', "illegal-byte-sequence"),
    ("", "openAt", '[{}, "", {}, {"read": true}]', "no-entry"),
    ("", "openAt", '[{}, "/v/one/only.txt", {}, {"read": true}]', '"regular-file"'),
    ("v/proj/src", "openAt", '[{}, "../secret/pw", {}, {"read": true}]', "access"),
    ("v/proj/src", "openAt", '[{}, "m.c", {}, {"read": true, "mutateDirectory": true}]', None),
    ("v/ro", "openAt", '[{}, "r.txt", {}, {"write": true}]', "read-only"),
    ("v/ro", "openAt", '[{}, "r.txt", {"truncate": true}, {"read": true}]', "read-only"),
    ("v/ro", "openAt", '[{}, "new", {"create": true}, {"read": true}]', "read-only"),
    ("v/proj", "statAt", '[{}, "secret"]', "access"),
    ("v/proj", "metadataHashAt", '[{}, "secret"]', "access"),
    ("v/glob", "metadataHashAt", '[{}, "c.log"]', "access"),
    ("v/glob", "metadataHashAt", '[{}, "nothing"]', "access"),
    ("v/glob", "metadataHashAt", '[{}, "x.dat"]', "access"),
    ("v/proj", "setTimesAt", '[{}, "ro/cfg", {"tag": "now"}, {"tag": "now"}]', "read-only"),
    ("v/ro/r.txt", "setTimes", '[{"tag": "now"}, {"tag": "now"}]', "read-only"),
    ("v/ro/r.txt", "setSize", '[{"big": 0}]', "bad-descriptor"),
    ("v/proj/src/m.c", "setSize", '[{"big": 0}]', "bad-descriptor"),  # opened to read
    ("v/proj/src/m.c", "write", '[{"bytes": "x"}, {"big": 0}]', "bad-descriptor"),
    ("v/proj", "readlinkAt", '["link-secret"]', '"secret/pw"'),
    ("v/proj", "readlinkAt", '["link-secret/"]', "invalid"),
    ("v/proj", "createDirectoryAt", '["secret/x"]', "access"),
    ("v/proj", "removeDirectoryAt", '["secret"]', "access"),
    ("v/proj", "unlinkFileAt", '["src/id.key"]', "access"),
    ("v/proj", "renameAt", '["x", {"open": "v/proj"}, "y"]', "cross-device"),
    ("v/proj", "linkAt", '[{}, "src/id.key", {"open": "v/proj"}, "k"]', "access"),
    ("v/proj", "linkAt", '[{}, "src/m.c", {"open": "v/ro"}, "k"]', "read-only"),
    ("v/proj", "symlinkAt", '["secret", "s"]', "access"),
    ("v", "isSameObject", '[{"open": "v"}]', "true"),
    ("v", "isSameObject", '[{"open": "v/ro"}]', "false"),
    ("v/ro", "isSameObject", '[{"open": "v/ro/../ro"}]', "true"),
]


def test_in_javascript(tmp_path: Path) -> None:
    mounts = make(tmp_path)
    guest = Guest("js-files", mounts, rules(*RULES))
    assert guest.call("directories") == ["/"]
    for path, method, arguments, expected in IN_JAVASCRIPT:
        json.loads(arguments)
        result = guest.call("invoke", path=path, method=method, arguments=arguments)
        assert expected is None or result == expected, (path, method, arguments)
    flags = json.loads(guest.call("invoke", path="v/ro", method="getFlags", arguments="[]"))
    assert flags["read"] is True
    assert not flags["write"]
    assert not flags["mutateDirectory"]


FOLDED = [
    ("read /v/proj/SECRET/pw", "EACCES"),
    ("read /v/proj/Secret/pw", "EACCES"),
    ("read /v/proj/src/id.KEY", "EACCES"),
    ("write /v/proj/src/a.kEy x", "EACCES"),
    ("write /v/proj/src/a.\u212aey x", "EACCES"),  # the Kelvin sign
    ("mkdir /v/proj/\u017fecret", "EACCES"),  # long s
    ("mkdir /v/proj/se\u0301cret", "EACCES"),  # an accent
    ("mkdir /v/proj/se\u200dcret", "EACCES"),  # invisible
    ("mkdir /v/proj/\u65e5\u672c", "ok"),
    ("mkdir /v/proj/stra\u00dfe", "ok"),
    ("mkdir /v/proj/\u043f\u0440\u0438\u0432\u0435\u0442", "ok"),
    ("mkdir /v/proj/caf\u00e9", "EACCES"),  # a denied name in the other normal form
    ("mkdir /v/proj/CAFE\u0301", "EACCES"),
    ("read /v/proj/src/m.c", "m"),
    ("read /V/proj/src/m.c", "EACCES"),
]
WINDOWS = [
    ("read /v/proj/src/m.c", "m"),
    *(
        (f"write /v/proj/src/{name} x", "EINVAL")
        for name in (
            "a:b",
            "a\\b",
            "..\\x",
            "secret.",
            "SECRET~1",
            "nul",
            "NUL.txt",
            "con",
            "Com1",
            "lpt9.log",
            "com\u00b9",
            "aux.a.b",
            "CONIN$",
            "a\x07",
        )
    ),
    *((f"write /v/proj/src/{name} x", "ok") for name in ("console", "com", "com10", "nulx", "a.b")),
]


@pytest.mark.parametrize(
    ("options", "cases"), [("f", FOLDED), ("w", WINDOWS), ("fw", FOLDED)], ids=["f", "w", "fw"]
)
def test_names_of_other_systems(tmp_path: Path, options: str, cases: list[tuple[str, str]]) -> None:
    more = deny("rw", "proj/cafe\u0301")
    for number, (script, expected) in enumerate(cases):
        guest = Guest("c-files", make(tmp_path / str(number)), rules(*RULES, more, options=options))
        assert guest.run(operations(script)) == [expected], script


def test_a_denied_name_in_another_script(tmp_path: Path) -> None:
    """Without tables, all names that are wholly of such scripts may be the denied one."""
    denied = deny("rw", "proj/\u03a3.key")
    guest = Guest("c-files", make(tmp_path), rules(*RULES, denied, options="f"))
    names = ("\u03c3.key", "\u03c2.KEY", "\u65e5\u672c.key", "\u03c3.kez", "\u03c3", "\u03c3x.keys")
    found = guest.run(["mkdir", f"/v/proj/x/../{name}"] for name in names)
    assert found == ["EACCES", "EACCES", "EACCES", "ok", "ok", "ok"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "z\0" + rule("rt", "/v/ro"),
        rules(rule("rq", "/v/ro")),
        rules(rule("t", "/v/ro")),
        rules(rule("rt", "/v/ro", 1)),
        rules(rule("rt", "/v/other")),
        rules(rule("rt", "/v")),
        rules(rule("rt", "v/ro")),
        rules(rule("rt", "")),
        rules(rule("rt", "/v/ro/")),
        rules(rule("rt", "/v//ro")),
        rules(rule("rt", "/v/ro/../ro")),
        rules(rule("rt", "/v/*")),
        rules("rt  /v/ro\0"),
        rules("rt 0/v/ro\0"),
        rules("rt x /v/ro\0"),
        rules("rt 4294967296 /v/ro\0"),
        rules(rule("rt", "/v/ro")) + "rt 0 /v/ro/x",
        rules(rule("rt", "/v/ro"), "\0"),
        rules(rule("rt", "/v/ro")).removeprefix("\0"),
        rules(rule("rt", "/v/ro"), rule("r", "/v/ro" + "/*" * 61)),
        rules(rule("rt", "/v/ro"), rule("r", "/v/ro/" + "a" * 5000)),
    ],
)
def test_rules_that_do_not_parse_refuse_everything(tmp_path: Path, text: str) -> None:
    make(tmp_path)
    guest = Guest("c-files", ((str(tmp_path / "ro"), "/v/ro", False),), text)
    found = guest.run([["list", "/"], ["list", "/v/ro"], ["read", "/v/ro/r.txt"]])
    assert found == ["", "EACCES", "EACCES"]


def test_rules_of_any_size(tmp_path: Path) -> None:
    make(tmp_path)
    deep = "/v/ro" + "/d" * 500
    more = (rule("rl", deep), rule("rd", deep + "/**/x"), rule("r", "/v/ro" + "/*" * 60))
    many = [rule("rd", f"/v/ro/**/n{number}*") for number in range(3000)]
    guest = Guest(
        "c-files",
        ((str(tmp_path / "ro"), "/v/ro", False),),
        rules(rule("rt", "/v/ro"), *more, *many),
    )
    assert guest.run([["read", "/v/ro/r.txt"], ["read", "/v/ro/n2999"]]) == ["r", "EACCES"]


def test_a_mount_at_the_root(tmp_path: Path) -> None:
    make(tmp_path)
    mounts = ((str(tmp_path / "ro"), "/", False),)
    guest = Guest("c-files", mounts, rules(rule("rt", "/")))
    script = [["list", "/"], ["read", "r.txt"], ["read", "/d/../ld/r2.txt"], ["write", "/x", "x"]]
    expected = ["abs d esc escdir etc ld r.txt", "r", "r2", "EROFS"]
    assert guest.run(script) == expected
    guest = Guest("c-files", mounts, rules(rule("rt", "/"), rule("rd", "/d")))
    assert guest.run(script) == ["abs esc escdir etc ld r.txt", "r", "EACCES", "EROFS"]


def test_the_host_is_told_what_a_grant_would_change(tree: Mounts) -> None:
    guest = Guest("c-files", tree, rules(*RULES))
    refused = [
        (["read", "/v/one/sibling.txt"], ("storage-read", "/v/one/sibling.txt")),
        (["read", "/v/one/../one/./sibling.txt"], None),  # told already
        (["write", "/v/ro/new", "x"], ("storage-write", "/v/ro/new")),
        (["stat", "/elsewhere"], ("storage-read", "/elsewhere")),
        (["read", "/v/proj/link-secret"], ("storage-read", "/v/proj/secret/pw")),
        (["read", "/v/ro/nothing"], None),
        (["read", "/v/proj/fifo"], None),
        (["mkdir", "/v/rw/d"], None),
        (["open", "/v/rw/../no", "rw"], ("storage-read", "/v/no")),
        (["write", "/v/no", "x"], None),
    ]
    guest.run([script for script, _ in refused])
    # That something changed is told once, and is no refusal.
    assert guest.refused.count(("storage-changed", "/")) == 1
    guest.refused.remove(("storage-changed", "/"))
    expected = [told for _, told in refused if told is not None]
    assert guest.refused == [*expected, ("storage-write", "/v/no")]
    guest.run([["read", f"/no/{number}"] for number in range(300)])
    assert len(guest.refused) == 100
