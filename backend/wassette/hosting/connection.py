"""One client of the host process: its greeting, its session, its messages."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import mcp_types as types
from mcp.shared._context_streams import create_context_streams
from mcp.shared.message import SessionMessage

from wassette import config
from wassette._version import __version__
from wassette.errors import WassetteError, visible
from wassette.session import CURRENT, Session

from .lines import END, MAX_LINE, TOO_LONG, Lines

if TYPE_CHECKING:
    from mcp.shared._context_streams import ContextSendStream

    from wassette.config import Settings
    from wassette.mcp.server import McpServer

log = logging.getLogger(__name__)

GREETING_TIMEOUT = 10.0
"""Seconds in which a client has to say what it wants."""
MAX_GREETING = 8 * 1024 * 1024
"""Bytes of that; it holds an environment."""
MAX_RUNNING = 1024
"""Requests of one client that run at once; it is not read from while there are so many."""
AHEAD = 64
"""Messages that may wait to be taken up, each way; handing over one by one costs more."""
CHUNK = 256 * 1024

_NOT_A_MESSAGE = (
    b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"not a JSON-RPC message"}}\n'
)
_CLIENT_INFO = "io.modelcontextprotocol/clientInfo"


class Process(Protocol):
    """The host process, as its connections know it."""

    def end(self) -> None: ...
    def status(self) -> dict[str, Any]: ...
    async def window(self) -> str: ...
    async def pause(self, paused: bool) -> None: ...


class _Refused(Exception):
    """The greeting is not one that we answer; says why."""


@dataclass(frozen=True)
class Greeting:
    """What a bridge says first. Every value was checked."""

    component_dir: str
    environment: dict[str, str] = field(repr=False)
    env: tuple[str, ...] = field(repr=False)
    env_file: tuple[str, str] | None = field(repr=False)
    """Its path, for errors, and its text."""
    builtin_tools: bool
    agent_grants: bool
    meta_tools: bool

    @classmethod
    def of(cls, said: dict[str, Any], settings: Settings) -> Greeting:
        """Raises `_Refused`."""
        if said.get("version") != __version__:
            raise _Refused(
                f"this host is Wassette {__version__}, not {visible(str(said.get('version')), 40)}"
            )
        if said.get("component_dir") != str(settings.component_dir):
            raise _Refused(f"this host serves {settings.component_dir}, not another directory")
        environment: Any = said.get("environment")
        env: Any = said.get("env")
        file: Any = said.get("env_file")
        if not _texts(environment, dict) or not _texts(env, list):
            raise _Refused("the variables are not texts")
        if file is not None and (not _texts(file, list) or len(file) != 2):
            raise _Refused("the file of variables is not a text")
        flags = [said.get(name) for name in ("builtin_tools", "agent_grants", "meta_tools")]
        if not all(isinstance(flag, bool) for flag in flags):
            raise _Refused("an option is neither true nor false")
        return cls(
            component_dir=str(settings.component_dir),
            environment=environment,
            env=tuple(env),
            env_file=None if file is None else (file[0], file[1]),
            builtin_tools=flags[0] is True,
            agent_grants=flags[1] is True,
            meta_tools=flags[2] is True,
        )

    def session(self) -> Session:
        """Raises `ConfigError`, as the command line would for these options."""
        env = list(self.env)
        if self.env_file is not None:
            path, text = self.env_file
            found = config.parse_env_text(text, path)
            env = [f"{key}={value}" for key, value in found.items()] + env
        return Session.of(
            config.load(
                component_dir=self.component_dir,
                env=env,
                builtin_tools=self.builtin_tools,
                agent_grants=self.agent_grants,
                meta_tools=self.meta_tools or None,
                environ=self.environment,
            )
        )


def _texts(value: object, kind: type) -> bool:
    if not isinstance(value, kind):
        return False
    parts = [*value, *value.values()] if isinstance(value, dict) else value
    return all(isinstance(part, str) for part in parts)  # type: ignore[attr-defined]


class Connection:
    """A process that connected. `session` is set once it has one."""

    def __init__(
        self, process: Process, mcp: McpServer, settings: Settings, pid: int | None
    ) -> None:
        self._process = process
        self._mcp = mcp
        self._settings = settings
        self._pid = pid
        self._since = time.time()
        self.session: Session | None = None
        self._name: str | None = None
        self._running: dict[types.RequestId, None] = {}
        self._answered = asyncio.Event()
        self._finishing = False
        """No more is taken from the client; it waits for answers."""
        self._receiving = anyio.CancelScope()

    def facts(self) -> dict[str, Any]:
        """For `wassette host status`."""
        return {
            "name": self._name,
            "pid": self._pid,
            "since": self._since,
            "running": len(self._running),
        }

    def finish(self) -> None:
        """Answer what was asked so far, then close."""
        self._finishing = True
        self._maybe_finished()

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve the client until it goes, or we do."""
        try:
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(GREETING_TIMEOUT) as self._limit:
                    lines, messages = await self._greeting(reader)
                    await self._answer(writer, messages[0] if messages else None)
                if self.session is not None:
                    await self._serve(reader, writer, lines, messages[1:])
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    # -- greeting --------------------------------------------------------------------------------

    @staticmethod
    async def _greeting(reader: asyncio.StreamReader) -> tuple[Lines, list[bytes | None]]:
        lines = Lines(MAX_GREETING)
        while data := await reader.read(CHUNK):
            if found := lines.feed(data):
                return lines, found
        return lines, []

    async def _answer(self, writer: asyncio.StreamWriter, line: bytes | None) -> None:
        answer: dict[str, Any]
        try:
            said = json.loads(line or b"")
        except (ValueError, RecursionError):
            return  # whoever that is, it is none of ours
        if not isinstance(said, dict) or said.get("wassette") != 1:
            return
        match said.get("want"):
            case "session":
                try:
                    greeting = Greeting.of(said, self._settings)
                    # In a thread: it reads files that others name.
                    self.session = await asyncio.to_thread(greeting.session)
                    answer = {"ok": True}
                except (_Refused, WassetteError) as error:
                    answer = {"error": str(error)}
            case "status":
                answer = {"ok": True, "status": self._process.status()}
            case "window":
                self._limit.reschedule(None)  # it is known what is wanted, and may have to start
                try:
                    answer = {"ok": True, "url": await self._process.window()}
                except WassetteError as error:
                    answer = {"error": str(error)}
            case "pause" | "resume" as word:
                try:
                    await self._process.pause(word == "pause")
                    answer = {"ok": True}
                except WassetteError as error:
                    answer = {"error": str(error)}
            case "end":
                answer = {"ok": True}
                self._process.end()
            case _:
                answer = {"error": "this is not something that a host does"}
        writer.write(json.dumps({"wassette": 1, **answer}).encode() + b"\n")
        await writer.drain()

    # -- messages --------------------------------------------------------------------------------

    async def _serve(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        lines: Lines,
        early: list[bytes | None],
    ) -> None:
        CURRENT.set(self.session)  # messages carry the context that they were received in
        lines.limit = MAX_LINE
        incoming, read = create_context_streams[SessionMessage | Exception](AHEAD)
        write, outgoing = create_context_streams[SessionMessage](AHEAD)
        async with anyio.create_task_group() as tasks:

            async def receive() -> None:
                async with incoming:
                    gone = contextlib.suppress(ConnectionError, anyio.BrokenResourceError)
                    with gone, self._receiving:
                        await self._receive(reader, writer, incoming, lines, early)

            async def send() -> None:
                try:
                    async with outgoing:
                        async for message in outgoing:
                            await self._send(writer, message.message)
                except ConnectionError:
                    tasks.cancel_scope.cancel()  # the client is gone, and its calls with it

            tasks.start_soon(receive)
            tasks.start_soon(send)
            await self._mcp.serve(read, write)
            # `send` ends by itself, once it has sent what there is.

    async def _receive(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        incoming: ContextSendStream[SessionMessage | Exception],
        lines: Lines,
        early: list[bytes | None],
    ) -> None:
        """Until the client is gone, or has said all that it has to say and knows the answers."""
        while True:
            for line in early:
                if line is None:
                    writer.write(TOO_LONG)
                elif line == END:
                    self.finish()
                elif line and not line.isspace():
                    await self._take(line, writer, incoming)
            data = await reader.read(CHUNK)
            if not data:
                return
            early = lines.feed(data)

    async def _take(
        self,
        line: bytes,
        writer: asyncio.StreamWriter,
        incoming: ContextSendStream[SessionMessage | Exception],
    ) -> None:
        try:
            message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError:
            writer.write(_NOT_A_MESSAGE)
            await writer.drain()
            return
        match message:
            case types.JSONRPCRequest():
                if self._finishing:
                    return  # closing the connection is the answer
                self._note(message)
                while len(self._running) > MAX_RUNNING:
                    self._answered.clear()
                    await self._answered.wait()
            case types.JSONRPCNotification(method="notifications/cancelled"):
                self._settled((message.params or {}).get("requestId"))
        await incoming.send(SessionMessage(message))

    def _note(self, request: types.JSONRPCRequest) -> None:
        if request.method != "subscriptions/listen":  # which has no end
            self._running[request.id] = None
        if self._name is None:
            params = request.params or {}
            info = params.get("clientInfo") or (params.get("_meta") or {}).get(_CLIENT_INFO)
            if isinstance(info, dict):
                name, version = str(info.get("name", "")), str(info.get("version", ""))
                self._name = f"{visible(name, 60)} {visible(version, 30)}".strip()

    async def _send(self, writer: asyncio.StreamWriter, message: types.JSONRPCMessage) -> None:
        try:
            text = message.model_dump_json(by_alias=True, exclude_unset=True)
        except ValueError as error:  # a text that UTF-8 cannot hold
            number = getattr(message, "id", None)
            log.warning("an answer could not be sent: %s", error)
            failure = {"code": types.INTERNAL_ERROR, "message": "the answer is not valid Unicode"}
            text = json.dumps({"jsonrpc": "2.0", "id": number, "error": failure})
        writer.write(text.encode() + b"\n")
        await writer.drain()
        if isinstance(message, types.JSONRPCResponse | types.JSONRPCError):
            self._settled(message.id)

    def _settled(self, number: object) -> None:
        if isinstance(number, str | int):
            self._running.pop(number, None)
        self._answered.set()
        self._maybe_finished()

    def _maybe_finished(self) -> None:
        if self._finishing and not self._running:
            self._receiving.cancel()
