"""What is known of a loaded component, and its form on disk.

`{id}.metadata.json` has Wassette's keys (`component_id`, `tool_schemas`, …), so that tools which
read Wassette's directory still find theirs, and ours under `wassette_desktop`. Only ours are read
back.
The file is data of the user's own, but may have been cut short or edited: what does not fit is
`ValueError`, and the component is examined again.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .names import base_name

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 1
_OUTGOING = "wasi:http/outgoing-handler"
MAX_METADATA = 32 * 1024 * 1024
"""Bytes of a metadata file that are read."""


@dataclass(frozen=True)
class FunctionRecord:
    """An exported function as it was found when the component was compiled."""

    interface: str | None
    name: str
    description: str
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any] | None
    unavailable: str | None
    """Why it cannot be called; None when it can."""

    @property
    def base_name(self) -> str:
        """The tool name that it has when nothing else has it."""
        return base_name(self.interface, self.name)

    @property
    def shown_description(self) -> str:
        """For people and models; never empty."""
        return self.description or f"Auto-generated schema for function '{self.base_name}'"


@dataclass(frozen=True)
class Stamp:
    """What tells at a glance whether a file is still the one that was looked at."""

    size: int
    mtime_ns: int


@dataclass(frozen=True)
class ComponentRecord:
    """A loaded component."""

    id: str
    digest: str
    """sha256 of its bytes, hex."""
    stamp: Stamp
    source: str
    """The reference that it was loaded from."""
    loaded_at: float
    """Unix seconds."""
    description: str
    imports: tuple[str, ...]
    producers: Mapping[str, Any]
    functions: tuple[FunctionRecord, ...]
    wit: str | None = None
    """Its world as WIT text; None when an earlier version examined it."""
    code: Mapping[str, str] = field(default_factory=dict)
    """Compiled code: name in the code cache → sha256 of that file."""
    unseen: tuple[str, ...] = ()
    """What is different since a person last saw it, in plain words; its permissions wait until one
    has. Empty: they have."""
    learn_until: float = 0.0
    """Until when (Unix seconds) all that these bytes use is kept, for a person to learn it."""

    @property
    def tools(self) -> tuple[FunctionRecord, ...]:
        """The functions that can be called."""
        return tuple(f for f in self.functions if f.unavailable is None)

    @property
    def network(self) -> bool:
        """Whether it can make requests."""
        return any(name.partition("@")[0] == _OUTGOING for name in self.imports)

    def with_code(self, name: str, sha256: str) -> ComponentRecord:
        return replace(self, code={**self.code, name: sha256})

    def to_text(self) -> str:
        """The metadata file."""
        tools = [
            {
                "name": f.base_name,
                "description": f.shown_description,
                "inputSchema": f.input_schema,
                **({"outputSchema": f.output_schema} if f.output_schema is not None else {}),
            }
            for f in self.tools
        ]
        return json.dumps(
            {
                "component_id": self.id,
                "tool_schemas": tools,
                "function_identifiers": [
                    {"package_name": None, "interface_name": f.interface, "function_name": f.name}
                    for f in self.tools
                ],
                "tool_names": [tool["name"] for tool in tools],
                "validation_stamp": {
                    "file_size": self.stamp.size,
                    "mtime": self.stamp.mtime_ns // 1_000_000_000,
                    "content_hash": self.digest,
                },
                "created_at": int(self.loaded_at),
                "wassette_desktop": {
                    "format": FORMAT,
                    "mtime_ns": self.stamp.mtime_ns,
                    "source": self.source,
                    "loaded_at": self.loaded_at,
                    "description": self.description,
                    "imports": list(self.imports),
                    "producers": self.producers,
                    "functions": [
                        {
                            "interface": f.interface,
                            "name": f.name,
                            "description": f.description,
                            "input_schema": f.input_schema,
                            "output_schema": f.output_schema,
                            "unavailable": f.unavailable,
                        }
                        for f in self.functions
                    ],
                    "wit": self.wit,
                    "code": dict(self.code),
                    "unseen": list(self.unseen),
                    "learn_until": self.learn_until,
                },
            },
            indent=1,
        )

    @classmethod
    def from_text(cls, component_id: str, text: str | bytes) -> ComponentRecord:
        """Read a metadata file. Raises `ValueError` for anything that is not one of ours."""
        try:
            data = json.loads(text)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        data = _dict(data)
        ours, stamp = _dict(data.get("wassette_desktop")), _dict(data.get("validation_stamp"))
        if ours.get("format") != FORMAT or data.get("component_id") != component_id:
            raise ValueError("not metadata of this component")
        return cls(
            id=component_id,
            digest=_digest(stamp.get("content_hash")),
            stamp=Stamp(_int(stamp.get("file_size")), _int(ours.get("mtime_ns"))),
            source=_str(ours.get("source")),
            loaded_at=_number(ours.get("loaded_at")),
            code={_str(k): _digest(v) for k, v in _dict(ours.get("code")).items()},
            unseen=tuple(_str(one) for one in _list(ours.get("unseen", []))),
            learn_until=_number(ours.get("learn_until", 0.0)),
            **_examined(ours),
        )

    @classmethod
    def new(
        cls,
        component_id: str,
        digest: str,
        stamp: Stamp,
        source: str,
        loaded_at: float,
        examination: Mapping[str, Any],
    ) -> ComponentRecord:
        """A record of what the compiling worker found. Raises `ValueError` if it does not fit."""
        return cls(component_id, digest, stamp, source, loaded_at, **_examined(_dict(examination)))


def _examined(data: Mapping[str, Any]) -> dict[str, Any]:
    wit = data.get("wit")
    return {
        "description": _str(data.get("description")),
        "imports": tuple(_str(name) for name in _list(data.get("imports"))),
        "producers": _dict(data.get("producers")),
        "functions": tuple(_function(_dict(one)) for one in _list(data.get("functions"))),
        "wit": None if wit is None else _str(wit),
    }


def _function(data: Mapping[str, Any]) -> FunctionRecord:
    interface, output = data.get("interface"), data.get("output_schema")
    unavailable = data.get("unavailable")
    return FunctionRecord(
        interface=None if interface is None else _str(interface),
        name=_str(data.get("name")),
        description=_str(data.get("description")),
        input_schema=_dict(data.get("input_schema")),
        output_schema=None if output is None else _dict(output),
        unavailable=None if unavailable is None else _str(unavailable),
    )


def _dict(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("an object is missing")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("a list is missing")
    return value


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text is missing")
    return value


def _int(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("a number is missing")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("a number is missing")
    return float(value)


def _digest(value: Any) -> str:
    text = _str(value)
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise ValueError("a digest is missing")
    return text
