"""A DNS server on loopback, and a resolver that asks it: names that change while one looks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class DnsServer(asyncio.DatagramProtocol):
    """Speaks DNS over UDP. `zone` gives the addresses of a name, each time anew; None: silence."""

    zone: Callable[[str], list[str] | None]
    asked: list[str] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0)
        )
        self.port = int(self._transport.get_extra_info("sockname")[1])
        return self

    async def __aexit__(self, *error: object) -> None:
        self._transport.close()
        await asyncio.sleep(0)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        [question] = query.question
        name = question.name.to_text(omit_final_dot=True)
        if question.rdtype == dns.rdatatype.A:
            self.asked.append(name)
            self._addresses = self.zone(name)
        if self._addresses is None:
            return
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        kind = dns.rdatatype.to_text(question.rdtype)
        fitting = [one for one in self._addresses if (":" in one) == (kind == "AAAA")]
        if fitting:
            answer.answer.append(dns.rrset.from_text(question.name, 0, "IN", kind, *fitting))
        self._transport.sendto(answer.to_wire(), addr)


class DnsResolver:
    """A `Resolver` of the relay's that asks one server, and keeps nothing."""

    def __init__(self, server: DnsServer) -> None:
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        self._resolver.nameservers = ["127.0.0.1"]
        self._resolver.port = server.port
        self._resolver.lifetime = 5

    async def resolve(self, host: str, port: int) -> list[str]:
        found: list[str] = []
        for kind in ("A", "AAAA"):
            try:
                answer = await self._resolver.resolve(host, kind, search=False)
            except dns.resolver.NoAnswer:
                continue
            except dns.exception.DNSException as error:
                raise OSError(str(error)) from None
            found += [record.to_text() for record in answer]
        return found
