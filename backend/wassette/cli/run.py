"""Running a command's work with a host."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from .base import options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wassette.host import ComponentState, Host

T = TypeVar("T")


def run(work: Callable[[Host], Awaitable[T]]) -> T:
    """What `work` gives, done with a host for the settings in force. Ctrl-C cancels it, and the
    host is closed before this returns."""
    import asyncio

    from wassette import config
    from wassette.host import Host

    settings = config.load(component_dir=options().component_dir)

    async def with_host() -> T:
        async with Host(settings) as host:
            return await work(host)

    return asyncio.run(with_host())


async def examined(host: Host) -> list[ComponentState]:
    """Every component; those that were put into the directory by hand are examined first, and say
    why if they cannot be used."""
    from wassette.errors import ComponentNotFound, WassetteError
    from wassette.host import ComponentState

    found = []
    for state in host.components():
        if state.record is not None:
            found.append(state)
            continue
        try:
            found.append(ComponentState(state.id, await host.component(state.id)))
        except ComponentNotFound:
            continue  # removed meanwhile
        except WassetteError as error:
            found.append(ComponentState(state.id, None, str(error)))
    return found
