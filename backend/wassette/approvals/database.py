"""The database of approvals: its tables, opening it, and seeing that another process changed it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from wassette.errors import ApprovalsUnavailable, visible
from wassette.sqlite import BUSY_TIMEOUT, make_tables, use_journal, version_of

from . import files
from .codec import decode_decision
from .model import Component, Decision, Scope

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .model import Rule

SCHEMA = 1
HOUR = 3600_000
"""Milliseconds of `Scope.HOUR`."""
ASKED_KEPT = 24 * HOUR
"""Milliseconds for which a request whose host is gone can still be decided."""
HISTORY_KEPT = 30 * 24 * HOUR
HISTORY_ROWS = 10_000
HISTORY_EVERY = 1000
"""Requests after which what is old is forgotten; and whenever the database is opened."""
CLAIM_KEPT = 60_000
"""Milliseconds after which whoever claimed a request has died over it."""


class State(StrEnum):
    """What became of a request."""

    PENDING = "pending"
    ASKED = "asked"
    CLAIMED = "claimed"
    ALLOWED = "allowed"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    VOID = "void"


OPEN = (State.PENDING, State.ASKED)
"""Those that can be decided."""


@dataclass(frozen=True)
class Standing:
    """A decision in force: for an hour, a session, or (`once`) the next such access.

    Times are milliseconds since 1970; `expires` is 0 for the length of a session.
    """

    id: str
    component: Component
    scope: Scope
    session: str
    decision: Decision
    created: int
    expires: int

    @property
    def rule(self) -> Rule:
        assert self.decision.rule is not None
        return self.decision.rule

    def holds(self, now: int) -> bool:
        """A clock that was set back ends it, rather than making it longer."""
        return self.created <= now + 1000 and (not self.expires or now < self.expires)


_TABLES = f"""
CREATE TABLE requests (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, component TEXT NOT NULL, component_digest TEXT NOT NULL,
  owner TEXT NOT NULL, matching TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL,
  body TEXT NOT NULL, decision TEXT, reason TEXT NOT NULL DEFAULT '', claim TEXT, claimed INTEGER
) WITHOUT ROWID;
CREATE INDEX requests_by_state ON requests (state, created);
CREATE TABLE standing (
  id TEXT PRIMARY KEY, scope TEXT NOT NULL, component TEXT NOT NULL, component_digest TEXT NOT NULL,
  session TEXT NOT NULL, owner TEXT NOT NULL, matching TEXT NOT NULL, decision TEXT NOT NULL,
  created INTEGER NOT NULL, expires INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE seen (
  component TEXT NOT NULL, digest TEXT NOT NULL, view TEXT NOT NULL, at INTEGER NOT NULL,
  surface TEXT NOT NULL, PRIMARY KEY (component, digest)
) WITHOUT ROWID;
PRAGMA user_version = {SCHEMA};
"""


SELECT_STANDING = (
    "SELECT id, scope, component, component_digest, session, decision, created, expires"
    " FROM standing"
)


class Watch:
    """Tells cheaply whether another connection changed the database. For one thread."""

    def __init__(self, database: Path, now: Callable[[], int]) -> None:
        """`now` is in milliseconds."""
        self._database = database
        self._now = now
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._opened = 0
        self._made = False
        self._seen: object = self

    def changed(self) -> bool:
        """Since it was last asked; True the first time. Raises `ApprovalsUnavailable`."""
        try:
            identity = files.check(self._database)
            if self._connection is None or identity != self._identity:
                self.close()
                self._connection = connect(self._database)
                self._identity = identity
                self._opened += 1
                self._made = False
            if not self._is_made():
                return self._differs(None)
            number = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except FileNotFoundError:
            self.close()
            return self._differs(None)
        except ApprovalsUnavailable:
            self._seen = self  # if it is put right, everything is read again
            raise
        except (sqlite3.Error, OSError) as error:
            self.close()
            self._seen = self
            raise ApprovalsUnavailable(f"approvals cannot be read: {error}") from error
        return self._differs((self._opened, number))

    def _is_made(self) -> bool:
        """Whether the tables are there: another process may just be making them."""
        assert self._connection is not None
        if not self._made:
            self._made = version_of(self._connection) == SCHEMA
        return self._made

    def _differs(self, version: object) -> bool:
        before, self._seen = self._seen, version
        return before != version

    def standing(self) -> list[Standing]:
        """As the store's, but never waits for a writer. Raises `ApprovalsUnavailable`."""
        if self._connection is None or not self._made:
            return []
        try:
            return read_standing(self._connection, self._now())
        except (sqlite3.Error, OSError, ValueError) as error:
            self.close()
            raise ApprovalsUnavailable(f"approvals cannot be read: {error}") from error

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def read_standing(db: sqlite3.Connection, now: int) -> list[Standing]:
    """Those in force, oldest first."""
    rows = db.execute(f"{SELECT_STANDING} ORDER BY created, id").fetchall()
    found = [one for one in map(standing_of, rows) if one is not None]
    return [one for one in found if one.holds(now)]


def connect(database: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        database, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        # A decision is on disk before anybody is told of it; people do not decide so often that
        # it would matter.
        connection.execute("PRAGMA synchronous = FULL")
        use_journal(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def migrate(db: sqlite3.Connection, database: Path, now: int) -> None:
    if make_tables(db, _TABLES) != SCHEMA:
        raise ApprovalsUnavailable(
            f"{visible(str(database), 1000)} was made by another version of Wassette; use that, "
            "or delete the file"
        )
    tidy(db, now)


def tidy(db: sqlite3.Connection, now: int) -> None:
    """End what is past its time, and forget what is old."""
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute(
            "UPDATE requests SET state = ?, reason = 'nobody decided in time'"
            " WHERE state = ? AND created < ?",
            (State.EXPIRED, State.ASKED, now - ASKED_KEPT),
        )
        db.execute(
            "UPDATE requests SET state = ?, reason = 'whoever decided it died over it'"
            " WHERE state = ? AND claimed < ?",
            (State.DENIED, State.CLAIMED, now - CLAIM_KEPT),
        )
        db.execute("DELETE FROM standing WHERE expires != 0 AND expires <= ?", (now,))
        ended = f"state NOT IN ('{State.PENDING}', '{State.ASKED}', '{State.CLAIMED}')"
        db.execute(
            f"DELETE FROM requests WHERE {ended} AND created < ?",  # noqa: S608
            (now - HISTORY_KEPT,),
        )
        db.execute(
            f"DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE {ended}"  # noqa: S608
            " ORDER BY created DESC LIMIT -1 OFFSET ?)",
            (HISTORY_ROWS,),
        )
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def standing_of(row: Any) -> Standing | None:
    identifier, scope, component, digest, session, decision, created, expires = row
    try:
        made = decode_decision(json.loads(decision))
        one = Standing(
            identifier,
            Component(component, digest),
            Scope(scope),
            session,
            made,
            int(created),
            int(expires),
        )
    except (ValueError, RecursionError):
        return None
    return one if made.allow else None
