"""A connection to an address that was checked, and TLS over it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING

from wassette.egress.wire import Wire
from wassette.errors import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wassette.egress.model import Dial

# How long an address has before the next one is tried beside it (RFC 8305).
_STAGGER = 0.25
# How long the other side has to answer the end of TLS.
_SHUTDOWN = 1.0


async def dial(address: str, port: int) -> socket.socket:
    """The default `Dial`: to this address and no other."""
    # Numeric: nothing is looked up, an IPv6 zone is taken as what it is.
    family, kind, protocol, _, place = socket.getaddrinfo(
        address,
        port,
        type=socket.SOCK_STREAM,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, place)
    except BaseException:
        made.close()
        raise
    return made


async def first_to_answer(
    addresses: Sequence[str], port: int, dial: Dial
) -> tuple[str, socket.socket]:
    """Tries one after the other, and does not wait long. Raises the first one's `OSError`."""
    if len(addresses) == 1:
        return addresses[0], await dial(addresses[0], port)
    waiting = list(reversed(addresses))
    running: dict[asyncio.Task[socket.socket], str] = {}
    failed: list[OSError] = []
    try:
        while waiting or running:
            if waiting:
                address = waiting.pop()
                running[asyncio.ensure_future(dial(address, port))] = address
            done, _ = await asyncio.wait(
                running,
                timeout=_STAGGER if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                error = task.exception()
                if error is None:
                    address = running.pop(task)
                    return address, task.result()
                if not isinstance(error, OSError):
                    raise error
                running.pop(task)
                failed.append(error)
        raise failed[0]
    finally:
        await _give_up(running)


async def connect(
    addresses: Sequence[str], port: int, dial: Dial, patience: float, shown: str
) -> tuple[str, Wire]:
    """The address that answered, and the connection. Raises `RequestRefused`."""
    try:
        async with asyncio.timeout(patience):
            address, made = await first_to_answer(addresses, port, dial)
    except TimeoutError:
        raise RequestRefused("connection-timeout", f"{shown} did not answer in time") from None
    except ConnectionRefusedError:
        raise RequestRefused(
            "connection-refused", f"{shown} does not accept connections on port {port}"
        ) from None
    except OSError:
        raise RequestRefused("destination-unavailable", f"{shown} cannot be reached") from None
    wire = Wire()
    try:
        await asyncio.get_running_loop().create_connection(lambda: wire, sock=made)
    except BaseException:
        made.close()
        raise
    return address, wire


async def secure(
    wire: Wire, context: ssl.SSLContext, name: str, patience: float, shown: str
) -> None:
    """TLS with whoever can prove to be `name`. On any error the connection is gone."""
    plain = wire.transport
    try:
        if wire.unread:
            raise RequestRefused("TLS-protocol-error", f"{shown} spoke before TLS began")
        try:
            async with asyncio.timeout(patience):
                secured = await asyncio.get_running_loop().start_tls(
                    plain,
                    wire,
                    context,
                    server_hostname=name,
                    ssl_handshake_timeout=patience + 60,
                    ssl_shutdown_timeout=_SHUTDOWN,
                )
        except TimeoutError:
            raise RequestRefused(
                "connection-timeout", f"{shown} did not finish TLS in time"
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise RequestRefused(
                "TLS-certificate-error",
                f"{shown} has a certificate that is not trusted: {error.verify_message}",
            ) from None
        except (OSError, ssl.SSLError):
            raise RequestRefused("TLS-protocol-error", f"TLS with {shown} failed") from None
        if secured is None:
            raise RequestRefused("TLS-protocol-error", f"{shown} closed the connection in TLS")
        wire.secured(secured)
    except BaseException:
        plain.abort()
        raise


async def _give_up(tasks: Iterable[asyncio.Task[socket.socket]]) -> None:
    """Ends attempts, and closes what one has made in the meantime."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    for made in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(made, socket.socket):
            made.close()
