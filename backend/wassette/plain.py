"""Data as JSON has it: that what was read is what it should be, and a call's arguments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def an_object(value: Any) -> dict[str, Any]:
    """As all of these: `ValueError` if it is something else."""
    if not isinstance(value, dict):
        raise ValueError("an object is missing")
    return value


def a_list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("a list is missing")
    return value


def a_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text is missing")
    return value


def an_integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("a number is missing")
    return value


def arguments_of(given: Mapping[str, Any] | bytes) -> Any:
    """The arguments of a call, which may have come as JSON text; the text, if it is none."""
    if not isinstance(given, bytes):
        return given
    try:
        return json.loads(given)
    except (ValueError, RecursionError):
        return given.decode("utf-8", "replace")
