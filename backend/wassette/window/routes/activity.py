"""The record of what was asked, decided and done."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse

from wassette.window.models import (
    Activity,
    ActivityChart,
    ActivityDetail,
    ActivityKind,
    ActivityOutcome,
)

from .base import Limit

router = APIRouter(prefix="/api/activity", tags=["activity"])

Text = Annotated[str | None, Query(max_length=200)]
Number = Annotated[int | None, Query(ge=0, le=2**53)]
Time = Annotated[float, Query(ge=0, le=1e11)]


@router.get("")
async def list_activity(
    component: Text = None,
    client: Text = None,
    tool: Text = None,
    kind: ActivityKind | None = None,
    outcome: ActivityOutcome | None = None,
    before: Number = None,
    after: Number = None,
    q: Text = None,
    limit: Limit = 100,
) -> Activity:
    """Newest first; with `after` oldest first. `before` and `after` are numbers of entries."""
    raise NotImplementedError


@router.get("/chart")
async def get_activity_chart(
    since: Time, until: Time, buckets: Annotated[int, Query(ge=1, le=500)] = 60
) -> ActivityChart:
    raise NotImplementedError


class Export(StreamingResponse):
    media_type = "application/octet-stream"


@router.get("/export", response_class=Export)
async def export_activity(
    format: Literal["jsonl", "csv"] = "jsonl",  # noqa: A002
    component: Text = None,
    client: Text = None,
    tool: Text = None,
    kind: ActivityKind | None = None,
    outcome: ActivityOutcome | None = None,
    q: Text = None,
) -> Export:
    raise NotImplementedError


@router.get("/{number}")
async def get_activity(number: Annotated[int, Path(ge=1, le=2**53)]) -> ActivityDetail:
    raise NotImplementedError
