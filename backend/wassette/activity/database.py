"""The SQLite file: its schema, opening it safely, and what becomes of a broken one."""

from __future__ import annotations

import json
import sqlite3
import time
from typing import TYPE_CHECKING, Any

from wassette.errors import StoreError
from wassette.sqlite import (
    BUSY_TIMEOUT,
    check_own,
    make_private,
    make_tables,
    use_journal,
    version_of,
)

from .entry import Entry, Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

VERSION = 1

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
    make_private(path)
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        use_journal(connection)
        # The last moments may be lost with the power, never the file.
        connection.execute("PRAGMA synchronous = NORMAL")
        found = make_tables(connection, _SCHEMA)
        if found != VERSION:
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
    check_own(path, path.lstat())
    try:
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA query_only = ON")
        found = version_of(connection)
        if found != VERSION:
            connection.close()
            if not found:  # it is being made just now
                raise FileNotFoundError(path)
            raise StoreError(f"{path} was written by another version of Wassette")
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} cannot be read: {error}") from None
    return connection


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
