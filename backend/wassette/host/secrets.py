"""The secrets of components, as a host needs them: read when a policy lets a component have them,
and kept for it. Only people read and change them.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from wassette.errors import SecretError
from wassette.secrets import ComponentSecrets, SecretReader
from wassette.secrets.reader import in_thread

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from wassette.policy import Policy
    from wassette.secrets import Kept, SecretStore

log = logging.getLogger(__name__)

_NONE = ComponentSecrets()


class Secrets:
    """Of one host."""

    def __init__(self, store: SecretStore) -> None:
        self._store = store
        self._reader = SecretReader(store)

    async def all_of(self, component_id: str) -> ComponentSecrets:
        """Whether it is loaded or not. Raises `SecretError`."""
        return await in_thread(lambda: self._store.read(component_id))

    def has(self, component_id: str, key: str) -> bool:
        """Whether there is one of this name; also if that cannot be known."""
        try:
            return key in self._known(component_id).places
        except SecretError:
            return True

    async def set(self, component_id: str, values: Mapping[str, str]) -> Kept:
        """Raises `SecretError`."""
        return await in_thread(lambda: self._store.set(component_id, values))

    async def delete(self, component_id: str, keys: Collection[str]) -> list[str]:
        """Which of them there were. Raises `SecretError`."""
        return await in_thread(lambda: self._store.delete(component_id, keys))

    def at_once(self, component_id: str, policy: Policy | None) -> ComponentSecrets:
        """Those for a policy that can be had at once. If it cannot even be known which there are,
        none of the variables that it allows: any of them could be meant to be a secret."""
        if not variables(policy):
            return _NONE
        try:
            return self._known(component_id)
        except SecretError as error:
            return ComponentSecrets(
                unread=dict.fromkeys(variables(policy), str(error)), error=str(error)
            )

    async def for_policy(self, component_id: str, policy: Policy | None) -> ComponentSecrets:
        """Those for a policy. A person may have to unlock the keyring. Raises nothing."""
        secrets = self.at_once(component_id, policy)
        if secrets.error is not None:
            log.warning("component %s runs without variables: %s", component_id, secrets.error)
        elif not secrets.unread.keys().isdisjoint(variables(policy)):
            with contextlib.suppress(SecretError):  # changed meanwhile; the next call tells
                secrets = await self._reader.read(component_id)
        return secrets

    def _known(self, component_id: str) -> ComponentSecrets:
        return self._store.peek(component_id) or self._store.unread(component_id)


def variables(policy: Policy | None) -> set[str]:
    """The variables that a policy takes values from."""
    return {rule.variable for rule in policy.environment_allow} if policy is not None else set()
