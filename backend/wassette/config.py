"""Settings: flags, then `WASSETTE_*` variables, then config.toml, then defaults.

Every problem is `ConfigError`, naming the file or variable and the key.
"""

from __future__ import annotations

import contextlib
import os
import tomllib
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .activity_options import Retention, read_retention
from .egress_options import EgressOptions, read_options
from .errors import ConfigError, visible
from .paths import paths
from .registry_options import RegistryOptions, read_registries
from .signature_options import SignatureOptions, read_signatures

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CONFIG_FILE_VARIABLE = "WASSETTE_CONFIG_FILE"
TOKEN_VARIABLE = "WASSETTE_TOKEN"  # noqa: S105  (its name)
WALLS_VARIABLE = "WASSETTE_WALLS"
WALLS = ("best-effort", "require")  # the first is the default; see workers/walls/model.py
APPROVALS_VARIABLE = "WASSETTE_APPROVALS"
APPROVAL_TIMEOUT = 300.0
"""Seconds for which a person is waited for, if nothing else is configured."""
APPROVAL_WAIT = 20.0
"""Seconds for which an agent that asked is kept waiting, before it is told to come back."""
_MAX_APPROVAL_TIMEOUT = 24 * 3600.0
# The same setting under Wassette's old name and its new one.
_COMPONENT_DIR = ("component_dir", "plugin_dir")
IDLE_TIMEOUT = 600.0  # seconds
_MAX_IDLE_TIMEOUT = 365 * 24 * 3600.0
SECRETS = ("auto", "keyring", "file")


class Approvals(StrEnum):
    """What happens when an agent, or a component in a call, wants more than it is permitted."""

    ASK = "ask"
    """A person is asked."""
    DENY = "deny"
    """It is denied, and nobody is asked."""
    ALLOW_AGENT = "allow-agent"
    """As `ASK`; but an agent may load components and grant permissions by itself."""


@dataclass(frozen=True)
class Settings:
    """What a host is started with."""

    component_dir: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What components may be granted variables from. Never shown: it holds secrets."""
    builtin_tools: bool = True
    agent_grants: bool = False
    """Whether an agent may load components and grant permissions by itself, as in Wassette: the
    same as `Approvals.ALLOW_AGENT`; either makes the other."""
    idle_timeout: float = IDLE_TIMEOUT
    """Seconds without clients after which a host that was started by one ends."""
    meta_tools: bool = False
    """Whether find-tool and call-tool are offered."""
    walls: str = "best-effort"
    """`require`: nothing runs without every wall that this operating system can have around it."""
    approvals: Approvals = Approvals.ASK
    approval_timeout: float = APPROVAL_TIMEOUT
    """Seconds for which a person is waited for; then it is denied."""
    approval_wait: float = APPROVAL_WAIT
    """Seconds after which an agent that asks for a permission is told to come back."""
    secrets: str = "auto"
    """Where secrets are kept: one of `SECRETS`."""
    secrets_dir: Path | None = None
    """Where files with secrets are; None is beside config.toml."""
    egress: EgressOptions = field(default_factory=EgressOptions)
    """How components' requests leave, where they may; and how components are fetched."""
    registries: RegistryOptions = field(default_factory=RegistryOptions)
    retention: Retention = field(default_factory=Retention)
    """How much of the activity record is kept. What `retention` says later counts then."""
    signatures: SignatureOptions = field(default_factory=SignatureOptions)
    """Whose signatures count, and whether there has to be one."""

    def __post_init__(self) -> None:
        if self.agent_grants:
            object.__setattr__(self, "approvals", Approvals.ALLOW_AGENT)
        elif self.approvals is Approvals.ALLOW_AGENT:
            object.__setattr__(self, "agent_grants", True)


