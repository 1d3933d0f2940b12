"""Writing the record, without ever being in the way of a call.

`record` puts an entry into a queue; a thread takes secrets out and writes, many at a time. What
does not get written (the disk is full, the queue is) is counted, and the count is written when it
can be. Ending the process by force loses the last fraction of a second.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from wassette.activity_options import Retention
from wassette.errors import StoreError

from . import database
from .entry import Entry, Kind, Outcome
from .redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

log = logging.getLogger(__name__)

BATCH_DELAY = 0.05
"""Seconds in which entries are collected before they are written."""
MAX_QUEUED = 20_000
RETRY_DELAY = 5.0
"""Seconds before a file that could not be opened is tried again."""
PRUNE_EVERY = 2_000
"""Entries between looks at age and size."""
PRUNE_AFTER = 3600.0
"""Seconds after which the next entry has them looked at, however few there were."""
_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
MAX_OUTPUT = 64 * 1024
"""Characters of a call's output that are kept."""


class ActivityLog:
    """The writing end. Make it once for a process, and `close` it. Any thread may `record`."""

    def __init__(
        self,
        path: Path,
        redactor: Redactor | None = None,
        retention: Callable[[], Retention] = Retention,
    ) -> None:
        """`retention`: what is to be kept now. Asked in the thread that writes; raises nothing."""
        self.path = path
        self._redactor = redactor or Redactor()
        self._retention = retention
        self._queue: deque[Entry] = deque()
        self._lost = 0
        self._wake = threading.Condition()
        self._closing = False
        self._writing = False
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._since_prune = PRUNE_EVERY  # look at the first write
        self._pruned = 0.0
        self._warned = False

    def record(self, *entries: Entry) -> None:
        """Have them written soon. Raises nothing, and takes microseconds."""
        with self._wake:
            if self._closing:
                return
            room = MAX_QUEUED - len(self._queue)
            self._lost += max(0, len(entries) - room)
            self._queue.extend(entries[:room])
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="activity", daemon=True)
                self._thread.start()
            self._wake.notify()

    def flush(self, limit: float = 5.0) -> bool:
        """Wait until all that was recorded is written; whether it was, in `limit` seconds."""
        with self._wake:
            return self._wake.wait_for(
                lambda: (
                    (not self._queue and not self._writing)
                    or self._thread is None
                    or not self._thread.is_alive()
                ),
                limit,
            )

    def close(self, limit: float = 5.0) -> None:
        """Write what is left, for at most `limit` seconds, and end."""
        with self._wake:
            self._closing = True
            self._wake.notify()
            thread = self._thread
        if thread is not None:
            thread.join(limit)

    # -- the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        finally:
            if self._connection is not None:
                self._connection.close()

    def _turn(self) -> bool:
        with self._wake:
            self._wake.wait_for(lambda: self._queue or self._closing)
            if not self._closing:
                self._wake.wait_for(lambda: self._closing, BATCH_DELAY)
            entries, lost = list(self._queue), self._lost
            self._queue.clear()
            self._lost = 0
            self._writing = bool(entries)
            if not entries and self._closing:
                return False
        try:
            written = self._write(entries, lost)
        except Exception:
            log.exception("the activity record could not be written")
            written = False
        with self._wake:
            self._writing = False
            if not written:
                self._lost += len(entries) + lost
            self._wake.notify_all()
            if not written and not self._closing:
                # Meanwhile the queue takes what it can hold.
                self._wake.wait_for(lambda: self._closing, RETRY_DELAY)
        return True

    def _write(self, entries: list[Entry], lost: int) -> bool:
        if lost:
            text = f"{lost} entries could not be written"
            entries = [*entries, Entry(Kind.CHANGE, Outcome.ERROR, text, time.time())]
        self._redactor.refresh()
        rows = [database.to_row(self._redacted(entry)) for entry in entries]
        for attempt in (1, 2):
            try:
                self._insert(rows)
            except (sqlite3.OperationalError, StoreError, OSError) as error:
                # Full, locked for too long, somebody else's: nothing that writing anew would mend.
                self._warn(f"entries of the activity record are lost: {error}")
                self._drop_connection()
                return False
            except sqlite3.DatabaseError as error:
                self._drop_connection()
                if attempt == 2 or error.sqlite_errorcode & 0xFF not in _BROKEN:
                    raise
                aside = database.set_aside(self.path)
                log.warning("%s is broken (%s); it is kept as %s", self.path, error, aside.name)
            else:
                self._warned = False
                return True
        return False

    def _insert(self, rows: Iterable[tuple[object, ...]]) -> None:
        if self._connection is None:
            self._connection = database.open_for_writing(self.path)
        connection, rows = self._connection, list(rows)
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(database.INSERT, rows)
            self._since_prune += len(rows)
            due = time.monotonic() - self._pruned > PRUNE_AFTER
            due = due or self._since_prune >= PRUNE_EVERY
            if due:
                self._since_prune, self._pruned = 0, time.monotonic()
                prune(connection, self._retention())
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        if due:
            with contextlib.suppress(sqlite3.OperationalError):  # another writes; next time
                shrink(connection)

    def _redacted(self, entry: Entry) -> Entry:
        take = self._redactor
        detail = {
            key: take.text(value, MAX_OUTPUT)
            if key == "output" and isinstance(value, str)
            else take.value(value)
            for key, value in entry.detail.items()
        }
        return replace(
            entry,
            what=take.text(entry.what),
            reason=take.text(entry.reason),
            client=take.text(entry.client, 200),
            tool=take.text(entry.tool, 200),
            detail=detail,
        )

    def _warn(self, text: str) -> None:
        if not self._warned:
            log.warning("%s", text)
        self._warned = True

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def prune(connection: sqlite3.Connection, retention: Retention) -> None:
    """Take away what is too old, and then the oldest until the rest is small enough."""
    oldest = time.time() - retention.days * 86_400
    connection.execute("DELETE FROM entries WHERE at < ?", (oldest,))
    while _used(connection) > retention.size:
        (count,) = connection.execute("SELECT count(*) FROM entries").fetchone()
        if count == 0:
            return
        connection.execute(
            "DELETE FROM entries WHERE number IN "
            "(SELECT number FROM entries ORDER BY number LIMIT ?)",
            (max(1, count // 10),),
        )


def shrink(connection: sqlite3.Connection) -> None:
    """Give back what is free of the file, if that is much: a little is soon used again."""
    pages, free = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count")
    )
    if free > pages // 4:
        # As a script: it has a step for each page, and `execute` makes the first of them only.
        connection.executescript("PRAGMA incremental_vacuum")


def _used(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
