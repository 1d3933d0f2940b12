"""Wassette in the clients of this machine, and which of them are connected. All of it for a thread:
it reads files, and asks programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wassette import config, errors
from wassette.clients import Clients, deep_link
from wassette.clients.catalog import announced

from . import models
from .words import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wassette.answers import Client
    from wassette.clients import Plan, State
    from wassette.host import Host
    from wassette.presence import Connected

VERIFY_TIMEOUT = 45.0
MAX_OUTPUT = 20_000


def client_id(client: Client) -> str | None:
    """Which of the known clients says that it has this name."""
    found = announced(client.name)
    return found.id if found is not None else None


def connected(one: Connected) -> models.ConnectedClient:
    client = one.client
    return models.ConnectedClient(
        name=clean(client.name),
        version=clean(client.version),
        transport=client.transport,
        session=client.session,
        since=one.since,
        last_call=one.last_call,
        client_id=client_id(client),
    )


class Registered:
    """One for each server."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def _clients(self) -> Clients:
        """Their entries name the component directory only if they would not find it themselves."""
        ours = self._host.settings.component_dir
        return Clients(component_dir=None if config.load().component_dir == ours else str(ours))

    def all(self, calls: Mapping[str, float]) -> models.Clients:
        """`calls`: when clients called last, by the name that they give themselves."""
        clients = self._clients()
        here = [connected(one) for one in self._host.presence.clients()]
        last: dict[str, float] = {}
        for name, at in [*calls.items(), *self._host.presence.last_connections.items()]:
            known = announced(name)
            if known is not None:
                last[known.id] = max(at, last.get(known.id, 0.0))
        return models.Clients(
            items=[
                self._state(clients, state, here, last.get(state.client.id))
                for state in clients.states()
            ],
            others=[one for one in here if one.client_id is None],
            next=None,
        )

    def _state(
        self,
        clients: Clients,
        state: State,
        here: list[models.ConnectedClient],
        last: float | None,
    ) -> models.ClientState:
        one = state.client
        command = state.command
        sessions = [each.session for each in here if each.client_id == one.id]
        return models.ClientState(
            id=one.id,
            name=one.name,
            installed=state.installed,
            state="unreadable" if state.problem is not None else state.standing.value,
            disabled=state.disabled,
            file=clean(str(state.file)),
            command=None
            if command is None
            else [clean(part) for part in (command.program, *command.arguments)],
            problem=clean(state.problem) if state.problem is not None else None,
            connected=sessions,
            last_connection=last,
            restart=one.restart,
            install_link=deep_link(one.link) if one.link else None,
            can_verify=one.cli is not None and clients.machine.program(one.cli.command) is not None,
            can_undo=_can_undo(clients, one.id),
            source=one.source,
        )

    def plan(self, name: str, request: models.PlanRequest) -> models.ClientPlan:
        """Raises `ClientError`."""
        clients = self._clients()
        plan = _plan(clients, name, request.action, replace=request.replace)
        return models.ClientPlan(
            action=plan.action,
            changes=plan.changes,
            diff=clean(plan.diff),
            files=[clean(str(plan.settings.path))],
            notes=[clean(one) for one in plan.notes],
            token=plan.token,
        )

    def apply(self, name: str, request: models.ApplyRequest) -> models.ClientChanged:
        """Raises `SettingsChanged` if it would be another change than the one that was shown."""
        clients = self._clients()
        match request.action:
            case "add":
                written = clients.add(name, replace=request.replace, token=request.token)
            case "remove":
                written = clients.remove(name, token=request.token)
            case "undo":
                written = clients.undo(name, token=request.token)
        here = [connected(one) for one in self._host.presence.clients()]
        state = self._state(clients, clients.state(name), here, None)
        return models.ClientChanged(notes=[clean(one) for one in written.notes], client=state)

    def verify(self, name: str) -> models.ClientVerified:
        found = self._clients().verify(name, VERIFY_TIMEOUT)
        if found is None:
            return models.ClientVerified(asked=False, listed=None, healthy=None, output="")
        return models.ClientVerified(
            asked=True,
            listed=found.listed,
            healthy=found.healthy,
            output=clean(found.output.strip())[:MAX_OUTPUT],
        )


def _plan(clients: Clients, name: str, action: models.ClientAction, *, replace: bool) -> Plan:
    match action:
        case "add":
            return clients.plan_add(name, replace=replace)
        case "remove":
            return clients.plan_remove(name)
        case "undo":
            return clients.plan_undo(name)


def _can_undo(clients: Clients, name: str) -> bool:
    try:
        return clients.plan_undo(name).changes
    except errors.ClientError:
        return False
