"""Secrets that a component uses without ever having them.

The component has a placeholder as the variable's value, and sends it where it would send the
secret. The relay puts the secret in its place, in requests to the bound hosts only.

A placeholder is as long as the secret, so that nothing moves when one takes the other's place, and
keeps a prefix by which services mark their kinds of tokens (`ghp_`), since programs look for it. It
says nothing else of the secret. It is made from the secret and a key that only this process
has: the same for as long as the process runs, so that workers can be kept, and another one in
the next process.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from wassette.errors import PolicyError
from wassette.policy import rules
from wassette.policy.model import NetworkRule
from wassette.policy.network import rule_covers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wassette.policy.network import NetworkTarget

MIN_SECRET = 12
"""Bytes. A shorter placeholder could stand in a request by chance, and a shorter secret is guessed
from its length."""
MAX_SECRET = 8 * 1024
"""Bytes. Servers refuse longer headers."""

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
# Published marks of kinds of tokens, which client libraries look for. They are all public, and tell
# no more than whom the token is for.
_PREFIXES = (
    "github_pat_",
    *(f"gh{kind}_" for kind in "pousr"),
    "glpat-",
    "hf_",
    "npm_",
    "pypi-",
    *(f"{kind}_{mode}_" for kind in ("sk", "rk") for mode in ("live", "test")),
    *(f"xox{kind}-" for kind in "abprs"),
    "xapp-",
    "sk-ant-",
    "sk-proj-",
    "sk-",
    "AIza",
)
_MIN_RANDOM = 16
"""Characters that have to be left when a prefix is kept."""


@dataclass(frozen=True)
class Injection:
    """Where the real value of the variable `key` may go: to `hosts`, in the named headers or the
    named query parameter; in any header if neither is named. Header names are in lower case."""

    key: str
    hosts: tuple[NetworkRule, ...]
    headers: tuple[str, ...] = ()
    query: str | None = None

    @classmethod
    def checked(
        cls, key: str, hosts: Iterable[str], headers: Iterable[str] = (), query: str | None = None
    ) -> Injection:
        """From what a person wrote. Raises `PolicyError`."""
        rules.check_environment_key(key)
        allowed = tuple(NetworkRule(host=rules.check_bound_host(host)) for host in hosts)
        if not allowed:
            raise PolicyError("a secret is bound to one host at least")
        names = tuple(dict.fromkeys(rules.check_header(name) for name in headers))
        parameter = None if query is None else rules.check_query(query)
        return cls(key, tuple(dict.fromkeys(allowed)), names, parameter)

    def covers(self, target: NetworkTarget) -> bool:
        """Whether a request there may carry the secret. Encrypted only, unless a bound host is
        written with `http://`. Allows no request: that is for the network rules."""
        return any(
            rule_covers(rule, target)
            and (target.scheme == "https" or (rule.host or "").startswith("http://"))
            for rule in self.hosts
        )

    @property
    def shown(self) -> str:
        return ", ".join(rule.host or "" for rule in self.hosts)


@dataclass(frozen=True)
class BoundSecret:
    """What the relay needs: `value` takes the place of `placeholder` where `injection` says."""

    injection: Injection
    placeholder: str
    value: str = field(repr=False)

    @property
    def old(self) -> bytes:
        """What the component wrote."""
        return self.placeholder.encode()

    @property
    def new(self) -> bytes:
        """What goes there instead: as many bytes, fit for a header (`why_not_injectable`)."""
        return self.value.encode()


def why_not_injectable(value: str) -> str | None:
    """Why no placeholder can stand for this value, if so. Says nothing of what it is."""
    if len(value.encode("utf-8", "surrogatepass")) < MIN_SECRET:
        return f"its value has fewer than {MIN_SECRET} bytes"
    if len(value) > MAX_SECRET:
        return f"its value has more than {MAX_SECRET} bytes"
    if not all(" " <= char <= "~" for char in value) or value != value.strip():
        return (
            "its value has characters that a header cannot carry (line breaks, spaces around it, "
            "or others than ASCII)"
        )
    return None


def placeholder(component_id: str, key: str, value: str) -> str:
    """What the component `component_id` has as `key`, in place of `value`, which is injectable."""
    prefix = _kept_prefix(value)
    count = len(value) - len(prefix)
    for attempt in range(256):
        made = prefix + _random_text(count, component_id, key, value, str(attempt))
        if made != value:
            return made
    raise AssertionError("unreachable")


def _kept_prefix(value: str) -> str:
    for prefix in _PREFIXES:
        if value.startswith(prefix) and len(value) - len(prefix) >= _MIN_RANDOM:
            return prefix
    return ""


def _random_text(count: int, *parts: str) -> str:
    """`count` characters that nobody can tell from random ones without this process's key."""
    hashed = hashlib.shake_256(_key())
    for part in parts:
        data = part.encode()
        hashed.update(len(data).to_bytes(8, "big") + data)
    # Bytes from 248 on are left out, so that every character is as likely as any other.
    size = 2 * count + 64
    while True:
        text = "".join(_ALPHABET[byte % 62] for byte in hashed.digest(size) if byte < 248)
        if len(text) >= count:
            return text[:count]
        size *= 2


@cache
def _key() -> bytes:
    return os.urandom(32)
