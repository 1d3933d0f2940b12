"""Names that WIT and all tool chains take."""

from __future__ import annotations

import re

MAX_NAME = 64
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*", re.ASCII)
# Words of WIT, which would need a `%` in front of them wherever they are written.
_WORDS = """
as async bool borrow char constructor enum export flags from func future import include interface
list map option own package record resource result static stream string tuple type use variant with
world
"""
_RESERVED = frozenset(_WORDS.split())


def is_name(name: str) -> bool:
    """Whether packages and worlds can have this name: words of a-z and 0-9 with - between them."""
    return bool(_NAME.fullmatch(name)) and len(name) <= MAX_NAME and name not in _RESERVED
