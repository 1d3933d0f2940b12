"""Whose signatures count, as configured: config.toml's [signatures].

Plain data below everything else, since settings carry it and `wassette.signatures` obeys it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ConfigError, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

_PEM = re.compile(
    r"\s*-----BEGIN PUBLIC KEY-----\s+([A-Za-z0-9+/=\s]+?)\s+-----END PUBLIC KEY-----\s*"
)
_MAX_KEY = 16 * 1024


class Mode(StrEnum):
    """What a component without a signature of somebody who is allowed comes to."""

    REQUIRE = "require"
    """It is not loaded, and does not run."""
    WARN = "warn"
    """It is said."""
    OFF = "off"
    """Nobody looks."""


@dataclass(frozen=True)
class Identity:
    """Somebody who signs without a key of their own, as an issuer of identities knows them."""

    identity: str
    """An e-mail address or a URL; with `*` at its end, after `/` or `@`, or `*@` at its beginning,
    all of these."""
    issuer: str
    """The URL of whoever says so."""

    def matches(self, identity: str, issuer: str) -> bool:
        if issuer != self.issuer:
            return False
        if self.identity.endswith("*"):
            start = self.identity[:-1]
            return len(identity) > len(start) and identity.startswith(start)
        if self.identity.startswith("*@"):
            name, at, domain = identity.rpartition("@")
            return bool(at and name) and domain == self.identity[2:]
        return identity == self.identity


@dataclass(frozen=True)
class Key:
    """A public key, PEM. `name`: what to call it."""

    name: str
    pem: str

    @property
    def fingerprint(self) -> str:
        """`sha256:` of the key in its binary form, hex."""
        match = _PEM.fullmatch(self.pem)
        data = base64.b64decode("".join(match[1].split())) if match else b""
        return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass(frozen=True)
class SignatureOptions:
    """`trusted_root`: the authorities and logs behind identities (Sigstore's trusted_root.json);
    None: the public ones, as they came with Wassette."""

    mode: Mode = Mode.WARN
    identities: tuple[Identity, ...] = ()
    keys: tuple[Key, ...] = ()
    trusted_root: Path | None = None

    @property
    def names_somebody(self) -> bool:
        return bool(self.identities or self.keys)


def read_signatures(configured: Mapping[str, Any], file: Path) -> SignatureOptions:
    """`configured` is the parsed config.toml. Raises `ConfigError`."""
    table = configured.get("signatures", {})
    if isinstance(table, str):
        table = {"mode": table}
    if not isinstance(table, dict):
        raise ConfigError(f"signatures in {file} should be a table: [signatures]")
    known = ("mode", "identities", "keys", "trusted_root")
    for key in table:
        if key not in known:
            raise ConfigError(
                f"signatures.{visible(key, 60)} in {file} is no setting; "
                f"there are {', '.join(known)}"
            )
    mode = table.get("mode", Mode.WARN.value)
    if mode not in set(Mode):
        raise ConfigError(
            f"signatures.mode in {file} is one of {', '.join(Mode)}; not '{visible(str(mode), 40)}'"
        )
    root = table.get("trusted_root")
    if root is not None and not (isinstance(root, str) and Path(root).expanduser().is_file()):
        raise ConfigError(f"signatures.trusted_root in {file} should be the path of a file")
    return SignatureOptions(
        Mode(mode),
        tuple(_identity(one, file) for one in _list(table, "identities", file)),
        tuple(_key(one, file) for one in _list(table, "keys", file)),
        None if root is None else Path(root).expanduser().absolute(),
    )


def _list(table: Mapping[str, Any], key: str, file: Path) -> list[Any]:
    found = table.get(key, [])
    if not isinstance(found, list):
        raise ConfigError(f"signatures.{key} in {file} should be a list: [[signatures.{key}]]")
    return found


def _identity(data: Any, file: Path) -> Identity:
    where = f"signatures.identities in {file}"
    if not isinstance(data, dict) or set(data) != {"identity", "issuer"}:
        raise ConfigError(f"{where}: each has an identity and an issuer, and nothing else")
    identity, issuer = data["identity"], data["issuer"]
    if not isinstance(identity, str) or not isinstance(issuer, str) or not issuer:
        raise ConfigError(f"{where}: an identity and its issuer are texts")
    fixed = identity.removesuffix("*") if identity.endswith(("/*", "@*")) else identity
    fixed = fixed.removeprefix("*@") if fixed == identity else fixed
    if "*" in fixed or "*" in issuer or len(fixed.strip("/@")) < 3 or "://*" in identity:
        # `https://github.com/acme*` would be acme-evil, too.
        raise ConfigError(
            f"{where}: '{visible(identity)}' is no identity. A * stands at the end, after / or @, "
            'or as "*@example.com"; an issuer has none'
        )
    if "://" in identity and identity.endswith("/*") and identity.count("/") < 4:
        raise ConfigError(f"{where}: '{visible(identity)}' is everybody at that place")
    return Identity(identity, issuer)


def _key(data: Any, file: Path) -> Key:
    where = f"signatures.keys in {file}"
    if isinstance(data, str):
        data = {"key": data}
    if not isinstance(data, dict) or not {"key"} <= set(data) <= {"key", "name"}:
        raise ConfigError(f"{where}: each has a key (a file, or the text of one) and maybe a name")
    text, name = data["key"], data.get("name")
    if not isinstance(text, str) or not (name is None or isinstance(name, str)):
        raise ConfigError(f"{where}: a key and its name are texts")
    if "-----BEGIN" not in text:
        path = Path(text).expanduser()
        name = name or path.name
        try:
            with open(path, "rb") as opened:
                text = opened.read(_MAX_KEY).decode("ascii")
        except (OSError, ValueError) as error:
            raise ConfigError(f"{where}: {visible(str(path))} cannot be read: {error}") from None
    match = _PEM.fullmatch(text)
    try:
        base64.b64decode("".join(match[1].split()) if match else "!", validate=True)
    except binascii.Error:
        raise ConfigError(
            f"{where}: {visible(name or 'a key', 60)} is no public key: it begins with "
            "-----BEGIN PUBLIC KEY-----, as `cosign generate-key-pair` writes cosign.pub"
        ) from None
    return Key(visible(name or "key", 60), text)
