"""Where approvals are kept, and whether those files can be trusted.

Whoever can write them can allow anything, so they are the user's own and nobody else's: a
directory of mode 0700 with files of mode 0600 in it, none of them a link. If they are not,
nothing is allowed, rather than taken on trust or put right in silence.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from typing import TYPE_CHECKING

from wassette.errors import ApprovalsUnavailable, visible
from wassette.paths import paths

if TYPE_CHECKING:
    from pathlib import Path

DATABASE = "approvals.db"


def default_directory(component_dir: Path) -> Path:
    """That of one component directory: the same id in another one is another component."""
    name = hashlib.sha256(str(component_dir).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return paths().state / "approvals" / name


def prepare(directory: Path) -> Path:
    """The database's path, in a directory that is made if it is not there.

    Raises `ApprovalsUnavailable`, also if anything there is not ours alone.
    """
    database = directory / DATABASE
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_directory(directory)
        with contextlib.suppress(FileExistsError):
            # The journal gets the mode of the database, so that comes first.
            os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        check(database)
    except OSError as error:
        raise ApprovalsUnavailable(
            f"approvals cannot be kept in {visible(str(directory), 1000)}: {error.strerror}"
        ) from error
    return database


def check(database: Path) -> tuple[int, int]:
    """What identifies the file. Raises `ApprovalsUnavailable` unless it is an ordinary file of
    ours in a directory of ours, and its journals too; `OSError` if it is not there."""
    _check_directory(database.parent)
    status = database.lstat()
    _check_file(database, status)
    for suffix in ("-wal", "-shm"):
        journal = database.with_name(database.name + suffix)
        try:
            _check_file(journal, journal.lstat())
        except FileNotFoundError:
            continue
    return status.st_dev, status.st_ino


def _check_directory(directory: Path) -> None:
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise _untrusted(directory, "is not a directory")
    _check_owner(directory, status, 0o022)


def _check_file(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _untrusted(path, "is not an ordinary file")
    if status.st_nlink > 1:
        raise _untrusted(path, "has a second name (a hard link)")
    _check_owner(path, status, 0o077)


def _check_owner(path: Path, status: os.stat_result, others: int) -> None:
    if os.name != "posix":
        return  # the directory is below the user's profile, which only the user can use
    if status.st_uid != os.getuid():
        raise _untrusted(path, "belongs to another user")
    if stat.S_IMODE(status.st_mode) & others:
        raise _untrusted(path, "can be used by other users")


def _untrusted(path: Path, why: str) -> ApprovalsUnavailable:
    return ApprovalsUnavailable(
        f"{visible(str(path), 1000)} {why}, so no approval in it counts and nothing can be "
        "approved; remove it to start afresh"
    )