def load(
    *,
    component_dir: str | Path | None = None,
    env: Iterable[str] = (),
    env_file: Path | None = None,
    builtin_tools: bool = True,
    agent_grants: bool = False,
    meta_tools: bool | None = None,
    approvals: Approvals | None = None,
    default_approvals: Approvals = Approvals.ASK,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """The settings in force. Arguments are command line flags; `env` has `KEY=VALUE` texts.

    `default_approvals`: what counts where nobody said anything.
    """
    environ = os.environ if environ is None else environ
    file, configured = read_config(environ)
    directory = (
        _checked_path("--component-dir", component_dir)
        or _from_environ(environ)
        or _from_file(file, configured)
        or paths().components
    )
    return Settings(
        component_dir=Path(os.path.abspath(directory.expanduser())),  # noqa: PTH100
        environment=_environment(configured, file, env, env_file, environ),
        builtin_tools=builtin_tools,
        agent_grants=agent_grants,
        idle_timeout=_idle_timeout(file, configured, environ),
        meta_tools=_switch("meta_tools", file, configured) if meta_tools is None else meta_tools,
        walls=_walls(environ, file, configured),
        approvals=approvals or _approvals(environ, file, configured) or default_approvals,
        approval_timeout=_seconds("approval_timeout", APPROVAL_TIMEOUT, file, configured),
        approval_wait=_seconds("approval_wait", APPROVAL_WAIT, file, configured),
        secrets=_secrets(environ, file, configured),
        secrets_dir=_secrets_dir(environ, file, configured),
        egress=read_options(configured, environ, file),
        registries=read_registries(configured, environ, file),
        retention=read_retention(configured, environ, file),
        signatures=read_signatures(configured, file),
    )


def retention(environ: Mapping[str, str] | None = None) -> Retention:
    """As it is configured now: no host has to be started anew for it. Raises `ConfigError`."""
    environ = os.environ if environ is None else environ
    file, configured = read_config(environ)
    return read_retention(configured, environ, file)


def _approvals(
    environ: Mapping[str, str], file: Path, configured: Mapping[str, Any]
) -> Approvals | None:
    where, value = APPROVALS_VARIABLE, environ.get(APPROVALS_VARIABLE)
    if not value:
        where, value = f"approvals in {file}", configured.get("approvals")
    if value is None:
        return None
    if not isinstance(value, str) or value not in set(Approvals):
        words = ", ".join(Approvals)
        raise ConfigError(f"{where} is one of {words}; not '{visible(str(value), 40)}'")
    return Approvals(value)


def _seconds(key: str, default: float, file: Path, configured: Mapping[str, Any]) -> float:
    value = configured.get(key, default)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 < value <= _MAX_APPROVAL_TIMEOUT
    ):
        most = int(_MAX_APPROVAL_TIMEOUT)
        raise ConfigError(f"{key} in {file} should be seconds, up to {most}")
    return float(value)


def read_config(environ: Mapping[str, str]) -> tuple[Path, dict[str, Any]]:
    """config.toml: where it is, and what is in it; nothing if it is not there."""
    file = config_file(environ)
    return file, _read(file)


def config_file(environ: Mapping[str, str] | None = None) -> Path:
    """Where config.toml is, or would be."""
    environ = os.environ if environ is None else environ
    chosen = environ.get(CONFIG_FILE_VARIABLE)
    if not chosen:
        return paths().config / "config.toml"
    path = Path(chosen)
    if not path.is_file():
        raise ConfigError(f"{CONFIG_FILE_VARIABLE} names {visible(chosen)}, which is not a file")
    return path


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from None


def _switch(key: str, file: Path, configured: Mapping[str, Any]) -> bool:
    value = configured.get(key, False)
    if not isinstance(value, bool):
        raise ConfigError(f"{key} in {file} should be true or false")
    return value


def _checked_path(where: str, value: object) -> Path | None:
    if value is None:
        return None
    text = str(value) if isinstance(value, str | Path) else ""
    if not text or "\0" in text:
        raise ConfigError(f"{where} should be the path of a directory")
    return Path(text)


def _one_of(found: dict[str, Path], where: str) -> Path | None:
    if len({str(path) for path in found.values()}) > 1:
        names = " and ".join(found)
        raise ConfigError(f"{names} in {where} are one setting, but say different things")
    return next(iter(found.values()), None)


def _from_environ(environ: Mapping[str, str]) -> Path | None:
    names = [f"WASSETTE_{key.upper()}" for key in _COMPONENT_DIR]
    found = {name: _checked_path(name, environ[name]) for name in names if environ.get(name)}
    return _one_of({k: v for k, v in found.items() if v}, "the environment")


