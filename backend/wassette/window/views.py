"""What a host knows, as the API answers it."""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Literal

from wassette import errors
from wassette.policy import PolicyDocument, PolicyStatus
from wassette.policy.rules import named_root

from . import models, problems, words
from .words import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from wassette.activity import Entry
    from wassette.answers import Arrival, ComponentState
    from wassette.host import Host
    from wassette.policy import Policy
    from wassette.toolset import Tool
    from wassette.usage import UnusedGrant


# ---- components ----------------------------------------------------------------------------------


class Components:
    """Components for lists and for themselves."""

    def __init__(self, host: Host, last_used: Callable[[str], float | None]) -> None:
        self._host, self._last_used = host, last_used

    def all(self, after: str | None, limit: int) -> models.Components:
        """`limit` components with ids after `after`."""
        states = [one for one in self._host.components() if after is None or one.id > after]
        page = states[:limit]
        tools = _by_component(self._host.tools().all())
        running = self._running()
        return models.Components(
            items=[self._summary(one, tools.get(one.id, []), running[one.id]) for one in page],
            next=page[-1].id if len(states) > limit else None,
        )

    def one(self, state: ComponentState, unused: Sequence[UnusedGrant]) -> models.ComponentDetail:
        tools = self._host.tools().of(state.id)
        record = state.record
        summary = self._summary(state, tools, self._running()[state.id], unused)
        return models.ComponentDetail(
            **{**summary.model_dump(), "tools": [_tool(one) for one in tools]},
            unavailable=[
                models.UnavailableFunction(name=clean(one.base_name), why=clean(one.unavailable))
                for one in (record.functions if record else ())
                if one.unavailable is not None
            ],
            imports=[clean(one) for one in record.imports] if record else [],
            producers=dict(record.producers) if record else {},
            wit=clean(record.wit) if record and record.wit is not None else None,
        )

    def _running(self) -> Counter[str]:
        return Counter(one.component_id for one in self._host.presence.calls())

    def _summary(
        self,
        state: ComponentState,
        tools: list[Tool],
        running: int,
        unused: Sequence[UnusedGrant] = (),
    ) -> models.ComponentSummary:
        record, policy = state.record, self._host.policies.read(state.id)
        return models.ComponentSummary(
            id=state.id,
            state=_state(state),
            enabled=state.enabled,
            error=clean(state.error) if state.error is not None else None,
            description=clean(record.description) if record else "",
            source=clean(record.source) if record else None,
            digest=record.digest if record else None,
            size=record.stamp.size if record else None,
            loaded=record.loaded_at if record else None,
            last_used=self._last_used(state.id),
            running=running,
            tools=[_tool_name(one) for one in tools],
            capabilities=words.capabilities(record.imports) if record else [],
            permissions=words.permissions(policy.policy, unused=_days(unused))
            if unused
            else words.summary(policy.policy),
            policy_error=str(policy.error) if policy.error is not None else None,
            unseen=[clean(one) for one in record.unseen] if record else [],
        )


def _state(state: ComponentState) -> models.ComponentStateName:
    if state.record is None:
        return "unexamined" if state.error == "has not been examined yet" else "broken"
    if not state.enabled:
        return "disabled"
    return "unseen" if state.record.unseen else "ready"


def _by_component(tools: Iterable[Tool]) -> dict[str, list[Tool]]:
    found: dict[str, list[Tool]] = defaultdict(list)
    for tool in tools:
        found[tool.component_id].append(tool)
    return found


def _tool_name(tool: Tool) -> models.ToolName:
    return models.ToolName(
        name=tool.name,
        own_name=clean(tool.function.base_name),
        description=clean(tool.function.shown_description),
    )


def _tool(tool: Tool) -> models.Tool:
    output = tool.function.output_schema
    return models.Tool(
        **_tool_name(tool).model_dump(),
        input_schema=dict(tool.function.input_schema),
        output_schema=None if output is None else dict(output),
    )


