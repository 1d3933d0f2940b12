"""What a person is asked, as the window shows it, and what they decide there."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from wassette import errors
from wassette.approvals import model
from wassette.approvals.choices import describe, parse_rule, rule_text
from wassette.approvals.database import OPEN, State
from wassette.approvals.text import in_ascii, shown
from wassette.approvals.write import put
from wassette.policy import PolicyDocument

from . import models

if TYPE_CHECKING:
    from wassette.approvals.broker import Approvals
    from wassette.approvals.database import Standing
    from wassette.approvals.model import ApprovalRequest, Rule, Subject
    from wassette.approvals.store import Entry
    from wassette.host import Host

MAX_UNDO = 100
"""Rules written from here that can be taken back; older ones by changing the policy."""
_TEXT = 1000  # characters of a target; what is longer cannot be asked for


@dataclass(frozen=True)
class _Written:
    """A rule that was written to a policy: its text before and after that."""

    component_id: str
    before: str
    after: str


class Asked:
    """One for each server."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._written: OrderedDict[str, _Written] = OrderedDict()

    async def _approvals(self) -> Approvals | None:
        """None if nothing was ever asked."""
        await self._host.asking.look()
        return await self._host.asking.approvals() if self._host.asking.opened else None

    async def count(self) -> int:
        """Those that can be decided now."""
        approvals = await self._approvals()
        if approvals is None or not approvals.store.database.exists():
            return 0
        return await asyncio.to_thread(approvals.store.open)

    async def waiting(self) -> set[str]:
        """The calls of this host that wait for a person, as far as they are shown."""
        if not self._host.asking.opened:
            return set()
        return {one.call for one in (await self._host.asking.approvals()).pending()}

    async def pending(self, after: str | None, limit: int) -> models.Approvals:
        """Oldest first."""
        approvals = await self._approvals()
        if approvals is None or not approvals.store.database.exists():
            return models.Approvals(items=[], next=None)
        entries = await approvals.entries()
        start = next((n + 1 for n, one in enumerate(entries) if one.request.id == after), 0)
        page = entries[start : start + limit]
        more = len(entries) > start + limit
        return await self._shown(approvals, page, page[-1].request.id if more else None)

    async def ended(self, after: str | None, limit: int) -> models.Approvals:
        """Newest first."""
        approvals = await self._approvals()
        if approvals is None or not approvals.store.database.exists():
            return models.Approvals(items=[], next=None)
        created, _, request_id = (after or "").partition("-")
        before = (int(created), request_id) if created.isdecimal() and len(created) < 16 else None
        page = await asyncio.to_thread(approvals.store.ended, before, limit + 1)
        last = page[limit - 1].request if len(page) > limit else None
        return await self._shown(
            approvals, page[:limit], f"{last.created}-{last.id}" if last else None
        )

    async def get(self, request_id: str) -> models.Approval:
        approvals = await self._there(request_id)
        entry = await asyncio.to_thread(approvals.store.get, request_id)
        return (await self._shown(approvals, [entry], None)).items[0]

    async def decide(self, request_id: str, asked: models.DecisionRequest) -> models.Decided:
        """Raises `ApprovalNotFound`, `ApprovalOver`, `DecisionRefused`, …"""
        approvals = await self._there(request_id)
        entry = await asyncio.to_thread(approvals.store.get, request_id)
        request = entry.request
        if asked.digest != request.digest:
            raise errors.DecisionRefused("The decision is about something else than what was asked")
        decision = (
            self._allowed(approvals, entry, asked)
            if asked.allow
            else model.denied(request, model.Surface.WEB, approvals.store.now())
        )
        before = await self._policy_text(request)
        entry = await approvals.decide(request.id, decision)
        if decision.allow and decision.scope is model.Scope.ALWAYS and decision.rule is not None:
            await self._note(request, decision.rule, before)
        self._host.changed()
        item = (await self._shown(approvals, [entry], None)).items[0]
        return models.Decided(text=_said(request, decision), approval=item)

    @staticmethod
    def _allowed(
        approvals: Approvals, entry: Entry, asked: models.DecisionRequest
    ) -> model.Decision:
        request = entry.request
        if asked.choice is not None and asked.rule is not None:
            raise errors.DecisionRefused("It is either one of the choices or another rule")
        if asked.choice is not None and asked.choice >= len(request.choices):
            raise errors.DecisionRefused(f"There are {len(request.choices)} choices")
        scope = model.Scope(asked.scope) if asked.scope is not None else entry.scopes[0]
        return model.allowed(
            request,
            model.Surface.WEB,
            approvals.store.now(),
            scope=scope,
            choice=asked.choice,
            rule=parse_rule(request.subject, asked.rule) if asked.rule is not None else None,
        )

    async def deny_all(self, component_id: str) -> int:
        """Deny all that is asked for this component now; how many there were."""
        approvals = await self._approvals()
        if approvals is None or not approvals.store.database.exists():
            return 0
        denied = 0
        for entry in await approvals.entries():
            component = entry.request.component
            if component is None or component.id != component_id:
                continue
            decision = model.denied(entry.request, model.Surface.WEB, approvals.store.now())
            with contextlib.suppress(errors.ApprovalError):
                await approvals.decide(entry.request.id, decision)
                denied += 1
        return denied

    # -- taking back ---------------------------------------------------------------------------

    async def revoke(self, request_id: str) -> models.Revoked:
        """What already ran, has run."""
        approvals = await self._there(request_id)
        written = self._written.get(request_id)
        if written is None:
            gone = await approvals.revoke(request_id)
            text = "Taken back." if gone else "This is not in force (any more)."
            return models.Revoked(revoked=gone, text=text)
        present, version = await asyncio.to_thread(self._host.policies.text, written.component_id)
        if present != written.after:
            del self._written[request_id]
            return models.Revoked(
                revoked=False,
                text="The policy was changed since: take the permission back there.",
            )
        if written.before:
            await self._host.write_policy(written.component_id, written.before, version)
        else:
            await self._host.reset_permissions(written.component_id)
        self._written.pop(request_id, None)
        return models.Revoked(revoked=True, text="Taken back: the rule is out of the policy.")

    async def _policy_text(self, request: ApprovalRequest) -> str:
        if request.component is None:
            return ""
        with contextlib.suppress(errors.PolicyError):
            return (await asyncio.to_thread(self._host.policies.text, request.component.id))[0]
        return ""

    async def _note(self, request: ApprovalRequest, rule: Rule, before: str) -> None:
        """Remember what was written, if it is exactly this rule: only then can it be taken back
        without taking anything else."""
        assert request.component is not None
        component_id = request.component.id
        after = await self._policy_text(request)
        if after == before or after != _with_rule(component_id, before, rule):
            return
        self._written[request.id] = _Written(component_id, before, after)
        while len(self._written) > MAX_UNDO:
            self._written.popitem(last=False)

    # -- showing -------------------------------------------------------------------------------

    async def _there(self, request_id: str) -> Approvals:
        approvals = await self._approvals()
        if approvals is None or not approvals.store.database.exists():
            raise errors.ApprovalNotFound(f"There is no approval request '{request_id}'")
        return approvals

    async def _shown(
        self, approvals: Approvals, entries: list[Entry], following: str | None
    ) -> models.Approvals:
        standing: dict[str, Standing] = {}
        if any(one.state is State.ALLOWED for one in entries):
            found = await asyncio.to_thread(approvals.store.standing)
            standing = {one.id: one for one in found}
        now = approvals.store.now()
        show = partial(_approval, standing=standing, written=self._written, now=now)
        return models.Approvals(items=[show(one) for one in entries], next=following)


