"""What the app was started for: a file, a link, a reference. It comes to a place in the window,
which asks; nothing is ever loaded by being opened.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

from wassette.errors import InvalidReference, visible

LOAD = "/load"
HOME = "/"
SCHEME = "wassette"
_MAX_REFERENCE = 4096
_FROM_LINKS = re.compile(r"(oci|https)://[^\s]+|starter:[a-z0-9._-]+")
"""What a link, which anybody can put on a page, may have loaded: not the files of who clicks it."""


def place_of(argument: str | None) -> str:
    """The place in the window for an argument. Raises `InvalidReference`."""
    if argument is None:
        return HOME
    if argument.lower().startswith(f"{SCHEME}:"):
        return _load(_of_link(argument))
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", argument):
        return _load(argument)
    return _load(str(Path(argument).expanduser().absolute()))


def _of_link(link: str) -> str:
    """The reference in `wassette://load?reference=…`."""
    try:
        parts = urlsplit(link)
        asked = parse_qs(parts.query, strict_parsing=True, max_num_fields=4)
    except ValueError:
        raise _no_link(link) from None
    what = (parts.netloc or parts.path.strip("/")).lower()
    references = asked.get("reference", [])
    if what != "load" or len(references) != 1 or set(asked) != {"reference"}:
        raise _no_link(link)
    [reference] = references
    if not _FROM_LINKS.fullmatch(reference):
        raise InvalidReference(
            f"A link can name a component in a registry (oci://…) or on the web (https://…), not "
            f"{visible(reference)}"
        )
    return reference


def _no_link(link: str) -> InvalidReference:
    return InvalidReference(
        f"{visible(link)} is not a link that Wassette knows. "
        "It would be wassette://load?reference=oci://…"
    )


def _load(reference: str) -> str:
    if len(reference) > _MAX_REFERENCE or "\0" in reference:
        raise InvalidReference(f"{visible(reference)} is too long to be a reference")
    if reference.lower().startswith("file:"):
        path = unquote(urlsplit(reference).path)
        reference = path or reference
    try:
        return f"{LOAD}?reference={quote(reference, safe='')}"
    except UnicodeEncodeError:
        raise InvalidReference(f"{visible(reference)} is not a name in UTF-8") from None
