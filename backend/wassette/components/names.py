"""Tool names: how the functions of all components are called over MCP.

Wassette's rule (lower case, everything but letters, digits and `-` becomes `_`, interface and
function joined by `_`) with two additions: names are unique, and none is longer than 64
characters, where clients cut them.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

MAX_TOOL_NAME = 64
_OTHER = re.compile(r"[^a-z0-9-]")


def base_name(interface: str | None, function: str) -> str:
    """The name that a function asks for: `local:time/clock@0.1.0`, `now` →
    `local_time_clock_0_1_0_now`."""
    parts = [interface, function] if interface else [function]
    return shorten("_".join(_OTHER.sub("_", part.lower()) for part in parts))


def unique_name(base: str, component_id: str, taken: Container[str]) -> str:
    """`base`, or `<component-id>__<base>` where another component or Wassette has that name."""
    if base not in taken:
        return base
    qualified = shorten(f"{_OTHER.sub('_', component_id)}__{base}")
    attempt = qualified
    count = 2
    while attempt in taken:  # ids that differ only in what becomes `_`
        attempt = shorten(f"{qualified}_{count}")
        count += 1
    return attempt


def shorten(name: str) -> str:
    """`name`, or its beginning and 8 hex digits that stand for all of it. Stable."""
    if len(name) <= MAX_TOOL_NAME:
        return name
    return f"{name[: MAX_TOOL_NAME - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