def _with_rule(component_id: str, text: str, rule: Rule) -> str:
    """What a policy's text is with one rule more."""
    try:
        document = (
            PolicyDocument.from_text(text, "policy") if text else PolicyDocument.new(component_id)
        )
        put(document, rule)
    except errors.PolicyError:
        return ""
    return document.to_text()


def _approval(
    entry: Entry,
    *,
    standing: dict[str, Standing],
    written: OrderedDict[str, _Written],
    now: int,
) -> models.Approval:
    request, decision = entry.request, entry.decision
    in_force = standing.get(request.id)
    component = request.component
    shown_decision = None
    if decision is not None:
        shown_decision = models.ApprovalDecision(
            allow=decision.allow,
            scope=decision.scope.value if decision.allow else None,
            rule=rule_text(decision.rule) if decision.rule is not None else None,
            by=decision.by.value if decision.by is not None else None,
            at=decision.at / 1000 if decision.at else None,
        )
    return models.Approval(
        id=request.id,
        digest=request.digest,
        state=entry.state.value,
        kind=request.subject.kind,
        question=request.question,
        text=request.text,
        subject=component.id if component is not None else request.client.name,
        target=_target(request.subject, component.id if component else None),
        component_id=component.id if component is not None else None,
        component_digest=component.digest if component is not None else None,
        client=request.client.name,
        client_version=request.client.version,
        transport=request.client.transport,
        session=request.client.session,
        tool=request.tool,
        arguments=request.arguments,
        call=request.call,
        choices=[
            models.ApprovalChoice(
                text=one.text,
                rule=rule_text(one.rule) if one.rule is not None else None,
                warning=one.warning or None,
            )
            for one in request.choices
        ],
        default=request.default,
        scopes=[one.value for one in entry.scopes],
        created=request.created / 1000,
        expires=request.expires / 1000,
        can_decide=entry.state in OPEN and (entry.state is State.ASKED or now < request.expires),
        can_revoke=in_force is not None or request.id in written,
        decision=shown_decision,
        in_force_until=in_force.expires / 1000 if in_force and in_force.expires else None,
        reason=entry.reason,
    )


