"""Approval requests and what was decided about them, in SQLite, for all processes of one user.

Each change is one transaction, so whatever dies in the middle has either done it or not, and of
many who decide the same request exactly one does. Nothing here waits for a person; any process may
decide (`wassette approvals allow`), and the host that asked sees it (`database.Watch`).

The states of a request:

    pending ──▶ claimed ──▶ allowed | denied        a person decided
       │  └───────────────▶ expired | withdrawn | void
       ▼
     asked                  the host that waited is gone; a decision is for the next such access

`claimed` is while a rule is written to a policy: whoever dies then has allowed nothing.
Everything that goes wrong with the file is `ApprovalsUnavailable`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import sqlite3
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from filelock import FileLock, Timeout

from wassette.errors import (
    ApprovalNotFound,
    ApprovalOver,
    ApprovalsUnavailable,
    DecisionRefused,
    WassetteError,
    visible,
)

from . import files
from .choices import check_rule
from .codec import decode_decision, decode_request, encode_decision, encode_request
from .database import (
    ASKED_KEPT,
    HISTORY_EVERY,
    HISTORY_ROWS,
    HOUR,
    OPEN,
    SELECT_STANDING,
    Standing,
    State,
    connect,
    migrate,
    read_standing,
    standing_of,
    tidy,
)
from .model import ID_LENGTH, Component, Decision, Scope, Surface, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from .model import ApprovalRequest, Rule

_OWNER = re.compile(r"[0-9a-f]{16}")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Entry:
    """A request as it is recorded. `reason` says why it ended, if nobody decided it."""

    request: ApprovalRequest
    state: State
    decision: Decision | None = None
    reason: str = ""

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """What can be decided now: the session that asked is gone with its host."""
        scopes = self.request.scopes
        if self.state is State.ASKED:
            return tuple(one for one in scopes if one is not Scope.SESSION)
        return scopes


class Store:
    """Safe to use from several threads. Opened at its first use; `close` can be done repeatedly."""

    def __init__(self, directory: Path, *, now: Callable[[], float] = time.time) -> None:
        """`directory`: see `files.default_directory`. `now` is `time.time` but for tests."""
        self.directory = directory
        self.owner = secrets.token_hex(8)
        self._now = now
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._alive: FileLock | None = None
        self._added = 0

    @property
    def database(self) -> Path:
        return self.directory / files.DATABASE

    def now(self) -> int:
        """Milliseconds since 1970."""
        return int(self._now() * 1000)

    def close(self) -> None:
        with self._lock:
            self._close()
            if self._alive is not None:
                self._alive.release()
                with contextlib.suppress(OSError):
                    os.unlink(self._alive.lock_file)  # noqa: PTH108
                self._alive = None

    # -- asking --------------------------------------------------------------------------------

    def add(self, request: ApprovalRequest) -> None:
        """Record a request that this process waits for."""
        component = request.component or Component("", "")

        matching = matching_key(request)

        def add(db: sqlite3.Connection) -> None:
            db.execute(
                "UPDATE requests SET state = ?, reason = 'it is asked again'"
                " WHERE state = ? AND matching = ?",
                (State.WITHDRAWN, State.ASKED, matching),
            )
            db.execute(
                "INSERT INTO requests (id, state, component, component_digest, owner, matching,"
                " created, expires, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    request.id,
                    State.PENDING,
                    component.id,
                    component.digest,
                    self.owner,
                    matching,
                    request.created,
                    request.expires,
                    _dump(encode_request(request)),
                ),
            )

        self._stay_alive()
        self._change(add)
        self._added += 1
        if self._added % HISTORY_EVERY == 0:
            self._with(lambda db: tidy(db, self.now()))

    def end(self, request_id: str, state: State, reason: str) -> None:
        """Nobody decides this one any more; nothing happens if somebody has."""
        self._change(
            lambda db: db.execute(
                "UPDATE requests SET state = ?, reason = ? WHERE id = ? AND state IN (?, ?)",
                (state, reason, request_id, *OPEN),
            )
        )

    def leave(self) -> None:
        """This host ends: what it waits for can be decided for the next such access, and its
        sessions are over. Nothing happens if it never asked."""
        if self._alive is None:
            return
        self._change(partial(self._orphan, owner=self.owner))

    # -- deciding ------------------------------------------------------------------------------

    def decide(
        self,
        request_id: str,
        decision: Decision,
        *,
        current: Callable[[str], str | None] | None = None,
        write: Callable[[ApprovalRequest, Rule], None] | None = None,
    ) -> Entry:
        """Decide a request, once. Returns it as it is then.

        `current` gives the digest that a component has now; another one than was asked for makes
        the request void. `write` writes the rule of an `always` to the policy. Raises
        `ApprovalNotFound`, `ApprovalOver`, `DecisionRefused`, and what `write` raises, after
        which the request is denied.
        """
        entry = self.get(request_id)
        self._check_open(entry)
        check(entry, decision)
        if decision.allow:
            reason = _changed(entry.request, current)
            if reason:
                self.end(entry.request.id, State.VOID, reason)
                raise ApprovalOver(f"{_name(entry.request)} is void: {reason}")
        if not (decision.allow and decision.scope is Scope.ALWAYS):
            return self._settle(entry.request, decision, None)
        if write is None:
            raise DecisionRefused("nothing here can write to a policy")
        claim = self._claim(entry.request)
        assert decision.rule is not None
        try:
            write(entry.request, decision.rule)
        except BaseException as error:
            reason = visible(str(error) or type(error).__name__, 500)
            failed = refused(entry.request, f"the rule could not be written: {reason}")
            with contextlib.suppress(WassetteError):
                self._settle(entry.request, failed, claim)
            raise
        return self._settle(entry.request, decision, claim)

    def _claim(self, request: ApprovalRequest) -> str:
        claim = secrets.token_hex(8)

        def take(db: sqlite3.Connection) -> int:
            return db.execute(
                "UPDATE requests SET state = ?, claim = ?, claimed = ? WHERE id = ?"
                " AND state IN (?, ?) AND expires > ?",
                (State.CLAIMED, claim, self.now(), request.id, *OPEN, self.now()),
            ).rowcount

        if self._change(take) != 1:
            self._check_open(self.get(request.id))
            raise ApprovalOver(f"{_name(request)} has expired")
        return claim

    def _settle(self, request: ApprovalRequest, decision: Decision, claim: str | None) -> Entry:
        """`claim`: that of the caller, or None for a request that is open."""
        now = self.now()
        state = State.ALLOWED if decision.allow else State.DENIED
        expected = (State.CLAIMED, State.CLAIMED) if claim else OPEN

        def settle(db: sqlite3.Connection) -> bool:
            before = db.execute(
                "SELECT state, owner FROM requests WHERE id = ?", (request.id,)
            ).fetchone()
            changed = db.execute(
                "UPDATE requests SET state = ?, decision = ?, reason = ? WHERE id = ?"
                " AND state IN (?, ?) AND claim IS ? AND (claim IS NOT NULL OR expires > ?)",
                (
                    state,
                    _dump(encode_decision(decision)),
                    decision.reason,
                    request.id,
                    *expected,
                    claim,
                    now,
                ),
            ).rowcount
            if changed == 1:
                self._stand(db, request, decision, State(before[0]), before[1], now)
            return changed == 1

        if not self._change(settle):
            self._check_open(self.get(request.id))
            raise ApprovalOver(f"{_name(request)} has expired")
        return Entry(request, state, decision, decision.reason)

    @staticmethod
    def _stand(
        db: sqlite3.Connection,
        request: ApprovalRequest,
        decision: Decision,
        before: State,
        owner: str,
        now: int,
    ) -> None:
        """Have an allowed request stand for as long as was said."""
        waiting = before is not State.ASKED
        match decision.scope:
            case _ if not decision.allow:
                return
            case Scope.ONCE if not waiting:
                expires, session, matching = now + ASKED_KEPT, "", matching_key(request)
            case Scope.HOUR:
                expires, session, matching = now + HOUR, "", ""
            case Scope.SESSION:
                expires, session, matching = 0, request.client.session, ""
            case _:
                return
        component = request.component or Component("", "")
        db.execute(
            "INSERT OR REPLACE INTO standing VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                request.id,
                decision.scope,
                component.id,
                component.digest,
                session,
                owner if session else "",
                matching,
                _dump(encode_decision(decision)),
                now,
                expires,
            ),
        )

    def _check_open(self, entry: Entry) -> None:
        """Raises `ApprovalOver`."""
        name = _name(entry.request)
        match entry.state:
            case State.PENDING | State.ASKED:
                if self.now() < self._expires(entry):
                    return
                raise ApprovalOver(f"{name} has expired; nothing was allowed")
            case State.ALLOWED | State.DENIED:
                raise ApprovalOver(f"{name} has been {entry.state.value} already")
            case State.CLAIMED:
                raise ApprovalOver(f"{name} is being decided already")
            case State.EXPIRED:
                raise ApprovalOver(f"{name} has expired; nothing was allowed")
            case State.WITHDRAWN:
                raise ApprovalOver(f"{name} was withdrawn: nobody waits for it any more")
            case State.VOID:
                raise ApprovalOver(f"{name} is void: {entry.reason}")

    @staticmethod
    def _expires(entry: Entry) -> int:
        request = entry.request
        return request.created + ASKED_KEPT if entry.state is State.ASKED else request.expires

    # -- reading -------------------------------------------------------------------------------

    def get(self, request_id: str) -> Entry:
        """By its whole id. Raises `ApprovalNotFound`."""
        if not re.fullmatch(r"[0-9a-f]+", request_id):
            raise ApprovalNotFound(f"'{visible(request_id, 40)}' is not the id of a request")
        rows = self._read(
            lambda db: db.execute(
                f"{_SELECT} WHERE id = ?",
                (request_id,),
            ).fetchall()
        )
        entries = [entry for entry in map(_entry, rows) if entry is not None]
        if not entries:
            raise ApprovalNotFound(f"There is no approval request '{visible(request_id, 40)}'")
        return entries[0]

    def find(self, prefix: str) -> Entry:
        """By the beginning of its id, which nothing else that is on record may have, over or not.

        Raises `ApprovalNotFound`.
        """
        if not 4 <= len(prefix) <= ID_LENGTH or not re.fullmatch(r"[0-9a-f]+", prefix):
            raise ApprovalNotFound(
                f"'{visible(prefix, 40)}' is not the id of an approval request: 4 to {ID_LENGTH} "
                "of the digits 0-9 and a-f; see: wassette approvals list"
            )
        rows = self._read(
            lambda db: db.execute(
                f"{_SELECT} WHERE id >= ? AND id < ? LIMIT 2",
                (prefix, prefix + "g"),
            ).fetchall()
        )
        entries = [entry for entry in map(_entry, rows) if entry is not None]
        if not entries:
            raise ApprovalNotFound(
                f"There is no approval request '{prefix}'; see: wassette approvals list --all"
            )
        if len(entries) > 1:
            raise ApprovalNotFound(f"More than one approval request begins with '{prefix}'")
        return entries[0]

    def entries(self, *, ended: bool = False, limit: int = HISTORY_ROWS) -> list[Entry]:
        """Those that can be decided, or all; oldest first."""
        where = "" if ended else f"WHERE state IN ('{State.PENDING}', '{State.ASKED}')"
        rows = self._read(
            lambda db: db.execute(
                f"{_SELECT} {where} ORDER BY created DESC, id LIMIT ?",
                (limit,),
            ).fetchall()
        )
        entries = [entry for entry in map(_entry, reversed(rows)) if entry is not None]
        now = self.now()
        return [one for one in entries if ended or now < self._expires(one)]

    def open(self) -> int:
        """How many can be decided now."""
        now = self.now()
        [(count,)] = self._read(
            lambda db: db.execute(
                "SELECT count(*) FROM requests WHERE state = ? AND expires > ?"
                " OR state = ? AND created > ?",
                (State.PENDING, now, State.ASKED, now - ASKED_KEPT),
            ).fetchall()
        )
        return int(count)

    def ended(self, before: tuple[int, str] | None, limit: int) -> list[Entry]:
        """Those that are over, newest first; `before`: created (milliseconds) and id of the last
        one of the page that was had."""
        marks = ", ".join("?" * len(OPEN))
        where, values = f"state NOT IN ({marks})", [*map(str, OPEN)]
        if before is not None:
            where += " AND (created, id) < (?, ?)"
        rows = self._read(
            lambda db: db.execute(
                f"{_SELECT} WHERE {where} ORDER BY created DESC, id DESC LIMIT ?",
                (*values, *(before or ()), limit),
            ).fetchall()
        )
        return [entry for entry in map(_entry, rows) if entry is not None]

    def decided(self, request_ids: Iterable[str]) -> dict[str, Entry]:
        """Those of them that are not open any more, by id; those that are gone are left out."""
        wanted = list(request_ids)

        def read(db: sqlite3.Connection) -> list[Any]:
            rows: list[Any] = []
            for start in range(0, len(wanted), 500):
                part = wanted[start : start + 500]
                marks = ",".join("?" * len(part))
                rows += db.execute(
                    f"{_SELECT} WHERE id IN ({marks}) AND state NOT IN (?, ?, ?)",
                    (*part, *OPEN, State.CLAIMED),
                ).fetchall()
            return rows

        found = [entry for entry in map(_entry, self._read(read)) if entry is not None]
        return {entry.request.id: entry for entry in found}

    # -- standing decisions --------------------------------------------------------------------

    def standing(self) -> list[Standing]:
        """Those in force, oldest first."""
        return self._read(lambda db: read_standing(db, self.now()))

    def take_once(self, request: ApprovalRequest) -> Decision | None:
        """A decision made about the same access after its host was gone; it is used up by this."""
        key, now = matching_key(request), self.now()

        def peek(db: sqlite3.Connection) -> list[Any]:
            return db.execute("SELECT id FROM standing WHERE matching = ?", (key,)).fetchall()

        if not self._read(peek):
            return None

        def take(db: sqlite3.Connection) -> Decision | None:
            for row in db.execute(
                f"{SELECT_STANDING} WHERE matching = ? ORDER BY created LIMIT 1",
                (key,),
            ).fetchall():
                one = standing_of(row)
                gone = db.execute("DELETE FROM standing WHERE id = ?", (row[0],)).rowcount
                if gone == 1 and one is not None and one.holds(now):
                    return one.decision
            return None

        return self._change(take)

    def revoke(self, request_id: str) -> bool:
        """Take a standing decision back; whether there was one."""
        return self._change(
            lambda db: db.execute("DELETE FROM standing WHERE id = ?", (request_id,)).rowcount == 1
        )

    def end_session(self, session: str) -> None:
        """Forget what was decided for a session."""
        self._change(
            lambda db: db.execute(
                "DELETE FROM standing WHERE scope = ? AND session = ?", (Scope.SESSION, session)
            )
        )

    def component_changed(self, component_id: str, digest: str | None, reason: str) -> None:
        """Void whatever is about other bytes than these (None: the component is gone)."""

        def change(db: sqlite3.Connection) -> None:
            other = (component_id, digest or "")
            db.execute("DELETE FROM standing WHERE component = ? AND component_digest != ?", other)
            db.execute(
                "UPDATE requests SET state = ?, reason = ? WHERE component = ?"
                " AND component_digest != ? AND state IN (?, ?)",
                (State.VOID, reason, *other, *OPEN),
            )

        self._change(change)

    # -- what a person has seen ----------------------------------------------------------------

    def mark_seen(self, component: Component, view: dict[str, Any], surface: Surface) -> None:
        self._change(
            lambda db: db.execute(
                # Later than what was seen before, also within one tick of the clock.
                "INSERT OR REPLACE INTO seen SELECT ?, ?, ?, max(?, coalesce("
                "(SELECT max(at) + 1 FROM seen WHERE component = ?), 0)), ?",
                (
                    *(component.id, component.digest, _dump(view), self.now()),
                    *(component.id, surface),
                ),
            )
        )

    def seen(self, component_id: str, digest: str | None = None) -> tuple[str, Any] | None:
        """The digest and view that a person saw last, or with `digest`, of that one."""
        rows = self._read(
            lambda db: db.execute(
                "SELECT digest, view FROM seen WHERE component = ? AND digest = coalesce(?, digest)"
                " ORDER BY at DESC LIMIT 1",
                (component_id, digest),
            ).fetchall()
        )
        return (rows[0][0], json.loads(rows[0][1])) if rows else None

    def forget_seen(self, component_id: str) -> None:
        self._change(lambda db: db.execute("DELETE FROM seen WHERE component = ?", (component_id,)))

    # -- hosts that are gone -------------------------------------------------------------------

    def reap(self) -> int:
        """Have the requests of hosts that died be ones for the next access; how many hosts.

        Each host that waits holds a lock file, which the system releases however it ends.
        """
        owners = self._read(
            lambda db: db.execute(
                "SELECT owner FROM requests WHERE state IN (?, ?) UNION"
                " SELECT owner FROM standing WHERE owner != ''",
                (State.PENDING, State.CLAIMED),
            ).fetchall()
        )
        gone = [one for (one,) in owners if one != self.owner and self._is_gone(one)]
        for owner in gone:
            self._change(partial(self._orphan, owner=owner))
        return len(gone)

    def _orphan(self, db: sqlite3.Connection, owner: str) -> None:
        db.execute(
            "UPDATE requests SET state = ?, expires = created + ? WHERE owner = ? AND state = ?",
            (State.ASKED, ASKED_KEPT, owner, State.PENDING),
        )
        db.execute("DELETE FROM standing WHERE owner = ?", (owner,))

    def _lock_path(self, owner: str) -> Path:
        return self.directory / f"host-{owner}.lock"

    def _stay_alive(self) -> None:
        with self._lock:
            if self._alive is None:
                files.prepare(self.directory)
                # Whichever thread takes it, another one may release it.
                lock = FileLock(self._lock_path(self.owner), mode=0o600, thread_local=False)
                try:
                    lock.acquire(timeout=0)
                except (OSError, Timeout) as error:
                    raise ApprovalsUnavailable(
                        f"cannot write to {self.directory}: {error}"
                    ) from error
                self._alive = lock

    def _is_gone(self, owner: str) -> bool:
        if not _OWNER.fullmatch(owner):
            return True
        path = self._lock_path(owner)
        if not path.exists():
            return True
        lock = FileLock(path, mode=0o600)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        except OSError:
            return False  # not known, so nothing changes
        lock.release()
        with contextlib.suppress(OSError):
            path.unlink()
        return True

    # -- the database --------------------------------------------------------------------------

    def _change(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """`work` in one transaction, on disk when this returns."""

        def change(db: sqlite3.Connection) -> _T:
            db.execute("BEGIN IMMEDIATE")
            try:
                result = work(db)
                db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                raise
            return result

        return self._with(change)

    def _read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        return self._with(work)

    def _with(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        with self._lock:
            try:
                return work(self._open())
            except sqlite3.Error as error:
                self._close()
                raise ApprovalsUnavailable(
                    f"approvals cannot be kept in {visible(str(self.database), 1000)}: {error}; "
                    "if the file is broken, delete it: only open questions and decisions for an "
                    "hour are lost"
                ) from error
            except (OSError, ValueError) as error:
                self._close()
                raise ApprovalsUnavailable(
                    f"approvals cannot be read from {visible(str(self.database), 1000)}: {error}"
                ) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            try:
                if files.check(self.database) == self._identity:
                    return self._connection
            except FileNotFoundError:
                pass
            # Somebody removed or replaced it; what is open is nobody's any more.
            self._close()
        database = files.prepare(self.directory)
        self._connection = connect(database)
        self._identity = files.check(database)
        migrate(self._connection, database, self.now())
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


# ---- pure parts ----------------------------------------------------------------------------------


def check(entry: Entry, decision: Decision) -> None:
    """Raises `DecisionRefused` unless the decision is one about this request as it was shown."""
    request = entry.request
    if not secrets.compare_digest(decision.digest.encode(), request.digest.encode()):
        raise DecisionRefused("the decision is about something else than what was asked")
    if decision.by is None:
        raise DecisionRefused("only a person decides")
    if not decision.allow:
        return
    if decision.scope not in entry.scopes:
        possible = ", ".join(entry.scopes) or "nothing"
        raise DecisionRefused(
            f"it cannot be allowed for '{decision.scope.value}'; possible is: {possible}"
        )
    offered = any(decision.rule == choice.rule for choice in request.choices)
    if not offered and decision.by is Surface.ELICITATION:
        # What answers there is the client's program; it may repeat a person, not speak for one.
        raise DecisionRefused("there only the rules that were offered can be chosen")
    check_rule(decision.rule, request.subject)


def matching_key(request: ApprovalRequest) -> str:
    """What the next access has to be for a decision that came too late: the same to the last
    argument."""
    component = request.component or Component("", "")
    who = f"{component.id}/{component.digest}"
    return f"{who}/{request.subject_key}/{request.arguments_digest}/{request.tool}"


def _changed(request: ApprovalRequest, current: Callable[[str], str | None] | None) -> str:
    """Why the request is void; empty if it is not."""
    if current is None or request.component is None:
        return ""
    if current(request.component.id) != request.component.digest:
        return f"component {request.component.id} has changed since it was asked"
    return ""


def _name(request: ApprovalRequest) -> str:
    return f"Approval request {request.id}"


_SELECT = "SELECT id, state, body, decision, reason FROM requests"


def _entry(row: Any) -> Entry | None:
    """None for a row that is not what was written: it can be neither shown nor decided."""
    identifier, state, body, decision, reason = row
    try:
        request = decode_request(json.loads(body))
        if request.id != identifier:
            return None
        made = None if decision is None else decode_decision(json.loads(decision))
        return Entry(request, State(state), made, str(reason))
    except (ValueError, RecursionError):
        return None


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
