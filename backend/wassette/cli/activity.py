"""`wassette activity`: what was asked, decided and done."""

from __future__ import annotations

import json
import re
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from wassette.errors import visible

from .base import Command, examples, options
from .output import show, table, write

if TYPE_CHECKING:
    from wassette.activity import Entry, Filter

_KINDS = ("call", "access", "decision", "change")
_OUTCOMES = ("ok", "error", "allowed", "denied", "cancelled")
_AGE = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class _Moment(click.ParamType[float]):
    """`90s`, `15m`, `2h`, `7d` ago, or a date and time; as Unix seconds."""

    name = "when"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        age = _AGE.fullmatch(value)
        if age:
            return time.time() - int(age[1]) * _UNITS[age[2]]
        try:
            return datetime.fromisoformat(value).astimezone().timestamp()
        except (ValueError, OverflowError):
            self.fail(
                f"'{visible(value, 40)}' is neither an age such as 15m, 2h or 7d nor a time "
                "such as 2026-05-01 or 2026-05-01T12:30",
                param,
                ctx,
            )


@click.command(
    cls=Command,
    epilog=examples(
        "wassette activity --outcome denied --since 1d",
        "wassette activity --component my-tool --follow",
        "wassette activity --since 7d --limit 0 --jsonl >activity.jsonl",
    ),
)
@click.option("--component", metavar="ID", help="Of this component only.")
@click.option("--tool", metavar="NAME", help="Of this tool only.")
@click.option("--client", metavar="NAME", help="Of this client only.")
@click.option("--session", metavar="ID", help="Of this session only.")
@click.option("--call", metavar="ID", help="Of this call only: what it asked for, and its end.")
@click.option("--kind", type=click.Choice(_KINDS), help="Of this kind only.")
@click.option("--outcome", type=click.Choice(_OUTCOMES), help="That ended like this only.")
@click.option("--text", metavar="TEXT", help="With this in what was asked for, or in the reason.")
@click.option("--since", type=_Moment(), help="Not older: an age such as 15m, 2h, 7d, or a time.")
@click.option("--until", type=_Moment(), help="Older than this.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="At most so many; 0 for all.",
)
@click.option("--follow", is_flag=True, help="Go on with what happens from now on.")
@click.option("--jsonl", is_flag=True, help="A line of JSON for each entry, oldest first.")
def activity(
    limit: int,
    follow: bool,
    jsonl: bool,
    **wanted: Any,
) -> None:
    """Show what was called, asked for, refused and decided, the newest first.

    Secrets are not in it. Nothing is sent anywhere: the record is a file of yours.
    """
    from wassette.activity import ActivityReader, Filter
    from wassette.paths import paths

    given = {key: value for key, value in wanted.items() if value is not None}
    filter_ = Filter(**given, limit=limit or sys.maxsize)
    reader = ActivityReader(paths().activity)
    try:
        if follow:
            _follow(reader, filter_, jsonl or options().output == "json")
            return
        found = reader.find(filter_)
    finally:
        reader.close()
    if jsonl:
        for entry in reversed(found):
            write(_line(entry))
        return
    show(
        {"activity": [entry.to_plain() for entry in found], "count": len(found)},
        table=lambda: _table(found),
        default=lambda: _table(found) if found else "Nothing was recorded that fits.",
    )


def _follow(reader: Any, filter_: Filter, as_json: bool) -> None:
    import asyncio

    async def go() -> None:
        async for entry in reader.follow(filter_):
            write(_line(entry) if as_json else "  ".join(_cells(entry)))

    asyncio.run(go())


def _line(entry: Entry) -> str:
    # ASCII: whatever is in it, a line is a line, and a terminal shows it as it is.
    return json.dumps(entry.to_plain(), separators=(",", ":"))


def _table(entries: list[Entry]) -> str:
    header = ("When", "Kind", "Outcome", "Component", "Client", "Took", "What")
    return table(header, [_cells(entry) for entry in entries])


def _cells(entry: Entry) -> tuple[str, ...]:
    when = datetime.fromtimestamp(entry.at).astimezone()
    day = "" if when.date() == datetime.now().astimezone().date() else f"{when:%Y-%m-%d} "
    what = entry.what if not entry.reason else f"{entry.what}: {entry.reason}"
    return (
        f"{day}{when:%H:%M:%S}",
        entry.kind.value,
        entry.outcome.value,
        visible(entry.component),
        visible(entry.client, 40),
        _took(entry.seconds),
        visible(what, 1000),
    )


def _took(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s"
