"""Secrets do not get into the record: values under telling names, and values that are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

REDACTED = "<redacted>"
MAX_DEPTH = 20
MAX_ITEMS = 200
"""Of one list or object; the rest is counted."""
MAX_TEXT = 2_000
"""Characters of one text."""
MIN_SECRET = 6
"""Shorter values are found in too much that is no secret."""

_PLAIN = frozenset({int, float, bool, type(None)})
# Wassette redacts arguments with these in their name; the rest are where tokens are, too.
_TELLING = re.compile(
    r"pass(word|wd|phrase)|secret|token|(^|[-_. ])(api)?[-_. ]?key$|apikey|private[-_. ]?key|"
    r"credential|authorization|^auth$|cookie|bearer",
    re.IGNORECASE,
)


@lru_cache(maxsize=1024)
def _tells(name: str) -> bool:
    return _TELLING.search(name) is not None


class Redactor:
    """`known` gives the secret values there are now; it is asked when `refresh` is called."""

    def __init__(self, known: Callable[[], Iterable[str]] = tuple) -> None:
        self._known = known
        self._values: tuple[str, ...] = ()
        self._pattern: re.Pattern[str] | None = None
        self.refresh()

    def refresh(self) -> None:
        """Look which secrets there are now."""
        values = tuple(sorted({v for v in self._known() if len(v) >= MIN_SECRET}, key=len)[::-1])
        if values != self._values:
            self._values = values
            self._pattern = re.compile("|".join(map(re.escape, values))) if values else None

    def text(self, text: str, limit: int = MAX_TEXT) -> str:
        """`text` without secrets, cut. It is cut last: half a secret would not be found."""
        if self._pattern is not None:
            text = self._pattern.sub(REDACTED, text)
        return text if len(text) <= limit else text[:limit] + "…"

    def value(self, value: Any, depth: int = 0) -> Any:
        """A JSON value without secrets, and no larger than can be looked at."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            if depth >= MAX_DEPTH:
                return "…"
            return self._mapping(value, depth)
        if isinstance(value, list | tuple):
            if depth >= MAX_DEPTH:
                return "…"
            kept = [
                one if type(one) in _PLAIN else self.value(one, depth + 1)
                for one in value[:MAX_ITEMS]
            ]
            if len(value) > MAX_ITEMS:
                kept.append(f"… {len(value) - MAX_ITEMS} more")
            return kept
        if type(value) in _PLAIN:
            return value
        return self.text(str(value))

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for index, (key, one) in enumerate(value.items()):
            if index >= MAX_ITEMS:
                kept["…"] = f"{len(value) - MAX_ITEMS} more"
                break
            name = str(key)
            kept[self.text(name, 200)] = REDACTED if _tells(name) else self.value(one, depth + 1)
        return kept
