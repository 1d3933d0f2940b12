"""An approval request on a terminal.

A terminal breaks a long line where it is full, so what somebody wrote could be made to begin a line
of its own and look like ours. Lines are broken here instead, and what goes on is marked.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from .output import columns_of

if TYPE_CHECKING:
    from wassette.approvals.model import ApprovalRequest

_GOES_ON = "      | "


def shown_request(request: ApprovalRequest, *, choices: bool = True, columns: int = 0) -> str:
    """The very text, and the choices. `columns`: 0 is those of the terminal."""
    from wassette.approvals.compose import choice_lines

    lines = request.text.split("\n")
    if choices and any(one.rule is not None for one in request.choices):
        lines += ["", "What can be allowed:"]
        lines += choice_lines(request.choices, request.default)
    return "\n".join(wrapped(line, columns) for line in lines)


def wrapped(line: str, columns: int = 0) -> str:
    """`line` in as many lines as it takes; each after the first one is marked as going on."""
    columns = max(columns or shutil.get_terminal_size().columns, 40) - 1
    found: list[str] = []
    part, used = "", 0
    for char in line:
        wide = columns_of(char)
        if used + wide > columns:
            found.append(part)
            part, used = _GOES_ON, len(_GOES_ON)
        part += char
        used += wide
    return "\n".join((*found, part))
