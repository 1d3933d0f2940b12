"""The MCP server: one object that drives every transport and both eras of the protocol.

On the SDK's low-level `Server`, since the tools' schemas come from components, not from Python
signatures. It validates nothing by itself; arguments are validated against the function's types
where they are converted (in the worker), built-in ones by their schema (builtin.py).
"""

from __future__ import annotations

import asyncio
import copy
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.server.caching import CacheHint
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.runner import serve_dual_era_loop
from mcp.server.subscriptions import (
    ListenHandler,
    ResourcesListChanged,
    ResourceUpdated,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPError

from wassette._version import __version__
from wassette.errors import ToolNotFound, WassetteError
from wassette.recording import CALLER
from wassette.session import CURRENT, Session
from wassette.toolset import BUILTIN_NAMES, META_NAMES, Tool

from . import meta, prompts
from .builtin import Asker, Builtins
from .dialog import KEY, Answered, Asked, Parked, Parking, can_ask, is_modern
from .outbox import Outbox
from .resources import Resources, uris
from .results import call_result, error_result, text_result
from .sessions import MAX_SUBSCRIPTIONS, Bus, Channel, ClientSession, Sessions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from mcp.shared._stream_protocols import ReadStream, WriteStream
    from mcp.shared.message import SessionMessage
    from mcp.shared.subscriptions import ServerEvent

    from wassette.answers import Change
    from wassette.asking import Dialog
    from wassette.host import Host

INSTRUCTIONS = """\
Wassette runs tools as WebAssembly components in a sandbox. A component reaches no file, host or
environment variable that a person has not granted to it. list-components shows what is loaded,
get-policy what a component may do. You cannot widen permissions or load components yourself: the
grant and load tools ask the user, and a call that needs more asks by itself. If the user has not
decided yet, say so and call again later. Never edit policy files."""

NOTIFY_TIMEOUT = 2.0
"""Seconds that a client may take to accept a notification before the answer that follows it."""

_STALE = CacheHint(ttl_ms=0, scope="private")
"""Lists change whenever somebody loads a component: clients are told, and should ask again."""


class _NotifyingServer(Server[Any]):
    """The SDK's transports ask for these options without saying that lists change."""

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        options = notification_options or NotificationOptions(
            tools_changed=True, resources_changed=True, prompts_changed=True
        )
        return super().create_initialization_options(options, *args, **kwargs)


class McpServer:
    """Serves a host's tools. `serve` is for transports that are a stream, `http` for HTTP;
    `running` keeps the clients up to date."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._parking = Parking()
        self.sessions = Sessions(host, self._parking.end_session)
        self._builtins = Builtins(host)
        self._resources = Resources(host)
        self._bus = Bus()
        self._listening = ListenHandler(self._bus)
        self._calls: set[asyncio.Task[Any]] = set()
        self._ending = False
        self.knows_http_clients = False
        """Whether whoever comes over HTTP has shown a token. Others may be programs of anybody on
        this machine: what they say that a person answered, nobody needs to have answered."""
        self.server: Server[Any] = _NotifyingServer(
            "wassette",
            title="Wassette",
            version=__version__,
            instructions=INSTRUCTIONS,
            lifespan=_lifespan("stdio"),
            cache_hints=dict.fromkeys(
                (
                    "tools/list",
                    "prompts/list",
                    "resources/list",
                    "resources/templates/list",
                    "resources/read",
                ),
                _STALE,
            ),
            get_tool_input_schema=self._input_schema,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_resources=self._list_resources,
            on_list_resource_templates=self._list_templates,
            on_read_resource=self._read_resource,
            on_subscribe_resource=self._subscribe,
            on_unsubscribe_resource=self._unsubscribe,
            on_list_prompts=self._list_prompts,
            on_get_prompt=self._get_prompt,
            on_completion=self._complete,
            on_subscriptions_listen=self._listening,
        )
        # Deprecated by the later era, which has another way; clients of the earlier one need it.
        self.server.add_request_handler(
            "logging/setLevel", types.SetLevelRequestParams, self._set_level
        )
        self.server.middleware.append(self._in_session)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tell clients of changes while this is open."""
        async with self.host.watching(self._host_changed):
            yield

    async def serve(
        self,
        read: ReadStream[SessionMessage | Exception],
        write: WriteStream[SessionMessage],
        transport: str = "stdio",
    ) -> None:
        """Serve one client over a stream, in whichever era it speaks, until it is closed."""
        channel = Channel(transport)
        options = self.server.create_initialization_options()
        try:
            await serve_dual_era_loop(
                self.server, read, write, lifespan_state=channel, init_options=options
            )
        finally:
            if channel.session is not None:
                self.sessions.close(channel.session)

    def http(self) -> Server[Any]:
        """The server for the SDK's transport over HTTP, which serves many clients by one."""
        server = copy.copy(self.server)  # the same handlers, another lifespan
        server.lifespan = _lifespan("http")
        return server

    def end_calls(self) -> None:
        """End the tool calls that run: each is answered that it was."""
        self._ending = True
        self._parking.end_all()
        for call in list(self._calls):
            call.cancel()

    def close_streams(self) -> None:
        """End the streams by which clients of the later era are told of changes."""
        self._listening.close()

    # -- tools ---------------------------------------------------------------------------------

    async def _list_tools(self, _ctx: Any, _params: Any) -> types.ListToolsResult:
        tools = [_described(tool) for tool in self.host.tools().all()]
        brought = self._brought()
        if brought.builtin_tools:
            tools += self._builtins.tools()
        if brought.meta_tools:
            tools += meta.TOOLS
        return types.ListToolsResult(tools=tools)

    def _input_schema(self, name: str) -> Mapping[str, Any] | None:
        try:
            return self.host.tools().get(name).function.input_schema
        except WassetteError:
            return None

    async def _call_tool(
        self, ctx: Any, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        session = _session(ctx)
        outbox = Outbox(ctx, session)
        task = asyncio.current_task()
        assert task is not None
        self._calls.add(task)
        result: types.CallToolResult | types.InputRequiredResult
        try:
            if session is None or not can_ask(ctx) or not self._is_known(session):
                result = await self._call(session, outbox, params.name, params.arguments or {})
            elif is_modern(ctx):
                result = await self._parkable(session, outbox, params)
            else:
                dialog = Asked(ctx, session, _now)
                arguments = params.arguments or {}
                result = await self._call(session, outbox, params.name, arguments, dialog)
            await outbox.close()
        except asyncio.CancelledError:
            if not self._ending:
                raise
            task.uncancel()
            return error_result("The call was ended: Wassette is shutting down")
        finally:
            self._calls.discard(task)
            outbox.drop()
        return result

    async def _parkable(
        self, session: ClientSession, outbox: Outbox, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        """A call of the later era, which may be answered with a question."""
        if params.request_state is not None:
            found = self._parking.take(params.request_state, params.name, session)
            if found is None:
                return error_result(
                    "That question is over, and so is the call that it was asked for. "
                    "Call the tool again, from the beginning"
                )
            call = found
            answer = (params.input_responses or {}).get(KEY)
            if isinstance(answer, types.ElicitResult):
                call.dialog.answer(call.asked, answer)
                await asyncio.sleep(0)
        else:
            call = Parked(params.name, session, Answered(session, _now))
            call.outbox = outbox  # the call may tell something at once
            call.task = asyncio.create_task(
                self._call(session, call, params.name, params.arguments or {}, call.dialog)
            )
            call.task.add_done_callback(lambda _: self._unpark(session))
        call.outbox = outbox
        try:
            return await call.next(self._park)  # type: ignore[no-any-return]
        finally:
            call.outbox = None

    def _park(self, call: Parked) -> str:
        call.session.parked = True
        return self._parking.put(call)

    def _unpark(self, session: ClientSession) -> None:
        if session.parked:
            session.parked = False
            if session.passing:
                self.sessions.close(session)

    async def _call(
        self,
        session: ClientSession | None,
        outbox: Outbox | Parked,
        name: str,
        arguments: Mapping[str, Any],
        dialog: Dialog | None = None,
    ) -> types.CallToolResult:
        brought = self._brought()
        client = session.client if session is not None else None
        CALLER.set(client)
        try:
            if brought.meta_tools and name == meta.CALL:
                name, arguments = meta.unwrap(arguments)
            if brought.meta_tools and name == meta.FIND:
                return text_result(meta.find(self.host.tools(), arguments))
            if name in BUILTIN_NAMES:
                if not brought.builtin_tools:
                    return error_result("Built-in tools are disabled")
                asker = Asker(client, brought, outbox.progress, dialog, _person_of(session))
                result = await self._builtins.call(name, arguments, asker)
                if session is not None:
                    await session.told(NOTIFY_TIMEOUT)  # clients expect that before the answer
                return result
            if name in META_NAMES:
                raise ToolNotFound(name)
            called = await self.host.call_tool(
                name,
                arguments,
                client=client,
                session=brought,
                progress=outbox.progress if outbox.wants_progress else None,
                printed=outbox.output(self._owner(name)) if outbox.wants_output else None,
                dialog=dialog,
            )
        except ToolNotFound as error:
            return error_result(f"{error}. It may have been unloaded: list the tools again")
        except WassetteError as error:
            return error_result(error)
        return call_result(called)

    def _owner(self, name: str) -> str:
        return self.host.tools().get(name).component_id

    # -- resources and prompts -----------------------------------------------------------------

    async def _list_resources(self, _ctx: Any, _params: Any) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=self._resources.listed())

    async def _list_templates(self, _ctx: Any, _params: Any) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(resource_templates=self._resources.templates())

    async def _read_resource(
        self, ctx: Any, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        try:
            found = await self._resources.read(str(params.uri), ctx.protocol_version)
        except WassetteError as error:
            raise MCPError(types.INTERNAL_ERROR, str(error)) from None
        return types.ReadResourceResult(contents=[found])

    async def _subscribe(self, ctx: Any, params: types.SubscribeRequestParams) -> types.EmptyResult:
        """Also to what is not there: it may be loaded yet."""
        session = _session(ctx)
        if session is not None:
            if len(session.resources) >= MAX_SUBSCRIPTIONS:
                raise MCPError(
                    types.INVALID_REQUEST, f"More than {MAX_SUBSCRIPTIONS} subscriptions"
                )
            session.resources.add(str(params.uri)[:500])
        return types.EmptyResult()

    async def _unsubscribe(
        self, ctx: Any, params: types.UnsubscribeRequestParams
    ) -> types.EmptyResult:
        session = _session(ctx)
        if session is not None:
            session.resources.discard(str(params.uri)[:500])
        return types.EmptyResult()

    async def _list_prompts(self, _ctx: Any, _params: Any) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=prompts.listed())

    async def _get_prompt(
        self, _ctx: Any, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        try:
            return prompts.get(params.name, params.arguments or {})
        except prompts.BadPrompt as error:
            raise MCPError(types.INVALID_PARAMS, str(error)) from None

    async def _complete(
        self, _ctx: Any, params: types.CompleteRequestParams
    ) -> types.CompleteResult:
        values: list[str] = []
        if params.ref.type == "ref/resource" and params.argument.name == "id":
            values = self._resources.complete(params.argument.value)
        first = values[:100]
        return types.CompleteResult(
            completion=types.Completion(
                values=first, total=len(values), has_more=len(first) < len(values)
            )
        )

    # -- sessions ------------------------------------------------------------------------------

    async def _set_level(self, ctx: Any, params: types.SetLevelRequestParams) -> types.EmptyResult:
        session = _session(ctx)
        if session is not None:
            session.log_level = params.level
        return types.EmptyResult()

    async def _in_session(self, ctx: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        """Handlers find the session of their request in place of the channel it came by."""
        if ctx.method == "initialize":
            result = await call_next(ctx)
            self.sessions.shaken(ctx)
            return result
        session, passing = self.sessions.find(ctx)
        try:
            return await call_next(replace(ctx, lifespan_context=session))
        finally:
            if passing and session is not None:
                self.sessions.close(session)

    def _is_known(self, session: ClientSession) -> bool:
        """Whether the client is a program of the user's, whose dialog a person answers."""
        return session.client.transport == "stdio" or self.knows_http_clients

    def _brought(self) -> Session:
        """What the client of the running request brought along."""
        return CURRENT.get() or self.host.session

    # -- changes -------------------------------------------------------------------------------

    def _host_changed(self, change: Change) -> None:
        if change.tools:
            self.announce(ToolsListChanged())
        if change.components:
            self.announce(ResourcesListChanged())
        for component_id in change.updated:
            for uri in uris(component_id):
                self.announce(ResourceUpdated(uri))

    def announce(self, event: ServerEvent) -> None:
        """Tell every client that wants to know."""
        uri = event.uri if isinstance(event, ResourceUpdated) else None
        for session in self.sessions:
            if uri is None or uri in session.resources:
                session.tell(event)
        self._bus.tell(event)


def _lifespan(transport: str) -> Callable[[Server[Any]], Any]:
    @asynccontextmanager
    async def lifespan(_server: Server[Any]) -> AsyncIterator[Channel]:
        yield Channel(transport)

    return lifespan


def _now() -> int:
    return int(time.time() * 1000)


def _person_of(session: ClientSession | None) -> str:
    """Who comes back for what was asked: the session, or (requests that stand for themselves) any
    client of that name, since what was decided is no secret."""
    if session is None:
        return ""
    return f"http {session.client.name}" if session.passing else session.client.session


def _session(ctx: Any) -> ClientSession | None:
    session: ClientSession | None = ctx.lifespan_context
    return session


def _described(tool: Tool) -> types.Tool:
    function = tool.function
    return types.Tool(
        name=tool.name,
        description=function.shown_description,
        input_schema=dict(function.input_schema),
        output_schema=None if function.output_schema is None else dict(function.output_schema),
    )
