"""How requests leave, as configured: config.toml's [network], and the usual variables.

Plain data below everything else, since settings carry it and the relay (`wassette.egress`) obeys
it. The names of the fields are the keys in config.toml.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ConfigError, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROXIES = ("http_proxy", "https_proxy")


@dataclass(frozen=True)
class EgressOptions:
    """Times are seconds, sizes are bytes."""

    http_proxy: str | None = field(default=None, repr=False)
    """For http:// requests; None is none. Not shown: it may have a password in it."""
    https_proxy: str | None = field(default=None, repr=False)
    no_proxy: tuple[str, ...] = ()
    ca_file: Path | None = None
    """Certificates to trust besides the system's."""
    dns_timeout: float = 10.0
    connect_timeout: float = 10.0
    tls_timeout: float = 10.0
    first_byte_timeout: float = 300.0
    """Without a byte of request or response moving, until the response begins."""
    idle_timeout: float = 120.0
    """The same, once it has begun."""
    total_timeout: float = 3600.0
    max_request_bytes: int = 4 * 1024**3
    max_response_bytes: int = 16 * 1024**3
    max_header_bytes: int = 64 * 1024
    max_requests_per_component: int = 32
    """In flight at one door, which is one worker's."""
    max_requests: int = 256
    """In flight in all."""


def read_options(
    configured: Mapping[str, Any], environ: Mapping[str, str], file: Path
) -> EgressOptions:
    """`configured` is the parsed config.toml. It wins over the environment; `""` is no proxy."""
    table = configured.get("network", {})
    if not isinstance(table, dict):
        raise ConfigError(f"network in {file} should be a table: [network]")
    table = dict(table)
    for_both = table.pop("proxy", None)
    if for_both is not None:
        for key in _PROXIES:
            table.setdefault(key, for_both)
    found: dict[str, Any] = _from_environ(environ)
    known = {one.name: one for one in fields(EgressOptions)}
    for key, value in table.items():
        if key not in known:
            names = ", ".join(("proxy", *known))
            raise ConfigError(
                f"network.{visible(key, 60)} in {file} is no setting; there are {names}"
            )
        found[key] = _checked(key, value, known[key].default, file)
    return EgressOptions(**found)


def _from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    def first(*names: str) -> str | None:
        return next((environ[name] for name in names if environ.get(name)), None)

    found: dict[str, Any] = {
        # Not HTTP_PROXY: where a program is run for a web request, the requester can set it.
        "http_proxy": first("http_proxy", "all_proxy", "ALL_PROXY"),
        "https_proxy": first("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
        "no_proxy": _entries(first("no_proxy", "NO_PROXY") or ""),
    }
    ca_file = first("SSL_CERT_FILE")
    if ca_file is not None and Path(ca_file).is_file():
        found["ca_file"] = Path(ca_file)
    return found


def _checked(key: str, value: object, default: object, file: Path) -> object:
    where = f"network.{key} in {file}"
    if key in _PROXIES:
        if not isinstance(value, str):
            raise ConfigError(f'{where} should be a URL like "http://proxy:3128", or "" for none')
        return value or None
    if key == "no_proxy":
        if isinstance(value, str):
            return _entries(value)
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return _entries(",".join(value))
        raise ConfigError(f"{where} should be a list of hosts")
    if key == "ca_file":
        path = Path(value).expanduser() if isinstance(value, str) else None
        if path is None or not path.is_file():
            raise ConfigError(f"{where} should be the path of a file with certificates (PEM)")
        return path
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{where} should be a number")
    if not math.isfinite(value) or value <= 0:
        raise ConfigError(f"{where} should be more than 0")
    if isinstance(default, int):
        if not isinstance(value, int):
            raise ConfigError(f"{where} should be a whole number")
        return value
    return float(value)


def _entries(text: str) -> tuple[str, ...]:
    return tuple(entry for one in text.replace(" ", ",").split(",") if (entry := one.strip()))
