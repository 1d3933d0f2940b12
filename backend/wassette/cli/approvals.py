"""`wassette approvals`: what waits for a person, and deciding it.

Any process of the user may decide; the host that asked sees it at once. What an id stands for
cannot change (it is the beginning of a digest over all that is shown): to name it is to name the
text.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from wassette.errors import ApprovalError, ComponentError

from .approval_text import shown_request, wrapped
from .base import Group, examples, options
from .output import note, show, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from wassette.approvals.database import Standing
    from wassette.approvals.model import ApprovalRequest, Decision, Rule, Scope
    from wassette.approvals.store import Entry, Store
    from wassette.config import Settings

_NOTHING = "Nothing waits for you."


@click.group(cls=Group)
def approvals() -> None:
    """See what agents and components ask for, and decide it."""


_id = click.argument("request_id", metavar="ID")


@approvals.command(
    "list",
    epilog=examples("wassette approvals list", "wassette approvals list --all -o table"),
)
@click.option("--all", "ended", is_flag=True, help="Also what has been decided, or is over.")
def list_(ended: bool) -> None:
    """List what waits for your decision."""
    store = _store(_settings())
    entries: list[Entry] = []
    standing: dict[str, Standing] = {}
    if store.database.exists():
        store.reap()
        entries = store.entries(ended=ended)
        standing = {one.id: one for one in store.standing()}
        store.close()
    shown = [_summary(entry, standing.get(entry.request.id)) for entry in entries]

    def as_table() -> str:
        from wassette.approvals.model import SHORT_ID

        if not entries:
            return _NOTHING
        rows = [(one["id"][:SHORT_ID], one["shown_state"], one["question"]) for one in shown]
        return table(("ID", "State", "Question"), rows)

    show({"approvals": shown, "total": len(shown)}, table=as_table)


@approvals.command("show", epilog=examples("wassette approvals show 3f9a12c4d0b7"))
@_id
def show_(request_id: str) -> None:
    """Show one request: the whole text, and what can be chosen."""
    store = _store(_settings())
    entry = _find(store, request_id)
    standing = {one.id: one for one in store.standing()}.get(entry.request.id)
    store.close()
    found = _summary(entry, standing)
    request = entry.request
    found |= {
        "digest": request.digest,
        "text": request.text,
        "choices": [
            {"rule": _rule(one.rule), "text": one.text, "warning": one.warning}
            for one in request.choices
        ],
        "default": request.default + 1,
    }
    ending = f"\n\n{request.id}: {found['shown_state']}"
    show(found, default=lambda: shown_request(request) + ending)


@approvals.command(
    epilog=examples(
        "wassette approvals allow 3f9a12c4d0b7",
        "wassette approvals allow 3f9a12c4d0b7 --always --rule 'fs:///home/me/notes/*'",
        "wassette approvals allow 3f9a12c4d0b7 --hour --rule 2 --yes",
    )
)
@_id
@click.option("--once", "scope", flag_value="once", help="For the call that was shown.")
@click.option("--session", "scope", flag_value="session", help="For the client's session.")
@click.option("--hour", "scope", flag_value="hour", help="For an hour.")
@click.option("--always", "scope", flag_value="always", help="Write the rule to the policy.")
@click.option(
    "--rule",
    metavar="RULE",
    help="What to allow instead: the number of a choice, or a rule as in a policy.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not show it and ask again.")
def allow(request_id: str, scope: str | None, rule: str | None, yes: bool) -> None:
    """Allow what is asked for, or what you choose in its place.

    Shows what you are about to allow, and asks. With --yes it does not: ID then has to have at
    least the 12 digits that the list shows.
    """
    from wassette.approvals import model

    settings = _settings()
    store = _store(settings)
    entry = _find(store, request_id)
    request = entry.request
    decision = model.allowed(
        request,
        model.Surface.CLI,
        store.now(),
        scope=model.Scope(scope) if scope else None,
        rule=_chosen(request, rule),
    )
    _check(entry, decision)
    if not yes:
        _confirm(request, decision)
    elif len(request_id) < model.SHORT_ID:
        raise ApprovalError(
            f"With --yes, write at least {model.SHORT_ID} digits of the id: "
            f"{request.id[: model.SHORT_ID]}, if that is the one that you were shown"
        )
    current, write_rule = _policies(settings)
    store.decide(request.id, decision, current=current, write=write_rule)
    store.close()
    show(
        {
            "status": "allowed",
            "id": request.id,
            "scope": decision.scope.value,
            "rule": _rule(decision.rule),
            "component_id": request.component.id if request.component else None,
        }
    )


@approvals.command(epilog=examples("wassette approvals deny 3f9a12c4d0b7"))
@_id
def deny(request_id: str) -> None:
    """Deny what is asked for."""
    from wassette.approvals import model

    store = _store(_settings())
    request = _find(store, request_id).request
    store.decide(request.id, model.denied(request, model.Surface.CLI, store.now()))
    store.close()
    show({"status": "denied", "id": request.id})


@approvals.command(epilog=examples("wassette approvals revoke 3f9a12c4d0b7"))
@_id
def revoke(request_id: str) -> None:
    """Take back what you allowed for an hour or for a session."""
    store = _store(_settings())
    request = _find(store, request_id).request
    gone = store.revoke(request.id)
    store.close()
    if not gone:
        raise ApprovalError(
            f"{request.id} is not in force: only what was allowed for an hour or a session can be "
            "taken back here; for the rest there is: wassette permission revoke"
        )
    show({"status": "revoked", "id": request.id})


# ---- parts ---------------------------------------------------------------------------------------


def _settings() -> Settings:
    from wassette import config

    return config.load(component_dir=options().component_dir)


def _store(settings: Settings) -> Store:
    from wassette.approvals.files import default_directory
    from wassette.approvals.store import Store

    return Store(default_directory(settings.component_dir))


def _find(store: Store, request_id: str) -> Entry:
    from wassette.errors import ApprovalNotFound, visible

    if not store.database.exists():
        raise ApprovalNotFound(f"There is no approval request '{visible(request_id, 40)}'")
    store.reap()
    return store.find(request_id)


def _check(entry: Entry, decision: Decision) -> None:
    """Before anybody is asked about it."""
    from wassette.approvals.store import check

    check(entry, decision)


def _chosen(request: ApprovalRequest, text: str | None) -> Rule | None:
    from wassette.approvals.choices import parse_rule
    from wassette.errors import DecisionRefused

    if text is None:
        return None
    if text.isdecimal() and len(text) < 4:
        if not 1 <= int(text) <= len(request.choices):
            raise DecisionRefused(f"There is no choice {text}: 1 to {len(request.choices)}")
        return request.choices[int(text) - 1].rule
    return parse_rule(request.subject, text)


def _confirm(request: ApprovalRequest, decision: Decision) -> None:

    from wassette.approvals.choices import describe

    from .prompt import forget_typed

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        from wassette.approvals.model import SHORT_ID

        raise ApprovalError(
            "There is no terminal to show it on and ask. Look at it with: wassette approvals show "
            f"{request.id[:SHORT_ID]}; then allow it with --yes"
        )
    note(shown_request(request, choices=False))
    what = describe(decision.rule) if decision.rule else request.choices[0].text
    note(wrapped(f"  Allows: {what}, {scope_text(decision.scope)}"))
    forget_typed(sys.stdin.fileno())
    click.confirm("Allow this?", default=False, abort=True, err=True)


def _policies(
    settings: Settings,
) -> tuple[Callable[[str], str | None], Callable[[ApprovalRequest, Rule], None]]:
    """What a component's digest is now, and writing to its policy."""
    from wassette.approvals.write import write_rule
    from wassette.components.record import ComponentRecord
    from wassette.components.store import ComponentStore
    from wassette.paths import paths
    from wassette.policy import PolicyStore

    components = ComponentStore(settings.component_dir)
    policies = PolicyStore(settings.component_dir)
    protected = (*paths().all, settings.component_dir)

    def current(component_id: str) -> str | None:
        try:
            record = components.get(component_id)
        except ComponentError:
            return None
        return record.digest if isinstance(record, ComponentRecord) else None

    def write_to_policy(request: ApprovalRequest, rule: Rule) -> None:
        write_rule(policies, request, rule, current=current, protected=protected)

    return current, write_to_policy


