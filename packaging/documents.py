"""The manual page and the completions of shells, made from the commands themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

SHELLS = ("bash", "zsh", "fish")


def completions() -> dict[str, bytes]:
    """What each shell sources: `wassette.bash`, `wassette.zsh`, `wassette.fish`."""
    from wassette.cli.completion import script

    return {f"wassette.{shell}": script(shell).encode() for shell in SHELLS}


def manual(version: str, date: str) -> str:
    """`wassette(1)`, in roff."""
    from packages import facts
    from wassette.cli.app import root

    lines = [
        f'.TH WASSETTE 1 "{date}" "wassette {version}" "Wassette Desktop"',
        ".SH NAME",
        f"wassette \\- {_text(facts().summary)}",
        ".SH SYNOPSIS",
        ".B wassette",
        "[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]",
        ".SH DESCRIPTION",
        _text(root.help or ""),
        ".SH COMMANDS",
    ]
    for path, command in _commands("wassette", root):
        if isinstance(command, click.Group):
            continue
        lines += [".SS " + _text(_usage(path, command)), *_paragraphs(command.help or "")]
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                names = ", ".join([*parameter.opts, *parameter.secondary_opts])
                value = "" if parameter.is_flag or parameter.count else f" {_metavar(parameter)}"
                lines += [".TP", f".B {_text(names + value)}", _text(parameter.help or "")]
    lines += [
        ".SH EXIT STATUS",
        "0: done. 1: an error, with what to do about it on standard error. 2: wrong usage. "
        "130: ended by Ctrl\\-C.",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def _commands(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if not isinstance(command, click.Group):
        return
    context = click.Context(command, info_name=path)
    for name in command.list_commands(context):
        one = command.get_command(context, name)
        if one is not None and not one.hidden:
            yield from _commands(f"{path} {name}", one)


def _usage(path: str, command: click.Command) -> str:
    context = click.Context(command, info_name=path)
    return " ".join([path, *command.collect_usage_pieces(context)])


def _metavar(parameter: click.Option) -> str:
    return parameter.make_metavar(click.Context(click.Command("wassette")))


def _paragraphs(text: str) -> Iterator[str]:
    for index, part in enumerate(re.split(r"\n\s*\n", text.replace("\b", "").strip())):
        if index:
            yield ".PP"
        yield _text(part)


def _text(text: str) -> str:
    """Plain text for roff: nothing in it is a request or an escape."""
    text = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text[:1] in (".", "'") else text
