"""What the HTTP server is started with: flags, then variables, then config.toml, then defaults.

Every problem is `ConfigError`, naming the option, variable or file. Nothing heavy is imported here.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wassette.config import TOKEN_VARIABLE, read_config
from wassette.errors import ConfigError, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 9001

MAX_BODY = 4 * 1024 * 1024
"""Bytes of a request's body. Arguments are kept in memory several times while they are read."""
MAX_SESSIONS = 1000
"""Sessions over HTTP, and as many over SSE. Idle ones over HTTP end after half an hour."""
MIN_TOKEN = 16
"""Characters: what can be guessed is not a token."""

_NAME = r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?"
_ALLOWED = re.compile(rf"({_NAME}|\[[0-9a-f:.]+\])(:[0-9]{{1,5}})?", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+", re.ASCII)


@dataclass(frozen=True)
class Tokens:
    """Tokens, and where they are from."""

    values: tuple[str, ...] = field(default=(), repr=False)
    where: str = ""
    """The option, variable or key, for people; empty if there are none."""
    file: Path | None = None
    """The file that they are in, if the settings name one."""


@dataclass(frozen=True)
class WebOptions:
    """Raises `ConfigError` for what would let anybody in the network call tools."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    """0: any that is free."""
    allowed_hosts: tuple[str, ...] = ()
    """Names, beside those of this machine, that requests may be addressed to: `name` with any
    port, or `name:port`."""
    tokens: tuple[str, ...] = field(default=(), repr=False)
    """Each of them lets its bearer in; a session belongs to the one that opened it."""
    tokens_from: str = ""
    """Where they are from, for people."""
    insecure_no_token: bool = False
    """Whether others in the network may come in without a token."""
    streamable_http: bool = True
    sse: bool = True
    max_body: int = MAX_BODY
    max_sessions: int = MAX_SESSIONS

    def __post_init__(self) -> None:
        if not self.tokens and not self.is_loopback and not self.insecure_no_token:
            raise ConfigError(
                f"{self.address} can be reached from other machines, so a token is required: "
                f"--token-file PATH, {TOKEN_VARIABLE}, or token in config.toml. To serve anybody "
                "who can connect, use --insecure-no-token."
            )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return self.host == "localhost" or _is_loopback(self.host)

    @property
    def address(self) -> str:
        return f"{_bracketed(self.host)}:{self.port}"


def load(
    *,
    bind_address: str | None = None,
    allowed_hosts: Iterable[str] = (),
    token_file: Path | None = None,
    insecure_no_token: bool = False,
    streamable_http: bool = True,
    sse: bool = True,
    environ: Mapping[str, str] | None = None,
) -> WebOptions:
    """The options in force; arguments are command line flags."""
    environ = os.environ if environ is None else environ
    file, configured = read_config(environ)
    host, port = _address(bind_address, environ, file, configured)
    tokens = _tokens(token_file, environ, file, configured)
    return WebOptions(
        host=host,
        port=port,
        allowed_hosts=_allowed(allowed_hosts, environ, file, configured),
        tokens=tokens.values,
        tokens_from=tokens.where,
        insecure_no_token=insecure_no_token,
        streamable_http=streamable_http,
        sse=sse,
    )


def configured_tokens(environ: Mapping[str, str] | None = None) -> Tokens:
    """Those that a server which is started now has, if no option names others. Raises
    `ConfigError`."""
    environ = os.environ if environ is None else environ
    return _tokens(None, environ, *read_config(environ))


# ---- address -----------------------------------------------------------------------------------


def _address(
    flag: str | None, environ: Mapping[str, str], file: Path, configured: Mapping[str, Any]
) -> tuple[str, int]:
    if flag is not None:
        return parse_address(flag, "--bind-address")
    if text := environ.get("WASSETTE_BIND_ADDRESS"):
        return parse_address(text, "WASSETTE_BIND_ADDRESS")
    # As in Wassette, for platforms that say by these where a program is to listen.
    if environ.get("BIND_HOST") or environ.get("PORT"):
        host, port = environ.get("BIND_HOST") or DEFAULT_HOST, environ.get("PORT")
        return parse_address(f"{_bracketed(host)}:{port or DEFAULT_PORT}", "BIND_HOST and PORT")
    if "bind_address" in configured:
        return parse_address(configured["bind_address"], f"bind_address in {file}")
    return DEFAULT_HOST, DEFAULT_PORT


def parse_address(text: object, where: str) -> tuple[str, int]:
    """`HOST:PORT`; an IPv6 address stands in brackets. Raises `ConfigError`."""
    host, colon, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    bare = host.removeprefix("[").removesuffix("]").lower()
    bracketed = host != "" and host[0] == "[" and host[-1] == "]"
    fits = _is_address(bare) if bracketed else re.fullmatch(_NAME, bare, re.ASCII)
    if not colon or not fits or not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        raise ConfigError(
            f"{where} should be HOST:PORT, such as {DEFAULT_HOST}:{DEFAULT_PORT} or [::1]:9001; "
            f"not '{visible(str(text), 100)}'"
        )
    return bare, int(port)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_loopback


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


# ---- allowed hosts -----------------------------------------------------------------------------


def _allowed(
    flags: Iterable[str],
    environ: Mapping[str, str],
    file: Path,
    configured: Mapping[str, Any],
) -> tuple[str, ...]:
    """All of them together, wherever they are named."""
    names = [(name, "--allowed-host") for name in flags]
    variable = environ.get("WASSETTE_ALLOWED_HOSTS", "").strip().strip("[]")
    words = [word.strip().strip("\"'") for word in variable.split(",")]
    names += [(word, "WASSETTE_ALLOWED_HOSTS") for word in words if word]
    key = f"allowed_hosts in {file}"
    listed = configured.get("allowed_hosts", [])
    if not isinstance(listed, list):
        raise ConfigError(f"{key} should be a list of names")
    names += [(name, key) for name in listed]
    return tuple(dict.fromkeys(_allowed_host(name, where) for name, where in names))


def _allowed_host(name: object, where: str) -> str:
    text = name.lower() if isinstance(name, str) else ""
    if not _ALLOWED.fullmatch(text):
        raise ConfigError(
            f"{where} takes names of hosts, such as tools.example.com or localhost:9001; "
            f"not '{visible(str(name), 100)}'"
        )
    return text


# ---- tokens ------------------------------------------------------------------------------------


def _tokens(
    token_file: Path | None,
    environ: Mapping[str, str],
    file: Path,
    configured: Mapping[str, Any],
) -> Tokens:
    """From the first that has any. There is no option for a token itself: other users of the
    machine can see a program's arguments."""
    if token_file is not None:
        return Tokens(_from_file(token_file, "--token-file"), "--token-file")
    if text := environ.get(TOKEN_VARIABLE):
        return Tokens(_checked((text,), TOKEN_VARIABLE), TOKEN_VARIABLE)
    if "token_file" in configured:
        value = configured["token_file"]
        if not isinstance(value, str) or not value:
            raise ConfigError(f"token_file in {file} should be the path of a file")
        path = Path(value).expanduser()
        where = f"token_file in {file}"
        return Tokens(_from_file(path, where), where, path)
    if "token" in configured:
        value, where = configured["token"], f"token in {file}"
        return Tokens(_checked(value if isinstance(value, list) else (value,), where), where)
    return Tokens()


def _from_file(path: Path, where: str) -> tuple[str, ...]:
    """One token a line; lines that begin with # are comments."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: {visible(str(path))} cannot be read: {error}") from None
    words = [line.strip() for line in lines]
    found = [word for word in words if word and not word.startswith("#")]
    if not found:
        raise ConfigError(f"{where}: there is no token in {visible(str(path))}")
    return _checked(found, f"{where} ({visible(str(path))})")


def _checked(values: Iterable[object], where: str) -> tuple[str, ...]:
    found = []
    for value in values:
        # Not quoted in the message: it may be a secret with one character too many.
        if not isinstance(value, str) or not _TOKEN.fullmatch(value):
            raise ConfigError(f"{where}: a token is made of letters, digits and ._~+/=-")
        if len(value) < MIN_TOKEN:
            raise ConfigError(f"{where}: a token has at least {MIN_TOKEN} characters")
        found.append(value)
    if not found:
        raise ConfigError(f"{where}: there is no token")
    return tuple(dict.fromkeys(found))
