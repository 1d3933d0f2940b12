"""What components may use now: what their policies come to, and why.

Nothing here changes a policy: see `granting`.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from wassette.answers import PolicyView
from wassette.errors import PolicyError, visible
from wassette.policy import (
    Access,
    EnvironmentRule,
    Policy,
    PolicyDocument,
    PolicyState,
    PolicyStatus,
    Storage,
    resolve,
    resolve_storage,
    unchanged,
)
from wassette.policy.verdict import Kind, Situation, Verdict, explain

from .secrets import variables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wassette.approvals.overlay import Extra
    from wassette.asking import Asking
    from wassette.components.record import ComponentRecord
    from wassette.policy import Grants, PolicyStore
    from wassette.secrets import ComponentSecrets
    from wassette.session import Session

    from .inventory import Inventory
    from .protected import Protected
    from .running import Running
    from .secrets import Secrets

log = logging.getLogger(__name__)

GRANTS_KEPT = 1.0
"""Seconds for which what a policy comes to is kept, unless the policy changes: looking where its
paths lead takes a millisecond. A granted directory that is made meanwhile waits so long."""


@dataclass(frozen=True)
class _Resolved:
    """What a policy came to a moment ago."""

    state: PolicyState
    bound: Mapping[str, Path]
    secrets: ComponentSecrets
    until: float
    grants: Grants

    def fits(
        self, state: PolicyState, bound: Mapping[str, Path], secrets: ComponentSecrets
    ) -> bool:
        # The store gives the very same state for as long as the file is the same.
        same = self.state is state and self.bound == bound and self.secrets == secrets
        # An editor that saves a file puts another one in its place.
        return same and time.monotonic() < self.until and unchanged(self.grants.openings)


class Permissions:
    """Of all components of one host."""

    def __init__(
        self,
        policies: PolicyStore,
        roots: Path,
        *,
        session: Session,
        inventory: Inventory,
        protected: Protected,
        secrets: Secrets,
        asking: Asking,
    ) -> None:
        """`roots`: where components have their private directories. `session`: of whoever has none
        of its own."""
        self._policies, self.roots, self._session = policies, roots, session
        self._inventory, self._protected = inventory, protected
        self._secrets, self._asking = secrets, asking
        # For each session by itself: no call is given the variables of another session's.
        self._resolved: WeakKeyDictionary[Session, dict[str, _Resolved]] = WeakKeyDictionary()

    def forget(self) -> None:
        """What policies came to a moment ago."""
        self._resolved.clear()

    # -- the policy as it counts now ---------------------------------------------------------------

    def state(self, component_id: str, record: ComponentRecord | None = None) -> PolicyState:
        """A component's policy. Until a person has seen what is different about its bytes, it
        counts as one that cannot be read."""
        state = self._policies.read(component_id)
        if state.status is PolicyStatus.ABSENT:
            return state
        record = record or self._inventory.record(component_id)
        if record is None or not record.unseen:
            return state
        return PolicyState(
            PolicyStatus.BROKEN,
            error=PolicyError(
                f"'{component_id}' has changed since a person last saw it, and its permissions "
                f"wait until one has: wassette component load {visible(record.source, 500)}"
            ),
        )

    def allowed(self, component_id: str, running: Running | None) -> PolicyState:
        """A component's policy, with what a person has allowed for a while, which its deny rules
        beat."""
        state = self.state(component_id, running.record if running is not None else None)
        if running is None or state.error is not None:
            return state
        call = running.call
        extra = self._asking.allowed(running.bytes, call.about.get("session", ""), call.id)
        return state if extra is None else _with(state, extra)

    def bound(self, component_id: str) -> tuple[dict[str, Path], tuple[str, ...]]:
        """The named roots that are directories of a person's, and what there is to say of them."""
        try:
            return self._policies.roots(component_id), ()
        except PolicyError as error:
            return {}, (f"no named root is bound: {error}",)

    # -- what it comes to --------------------------------------------------------------------------

    def grants(self, component_id: str) -> Grants:
        """What a component may use now, without secrets that have not been read yet."""
        state = self.state(component_id)
        return self._grants(component_id, state, self._secrets.at_once(component_id, state.policy))

    async def read_secrets(self, component_id: str) -> None:
        """Have those at hand that the policy is about, for `grants`, `view` and `explain`."""
        self._inventory.check(component_id)
        await self._secrets.for_policy(component_id, self._policies.read(component_id).policy)

    async def current_grants(
        self, component_id: str, session: Session | None = None, running: Running | None = None
    ) -> Grants:
        """What a component may use now in a call of `session`, with its secrets, as `read_secrets`
        gets them; and what a person has allowed this call besides."""
        while True:
            policy = self.allowed(component_id, running).policy
            secrets = await self._secrets.for_policy(component_id, policy)
            # Reading takes as long as a person does. Meanwhile the policy may be another one.
            state = self.allowed(component_id, running)
            if variables(state.policy) <= variables(policy):
                return self._grants(component_id, state, secrets, session)

    def _grants(
        self,
        component_id: str,
        state: PolicyState,
        secrets: ComponentSecrets,
        session: Session | None = None,
    ) -> Grants:
        if state.error is not None:
            log.warning("component %s runs without permissions: %s", component_id, state.error)
        bound, notes = self.bound(component_id)
        session = session or self._session
        resolved = self._resolved.setdefault(session, {})
        known = resolved.get(component_id)
        if known is not None and known.fits(state, bound, secrets):
            return known.grants
        grants = resolve(
            state.policy,
            environment=session.environment,
            private_root=self.roots / component_id,
            protected=self._protected.paths(),
            bound=bound,
            secrets=secrets.values,
            unread=secrets.unread,
            component_id=component_id,
        )
        if notes:
            grants = replace(grants, notes=(*grants.notes, *notes))
        resolved[component_id] = _Resolved(
            state, bound, secrets, time.monotonic() + GRANTS_KEPT, grants
        )
        return grants

    def storage(self, component_id: str, policy: Policy) -> Storage:
        """What a policy's rules for files come to."""
        return resolve_storage(
            policy.storage_allow,
            policy.storage_deny,
            private_root=self.roots / component_id,
            protected=self._protected.paths(),
            bound=self.bound(component_id)[0],
        )

    # -- for people --------------------------------------------------------------------------------

    def view(self, component_id: str) -> PolicyView:
        """Raises `ComponentNotFound`."""
        self._inventory.check(component_id)
        state = self.state(component_id)
        path = self._policies.path(component_id)
        roots, _ = self.bound(component_id)
        if state.status is not PolicyStatus.LOADED:
            error = str(state.error) if state.error else None
            return PolicyView(component_id, state.status, path, error=error, roots=roots)
        document = PolicyDocument.from_text(path.read_text(encoding="utf-8"), str(path))
        notes = self.grants(component_id).notes
        return PolicyView(
            component_id, state.status, path, document.to_plain(), notes=notes, roots=roots
        )

    def explain(
        self, component_id: str, kind: Kind, target: str, *, access: Access, method: str
    ) -> Verdict:
        self._inventory.check(component_id)
        state = self.state(component_id)
        if state.error is not None:
            return Verdict(
                False, f"the policy cannot be read, so nothing is allowed: {state.error}"
            )
        storage = Storage()
        if kind is Kind.STORAGE and state.policy is not None:
            storage = self.storage(component_id, state.policy)
        secrets = self._secrets.at_once(component_id, state.policy)
        situation = Situation(storage, self._session.environment, secrets.values, secrets.unread)
        return explain(state.policy, kind, target, situation, access=access, method=method)


def _with(state: PolicyState, extra: Extra) -> PolicyState:
    policy = state.policy or Policy("1.0")
    known = {rule.key for rule in policy.environment_allow}
    keys = [key for key in extra.environment if key not in known]
    return PolicyState(
        PolicyStatus.LOADED,
        replace(
            policy,
            storage_allow=(*policy.storage_allow, *extra.storage),
            network_allow=(*policy.network_allow, *extra.network),
            environment_allow=(*policy.environment_allow, *map(EnvironmentRule, keys)),
        ),
    )
