"""The SQLite file: its schema, opening it safely, and what becomes of a broken one."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import time
from typing import TYPE_CHECKING, Any

from wassette.errors import StoreError

from .entry import Entry, Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

VERSION = 1
BUSY_TIMEOUT = 5.0
"""Seconds to wait for another process that writes."""

COLUMNS = (
    "at",
    "kind",
    "outcome",
    "what",
    "component",
    "digest",
    "tool",
    "client",
    "session",
    "call",
    "reason",
    "seconds",
    "detail",
)
_SCHEMA = f"""
CREATE TABLE entries (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  at REAL NOT NULL, kind TEXT NOT NULL, outcome TEXT NOT NULL, what TEXT NOT NULL,
  component TEXT NOT NULL, digest TEXT NOT NULL, tool TEXT NOT NULL, client TEXT NOT NULL,
  session TEXT NOT NULL, call TEXT NOT NULL, reason TEXT NOT NULL, seconds REAL,
  detail TEXT NOT NULL
) STRICT;
CREATE INDEX entries_at ON entries (at);
CREATE INDEX entries_component ON entries (component, at);
CREATE INDEX entries_call ON entries (call);
PRAGMA user_version = {VERSION};
"""
INSERT = f"INSERT INTO entries ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608


def open_for_writing(path: Path) -> sqlite3.Connection:
    """The record at `path`, made if there is none. Raises `StoreError`, `sqlite3.DatabaseError`."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Before SQLite does: its files get the mode of the first.
    fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        _check(path, os.fstat(fd))
    finally:
        os.close(fd)
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        # The last moments may be lost with the power, never the file.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN IMMEDIATE")
        found = _version(connection)
        if found == 0:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
        connection.execute("COMMIT")
        if found not in (0, VERSION):
            raise StoreError(
                f"{path} was written by another version of Wassette (format {found}); "
                "update Wassette, or move the file away to begin a new record"
            )
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Raises `FileNotFoundError` if there is no record yet, `StoreError` if it cannot be read."""
    info = path.lstat()
    _check(path, info)
    try:
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA query_only = ON")
        found = _version(connection)
        if found != VERSION:
            connection.close()
            if not found:  # it is being made just now
                raise FileNotFoundError(path)
            raise StoreError(f"{path} was written by another version of Wassette")
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} cannot be read: {error}") from None
    return connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _check(path: Path, info: os.stat_result) -> None:
    if not stat.S_ISREG(info.st_mode):
        raise StoreError(f"{path} is not a file")
    if hasattr(os, "getuid") and info.st_uid != os.getuid():
        raise StoreError(f"{path} belongs to another user")


def set_aside(path: Path) -> Path:
    """Keep a broken record under another name, so that a new one can begin."""
    aside = path.with_name(f"{path.name}.broken-{time.time_ns()}")
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.replace(aside)
    return aside


def to_row(entry: Entry) -> tuple[Any, ...]:
    detail = json.dumps(dict(entry.detail), ensure_ascii=False, separators=(",", ":"))
    row = (
        entry.at,
        entry.kind.value,
        entry.outcome.value,
        entry.what,
        entry.component,
        entry.digest,
        entry.tool,
        entry.client,
        entry.session,
        entry.call,
        entry.reason,
        entry.seconds,
        detail,
    )
    # Guests' names may have lone surrogates, which SQLite cannot keep.
    return tuple(
        one.encode("utf-8", "backslashreplace").decode() if isinstance(one, str) else one
        for one in row
    )


def from_rows(rows: Iterable[tuple[Any, ...]]) -> Iterator[Entry]:
    for number, *values in rows:
        named = dict(zip(COLUMNS, values, strict=True))
        named["kind"], named["outcome"] = Kind(named["kind"]), Outcome(named["outcome"])
        named["detail"] = json.loads(named["detail"])
        yield Entry(**named, number=number)
