"""The guard against other views of the same thing: a model in Python, and native directories."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from support.file_model import Disk, Model, Rule, Tree, path_of
from support.files import Guest, Native, rule, rules

PATTERNS = [
    "",
    "/a",
    "/a/b",
    "/*.txt",
    "/**/*.md",
    "/**",
    "/a/**",
    "/*/f.txt",
    "/f.txt",
    "/**/b",
    "/?",
    "/**/a/**/k.key",
    "/*/*",
    "/a*/**/?.md",
    "/**/*",
    "/é*",
    "/**/?.é",
]
NAMES = ["f.txt", "g.md", "k.key", "h.txt", "é.é", "*"]


def random_rules(choices: random.Random) -> list[Rule]:
    made = []
    for _ in range(choices.randint(1, 6)):
        mount = choices.randrange(2)
        pattern = ("/m", "/n")[mount] + choices.choice(PATTERNS)
        letters = choices.choice(["r", "w", "rw"])
        if choices.random() < 0.3:
            letters += "d"
            if choices.random() < 0.2:
                pattern = choices.choice(["/**/k.key", "/m*/a", "/**/a/b", "/*"])
        elif choices.random() < 0.4:
            letters += "t"
        if choices.random() < 0.1:
            letters += "l"
        made.append(Rule(letters, pattern, mount))
    return made


def random_tree(choices: random.Random, root: Path) -> tuple[Tree, list[str]]:
    """Makes it below `root`; what is in it, and paths to try."""
    folders = ["/m", "/n", "/o"]
    for _ in range(8):
        folders.append(choices.choice(folders) + "/" + choices.choice(["a", "b", "c", "ab"]))
    for folder in folders:
        os.makedirs(f"{root}{folder}", exist_ok=True)
        for name in choices.sample(NAMES, 2):
            Path(f"{root}{folder}/{name}").write_text(f"{folder}/{name}")
    for _ in range(10):
        folder, to = choices.choice(folders), choices.choice(folders)
        to += choices.choice(["", "", "/f.txt", "/k.key", "/nothing", "/../m"])
        link = Path(f"{root}{folder}") / choices.choice(["l1", "l2", "l.txt", "a", "b", "l.md"])
        if not os.path.lexists(link):
            link.symlink_to(os.path.relpath(to, folder))
    tree: Tree = {(): "/"}
    for at, down, files in os.walk(root):
        for name in (*down, *files):
            path = os.path.join(at, name)
            place = path_of(path[len(str(root)) :])
            if place[0] == "o":
                continue  # not mounted
            if os.path.islink(path):
                tree[place] = ">" + os.readlink(path)
            else:
                tree[place] = "/" if os.path.isdir(path) else "=" + Path(path).read_text()
    paths = ["/" + "/".join(place) for place in tree]
    for _ in range(60):
        middle = choices.choice(["", "/a", "/b", "/l1", "/l2", "/..", "/../a", "/./b", "//"])
        paths.append(choices.choice(folders) + middle + "/" + choices.choice([*NAMES, "l1", "a"]))
    return tree, paths


@pytest.mark.parametrize("seed", range(200))
def test_random_rules_on_random_trees(tmp_path: Path, seed: int) -> None:
    choices = random.Random(seed)
    tree, paths = random_tree(choices, tmp_path)
    policy = random_rules(choices)
    disk = Disk(Model(policy), tree)
    mounts = ((f"{tmp_path}/m", "/m", True), (f"{tmp_path}/n", "/n", True))
    told = ["", "u", "a"][seed % 3]  # what is told of uses makes no difference
    guest = Guest("c-files", mounts, rules(*(one.encode() for one in policy), options=told))
    folders = ["/" + "/".join(place) for place, what in tree.items() if what == "/"]
    found = iter(
        guest.run(
            [
                *(["read", path] for path in paths),
                *(["open", path, "w"] for path in paths),
                *(["lstat", path] for path in paths),
                *(["list", path] for path in folders),
            ]
        )
    )
    for path in paths:
        text = next(found)
        expected = disk.read(path)
        assert (text if text.startswith("/") else None) == expected, (path, text, policy)
    for path in paths:
        assert (next(found) == "ok") == disk.may_write(path), (path, policy)
    for path in paths:
        known = not (answer := next(found)).startswith("E")
        assert known == disk.is_known(path), (path, answer, policy)
    for path in folders:
        names = disk.names(path_of(path))
        mounted = {"/": {"m", "n"}}.get(path, set())
        expected_names = (
            names
            if names is None
            else sorted({*names} & (mounted if path == "/" else {*names}), key=str.encode)
        )
        text = next(found)
        shown = None if text.startswith("E") else text.split(" ") if text else []
        assert shown == expected_names, (path, text, policy)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_not_granted_looks_the_same_there_or_not(tmp_path: Path, seed: int) -> None:
    """The same operations on two trees that differ only in what the rules do not give."""
    choices = random.Random(1000 + seed)
    rich, poor = tmp_path / "rich", tmp_path / "poor"
    policy = [
        Rule("r", "/m/**/*.md", 0),
        Rule("rw", "/m/*.txt", 0),
        Rule("rwt", "/m/open", 0),
        Rule("rwd", "/m/open/**/k.key", 0),
        Rule("rwd", "/m/open/no", 0),
    ]
    for root in (rich, poor):
        for folder in ("m/a/b", "m/open/a"):
            os.makedirs(root / folder)
        for name in ("a.txt", "a/x.md", "a/b/y.md", "open/f"):
            (root / "m" / name).write_text(name)
    hidden = ["m/k.key", "m/a/f", "m/a/k.key", "m/open/k.key", "m/open/a/k.key", "m/a/b/z"]
    hidden = choices.sample(hidden, 4)
    for name in hidden:
        kind = choices.randrange(4)
        if kind == 0:
            os.mkfifo(rich / name)
        elif kind == 1:
            (rich / name).symlink_to("nothing")
        elif kind == 2:
            (rich / name).symlink_to("a.txt")
        else:
            (rich / name).write_text("hidden")
    os.makedirs(rich / "m/open/no/deeper")
    targets = [f"/{name}{more}" for name in [*hidden, "m/open/no"] for more in ("", "/x.md", "/")]
    script = [
        [what, path, *more]
        for path in targets
        for what, *more in (
            ("read",),
            ("stat",),
            ("lstat",),
            ("list",),
            ("inode",),
            ("readlink",),
            ("open", "rd"),
            ("open", "w"),
            ("open", "cw"),
            ("create", "x"),
            ("mkdir",),
            ("rmdir",),
            ("unlink",),
            ("times",),
            ("rename", "/m/open/taken"),
            ("link", "/m/open/taken"),
            ("read-at", "../x.md"),
        )
    ]
    script += [["rename", "/m/open/f", path] for path in targets]
    script += [["symlink", path, "/m/open/s"] for path in targets]
    script += [["list", f"/{at}"] for at in ("", "m", "m/a", "m/a/b", "m/open", "m/open/a")]
    text = rules(*(one.encode() for one in policy))
    answers = []
    for root in (rich, poor):
        guest = Guest("c-files", ((f"{root}/m", "/m", True),), text)
        answers.append(guest.run(script))
    for one, there, absent in zip(script, *answers, strict=True):
        assert there == absent, one


OPERATIONS = [
    ("read", "{a}"),
    ("write", "{a}", "n"),
    ("append", "{a}", "m"),
    ("create", "{a}", "x"),
    ("list", "{a}"),
    ("stat", "{a}"),
    ("lstat", "{a}"),
    ("readlink", "{a}"),
    ("mkdir", "{a}"),
    ("rmdir", "{a}"),
    ("unlink", "{a}"),
    ("rename", "{a}", "{b}"),
    ("link", "{a}", "{b}"),
    ("symlink", "{target}", "{b}"),
    ("truncate", "{a}"),
    ("times", "{a}"),
    ("open", "{a}", "rd"),
    ("open", "{a}", "rn"),
    ("open", "{a}", "wx"),
    ("inode", "{a}"),
]


@pytest.mark.parametrize("seed", range(4))
def test_the_same_as_native_directories(tmp_path: Path, seed: int) -> None:
    """Random operations on three trees: natively, and through the guard with its two ways of
    finding a path. The results and what is left have to be the same."""
    choices = random.Random(seed)
    roots = [tmp_path / str(number) for number in range(3)]
    for root in roots:
        (root / "a/b/c").mkdir(parents=True)
        (root / "e").mkdir()
        for name in ("a/f1", "a/b/f2", "a/b/c/f3", "f4"):
            (root / name).write_text(name)
        for link, to in {
            "a/up": "../f4",
            "a/b/dl": "c",
            "e/chain": "../a/b/dl/f3",
            "self": "self",
            "dang": "a/none",
            "esc": "../../zzz",
            "dlink": "a/b",
        }.items():
            (root / link).symlink_to(to)
    names = [
        "a",
        "b",
        "c",
        "e",
        "f1",
        "f2",
        "f3",
        "f4",
        "up",
        "dl",
        "chain",
        "self",
        "dang",
        "dlink",
        "n1",
        "n2",
    ]

    def path() -> str:
        return "/t/" + "/".join(choices.choice(names) for _ in range(choices.randint(1, 4)))

    script = []
    for _ in range(1200):
        one = choices.choice(OPERATIONS)
        values = {
            "a": path(),
            "b": path(),
            "target": choices.choice(["f4", "a/b", "c/f3", "n1", "b/c"]),
        }
        script.append([word.format(**values) for word in one])
    tree = rule("rwt", "/t")
    mounts = [((str(root), "/t", True),) for root in roots]
    subjects: tuple[Native | Guest, ...] = (
        Native("c-files", mounts[0]),
        Guest("c-files", mounts[1], rules(tree)),
        Guest("c-files", mounts[2], rules(tree, rule("rwd", "/t/**/no-such-name"))),
    )
    results: list[list[str]] = [[] for _ in subjects]
    for part in range(0, len(script), 40):  # libc has 128 descriptors, and here some are left open
        for result, subject in zip(results, subjects, strict=True):
            result += subject.run(script[part : part + 40])
    for one, *answers in zip(script, *results, strict=True):
        if one[0] == "inode":  # other files, but the same ones are the same
            answers = ["n" if answer.lstrip("-").isdigit() else answer for answer in answers]
        # A link that leads out: our code or the runtime's.
        said = {"EACCES" if answer == "EPERM" else answer for answer in answers}
        assert len(said) == 1, (one, answers)
    left = [_snapshot(root) for root in roots]
    assert left[0] == left[1] == left[2]


def _snapshot(root: Path) -> list[tuple[str, str]]:
    found = []
    for at, down, files in os.walk(root):
        for name in (*down, *files):
            path = Path(at, name)
            content = (
                os.readlink(path)
                if path.is_symlink()
                else path.read_text()
                if path.is_file()
                else "/"
            )
            found.append((str(path.relative_to(root)), content))
    return sorted(found)
