"""Opening SQLite files of ours: nobody else's, nobody else reads them, several processes write."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from typing import TYPE_CHECKING

from .errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

BUSY_TIMEOUT = 5.0
"""Seconds to wait for another process that writes."""


def make_private(path: Path) -> None:
    """Have there be a file at `path` before SQLite makes one: its others get the mode of it.

    Raises `StoreError` if it is not ours, `OSError`.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        check_own(path, os.fstat(fd))
    finally:
        os.close(fd)


def check_own(path: Path, info: os.stat_result) -> None:
    """Raises `StoreError` if `path` is not a file, or belongs to somebody else."""
    if not stat.S_ISREG(info.st_mode):
        raise StoreError(f"{path} is not a file")
    if hasattr(os, "getuid") and info.st_uid != os.getuid():
        raise StoreError(f"{path} belongs to another user")


def use_journal(connection: sqlite3.Connection) -> None:
    """Write ahead, so that nobody who reads waits."""
    until = time.monotonic() + BUSY_TIMEOUT
    while True:
        # Two processes that make the database at once: SQLite does not wait for this lock.
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def version_of(connection: sqlite3.Connection) -> int:
    """What the schema set; 0 if nothing was made yet."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def make_tables(connection: sqlite3.Connection, schema: str) -> int:
    """Have `schema` be there, which sets a version; the version that there is now."""
    if not version_of(connection):
        connection.execute("BEGIN IMMEDIATE")
        try:
            if not version_of(connection):  # nobody else was quicker
                for statement in schema.split(";\n"):
                    connection.execute(statement)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
    return version_of(connection)