def review(
    arrival: Arrival,
    changes: Iterable[str],
    has: Policy | None,
    keeps: bool,
    trusted: bool,
) -> models.LoadReview:
    """What a person should know before a component is taken in. `has`: the policy that it would
    have."""
    from wassette.bundled import wanted
    from wassette.toolset import Toolset

    record, before = arrival.record, arrival.before
    asks = wanted(record, has)

    return models.LoadReview(
        id=record.id,
        digest=record.digest,
        size=record.stamp.size,
        description=clean(record.description),
        tools=[_tool_name(one) for one in Toolset([record]).all()],
        capabilities=words.capabilities(record.imports),
        imports=[clean(one) for one in record.imports],
        asks_for=[] if asks is None else words.permissions(asks.policy, lambda _: None),
        policy=None if asks is None else clean(record.requested),
        signed_by=clean(record.signed_by) if record.signed_by else None,
        trusted=trusted,
        source_changes=[clean(one) for one in arrival.source_changes],
        remarks=[clean(one) for one in arrival.remarks],
        replaces=before.digest if before is not None else None,
        keeps_permissions=keeps,
        changes=[clean(one) for one in changes],
    )


# ---- policies ------------------------------------------------------------------------------------


def _days(unused: Iterable[UnusedGrant]) -> dict[str, int]:
    """By the place of the rule."""
    return {f"{one.kind}.allow[{one.index}]": one.days for one in unused}


def policy(host: Host, component_id: str, unused: Iterable[UnusedGrant] = ()) -> models.Policy:
    """Raises `ComponentNotFound`. For a thread: it reads and parses."""
    view = host.policy(component_id)
    error, where, found = view.error, None, []
    try:
        text, version = host.policies.text(component_id)
    except errors.PolicyError as unreadable:
        text, version = "", ""
        error = error or str(unreadable)
    if error is not None:
        where = problems.place_of(error)
    if view.status is not PolicyStatus.ABSENT and text:
        with contextlib.suppress(errors.PolicyError):
            document = PolicyDocument.from_text(text, "policy")
            found = words.permissions(document.policy, document.line, _days(unused))
    roots = {name: str(path) for name, path in view.roots.items()}
    for permission in found:
        if permission.kind == "storage" and (root := named_root(permission.rule)) is not None:
            roots.setdefault(root, "")
    return models.Policy(
        status=view.status.value,
        yaml=text,
        version=version,
        path=clean(str(view.path)),
        error=clean(error) if error is not None else None,
        where=where,
        notes=[clean(one) for one in view.notes],
        permissions=found,
        roots=[
            models.PolicyRoot(name=name, directory=clean(directory) or None)
            for name, directory in sorted(roots.items())
        ],
    )


def line_of(host: Host, component_id: str, place: str | None) -> int | None:
    """The line of the rule that decided."""
    if place is None:
        return None
    with contextlib.suppress(errors.PolicyError):
        text, _ = host.policies.text(component_id)
        if text:
            return PolicyDocument.from_text(text, "policy").line(place.partition(" ")[0])
    return None


# ---- activity ------------------------------------------------------------------------------------


def entry(one: Entry) -> models.ActivityEntry:
    return models.ActivityEntry(
        number=one.number or 0,
        at=one.at,
        kind=one.kind.value,
        outcome=one.outcome.value,
        what=one.what,
        component=one.component or None,
        digest=one.digest or None,
        tool=one.tool or None,
        client=one.client or None,
        session=one.session or None,
        call=one.call or None,
        reason=one.reason or None,
        seconds=one.seconds,
        detail=dict(one.detail),
    )


# ---- files ---------------------------------------------------------------------------------------


def directory(path: Path, after: str | None, limit: int) -> models.Files:
    """What is in a directory: directories first. Raises `OSError`."""
    found = sorted((_file(one) for one in path.iterdir()), key=_file_key)
    rest = [one for one in found if after is None or _file_key(one) > _parsed(after)]
    page = rest[:limit]
    return models.Files(
        path=clean(str(path)),
        parent=None if path.parent == path else clean(str(path.parent)),
        items=page,
        next=f"{_file_key(page[-1])[0]}{page[-1].name}" if len(rest) > limit else None,
    )


def _file(path: Path) -> models.FileEntry:
    kind: Literal["directory", "file", "other"] = "other"
    size, modified = None, None
    with contextlib.suppress(OSError):
        status = path.stat()
        if path.is_dir():
            kind = "directory"
        elif path.is_file():
            kind, size = "file", status.st_size
        modified = status.st_mtime
    return models.FileEntry(
        name=clean(path.name),
        path=clean(str(path)),
        kind=kind,
        size=size,
        modified=modified,
        hidden=path.name.startswith("."),
    )


def _file_key(one: models.FileEntry) -> tuple[str, str, str]:
    return ("0" if one.kind == "directory" else "1", one.name.casefold(), one.name)


def _parsed(after: str) -> tuple[str, str, str]:
    return after[:1], after[1:].casefold(), after[1:]
