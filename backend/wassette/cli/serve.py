"""`wassette serve` and `wassette run`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from wassette.errors import ConfigError

from .base import Command, examples, options

F = TypeVar("F", bound=Callable[..., Any])

_TRANSPORTS = ("--stdio", "--http", "--streamable-http", "--sse")


def _for_both(function: F) -> F:
    """The options of `serve` and `run`."""
    for option in (
        click.option(
            "--standalone", is_flag=True, help="Run everything in this process, as for containers."
        ),
        click.option(
            "--allow-agent-grants",
            is_flag=True,
            help="Let agents load components and give them permissions, without asking you.",
        ),
        click.option(
            "--disable-builtin-tools", is_flag=True, help="Offer the components' tools only."
        ),
        click.option(
            "--env-file",
            type=click.Path(path_type=Path),
            metavar="PATH",
            help="A file of KEY=VALUE lines: variables that components can be permitted to read.",
        ),
        click.option(
            "--env",
            multiple=True,
            metavar="KEY=VALUE",
            help="A variable that components can be permitted to read; can be repeated.",
        ),
    ):
        function = option(function)
    return function


@click.command(
    cls=Command,
    epilog=examples("wassette serve --stdio", "wassette serve --env-file .env"),
)
@click.option("--stdio", is_flag=True, help="Speak MCP over standard input and output (default).")
@click.option("--http", is_flag=True, help="Not in this version yet.")
@click.option("--streamable-http", is_flag=True, help="Not in this version yet.")
@click.option("--sse", is_flag=True, help="Not in this version yet.")
@_for_both
@click.pass_context
def serve(
    ctx: click.Context,
    /,
    stdio: bool,
    http: bool,
    streamable_http: bool,
    sse: bool,
    **settings: Any,
) -> None:
    """Serve the components' tools to an MCP client."""
    flags = (stdio, http, streamable_http, sse)
    chosen = [name for name, on in zip(_TRANSPORTS, flags, strict=True) if on]
    if len(chosen) > 1:
        raise click.UsageError(f"{' and '.join(chosen)} cannot be used together: choose one.")
    if chosen and chosen != ["--stdio"]:
        raise ConfigError(f"This version serves stdio only: leave out {chosen[0]}, or use --stdio")
    ctx.exit(_serve(**settings))


@click.command(
    "run", cls=Command, epilog=examples("wassette run", "wassette run --component-dir ./components")
)
@_for_both
@click.pass_context
def run_stdio(ctx: click.Context, /, **settings: Any) -> None:
    """Serve over standard input and output; the same as serve --stdio."""
    ctx.exit(_serve(**settings))


def _serve(
    *,
    env: tuple[str, ...],
    env_file: Path | None,
    disable_builtin_tools: bool,
    allow_agent_grants: bool,
    standalone: bool,
) -> int:
    if not standalone:
        from wassette.hosting import bridge

        return bridge.run(
            bridge.Options(
                component_dir=options().component_dir,
                env=env,
                env_file=None if env_file is None else str(env_file),
                builtin_tools=not disable_builtin_tools,
                agent_grants=allow_agent_grants,
            )
        )
    from wassette import config

    settings = config.load(
        component_dir=options().component_dir,
        env=env,
        env_file=env_file,
        builtin_tools=not disable_builtin_tools,
        agent_grants=allow_agent_grants,
    )
    from wassette.mcp.stdio import serve

    return serve(settings)
