"""Where sockets and locks of running processes are. Standard library only: a bridge needs it."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def runtime_directory(
    environ: Mapping[str, str],
    uid: int,
    run: str = "/run/user",
    tmp: str = "/tmp",  # noqa: S108  (checked when opened)
) -> str:
    """Where this user's sockets are.

    MCP clients start servers with a few variables only, so a missing XDG_RUNTIME_DIR means nothing:
    the directory that it usually names is looked for all the same, or clients would have hosts of
    their own.
    """
    chosen = environ.get("XDG_RUNTIME_DIR", "")
    if chosen.startswith("/"):
        return f"{chosen}/wassette"
    try:
        if os.stat(f"{run}/{uid}").st_uid == uid:
            return f"{run}/{uid}/wassette"
    except OSError:
        pass
    return f"{tmp}/wassette-{uid}"
