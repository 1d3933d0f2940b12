"""Prompts that tell a model how to build a component, one for each language.

The texts are in guides/: what is the same for all, and what a tool chain needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import mcp_types as types

from wassette.errors import WassetteError, visible
from wassette.projects.names import is_name

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_TASK = 2000  # characters
_DEFAULT = "my-tool"


class BadPrompt(WassetteError):
    """No prompt has this name, or an argument does not fit."""


@dataclass(frozen=True)
class _Language:
    name: str
    title: str
    output: str = "{{name}}.wasm"
    include: str = ""


_LANGUAGES = (
    _Language("javascript", "JavaScript"),
    _Language("python", "Python"),
    _Language("c", "C"),
    _Language("rust", "Rust"),
    _Language("go", "Go", include="  include wasi:cli/imports@0.2.0;\n\n"),
)
_BY_NAME = {f"build-{one.name}-component": one for one in _LANGUAGES}

_ARGUMENTS = [
    types.PromptArgument(
        name="component_name",
        description=f"Its name: words of a-z and 0-9 with - between them; {_DEFAULT} if none",
    ),
    types.PromptArgument(name="task", description="What its tools are to do"),
]


def listed() -> list[types.Prompt]:
    return [
        types.Prompt(
            name=name,
            title=f"Build a {one.title} component",
            description=f"How to build a WebAssembly component in {one.title} for Wassette",
            arguments=_ARGUMENTS,
        )
        for name, one in _BY_NAME.items()
    ]


def get(name: str, arguments: Mapping[str, str]) -> types.GetPromptResult:
    """The prompt. Raises `BadPrompt`."""
    language = _BY_NAME.get(name)
    if language is None:
        raise BadPrompt(f"Unknown prompt: {visible(name)}. There are {', '.join(_BY_NAME)}")
    unknown = arguments.keys() - {argument.name for argument in _ARGUMENTS}
    if unknown:
        raise BadPrompt(f"{name} has no argument {visible(min(unknown))}")
    text = guide(language.name, arguments.get("component_name") or _DEFAULT, arguments.get("task"))
    return types.GetPromptResult(
        description=f"Build a {language.title} component",
        messages=[types.PromptMessage(role="user", content=types.TextContent(text=text))],
    )


def guide(language: str, name: str, task: str | None = None) -> str:
    """The text for one language. Raises `BadPrompt` for a name that tool chains do not take."""
    if not is_name(name):
        raise BadPrompt(
            f"component_name should be words of a-z and 0-9 with - between them, such as "
            f"{_DEFAULT}; not {visible(name, 60)!r}"
        )
    if task is not None and len(task) > MAX_TASK:
        raise BadPrompt(f"task is longer than {MAX_TASK} characters")
    one = next(known for known in _LANGUAGES if known.name == language)
    values = {
        "guide": _text(one.name),
        "output": one.output,
        "include": one.include,
        "language": one.title,
        "id": name,
        "name": name,
        "snake": name.replace("-", "_"),
        # Last, so that nothing in it is taken for one of the others.
        "task": f"What it is to do: {task.strip()}" if task and task.strip() else "",
    }
    text = _text("common")
    for key, value in values.items():
        text = text.replace(f"{{{{{key}}}}}", value)
    return text


@cache
def _text(name: str) -> str:
    return resources.files(__package__).joinpath("guides", f"{name}.md").read_text("utf-8")
