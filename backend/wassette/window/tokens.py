"""The tokens of MCP clients over HTTP: which there are, and making one. No value leaves this file
but into the one that clients' settings are made from, which only the person can read."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from wassette.components.store import write_atomically
from wassette.errors import ConfigError
from wassette.paths import paths
from wassette.web.options import Tokens, configured_tokens

from . import configured, models, problems
from .words import clean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .offered import Offered

_HEAD = (
    "# Made in Wassette's window, which can put another in its place.\n"
    "# A client sends it as the header: Authorization: Bearer TOKEN\n"
)


def file() -> Path:
    """Where a token that is made here is."""
    return paths().config / "tokens"


def read(offered: Offered, environ: Mapping[str, str] | None = None) -> models.Tokens:
    found, problem = Tokens(), None
    try:
        found = configured_tokens(environ)
    except ConfigError as error:
        problem = str(error)
    server = offered.http
    return models.Tokens(
        count=len(found.values),
        where=clean(found.where) or None,
        file=None if found.file is None else clean(str(found.file)),
        problem=None if problem is None else clean(problem),
        can_make=problem is None and _can_make(found),
        makes=clean(str(file())),
        server=None
        if server is None
        else models.HttpServed(
            url=server.url,
            tokens=len(server.options.tokens),
            where=clean(server.options.tokens_from) or None,
            later=set(found.values) != set(server.options.tokens)
            and not server.options.tokens_from.startswith("--"),
        ),
    )


def make(environ: Mapping[str, str] | None = None) -> None:
    """One token in `file`, which config.toml names. Raises `Refusal` if there are others, which a
    person keeps; `ConfigError`, `StoreError`."""
    found = configured_tokens(environ)
    if not _can_make(found):
        raise problems.Refusal(
            409,
            f"There are tokens already, which were not made here ({found.where or file()})",
            way_out="Change them there: one a line in a file, and a server takes each of them",
        )
    file().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomically(file(), f"{_HEAD}{secrets.token_urlsafe(32)}\n".encode())
    if found.file is None:
        # Only now: a server that reads it meanwhile finds the file that is named.
        configured.write({"token_file": str(file())}, environ)


def _can_make(found: Tokens) -> bool:
    """Nothing that a person wrote is lost by it."""
    if found.values and found.file != file():
        return False
    try:
        text = file().read_text("utf-8")
    except FileNotFoundError:
        return True
    except (OSError, UnicodeDecodeError):
        return False
    return text.startswith(_HEAD) and len(text.removeprefix(_HEAD).split()) <= 1
