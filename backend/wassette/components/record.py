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

from wassette.errors import PolicyError
from wassette.plain import a_list, a_text, an_integer, an_object

from .names import base_name
from .signature import UNCHECKED, Signature

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
    signature: Signature = UNCHECKED
    """Who signed its bytes."""
    requested: str = ""
    """The permissions that it came with, as the text of a policy; empty if it asks for none. None
    of them are given by this."""
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

    @property
    def asks_for(self) -> tuple[str, ...]:
        """The permissions that it came with, a line each; those of a text that is none are none."""
        from wassette.policy.requested import Requested

        try:
            return Requested(self.requested).lines() if self.requested else ()
        except PolicyError:
            return ()

    @property
    def signed_by(self) -> str | None:
        """Who signed its bytes, for people; empty: nobody; None: nobody looked."""
        if not self.signature.checked:
            return None
        return "" if self.signature.signer is None else str(self.signature.signer)

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
                    "signature": self.signature.to_json(),
                    "requested": self.requested,
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
        data = an_object(data)
        ours = an_object(data.get("wassette_desktop"))
        stamp = an_object(data.get("validation_stamp"))
        if ours.get("format") != FORMAT or data.get("component_id") != component_id:
            raise ValueError("not metadata of this component")
        return cls(
            id=component_id,
            digest=_digest(stamp.get("content_hash")),
            stamp=Stamp(an_integer(stamp.get("file_size")), an_integer(ours.get("mtime_ns"))),
            source=a_text(ours.get("source")),
            loaded_at=_number(ours.get("loaded_at")),
            code={a_text(k): _digest(v) for k, v in an_object(ours.get("code")).items()},
            unseen=tuple(a_text(one) for one in a_list(ours.get("unseen", []))),
            signature=_signature(ours.get("signature")),
            requested=a_text(ours.get("requested", "")),
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
        return cls(
            component_id, digest, stamp, source, loaded_at, **_examined(an_object(examination))
        )


def _examined(data: Mapping[str, Any]) -> dict[str, Any]:
    wit = data.get("wit")
    return {
        "description": a_text(data.get("description")),
        "imports": tuple(a_text(name) for name in a_list(data.get("imports"))),
        "producers": an_object(data.get("producers")),
        "functions": tuple(_function(an_object(one)) for one in a_list(data.get("functions"))),
        "wit": None if wit is None else a_text(wit),
    }


def _signature(data: Any) -> Signature:
    return Signature() if data is None else Signature.from_json(data)


def _function(data: Mapping[str, Any]) -> FunctionRecord:
    interface, output = data.get("interface"), data.get("output_schema")
    unavailable = data.get("unavailable")
    return FunctionRecord(
        interface=None if interface is None else a_text(interface),
        name=a_text(data.get("name")),
        description=a_text(data.get("description")),
        input_schema=an_object(data.get("input_schema")),
        output_schema=None if output is None else an_object(output),
        unavailable=None if unavailable is None else a_text(unavailable),
    )


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("a number is missing")
    return float(value)


def _digest(value: Any) -> str:
    text = a_text(value)
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise ValueError("a digest is missing")
    return text
