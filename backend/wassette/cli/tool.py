"""`wassette tool`: list, read, invoke."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .base import Group, examples
from .output import has_terminal, note, show, table, to_json, visible_text
from .run import run

if TYPE_CHECKING:
    from wassette.answers import CallResult, Client
    from wassette.asking import Dialog
    from wassette.host import Host
    from wassette.toolset import Tool


@click.group(cls=Group)
def tool() -> None:
    """Look at the tools of the loaded components, and call them."""


@tool.command("list", epilog=examples("wassette tool list", "wassette tool list -o table"))
def list_tools() -> None:
    """List the tools of all components."""

    async def work(host: Host) -> list[Tool]:
        await host.examined()
        return host.tools().all()

    tools = run(work)
    show(
        {"tools": [_entry(one) for one in tools]},
        table=lambda: table(
            ("Name", "Component", "Description"),
            [
                (one.name, one.component_id, one.function.shown_description.partition("\n")[0])
                for one in tools
            ],
        ),
    )


@tool.command(epilog=examples("wassette tool read text-stats"))
@click.argument("name")
def read(name: str) -> None:
    """Show one tool: its description, and the schemas of its arguments and its result."""

    async def work(host: Host) -> Tool:
        await host.examined()
        return host.tools().get(name)

    show(_entry(run(work)))


def _entry(one: Tool) -> dict[str, Any]:
    return {
        "name": one.name,
        "description": one.function.shown_description,
        "input_schema": one.function.input_schema,
        "output_schema": one.function.output_schema,
        "component_id": one.component_id,
    }


@tool.command(
    epilog=examples(
        'wassette tool invoke text-stats --args \'{"text": "one two"}\'',
        "wassette tool invoke text-stats --args @arguments.json",
        "wassette tool invoke text-stats --args - <arguments.json",
    )
)
@click.argument("name")
@click.option(
    "--args",
    "arguments",
    default="{}",
    metavar="JSON",
    help="The arguments: a JSON object, @FILE, or - for standard input.  [default: {}]",
)
@click.pass_context
def invoke(ctx: click.Context, name: str, arguments: str) -> None:
    """Call a tool, and print its result: a text as it is, anything else as JSON.

    What the component prints goes to stderr. The exit code is 1 if the tool fails.
    """
    data = read_arguments(arguments)

    async def work(host: Host) -> CallResult:
        await host.examined()
        return await host.call_tool(name, data, client(), dialog=dialog())

    result = run(work)
    if result.output:
        note(visible_text(result.output.removesuffix("\n")))
    for refusal in result.refusals:
        note(refusal)
    if result.error is not None:
        raise result.error
    show({"result": result.value}, default=lambda: _plain(result.value))
    if result.is_error:
        ctx.exit(1)


def dialog() -> Dialog | None:
    if not has_terminal():
        return None
    import time

    from .prompt import TerminalPrompter

    return TerminalPrompter(lambda: int(time.time() * 1000))


def client() -> Client:
    from secrets import token_urlsafe

    from wassette._version import __version__
    from wassette.answers import Client

    return Client("wassette", __version__, "cli", token_urlsafe(16))


def read_arguments(text: str) -> bytes:
    """JSON text as given; whether it fits is for the component to say."""
    if text == "-":
        data = sys.stdin.buffer.read()
    elif text.startswith("@"):
        try:
            data = Path(text[1:]).read_bytes()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise click.BadParameter(
                f"{text[1:]} cannot be read: {why}", param_hint="--args"
            ) from None
    else:
        data = text.encode("utf-8", "surrogateescape")
    return data.removeprefix(b"\xef\xbb\xbf")  # editors on Windows begin files with it


def _plain(value: Any) -> str:
    if not isinstance(value, str):
        return to_json(value)
    # As it is for a program; a person at a terminal is protected from what it might do there.
    return visible_text(value) if sys.stdout.isatty() else value
