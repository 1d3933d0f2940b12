"""Files: the same component with native preopens, and behind the guard with rules of each kind.

    .venv/bin/python benchmarks/files.py [--quick]

A walk asks for every entry of a tree (opendir, readdir, lstat); a read takes 100 MB in pieces. All
variants take turns, and the fastest of each counts, since machines are noisy.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "components")]

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDERS, FILES = 100, 100
BIG = 100 * 1024 * 1024  # bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    measure(3 if parser.parse_args().quick else 12)


def measure(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree, data = Path(folder, "tree"), Path(folder, "data")
        for number in range(FOLDERS):
            (tree / f"d{number}").mkdir(parents=True)
            for file in range(FILES):
                (tree / f"d{number}" / f"f{file}.txt").touch()
        data.mkdir()
        (data / "big").write_bytes(os.urandom(1024 * 1024) * (BIG // 1024 // 1024))
        entries = FOLDERS * (FILES + 1)
        title = f"Walk of {FOLDERS * FILES:,} files in {FOLDERS} directories, ms"
        compare(title, tree, "walk", "/home/u/t", entries, rounds)
        compare("Read of 100 MB, ms", data, "slurp", "/home/u/t/big", BIG, rounds)


def compare(
    title: str, folder: Path, function: str, path: str, expected: int, rounds: int
) -> dict[str, float]:
    """Prints and returns milliseconds; every variant has to give `expected`."""
    subjects = variants(folder, function, path)
    best = dict.fromkeys(subjects, float("inf"))
    for _ in range(rounds):
        for name in random.sample(list(subjects), len(subjects)):
            began = time.perf_counter()
            result = subjects[name]()
            best[name] = min(best[name], (time.perf_counter() - began) * 1000)
            assert result == expected, (name, result)
    native = best["native preopen"]
    print(f"\n{title:52}    best    ratio")
    for name, value in best.items():
        print(f"  {name:44} {value:10.1f} {value / native:8.2f}x")
    return best


def variants(folder: Path, function: str, path: str) -> dict[str, Callable[[], object]]:
    from support.files import Guest, Native, rule, rules

    mounts = ((str(folder), "/home/u/t", False),)
    tree = rule("rt", "/home/u/t")
    globs = [rule("rwd", f"/home/u/t/**/secret{number}*") for number in range(30)]
    native = Native("c-files", mounts)
    guests = {
        "guard, one rule for the tree": Guest("c-files", mounts, rules(tree)),
        "guard, tree and 30 rules for other places": Guest(
            "c-files",
            mounts,
            rules(tree, *(g.replace("/t/", f"/o{n}/") for n, g in enumerate(globs))),
        ),
        "guard, tree and one denied name": Guest(
            "c-files", mounts, rules(tree, rule("rwd", "/home/u/t/.env"))
        ),
        "guard, tree and 30 denied globs": Guest("c-files", mounts, rules(tree, *globs)),
        "guard, a glob for everything": Guest("c-files", mounts, rules(rule("r", "/home/u/t/**"))),
    }
    subjects: dict[str, Callable[[], object]] = {
        "native preopen": lambda: native.call(function, path)
    }
    for name, guest in guests.items():
        subjects[name] = lambda guest=guest: guest.call(function, path=path)  # type: ignore[misc]
    return subjects


if __name__ == "__main__":
    main()
