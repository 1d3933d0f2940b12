"""`wassette component outdated` and `update`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from wassette.errors import NotTaken, SourceChanged, WassetteError

from .approval_text import wrapped
from .base import Command, examples
from .output import has_terminal, note, show, table
from .run import run

if TYPE_CHECKING:
    from wassette.answers import Arrival
    from wassette.components.record import ComponentRecord
    from wassette.host import Host
    from wassette.registry.updates import Standing

_AT_ONCE = 8
Found = list[tuple["ComponentRecord", "Standing"]]


@click.command(
    cls=Command,
    epilog=examples("wassette component outdated", "wassette component outdated -o table"),
)
@click.argument("component_ids", nargs=-1, metavar="[ID]...")
def outdated(component_ids: tuple[str, ...]) -> None:
    """Say which components would be others if they were loaded again, and which have newer tags."""

    async def work(host: Host) -> Found:
        return await _standings(host, component_ids)

    found = run(work)
    show(
        {
            "components": [_entry(record, standing) for record, standing in found],
            "outdated": sum(standing.state == "outdated" for _, standing in found),
        },
        table=lambda: table(
            ("ID", "State", "Source", "Note"),
            [
                (record.id, standing.state.value, record.source, _note(record, standing))
                for record, standing in found
            ],
        ),
    )


@click.command(
    cls=Command,
    epilog=examples("wassette component update", "wassette component update my-tool --yes"),
)
@click.argument("component_ids", nargs=-1, metavar="[ID]...")
@click.option("-y", "--yes", is_flag=True, help="Take what is different without asking.")
@click.option(
    "--keep-permissions",
    is_flag=True,
    help="Let other bytes have the permissions that are there, for scripts.",
)
def update(component_ids: tuple[str, ...], yes: bool, keep_permissions: bool) -> None:
    """Load again what is outdated: the components that you name, or all that are.

    You see what is different about each before it takes its place. Where there is no terminal to
    show it on, a component's permissions wait until you have seen it.
    """

    async def work(host: Host) -> list[dict[str, Any]]:
        results = []
        for record, standing in await _standings(host, component_ids):
            if standing.state != "outdated":
                if component_ids or standing.reason:
                    results.append(_entry(record, standing))
                continue
            results.append(await _update(host, record, yes, keep_permissions))
        return results

    results = run(work)
    failed = [one for one in results if one["state"] in ("failed", "unknown")]
    updated = sum(one["state"] == "updated" for one in results)
    show({"components": results, "updated": updated})
    if failed:
        click.get_current_context().exit(1)


async def _update(host: Host, record: ComponentRecord, yes: bool, keep: bool) -> dict[str, Any]:
    from .progress import ProgressLine

    async def review(arrival: Arrival) -> bool:
        await shown.end()
        note(f"{record.id}: sha256 {record.digest[:12]}… → {arrival.record.digest[:12]}…")
        for text in _differences(arrival):
            note(wrapped(f"  {text}"))
        for remark in arrival.remarks:
            note(wrapped(f"  {remark}"))
        if arrival.another_signer and (yes or not has_terminal()):
            # Other bytes are what was asked for; somebody else's are not.
            raise SourceChanged(record.source, arrival.record.digest, arrival.source_changes)
        if has_terminal() and not yes and not await asyncio.to_thread(_agreed, record.id):
            raise NotTaken("you did not want it")
        return keep or has_terminal()

    entry: dict[str, Any] = {"id": record.id, "source": record.source}
    shown = ProgressLine()
    try:
        async with shown:
            loaded = await host.load(record.source, shown, review=review)
    except NotTaken as error:
        return {**entry, "state": "declined", "reason": str(error)}
    except WassetteError as error:
        return {**entry, "state": "failed", "reason": str(error)}
    view = host.policy(record.id)
    if view.error is not None:
        note(f"Note: '{record.id}' has no permissions now: {view.error}")
    return {
        **entry,
        "state": "updated",
        "digest": f"sha256:{loaded.record.digest}",
        "before": f"sha256:{record.digest}",
    }


def _differences(arrival: Arrival) -> list[str]:
    from wassette.approvals.seen import View, changes

    if arrival.before is None:
        return []
    found = [one.text for one in changes(View.of(arrival.before), View.of(arrival.record))]
    return found or ["its code is other code; its tools and imports are the same"]


def _agreed(component_id: str) -> bool:
    return click.confirm(f"Update {component_id}?", err=True)


async def _standings(host: Host, component_ids: tuple[str, ...]) -> Found:
    from wassette.registry.updates import standing

    if component_ids:
        records = [await host.component(one) for one in component_ids]
    else:
        states = await host.examined()
        records = [state.record for state in states if state.record is not None]
    if not records:
        return []
    registries = await host.fetching.registries()
    slots = asyncio.Semaphore(_AT_ONCE)

    async def look(record: ComponentRecord) -> tuple[ComponentRecord, Standing]:
        async with slots:
            return record, await standing(registries, record.source, record.digest)

    return list(await asyncio.gather(*map(look, records)))


def _entry(record: ComponentRecord, standing: Standing) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": record.id,
        "source": record.source,
        "state": standing.state.value,
        "digest": f"sha256:{record.digest}",
    }
    if standing.state == "outdated":
        entry["available"] = f"sha256:{standing.digest}"
    if standing.newer:
        entry["newer_tags"] = list(standing.newer)
    if standing.reason is not None:
        entry["reason"] = standing.reason
    return entry


def _note(record: ComponentRecord, standing: Standing) -> str:
    if standing.reason is not None:
        return standing.reason
    words = []
    if standing.state == "outdated":
        words.append(f"sha256 {record.digest[:12]}… → {(standing.digest or '')[:12]}…")
    if standing.newer:
        words.append(f"newer: {', '.join(standing.newer[:5])}")
    return "; ".join(words)
