"""Printing results: JSON, YAML or a table on stdout, everything else on stderr.

What a component wrote can hold characters that deceive a reader (terminal escapes, text that
reads in another order than it is). In JSON they are escaped, which changes no value; in tables
and plain text they are made visible.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from wassette.errors import visible

from .base import options

Rows = Sequence[Sequence[str]]

_UNUSUAL = re.compile(r"[^\n\x20-\x7e]")
_LINE_BREAKS = re.compile(r"\r?\n")


def show(
    data: Mapping[str, Any],
    table: Callable[[], str] | None = None,
    default: Callable[[], str] | None = None,
) -> None:
    """Print a command's result in the chosen format; `default`: if none was chosen (else JSON).

    `table` gives its table; without one there is a row for each key.
    """
    match options().output:
        case "yaml":
            write(_yaml(data))
        case "table":
            write(table() if table else key_value_table(data))
        case None if default is not None:
            write(default())
        case _:
            write(to_json(data))


def write(text: str) -> None:
    """A line, or more, on stdout. Unlike click.echo it takes nothing out of the text."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """A line, or more, on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


# ---- text ----------------------------------------------------------------------------------------


def to_json(value: Any) -> str:
    """Pretty-printed; readable, but for characters that would deceive, which are escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return _UNUSUAL.sub(lambda match: _escaped(match[0]), text)


@lru_cache(maxsize=4096)
def _escaped(char: str) -> str:
    return char if visible(char) == char else json.dumps(char)[1:-1].replace("\x7f", "\\u007f")


def visible_text(text: str) -> str:
    """`text` with everything but its lines and tabs made visible; not cut."""
    lines = _LINE_BREAKS.split(text)
    return "\n".join("\t".join(visible(p, len(p)) for p in line.split("\t")) for line in lines)


def _yaml(data: Mapping[str, Any]) -> str:
    from ruamel.yaml import YAML

    yaml: Any = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False
    yaml.width = 1 << 20  # folded lines are hard to search
    yaml.representer.ignore_aliases = lambda _: True  # `&id001` where a value comes twice
    out = io.StringIO()
    yaml.dump(_visible_values(data) if sys.stdout.isatty() else data, out)
    return out.getvalue().removesuffix("\n")


def _visible_values(value: Any) -> Any:
    if isinstance(value, str):
        return visible_text(value)
    if isinstance(value, Mapping):
        return {visible_text(str(key)): _visible_values(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_visible_values(one) for one in value]
    return value


# ---- tables --------------------------------------------------------------------------------------


def table(header: Sequence[str], rows: Rows) -> str:
    """Columns as wide as what is in them; on a terminal the last one ends where that does."""
    shown = [[visible(cell, 1000) for cell in row] for row in rows]
    lines = [list(header), *shown]
    widths = [max(columns_of(line[i]) for line in lines) for i in range(len(header))]
    if sys.stdout.isatty():
        room = shutil.get_terminal_size().columns - sum(widths[:-1]) - 3 * (len(widths) - 1)
        widths[-1] = min(widths[-1], max(room, 8))
    rule = "|".join(
        "-" * (w + (1 if i in (0, len(widths) - 1) else 2)) for i, w in enumerate(widths)
    )
    return "\n".join([_line(lines[0], widths), rule, *(_line(one, widths) for one in shown)])


def key_value_table(data: Mapping[str, Any]) -> str:
    return table(("Key", "Value"), [(key, _cell(value)) for key, value in data.items()])


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return json.dumps(value, ensure_ascii=False)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = []
    for cell, width in zip(cells, widths, strict=True):
        fitted = _cut(cell, width)
        padded.append(fitted + " " * (width - columns_of(fitted)))
    return " | ".join(padded).rstrip()


def _cut(text: str, width: int) -> str:
    if columns_of(text) <= width:
        return text
    while text and columns_of(text) > width - 1:
        text = text[:-1]
    return text + "…"


def columns_of(text: str) -> int:
    """Columns that `text` takes in a terminal."""
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def has_terminal() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()
