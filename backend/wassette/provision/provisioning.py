"""Doing what a manifest says: one component after the other, with the state of each for whoever
asks whether we are ready.

For each: what its policy would be is compared with what is there, so that a conflict changes
nothing; the component is loaded, unless the declared bytes are here already; its digest is checked
before its bytes are read as a component; then it gets its policy. Doing it twice changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from wassette.components import sources
from wassette.errors import (
    ComponentError,
    InvalidComponent,
    InvalidReference,
    ProvisioningFailed,
    RegistryError,
    StoreError,
    WassetteError,
)

if TYPE_CHECKING:
    from wassette.host import Host

    from .manifest import Declared, Manifest

log = logging.getLogger(__name__)

_MAY_PASS = (InvalidReference, StoreError)
"""What another try may help against: something that is not there yet, or held by somebody."""


class State(StrEnum):
    PENDING = "pending"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class Provisioned:
    """How far a component is."""

    label: str
    """What the manifest calls it."""
    uri: str
    state: State = State.PENDING
    component_id: str | None = None
    reason: str | None = None
    """Why it failed, or why nothing was tried."""
    notes: tuple[str, ...] = ()
    """What does not stop it, but may not be as meant."""
    attempts: int = 0
    changed: bool = False
    """Whether the component or its policy is another than before."""

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.label,
            "uri": self.uri,
            "state": self.state.value,
            "component_id": self.component_id,
            "reason": self.reason,
            "notes": list(self.notes),
            "attempts": self.attempts,
        }


class Provisioning:
    """A manifest on its way. Made before it is run, so that it can be asked from the beginning."""

    def __init__(self, manifest: Manifest, *, continue_on_failure: bool = False) -> None:
        """`continue_on_failure`: serve what there is, rather than nothing."""
        self.manifest = manifest
        self.continue_on_failure = continue_on_failure
        self._components = [Provisioned(one.label, one.shown_uri) for one in manifest.components]

    @property
    def components(self) -> tuple[Provisioned, ...]:
        """How far each is, in the manifest's order."""
        return tuple(self._components)

    @property
    def state(self) -> State:
        """Of all: failed if one failed that had to work; ready once all is done."""
        states = {one.state for one in self._components}
        if State.FAILED in states and not self.continue_on_failure:
            return State.FAILED
        if states <= {State.READY, State.FAILED}:
            return State.READY
        return State.PENDING if states == {State.PENDING} else State.LOADING

    @property
    def failures(self) -> tuple[Provisioned, ...]:
        return tuple(one for one in self._components if one.state is State.FAILED)

    def to_json(self) -> dict[str, Any]:
        """For a readiness endpoint."""
        return {
            "state": self.state.value,
            "failed": len(self.failures),
            "components": [one.to_json() for one in self._components],
        }

    def summary(self) -> str | None:
        """What failed, for people; None if nothing did."""
        lines = [f"\n  - {one.label}: {one.reason}" for one in self.failures]
        return f"Failed to provision {len(lines)} component(s):{''.join(lines)}" if lines else None

    async def run(self, host: Host) -> None:
        """Do it. Raises `ProvisioningFailed` at the first failure, unless that is to be passed
        over. Can be cancelled at any time; what was done stays, and running it again goes on.
        """
        host.protect(self.manifest.path)
        taken: dict[str, str] = {}
        for number, declared in enumerate(self.manifest.components):
            try:
                await self._provision(host, number, declared, taken)
            except asyncio.CancelledError:
                self._set(number, state=State.PENDING, reason="it was interrupted")
                raise
            except WassetteError as error:
                self._set(number, state=State.FAILED, reason=str(error))
                log.error("component %s was not provisioned: %s", declared.label, error)
                if not self.continue_on_failure:
                    self._left_out(number, declared)
                    raise ProvisioningFailed(self.summary()) from error
            except BaseException as error:
                self._set(
                    number, state=State.FAILED, reason=f"an internal error ({type(error).__name__})"
                )
                raise

    async def _provision(
        self, host: Host, number: int, declared: Declared, taken: dict[str, str]
    ) -> None:
        for attempt in range(1, declared.retry.attempts + 2):
            self._set(number, state=State.LOADING, attempts=attempt)
            try:
                await self._once(host, number, declared, taken)
            except (*_MAY_PASS, RegistryError) as error:
                lasting = isinstance(error, RegistryError) and not error.passing
                if attempt > declared.retry.attempts or lasting:
                    raise
                delay = declared.retry.delay(attempt)
                reason = f"{error} Trying again in {delay:g} s."
                self._set(number, reason=reason)
                log.warning("component %s: %s", declared.label, reason)
                await asyncio.sleep(delay)
            else:
                return

    async def _once(
        self, host: Host, number: int, declared: Declared, taken: dict[str, str]
    ) -> None:
        component_id = declared.id or sources.locate(declared.uri).id
        other = taken.setdefault(component_id, declared.uri)
        if other != declared.uri:
            raise InvalidComponent(
                f"{declared.shown_uri} has the id '{component_id}', as another of this manifest"
            )
        source = self.manifest.path.as_uri()
        document = declared.policy(component_id, str(self.manifest.path))
        # Nothing declared: what a person granted stays, what an earlier manifest granted goes.
        attach = bool(declared.permissions) or host.policies.is_attached(component_id)
        if attach:
            host.check_attachable(component_id, document)
        changed = False
        if not await self._is_here(host, component_id, declared.digest):
            loaded = await host.load(
                declared.uri,
                digest=declared.digest,
                seen=True,
                accept_change=declared.digest is not None,  # it says which bytes are meant
            )
            component_id = loaded.record.id
            changed = not loaded.replaced or loaded.changed_from is not None
        if attach:
            changed |= await host.attach_policy(component_id, document, source)
        self._set(
            number,
            state=State.READY,
            component_id=component_id,
            reason=None,
            notes=_notes(host, component_id, declared),
            changed=changed,
        )

    @staticmethod
    async def _is_here(host: Host, component_id: str, digest: str | None) -> bool:
        """Whether there is nothing to load: the very bytes are here, and have been examined."""
        if digest is None:
            return False
        with contextlib.suppress(ComponentError):
            return (await host.component(component_id)).digest == digest
        return False

    def _left_out(self, number: int, failed: Declared) -> None:
        for later in range(number + 1, len(self._components)):
            self._set(later, reason=f"not tried, since {failed.label} failed")

    def _set(self, number: int, **changes: Any) -> None:
        self._components[number] = replace(self._components[number], **changes)


def _notes(host: Host, component_id: str, declared: Declared) -> tuple[str, ...]:
    missing = [
        f"the variable {variable} is not set" + ("" if key == variable else f" ({key} is empty)")
        for key, variable in declared.variables
        if variable not in host.settings.environment
    ]
    return (*missing, *host.grants(component_id).notes)
