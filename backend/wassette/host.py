"""The host: owns the component store, the policies and the workers, and makes every decision.

The command line, the MCP server and the web API all talk to one `Host`; none of them contains logic
that another repeats.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import stat
import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakKeyDictionary

from .answers import (
    Arrival,
    CallResult,
    Change,
    ComponentState,
    Loaded,
    PolicyView,
    Prospect,
    Refusal,
)
from .asking import Answer, Asking, Caller, Surroundings
from .bundled import question, wanted
from .code import Code, CodeCache
from .components import sources
from .components.record import ComponentRecord, Stamp
from .components.store import ComponentStore, Unexamined
from .config import Approvals, retention
from .errors import (
    CallError,
    ComponentChanged,
    ComponentError,
    ComponentNotFound,
    ConfigError,
    DigestMismatch,
    HostPaused,
    InvalidArguments,
    InvalidComponent,
    NotSigned,
    PolicyError,
    RequestRefused,
    SecretError,
    ToolNotFound,
    WassetteError,
    visible,
)
from .fetching import Fetching
from .learning import Learning
from .noticing import Noticing
from .outgoing import MAX_EXCHANGES, Held, Requests, WayOut
from .paths import paths
from .policy import (
    Access,
    EnvironmentRule,
    Grants,
    Policy,
    PolicyDocument,
    PolicyState,
    PolicyStatus,
    PolicyStore,
    Storage,
    StorageRule,
    Verdict,
    check_bindable,
    check_enforceable_storage,
    resolve,
    resolve_storage,
    unchanged,
)
from .policy.network import NetworkTarget
from .policy.requested import add
from .policy.verdict import Kind, Situation, explain
from .presence import Presence
from .provenance import Provenance, Provenances
from .recording import Call, Recorder, only_a_person
from .registry.model import Pulled
from .sandbox.tiers import Tier
from .secrets import ComponentSecrets, Place, SecretReader, SecretStore
from .secrets.reader import in_thread
from .session import Session
from .threads import to_its_end
from .toolset import Toolset
from .usage import FileUse, How, NetworkUse, Usage
from .workers.clock import Clock
from .workers.compiler import Compiler
from .workers.launcher import default_launcher
from .workers.pool import CodeUnusable, Pool, WorkerSpec
from .workers.process import Outcome

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping

    from .activity_options import Retention
    from .answers import Client, Preview, Progress, Review
    from .approvals.model import ApprovalRequest, Component, Fact, Rule
    from .approvals.overlay import Extra
    from .asking import Dialog
    from .bundled import Wanted
    from .components.remote import OciReference
    from .config import Settings
    from .egress import Door, Exchange, Route, Rules, Want
    from .policy import Injection, NetworkRule
    from .registry.push import Pushed
    from .secrets import Kept
    from .toolset import Tool
    from .usage import UnusedGrant

log = logging.getLogger(__name__)

GRANTS_KEPT = 1.0
"""Seconds for which what a policy comes to is kept, unless the policy changes: looking where its
paths lead takes a millisecond. A granted directory that is made meanwhile waits so long."""

MAX_QUESTIONS = 20
"""Different things that one call can have a person asked about."""
MAX_CHANGES = 100
"""Differences between components that are kept for a person."""
MAX_NOTES, MAX_NOTE = 12, 500
"""Differences, and characters of each, that the question of an agent has room for."""
MAX_RERUNS = 3
"""How often a call is run again because a person has allowed what it was refused."""

WATCH_INTERVAL = 0.05
"""Seconds between looks for changes that another process made: one `stat`, so that clients are told
within a tenth of a second."""

_COMPACT = json.JSONEncoder(separators=(",", ":"))
_NO_SECRETS = ComponentSecrets()
_UNEXAMINED = "has not been examined yet"
_RACY_NS = 100_000_000  # a directory changed this recently may change again unnoticed


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


@dataclass
class _Tools:
    version: object = None
    toolset: Toolset = field(default_factory=lambda: Toolset(()))


@dataclass(frozen=True)
class _Seen:
    """What those who watch were told of last."""

    version: object
    toolset: Toolset
    paused: bool
    components: Mapping[str, tuple[object, ...]]
    """By id: digest or error and whether it is enabled, and what its policy says."""

    def changed_since(self, before: _Seen) -> Change:
        ids = self.components.keys() | before.components.keys()
        differ = {one for one in ids if self.components.get(one) != before.components.get(one)}
        return Change(
            tools=self.toolset != before.toolset,
            components={one: found[0] for one, found in self.components.items()}
            != {one: found[0] for one, found in before.components.items()},
            updated=frozenset(differ),
            paused=self.paused != before.paused,
        )


@dataclass
class _Running:
    """A call while it runs, however often it is run for that."""

    record: ComponentRecord
    session: Session | None
    call: Call
    caller: Caller | None
    """Who waits for it; None if nobody is to be asked on its behalf."""
    clock: Clock = field(default_factory=lambda: Clock(0))
    asked: set[object] = field(default_factory=set)
    allowed: list[tuple[str, str]] = field(default_factory=list)
    """What of files a person has allowed for it: (kind, path)."""

    @property
    def bytes(self) -> tuple[str, str]:
        return self.record.id, self.record.digest

    @property
    def component(self) -> Component:
        from .approvals.model import Component

        return Component(*self.bytes)


class Host:
    """Use as an async context manager; closing it ends every worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = ComponentStore(settings.component_dir)
        self.policies = PolicyStore(settings.component_dir)
        launcher = default_launcher()
        self._provenances = Provenances(settings, self.store)
        self._way_out = WayOut(settings)
        self._pool = Pool(launcher=launcher, doors=self._way_out.door)
        self.fetching = Fetching(settings)
        self._code = CodeCache(self.store, Compiler(launcher, settings.walls))
        self._tools = _Tools()
        self.session = Session.of(settings)
        """Of whoever has none of its own: the command line, a host of one client."""
        # For each session by itself: no call is given the variables of another session's.
        self._resolved: WeakKeyDictionary[Session, dict[str, _Resolved]] = WeakKeyDictionary()
        self._changed: list[Callable[[Change], None]] = []
        self._seen: _Seen | None = None
        self.presence = Presence()
        self._tasks: set[asyncio.Task[None]] = set()
        self._secrets = SecretStore(
            settings.secrets_dir or paths().secrets, Place(settings.secrets)
        )
        self._secret_reader = SecretReader(self._secrets)
        self._recorder = Recorder(
            paths().activity, self._secrets.values_read, partial(_retention, settings)
        )
        self._usage = Usage(paths().usage, settings.component_dir)
        self.learning = Learning(
            self.store, self.policies, self._usage, self._recorder, self._storage
        )
        self._also_protected: tuple[Path, ...] = ()
        self.asking = Asking(
            settings.component_dir,
            settings.approval_timeout,
            Surroundings(
                current=self._current_digest,
                write=self._write_rule,
                enforceable=self._enforceable,
                secret_values=self._secrets.values_read,
                ids=self.store.ids,
            ),
            self._recorder,
        )
        self._roots = (
            paths().roots / hashlib.sha256(str(settings.component_dir).encode()).hexdigest()[:12]
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End every worker and everything in the background. Can be done more than once."""
        await self.asking.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pool.close()
        await self._way_out.close()
        await self._usage.close()
        await self._recorder.close()

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
        tell = progress or (lambda _stage, _done: None)
        async with self.arrived(
            reference,
            tell,
            digest=digest,
            by_person=by_person,
            check=True,
            accept_change=accept_change or review is not None,
            source=source,
        ) as arrival:
            record, before = arrival.record, arrival.before
            if review is not None:
                seen |= await review(arrival)
                now = self._record_or_none(record.id)
                if (now and now.digest) != (before and before.digest):
                    raise ComponentChanged(
                        f"Component '{record.id}' was loaded, changed or removed meanwhile, so "
                        "what was shown is not what would happen. Load it again."
                    )
            if seen:
                record = replace(record, unseen=())
            if record == before:
                replaced = True  # nothing is other than it was
            else:
                replaced = await to_its_end(self.store.commit, arrival.pulled.path, record)
        tell("loaded", 1.0)
        self._notify()
        self._warm(record.id)
        changed = before.digest if before and before.digest != record.digest else None
        if changed is not None:
            await self.asking.component_changed(record.id, record.digest)
        if record != before:
            word = "reload" if before is not None else "load"
            self._recorder.change(f"{word} {record.source}", record.id, digest=record.digest)
        await asyncio.to_thread(self._provenances.keep, arrival.evidence, record.signature)
        names = tuple(tool.name for tool in self.tools().of(record.id))
        asks = self.wanted(record.id)
        lines = asks.lines if asks is not None else ()
        return Loaded(record, replaced, names, changed, record.unseen, arrival.remarks, lines)

    @contextlib.asynccontextmanager
    async def arrived(
        self,
        reference: str,
        progress: Progress | None = None,
        *,
        digest: str | None = None,
        by_person: bool = True,
        check: bool = False,
        accept_change: bool = True,
        source: str | None = None,
    ) -> AsyncIterator[Arrival]:
        """A component fetched and examined, and not loaded: gone when this is left. As `load`.

        `check`: it is to be loaded, so it has to be one that may be.
        """
        tell = progress or (lambda _stage, _done: None)
        located = sources.locate(reference)
        if source is not None:
            located = replace(located, source=source)
        incoming = self.store.incoming()
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(incoming.unlink, missing_ok=True)
            try:
                pulled = await stack.enter_async_context(
                    self.fetching.fetch(located, incoming, tell, by_person=by_person)
                )
                if digest is not None and pulled.digest != digest:
                    raise DigestMismatch(
                        f"{located.source} has the digest sha256:{pulled.digest}, but "
                        f"sha256:{digest} was asked for. It was not loaded."
                    )
                origin = await self._provenances.look(pulled, located.path, tell)
                if check:
                    self._provenances.check(origin, changes=not accept_change)
                before = self._record_or_none(located.id)
                if before is not None and before.digest == pulled.digest:
                    record = before
                else:
                    record = await self._examine(
                        located.id, incoming, pulled.digest, located.source, tell
                    )
                # A component keeps its place, so that loading it again renames no tool.
                loaded_at = before.loaded_at if before else time.time()
                record = replace(record, source=located.source, loaded_at=loaded_at)
                record = self._from(origin, record, before)
                changes = self._provenances.changes(origin)
                other = self._provenances.another_signer(origin)
            except InvalidComponent as error:
                raise InvalidComponent(f"{located.source} {error}") from None
            unseen = self._unseen(before, record)
            record = replace(record, unseen=unseen)
            yield Arrival(
                pulled, record, before, unseen, origin.evidence, changes, other, origin.remarks
            )

    @staticmethod
    def _from(
        origin: Provenance, record: ComponentRecord, before: ComponentRecord | None = None
    ) -> ComponentRecord:
        signature = origin.signature
        if before is not None and before.digest == record.digest and not signature.checked:
            signature = before.signature  # nobody looked this time; it is still a fact
        return replace(record, signature=signature, requested=origin.requested)

    async def push(
        self,
        what: str,
        reference: OciReference,
        policy: bytes | None = None,
        annotations: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Pushed:
        """Push a component, by its id, or a file that is one. Raises `ComponentError`."""
        known = self._record_or_none(what)
        if known is not None:
            record, path = known, self.store.path(what)
            return await self.fetching.push(record, path, reference, policy, annotations, progress)
        # Whoever pushes it may be about to sign it.
        async with self.arrived(what, progress) as arrival:
            return await self.fetching.push(
                arrival.record, arrival.pulled.path, reference, policy, annotations, progress
            )

    def _unseen(self, before: ComponentRecord | None, now: ComponentRecord) -> tuple[str, ...]:
        """What a person has to see before the permissions that are there are for `now`."""
        if before is None or self.policies.read(now.id).status is PolicyStatus.ABSENT:
            return ()
        from .approvals.seen import View, changes

        if before.digest == now.digest and View.of(before) == View.of(now):
            return before.unseen

        found = tuple(one.text for one in changes(View.of(before), View.of(now)))
        return tuple(dict.fromkeys((*before.unseen, *(found or ("its code is other code",)))))[
            :MAX_CHANGES
        ]

    async def preview(self, reference: str, progress: Progress | None = None) -> Preview:
        """What there is to know of a component before it is loaded: nothing of it is compiled or
        run, and nothing is changed. Raises `ComponentError`."""
        from .sandbox.capabilities import capabilities

        tell = progress or (lambda _stage, _done: None)
        located = sources.locate(reference)
        incoming = self.store.incoming()
        try:
            async with self.fetching.fetch(located, incoming, tell) as pulled:
                origin = await self._provenances.look(pulled, located.path, tell)
            data = await asyncio.to_thread(incoming.read_bytes)
            found = await asyncio.to_thread(capabilities, data)
        except InvalidComponent as error:
            raise InvalidComponent(f"{located.source} {error}") from None
        finally:
            incoming.unlink(missing_ok=True)
        return self._provenances.preview(origin, found)

    async def mark_seen(self, component_id: str) -> None:
        """A person has been shown what is different about a component: its permissions count."""
        record = await self.component(component_id)
        if record.unseen:
            await asyncio.to_thread(self.store.mark_seen, component_id, record.digest)
            self._recorder.change("seen by a person", component_id, digest=record.digest)
            self._notify()

    async def unload(self, component_id: str) -> None:
        """Remove a component with its policy. Raises `ComponentNotFound`, and `NeedsPerson` if a
        client wants that of one that is disabled."""
        if self.store.is_disabled(component_id):
            # Loaded again, it would be enabled.
            only_a_person(
                "remove a component that is disabled",
                f"wassette component unload {visible(component_id)}",
            )
        await asyncio.to_thread(self.store.remove, component_id)
        await asyncio.to_thread(self.policies.reset, component_id)
        await self.asking.component_changed(component_id, None)
        self._usage.forget(component_id)
        self._recorder.change("unload", component_id)
        self._notify()

    def components(self) -> list[ComponentState]:
        """Every component, by id. Cheap: nothing is compiled, and wasmtime is not loaded."""
        found = []
        disabled = self.store.disabled()
        for component_id in self.store.ids():
            enabled = component_id not in disabled
            try:
                known = self.store.get(component_id)
            except ComponentNotFound:
                continue  # removed meanwhile
            except WassetteError as error:
                found.append(ComponentState(component_id, None, str(error), enabled))
                continue
            if isinstance(known, Unexamined):
                found.append(ComponentState(component_id, None, _UNEXAMINED, enabled))
            elif (reason := self._provenances.refusal(known)) is not None:
                found.append(ComponentState(component_id, None, reason, enabled))
            else:
                trusted = self._provenances.trusts(known.signature)
                found.append(ComponentState(component_id, known, None, enabled, trusted))
        return found

    async def component(self, component_id: str) -> ComponentRecord:
        """What is known of one component, which is examined if it was put there by hand.

        Raises `ComponentNotFound`, `ComponentChanged`, `InvalidComponent`, `NotSigned`.
        """
        known = self.store.get(component_id)
        if isinstance(known, Unexamined):
            return await self._adopt(known)
        reason = self._provenances.refusal(known)
        if reason is not None:
            raise NotSigned(reason)
        return known

    async def examined(self) -> list[ComponentState]:
        """As `components`; those that were put into the directory by hand are examined first."""
        found = []
        for state in self.components():
            if state.error == _UNEXAMINED:
                try:
                    record = await self.component(state.id)
                    state = ComponentState(state.id, record, None, state.enabled)
                except ComponentNotFound:
                    continue  # removed meanwhile
                except WassetteError as error:
                    state = ComponentState(state.id, None, str(error), state.enabled)
            found.append(state)
        return found

    # -- switching off and on: only for people ---------------------------------------------------

    @property
    def paused(self) -> bool:
        """Whether a person has paused Wassette: no call starts, whoever wants it."""
        return self.store.paused

    async def pause(self) -> None:
        """Have no call start, in any process, until `resume`; those that run may finish."""
        await self._set_paused(True)

    async def resume(self) -> None:
        await self._set_paused(False)

    async def _set_paused(self, paused: bool) -> None:
        only_a_person("pause Wassette, or have it go on", "wassette host resume")
        if await asyncio.to_thread(self.store.set_paused, paused):
            self._recorder.change("pause" if paused else "resume", "")
        self._notify()

    async def set_enabled(self, component_id: str, enabled: bool) -> None:
        """Switch a component on or off: its tools are not listed then, and cannot be called. Stays
        so when it is loaded again. Raises `ComponentNotFound`, `StoreError`."""
        word = "enable" if enabled else "disable"
        only_a_person(f"{word} a component", f"wassette component {word} {visible(component_id)}")
        if await asyncio.to_thread(self.store.set_enabled, component_id, enabled):
            self._recorder.change(word, component_id)
        self._notify()

    async def _adopt(self, known: Unexamined) -> ComponentRecord:
        incoming = self.store.incoming()
        try:
            copied = await to_its_end(sources.copy, known.path, incoming, _ignore)
            source = known.path.as_uri()
            pulled = Pulled(incoming, copied.digest, copied.size, source)
            origin = await self._provenances.look(pulled, known.path)
            self._provenances.check(origin, changes=False)
            record = await self._examine(known.id, incoming, copied.digest, source, lambda *_: None)
        except InvalidComponent as error:
            raise InvalidComponent(f"{known.path} {error}") from None
        finally:
            incoming.unlink(missing_ok=True)
        record = await asyncio.to_thread(self.store.adopt, self._from(origin, record))
        self._notify()
        return record

    async def _examine(
        self, component_id: str, path: Path, digest: str, source: str, tell: Progress
    ) -> ComponentRecord:
        tell("compiling", None)
        size = await asyncio.to_thread(lambda: path.stat().st_size)
        name, compiled = await self._code.compile(path, digest, size)
        try:
            record = ComponentRecord.new(
                component_id, digest, Stamp(size, 0), source, time.time(), compiled.examination
            )
        except ValueError as error:
            raise InvalidComponent(f"was described in a way that does not fit: {error}") from None
        return record.with_code(name, compiled.sha256)

    def _record_or_none(self, component_id: str) -> ComponentRecord | None:
        with contextlib.suppress(ComponentError):
            known = self.store.get(component_id)
            if isinstance(known, ComponentRecord):
                return known
        return None

    # -- tools ---------------------------------------------------------------------------------

    def tools(self) -> Toolset:
        """The tools of all components that can be used now."""
        version = self.store.version()
        if version is None or version != self._tools.version:
            states = self.components()
            records = [state.record for state in states if state.record is not None]
            disabled = {state.id for state in states if not state.enabled}
            self._tools = _Tools(self._settled(version), Toolset(records, disabled))
        return self._tools.toolset

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
        try:
            tool = self.tools().get(name)
        except ToolNotFound as unknown:
            broken = [f"{s.id}: {s.error}" for s in self.components() if s.error is not None]
            raise (ToolNotFound(name, broken) if broken else unknown) from None
        if self.paused:
            raise HostPaused
        if client is not None:
            log.info("%s is called by %s over %s", name, client.name, client.transport)
        record = await self.component(tool.component_id)
        if progress is not None and self._code.known(record) is None:
            progress("compiling", None)
        await self.asking.look()
        call = Call(name, record.id, record.digest, client)
        asks = client is not None and (session or self.session).approvals != Approvals.DENY.value
        running = _Running(
            record,
            session,
            call,
            Caller(client, call, arguments, progress, dialog, self.settings.approval_wait)
            if client and asks
            else None,
        )
        data = arguments if isinstance(arguments, bytes) else _dump(arguments)
        reports = self._reports(record)
        outcome = Outcome(printed=printed, reports=reports)
        requests = Requests(record.id, partial(self._route, running))
        ended, size, reason = "cancelled", None, ""
        self.presence.begin(call, record.id, client)
        try:
            for last in (*[False] * MAX_RERUNS, True):
                value: Any = None
                error: CallError | None = None
                try:
                    answer = await self._run(running, tool, data, outcome, requests)
                    size, value = len(answer), json.loads(answer)
                except InvalidArguments as wrong:
                    error = InvalidArguments(f"Invalid arguments for {name}: {wrong}")
                except CallError as failed:
                    error = type(failed)(f"{name} ({record.id}) {failed}")
                await requests.settled()
                is_error = error is not None or (
                    tool.returns_result and isinstance(value, dict) and "err" in value
                )
                if last or not is_error or not await self._run_again(running, outcome, requests):
                    break
                outcome = Outcome(printed=printed, reports=reports)
                requests = Requests(record.id, partial(self._route, running))
            ended, reason = "error" if is_error else "ok", str(error or "")
        except WassetteError as broken:
            ended, reason = "error", str(broken)
            raise
        finally:
            self.presence.end(call)
            self.asking.end_call(call.id)
            refused = (
                *(Refusal.of_file(record.id, *refused) for refused in outcome.refused),
                *requests.refused,
            )
            output = _decode_output(outcome)
            self._recorder.call(
                call,
                ended,
                arguments=arguments,
                reason=reason,
                result_size=size,
                memory=outcome.memory,
                output=output,
                refused=refused,
                allowed=running.allowed,
                exchanges=requests.exchanges,
            )
            self._used(record, reports, outcome, requests)
        return CallResult(
            tool=tool,
            value=value,
            error=error,
            is_error=is_error,
            output=output,
            refused=refused,
            exchanges=tuple(requests.exchanges),
            call=call.id,
        )

    def _reports(self, record: ComponentRecord) -> str:
        """What the guard is to tell of the files that a call uses, as an option of its rules: all,
        if a person wants to learn it; or which rules, if one may be unused."""
        if record.learn_until > time.time():
            return "a"
        policy = self.policies.read(record.id).policy
        return "u" if self._usage.wants_files(record.id, policy) else ""

    def _used(
        self, record: ComponentRecord, reports: str, outcome: Outcome, requests: Requests
    ) -> None:
        """Have it kept what a call used of what it was granted."""
        made = [one for one in requests.exchanges if one.allowed]
        self._usage.called(
            record.id,
            self.policies.read(record.id).policy,
            self.policies.path(record.id),
            [FileUse(How(how), path) for how, path in outcome.used],
            [NetworkUse(one.method, one.url, one.address or "") for one in made],
            watched=record.digest if reports == "a" else None,
            complete=not outcome.used_more and len(requests.exchanges) < MAX_EXCHANGES,
        )

    async def _run_again(self, running: _Running, outcome: Outcome, requests: Requests) -> bool:
        """Whether a call that failed may be run again as if it had not been: it had no effect yet,
        and a person has allowed what it was refused of files."""
        if running.caller is None or not outcome.refused or outcome.changed or requests.sent:
            return False
        from .approvals.model import StorageAccess, What

        record = running.record
        state = self._policy(record.id, record)
        if state.error is not None:
            return False
        grants = await self.current_grants(record.id, running.session, running)
        roots = _named_roots(state.policy)
        granted = False
        for kind, path in outcome.refused[:MAX_QUESTIONS]:
            if (kind, path) in running.asked or len(running.asked) >= MAX_QUESTIONS:
                continue
            running.asked.add((kind, path))
            subject = StorageAccess(
                path,
                Access(kind.removeprefix("storage-")),
                What(_what_is_at(path, grants)),
                root=path.lstrip("/").partition("/")[0] in roots,
            )
            answer = await self.asking.ask(subject, running.component, running.caller, ())
            if not answer.allowed:
                return False
            running.allowed.append((kind, path))
            granted = True
        return granted

    async def _run(
        self,
        running: _Running,
        tool: Tool,
        arguments: bytes,
        outcome: Outcome,
        requests: Requests,
    ) -> bytes:
        record = running.record
        grants = await self.current_grants(record.id, running.session, running)
        for attempt in (1, 2):
            code = await self._code.get(record)
            if code.tier is Tier.WINCH:
                self._improve(record)
            running.clock = Clock(grants.limits.timeout)
            try:
                return await self._pool.call(
                    self._spec(record, code, grants),
                    tool.function.interface,
                    tool.function.name,
                    arguments,
                    running.clock,
                    outcome,
                    requests.answer,
                )
            except CodeUnusable as error:
                if attempt == 2:
                    raise
                log.warning("component %s is compiled again: %s", record.id, error)
                code.path.unlink(missing_ok=True)
        raise AssertionError("unreachable")

    async def _route(
        self, running: _Running, want: Want, door: Door, record: Callable[[Exchange], None]
    ) -> Route:
        """Where a request goes, by the policy as it is now: what was revoked a moment ago counts.

        Raises `RequestRefused`. Nothing was sent yet, and the component waits; so it does while a
        person is asked about what no rule covers.
        """
        while True:
            held = Held(record)
            try:
                return await door.route(want, await self._rules(running), held)
            except RequestRefused as refused:
                answer = await self._asked_about(running, want, refused)
                if answer is None:
                    raise
                if not answer.allowed:
                    raise RequestRefused(
                        refused.code,
                        f"{refused}; {answer.reason}",
                        grantable=True,
                        address=refused.address,
                    ) from None
                held.drop()
            finally:
                held.pass_on()

    async def _asked_about(
        self, running: _Running, want: Want, refused: RequestRefused
    ) -> Answer | None:
        """What a person says to a request that was refused; None if nobody is asked."""
        state = self._policy(running.record.id, running.record)
        if running.caller is None or not refused.grantable or state.error is not None:
            return None
        from .approvals.model import NetworkAccess

        try:
            target = NetworkTarget.parse(
                f"{want.scheme}://{want.authority}{want.path}", want.method
            )
        except PolicyError:
            return None
        key = (target.method, target.scheme, target.host, target.port, refused.address)
        if key in running.asked or len(running.asked) >= MAX_QUESTIONS:
            return None  # what was allowed then makes no difference, and what was denied counts
        running.asked.add(key)
        subject = NetworkAccess(target, refused.address)
        with running.clock.stopped():
            return await self.asking.ask(subject, running.component, running.caller, ())

    async def _rules(self, running: _Running) -> Rules:
        """What decides about requests. A broken policy allows nothing."""
        from .egress import Rules

        component_id = running.record.id
        grants = await self.current_grants(component_id, running.session, running)
        # Read last: reading secrets may have taken as long as a person does.
        state = self._allowed(component_id, running)
        return Rules(state.policy, grants.secrets)

    def _spec(self, record: ComponentRecord, code: Code, grants: Grants) -> WorkerSpec:
        return WorkerSpec(
            component=record.id,
            code=str(code.path),
            sha256=code.sha256,
            tier=code.tier,
            mounts=tuple((m.host, m.guest, m.writable) for m in grants.mounts),
            file_rules=grants.file_rules,
            openings=tuple(one.plain() for one in grants.openings),
            walls=self.settings.walls,
            environment=grants.environment,
            memory=grants.limits.memory,
            cpu=grants.limits.cpu,
            network=record.network,
        )

    def _improve(self, record: ComponentRecord) -> None:
        """Have better code made in the background, in a host that stays."""
        key = f"improve {record.digest}"
        if not self._changed or any(task.get_name() == key for task in self._tasks):
            return

        async def improve() -> None:
            try:
                await self._code.improve(record)
            except (WassetteError, OSError) as error:
                log.warning("component %s keeps its first code: %s", record.id, error)

        self._background(improve(), key)

    def _warm(self, component_id: str) -> None:
        """Have a worker ready before the first call, in a host that stays."""
        if not self._changed or self.store.is_disabled(component_id):
            return

        async def warm() -> None:
            with contextlib.suppress(WassetteError):
                record = await self.component(component_id)
                code = await self._code.get(record)
                grants = await self.current_grants(component_id)
                self._pool.warm(self._spec(record, code, grants))

        self._background(warm(), f"warm {component_id}")

    def serves_on(self, port: int) -> None:
        """Wassette itself listens on this port of this machine: no component gets there."""
        self._way_out.shut(port)

    # -- permissions ---------------------------------------------------------------------------

    async def read_secrets(self, component_id: str) -> None:
        """Have the secrets at hand that the component's policy is about, for `grants`, `policy` and
        `explain`. A person may have to unlock the keyring. Raises `ComponentNotFound`."""
        self._check_known(component_id)
        await self._read_secrets(component_id, self.policies.read(component_id).policy)

    async def _read_secrets(self, component_id: str, policy: Policy | None) -> ComponentSecrets:
        secrets = self._secrets_for(component_id, policy)
        if secrets.error is not None:
            log.warning("component %s runs without variables: %s", component_id, secrets.error)
        elif not secrets.unread.keys().isdisjoint(_variables(policy)):
            with contextlib.suppress(SecretError):  # changed meanwhile; the next call tells
                secrets = await self._secret_reader.read(component_id)
        return secrets

    async def current_grants(
        self, component_id: str, session: Session | None = None, running: _Running | None = None
    ) -> Grants:
        """What a component may use now in a call of `session`, with its secrets, as `read_secrets`
        gets them; and what a person has allowed this call besides."""
        while True:
            policy = self._allowed(component_id, running).policy
            secrets = await self._read_secrets(component_id, policy)
            # Reading takes as long as a person does. Meanwhile the policy may be another one.
            state = self._allowed(component_id, running)
            if _variables(state.policy) <= _variables(policy):
                return self._grants(component_id, state, secrets, session)

    def _policy(self, component_id: str, record: ComponentRecord | None = None) -> PolicyState:
        """A component's policy. Until a person has seen what is different about its bytes, it
        counts as one that cannot be read."""
        state = self.policies.read(component_id)
        if state.status is PolicyStatus.ABSENT:
            return state
        record = record or self._record_or_none(component_id)
        if record is None or not record.unseen:
            return state
        return PolicyState(
            PolicyStatus.BROKEN,
            error=PolicyError(
                f"'{component_id}' has changed since a person last saw it, and its permissions "
                f"wait until one has: wassette component load {visible(record.source, 500)}"
            ),
        )

    def _allowed(self, component_id: str, running: _Running | None) -> PolicyState:
        """A component's policy, with what a person has allowed for a while, which its deny rules
        beat."""
        state = self._policy(component_id, running.record if running is not None else None)
        if running is None or state.error is not None:
            return state
        call = running.call
        extra = self.asking.allowed(running.bytes, call.about.get("session", ""), call.id)
        return state if extra is None else _with(state, extra)

    def grants(self, component_id: str) -> Grants:
        """What a component may use now, without secrets that have not been read yet.

        A broken policy gives nothing.
        """
        state = self._policy(component_id)
        return self._grants(component_id, state, self._secrets_for(component_id, state.policy))

    def _grants(
        self,
        component_id: str,
        state: PolicyState,
        secrets: ComponentSecrets,
        session: Session | None = None,
    ) -> Grants:
        if state.error is not None:
            log.warning("component %s runs without permissions: %s", component_id, state.error)
        bound, notes = self._bound(component_id)
        session = session or self.session
        resolved = self._resolved.setdefault(session, {})
        known = resolved.get(component_id)
        if known is not None and known.fits(state, bound, secrets):
            return known.grants
        grants = resolve(
            state.policy,
            environment=session.environment,
            private_root=self._roots / component_id,
            protected=self._protected(),
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

    def _secrets_for(self, component_id: str, policy: Policy | None) -> ComponentSecrets:
        """Those that can be had at once. If it cannot even be known which there are, none of the
        variables that the policy allows: any of them could be meant to be a secret."""
        if not _variables(policy):
            return _NO_SECRETS
        try:
            return self._secrets.peek(component_id) or self._secrets.unread(component_id)
        except SecretError as error:
            return ComponentSecrets(
                unread=dict.fromkeys(_variables(policy), str(error)), error=str(error)
            )

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
        self._check_known(component_id)
        state = self._policy(component_id)
        if state.error is not None:
            return Verdict(
                False, f"the policy cannot be read, so nothing is allowed: {state.error}"
            )
        storage = Storage()
        if kind is Kind.STORAGE and state.policy is not None:
            storage = self._storage(component_id, state.policy)
        secrets = self._secrets_for(component_id, state.policy)
        situation = Situation(storage, self.settings.environment, secrets.values, secrets.unread)
        return explain(state.policy, kind, target, situation, access=access, method=method)

    def _storage(self, component_id: str, policy: Policy) -> Storage:
        return resolve_storage(
            policy.storage_allow,
            policy.storage_deny,
            private_root=self._roots / component_id,
            protected=self._protected(),
            bound=self._bound(component_id)[0],
        )

    def _bound(self, component_id: str) -> tuple[dict[str, Path], tuple[str, ...]]:
        try:
            return self.policies.roots(component_id), ()
        except PolicyError as error:
            return {}, (f"no named root is bound: {error}",)

    async def bind_root(self, component_id: str, name: str, directory: Path) -> Path:
        """Have a named root be a directory, in place of the component's private one.

        Returns its canonical path. Raises `ComponentNotFound`, `PolicyError`. Only for people:
        it gives what the rules for `fs://name/…` are about.
        """
        self._check_known(component_id)

        def bind() -> Path:
            path = check_bindable(directory, self._protected())
            self.policies.bind(component_id, name, path)
            return path

        bound = await asyncio.to_thread(bind)
        self._recorder.change(f"bind root {name} to {bound}", component_id)
        self._notify()
        return bound

    async def unbind_root(self, component_id: str, name: str) -> bool:
        """Have a named root be the component's private directory again; whether it was not."""
        self._check_known(component_id)
        done = await asyncio.to_thread(self.policies.bind, component_id, name, None)
        if done:
            self._recorder.change(f"unbind root {name}", component_id)
        return done

    def policy(self, component_id: str) -> PolicyView:
        """A component's policy. Raises `ComponentNotFound`."""
        self._check_known(component_id)
        state = self._policy(component_id)
        path = self.policies.path(component_id)
        roots, _ = self._bound(component_id)
        if state.status is not PolicyStatus.LOADED:
            error = str(state.error) if state.error else None
            return PolicyView(component_id, state.status, path, error=error, roots=roots)
        document = PolicyDocument.from_text(path.read_text(encoding="utf-8"), str(path))
        notes = self.grants(component_id).notes
        return PolicyView(
            component_id, state.status, path, document.to_plain(), notes=notes, roots=roots
        )

    async def grant_storage(self, component_id: str, uri: str, access: list[str]) -> None:
        """Raises `PolicyError`; `NotEnforceable` for what would have to be widened."""
        kinds = _access(access)

        def grant(document: PolicyDocument) -> bool:
            check_enforceable_storage(uri, self._protected())
            return document.grant_storage(uri, kinds)

        words = ",".join(sorted(kinds))
        await self._edit(component_id, grant, f"grant storage {words} {uri}")

    async def revoke_storage(self, component_id: str, uri: str) -> bool:
        """Take all access to a URI back. Returns whether there was any."""
        return await self._edit(
            component_id, lambda document: document.revoke_storage(uri), f"revoke storage {uri}"
        )

    async def grant_network(self, component_id: str, host: str) -> None:
        await self._edit(
            component_id, lambda document: document.grant_network(host), f"grant network {host}"
        )

    async def grant_network_rule(self, component_id: str, rule: NetworkRule) -> None:
        """As `grant_network`; also for some methods, or a range of addresses."""
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
        """Let a component send a variable's value to some hosts without seeing it."""
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
        """`limit`: `512Mi`, `1Gi`, plain bytes."""
        await self._edit(
            component_id, lambda document: document.set_memory(limit), f"grant memory {limit}"
        )

    def check_attachable(self, component_id: str, document: PolicyDocument) -> None:
        """Whether `attach_policy` would work, once there is such a component. Raises as it does."""
        for rule in document.policy.storage_allow:
            check_enforceable_storage(rule.uri, self._protected())
        self.policies.check_attachable(component_id, document.to_text())

    async def attach_policy(self, component_id: str, document: PolicyDocument, source: str) -> bool:
        """Have a whole policy, from `source`, be a component's. Returns whether it was another.

        Only for what a person wrote. Raises `ComponentNotFound`, `PolicyConflict` if the policy
        that is there is a person's own, `NotEnforceable` for what would have to be widened.
        """
        self._check_known(component_id)
        self.check_attachable(component_id, document)
        done = await asyncio.to_thread(
            self.policies.attach, component_id, document.to_text(), source
        )
        if done:
            self._recorder.change("attach policy", component_id, reason=source)
        return done

    def wanted(self, component_id: str) -> Wanted | None:
        """The permissions that a component came with and does not have; None if there are none."""
        record = self._record_or_none(component_id)
        state = self.policies.read(component_id)
        if record is None or state.status is PolicyStatus.BROKEN:
            return None
        return wanted(record, state.policy)

    async def ask_for_wanted(self, component_id: str, caller: Caller) -> Answer:
        """Ask a person for those. What is allowed is in the policy then, whoever decided it."""
        record = await self.component(component_id)
        asks = self.wanted(component_id)
        if asks is None:
            return Answer(False, "it asks for nothing that it does not have")
        from .approvals.model import Component

        subject, notes = await asyncio.to_thread(question, asks, self._enforceable)
        if subject is None:
            return Answer(False, "; ".join(notes))
        component = Component(record.id, record.digest)
        facts = await asyncio.to_thread(self._provenances.facts_of, record)
        answer = await self.asking.ask(subject, component, caller, notes, facts)
        self._notify()
        return answer

    async def grant_wanted(self, component_id: str, digest: str) -> tuple[str, ...]:
        """Give a component what it came with, all of it. Only for people, who say that they trust
        it. Returns what was given, a line each.

        Raises `ComponentChanged` if its bytes are not those with this digest, `NotEnforceable`,
        `PolicyError`.
        """
        asks = self.wanted(component_id)
        if asks is None:
            return ()
        for rule in asks.policy.storage_allow:
            check_enforceable_storage(rule.uri, self._protected())

        def grant(document: PolicyDocument) -> bool:
            if self._current_digest(component_id) != digest:
                raise ComponentChanged(f"'{component_id}' has changed meanwhile: load it again")
            return add(document, asks.policy)

        await self._edit(component_id, grant, "grant what it came with")
        return asks.lines

    def trusted(self, record: ComponentRecord) -> bool:
        """Whether somebody signed it whom the settings name."""
        return self._provenances.trusts(record.signature)

    async def write_policy(self, component_id: str, text: str, version: str) -> bool:
        """Have `text` be a component's policy, in place of the one that `version` names
        (`policies.text`). Returns whether it is another one.

        Only for what a person wrote. Raises `ComponentNotFound`, `PolicyChanged`, `PolicyError`.
        """
        self._check_known(component_id)

        def write() -> bool:
            document = PolicyDocument.from_text(text, "policy")
            for index, rule in enumerate(document.policy.storage_allow):
                try:
                    check_enforceable_storage(rule.uri, self._protected())
                except PolicyError as error:
                    line = document.line(f"storage.allow[{index}]")
                    raise PolicyError(f"policy:{line}: {error}") from None
            return self.policies.write(component_id, text, version)

        done = await asyncio.to_thread(write)
        if done:
            self._recorder.change("write the policy", component_id)
        self._notify()
        return done

    async def unused_grants(self, component_id: str) -> list[UnusedGrant]:
        """What a component may do, and was not seen to do for a month. Raises
        `ComponentNotFound`."""
        self._check_known(component_id)
        return await self._usage.unused(
            component_id,
            self.policies.read(component_id).policy,
            self.policies.path(component_id),
        )

    def protect(self, path: Path) -> None:
        """Give no component access to this file, whatever is granted: it is what grants are read
        from."""
        self._also_protected = (*self._also_protected, path)
        self._resolved.clear()

    async def reset_permissions(self, component_id: str) -> None:
        """Take every permission back."""
        self._check_known(component_id)
        await asyncio.to_thread(self.policies.reset, component_id)
        record = self._record_or_none(component_id)
        if record is not None and record.unseen:  # there is nothing that could be inherited
            await asyncio.to_thread(self.store.mark_seen, component_id, record.digest)
        self._recorder.change("take every permission back", component_id)
        self._notify()

    # -- secrets: only for people --------------------------------------------------------------

    async def secrets(self, component_id: str) -> ComponentSecrets:
        """A component's secrets, whether it is loaded or not. Raises `SecretError`."""
        return await in_thread(lambda: self._secrets.read(component_id))

    def has_secret(self, component_id: str, key: str) -> bool:
        """Whether the component has a secret of this name; also if that cannot be known."""
        try:
            known = self._secrets.peek(component_id) or self._secrets.unread(component_id)
        except SecretError:
            return True
        return key in known.places

    async def set_secrets(self, component_id: str, values: Mapping[str, str]) -> Kept:
        """Keep secrets for a component, which need not be loaded yet. Raises `SecretError`."""
        return await in_thread(lambda: self._secrets.set(component_id, values))

    async def delete_secrets(self, component_id: str, keys: Collection[str]) -> list[str]:
        """Delete secrets; which of them there were. Raises `SecretError`."""
        return await in_thread(lambda: self._secrets.delete(component_id, keys))

    # -- what only people may do ---------------------------------------------------------------

    # What an agent asks for, and `asking` a person allows: see mcp/builtin.py.

    async def digest_of(self, reference: str) -> str:
        """The sha256 of a component's bytes. Raises `InvalidReference`."""
        located = sources.locate(reference)
        incoming = self.store.incoming()
        try:
            async with self.fetching.fetch(located, incoming) as pulled:
                return pulled.digest
        finally:
            incoming.unlink(missing_ok=True)

    def loaded(self, component_id: str) -> Component | None:
        """What is loaded under this id, as approvals name it."""
        from .approvals.model import Component

        record = self._record_or_none(component_id)
        return None if record is None else Component(record.id, record.digest)

    def facts_unfetched(self) -> list[Fact]:
        """What a person should know before something is fetched."""
        return self._provenances.facts_unfetched()

    async def prospect(self, reference: str, digest: str) -> Prospect:
        """What a person should know before these bytes are loaded, or take the place of those
        that are. They are examined for that only if the ones that are there have permissions;
        otherwise nothing of them is compiled or run.

        Raises `ComponentError`, `NotSigned` if they may not be loaded at all.
        """
        from .approvals.seen import View, changes
        from .approvals.text import quoted

        located = sources.locate(reference)
        before = self._record_or_none(located.id)
        incoming = self.store.incoming()
        try:
            async with self.fetching.fetch(located, incoming) as pulled:
                if pulled.digest != digest:
                    raise DigestMismatch(f"{located.source} changed while it was looked at")
                origin = await self._provenances.look(pulled, located.path)
                data = await asyncio.to_thread(incoming.read_bytes)
            self._provenances.check(origin, changes=False)
            notes = self._provenances.notes(origin)
            facts = tuple(await asyncio.to_thread(self._provenances.facts, origin, data))
            if before is None:
                return Prospect(tuple(notes), facts)
            notes.append(f"{located.id} is loaded already; this takes its place")
            if self.policies.read(located.id).status is PolicyStatus.ABSENT:
                return Prospect(tuple(notes), facts)
            after = self._from(
                origin,
                await self._examine(located.id, incoming, digest, located.source, lambda *_: None),
                before,
            )
        except InvalidComponent as error:
            raise InvalidComponent(f"{located.source} {error}") from None
        finally:
            incoming.unlink(missing_ok=True)
        texts = [*before.unseen, *(one.text for one in changes(View.of(before), View.of(after)))]
        # A note is cut where it is long, and there are only so many.
        if len(texts) > MAX_NOTES or any(
            len(quoted(text, 10 * MAX_NOTE)) > MAX_NOTE for text in texts
        ):
            notes += [
                f"more is different than can be shown here: the permissions of {located.id} wait "
                "until you load it at a terminal, which shows it",
                *texts[:MAX_NOTES],
            ]
            return Prospect(tuple(notes), facts, complete=False)
        notes += [f"it gets the permissions that {located.id} has", *texts]
        return Prospect(tuple(notes), facts)

    def has_rule(self, component_id: str, rule: Rule) -> bool:
        """Whether the policy has this very rule already."""
        policy = self.policies.read(component_id).policy
        if policy is None:
            return False
        have = (*policy.storage_allow, *policy.network_allow, *policy.environment_allow)
        return rule in have

    def changed(self) -> None:
        """Something was changed by an approval: have those who watch told at once."""
        self._notify()

    async def _edit(
        self, component_id: str, change: Callable[[PolicyDocument], bool], what: str
    ) -> bool:
        """`what` it does, for the record."""
        self._check_known(component_id)

        def edit() -> bool:
            with self.policies.edit(component_id) as document:
                return change(document)

        done = await asyncio.to_thread(edit)
        if done:
            self._recorder.change(what, component_id)
        self._notify()
        return done

    def _check_known(self, component_id: str) -> None:
        if not self.store.path(component_id).is_file():
            raise ComponentNotFound(component_id)

    def _protected(self) -> tuple[Path, ...]:
        ours = (*paths().all, self.settings.component_dir, self._secrets.directory)
        return (*ours, *self._also_protected)

    # -- what approvals need to know -----------------------------------------------------------

    def _current_digest(self, component_id: str) -> str | None:
        record = self._record_or_none(component_id)
        return record.digest if record is not None else None

    def _write_rule(self, request: ApprovalRequest, rule: Rule) -> None:
        from .approvals.write import write_rule

        write_rule(
            self.policies,
            request,
            rule,
            current=self._current_digest,
            protected=self._protected(),
        )

    def _enforceable(self, rule: Rule) -> bool:
        if isinstance(rule, StorageRule):
            try:
                check_enforceable_storage(rule.uri, self._protected())
            except PolicyError:
                return False
        return True

    # -- clients -------------------------------------------------------------------------------

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
            self._background(self.asking.end_session(client.session), "end session")

    # -- changes -------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def watching(self, changed: Callable[[Change], None]) -> AsyncIterator[None]:
        """For a host that stays: call `changed` whenever something is otherwise than before,
        whoever changed it, and prepare what will be needed."""
        if not self._changed:
            self._seen = self._look()
            self._background(self._watch(), "watch")
        self._changed.append(changed)
        try:
            yield
        finally:
            self._changed.remove(changed)

    async def _watch(self) -> None:
        for state in await self.examined():
            if state.error is not None:
                log.warning("component %s: %s", state.id, state.error)
        for state in self.components():
            if state.record is not None:
                self._warm(state.id)
                break  # one, so that the fork server runs; the others when they are called
        async with Noticing(self.store.directory, WATCH_INTERVAL) as noticing:
            while self._changed:
                told = await noticing.wait()
                version, seen = self.store.version(), self._seen
                known = seen is not None and version is not None and version == seen.version
                if known and not told:
                    continue
                try:
                    if any(state.error == _UNEXAMINED for state in self.components()):
                        await self.examined()
                    self._notify()
                except WassetteError as error:
                    log.warning("%s", error)

    def _look(self) -> _Seen:
        version = self._settled(self.store.version())
        components: dict[str, tuple[object, ...]] = {}
        for state in self.components():
            policy = self.policies.read(state.id)
            known = state.record.digest if state.record is not None else state.error
            what = known, state.enabled
            roots = self._bound(state.id)[0]
            components[state.id] = what, policy.policy, str(policy.error), roots
        return _Seen(version, self.tools(), self.paused, components)

    def _notify(self) -> None:
        """Tell those who watch of what is otherwise than they know."""
        if self._seen is None:
            return
        now = self._look()
        change = now.changed_since(self._seen)
        self._seen = now
        if change:
            for changed in list(self._changed):
                changed(change)

    @staticmethod
    def _settled(version: object) -> object:
        """`version`, or None while it is so young that another change might not show in it."""
        if isinstance(version, tuple) and abs(time.time_ns() - version[0]) < _RACY_NS:
            return None
        return version

    def _background(self, work: Any, name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)


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


def _retention(settings: Settings) -> Retention:
    """How much of the record is kept: as configured now, or as it was when the host started."""
    try:
        return retention()
    except ConfigError as error:
        log.warning("the activity record is kept as before: %s", error)
        return settings.retention


def _named_roots(policy: Policy | None) -> set[str]:
    uris = [rule.uri for rule in policy.storage_allow] if policy is not None else []
    named = [uri.removeprefix("fs://") for uri in uris if not uri.startswith("fs:///")]
    return {name.partition("/")[0] for name in named}


def _what_is_at(path: str, grants: Grants) -> str:
    """`file`, `directory` or `missing`: what a component's path is, as far as can be seen."""
    for mount in sorted(grants.mounts, key=lambda one: -len(one.guest)):
        below = path.removeprefix(mount.guest.rstrip("/") + "/")
        if below != path:
            path = f"{mount.host}/{below}"
            break
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return "missing"
    return "directory" if stat.S_ISDIR(mode) else "file"


def _variables(policy: Policy | None) -> set[str]:
    """The variables that a policy takes values from."""
    return {rule.variable for rule in policy.environment_allow} if policy is not None else set()


def _access(words: list[str]) -> frozenset[Access]:
    if not words:
        raise PolicyError("Storage access cannot be empty")
    for word in words:
        if word not in set(Access):
            raise PolicyError(f"Invalid access type: {word[:40]!r}; there are read and write")
    return frozenset(Access(word) for word in words)


def _dump(arguments: Mapping[str, Any]) -> bytes:
    # Lone surrogates cannot be encoded, but are valid in JSON as escapes; the codec refuses them.
    return _COMPACT.encode(arguments).encode()


def _decode_output(outcome: Outcome) -> str:
    text = outcome.output.decode("utf-8", "replace")
    return text + f"\n[{outcome.dropped} bytes or more left out]" if outcome.dropped else text


def _ignore(_done: int, _total: int) -> None:
    pass
