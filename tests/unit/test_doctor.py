"""Whether somebody else could change our files, or read what is private."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from wassette.doctor import look_at

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no such modes")


@pytest.mark.parametrize(
    ("mode", "private", "problem"),
    [
        (0o700, True, None),
        (0o755, False, None),
        (0o755, True, "others may read it: chmod go= '{}'"),
        (0o710, True, "others may read it: chmod go= '{}'"),
        (0o775, False, "others may write there: chmod go-w '{}'"),
        (0o702, False, "others may write there: chmod go-w '{}'"),
        (0o777, True, "others may write there: chmod go-w '{}'"),
    ],
)
def test_modes(tmp_path: Path, mode: int, private: bool, problem: str | None) -> None:
    tmp_path.chmod(mode)
    found = look_at("data", tmp_path, private=private)
    assert found.mode == stat.filemode(stat.S_IFDIR | mode)
    assert found.problem == (problem and problem.format(tmp_path))


def test_what_is_not_there_is_no_problem(tmp_path: Path) -> None:
    found = look_at("data", tmp_path / "x", private=True)
    assert (found.mode, found.problem) == (None, None)


def test_what_cannot_be_looked_at(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = look_at("data", tmp_path / "file" / "x", private=True)
    assert found.problem == "it cannot be looked at: Not a directory"


def test_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.getuid() == 0:
        os.chown(tmp_path, 12345, 12345)
    else:
        mine = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    found = look_at("data", tmp_path, private=False)
    assert "who could change what components may do" in (found.problem or "")
