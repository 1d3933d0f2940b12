"""What is wrong with the entries for Wassette in clients, and what would mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from wassette.errors import ClientError, visible

from . import files
from .catalog import NAME
from .entries import Standing, command_of
from .formats import Named, found
from .launcher import looks_like_wassette
from .registration import Clients, value_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .catalog import Place
    from .registration import Plan, State

Kind = Literal[
    "temporary", "unreadable", "broken", "outdated", "another", "foreign", "disabled", "duplicate"
]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    kind: Kind
    client: str | None
    file: Path | None
    message: str
    entry: str = NAME
    fixable: bool = False
    """Whether `fix` has a plan for it."""


def check(clients: Clients | None = None) -> list[Finding]:
    """The entries in the clients that are installed. Reads only; runs nothing."""
    clients = clients or Clients()
    try:
        clients.own  # noqa: B018
    except ClientError as error:
        return [Finding("temporary", None, None, str(error))]
    findings = []
    for one in clients.all():
        if clients.project or clients.installed(one):
            state = clients.state(one.id)
            findings += [*_of_entry(state), *_duplicates(clients, state)]
    return findings


def fix(clients: Clients, finding: Finding) -> Plan:
    """The change that mends it. Raises `ClientError` if that is not known."""
    assert finding.client is not None
    if finding.kind == "duplicate":
        assert finding.file is not None
        return clients.plan_remove_other(finding.client, finding.file, finding.entry)
    return clients.plan_add(finding.client, replace=finding.kind == "another")


def _of_entry(state: State) -> Iterator[Finding]:
    one = state.client
    if state.problem is not None:
        yield Finding("unreadable", one.id, state.file, state.problem)
        return
    runs = visible(str(state.command), 500)
    texts: dict[Standing, tuple[Kind, str]] = {
        Standing.BROKEN: ("broken", f"runs {runs}, which is not there"),
        Standing.OUTDATED: ("outdated", f"runs {runs}, which does not serve tools"),
        Standing.ANOTHER: ("another", f"runs another Wassette: {runs}"),
        Standing.FOREIGN: ("foreign", f"does not run Wassette but {runs}"),
    }
    if state.standing in texts:
        kind, what = texts[state.standing]
        message = f"{one.name}: the entry '{NAME}' in {files.shown(state.file)} {what}"
        yield Finding(kind, one.id, state.file, message, fixable=kind != "foreign")
    if state.disabled:
        where = files.shown(state.file)
        message = f"{one.name}: the entry '{NAME}' in {where} is switched off"
        yield Finding("disabled", one.id, state.file, message)


def _duplicates(clients: Clients, state: State) -> Iterator[Finding]:
    """Entries beside ours that run Wassette too: every tool would be there twice."""
    if state.standing is Standing.ABSENT:
        return
    place = clients.place(state.client)
    for file in clients.files(place):
        for name in _wassettes(clients, place, file):
            if (file, name) != (state.file, NAME):
                message = (
                    f"{state.client.name}: '{visible(name, 80)}' in {files.shown(file)} runs "
                    "Wassette a second time"
                )
                yield Finding("duplicate", state.client.id, file, message, name, fixable=True)


def _wassettes(clients: Clients, place: Place, file: Path) -> Iterator[str]:
    try:
        value = value_of(clients.read(file), place)
    except ClientError:
        return
    for name, entry in _entries(found(value, place.keys[:-1]), place):
        command = command_of(place.entry, entry)
        if command is not None and looks_like_wassette(command.program, command.arguments):
            yield name


def _entries(servers: Any, place: Place) -> Iterator[tuple[str, Any]]:
    last = place.keys[-1]
    if isinstance(last, Named) and isinstance(servers, list):
        for entry in servers:
            if isinstance(entry, dict) and isinstance(entry.get(last.key), str):
                yield entry[last.key], entry
    elif isinstance(servers, dict):
        yield from servers.items()
