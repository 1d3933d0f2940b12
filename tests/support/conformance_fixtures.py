"""What the conformance suite asks a server for by name, registered beside Wassette's own.

The requests go the same way as all others (guard, transport, sessions, era); only tools,
resources and prompts that begin with `test` are answered here. Sampling, roots and elicitation,
which Wassette does not use itself, are so exercised through its stack all the same.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mcp_types as t
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.subscriptions import PromptsListChanged, ToolsListChanged
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from wassette.mcp.server import McpServer

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5"
    "ErkJggg=="
)
WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="


@dataclass(frozen=True)
class Call:
    """One call of a fixture tool."""

    mcp: McpServer
    ctx: Any
    params: t.CallToolRequestParams

    @property
    def arguments(self) -> Mapping[str, Any]:
        return self.params.arguments or {}

    @property
    def answers(self) -> Mapping[str, Any]:
        return self.params.input_responses or {}

    @property
    def modern(self) -> bool:
        return self.ctx.protocol_version in MODERN_PROTOCOL_VERSIONS


_TOOLS: dict[str, tuple[t.Tool, Callable[[Call], Awaitable[Any]]]] = {}


def text(words: str) -> t.TextContent:
    return t.TextContent(text=words)


def embedded(uri: str, words: str, kind: str = "text/plain") -> t.EmbeddedResource:
    contents = t.TextResourceContents(uri=uri, mime_type=kind, text=words)
    return t.EmbeddedResource(resource=contents)


def schema(*required: str, **properties: Any) -> dict[str, Any]:
    types = {
        name: {"type": kind} if isinstance(kind, str) else kind for name, kind in properties.items()
    }
    return {"type": "object", "properties": types, "required": list(required or types)}


NAME = schema(name="string")


def ask(message: str, wanted: Mapping[str, Any] = NAME) -> t.ElicitRequest:
    params = t.ElicitRequestFormParams(message=message, requested_schema=dict(wanted))
    return t.ElicitRequest(params=params)


def sample(message: str) -> t.CreateMessageRequest:
    said = t.SamplingMessage(role="user", content=text(message))
    return t.CreateMessageRequest(
        params=t.CreateMessageRequestParams(messages=[said], max_tokens=50)
    )


def tool(
    name: str, input_schema: Mapping[str, Any] | None = None
) -> Callable[[Callable[[Call], Awaitable[Any]]], Callable[[Call], Awaitable[Any]]]:
    def register(run: Callable[[Call], Awaitable[Any]]) -> Callable[[Call], Awaitable[Any]]:
        described = t.Tool(
            name=name,
            description=f"Fixture of the conformance suite: {name}",
            input_schema=dict(input_schema or {"type": "object", "properties": {}}),
        )
        _TOOLS[name] = described, run
        return run

    return register


# ---- tools: content, errors, notifications -------------------------------------------------------


@tool("test_simple_text")
async def simple_text(_: Call) -> Any:
    return [text("This is a simple text response for testing.")]


@tool("test_image_content")
async def image(_: Call) -> Any:
    return [t.ImageContent(data=PNG, mime_type="image/png")]


@tool("test_audio_content")
async def audio(_: Call) -> Any:
    return [t.AudioContent(data=WAV, mime_type="audio/wav")]


@tool("test_embedded_resource")
async def embedded_resource(_: Call) -> Any:
    return [embedded("test://embedded-resource", "This is an embedded resource content.")]


@tool("test_multiple_content_types")
async def multiple(_: Call) -> Any:
    mixed = embedded(
        "test://mixed-content-resource", '{"test":"data","value":123}', "application/json"
    )
    picture = t.ImageContent(data=PNG, mime_type="image/png")
    return [text("Multiple content types test:"), picture, mixed]


@tool("test_tool_with_logging")
@tool("test_logging_tool")
async def logging_tool(call: Call) -> Any:
    for message in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await call.ctx.session.send_log_message(
            "info", message, related_request_id=call.ctx.request_id
        )
        await asyncio.sleep(0.05)
    return "done"


@tool("test_error_handling")
async def failing(_: Call) -> Any:
    raise RuntimeError("This tool intentionally returns an error for testing")


@tool("test_tool_with_progress")
async def progress(call: Call) -> Any:
    for done in (0, 50, 100):
        await call.ctx.session.report_progress(done, 100, f"step {done}")
        await asyncio.sleep(0.05)
    return "done"


@tool("test_reconnection")
async def reconnection(call: Call) -> Any:
    if call.ctx.close_sse_stream:
        await call.ctx.close_sse_stream()
    await asyncio.sleep(0.2)
    return "Reconnection test completed"


@tool("test_trigger_tool_change")
async def tool_change(call: Call) -> Any:
    call.mcp.announce(ToolsListChanged())
    return "ok"


@tool("test_trigger_prompt_change")
async def prompt_change(call: Call) -> Any:
    call.mcp.announce(PromptsListChanged())
    return "ok"


# ---- tools: schemas ------------------------------------------------------------------------------

_ADDRESS = {
    "type": "object",
    "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
}


@tool(
    "json_schema_2020_12_tool",
    {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {"$anchor": "addressDef", **_ADDRESS}},
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": False,
    },
)
@tool(
    "test_x_mcp_header",
    {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}},
)
async def accepting(_: Call) -> Any:
    return "ok"


# ---- tools: asking the client, in the handshake era and in the later one -------------------------


@tool("test_sampling", schema(prompt="string"))
async def sampling(call: Call) -> Any:
    said = t.SamplingMessage(role="user", content=text(call.arguments["prompt"]))
    answer = await call.ctx.session.create_message(
        [said], max_tokens=100, related_request_id=call.ctx.request_id
    )
    return f"LLM response: {answer.content.text}"


def _eliciting(
    name: str, wanted: Mapping[str, Any], takes: Mapping[str, Any] | None = None
) -> None:
    @tool(name, takes)
    async def elicit(call: Call) -> Any:
        message = call.arguments.get("message", "Please provide")
        if call.modern:
            if "q" not in call.answers:
                return t.InputRequiredResult(
                    input_requests={"q": ask(message, wanted)}, request_state="q"
                )
            answer = call.answers["q"]
        else:
            answer = await call.ctx.session.elicit_form(
                message, dict(wanted), related_request_id=call.ctx.request_id
            )
        return f"User response: action={answer.action}, content={json.dumps(answer.content)}"


_eliciting(
    "test_elicitation",
    schema(
        username={"type": "string", "description": "User's response"},
        email={"type": "string", "description": "User's email address"},
    ),
    schema(message="string"),
)
_eliciting("test_streaming_elicitation", NAME)
_eliciting(
    "test_elicitation_sep1034_defaults",
    {
        "type": "object",
        "properties": {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {
                "type": "string",
                "enum": ["active", "inactive", "pending"],
                "default": "active",
            },
            "verified": {"type": "boolean", "default": True},
        },
    },
)


def _titled(kind: str) -> list[dict[str, str]]:
    numbers = ("First", "Second", "Third")
    return [{"const": f"value{i}", "title": f"{n} {kind}"} for i, n in enumerate(numbers, 1)]


_THREE = ["option1", "option2", "option3"]
_eliciting(
    "test_elicitation_sep1330_enums",
    {
        "type": "object",
        "properties": {
            "untitledSingle": {"type": "string", "enum": _THREE},
            "titledSingle": {"type": "string", "oneOf": _titled("Option")},
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            "untitledMulti": {"type": "array", "items": {"type": "string", "enum": _THREE}},
            "titledMulti": {"type": "array", "items": {"anyOf": _titled("Choice")}},
        },
    },
)


@tool("test_missing_capability")
async def missing_capability(call: Call) -> Any:
    capabilities = call.ctx.session.client_capabilities
    if capabilities is None or capabilities.sampling is None:
        raise MCPError(
            code=t.MISSING_REQUIRED_CLIENT_CAPABILITY,
            message="needs sampling",
            data={"requiredCapabilities": {"sampling": {}}},
        )
    return "ok"


def _asking(
    name: str,
    requests: Mapping[str, Any],
    done: Callable[[Mapping[str, Any]], str],
    state: str | None = None,
) -> None:
    @tool(name)
    async def asking(call: Call) -> Any:
        if requests.keys() <= call.answers.keys():
            return done(call.answers)
        return t.InputRequiredResult(input_requests=dict(requests), request_state=state)


_asking(
    "test_input_required_result_elicitation",
    {"user_name": ask("What is your name?")},
    lambda given: f"Hello, {(given['user_name'].content or {}).get('name')}!",
)
_asking(
    "test_input_required_result_sampling",
    {"capital_question": sample("What is the capital of France?")},
    lambda given: f"Model said: {getattr(given['capital_question'].content, 'text', '?')}",
)
_asking(
    "test_input_required_result_list_roots",
    {"client_roots": t.ListRootsRequest()},
    lambda given: f"{len(given['client_roots'].roots)} roots",
)
_asking(
    "test_input_required_result_multiple_inputs",
    {
        "user_name": ask("What is your name?"),
        "greeting": sample("Generate a greeting"),
        "client_roots": t.ListRootsRequest(),
    },
    lambda _: "All inputs received.",
    "multi",
)
CONFIRM = schema(ok="boolean")


@tool("test_input_required_result_request_state")
async def request_state(call: Call) -> Any:
    if call.answers.get("confirm") and call.params.request_state == "nonce":
        return "state-ok"
    return t.InputRequiredResult(
        input_requests={"confirm": ask("Please confirm", CONFIRM)}, request_state="nonce"
    )


@tool("test_input_required_result_tampered_state")
async def tampered_state(call: Call) -> Any:
    if call.params.request_state is None:
        return t.InputRequiredResult(
            input_requests={"confirm": ask("Please confirm", CONFIRM)}, request_state="round-1"
        )
    return f"state-ok: {call.params.request_state}"


@tool("test_input_required_result_multi_round")
async def multi_round(call: Call) -> Any:
    before = call.params.request_state
    state = json.loads(before) if before else {"round": 0}
    if state["round"] == 1 and "step1" in call.answers:
        name = (call.answers["step1"].content or {}).get("name")
        return t.InputRequiredResult(
            input_requests={"step2": ask("Step 2: color?", schema(color="string"))},
            request_state=json.dumps({"round": 2, "name": name}),
        )
    if state["round"] == 2 and "step2" in call.answers:
        return f"{state.get('name')} likes {(call.answers['step2'].content or {}).get('color')}"
    return t.InputRequiredResult(
        input_requests={"step1": ask("Step 1: name?")}, request_state=json.dumps({"round": 1})
    )


@tool("test_input_required_result_capabilities")
async def capabilities(call: Call) -> Any:
    has = call.ctx.session.client_capabilities
    requests: dict[str, Any] = {}
    if has is None or has.sampling is not None:
        requests["sample"] = sample("hello")
    if has is None or has.elicitation is not None:
        requests["ask"] = ask("name?")
    return t.InputRequiredResult(input_requests=requests, request_state="cap")


# ---- resources and prompts -----------------------------------------------------------------------

_RESOURCES = {
    "test://static-text": "text/plain",
    "test://static-binary": "image/png",
    "test://watched-resource": "text/plain",
}
_TEMPLATE = "test://template/{id}/data"


def _read(uri: str) -> t.TextResourceContents | t.BlobResourceContents:
    if uri == "test://static-binary":
        return t.BlobResourceContents(uri=uri, mime_type="image/png", blob=PNG)
    if uri in _RESOURCES:
        words = "This is the content of the static text resource."
        return t.TextResourceContents(uri=uri, mime_type="text/plain", text=words)
    number = uri.split("/")[3]
    data = {"id": number, "templateTest": True, "data": f"Data for ID: {number}"}
    return t.TextResourceContents(uri=uri, mime_type="application/json", text=json.dumps(data))


def _argument(name: str) -> t.PromptArgument:
    return t.PromptArgument(name=name, required=True)


_PROMPTS: dict[str, list[t.PromptArgument]] = {
    "test_simple_prompt": [],
    "test_prompt_with_arguments": [_argument("arg1"), _argument("arg2")],
    "test_prompt_with_embedded_resource": [_argument("resourceUri")],
    "test_prompt_with_image": [],
    "test_input_required_result_prompt": [],
}


def _prompt(params: t.GetPromptRequestParams) -> Any:
    given = params.arguments or {}
    match params.name:
        case "test_simple_prompt":
            content: list[Any] = [text("This is a simple prompt for testing.")]
        case "test_prompt_with_arguments":
            words = f"arg1='{given.get('arg1')}', arg2='{given.get('arg2')}'"
            content = [text(f"Prompt with arguments: {words}")]
        case "test_prompt_with_embedded_resource":
            uri = str(given.get("resourceUri"))
            content = [
                embedded(uri, "Embedded resource content for testing."),
                text("Please process the embedded resource above."),
            ]
        case "test_prompt_with_image":
            content = [
                t.ImageContent(data=PNG, mime_type="image/png"),
                text("Please analyze the image above."),
            ]
        case _:
            answer = (params.input_responses or {}).get("user_context")
            if answer is None:
                wanted = ask("ctx?", schema(context="string"))
                return t.InputRequiredResult(input_requests={"user_context": wanted})
            assert isinstance(answer, t.ElicitResult)
            content = [text(f"ctx {(answer.content or {}).get('context')}")]
    return t.GetPromptResult(messages=[t.PromptMessage(role="user", content=c) for c in content])


# ---- putting them into a server ------------------------------------------------------------------


def install(mcp: McpServer) -> None:
    """Answer what begins with `test`, and leave the rest to Wassette."""
    server = mcp.server

    def own(method: str) -> Callable[[Any, Any], Awaitable[Any]]:
        entry = server.get_request_handler(method)
        assert entry is not None
        return entry.handler

    def answer(method: str, params: type[Any], handler: Any) -> None:
        server.add_request_handler(method, params, handler)

    list_tools, call_tool = own("tools/list"), own("tools/call")
    list_resources, read = own("resources/list"), own("resources/read")
    list_templates = own("resources/templates/list")
    list_prompts, get_prompt = own("prompts/list"), own("prompts/get")
    schema_of = server.get_tool_input_schema
    assert schema_of is not None

    async def tools_listed(ctx: Any, params: Any) -> Any:
        result = await list_tools(ctx, params)
        return t.ListToolsResult(tools=[*result.tools, *(one for one, _ in _TOOLS.values())])

    async def called(ctx: Any, params: t.CallToolRequestParams) -> Any:
        if params.name not in _TOOLS:
            return await call_tool(ctx, params)
        described, run = _TOOLS[params.name]
        wrong = best_match(
            Draft202012Validator(described.input_schema).iter_errors(params.arguments or {})
        )
        if wrong is not None:
            return t.CallToolResult(content=[text(wrong.message)], is_error=True)
        try:
            result = await run(Call(mcp, ctx, params))
        except MCPError:
            raise
        except Exception as error:
            return t.CallToolResult(content=[text(str(error))], is_error=True)
        if isinstance(result, t.InputRequiredResult):
            return result
        content = result if isinstance(result, list) else [text(result)]
        return t.CallToolResult(content=content)

    async def resources_listed(ctx: Any, params: Any) -> Any:
        result = await list_resources(ctx, params)
        ours = [
            t.Resource(uri=u, name=u, description=u, mime_type=m) for u, m in _RESOURCES.items()
        ]
        return t.ListResourcesResult(resources=[*result.resources, *ours])

    async def templates_listed(ctx: Any, params: Any) -> Any:
        result = await list_templates(ctx, params)
        ours = t.ResourceTemplate(uri_template=_TEMPLATE, name="data", description="data")
        return t.ListResourceTemplatesResult(resource_templates=[*result.resource_templates, ours])

    async def was_read(ctx: Any, params: t.ReadResourceRequestParams) -> Any:
        uri = str(params.uri)
        if uri in _RESOURCES or (uri.startswith("test://template/") and uri.endswith("/data")):
            return t.ReadResourceResult(contents=[_read(uri)])
        return await read(ctx, params)

    async def prompts_listed(ctx: Any, params: Any) -> Any:
        result = await list_prompts(ctx, params)
        ours = [t.Prompt(name=n, description=n, arguments=a) for n, a in _PROMPTS.items()]
        return t.ListPromptsResult(prompts=[*result.prompts, *ours])

    async def prompt_got(ctx: Any, params: t.GetPromptRequestParams) -> Any:
        return _prompt(params) if params.name in _PROMPTS else await get_prompt(ctx, params)

    def schema_for(name: str) -> Mapping[str, Any] | None:
        return _TOOLS[name][0].input_schema if name in _TOOLS else schema_of(name)

    answer("tools/list", t.PaginatedRequestParams, tools_listed)
    answer("tools/call", t.CallToolRequestParams, called)
    answer("resources/list", t.PaginatedRequestParams, resources_listed)
    answer("resources/templates/list", t.PaginatedRequestParams, templates_listed)
    answer("resources/read", t.ReadResourceRequestParams, was_read)
    answer("prompts/list", t.PaginatedRequestParams, prompts_listed)
    answer("prompts/get", t.GetPromptRequestParams, prompt_got)
    server.get_tool_input_schema = schema_for
    security = RequestStateSecurity(keys=[b"k" * 32])
    server.middleware.append(RequestStateBoundary(security, default_audience="wassette"))
