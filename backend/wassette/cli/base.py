"""What all commands share: the global options, which every command takes, and lazy groups."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMATS = ("json", "yaml", "table")
# Not in a context's settings: click keeps the option that the first context asked for, whichever.
_HELP = ("-h", "--help")


@dataclass
class Options:
    """The global options, wherever on the command line they stood; the last one counts."""

    component_dir: str | None = None
    output: str | None = None


def options() -> Options:
    """Those of the command that is running."""
    found = click.get_current_context().find_object(Options)
    assert found is not None
    return found


def _keep(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    kept = ctx.ensure_object(Options)
    if value is not None:
        assert param.name is not None
        setattr(kept, param.name, value)


def _global_options() -> list[click.Parameter]:
    return [
        click.Option(
            ["--component-dir", "--plugin-dir", "component_dir"],
            type=click.Path(),
            metavar="PATH",
            callback=_keep,
            expose_value=False,
            help="Directory that components are kept in.",
        ),
        click.Option(
            ["-o", "--output-format", "output"],
            type=click.Choice(FORMATS, case_sensitive=False),
            callback=_keep,
            expose_value=False,
            help="How to print the result.",
        ),
    ]


def _first_paragraph(command: click.Command) -> str:
    """For lists of commands; click would cut it in the middle."""
    return " ".join((command.help or "").split("\n\n")[0].split()).removesuffix(".")


class Command(click.Command):
    """A command that takes the global options too."""

    def get_help_option_names(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_HELP)

    def get_short_help_str(self, limit: int = 0) -> str:  # noqa: ARG002
        return _first_paragraph(self)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _global_options()


class Group(click.Group):
    """A group whose commands are imported when they are needed: `lazy` has `module:attribute`
    for each name, relative to this package."""

    command_class = Command
    group_class = type  # its groups are of its own class

    def get_help_option_names(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_HELP)

    def __init__(self, *args: Any, lazy: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = dict(lazy or {})
        # Stand-ins, among which click looks for what a mistyped name could mean.
        self.commands.update({name: click.Command(name) for name in self.lazy})
        self.params += _global_options()

    def get_short_help_str(self, limit: int = 0) -> str:  # noqa: ARG002
        return _first_paragraph(self)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.commands)  # in the order that they were written in

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        where = self.lazy.get(cmd_name)
        if where is None:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = where.partition(":")
        command = getattr(import_module(f".{module}", __package__), attribute)
        assert isinstance(command, click.Command)
        return command


def examples(*lines: str) -> str:
    """Lines for a command's epilog, kept as they are."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
