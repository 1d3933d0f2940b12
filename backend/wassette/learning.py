"""Learning what a component does: all that it uses is kept for a while, and compared with what it
was granted. What comes of it is a policy that allows no more than the one that is there, for a
person to look at; only a person begins it, and only a person applies it.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import PolicyConflict, PolicyError, visible
from .policy import PolicyDocument, PolicyStatus
from .policy.files import resolve_path
from .policy.network import decide_network
from .policy.storage import host_path
from .recording import only_a_person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from .components.record import ComponentRecord
    from .components.store import ComponentStore
    from .policy import Policy, PolicyStore, Storage
    from .policy.files import FileVerdict
    from .recording import Recorder
    from .usage import FileUse, Observed, Usage
    from .usage.narrow import Suggestion, What

MAX_SECONDS = 30 * 86_400.0
"""For which a component can be watched."""
MAX_SHOWN = 10
"""Things of one kind that a note names."""
_TURNS = 3


@dataclass(frozen=True)
class Learned:
    """What a component used, and the policy that would have been enough."""

    component_id: str
    path: Path
    """Of the policy."""
    observed: Observed
    until: float
    """Unix seconds; past, if nobody watches any more."""
    before: str
    """The policy's text, and what it would be."""
    after: str
    suggestions: tuple[Suggestion, ...]
    notes: tuple[str, ...]

    @property
    def diff(self) -> str:
        """Empty if there is nothing that is not needed."""
        import difflib

        name = self.path.name
        lines = difflib.unified_diff(
            self.before.splitlines(),
            self.after.splitlines(),
            name,
            f"{name} (suggested)",
            "",
            "",
            3,
            "",
        )
        return "".join(f"{visible(line, 10_000)}\n" for line in lines)

    def to_plain(self) -> dict[str, Any]:
        return {
            "component_id": self.component_id,
            "since": self.observed.since,
            "until": self.until,
            "calls": self.observed.calls,
            "complete": self.observed.complete,
            "suggestions": [one.to_plain() for one in self.suggestions],
            "diff": self.diff,
            "notes": list(self.notes),
        }


class Learning:
    """One for each host."""

    def __init__(
        self,
        store: ComponentStore,
        policies: PolicyStore,
        usage: Usage,
        recorder: Recorder,
        storage: Callable[[str, Policy], Storage],
    ) -> None:
        """`storage`: what a policy's rules for files come to."""
        self._store, self._policies = store, policies
        self._usage, self._recorder = usage, recorder
        self._storage = storage

    async def begin(self, record: ComponentRecord, seconds: float) -> float:
        """Keep all that a component uses from now on, for so long; until when that is.

        What was kept before is forgotten, unless somebody watches still. Raises `StoreError`.
        """
        only_a_person("watch what a component uses", f"wassette policy learn {record.id} --for 1h")
        now = time.time()
        until = now + min(seconds, MAX_SECONDS)
        if record.learn_until <= now or await self._usage.observed(record.id) is None:
            await self._usage.watch(record.id, record.digest)
        await asyncio.to_thread(self._store.set_learning, record.id, record.digest, until)
        self._recorder.change(
            f"learn what it uses, for {seconds:g} s", record.id, digest=record.digest
        )
        return until

    async def end(self, record: ComponentRecord) -> None:
        """Keep no more. What was seen stays."""
        await asyncio.to_thread(self._store.set_learning, record.id, record.digest, 0.0)

    async def learned(self, record: ComponentRecord) -> Learned:
        """Raises `PolicyError` if there is nothing to compare."""
        observed = await self._usage.observed(record.id)
        again = f"wassette policy learn {record.id} --for 1h"
        if observed is None:
            raise PolicyError(
                f"Nobody has watched what '{record.id}' uses. Begin with `{again}`, have it do "
                "what it is there for, and ask again"
            )
        if observed.digest != record.digest:
            raise PolicyError(
                f"'{record.id}' has other bytes now than those that were watched. "
                f"Begin anew: {again}"
            )
        if not observed.calls:
            raise PolicyError(
                f"'{record.id}' was not called since {_when(observed.since)}: there is nothing to "
                "learn from. Have it do what it is there for, and ask again"
            )
        state = self._policies.read(record.id)
        if state.status is PolicyStatus.ABSENT:
            raise PolicyError(f"'{record.id}' has no permissions, so there is nothing to narrow")
        if state.error is not None:
            raise state.error
        return await asyncio.to_thread(self._compose, record, observed)

    async def apply(self, learned: Learned) -> bool:
        """Write what was suggested to the policy; whether there was anything to write.

        Raises `PolicyConflict` if the policy is another one by now.
        """
        only_a_person("change a policy", f"wassette policy learn {learned.component_id} --apply")

        def write() -> bool:
            from .usage.narrow import changed

            with self._policies.edit(learned.component_id) as document:
                if document.to_text() != learned.before:
                    raise PolicyConflict(
                        f"{learned.path} was changed meanwhile; look at what is suggested now: "
                        f"wassette policy learn {learned.component_id}"
                    )
                changed(document, learned.suggestions)
                if document.to_text() != learned.after:
                    raise PolicyError(f"{learned.path} would not be what was shown")
            return learned.before != learned.after

        done = await asyncio.to_thread(write)
        if done:
            self._recorder.change("narrow the policy to what was used", learned.component_id)
        return done

    # -- the comparison --------------------------------------------------------------------------

    def _compose(self, record: ComponentRecord, observed: Observed) -> Learned:
        from .usage.narrow import changed, narrow_network, narrow_storage

        path = self._policies.path(record.id)
        before = path.read_text(encoding="utf-8")
        policy = PolicyDocument.from_text(before, str(path)).policy
        storage = self._storage(record.id, policy)
        look = _look(storage)
        keep: frozenset[str] = frozenset()
        suggestions: list[Suggestion] = []
        for turn in range(_TURNS):
            # What turned out not to be enough stays as it is; at last, everything about files.
            if turn == _TURNS - 1 or not observed.complete:
                keep = frozenset(rule.uri for rule in policy.storage_allow)
            suggestions = narrow_storage(policy.storage_allow, observed.files, look, keep)
            suggestions += narrow_network(policy.network_allow, observed.requests)
            document = PolicyDocument.from_text(before, str(path))
            changed(document, suggestions)
            lost = _lost(observed.files, storage, self._storage(record.id, document.policy), look)
            if not lost:
                break
            keep |= _about(lost, policy)
        notes = self._notes(record, observed, policy, storage, look)
        return Learned(
            record.id,
            path,
            observed,
            record.learn_until,
            before,
            document.to_text(),
            tuple(suggestions),
            tuple(notes),
        )

    @staticmethod
    def _notes(
        record: ComponentRecord,
        observed: Observed,
        policy: Policy,
        storage: Storage,
        look: Callable[[str], What],
    ) -> Iterable[str]:
        from .usage.match import needed, target_of
        from .usage.narrow import absent

        if not observed.complete:
            yield "it used more files than can be kept, so rules about files stay as they are"
        if missing := absent(observed.files, look):
            yield f"it looked for what is not there: {_some(missing)}"
        grant = ("wassette", "permission", "grant")
        beyond = []
        for use in observed.files:
            need, verdict = needed(use.how), _decide(storage, use.path)
            if need is not None and verdict is not None and need not in verdict.access:
                words = ("storage", record.id, f"fs://{use.path}", "--access", need.value)
                beyond.append(shlex.join((*grant, *words)))
        for request in observed.requests:
            target = target_of(request)
            if target is not None and not decide_network(policy, target).allowed:
                host = f"[{target.host}]" if ":" in target.host else target.host
                where = f"{target.scheme}://{host}:{target.port}"
                beyond.append(shlex.join((*grant, "network", record.id, where)))
        if beyond:
            yield (
                "it used what the policy does not allow now (it was allowed for a while, or until "
                f"a moment ago). To allow it: {_some(list(dict.fromkeys(beyond)), '; ')}"
            )
        if policy.environment_allow:
            yield "which variables it reads cannot be seen, so rules about them stay as they are"


