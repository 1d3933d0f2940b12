"""The root command, and what becomes of an exception.

Exit codes: 0 done, 1 error (`Error: …` on stderr), 2 wrong usage, 130 ended by Ctrl-C.
"""

from __future__ import annotations

import io
import logging
import sys
import traceback
from typing import TYPE_CHECKING

import click

from wassette import logs
from wassette._version import __version__
from wassette.errors import WassetteError, visible

from .base import Group, examples
from .output import visible_text

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.group(
    cls=Group,
    invoke_without_command=True,
    context_settings={"max_content_width": 100},
    lazy={
        "desktop": "desktop:desktop",
        "serve": "serve:serve",
        "run": "serve:run_stdio",
        "host": "host:host",
        "ui": "ui:ui",
        "component": "component:component",
        "registry": "registry:registry",
        "policy": "policy:policy",
        "permission": "permission:permission",
        "secret": "secret:secret",
        "inspect": "inspect:inspect",
        "tool": "tool:tool",
        "clients": "clients:clients",
        "doctor": "doctor:doctor",
        "completion": "completion:completion",
        "activity": "activity:activity",
        "approvals": "approvals:approvals",
    },
    epilog=examples(
        "wassette component load ./my-tool.wasm",
        "wassette permission grant storage my-tool fs:///home/me/notes --access read",
        'wassette tool invoke my-function --args \'{"name": "value"}\'',
        "wassette serve --stdio",
    ),
)
@click.version_option(__version__, "-V", "--version", message="wassette %(version)s")
@click.pass_context
def root(ctx: click.Context) -> None:
    """Runs untrusted MCP tools as WebAssembly components, which may do only what you permit."""
    if ctx.invoked_subcommand is None:
        click.echo("No command provided. Use --help for usage information.", err=True)
        ctx.exit(1)


def main(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    _use_utf8()
    try:
        logs.set_up()
        # What a command returns means nothing; an int is the code that it exited with.
        code = root.main(list(arguments), prog_name="wassette", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return 130
    except WassetteError as error:
        click.echo(_explained(error), err=True)
        return 1
    except Exception as error:  # noqa: BLE001  (a person should not see a traceback)
        if logging.getLogger().isEnabledFor(logging.DEBUG):
            traceback.print_exception(error)
        what = f"{type(error).__name__}: {visible(str(error), 1000)}"
        click.echo(f"Error: internal error: {what}", err=True)
        click.echo("This is a fault in Wassette. WASSETTE_LOG=debug shows where.", err=True)
        return 1


def _explained(error: WassetteError) -> str:
    lines = [f"Error: {visible_text(str(error))}"]
    cause, depth = error.__cause__, 0
    while cause is not None:
        if depth == 0:
            lines.append("Caused by:")
        lines.append(f"  {depth}: {visible_text(str(cause)) or type(cause).__name__}")
        cause, depth = cause.__cause__, depth + 1
    return "\n".join(lines)


def _use_utf8() -> None:
    """Whatever the code page: JSON is UTF-8. What has no UTF-8 (a file name) is escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
