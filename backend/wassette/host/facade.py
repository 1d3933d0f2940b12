"""`Host`: one method for everything that front ends want, and the part that does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from wassette.policy import Access

from .parts import Parts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from wassette.answers import (
        Arrival,
        CallResult,
        Change,
        Client,
        ComponentState,
        Loaded,
        PolicyView,
        Preview,
        Progress,
        Prospect,
        Review,
    )
    from wassette.approvals.model import Component, Fact, Rule
    from wassette.asking import Answer, Caller, Dialog
    from wassette.bundled import Wanted
    from wassette.components.record import ComponentRecord
    from wassette.components.remote import OciReference
    from wassette.config import Settings
    from wassette.policy import Grants, Injection, NetworkRule, PolicyDocument, Verdict
    from wassette.policy.verdict import Kind
    from wassette.registry.push import Pushed
    from wassette.secrets import ComponentSecrets, Kept
    from wassette.session import Session
    from wassette.toolset import Toolset
    from wassette.usage import UnusedGrant


class Host:
    """Use as an async context manager; closing it ends every worker."""

    def __init__(self, settings: Settings) -> None:
        parts = self._parts = Parts(settings)
        self.settings = settings
        self.session = parts.session
        """Of whoever has none of its own: the command line, a host of one client."""
        self.store, self.policies, self.fetching = parts.store, parts.policies, parts.fetching
        self.presence, self.asking, self.learning = parts.presence, parts.asking, parts.learning

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End every worker and everything in the background. Can be done more than once."""
        await self._parts.close()

    # -- components ----------------------------------------------------------------------------

    async def load(
        self,
        reference: str,
        progress: Progress | None = None,
        *,
        digest: str | None = None,
        seen: bool = False,
        accept_change: bool = False,
        by_person: bool = True,
        source: str | None = None,
        review: Review | None = None,
    ) -> Loaded:
        """Load a component, or load it again. Raises `ComponentError`; the store is then as before.

        `digest`: the sha256 that its bytes must have (hex); `DigestMismatch` before anything of
        them is read as a component. `seen`: a person knows what is different from the component
        that is there; otherwise the permissions of that one wait until they do (`mark_seen`).
        `accept_change`: a person knows that this source gives something else than it did before,
        or of another signer; otherwise that is `SourceChanged`. `by_person`: not an agent, which
        names no server on a private network. `source`: what is recorded of where it is from, if
        not the reference. `review`: looks at what came before it takes its place, and says whether
        a person has seen it; whatever it raises, nothing has changed; if it returns, it has
        accepted what is otherwise at the source, too. Cancelling is safe at any point.
        """
        return await self._parts.loading.load(
            reference,
            progress or _nobody,
            digest=digest,
            seen=seen,
            accept_change=accept_change,
            by_person=by_person,
            source=source,
            review=review,
        )

    def arrived(
        self,
        reference: str,
        progress: Progress | None = None,
        *,
        digest: str | None = None,
        by_person: bool = True,
        check: bool = False,
        accept_change: bool = True,
        source: str | None = None,
    ) -> AbstractAsyncContextManager[Arrival]:
        """A component fetched and examined, and not loaded: gone when this is left. As `load`.

        `check`: it is to be loaded, so it has to be one that may be.
        """
        return self._parts.arriving.arrived(
            reference,
            progress or _nobody,
            digest=digest,
            by_person=by_person,
            check=check,
            accept_change=accept_change,
            source=source,
        )

    async def preview(self, reference: str, progress: Progress | None = None) -> Preview:
        """What there is to know of a component before it is loaded: nothing of it is compiled or
        run, and nothing is changed. Raises `ComponentError`."""
        return await self._parts.arriving.preview(reference, progress or _nobody)

    async def push(
        self,
        what: str,
        reference: OciReference,
        policy: bytes | None = None,
        annotations: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Pushed:
        """Push a component, by its id, or a file that is one. Raises `ComponentError`."""
        tell = progress or _nobody
        return await self._parts.arriving.push(what, reference, policy, annotations, tell)

    async def mark_seen(self, component_id: str) -> None:
        """A person has been shown what is different about a component: its permissions count."""
        await self._parts.loading.mark_seen(component_id)

    async def unload(self, component_id: str) -> None:
        """Remove a component with its policy. Raises `ComponentNotFound`, and `NeedsPerson` if a
        client wants that of one that is disabled."""
        await self._parts.loading.unload(component_id)

    def components(self) -> list[ComponentState]:
        """Every component, by id. Cheap: nothing is compiled, and wasmtime is not loaded."""
        return self._parts.inventory.all()

    async def component(self, component_id: str) -> ComponentRecord:
        """What is known of one component, which is examined if it was put there by hand.

        Raises `ComponentNotFound`, `ComponentChanged`, `InvalidComponent`, `NotSigned`.
        """
        return await self._parts.inventory.get(component_id)

    async def examined(self) -> list[ComponentState]:
        """As `components`; those that were put into the directory by hand are examined first."""
        return await self._parts.inventory.examined()

    def trusted(self, record: ComponentRecord) -> bool:
        """Whether somebody signed it whom the settings name."""
        return self._parts.provenances.trusts(record.signature)

    # -- switching off and on: only for people ---------------------------------------------------

    @property
    def paused(self) -> bool:
        """Whether a person has paused Wassette: no call starts, whoever wants it."""
        return self._parts.switches.paused

    async def pause(self) -> None:
        """Have no call start, in any process, until `resume`; those that run may finish."""
        await self._parts.switches.set_paused(True)

    async def resume(self) -> None:
        await self._parts.switches.set_paused(False)

    async def set_enabled(self, component_id: str, enabled: bool) -> None:
        """Switch a component on or off: its tools are not listed then, and cannot be called. Stays
        so when it is loaded again. Raises `ComponentNotFound`, `StoreError`."""
        await self._parts.switches.set_enabled(component_id, enabled)

    # -- tools ---------------------------------------------------------------------------------

    def tools(self) -> Toolset:
        """The tools of all components that can be used now."""
        return self._parts.inventory.tools()

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | bytes,
        client: Client | None = None,
        *,
        session: Session | None = None,
        progress: Progress | None = None,
        printed: Callable[[bytes], None] | None = None,
        dialog: Dialog | None = None,
    ) -> CallResult:
        """Call a component's tool. Raises `ToolNotFound`, `ComponentError`, `HostPaused`; whatever
        goes wrong in the call itself is in the result. `arguments`: an object, or its JSON text as
        bytes.

        `client`: who calls. `printed` is given what the component prints, while it runs.
        `dialog`: where a person can be asked besides; without a `client`, nobody is asked.
        Cancelling ends the call in the component.
        """
        return await self._parts.calling.call_tool(
            name,
            arguments,
            client,
            session=session,
            progress=progress,
            printed=printed,
            dialog=dialog,
        )

    def serves_on(self, port: int) -> None:
        """Wassette itself listens on this port of this machine: no component gets there."""
        self._parts.way_out.shut(port)

    # -- what components may use now -----------------------------------------------------------

    def policy(self, component_id: str) -> PolicyView:
        """A component's policy. Raises `ComponentNotFound`."""
        return self._parts.permissions.view(component_id)

    def grants(self, component_id: str) -> Grants:
        """What a component may use now, without secrets that have not been read yet.

        A broken policy gives nothing.
        """
        return self._parts.permissions.grants(component_id)

    async def current_grants(self, component_id: str, session: Session | None = None) -> Grants:
        """What a component may use now in a call of `session`, with its secrets, as `read_secrets`
        gets them."""
        return await self._parts.permissions.current_grants(component_id, session)

    async def read_secrets(self, component_id: str) -> None:
        """Have the secrets at hand that the component's policy is about, for `grants`, `policy` and
        `explain`. A person may have to unlock the keyring. Raises `ComponentNotFound`."""
        await self._parts.permissions.read_secrets(component_id)

    def explain(
        self,
        component_id: str,
        kind: Kind,
        target: str,
        *,
        access: Access = Access.READ,
        method: str = "GET",
    ) -> Verdict:
        """What would be decided for a component now, and why; see `policy.verdict.explain`.

        Raises `ComponentNotFound`, and `PolicyError` for a target that is not one of its kind.
        """
        return self._parts.permissions.explain(
            component_id, kind, target, access=access, method=method
        )

    async def unused_grants(self, component_id: str) -> list[UnusedGrant]:
        """What a component may do, and was not seen to do for a month. Raises
        `ComponentNotFound`."""
        return await self._parts.using.unused(component_id)

    def protect(self, path: Path) -> None:
        """Give no component access to this file, whatever is granted: it is what grants are read
        from."""
        self._parts.protected.add(path)
        self._parts.permissions.forget()

    # -- giving and taking permissions ---------------------------------------------------------

    # All of these raise `ComponentNotFound`, and `PolicyError` for what is not a permission. Those
    # that take one back return whether there was any.

    async def grant_storage(self, component_id: str, uri: str, access: list[str]) -> None:
        """Raises `NotEnforceable` for what would have to be widened."""
        await self._parts.granting.grant_storage(component_id, uri, access)

    async def revoke_storage(self, component_id: str, uri: str) -> bool:
        """Take all access to a URI back."""
        return await self._parts.granting.revoke_storage(component_id, uri)

    async def grant_network(self, component_id: str, host: str) -> None:
        await self._parts.granting.grant_network(component_id, host)

    async def grant_network_rule(self, component_id: str, rule: NetworkRule) -> None:
        """As `grant_network`; also for some methods, or a range of addresses."""
        await self._parts.granting.grant_network_rule(component_id, rule)

    async def revoke_network(self, component_id: str, host: str) -> bool:
        return await self._parts.granting.revoke_network(component_id, host)

    async def grant_environment(self, component_id: str, key: str) -> None:
        await self._parts.granting.grant_environment(component_id, key)

    async def bind_environment(self, component_id: str, injection: Injection) -> None:
        """Let a component send a variable's value to some hosts without seeing it."""
        await self._parts.granting.bind_environment(component_id, injection)

    async def revoke_environment(self, component_id: str, key: str) -> bool:
        return await self._parts.granting.revoke_environment(component_id, key)

    async def grant_memory(self, component_id: str, limit: str) -> None:
        """`limit`: `512Mi`, `1Gi`, plain bytes."""
        await self._parts.granting.grant_memory(component_id, limit)

    async def bind_root(self, component_id: str, name: str, directory: Path) -> Path:
        """Have a named root be a directory, in place of the component's private one.

        Returns its canonical path. Only for people: it gives what the rules for `fs://name/…` are
        about.
        """
        return await self._parts.granting.bind_root(component_id, name, directory)

    async def unbind_root(self, component_id: str, name: str) -> bool:
        """Have a named root be the component's private directory again; whether it was not."""
        return await self._parts.granting.unbind_root(component_id, name)

    async def reset_permissions(self, component_id: str) -> None:
        """Take every permission back."""
        await self._parts.granting.reset(component_id)

    def check_attachable(self, component_id: str, document: PolicyDocument) -> None:
        """Whether `attach_policy` would work, once there is such a component. Raises as it does."""
        self._parts.granting.check_attachable(component_id, document)

    async def attach_policy(self, component_id: str, document: PolicyDocument, source: str) -> bool:
        """Have a whole policy, from `source`, be a component's. Returns whether it was another.

        Only for what a person wrote. Raises `PolicyConflict` if the policy that is there is a
        person's own, `NotEnforceable` for what would have to be widened.
        """
        return await self._parts.granting.attach(component_id, document, source)

    async def write_policy(self, component_id: str, text: str, version: str) -> bool:
        """Have `text` be a component's policy, in place of the one that `version` names
        (`policies.text`). Returns whether it is another one.

        Only for what a person wrote. Raises `PolicyChanged`.
        """
        return await self._parts.granting.write(component_id, text, version)

    def wanted(self, component_id: str) -> Wanted | None:
        """The permissions that a component came with and does not have; None if there are none."""
        return self._parts.granting.wanted(component_id)

    async def ask_for_wanted(self, component_id: str, caller: Caller) -> Answer:
        """Ask a person for those. What is allowed is in the policy then, whoever decided it."""
        return await self._parts.granting.ask_for_wanted(component_id, caller)

    async def grant_wanted(self, component_id: str, digest: str) -> tuple[str, ...]:
        """Give a component what it came with, all of it. Only for people, who say that they trust
        it. Returns what was given, a line each.

        Raises `ComponentChanged` if its bytes are not those with this digest, `NotEnforceable`.
        """
        return await self._parts.granting.grant_wanted(component_id, digest)

    # -- secrets: only for people --------------------------------------------------------------

    async def secrets(self, component_id: str) -> ComponentSecrets:
        """A component's secrets, whether it is loaded or not. Raises `SecretError`."""
        return await self._parts.secrets.all_of(component_id)

    def has_secret(self, component_id: str, key: str) -> bool:
        """Whether the component has a secret of this name; also if that cannot be known."""
        return self._parts.secrets.has(component_id, key)

    async def set_secrets(self, component_id: str, values: Mapping[str, str]) -> Kept:
        """Keep secrets for a component, which need not be loaded yet. Raises `SecretError`."""
        return await self._parts.secrets.set(component_id, values)

    async def delete_secrets(self, component_id: str, keys: Collection[str]) -> list[str]:
        """Delete secrets; which of them there were. Raises `SecretError`."""
        return await self._parts.secrets.delete(component_id, keys)

    # -- what agents ask for, and `asking` a person allows: see mcp/builtin.py --------------------

    async def digest_of(self, reference: str) -> str:
        """The sha256 of a component's bytes. Raises `ComponentError`."""
        return await self._parts.arriving.digest_of(reference)

    async def prospect(self, reference: str, digest: str) -> Prospect:
        """What a person should know before these bytes are loaded, or take the place of those
        that are. They are examined for that only if the ones that are there have permissions;
        otherwise nothing of them is compiled or run.

        Raises `ComponentError`, `NotSigned` if they may not be loaded at all.
        """
        return await self._parts.arriving.prospect(reference, digest)

    def facts_unfetched(self) -> list[Fact]:
        """What a person should know before something is fetched."""
        return self._parts.provenances.facts_unfetched()

    def loaded(self, component_id: str) -> Component | None:
        """What is loaded under this id, as approvals name it."""
        return self._parts.inventory.loaded(component_id)

    def has_rule(self, component_id: str, rule: Rule) -> bool:
        """Whether the policy has this very rule already."""
        return self._parts.granting.has_rule(component_id, rule)

    # -- clients, and those who watch ----------------------------------------------------------

    def clients(self) -> list[Client]:
        """Those who are connected now, in the order that they came in."""
        return [one.client for one in self.presence.clients()]

    def connect(self, client: Client) -> None:
        """A client is there, or says that its name is another one now."""
        self.presence.connect(client)

    def disconnect(self, client: Client, *, passing: bool = False) -> None:
        """`passing`: it was there for one request only, and may come back for what it asked."""
        self.presence.disconnect(client)
        if self.asking.opened and not (passing and self.asking.waits(client.session)):
            self._parts.background.run(self.asking.end_session(client.session), "end session")

    def watching(self, changed: Callable[[Change], None]) -> AbstractAsyncContextManager[None]:
        """For a host that stays: call `changed` whenever something is otherwise than before,
        whoever changed it, and prepare what will be needed."""
        return self._parts.watching.watching(changed)

    def changed(self) -> None:
        """Something was changed by an approval: have those who watch told at once."""
        self._parts.changes.tell()


def _nobody(_stage: str, _done: float | None) -> None:
    """Is told how far it is."""
