"""YAML text → a small tree that knows where everything stands in the text.

Policies are written by strangers, so less than YAML is accepted: one document, no anchors,
aliases, merge keys or tags (they build structures larger than the text, or not what it looks
like), text keys only, each key once. Scalars are those of YAML 1.2's core schema: a date is text.

ruamel.yaml's event stream is used rather than its loaders because it neither recurses nor builds
anything before we have looked at it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from wassette.errors import PolicyError, visible
from wassette.policy.rules import check_text

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 256 * 1024
# A policy is 6 deep and has 5 events for each rule; unknown keys may need a little more.
_MAX_DEPTH = 32
_MAX_EVENTS = 20_000

Value: TypeAlias = str | int | float | bool | None

_INT = re.compile(r"[-+]?[0-9]{1,30}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, Value] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass
class Scalar:
    """`text[start:end]` is the scalar as written, quotes included; `line` counts from 1."""

    value: Value
    line: int
    start: int
    end: int


@dataclass
class Sequence:
    """`column` counts from 0: where the dashes stand, unless `flow` (written in brackets)."""

    items: list[Node]
    line: int
    start: int
    end: int
    column: int
    flow: bool


@dataclass
class Mapping:
    """As `Sequence`; `column` is where the keys stand. The keys' nodes are in `keys`."""

    items: dict[str, Node]
    keys: dict[str, Scalar]
    line: int
    start: int
    end: int
    column: int
    flow: bool


Node: TypeAlias = Scalar | Sequence | Mapping


def refused(source: str, line: int, reason: str) -> PolicyError:
    """A `PolicyError` that names the place."""
    return PolicyError(f"{visible(source, 400)}:{line}: {reason}")


def read_nodes(text: str, source: str, what: str = "policy") -> Mapping:
    """The document's root mapping. `PolicyError` (`source:line: reason`) for anything else.

    `what` the text is, for the reasons.
    """
    # Every character is at least one byte.
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise refused(source, 1, f"a {what} is at most {MAX_BYTES // 1024} KiB")
    try:
        return _Builder(text, source, what).build()
    except PolicyError:
        raise
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = visible(str(error.problem or error.context or "not valid YAML"))
        raise refused(source, mark.line + 1 if mark else 1, reason) from error
    except (YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise refused(source, 1, f"not valid YAML: {visible(str(error))}") from error
    except Exception as error:
        # The library has bugs that hostile text reaches (an IndexError, an AssertionError). The
        # policy is then as unreadable as any other: refused, rather than the host stopped.
        raise refused(source, 1, f"not valid YAML ({type(error).__name__})") from error


def plain(node: Node) -> Value | list[object] | dict[str, object]:
    """The tree as JSON-able data."""
    if isinstance(node, Mapping):
        return {key: plain(value) for key, value in node.items.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return node.value


class _Builder:
    def __init__(self, text: str, source: str, what: str) -> None:
        self.text = text
        self.source = source
        self.what = what
        self.root: Node | None = None
        self.stack: list[Sequence | Mapping] = []
        self.key: Scalar | None = None

    def build(self) -> Mapping:
        documents = 0
        for count, event in enumerate(self._events()):
            if count > _MAX_EVENTS:
                raise self._refused(event, f"the {self.what} has too many entries")
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._refused(event, f"a {self.what} is one document: remove '---'")
                if event.tags or event.version not in (None, (1, 2)):
                    raise self._refused(event, "YAML directives are not supported")
            else:
                self._take(event)
        if not isinstance(self.root, Mapping):
            raise refused(self.source, 1, f"a {self.what} must be a mapping with 'version'")
        return self.root

    def _events(self) -> Iterator[Event]:
        yield from YAML(typ="safe", pure=True).parse(self.text)

    def _take(self, event: Event) -> None:
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None:
            raise self._refused(
                event, "YAML anchors and aliases are not supported: repeat the text"
            )
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise self._refused(event, f"YAML tags are not supported: {visible(str(tag))}")
        if isinstance(event, ScalarEvent):
            self._add(event, self._scalar(event))
        elif isinstance(event, SequenceStartEvent | MappingStartEvent):
            self._open(event)
        elif isinstance(event, SequenceEndEvent | MappingEndEvent):
            done = self.stack.pop()
            if done.flow:
                done.end = event.end_mark.index
            else:
                done.end = self._last_end(done)

    def _open(self, event: SequenceStartEvent | MappingStartEvent) -> None:
        if len(self.stack) >= _MAX_DEPTH:
            raise self._refused(event, f"the {self.what} is nested over {_MAX_DEPTH} deep")
        mark = event.start_mark
        line, start, column = mark.line + 1, mark.index, mark.column
        flow = bool(event.flow_style)
        node: Sequence | Mapping
        if isinstance(event, SequenceStartEvent):
            node = Sequence([], line, start, start, column, flow)
        else:
            node = Mapping({}, {}, line, start, start, column, flow)
        self._add(event, node)
        self.stack.append(node)

    def _add(self, event: Event, node: Node) -> None:
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        if isinstance(parent, Sequence):
            parent.items.append(node)
        elif self.key is None:
            self.key = self._checked_key(event, node, parent)
        else:
            key, self.key = self.key, None
            if isinstance(node, Scalar) and node.start == node.end:
                # The library puts nothing after a colon at the next token, lines further on.
                colon = self.text.find(":", key.end, node.start)
                after_key = colon >= 0 and not self.text[key.end : colon].strip()
                node.start = node.end = colon + 1 if after_key else key.end
                node.line = key.line
            assert isinstance(key.value, str)
            parent.items[key.value] = node
            parent.keys[key.value] = key

    def _checked_key(self, event: Event, node: Node, parent: Mapping) -> Scalar:
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            raise self._refused(event, "a key must be text")
        if node.value == "<<":
            raise self._refused(event, "YAML merge keys are not supported: repeat the text")
        if node.value in parent.items:
            raise self._refused(event, f"the key '{visible(node.value)}' is there twice")
        return node

    def _scalar(self, event: ScalarEvent) -> Scalar:
        start, end = event.start_mark.index, event.end_mark.index
        text: str = event.value
        try:
            check_text(text, "the text")
        except PolicyError as error:
            raise self._refused(event, str(error)) from None
        if event.style in ("|", ">"):
            # Its mark is behind the blank lines that follow it.
            end = start + len(self.text[start:end].rstrip())
        value = text if event.style else _resolve(text)
        return Scalar(value, event.start_mark.line + 1, start, end)

    def _last_end(self, node: Sequence | Mapping) -> int:
        last = node.items[-1] if isinstance(node, Sequence) else list(node.items.values())[-1]
        return last.end

    def _refused(self, event: Event, reason: str) -> PolicyError:
        mark = event.start_mark
        return refused(self.source, mark.line + 1 if mark else 1, reason)


def _resolve(text: str) -> Value:
    """A plain scalar's value by YAML 1.2's core schema (octal and hexadecimal stay text)."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if len(text) <= 40 and _FLOAT.fullmatch(text):
        value = float(text)
        # Beyond a float's range is not JSON.
        return value if abs(value) != float("inf") else text
    return text
