"""What a person is asked on behalf of a call that was refused something."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from wassette.errors import PolicyError
from wassette.policy import Access
from wassette.policy.network import NetworkTarget
from wassette.policy.rules import named_root
from wassette.policy.storage import host_path

from .running import MAX_QUESTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wassette.asking import Answer, Asking
    from wassette.egress import Want
    from wassette.errors import RequestRefused
    from wassette.policy import Grants

    from .permissions import Permissions
    from .running import Running


class Questions:
    """Of one host."""

    def __init__(self, permissions: Permissions, asking: Asking) -> None:
        self._permissions, self._asking = permissions, asking

    async def about_request(
        self, running: Running, want: Want, refused: RequestRefused
    ) -> Answer | None:
        """What a person says to a request that was refused; None if nobody is asked."""
        state = self._permissions.state(running.record.id, running.record)
        if running.caller is None or not refused.grantable or state.error is not None:
            return None
        from wassette.approvals.model import NetworkAccess

        try:
            target = NetworkTarget.parse(
                f"{want.scheme}://{want.authority}{want.path}", want.method
            )
        except PolicyError:
            return None
        key = (target.method, target.scheme, target.host, target.port, refused.address)
        if not running.asks_about(key):
            return None
        subject = NetworkAccess(target, refused.address)
        with running.clock.stopped():
            return await self._asking.ask(subject, running.component, running.caller, ())

    async def about_files(self, running: Running, refused: Sequence[tuple[str, str]]) -> bool:
        """Whether a person has allowed something of what was refused, (kind, path), and denied
        nothing of it."""
        if running.caller is None or not refused:
            return False
        from wassette.approvals.model import StorageAccess, What

        record = running.record
        state = self._permissions.state(record.id, record)
        if state.error is not None:
            return False
        grants = await self._permissions.current_grants(record.id, running.session, running)
        allowed = state.policy.storage_allow if state.policy is not None else ()
        roots = {named_root(rule.uri) for rule in allowed}
        granted = False
        for kind, path in refused[:MAX_QUESTIONS]:
            if not running.asks_about((kind, path)):
                continue
            subject = StorageAccess(
                path,
                Access(kind.removeprefix("storage-")),
                What(_what_is_at(path, grants)),
                root=path.lstrip("/").partition("/")[0] in roots,
            )
            answer = await self._asking.ask(subject, running.component, running.caller, ())
            if not answer.allowed:
                return False
            running.allowed.append((kind, path))
            granted = True
        return granted


def _what_is_at(path: str, grants: Grants) -> str:
    """`file`, `directory` or `missing`: what a component's path is, as far as can be seen."""
    try:
        mode = Path(host_path(grants.mounts, path) or path).stat().st_mode
    except (OSError, ValueError):
        return "missing"
    return "directory" if stat.S_ISDIR(mode) else "file"