def _summary(entry: Entry, standing: Standing | None) -> dict[str, Any]:
    request, decision = entry.request, entry.decision
    found: dict[str, Any] = {
        "id": request.id,
        "state": entry.state.value,
        "shown_state": _state(entry, standing),
        "kind": request.subject.kind,
        "question": request.question,
        "component_id": request.component.id if request.component else None,
        "component_digest": request.component.digest if request.component else None,
        "tool": request.tool,
        "client": request.client.name,
        "created": _time(request.created),
        "expires": _time(request.expires),
        "scopes": [scope.value for scope in entry.scopes],
    }
    if decision is not None:
        found["decision"] = {
            "allow": decision.allow,
            "scope": decision.scope.value if decision.allow else None,
            "rule": _rule(decision.rule),
            "by": decision.by.value if decision.by else None,
            "at": _time(decision.at) if decision.at else None,
        }
    if entry.reason:
        found["reason"] = entry.reason
    return found


def _state(entry: Entry, standing: Standing | None) -> str:
    from wassette.approvals.database import State

    match entry.state:
        case State.ASKED:
            return "asked before; a decision is for the next call"
        case State.PENDING:
            return "waits"
        case State.ALLOWED if entry.decision is not None:
            text = f"allowed {scope_text(entry.decision.scope)}"
            if standing is not None and standing.expires:
                return f"{text}, until {_time(standing.expires)}"
            return text
        case state:
            return state.value


def scope_text(scope: Scope) -> str:
    return {
        "once": "once",
        "session": "for this session",
        "hour": "for an hour",
        "always": "always",
    }[scope.value]


def _rule(rule: Rule | None) -> str | None:
    from wassette.approvals.choices import rule_text
    from wassette.approvals.model import kind_of_rule

    return None if rule is None else f"{kind_of_rule(rule)} {rule_text(rule)}"


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds // 1000, UTC).isoformat()
