"""Giving components permissions and taking them back: what changes policies and named roots.

All of it is done for people, or by what a person has allowed (`surroundings`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wassette.asking import Answer
from wassette.bundled import question, wanted
from wassette.errors import ComponentChanged, PolicyError
from wassette.policy import Access, PolicyDocument, PolicyStatus, check_bindable
from wassette.policy.requested import add

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wassette.approvals.model import Rule
    from wassette.asking import Asking, Caller
    from wassette.bundled import Wanted
    from wassette.components.store import ComponentStore
    from wassette.policy import Injection, NetworkRule, PolicyStore
    from wassette.provenance import Provenances
    from wassette.recording import Recorder

    from .changes import Changes
    from .inventory import Inventory
    from .protected import Protected


class Granting:
    """One for each host."""

    def __init__(
        self,
        store: ComponentStore,
        policies: PolicyStore,
        *,
        provenances: Provenances,
        inventory: Inventory,
        protected: Protected,
        asking: Asking,
        recorder: Recorder,
        changes: Changes,
    ) -> None:
        self._store, self._policies, self._provenances = store, policies, provenances
        self._inventory, self._protected, self._asking = inventory, protected, asking
        self._recorder, self._changes = recorder, changes

    # -- one permission ----------------------------------------------------------------------------

    async def grant_storage(self, component_id: str, uri: str, access: list[str]) -> None:
        kinds = _access(access)

        def grant(document: PolicyDocument) -> bool:
            self._protected.check(uri)
            return document.grant_storage(uri, kinds)

        words = ",".join(sorted(kinds))
        await self._edit(component_id, grant, f"grant storage {words} {uri}")

    async def revoke_storage(self, component_id: str, uri: str) -> bool:
        return await self._edit(
            component_id, lambda document: document.revoke_storage(uri), f"revoke storage {uri}"
        )

    async def grant_network(self, component_id: str, host: str) -> None:
        await self._edit(
            component_id, lambda document: document.grant_network(host), f"grant network {host}"
        )

    async def grant_network_rule(self, component_id: str, rule: NetworkRule) -> None:
        what = " ".join((*rule.methods, rule.host or rule.cidr or ""))
        await self._edit(
            component_id,
            lambda document: document.grant_network_rule(rule),
            f"grant network {what}",
        )

    async def revoke_network(self, component_id: str, host: str) -> bool:
        return await self._edit(
            component_id, lambda document: document.revoke_network(host), f"revoke network {host}"
        )

    async def grant_environment(self, component_id: str, key: str) -> None:
        await self._edit(
            component_id,
            lambda document: document.grant_environment(key),
            f"grant environment {key}",
        )

    async def bind_environment(self, component_id: str, injection: Injection) -> None:
        await self._edit(
            component_id,
            lambda document: document.bind_environment(injection),
            f"grant environment {injection.key} for {injection.shown}",
        )

    async def revoke_environment(self, component_id: str, key: str) -> bool:
        return await self._edit(
            component_id,
            lambda document: document.revoke_environment(key),
            f"revoke environment {key}",
        )

    async def grant_memory(self, component_id: str, limit: str) -> None:
        await self._edit(
            component_id, lambda document: document.set_memory(limit), f"grant memory {limit}"
        )

    async def bind_root(self, component_id: str, name: str, directory: Path) -> Path:
        self._inventory.check(component_id)

        def bind() -> Path:
            path = check_bindable(directory, self._protected.paths())
            self._policies.bind(component_id, name, path)
            return path

        bound = await asyncio.to_thread(bind)
        self._recorder.change(f"bind root {name} to {bound}", component_id)
        self._changes.tell()
        return bound

    async def unbind_root(self, component_id: str, name: str) -> bool:
        self._inventory.check(component_id)
        done = await asyncio.to_thread(self._policies.bind, component_id, name, None)
        if done:
            self._recorder.change(f"unbind root {name}", component_id)
        return done

    # -- a whole policy ----------------------------------------------------------------------------

    def check_attachable(self, component_id: str, document: PolicyDocument) -> None:
        self._protected.check_all(document.policy)
        self._policies.check_attachable(component_id, document.to_text())

    async def attach(self, component_id: str, document: PolicyDocument, source: str) -> bool:
        self._inventory.check(component_id)
        self.check_attachable(component_id, document)
        done = await asyncio.to_thread(
            self._policies.attach, component_id, document.to_text(), source
        )
        if done:
            self._recorder.change("attach policy", component_id, reason=source)
        return done

    async def write(self, component_id: str, text: str, version: str) -> bool:
        self._inventory.check(component_id)

        def write() -> bool:
            document = PolicyDocument.from_text(text, "policy")
            for index, rule in enumerate(document.policy.storage_allow):
                try:
                    self._protected.check(rule.uri)
                except PolicyError as error:
                    line = document.line(f"storage.allow[{index}]")
                    raise PolicyError(f"policy:{line}: {error}") from None
            return self._policies.write(component_id, text, version)

        done = await asyncio.to_thread(write)
        if done:
            self._recorder.change("write the policy", component_id)
        self._changes.tell()
        return done

    async def reset(self, component_id: str) -> None:
        self._inventory.check(component_id)
        await asyncio.to_thread(self._policies.reset, component_id)
        record = self._inventory.record(component_id)
        if record is not None and record.unseen:  # there is nothing that could be inherited
            await asyncio.to_thread(self._store.mark_seen, component_id, record.digest)
        self._recorder.change("take every permission back", component_id)
        self._changes.tell()

    # -- what a component came with ----------------------------------------------------------------

    def wanted(self, component_id: str) -> Wanted | None:
        record = self._inventory.record(component_id)
        state = self._policies.read(component_id)
        if record is None or state.status is PolicyStatus.BROKEN:
            return None
        return wanted(record, state.policy)

    async def ask_for_wanted(self, component_id: str, caller: Caller) -> Answer:
        record = await self._inventory.get(component_id)
        asks = self.wanted(component_id)
        if asks is None:
            return Answer(False, "it asks for nothing that it does not have")
        from wassette.approvals.model import Component

        subject, notes = await asyncio.to_thread(question, asks, self._protected.enforceable)
        if subject is None:
            return Answer(False, "; ".join(notes))
        component = Component(record.id, record.digest)
        facts = await asyncio.to_thread(self._provenances.facts_of, record)
        answer = await self._asking.ask(subject, component, caller, notes, facts)
        self._changes.tell()
        return answer

    async def grant_wanted(self, component_id: str, digest: str) -> tuple[str, ...]:
        asks = self.wanted(component_id)
        if asks is None:
            return ()
        self._protected.check_all(asks.policy)

        def grant(document: PolicyDocument) -> bool:
            if self._inventory.digest(component_id) != digest:
                raise ComponentChanged(f"'{component_id}' has changed meanwhile: load it again")
            return add(document, asks.policy)

        await self._edit(component_id, grant, "grant what it came with")
        return asks.lines

    def has_rule(self, component_id: str, rule: Rule) -> bool:
        policy = self._policies.read(component_id).policy
        if policy is None:
            return False
        have = (*policy.storage_allow, *policy.network_allow, *policy.environment_allow)
        return rule in have

    async def _edit(
        self, component_id: str, change: Callable[[PolicyDocument], bool], what: str
    ) -> bool:
        """`what` it does, for the record."""
        self._inventory.check(component_id)

        def edit() -> bool:
            with self._policies.edit(component_id) as document:
                return change(document)

        done = await asyncio.to_thread(edit)
        if done:
            self._recorder.change(what, component_id)
        self._changes.tell()
        return done


def _access(words: list[str]) -> frozenset[Access]:
    if not words:
        raise PolicyError("Storage access cannot be empty")
    for word in words:
        if word not in set(Access):
            raise PolicyError(f"Invalid access type: {word[:40]!r}; there are read and write")
    return frozenset(Access(word) for word in words)
