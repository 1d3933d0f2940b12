"""`wassette policy learn`."""

from __future__ import annotations

import re
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from wassette.errors import PolicyError, visible

from .approval_text import wrapped
from .base import Command, examples
from .output import note, show, visible_text
from .run import run

if TYPE_CHECKING:
    from wassette.answers import CallResult
    from wassette.host import Host
    from wassette.learning import Learned

_AGE = re.compile(r"([1-9]\d{0,5})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_WHILE_CALLED = 3600.0
"""Seconds, should the process die in the middle of it."""


class _Seconds(click.ParamType[float]):
    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        found = _AGE.fullmatch(value)
        if found is None:
            self.fail(f"'{visible(value, 40)}' is not a time such as 30m, 2h or 7d", param, ctx)
        return float(int(found[1]) * _UNITS[found[2]])


@click.command(
    cls=Command,
    epilog=examples(
        "wassette policy learn my-tool --for 1h",
        "wassette policy learn my-tool",
        "wassette policy learn my-tool --apply",
        'wassette policy learn my-tool -- read-note \'{"name": "today"}\'',
    ),
)
@click.argument("component_id", metavar="ID")
@click.argument("call", nargs=-1, metavar="[-- TOOL [JSON]]")
@click.option(
    "--for",
    "seconds",
    type=_Seconds(),
    metavar="TIME",
    help="Watch what it uses from now on, for so long: 30m, 2h, 7d.",
)
@click.option("--stop", is_flag=True, help="Watch no more.")
@click.option("--apply", "apply_it", is_flag=True, help="Write what is suggested to the policy.")
def learn(
    component_id: str, call: tuple[str, ...], seconds: float | None, stop: bool, apply_it: bool
) -> None:
    """Learn what a component does, and show the smallest policy that is enough for it.

    With --for it is watched, whoever calls it. Without, what it used so far is compared with what
    it may use, and the difference is shown; nothing is changed unless you say --apply. With a
    TOOL, that is called and watched. What is suggested allows nothing that the policy does not.
    """
    if (seconds is not None) + stop + (apply_it or bool(call)) > 1:
        raise click.UsageError("--for, --stop and the rest are different things: say one of them.")
    if len(call) > 2:
        raise click.UsageError("After -- comes the name of a tool, and its arguments as one text.")
    if seconds is not None:
        _begin(component_id, seconds)
    elif stop:
        _end(component_id)
    else:
        _compare(component_id, call, apply_it)


def _begin(component_id: str, seconds: float) -> None:
    async def work(host: Host) -> float:
        return await host.learning.begin(await host.component(component_id), seconds)

    until = run(work)
    show({"status": "learning", "component_id": component_id, "until": int(until)})
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(until))
    note(f"Until {when}, what '{component_id}' uses is kept. To see it: ")
    note(f"  wassette policy learn {component_id}")


def _end(component_id: str) -> None:
    async def work(host: Host) -> None:
        await host.learning.end(await host.component(component_id))

    run(work)
    show({"status": "not learning", "component_id": component_id})


def _compare(component_id: str, call: tuple[str, ...], apply_it: bool) -> None:
    async def work(host: Host) -> tuple[Learned, bool]:
        if call:
            await _called(host, component_id, *call)
        learned = await host.learning.learned(await host.component(component_id))
        return learned, apply_it and await host.learning.apply(learned)

    learned, applied = run(work)
    show(
        {**learned.to_plain(), "applied": applied},
        default=lambda: _text(learned, applied),
        table=lambda: _text(learned, applied),
    )


async def _called(host: Host, component_id: str, name: str, arguments: str = "{}") -> None:
    from .tool import client, dialog, read_arguments

    data = read_arguments(arguments)
    record = await host.component(component_id)
    owner = host.tools().get(name).component_id
    if owner != component_id:
        raise PolicyError(f"{visible(name)} is a tool of '{owner}', not of '{component_id}'")
    alone = record.learn_until <= time.time()
    if alone:
        await host.learning.begin(record, _WHILE_CALLED)
    try:
        _told(await host.call_tool(name, data, client(), dialog=dialog()))
    finally:
        if alone:
            await host.learning.end(record)


def _told(result: CallResult) -> None:
    if result.output:
        note(visible_text(result.output.removesuffix("\n")))
    for refusal in result.refusals:
        note(refusal)
    if result.error is not None:
        note(f"The call failed: {result.error}")
    elif result.is_error:
        note("The tool reported an error.")


def _text(learned: Learned, applied: bool) -> str:
    seen = learned.observed
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(seen.since))
    calls = "1 call" if seen.calls == 1 else f"{seen.calls} calls"
    files = len({use.path for use in seen.files})
    lines = [
        f"'{learned.component_id}', {calls} since {since}: used {files} files and directories, "
        f"{len(seen.requests)} addresses on the network."
    ]
    notes = [f"Note: {one}" for one in learned.notes]
    lines += map(wrapped, notes) if sys.stdout.isatty() else notes
    if not learned.diff:
        return "\n".join([*lines, "It used all that it may use: nothing is suggested."])
    lines += ["", learned.diff.rstrip("\n"), ""]
    if applied:
        lines.append(f"This is its policy now: {learned.path}")
    else:
        lines.append(
            "Nothing was changed. What it did not do meanwhile, it could not do any more. To have "
            f"this be its policy:\n  wassette policy learn {learned.component_id} --apply"
        )
    return "\n".join(lines)
