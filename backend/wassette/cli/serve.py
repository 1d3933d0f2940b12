"""`wassette serve` and `wassette run`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .base import Command, examples, options
from .output import note

if TYPE_CHECKING:
    from wassette.config import Settings
    from wassette.provision import Provisioning

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
            "--meta-tools",
            is_flag=True,
            help="Offer find-tool and call-tool, for clients that do not notice new tools.",
        ),
        click.option(
            "--disable-builtin-tools", is_flag=True, help="Offer the components' tools only."
        ),
        click.option(
            "--continue-on-provisioning-failure",
            is_flag=True,
            help="Serve what there is if something of the manifest fails.",
        ),
        click.option(
            "--manifest",
            type=click.Path(path_type=Path),
            metavar="PATH",
            help="A file of components to load, with their permissions, before serving.",
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


def _for_http(function: F) -> F:
    for option in (
        click.option(
            "--insecure-no-token",
            is_flag=True,
            help="Serve other machines without a token: whoever can connect can call the tools.",
        ),
        click.option(
            "--token-file",
            type=click.Path(path_type=Path),
            metavar="PATH",
            help="A file of tokens, one a line: HTTP clients have to send one of them.",
        ),
        click.option(
            "--allowed-host",
            "allowed_hosts",
            multiple=True,
            metavar="HOST",
            help="A name that HTTP requests may be addressed to; can be repeated.",
        ),
        click.option(
            "--bind-address",
            metavar="HOST:PORT",
            help="Where to listen for HTTP; 127.0.0.1:9001 if not set.",
        ),
    ):
        function = option(function)
    return function


@click.command(
    cls=Command,
    epilog=examples(
        "wassette serve --stdio",
        "wassette serve --env-file .env",
        "wassette serve --http --bind-address 127.0.0.1:8080",
    ),
)
@click.option("--stdio", is_flag=True, help="Speak MCP over standard input and output (default).")
@click.option("--http", is_flag=True, help="Speak MCP over HTTP: at /mcp, and at /sse as --sse.")
@click.option("--streamable-http", is_flag=True, help="Speak MCP over HTTP, at /mcp only.")
@click.option("--sse", is_flag=True, help="Speak MCP over Server-Sent Events, at /sse only.")
@_for_http
@_for_both
@click.pass_context
def serve(
    ctx: click.Context,
    /,
    stdio: bool,
    http: bool,
    streamable_http: bool,
    sse: bool,
    bind_address: str | None,
    allowed_hosts: tuple[str, ...],
    token_file: Path | None,
    insecure_no_token: bool,
    manifest: Path | None,
    continue_on_provisioning_failure: bool,
    standalone: bool,
    **settings: Any,
) -> None:
    """Serve the components' tools to MCP clients."""
    flags = (stdio, http, streamable_http, sse)
    chosen = [name for name, on in zip(_TRANSPORTS, flags, strict=True) if on]
    if len(chosen) > 1:
        raise click.UsageError(f"{' and '.join(chosen)} cannot be used together: choose one.")
    if not (http or streamable_http or sse):
        if bind_address or allowed_hosts or token_file or insecure_no_token:
            raise click.UsageError(
                "--bind-address, --allowed-host, --token-file and --insecure-no-token are for "
                "HTTP: add --http."
            )
        provisioning = _provisioning(manifest, continue_on_provisioning_failure)
        ctx.exit(_serve_stdio(provisioning, standalone, **settings))
    from wassette.web import options as web

    web_options = web.load(
        bind_address=bind_address,
        allowed_hosts=allowed_hosts,
        token_file=token_file,
        insecure_no_token=insecure_no_token,
        streamable_http=not sse,
        sse=not streamable_http,
    )
    loaded = _settings(**settings)
    provisioning = _provisioning(manifest, continue_on_provisioning_failure)
    from wassette.hosting.foreground import serve

    ctx.exit(serve(loaded, web_options, provisioning))


@click.command(
    "run", cls=Command, epilog=examples("wassette run", "wassette run --component-dir ./components")
)
@_for_both
@click.pass_context
def run_stdio(
    ctx: click.Context,
    /,
    manifest: Path | None,
    continue_on_provisioning_failure: bool,
    standalone: bool,
    **settings: Any,
) -> None:
    """Serve over standard input and output; the same as serve --stdio."""
    provisioning = _provisioning(manifest, continue_on_provisioning_failure)
    ctx.exit(_serve_stdio(provisioning, standalone, **settings))


def _provisioning(manifest: Path | None, continue_on_failure: bool) -> Provisioning | None:
    if manifest is None:
        if continue_on_failure:
            raise click.UsageError("--continue-on-provisioning-failure is for --manifest: add it.")
        return None
    from wassette.provision import Provisioning, read_manifest

    return Provisioning(read_manifest(manifest), continue_on_failure=continue_on_failure)


def _serve_stdio(provisioning: Provisioning | None, standalone: bool, **given: Any) -> int:
    if provisioning is not None:
        _provision(_settings(**given), provisioning)
    if standalone:
        from wassette.mcp.stdio import serve

        return serve(_settings(**given, standalone=True))
    from wassette.hosting import bridge

    env_file = given["env_file"]
    return bridge.run(
        bridge.Options(
            component_dir=options().component_dir,
            env=given["env"],
            env_file=None if env_file is None else str(env_file),
            builtin_tools=not given["disable_builtin_tools"],
            agent_grants=given["allow_agent_grants"],
            meta_tools=given["meta_tools"],
        )
    )


def _provision(settings: Settings, provisioning: Provisioning) -> None:
    """Before anything is served: a client that starts us sees all that the manifest declares."""
    import asyncio

    from wassette.host import Host

    async def provision() -> None:
        async with Host(settings) as host:
            await provisioning.run(host)

    asyncio.run(provision())
    if (summary := provisioning.summary()) is not None:
        note(summary)


def _settings(
    *,
    env: tuple[str, ...],
    env_file: Path | None,
    disable_builtin_tools: bool,
    meta_tools: bool,
    allow_agent_grants: bool,
    standalone: bool = False,
) -> Settings:
    from wassette import config

    from .output import has_terminal

    nobody = standalone and not has_terminal()

    return config.load(
        component_dir=options().component_dir,
        env=env,
        env_file=env_file,
        builtin_tools=not disable_builtin_tools,
        agent_grants=allow_agent_grants,
        meta_tools=meta_tools or None,
        default_approvals=config.Approvals.DENY if nobody else config.Approvals.ASK,
    )
