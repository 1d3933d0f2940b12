"""docs/cli.md has every command and every option."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from wassette.cli.app import root
from wassette.config import CONFIG_FILE_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"


@cache
def text() -> str:
    return DOCS.read_text(encoding="utf-8")


def commands(
    command: click.Command = root, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that is not a group, with its path."""
    ctx = click.Context(command)
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name in command.list_commands(ctx):
        inner = command.get_command(ctx, name)
        assert inner is not None
        yield from commands(inner, (*path, name))


def options(command: click.Command) -> Iterator[str]:
    for parameter in command.get_params(click.Context(command, **root.context_settings)):
        if isinstance(parameter, click.Option):
            yield from (*parameter.opts, *parameter.secondary_opts)


ALL = [pytest.param(path, command, id=" ".join(path)) for path, command in commands()]


@pytest.mark.parametrize(("path", "command"), ALL)
def test_command_is_documented_with_an_example(
    path: tuple[str, ...], command: click.Command
) -> None:
    assert re.search(rf"^\$ (.* \| )?wassette {' '.join(path)}\b", text(), re.MULTILINE)


@pytest.mark.parametrize(("path", "command"), [((), root), *[p.values for p in ALL]])
def test_options_are_documented(path: tuple[str, ...], command: click.Command) -> None:
    missing = [one for one in options(command) if not re.search(rf"`{one}[ `]", text())]
    assert not missing


@pytest.mark.parametrize(("path", "command"), ALL)
def test_help_has_a_description_and_an_example(
    path: tuple[str, ...], command: click.Command
) -> None:
    help_text = command.get_help(click.Context(command, info_name=f"wassette {' '.join(path)}"))
    assert command.help
    assert f"  wassette {' '.join(path)}" in help_text.partition("Examples:")[2]


def test_the_tree_has_every_command_once() -> None:
    shown: list[str] = []
    group = ""
    for line in text().partition("```\nwassette\n")[2].partition("```")[0].splitlines():
        inside, names = line.startswith("│"), re.split(r"\s{2,}", line.lstrip("│├└─ "))[0]
        prefix = f"{group} " if inside else ""
        shown += [prefix + name for name in names.split(", ")]
        group = group if inside else names
    # `grant` and `revoke` have what they are about beside them.
    every = {" ".join(path[:2]) for path, _ in commands()}
    groups = {path[0] for path, _ in commands() if len(path) > 1}
    assert sorted(shown) == sorted(every | groups)


def test_short_help_is_not_cut_off() -> None:
    def check(command: click.Command, name: str) -> None:
        if isinstance(command, click.Group):
            ctx = click.Context(command, info_name=name, max_content_width=100)
            assert "..." not in command.get_help(ctx).partition("Commands:")[2], name
            for inner in command.list_commands(ctx):
                found = command.get_command(ctx, inner)
                assert found is not None
                check(found, f"{name} {inner}")

    check(root, "wassette")


@pytest.mark.parametrize(
    "word",
    [
        CONFIG_FILE_VARIABLE,
        "WASSETTE_COMPONENT_DIR",
        "WASSETTE_PLUGIN_DIR",
        "WASSETTE_SECRETS",
        "WASSETTE_SECRETS_DIR",
        "WASSETTE_LOG",
        "WASSETTE_WALLS",
        "`walls`",
        "RUST_LOG",
        "component_dir",
        "plugin_dir",
        "environment_vars",
        "idle_timeout",
        "WASSETTE_IDLE_TIMEOUT",
        "XDG_RUNTIME_DIR",
        "WASSETTE_BIND_ADDRESS",
        "BIND_HOST",
        "WASSETTE_ALLOWED_HOSTS",
        "WASSETTE_TOKEN",
        "bind_address",
        "allowed_hosts",
        "token_file",
        "meta_tools",
        "secrets_dir",
    ],
)
def test_setting_is_documented(word: str) -> None:
    assert word in text()


@pytest.mark.parametrize("code", [0, 1, 2, 130])
def test_exit_code_is_documented(code: int) -> None:
    assert f"| {code} |" in text()
