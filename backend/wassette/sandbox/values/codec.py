"""What all codecs are, and what they say of values that do not fit."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NoReturn, Self

from wassette.errors import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wassette.sandbox.layout import Memory


class Codec(ABC):
    """Writes JSON values of one type as component values, and reads them back.

    An address is that of a `wasmtime_component_val_t`. `encode` expects it zeroed and leaves it
    valid, whatever happens. `decode` checks the kind of every value that it follows a pointer
    from, so that a value of another type is an error rather than a read at a wild address.
    """

    __slots__ = ()

    @abstractmethod
    def encode(self, value: object, address: int, memory: Memory) -> None:
        """Raises `Misfit`."""

    @abstractmethod
    def decode(self, address: int) -> object:
        """Raises `KindMismatch`."""


class KindMismatch(TypeError):
    """A value from wasmtime is not of the type that the codec was built for."""


def mismatch(kind: int) -> NoReturn:
    raise KindMismatch(f"unexpected component value of kind {kind}")


class Misfit(Exception):
    """A value that does not fit. Each container adds its segment of the path as it passes."""

    def __init__(self, expected: str, given: str) -> None:
        super().__init__(expected, given)
        self.expected = expected
        self.given = given
        self._segments: list[str] = []

    @classmethod
    def of(cls, expected: str, value: object) -> Self:
        return cls(expected, describe(value))

    def within(self, segment: str) -> Self:
        self._segments.append(segment)
        return self

    def __str__(self) -> str:
        path = "".join(reversed(self._segments))
        return f"{path}: expected {self.expected}, got {self.given}"


def describe(value: object) -> str:
    """A JSON value in a few words, safe to show."""
    match value:
        case None | True | False:
            return {None: "null", True: "true", False: "false"}[value]
        case int():
            # str() of a huge int raises ValueError.
            return str(value) if value.bit_length() <= 128 else "a number of over 38 digits"
        case float():
            return repr(value) if math.isfinite(value) else "a number too large for JSON"
        case str():
            return f'"{visible(value, 40)}"'
        case list() | tuple():
            return f"an array of {len(value)}"
        case dict():
            return "an object"
    return f"a {type(value).__name__}"


def list_names(names: Iterable[str], limit: int = 20) -> str:
    """Names that a component or a caller chose, quoted, and not too many of them."""
    quoted = [f"'{visible(name, 64)}'" for name in names]
    more = f" and {len(quoted) - limit} more" if len(quoted) > limit else ""
    return ", ".join(quoted[:limit]) + more
