"""The command lines that documents have one type, and whether they can be typed."""

from __future__ import annotations

import re
import shlex
from itertools import takewhile

import click

from wassette.cli.app import root

_FENCE = re.compile(r"^ *```(?:sh|console)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_HERE = re.compile(r"<<'?END'?\n.*?^END$", re.MULTILINE | re.DOTALL)
_TYPED = re.compile(r"(?:^|\$\(| && |^\$ |\| )(?:\w+=\S+ )*(wassette .*)")
_INLINE = re.compile(r"`(wassette [^`]+)`")


def typed(text: str) -> list[str]:
    """The lines with `wassette`, in blocks and in sentences."""
    found = []
    for block in _FENCE.findall(text):
        for line in _HERE.sub("", block).replace("\\\n", " ").splitlines():
            found += _TYPED.findall(line.strip())
    found += [" ".join(one.split()) for one in _INLINE.findall(_FENCE.sub("", text))]
    # Not what it prints, nor what stands for something else.
    return [one for one in found if re.match(r"wassette -*[a-z]", one)]


def refused(line: str) -> str | None:
    """Why a line cannot be typed; None if it can."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # what is in quotes goes on in the next line
        words = line.partition("'")[0].split()
    rest = list(takewhile(lambda word: word not in ("|", "||", "&&", ">", "--"), words[1:]))
    command: click.Command = root
    context = click.Context(root, info_name="wassette")
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        inner = command.get_command(context, rest[0])
        if inner is None:
            return f"{context.command_path} has no {rest[0]}"
        command, rest = inner, rest[1:]
        context = click.Context(
            command, parent=context, info_name=command.name, **root.context_settings
        )
    known = {
        name
        for one in command.get_params(context)
        if isinstance(one, click.Option)
        for name in (*one.opts, *one.secondary_opts)
    }
    options = (word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word))
    unknown = [option for option in options if option not in known]
    return f"{context.command_path} has no {', '.join(unknown)}" if unknown else None
