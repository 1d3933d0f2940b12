"""What a document has one type is a command that there is, with options that it has."""

from __future__ import annotations

import re
import shlex
from itertools import takewhile
from typing import TYPE_CHECKING

import click
import pytest

from support.documents import ROOT, pages
from wassette.cli.app import root

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [
    *pages(),
    *sorted((ROOT / "examples").rglob("README.md")),
    *sorted((ROOT / "backend/wassette").rglob("*.md")),
]
NOT_HERE = {"wassette autocomplete", "wassette acp"}
"""Commands of another program, which a page says we do not have."""
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


@pytest.mark.parametrize(
    "page", [pytest.param(one, id=str(one.relative_to(ROOT))) for one in PAGES]
)
def test_what_is_typed_exists(page: Path) -> None:
    lines = [line for line in typed(page.read_text("utf-8")) if line not in NOT_HERE]
    assert [why for line in lines if (why := refused(line))] == []


def test_lines_are_found_at_all() -> None:
    assert sum(len(typed(page.read_text("utf-8"))) for page in PAGES) > 300


@pytest.mark.parametrize(
    "line",
    [
        *NOT_HERE,
        "wassette component lod x",
        "wassette component load x --acept-change  # a comment",
        "wassette tool invoke x --arg '{",
    ],
)
def test_what_does_not_exist_is_refused(line: str) -> None:
    assert refused(line)
