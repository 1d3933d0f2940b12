"""The activity record, as the window reads it. Everything here is for threads."""

from __future__ import annotations

import csv
import io
import json
import threading
from typing import TYPE_CHECKING

from wassette.activity import ActivityReader
from wassette.activity.entry import Filter

from . import models, problems, views

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wassette.activity import Entry

MAX_RELATED = 500
_BATCH = 1000
_COLUMNS = (
    *("number", "at", "kind", "outcome", "what", "component", "digest", "tool", "client"),
    *("session", "call", "reason", "seconds", "detail"),
)
# What a spreadsheet takes for a formula, which could send the rest of the sheet away.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Record:
    """One for each server. Raises `StoreError` if the record cannot be read."""

    def __init__(self, path: Path) -> None:
        self._reader = ActivityReader(path)
        self._lock = threading.Lock()
        self._newest = 0
        self._clients: dict[str, float] = {}

    def close(self) -> None:
        with self._lock:
            self._reader.close()

    def page(self, wanted: Filter) -> models.Activity:
        with self._lock:
            found = self._reader.find(Filter(**{**wanted.__dict__, "limit": wanted.limit + 1}))
        page = [views.entry(one) for one in found[: wanted.limit]]
        following = str(page[-1].number) if len(found) > wanted.limit else None
        return models.Activity(items=page, next=following)

    def one(self, number: int) -> models.ActivityDetail:
        with self._lock:
            entry = self._reader.get(number)
            if entry is None:
                raise problems.Refusal(404, f"There is no entry {number} (any more)")
            same = Filter(call=entry.call, limit=MAX_RELATED)
            related = self._reader.find(same) if entry.call else []
        return models.ActivityDetail(
            entry=views.entry(entry),
            related=[views.entry(one) for one in reversed(related) if one.number != number],
        )

    def chart(self, since: float, until: float, buckets: int) -> models.ActivityChart:
        if not since < until:
            raise problems.Refusal(422, "`until` has to be later than `since`")
        with self._lock:
            found = self._reader.chart(since, until, buckets)
        items = [
            models.ActivityBucket(
                start=one.start,
                calls=one.calls,
                denied=one.denied,
                errors=one.errors,
                p50=one.p50,
                p95=one.p95,
            )
            for one in found
        ]
        return models.ActivityChart(since=since, until=until, items=items)

    def last_call(self, component_id: str) -> float | None:
        with self._lock:
            return self._reader.last_call(component_id)

    def clients(self) -> dict[str, float]:
        """When clients were last heard of, by the names that they give themselves."""
        with self._lock:
            newest, found = self._reader.last_calls(self._newest)
            if newest < self._newest:  # another record
                newest, found = self._reader.last_calls(0)
                self._clients.clear()
            self._newest = newest
            for name, at in found.items():
                self._clients[name] = max(at, self._clients.get(name, 0.0))
            return dict(self._clients)

    def export(self, wanted: Filter, form: str) -> Iterator[bytes]:
        """All that fits, oldest first, a line for each."""
        if form == "csv":
            yield _csv(_COLUMNS)
        after = 0
        while True:
            with self._lock:
                page = Filter(**{**wanted.__dict__, "after": after, "limit": _BATCH})
                found = self._reader.find(page)
            if not found:
                return
            after = found[-1].number or after
            yield b"".join(_csv(_cells(one)) if form == "csv" else _json(one) for one in found)


def _json(entry: Entry) -> bytes:
    return json.dumps(entry.to_plain(), separators=(",", ":")).encode() + b"\n"


def _cells(entry: Entry) -> list[str]:
    plain = entry.to_plain()
    texts = [
        json.dumps(value, separators=(",", ":")) if isinstance(value, dict) else str(value)
        for value in (plain.get(column, "") for column in _COLUMNS)
    ]
    return [f"'{text}" if text.startswith(_FORMULA) else text for text in texts]


def _csv(cells: list[str] | tuple[str, ...]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode("utf-8", "backslashreplace")
