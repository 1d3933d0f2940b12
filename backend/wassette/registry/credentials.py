"""Who we are to a registry: from the keyring (`wassette registry login`), or from Docker's file.

Docker's is read only: `credHelpers` and `credsStore` (programs named `docker-credential-*`), and
`auths`. They are looked at when a registry wants credentials, not before: a public component
costs no question to a keyring.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
import re
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wassette.components.remote import DOCKER_HUB
from wassette.errors import NotAuthorized, SecretError, visible
from wassette.secrets import SecretStore
from wassette.secrets.reader import in_thread
from wassette.secrets.ring import Ring

if TYPE_CHECKING:
    from pathlib import Path

    from wassette.secrets import Kept, Place

HELPER_PATIENCE = 60.0
"""Seconds for a credential helper, which can ask a person."""
KEYRING_PATIENCE = 120.0
"""Seconds for the keyring, which can, too."""
_MAX_CONFIG = 1024 * 1024
_MAX_ANSWER = 64 * 1024
_HUB_NAMES = ("https://index.docker.io/v1/", "index.docker.io", "registry-1.docker.io")
_HELPER = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_TOKEN_USER = "<token>"  # noqa: S105  (how helpers say that the secret is an identity token)
_KEY = "login"
_PREFIX = "registry."


@dataclass(frozen=True)
class Credentials:
    """A user name and password, or an identity token in their place."""

    username: str
    password: str = field(repr=False)
    where: str
    """Where they are from, for people."""
    identity_token: str | None = field(default=None, repr=False)

    @property
    def basic(self) -> str:
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode()


class Logins:
    """Those that `wassette registry login` keeps: as secrets are, under names of their own."""

    def __init__(self, directory: Path, place: Place) -> None:
        # Not the names of components' secrets: a component could be called like a registry.
        self._store = SecretStore(directory, place, Ring("wassette-registry"))

    async def get(self, registry: str) -> Credentials | None:
        """Raises `NotAuthorized` if there are some that cannot be had."""
        name = _name(registry)
        try:
            async with asyncio.timeout(KEYRING_PATIENCE):
                found = await in_thread(lambda: self._store.read(name))
        except (TimeoutError, SecretError) as error:
            why = str(error) or "the keyring gives no answer"
            raise NotAuthorized(f"The login for {registry} cannot be had: {why}") from None
        if _KEY in found.unread:
            raise NotAuthorized(
                f"The login for {registry} cannot be had: {found.unread[_KEY]}. "
                f"Log in again: wassette registry login {registry}"
            )
        with contextlib.suppress(ValueError, KeyError, TypeError):
            entry = json.loads(found.values[_KEY])
            username, password = entry["username"], entry["password"]
            if isinstance(username, str) and isinstance(password, str):
                return Credentials(username, password, f"wassette registry login {registry}")
        return None

    async def set(self, registry: str, username: str, password: str) -> Kept:
        """Raises `SecretError`."""
        text = json.dumps({"username": username, "password": password})
        return await in_thread(lambda: self._store.set(_name(registry), {_KEY: text}))

    async def delete(self, registry: str) -> bool:
        """Whether there was one. Raises `SecretError`."""
        return bool(await in_thread(lambda: self._store.delete(_name(registry), [_KEY])))


def _name(registry: str) -> str:
    return _PREFIX + re.sub(r"[^a-z0-9.-]", "_", registry)


async def from_docker(directory: Path | None, registry: str) -> Credentials | None:
    """What `docker login` keeps for a registry. Raises `NotAuthorized` if that cannot be read."""
    if directory is None:
        return None
    file = directory / "config.json"
    config = await asyncio.to_thread(_read, file)
    names = _HUB_NAMES if registry == DOCKER_HUB else (registry,)
    helper = _of(config.get("credHelpers"), (*names, registry)) or config.get("credsStore")
    if isinstance(helper, str) and helper:
        found = await _ask_helper(helper, names[0])
        if found is not None:
            return found
    entry = _of(config.get("auths"), (*names, registry))
    return _of_entry(entry, file) if isinstance(entry, dict) else None


def _read(file: Path) -> dict[str, Any]:
    try:
        with open(file, "rb") as opened:
            data = opened.read(_MAX_CONFIG + 1)
        found = json.loads(data) if len(data) <= _MAX_CONFIG else None
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise NotAuthorized(f"{file} cannot be read: {visible(str(error))}") from None
    return found if isinstance(found, dict) else {}


def _of(table: object, names: tuple[str, ...]) -> object:
    """The entry for a registry, which people and programs write in different ways."""
    if not isinstance(table, dict):
        return None
    wanted = {_plain(name) for name in names}
    return next((value for key, value in table.items() if _plain(str(key)) in wanted), None)


def _plain(name: str) -> str:
    return name.partition("://")[2].partition("/")[0] if "://" in name else name.partition("/")[0]


def _of_entry(entry: dict[str, Any], file: Path) -> Credentials | None:
    where = str(file)
    token = entry.get("identitytoken")
    if isinstance(token, str) and token:
        return Credentials("", "", where, token)
    try:
        pair = base64.b64decode(str(entry.get("auth") or ""), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise NotAuthorized(f"{file} has an entry that is no login: its auth is broken") from None
    username, colon, password = pair.partition(":")
    if colon:
        return Credentials(username, password.rstrip("\0"), where)
    username, password = entry.get("username", ""), entry.get("password", "")
    if isinstance(username, str) and isinstance(password, str) and username:
        return Credentials(username, password, where)
    return None


async def _ask_helper(helper: str, server: str) -> Credentials | None:
    """The protocol of docker-credential-helpers: the server on stdin, JSON on stdout."""
    name = f"docker-credential-{helper}"
    program = shutil.which(name) if _HELPER.fullmatch(helper) else None
    if program is None:
        raise NotAuthorized(
            f"Docker's configuration names the credential helper '{visible(name, 80)}', which "
            "cannot be found. Install it, or log in: wassette registry login"
        )
    process = await asyncio.create_subprocess_exec(
        program,
        "get",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(HELPER_PATIENCE):
            out, _ = await process.communicate(server.encode() + b"\n")
    except TimeoutError:
        raise NotAuthorized(f"{name} gives no answer") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        if b"not found" in out.lower():
            return None
        # Not what it says: that could be a secret.
        raise NotAuthorized(f"{name} failed (exit code {process.returncode})")
    try:
        answer = json.loads(out[:_MAX_ANSWER])
        username, secret = answer["Username"], answer["Secret"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise NotAuthorized(f"{name} gave no valid answer") from None
    if not isinstance(username, str) or not isinstance(secret, str) or not secret:
        return None
    if username == _TOKEN_USER:
        return Credentials("", "", name, secret)
    return Credentials(username, secret, name)
