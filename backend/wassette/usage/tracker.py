"""What a host has of uses. What a call did is looked at after it, in a thread, and only where it
would change what is known: a grant that was used today is not looked at again until tomorrow."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from wassette.errors import StoreError
from wassette.policy.model import text_of

from .model import UNUSED_DAYS, Rule, UnusedGrant, allowed, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

    from wassette.policy import Policy

    from .model import FileUse, NetworkUse, Observed
    from .store import UsageStore

log = logging.getLogger(__name__)
_T = TypeVar("_T")

GRAIN = 12 * 3600.0
"""Seconds for which a grant counts as used: days are shown, so nothing finer is looked for."""
DAY = 86_400.0
MAX_WAITING = 1000
"""Calls whose uses wait to be looked at; of more, nothing is kept."""


@dataclass
class _Known:
    """What is known of one component's grants."""

    policy: Policy
    last: dict[Rule, float] = field(default_factory=dict)

    def stale(self, now: float) -> list[Rule]:
        """The rules of which no use is known of late."""
        return [rule for rule, last in self.last.items() if last < now - GRAIN]


class Usage:
    """One for each host. Nothing raises but what people ask for; nothing waits for the disk."""

    def __init__(self, path: Path, directory: Path) -> None:
        """`path`: the file; `directory`: the component directory."""
        self._path, self._directory = path, directory
        self._store: UsageStore | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._known: dict[str, _Known] = {}
        self._waiting = 0
        self._lock = threading.Lock()
        self._warned = False

    def wants_files(self, component: str, policy: Policy | None) -> bool:
        """Whether it is to be found out which files a call uses: a grant may be unused."""
        if policy is None or not policy.storage_allow:
            return False
        known = self._known.get(component)
        if known is None or known.policy != policy:
            return True
        limit = time.time() - GRAIN
        return any(known.last.get(rule, 0.0) < limit for rule in policy.storage_allow)

    def called(
        self,
        component: str,
        policy: Policy | None,
        policy_path: Path,
        files: Sequence[FileUse],
        requests: Sequence[NetworkUse],
        *,
        watched: str | None = None,
        complete: bool = True,
    ) -> None:
        """A call is over. `watched`: the component's digest, if somebody learns what it does;
        `complete`: whether these are all its uses."""
        if watched is not None:
            self._soon(lambda: self._saw(component, watched, files, requests, complete))
        if policy is None:
            return
        now = time.time()
        known = self._known.get(component)
        if known is not None and known.policy == policy:
            stale = known.stale(now)
            if not stale or not (files or requests or _variables(stale)):
                return
        elif not any(allowed(policy)):
            return
        self._soon(lambda: self._used(component, policy, policy_path, files, requests, now))

    async def unused(
        self, component: str, policy: Policy | None, policy_path: Path
    ) -> list[UnusedGrant]:
        """The grants that nothing was seen to use for `UNUSED_DAYS`. None, if that is not known."""
        if policy is None:
            return []
        try:
            return await self._do(lambda: self._unused(component, policy, policy_path, time.time()))
        except StoreError as error:
            log.warning("it is not known which grants are unused: %s", error)
            return []

    async def watch(self, component: str, digest: str) -> None:
        """Begin to keep all that these bytes do. Raises `StoreError`."""
        await self._do(lambda: self._opened().watch(component, digest, time.time()))

    async def observed(self, component: str) -> Observed | None:
        """What was seen since `watch`. Raises `StoreError`."""
        return await self._do(lambda: self._opened().observed(component))

    def forget(self, component: str) -> None:
        """A component is gone."""
        self._known.pop(component, None)
        if self._path.exists():
            self._soon(lambda: self._opened().forget(component))

    async def close(self) -> None:
        if self._thread is not None:
            thread, self._thread = self._thread, None
            await asyncio.to_thread(thread.shutdown)
        if self._store is not None:
            self._store.close()

    # -- in the thread ---------------------------------------------------------------------------

    def _opened(self) -> UsageStore:
        if self._store is None:
            from .store import UsageStore

            self._store = UsageStore(self._path, self._directory)
        return self._store

    def _saw(
        self,
        component: str,
        digest: str,
        files: Sequence[FileUse],
        requests: Sequence[NetworkUse],
        complete: bool,
    ) -> None:
        self._opened().saw(component, digest, files, requests, complete=complete)

    def _used(
        self,
        component: str,
        policy: Policy,
        policy_path: Path,
        files: Sequence[FileUse],
        requests: Sequence[NetworkUse],
        now: float,
    ) -> None:
        from .match import used

        known = self._look(component, policy, policy_path, now)
        found = used(known.stale(now), files, requests)
        if found:
            self._opened().note(component, {key_of(rule): (now, now) for rule in found})
            known.last.update(dict.fromkeys(found, now))

    def _look(self, component: str, policy: Policy, policy_path: Path, now: float) -> _Known:
        """What is known of the rules of this policy; of new ones, that they are there now."""
        known = self._known.get(component)
        if known is None or known.policy != policy:
            kept = self._kept(component, policy, policy_path, now)
            rules = [rule for _, _, rule in allowed(policy)]
            known = _Known(policy, {rule: kept[key_of(rule)][1] for rule in rules})
            self._known[component] = known
        return known

    def _kept(
        self, component: str, policy: Policy, policy_path: Path, now: float
    ) -> dict[str, tuple[float, float]]:
        store = self._opened()
        kept = store.grants(component)
        keys = {key_of(rule) for _, _, rule in allowed(policy)}
        if new := keys - kept.keys():
            # There since the file is what it is; before that, uses may not have been kept.
            since = max(store.began(now), min(now, _changed(policy_path, now)))
            store.note(component, dict.fromkeys(new, (since, 0.0)))
            kept |= dict.fromkeys(new, (since, 0.0))
        if gone := kept.keys() - keys:
            store.forget_grants(component, gone)
        return kept

    def _unused(
        self, component: str, policy: Policy, policy_path: Path, now: float
    ) -> list[UnusedGrant]:
        kept = self._kept(component, policy, policy_path, now)
        found = []
        for kind, index, rule in allowed(policy):
            days = int((now - max(kept[key_of(rule)])) / DAY)
            if days >= UNUSED_DAYS:
                found.append(UnusedGrant(kind, text_of(rule), index, days))
        return found

    # -- the thread ------------------------------------------------------------------------------

    def _executor(self) -> ThreadPoolExecutor:
        if self._thread is None:
            from concurrent.futures import ThreadPoolExecutor

            self._thread = ThreadPoolExecutor(1, thread_name_prefix="usage")
        return self._thread

    def _soon(self, work: Callable[[], None]) -> None:
        with self._lock:
            if self._waiting >= MAX_WAITING:
                return
            self._waiting += 1

        def do() -> None:
            with self._lock:
                self._waiting -= 1
            try:
                work()
                self._warned = False
            except Exception as error:  # noqa: BLE001  (nobody's call is broken by this)
                if not self._warned:
                    self._warned = True
                    log.warning("what components use is not kept: %s", error)
                self._drop()

        self._executor().submit(do)

    async def _do(self, work: Callable[[], _T]) -> _T:
        import sqlite3

        def do() -> _T:
            try:
                return work()
            except (sqlite3.Error, OSError) as error:
                self._drop()
                raise StoreError(
                    f"{self._path} cannot be used: {error}; it can be deleted"
                ) from None

        return await asyncio.get_running_loop().run_in_executor(self._executor(), do)

    def _drop(self) -> None:
        if self._store is not None:
            self._store.close()


def _variables(rules: Sequence[Rule]) -> bool:
    from wassette.policy import EnvironmentRule

    return any(isinstance(rule, EnvironmentRule) for rule in rules)


def _changed(path: Path, now: float) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return now
