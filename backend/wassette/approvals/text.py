"""Foreign text as a person may be shown it.

Everything that a component, a client or an agent wrote is between “ and ”, on one line. What could
make it look like something else, and the attack that each rule prevents:

- *Bidi overrides, zero-width and TAG characters, variation selectors, controls, line breaks*: text
  that reads otherwise than it is, or that cannot be seen; `errors.visible`.
- *Quotes*: a “ or ” in it would seem to end it, after which it could go on in our voice.
- *Padding*: eighty spaces fill a line, and what follows seems to begin a new one.
- *Length*: what matters pushed out of sight. What a decision is about is never cut; what only
  explains it is, and says so.
- *Lookalike letters*: a name in Cyrillic. Whatever is not ASCII is shown a second time as code.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any

from wassette.errors import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

_BLANKS = re.compile(r" {3,}")
_QUOTES = str.maketrans({char: f"\\u{{{ord(char):x}}}" for char in "“”„‟«»"})

REDACTED = "[redacted]"
_SECRET_KEY = re.compile(
    r"passw|pwd|passphrase|secret|token|apikey|accesskey|privatekey|signingkey|authoriz|bearer"
    r"|credential|cookie|signature|sessionid"
)
_SECRET_WORDS = frozenset({"auth", "key", "pin", "otp", "sig", "jwt"})
_MAX_DEPTH = 6
_MAX_ITEMS = 50
_MAX_TEXT = 200
MAX_ARGUMENTS = 1000
"""Characters of a call's arguments that are shown."""


def shown(text: str, limit: int = 200) -> str:
    """`text` as it may stand between “ and ”, without them; cut at about `limit` characters."""
    left = len(text) - limit
    safe = visible(text[:limit], limit).translate(_QUOTES)
    safe = "".join(
        f"\\u{{{ord(char):x}}}" if char != " " and unicodedata.category(char) == "Zs" else char
        for char in safe
    )
    safe = _BLANKS.sub(lambda blanks: f"\\u{{20}}[{len(blanks[0])} of them]", safe)
    return f"{safe}… ({left} more characters)" if left > 0 else safe


def quoted(text: str, limit: int = 200) -> str:
    """`text` between “ and ”."""
    return f"“{shown(text, limit)}”"


def in_ascii(text: str) -> str | None:
    """`text` with every character that is not ASCII as code; None if there is none."""
    if text.isascii():
        return None
    return "".join(char if char.isascii() else f"\\u{{{ord(char):x}}}" for char in text)


# ---- arguments -----------------------------------------------------------------------------------


def show_arguments(arguments: Any, known: Iterable[str] = ()) -> str:
    """A call's arguments (as from JSON) on one line: without what is secret by its name, in a
    URL, or because it is one of `known`; cut where they are deep, many or long."""
    secrets = [one for one in known if len(one) >= 4]
    text = json.dumps(_reduced(arguments, secrets, 0), ensure_ascii=False, default=str)
    return shown(text, MAX_ARGUMENTS)


def is_secret_name(name: str) -> bool:
    """Whether what has this name is not to be shown: `api_key`, `Authorization`, `accessToken`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return _SECRET_KEY.search(
        re.sub(r"[^a-z0-9]", "", words)
    ) is not None or not _SECRET_WORDS.isdisjoint(re.split(r"[^a-z0-9]+", words))


def _reduced(value: Any, secrets: list[str], depth: int) -> Any:
    if isinstance(value, str):
        return _reduced_text(value, secrets)
    if isinstance(value, dict):
        if depth == _MAX_DEPTH:
            return "{…}"
        found: dict[str, Any] = {}
        for name, one in list(value.items())[:_MAX_ITEMS]:
            secret = is_secret_name(str(name)[:1000])
            found[_reduced_text(str(name), secrets)] = (
                REDACTED if secret else _reduced(one, secrets, depth + 1)
            )
        if len(value) > _MAX_ITEMS:
            found["…"] = f"{len(value) - _MAX_ITEMS} more"
        return found
    if isinstance(value, list | tuple):
        if depth == _MAX_DEPTH:
            return "[…]"
        items = [_reduced(one, secrets, depth + 1) for one in value[:_MAX_ITEMS]]
        return [*items, f"… {len(value) - _MAX_ITEMS} more"] if len(value) > _MAX_ITEMS else items
    return value


_USER = re.compile(r"(://)[^/?#@\s]+@")
_PARAMETER = re.compile(r"([?&#;])([^=&#;\s]{1,60})=([^&#;\s]+)")
_HEADER = re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{4,}", re.IGNORECASE)


def _reduced_text(text: str, secrets: list[str]) -> str:
    # Cut first: a text of megabytes is not searched.
    extra = len(text) - _MAX_TEXT
    for secret in secrets:
        text = text.replace(secret, REDACTED)
    text = text[: 4 * _MAX_TEXT]
    text = _USER.sub(rf"\1{REDACTED}@", text)
    text = _HEADER.sub(rf"\1 {REDACTED}", text)
    text = _PARAMETER.sub(
        lambda m: f"{m[1]}{m[2]}={REDACTED}" if is_secret_name(m[2]) else m[0], text
    )
    return f"{text[:_MAX_TEXT]}… ({extra} more)" if extra > 0 else text


# ---- names that look like others -----------------------------------------------------------------

_LOOKALIKE = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("nn", "m"))
_SAME = str.maketrans({"0": "o", "1": "l", "i": "l", "5": "s", "8": "b", "_": "-", ".": "-"})


def skeleton(component_id: str) -> str:
    """The same for ids that look alike: `my-too1`, `my_tool`."""
    text = component_id.lower().translate(_SAME)
    for pair, one in _LOOKALIKE:
        text = text.replace(pair, one)
    return text


def lookalikes(component_id: str, others: Iterable[str]) -> list[str]:
    """Those of `others` that a person could take for this id."""
    same = skeleton(component_id)
    return sorted(one for one in others if one != component_id and skeleton(one) == same)
