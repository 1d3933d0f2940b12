"""Where uses are kept: one SQLite file for each user, which is safe to delete.

Of grants, when they were first seen and when they were used last, for ever; of a component that
somebody watches, every use, until they watch again. Nothing here decides anything: without it, no
grant is said to be unused, and nothing can be learned.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from wassette.errors import StoreError
from wassette.sqlite import BUSY_TIMEOUT, make_private, make_tables, use_journal

from .model import FileUse, How, NetworkUse, Observed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

VERSION = 1
MAX_USES = 5000
"""Uses that are kept of one component that is watched."""
_SCHEMA = f"""
CREATE TABLE began (directory TEXT PRIMARY KEY, at REAL NOT NULL) STRICT;
CREATE TABLE grants (
  directory TEXT NOT NULL, component TEXT NOT NULL, rule TEXT NOT NULL,
  since REAL NOT NULL, last REAL NOT NULL, PRIMARY KEY (directory, component, rule)
) STRICT;
CREATE TABLE watched (
  directory TEXT NOT NULL, component TEXT NOT NULL, digest TEXT NOT NULL, since REAL NOT NULL,
  calls INTEGER NOT NULL, complete INTEGER NOT NULL, PRIMARY KEY (directory, component)
) STRICT;
CREATE TABLE uses (
  directory TEXT NOT NULL, component TEXT NOT NULL, how TEXT NOT NULL, target TEXT NOT NULL,
  address TEXT NOT NULL, PRIMARY KEY (directory, component, how, target, address)
) STRICT;
PRAGMA user_version = {VERSION};
"""


class UsageStore:
    """One thread at a time. Raises `StoreError`, `OSError`, `sqlite3.Error`."""

    def __init__(self, path: Path, directory: Path) -> None:
        """`directory`: the component directory that all of this is about."""
        self._path = path
        self._directory = str(directory)
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # -- grants --------------------------------------------------------------------------------

    def began(self, now: float) -> float:
        """Since when uses are kept."""
        with self._open() as db:
            db.execute("INSERT OR IGNORE INTO began VALUES (?, ?)", (self._directory, now))
            (at,) = db.execute(
                "SELECT at FROM began WHERE directory = ?", (self._directory,)
            ).fetchone()
        return min(float(at), now)

    def grants(self, component: str) -> dict[str, tuple[float, float]]:
        """When each rule was first seen, and last used (0 for never)."""
        with self._open() as db:
            found = db.execute(
                "SELECT rule, since, last FROM grants WHERE directory = ? AND component = ?",
                (self._directory, component),
            ).fetchall()
        return {rule: (since, last) for rule, since, last in found}

    def note(self, component: str, rules: Mapping[str, tuple[float, float]]) -> None:
        """Have (first seen, last used) known of rules; what is known already is not lost."""
        with self._open() as db:
            db.executemany(
                "INSERT INTO grants VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "since = min(since, excluded.since), last = max(last, excluded.last)",
                [(self._directory, component, _text(rule), *at) for rule, at in rules.items()],
            )

    def forget(self, component: str) -> None:
        """A component is gone."""
        with self._open() as db:
            for table in ("grants", "watched", "uses"):
                db.execute(
                    f"DELETE FROM {table} WHERE directory = ? AND component = ?",  # noqa: S608
                    (self._directory, component),
                )

    def forget_grants(self, component: str, rules: Iterable[str]) -> None:
        """Rules are gone: if they come back, they are new."""
        with self._open() as db:
            db.executemany(
                "DELETE FROM grants WHERE directory = ? AND component = ? AND rule = ?",
                [(self._directory, component, _text(rule)) for rule in rules],
            )

    # -- watching ------------------------------------------------------------------------------

    def watch(self, component: str, digest: str, now: float) -> None:
        """Begin to watch; what was seen before is forgotten."""
        key = self._directory, component
        with self._open() as db:
            db.execute("DELETE FROM uses WHERE directory = ? AND component = ?", key)
            db.execute(
                "INSERT OR REPLACE INTO watched VALUES (?, ?, ?, ?, 0, 1)", (*key, digest, now)
            )

    def saw(
        self,
        component: str,
        digest: str,
        files: Iterable[FileUse],
        requests: Iterable[NetworkUse],
        *,
        complete: bool,
    ) -> None:
        """What a call of the watched bytes did."""
        key = self._directory, component
        with self._open() as db:
            changed = db.execute(
                "UPDATE watched SET calls = calls + 1, complete = complete AND ? "
                "WHERE directory = ? AND component = ? AND digest = ?",
                (int(complete), *key, digest),
            )
            if not changed.rowcount:
                return
            rows = [(one.how.value, _text(one.path), "") for one in files]
            rows += [("request", _text(f"{one.method} {one.url}"), one.address) for one in requests]
            (count,) = db.execute(
                "SELECT count(*) FROM uses WHERE directory = ? AND component = ?", key
            ).fetchone()
            db.executemany(
                "INSERT OR IGNORE INTO uses VALUES (?, ?, ?, ?, ?)",
                [(*key, *row) for row in rows[: max(0, MAX_USES - count)]],
            )
            if len(rows) > MAX_USES - count:
                db.execute(
                    "UPDATE watched SET complete = 0 WHERE directory = ? AND component = ?", key
                )

    def observed(self, component: str) -> Observed | None:
        """What was seen; None if nobody watched."""
        key = self._directory, component
        with self._open() as db:
            found = db.execute(
                "SELECT digest, since, calls, complete FROM watched "
                "WHERE directory = ? AND component = ?",
                key,
            ).fetchone()
            rows = db.execute(
                "SELECT how, target, address FROM uses WHERE directory = ? AND component = ? "
                "ORDER BY how, target",
                key,
            ).fetchall()
        if found is None:
            return None
        digest, since, calls, complete = found
        requests = [
            NetworkUse(target.partition(" ")[0], target.partition(" ")[2], address)
            for how, target, address in rows
            if how == "request"
        ]
        files = [FileUse(How(how), target) for how, target, _ in rows if how != "request"]
        return Observed(digest, since, calls, bool(complete), tuple(files), tuple(requests))

    # -- the file --------------------------------------------------------------------------------

    def _open(self) -> sqlite3.Connection:
        """The connection, whose context is a transaction."""
        if self._connection is None:
            self._connection = self._opened()
        return self._connection

    def _opened(self) -> sqlite3.Connection:
        path = self._path
        make_private(path)
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, check_same_thread=False)
        try:
            use_journal(connection)
            connection.execute("PRAGMA synchronous = NORMAL")
            found = make_tables(connection, _SCHEMA)
            if found != VERSION:
                raise StoreError(
                    f"{path} was written by another version of Wassette (format {found}); "
                    "update Wassette, or delete it: only what components used is in it"
                )
        except BaseException:
            connection.close()
            raise
        return connection


def _text(text: str) -> str:
    # Guests' names may have lone surrogates, which SQLite cannot keep.
    return text.encode("utf-8", "backslashreplace").decode()
