"""The MCP server: one object that drives every transport and both eras of the protocol.

On the SDK's low-level `Server`, since the tools' schemas come from components, not from Python
signatures. It validates nothing by itself; arguments are validated against the function's types
where they are converted (in the worker), built-in ones by their schema (builtin.py).
"""

from __future__ import annotations

import asyncio
import logging
import warnings
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from wassette._version import __version__
from wassette.errors import ToolNotFound, WassetteError
from wassette.session import CURRENT, Session
from wassette.toolset import BUILTIN_NAMES, Tool

from .builtin import Builtins
from .results import call_result, error_result

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from wassette.host import Host

warnings.filterwarnings("ignore", category=MCPDeprecationWarning)
log = logging.getLogger(__name__)

INSTRUCTIONS = """\
Wassette runs tools as WebAssembly components in a sandbox. A component reaches no file, host or
environment variable that a person has not granted to it. list-components shows what is loaded,
get-policy what a component may do. You cannot widen permissions or load components yourself: the
grant and load tools answer with the command for the user to run. Never edit policy files."""

NOTIFY_TIMEOUT = 2.0
"""Seconds that one client may take to accept a notification before the others go on."""


class _NotifyingServer(Server[Any]):
    """The SDK's transports ask for these options without saying that tools change."""

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        options = notification_options or NotificationOptions(tools_changed=True)
        return super().create_initialization_options(options, *args, **kwargs)


class McpServer:
    """Serves a host's tools. `server` is for a transport to run; `running` keeps it up to date."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._builtins = Builtins(host)
        self._bus = InMemorySubscriptionBus()
        self._live: dict[int, Any] = {}  # connections of the handshake era that can be pushed to
        self._changed = False
        self._changes = asyncio.Event()
        self.server: Server[Any] = _NotifyingServer(
            "wassette",
            title="Wassette",
            version=__version__,
            instructions=INSTRUCTIONS,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_subscriptions_listen=ListenHandler(self._bus),
        )
        self.server.middleware.append(self._track)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tell clients of changes while this is open."""
        async with self.host.watching(self._tools_changed):
            task = asyncio.create_task(self._tell_of_changes())
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    # -- tools ---------------------------------------------------------------------------------

    async def _list_tools(self, _ctx: Any, _params: Any) -> types.ListToolsResult:
        tools = [_described(tool) for tool in self.host.tools().all()]
        if self._session().builtin_tools:
            tools += self._builtins.tools()
        return types.ListToolsResult(tools=tools)

    async def _call_tool(
        self, ctx: Any, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        name, arguments = params.name, params.arguments or {}
        session = self._session()
        try:
            if name not in BUILTIN_NAMES:
                return call_result(await self.host.call_tool(name, arguments, session=session))
            if not session.builtin_tools:
                return error_result("Built-in tools are disabled")
            result = await self._builtins.call(name, arguments, _reporter(ctx))
            await self._flush()  # clients expect to be told before the answer
        except ToolNotFound as error:
            return error_result(f"{error}. It may have been unloaded: list the tools again")
        except WassetteError as error:
            return error_result(error)
        return result

    def _session(self) -> Session:
        return CURRENT.get() or self.host.session

    # -- changes -------------------------------------------------------------------------------

    async def _track(self, ctx: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        result = await call_next(ctx)
        if ctx.method == "initialize":
            # There is no public way from a session to its connection (SDK 2.3).
            connection = ctx.session._connection
            handshake = connection.protocol_version not in MODERN_PROTOCOL_VERSIONS
            if handshake and connection.has_standalone_channel:
                self._live[id(connection)] = connection
                connection.exit_stack.callback(self._live.pop, id(connection), None)
        return result

    def _tools_changed(self) -> None:
        self._changed = True
        self._changes.set()

    async def _tell_of_changes(self) -> None:
        while True:
            await self._changes.wait()
            self._changes.clear()
            await self._flush()

    async def _flush(self) -> None:
        """Tell every client, if there is something that they were not told."""
        if not self._changed:
            return
        self._changed = False
        await self._bus.publish(ToolsListChanged())
        await asyncio.gather(*(self._push(one) for one in list(self._live.values())))

    @staticmethod
    async def _push(connection: Any) -> None:
        try:
            async with asyncio.timeout(NOTIFY_TIMEOUT):
                await connection.send_tool_list_changed()
        except Exception as error:  # noqa: BLE001  (one client's trouble is not the others')
            log.info("a client was not told of new tools: %r", error)


def _described(tool: Tool) -> types.Tool:
    function = tool.function
    return types.Tool(
        name=tool.name,
        description=function.shown_description,
        input_schema=dict(function.input_schema),
        output_schema=None if function.output_schema is None else dict(function.output_schema),
    )


def _reporter(ctx: Any) -> Callable[[str, float | None], None]:
    """Progress of a load, sent to a client that asked for it."""
    pending: set[asyncio.Task[None]] = set()
    count = 0

    def tell(stage: str, done: float | None) -> None:
        nonlocal count
        if done not in (None, 1.0):
            return  # stages are enough over MCP
        count += 1
        task = asyncio.ensure_future(ctx.session.report_progress(count, None, stage))
        pending.add(task)
        task.add_done_callback(told)

    def told(task: asyncio.Task[None]) -> None:
        pending.discard(task)
        if not task.cancelled():
            task.exception()  # the client is gone, or does not care

    return tell
