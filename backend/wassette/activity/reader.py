"""Finding entries again, and following what comes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from . import database
from .entry import Entry, Filter, Kind, Outcome

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator
    from pathlib import Path

FOLLOW_INTERVAL = 0.1
"""Seconds between looks for new entries; a look is one number, read from shared memory."""
_SELECT = f"SELECT number, {', '.join(database.COLUMNS)} FROM entries"  # noqa: S608


@dataclass(frozen=True)
class Bucket:
    """A stretch of time, for a chart."""

    start: float
    calls: int
    denied: int
    """Accesses and decisions."""
    errors: int
    p50: float | None
    p95: float | None
    """Seconds of its calls."""


class ActivityReader:
    """The reading end. Raises `StoreError` if there is a record that cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def find(self, wanted: Filter) -> list[Entry]:
        """At most `wanted.limit` entries; none if there is no record yet."""
        connection = self._open()
        if connection is None:
            return []
        where, values = _conditions(wanted)
        order = "ASC" if wanted.after is not None else "DESC"
        rows = connection.execute(
            f"{_SELECT} {where} ORDER BY number {order} LIMIT ?", (*values, wanted.limit)
        )
        return list(database.from_rows(rows))

    def last(self) -> int:
        """The number of the newest entry; 0 if there is none."""
        connection = self._open()
        if connection is None:
            return 0
        (number,) = connection.execute("SELECT max(number) FROM entries").fetchone()
        return int(number or 0)

    def get(self, number: int) -> Entry | None:
        connection = self._open()
        if connection is None:
            return None
        rows = connection.execute(f"{_SELECT} WHERE number = ?", (number,))
        return next(iter(database.from_rows(rows)), None)

    def last_call(self, component: str) -> float | None:
        """When a component's tools were called last."""
        connection = self._open()
        if connection is None:
            return None
        row = connection.execute(
            "SELECT at FROM entries WHERE component = ? AND kind = ? ORDER BY at DESC LIMIT 1",
            (component, Kind.CALL),
        ).fetchone()
        return None if row is None else float(row[0])

    def last_calls(self, after: int) -> tuple[int, dict[str, float]]:
        """For each client, by name, when it was last heard of in entries with a larger number; and
        the number of the newest entry."""
        connection, newest = self._open(), self.last()
        if connection is None:
            return 0, {}
        rows = connection.execute(
            "SELECT client, max(at) FROM entries WHERE number > ? AND client != '' GROUP BY client",
            (after,),
        )
        return newest, {str(client): float(at) for client, at in rows}

    async def follow(self, wanted: Filter) -> AsyncIterator[Entry]:
        """What fits `wanted`, from `wanted.after` on (else from now on), as it comes; for ever."""
        after = self.last() if wanted.after is None else wanted.after
        version: object = None
        while True:
            now = self._data_version()
            if now != version:
                version = now
                while found := self.find(replace(wanted, after=after, before=None, limit=500)):
                    for entry in found:
                        after = entry.number or after
                        yield entry
            await asyncio.sleep(FOLLOW_INTERVAL)

    def chart(self, since: float, until: float, buckets: int) -> list[Bucket]:
        """`buckets` equal stretches of time, oldest first."""
        width = (until - since) / buckets
        calls: list[list[float]] = [[] for _ in range(buckets)]
        denied, errors = [0] * buckets, [0] * buckets
        connection = self._open()
        rows: Any = ()
        if connection is not None:
            rows = connection.execute(
                "SELECT at, kind, outcome, seconds FROM entries WHERE at >= ? AND at < ?",
                (since, until),
            )
        for at, kind, outcome, seconds in rows:
            index = min(buckets - 1, int((at - since) / width))
            if kind == Kind.CALL:
                calls[index].append(seconds or 0.0)
                errors[index] += outcome == Outcome.ERROR
            elif outcome == Outcome.DENIED:
                denied[index] += 1
        return [
            Bucket(
                since + index * width,
                len(times),
                denied[index],
                errors[index],
                _quantile(times, 0.5),
                _quantile(times, 0.95),
            )
            for index, times in enumerate(calls)
        ]

    def _open(self) -> sqlite3.Connection | None:
        if self._connection is None:
            try:
                self._connection = database.open_for_reading(self.path)
            except FileNotFoundError:
                return None
        return self._connection

    def _data_version(self) -> object:
        connection = self._open()
        if connection is None:
            return None
        return connection.execute("PRAGMA data_version").fetchone()[0]


def _conditions(wanted: Filter) -> tuple[str, list[object]]:
    conditions: list[str] = []
    values: list[object] = []

    def add(condition: str, *value: object) -> None:
        conditions.append(condition)
        values.extend(value)

    for column in ("kind", "outcome", "component", "tool", "client", "session", "call"):
        value = getattr(wanted, column)
        if value is not None:
            add(f"{column} = ?", str(value))
    if wanted.text is not None:
        add("(instr(lower(what), ?) OR instr(lower(reason), ?))", *[wanted.text.lower()] * 2)
    if wanted.since is not None:
        add("at >= ?", wanted.since)
    if wanted.until is not None:
        add("at < ?", wanted.until)
    if wanted.before is not None:
        add("number < ?", wanted.before)
    if wanted.after is not None:
        add("number > ?", wanted.after)
    return (f"WHERE {' AND '.join(conditions)}" if conditions else ""), values


def _quantile(times: list[float], share: float) -> float | None:
    if not times:
        return None
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
