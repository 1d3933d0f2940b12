"""`wassette completion`: what makes a shell complete our commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import get_completion_class

from .base import examples

if TYPE_CHECKING:
    from collections.abc import Mapping

SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog=examples(
        "wassette completion bash > ~/.local/share/bash-completion/completions/wassette",
        "wassette completion zsh > ~/.zfunc/_wassette",
        "wassette completion fish > ~/.config/fish/completions/wassette.fish",
    )
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print a script that completes commands in a shell."""
    click.echo(script(shell), nl=False)


def script(shell: str) -> str:
    """The script for one of `SHELLS`."""
    from .app import root

    found = get_completion_class(shell)
    assert found is not None
    context: Mapping[str, Any] = {}
    # Not `.source()`: for bash it starts a bash to ask it how old it is.
    one = found(root, dict(context), "wassette", "_WASSETTE_COMPLETE")
    return one.source_template % one.source_vars() + "\n"
