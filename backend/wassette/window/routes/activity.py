"""The record of what was asked, decided and done."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse
from starlette.concurrency import iterate_in_threadpool

from wassette.activity.entry import Filter, Kind, Outcome
from wassette.window.models import (
    Activity,
    ActivityChart,
    ActivityDetail,
    ActivityKind,
    ActivityOutcome,
)

from .base import Limit, TheWindow

router = APIRouter(prefix="/api/activity", tags=["activity"])

Text = Annotated[str | None, Query(max_length=200)]
Number = Annotated[int | None, Query(ge=0, le=2**53)]
Time = Annotated[float, Query(ge=0, le=1e11)]
Moment = Annotated[float | None, Query(ge=0, le=1e11)]


def _filter(kind: ActivityKind | None, outcome: ActivityOutcome | None, **more: Any) -> Filter:
    return Filter(
        kind=Kind(kind) if kind is not None else None,
        outcome=Outcome(outcome) if outcome is not None else None,
        **more,
    )


@router.get("")
async def list_activity(
    window: TheWindow,
    component: Text = None,
    client: Text = None,
    tool: Text = None,
    kind: ActivityKind | None = None,
    outcome: ActivityOutcome | None = None,
    before: Number = None,
    after: Number = None,
    since: Moment = None,
    until: Moment = None,
    q: Text = None,
    limit: Limit = 100,
) -> Activity:
    """Newest first; with `after` oldest first. `before` and `after` are numbers of entries."""
    wanted = _filter(
        kind,
        outcome,
        component=component,
        client=client,
        tool=tool,
        before=before,
        after=after,
        since=since,
        until=until,
        text=q or None,
        limit=limit,
    )
    return await asyncio.to_thread(window.record.page, wanted)


@router.get("/chart")
async def get_activity_chart(
    window: TheWindow,
    since: Time,
    until: Time,
    buckets: Annotated[int, Query(ge=1, le=500)] = 60,
) -> ActivityChart:
    """Calls, denials, errors and durations between two moments, in steps of the same length."""
    return await asyncio.to_thread(window.record.chart, since, until, buckets)


class Export(StreamingResponse):
    media_type = "application/octet-stream"


@router.get("/export", response_class=Export)
async def export_activity(
    window: TheWindow,
    format: Literal["jsonl", "csv"] = "jsonl",  # noqa: A002
    component: Text = None,
    client: Text = None,
    tool: Text = None,
    kind: ActivityKind | None = None,
    outcome: ActivityOutcome | None = None,
    since: Moment = None,
    until: Moment = None,
    q: Text = None,
) -> Export:
    """All that fits, oldest first."""
    wanted = _filter(
        kind,
        outcome,
        component=component,
        client=client,
        tool=tool,
        since=since,
        until=until,
        text=q or None,
    )
    lines = window.record.export(wanted, format)
    named = {"content-disposition": f'attachment; filename="wassette-activity.{format}"'}
    return Export(iterate_in_threadpool(lines), headers=named)


@router.get("/{number}")
async def get_activity(
    window: TheWindow, number: Annotated[int, Path(ge=1, le=2**53)]
) -> ActivityDetail:
    """One entry, and the others of the same call."""
    return await asyncio.to_thread(window.record.one, number)