def _from_file(file: Path, configured: Mapping[str, Any]) -> Path | None:
    found = {
        key: _checked_path(f"{key} in {file}", configured[key])
        for key in _COMPONENT_DIR
        if key in configured
    }
    return _one_of({k: v for k, v in found.items() if v}, str(file))


def _idle_timeout(file: Path, configured: Mapping[str, Any], environ: Mapping[str, str]) -> float:
    where, value = f"idle_timeout in {file}", configured.get("idle_timeout", IDLE_TIMEOUT)
    chosen = environ.get("WASSETTE_IDLE_TIMEOUT")
    if chosen:
        where, value = "WASSETTE_IDLE_TIMEOUT", chosen
        with contextlib.suppress(ValueError):
            value = float(chosen)
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    if not numeric or not 0 <= value <= _MAX_IDLE_TIMEOUT:
        raise ConfigError(f"{where} should be a number of seconds, 0 or more")
    return float(value)


def _walls(environ: Mapping[str, str], file: Path, configured: Mapping[str, Any]) -> str:
    where, value = WALLS_VARIABLE, environ.get(WALLS_VARIABLE) or None
    if value is None:
        where, value = f"walls in {file}", configured.get("walls", WALLS[0])
    if value not in WALLS:
        raise ConfigError(f"{where} is one of {', '.join(WALLS)}; not {visible(str(value), 40)!r}")
    return str(value)


# ---- secrets ------------------------------------------------------------------------------------


def _secrets(environ: Mapping[str, str], file: Path, configured: Mapping[str, Any]) -> str:
    where, chosen = f"secrets in {file}", configured.get("secrets", "auto")
    if environ.get("WASSETTE_SECRETS"):
        where, chosen = "WASSETTE_SECRETS", environ["WASSETTE_SECRETS"]
    if chosen not in SECRETS:
        # Not quoted: it could be meant to be a secret.
        raise ConfigError(f"{where} should be one of {', '.join(SECRETS)}")
    return str(chosen)


def _secrets_dir(
    environ: Mapping[str, str], file: Path, configured: Mapping[str, Any]
) -> Path | None:
    name = "WASSETTE_SECRETS_DIR"
    path = _checked_path(name, environ.get(name) or None) or _checked_path(
        f"secrets_dir in {file}", configured.get("secrets_dir")
    )
    return Path(os.path.abspath(path.expanduser())) if path else None  # noqa: PTH100


# ---- variables for components ------------------------------------------------------------------


def _environment(
    configured: Mapping[str, Any],
    file: Path,
    env: Iterable[str],
    env_file: Path | None,
    environ: Mapping[str, str],
) -> dict[str, str]:
    """The process environment, config.toml's [environment_vars], --env-file, --env; last wins."""
    found = dict(environ)
    found.pop(TOKEN_VARIABLE, None)  # it opens the door to this program, and is no component's
    from_file = configured.get("environment_vars", {})
    if not isinstance(from_file, dict) or not all(isinstance(v, str) for v in from_file.values()):
        raise ConfigError(f"environment_vars in {file} should be a table of texts")
    found.update(from_file)
    if env_file is not None:
        found.update(parse_env_file(env_file))
    for text in env:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise ConfigError(f"--env takes KEY=VALUE, not '{visible(text.partition('=')[0], 60)}'")
        found[key] = value
    return found


def parse_env_file(path: Path) -> dict[str, str]:
    """The variables in a file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--env-file {path} cannot be read: {error}") from None
    return parse_env_text(text, str(path))


def parse_env_text(text: str, path: str) -> dict[str, str]:
    """`KEY=VALUE` lines; `#` comments, blank lines and `export ` are fine; quotes are taken off.

    `path`: where they are, for errors.
    """
    found = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        key, equals, value = line.removeprefix("export ").partition("=")
        key, value = key.strip(), value.strip()
        if not equals:
            raise ConfigError(
                f"Invalid environment variable format at line {number} of {path}: "
                "expected KEY=VALUE"
            )
        if not key:
            raise ConfigError(f"Empty environment variable key at line {number} of {path}")
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        found[key] = value
    return found
