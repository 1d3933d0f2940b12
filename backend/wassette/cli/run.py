"""Running a command's work with a host."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from .base import options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wassette.host import Host

T = TypeVar("T")


def run(work: Callable[[Host], Awaitable[T]]) -> T:
    """What `work` gives, done with a host for the settings in force. Ctrl-C cancels it, and the
    host is closed before this returns.

    Unless somebody said otherwise, nobody is asked anything where there is no terminal.
    """
    import asyncio

    from wassette import config
    from wassette.host import Host

    from .output import has_terminal

    unless_said = config.Approvals.ASK if has_terminal() else config.Approvals.DENY
    settings = config.load(component_dir=options().component_dir, default_approvals=unless_said)

    async def with_host() -> T:
        async with Host(settings) as host:
            return await work(host)

    return asyncio.run(with_host())
