"""Names → addresses that may be connected to."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wassette.errors import RequestRefused
from wassette.policy.network import decide_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wassette.egress.model import Resolver
    from wassette.policy.model import Policy, Verdict
    from wassette.policy.network import Address, NetworkTarget

# A name may have many addresses; who has them all tried wants to scan, or to keep us busy.
MAX_TRIED = 8


@dataclass(frozen=True)
class Checked:
    """An address, and the verdict that allowed it."""

    address: Address
    verdict: Verdict


class SystemResolver:
    """`getaddrinfo`, as all programs on this machine see names.

    It blocks and cannot be cancelled, so each lookup has a thread, which ends when it will. Daemon
    threads, which do not hold up the end of the program, and few, since a component can ask for
    names whose servers never answer.
    """

    def __init__(self, at_once: int = 8) -> None:
        self._slots = asyncio.Semaphore(at_once)

    async def resolve(self, host: str, port: int) -> list[str]:
        await self._slots.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[str]] = loop.create_future()

        def arrived(found: list[str], error: OSError | None) -> None:
            self._slots.release()
            if answer.cancelled():
                return
            if error is None:
                answer.set_result(found)
            else:
                answer.set_exception(error)

        def look_up() -> None:
            found, error = [], None
            try:
                # Bytes: as text it would be encoded by an IDNA of 2003, and is ASCII already.
                for *_, place in socket.getaddrinfo(
                    host.encode("ascii"), port, type=socket.SOCK_STREAM
                ):
                    found.append(str(place[0]))
            except OSError as raised:
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(arrived, found, error)

        threading.Thread(target=look_up, name="wassette-resolve", daemon=True).start()
        return await answer


async def resolve(
    resolver: Resolver, host: str, port: int, patience: float, shown: str
) -> list[Address]:
    """Every address of `host`, in order; an address is its own. Raises `RequestRefused`."""
    literal = as_address(host)
    if literal is not None:
        return [literal]
    try:
        async with asyncio.timeout(patience):
            found = await resolver.resolve(host, port)
        # Without repetitions. What is no address is a mistake of the resolver's, or a trick.
        addresses = list(dict.fromkeys(_plain(ipaddress.ip_address(one)) for one in found))
    except TimeoutError:
        raise RequestRefused("DNS-timeout", f"{shown} was not resolved in time") from None
    except (OSError, ValueError):
        raise RequestRefused("DNS-error", f"{shown} cannot be resolved") from None
    if not addresses:
        raise RequestRefused("DNS-error", f"{shown} has no address")
    return addresses


def allowed(
    policy: Policy, target: NetworkTarget, addresses: Sequence[Address], *, every: bool = False
) -> list[Checked]:
    """Those that may be connected to; none is `RequestRefused`, with the first one's reason.

    With `every`, one that may not is enough: where somebody else chooses among them.
    """
    checked = [
        Checked(address, decide_address(policy, address, target.port, target))
        for address in addresses
    ]
    good = [one for one in checked if one.verdict.allowed]
    if not good or (every and len(good) < len(checked)):
        refused = next(one for one in checked if not one.verdict.allowed)
        raise RequestRefused(
            "destination-IP-prohibited",
            refused.verdict.reason,
            grantable=refused.verdict.rule is None,  # a deny rule beats every grant
            address=str(refused.address),
        )
    return good[:MAX_TRIED]


def as_address(host: str) -> Address | None:
    try:
        return _plain(ipaddress.ip_address(host))
    except ValueError:
        return None


def _plain(address: Address) -> Address:
    """IPv4 in its own form. The zone of an IPv6 one stays: without it there is no connection."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