def _lost(
    uses: Iterable[FileUse], before: Storage, now: Storage, look: Callable[[str], What]
) -> list[FileUse]:
    """What was used and is allowed, but would not be."""
    from .usage.match import needed
    from .usage.model import How
    from .usage.narrow import What

    lost = []
    for use in uses:
        then, after = _decide(before, use.path), _decide(now, use.path)
        if then is None or after is None or not then.access:
            continue
        need, what = needed(use.how), look(use.path)
        if what is What.MISSING and use.how is not How.WRITE:
            continue
        seen = after.visible and what is What.DIRECTORY and use.how is not How.WRITE
        enough = bool(after.access) if need is None else need in after.access
        if not (enough or seen) and (need is None or need in then.access):
            lost.append(use)
    return lost


def _about(uses: Iterable[FileUse], policy: Policy) -> frozenset[str]:
    """The uris of the rules that cover any of these."""
    from .policy.storage import written_pattern

    names = [resolve_path(use.path) for use in uses]
    return frozenset(
        rule.uri
        for rule in policy.storage_allow
        if (pattern := written_pattern(rule)) is not None and any(map(pattern.covers, names))
    )


def _decide(storage: Storage, path: str) -> FileVerdict | None:
    try:
        return storage.rules.decide(resolve_path(path))
    except PolicyError:
        return None


def _look(storage: Storage) -> Callable[[str], What]:
    """What is at a component's path, as far as can be seen."""

    known: dict[str, What] = {}

    def look(path: str) -> What:
        if path not in known:
            known[path] = _at(host_path(storage.mounts, path))
        return known[path]

    return look


def _at(path: str | None) -> What:
    from .usage.narrow import What

    try:
        mode = os.lstat(path).st_mode if path is not None else 0
    except (OSError, ValueError):
        return What.MISSING
    if stat.S_ISLNK(mode):
        return What.LINK
    return What.DIRECTORY if stat.S_ISDIR(mode) else What.FILE if mode else What.MISSING


def _some(texts: list[str], between: str = ", ") -> str:
    shown = between.join(visible(one, 300) for one in texts[:MAX_SHOWN])
    left = len(texts) - MAX_SHOWN
    return f"{shown}, and {left} more" if left > 0 else shown


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