_KIND_OF_RULE = {
    "storage": "use files by the rule",
    "network": "connect by the rule",
    "environment": "see the variable",
    "memory": "use memory up to",
}


def _target(subject: Subject, component_id: str | None) -> models.ApprovalTarget:
    note = request = None
    match subject:
        case model.NetworkAccess(target, address):
            verb, name = "connect to", f"{target.host}:{target.port}"
            note = target.scheme.upper() + (f", at the address {address}" if address else "")
            request = f"{target.method} {target.path}"
        case model.StorageAccess(path, access, what):
            verb, name = access.value, path
            note = {"file": "a file", "directory": "a directory", "missing": "not there yet"}[what]
        case model.EnvironmentAccess(key):
            verb, name = "see the variable", key
        case model.PermissionAsked(rule):
            verb = _KIND_OF_RULE.get(model.kind_of_rule(rule), "have the permission")
            name, note = rule_text(rule), "for every call, not only this one"
        case model.LoadAsked(reference, digest):
            verb, name = "load", reference
            note = f"sha256 {digest}" if digest else None
        case model.UnloadAsked():
            verb, name = "remove", component_id or ""
        case _:
            verb, name = "take back all permissions of", component_id or ""
    return models.ApprovalTarget(
        verb=verb,
        target=shown(name, _TEXT),
        note=shown(note, _TEXT) if note else None,
        request=shown(request, _TEXT) if request else None,
        as_ascii=in_ascii(name),
    )


_FOR = {
    model.Scope.ONCE: "once",
    model.Scope.SESSION: "while this session lasts",
    model.Scope.HOUR: "for an hour",
    model.Scope.ALWAYS: "always",
}


def _said(request: ApprovalRequest, decision: model.Decision) -> str:
    who = request.component.id if request.component is not None else request.client.name
    if not decision.allow:
        return f"Denied: {who} did not get what it asked for."
    what = f"{describe(decision.rule)}, " if decision.rule is not None else ""
    return f"Allowed {who}: {what}{_FOR[decision.scope]}."
