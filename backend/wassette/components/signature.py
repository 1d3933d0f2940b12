"""What is known of who signed a component: a fact about its bytes, whoever may be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from wassette.errors import visible


@dataclass(frozen=True)
class Signer:
    """Either an identity with its issuer, or the fingerprint of a key (`sha256:…`)."""

    identity: str | None = None
    issuer: str | None = None
    key: str | None = None

    @property
    def short(self) -> str:
        """For a column of a table."""
        return visible(self.identity or "") if self.key is None else f"key {self.key[:19]}…"

    def __str__(self) -> str:
        """For people; an issuer is a stranger, too."""
        if self.key is not None:
            return f"the key {visible(self.key)}"
        return f"{visible(self.identity or '')} (says {visible(self.issuer or '')})"


@dataclass(frozen=True)
class Signature:
    """What came of looking."""

    checked: bool = False
    """Whether anybody looked at all."""
    signer: Signer | None = None
    """Who signed these bytes, without doubt. Not that they are trusted."""
    signed_at: float | None = None
    """Unix seconds, as far as is known."""
    problem: str = ""
    """Why no signature that is there is a valid one; empty if there is none, or a valid one."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> Signature:
        """Raises `ValueError` for anything that is not one."""
        if not isinstance(data, Mapping):
            raise ValueError("not a signature")
        signer, at = data.get("signer"), data.get("signed_at")
        checked, problem = data.get("checked"), data.get("problem")
        if (
            not isinstance(checked, bool)
            or not isinstance(problem, str)
            or isinstance(at, bool)
            or not (at is None or isinstance(at, int | float))
        ):
            raise ValueError("not a signature")
        return cls(checked, None if signer is None else signer_of(signer), at, problem)


UNCHECKED = Signature()


def signer_of(data: Any) -> Signer:
    """Raises `ValueError`."""
    if not isinstance(data, Mapping):
        raise ValueError("not a signer")
    identity, issuer, key = (data.get(name) for name in ("identity", "issuer", "key"))
    keyless = isinstance(identity, str) and isinstance(issuer, str) and key is None
    if not keyless and not (isinstance(key, str) and identity is None and issuer is None):
        raise ValueError("not a signer")
    return Signer(identity, issuer, key)
