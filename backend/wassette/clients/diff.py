"""A unified diff for people, of a file whose lines can be very long."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from wassette.errors import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONTEXT = 3
_LONG = 300  # characters of a line that are shown; settings can be one line of a megabyte


def unified(path: str, before: str | None, after: str | None) -> str:
    """Lines with `\\n`; empty if nothing changes. None is a file that is not there."""
    if before == after:
        return ""
    old, new = _lines(before), _lines(after)
    same = _shared(old, new)
    tail = _shared(old[same:][::-1], new[same:][::-1])
    first = max(same - _CONTEXT, 0)
    last = max(tail - _CONTEXT, 0)
    a, b = old[first : len(old) - last], new[first : len(new) - last]
    lines = [
        f"--- {visible(path, 1000) if before is not None else '/dev/null'}",
        f"+++ {visible(path, 1000) if after is not None else '/dev/null'}",
    ]
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        (_, i1, _, j1, _), (_, _, i2, _, j2) = group[0], group[-1]
        lines.append(f"@@ -{_range(first + i1, i2 - i1)} +{_range(first + j1, j2 - j1)} @@")
        for tag, a1, a2, b1, b2 in group:
            if tag == "equal":
                lines += [_shown(" ", line) for line in a[a1:a2]]
                continue
            removed, added = _around(a[a1:a2], b[b1:b2])
            lines += [_shown("-", line) for line in removed]
            lines += [_shown("+", line) for line in added]
    return "\n".join(lines) + "\n"


def _lines(text: str | None) -> list[str]:
    """With their ends. Unlike `splitlines`, a line separator in a string ends none."""
    return [line for line in re.split(r"(?<=\n)", text or "") if line]


def _shared(a: Sequence[str], b: Sequence[str]) -> int:
    """How much of the beginning is the same."""
    ends = min(len(a), len(b))
    return next((i for i in range(ends) if a[i] != b[i]), ends)


def _range(start: int, length: int) -> str:
    begin = start + 1 if length else start
    return str(begin) if length == 1 else f"{begin},{length}"


def _around(a: Sequence[str], b: Sequence[str]) -> tuple[list[str], list[str]]:
    """If one long line becomes another: the part of them that differs."""
    if len(a) != 1 or len(b) != 1 or max(len(a[0]), len(b[0])) <= _LONG:
        return list(a), list(b)
    start = max(_shared(a[0], b[0]) - 40, 0)
    cut = "…" if start else ""
    return [cut + a[0][start:]], [cut + b[0][start:]]


def _shown(mark: str, line: str) -> str:
    text = line.removesuffix("\n")
    ended = text != line
    text = text.removesuffix("\r") if ended else text
    tabs = "\t".join(visible(part, _LONG) for part in text.split("\t"))
    return mark + tabs + ("" if ended else "\n\\ No newline at end of file")
