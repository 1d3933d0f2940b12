"""What approvals need to know of a host, and what they have it do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wassette.asking import Surroundings

if TYPE_CHECKING:
    from wassette.approvals.model import ApprovalRequest, Rule
    from wassette.components.store import ComponentStore
    from wassette.policy import PolicyStore
    from wassette.secrets import SecretStore

    from .inventory import Inventory
    from .protected import Protected


def surroundings(
    store: ComponentStore,
    policies: PolicyStore,
    secrets: SecretStore,
    inventory: Inventory,
    protected: Protected,
) -> Surroundings:
    def write(request: ApprovalRequest, rule: Rule) -> None:
        from wassette.approvals.write import write_rule

        write_rule(policies, request, rule, current=inventory.digest, protected=protected.paths())

    return Surroundings(
        current=inventory.digest,
        write=write,
        enforceable=protected.enforceable,
        secret_values=secrets.values_read,
        ids=store.ids,
    )
