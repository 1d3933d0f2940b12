"""Component ids. They become file names, so what is not an id never reaches the disk."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wassette.errors import InvalidComponentId, visible

if TYPE_CHECKING:
    from pathlib import PurePath

MAX_ID = 128
_ID = re.compile(r"[a-z0-9][a-z0-9._-]*")
# Windows opens a device for these, whatever follows the first dot.
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")


def check_id(text: str) -> str:
    """`text` if it is a component id. Raises `InvalidComponentId`."""
    if (
        len(text) > MAX_ID
        or not _ID.fullmatch(text)
        or text.endswith(".")
        or _DEVICES.fullmatch(text)
    ):
        raise InvalidComponentId(
            f"'{visible(text, 80)}' is not a component id: it takes lower-case letters, digits, "
            f"'.', '_' and '-', begins with a letter or digit, and has at most {MAX_ID} characters"
        )
    return text


def id_of_file(path: PurePath) -> str:
    """The id of a component that is loaded from a file: its name without `.wasm`.

    As Wassette does, with what an id cannot hold replaced by `_`. Raises `InvalidComponentId`
    when nothing is left.
    """
    stem = path.name.removesuffix(".wasm").lower()
    text = re.sub(r"[^a-z0-9._-]", "_", stem).lstrip("._-").rstrip(".")
    return check_id(text[:MAX_ID])
