"""The host and the bridge on Windows, where a named pipe takes the socket's place.

Written from the documents of asyncio and of Windows, and not run there yet. What differs: the pipe
itself sees to it that there is one host, as only one process can make its first instance; who may
connect is left to the rights that a pipe has by default (its user and administrators may write);
there is no host.json, and `wassette host` does not work.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from . import bridge, rendezvous
from .lines import END
from .rendezvous import HostUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .bridge import Options

CHUNK = 65536
_DETACHED = 0x00000008 | 0x00000200  # DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP


def pipe_name(directory: str) -> str:
    user = "".join(c if c.isalnum() else "-" for c in os.environ.get("USERNAME", "user"))
    return rf"\\.\pipe\wassette-{user}-{rendezvous.host_key(directory)}"


async def serve(
    directory: str,
    accept: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    ending: asyncio.Event,
) -> None:
    """Accept clients until `ending`; at once over if another host has the pipe."""
    loop: Any = asyncio.get_running_loop()

    def client() -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(), accept)

    try:
        [pipe] = await loop.start_serving_pipe(client, pipe_name(directory))
    except PermissionError:
        return
    try:
        await ending.wait()
    finally:
        pipe.close()


def run(options: Options) -> int:
    """`bridge.run`, with threads for the standard streams, which nothing can wait for together."""
    return asyncio.run(_run(options))


async def _run(options: Options) -> int:
    conversation = bridge.Conversation()
    try:
        directory = rendezvous.component_dir(options.component_dir, os.environ)
        reader, writer = await _attach(directory, bridge.hello(options, directory, os.environ))
    except (HostUnavailable, OSError, UnicodeDecodeError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return await asyncio.to_thread(_explain, conversation, str(error))

    async def from_client() -> None:
        while data := await asyncio.to_thread(os.read, 0, CHUNK):
            passed, refused = conversation.client_says(data)
            os.write(1, refused)
            writer.write(passed)
            await writer.drain()
        writer.write(conversation.client_ends()[0] + END + b"\n")

    sending = asyncio.create_task(from_client())
    while data := await reader.read(CHUNK):
        conversation.host_says(data)
        await asyncio.to_thread(_write, data)
    over = sending.done()
    _write(conversation.failed(-32000, "Wassette's host process ended before it answered"))
    os._exit(0 if over else 1)  # a thread still waits for stdin


def _explain(conversation: bridge.Conversation, reason: str) -> int:
    while data := os.read(0, CHUNK):
        conversation.client_says(data)
        _write(conversation.failed(-32603, reason))
    return 1


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


async def _attach(
    directory: str, hello: bytes
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer, said = await _greet(directory, hello)
    if not isinstance(said, dict) or said.get("ok") is not True:
        why = said.get("error") if isinstance(said, dict) else None
        raise HostUnavailable(str(why or "Wassette's host process gave no proper answer"))
    return reader, writer


def ask(directory: str, question: bytes) -> object:
    """What the host answers to a first line; it is started if there is none. Raises
    `HostUnavailable`."""

    async def ask() -> object:
        _, writer, said = await _greet(directory, question)
        writer.close()
        return said

    return asyncio.run(ask())


async def _greet(
    directory: str, hello: bytes
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, object]:
    loop: Any = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    process: subprocess.Popen[bytes] | None = None
    async with asyncio.timeout(rendezvous.START_TIMEOUT):
        while True:
            try:
                transport, _ = await loop.create_pipe_connection(
                    lambda: protocol, pipe_name(directory)
                )
                break
            except FileNotFoundError:
                if process is None:
                    process = subprocess.Popen(  # noqa: ASYNC220  (it is not waited for)
                        rendezvous.command(),
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                        env=rendezvous.host_environment(os.environ, directory),
                        creationflags=_DETACHED,
                    )
                elif process.poll():
                    raise HostUnavailable("Wassette's host process could not be started") from None
                await asyncio.sleep(0.05)
        writer = asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
        writer.write(hello)
        said = bridge.loads(await reader.readline())
    return reader, writer, said
