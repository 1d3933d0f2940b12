"""Changes to a client's settings that leave every other character of the file alone.

An edit is a few insertions and deletions in the text, at places that a small parser of the format
knows. Writing the file anew from loaded data would lose comments, order and style. No parser here
has to know every way in which its format can be written: `edit` reads the result again and refuses
it unless it says exactly what was meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wassette.errors import visible

from .base import (
    Absent,
    CannotEdit,
    Key,
    Named,
    Path,
    Unreadable,
    changed,
    found,
    without_empty,
)
from .json_text import Json
from .toml_text import Toml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .base import Change, Format

__all__ = [
    "Absent",
    "CannotEdit",
    "Key",
    "Named",
    "Path",
    "Unreadable",
    "edit",
    "found",
    "reader",
]


def reader(name: str) -> Format:
    """The format of this name."""
    match name:
        case "json":
            return Json()
        case "json-with-comments":
            return Json(comments=True)
        case "jsonc":
            return Json(comments=True, commas=True)
        case "toml":
            return Toml()
        case "yaml":
            from .yaml_text import Yaml  # its library takes its time to import

            return Yaml()
    raise AssertionError(name)


def edit(name: str, text: str, changes: Sequence[Change]) -> str:
    """`text` with `changes` made: (path, value) sets what is there, (path, Absent) removes it.

    Raises `Unreadable` if the text is not of the format, `CannotEdit` if the change cannot be made
    without touching anything else.
    """
    format_ = reader(name)
    for path, value in changes:
        before = format_.read(text)
        wanted = changed(before, path, value)
        where = ".".join(visible(str(key)) for key in path)
        try:
            text = format_.drop(text, path) if value is Absent else format_.put(text, path, value)
            result: Any = format_.read(text)
        except Unreadable as error:
            raise CannotEdit(f"{where} cannot be changed without changing more ({error})") from None
        if result != wanted and result != without_empty(wanted, path):
            raise CannotEdit(f"{where} is written in a way that cannot be changed by itself")
    return text
