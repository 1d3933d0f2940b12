"""Registries and catalogs, as configured: config.toml's [registries] and `catalogs`.

Plain data below everything else, since settings carry it and `wassette.registry` obeys it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ConfigError, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_CATALOGS = 20
_HOST = re.compile(r"[a-z0-9.-]+|[a-z0-9.-]+:[0-9]+|\[[0-9a-f:.]+\](:[0-9]+)?")


@dataclass(frozen=True)
class RegistryHost:
    """What is special about one registry. The names of the fields are the keys in config.toml."""

    plain_http: bool | None = None
    """Without TLS. None: only on this machine, where it is found out."""
    token_hosts: tuple[str, ...] = ()
    """Hosts of other domains that may be given our credentials, if the registry names them."""


@dataclass(frozen=True)
class RegistryOptions:
    """`hosts` by `host` or `host:port`."""

    hosts: Mapping[str, RegistryHost] = field(default_factory=dict)
    catalogs: tuple[str, ...] = ()
    """URLs or files of catalogs besides our own."""
    docker_config: Path | None = None
    """The directory in which `docker login` keeps its file; None if there is none to read."""

    def host(self, registry: str) -> RegistryHost:
        return self.hosts.get(registry, RegistryHost())


def read_registries(
    configured: Mapping[str, Any], environ: Mapping[str, str], file: Path
) -> RegistryOptions:
    """`configured` is the parsed config.toml."""
    table = configured.get("registries", {})
    if not isinstance(table, dict) or not all(isinstance(one, dict) for one in table.values()):
        raise ConfigError(f'registries in {file} should be tables: [registries."host:port"]')
    return RegistryOptions(
        {name.lower(): _host(name, one, file) for name, one in table.items()},
        _catalogs(configured.get("catalogs", []), file),
        _docker_config(environ),
    )


def _host(name: str, table: dict[str, Any], file: Path) -> RegistryHost:
    where = f'registries."{visible(name, 80)}" in {file}'
    if not _HOST.fullmatch(name.lower()):
        raise ConfigError(f"{where}: a registry is host or host:port, like ghcr.io")
    known = {one.name for one in fields(RegistryHost)}
    for key in table:
        if key not in known:
            raise ConfigError(f"{where}: {visible(key, 60)} is no setting; there are {known}")
    plain, hosts = table.get("plain_http"), table.get("token_hosts", [])
    if plain is not None and not isinstance(plain, bool):
        raise ConfigError(f"{where}: plain_http should be true or false")
    if not isinstance(hosts, list) or not all(
        isinstance(one, str) and _HOST.fullmatch(one.lower()) for one in hosts
    ):
        raise ConfigError(f"{where}: token_hosts should be a list of hosts")
    return RegistryHost(plain, tuple(one.lower() for one in hosts))


def _catalogs(value: object, file: Path) -> tuple[str, ...]:
    if (
        not isinstance(value, list)
        or len(value) > _MAX_CATALOGS
        or not all(isinstance(one, str) and one for one in value)
    ):
        raise ConfigError(
            f"catalogs in {file} should be a list of at most {_MAX_CATALOGS} https:// addresses "
            "or paths"
        )
    for one in value:
        if "://" in one and not one.startswith("https://"):
            raise ConfigError(f"catalogs in {file}: {visible(one, 80)} should begin with https://")
    return tuple(value)


def _docker_config(environ: Mapping[str, str]) -> Path | None:
    chosen = environ.get("DOCKER_CONFIG")
    if chosen:
        return Path(chosen)
    home = environ.get("HOME") or environ.get("USERPROFILE")
    return Path(home) / ".docker" if home else None
