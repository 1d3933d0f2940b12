"""config.toml, read and changed: what is not changed in it stays as it was written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, cast

from filelock import FileLock, Timeout

from wassette import config
from wassette.components.store import write_atomically
from wassette.errors import ConfigError, StoreError
from wassette.paths import paths

from . import models, problems
from .words import clean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wassette.config import Settings

    from .offered import Offered

_VARIABLES = {
    "approvals": config.APPROVALS_VARIABLE,
    "idle_timeout": "WASSETTE_IDLE_TIMEOUT",
    "walls": config.WALLS_VARIABLE,
    "secrets": "WASSETTE_SECRETS",
    "activity_days": "WASSETTE_ACTIVITY_DAYS",
    "activity_megabytes": "WASSETTE_ACTIVITY_MEGABYTES",
}
_AT_ONCE = ("activity_days", "activity_megabytes")
"""Those that a host heeds while it runs."""
_LOCK_TIMEOUT = 10.0
_EVERY = tuple(models.SettingsValues.model_fields)


def read(
    started: Settings, offered: Offered, environ: Mapping[str, str] | None = None
) -> models.Settings:
    """`started`: what this host was started with. Raises `ConfigError`."""
    environ = os.environ if environ is None else environ
    now = config.load(component_dir=started.component_dir, environ=environ)
    values, before = _values(now), _values(started)
    ours = paths()
    return models.Settings(
        file=clean(str(config.config_file(environ))),
        values=values,
        from_environment=[key for key, name in _VARIABLES.items() if environ.get(name)],
        later=[
            key
            for key in _EVERY
            if key not in _AT_ONCE and getattr(values, key) != getattr(before, key)
        ],
        directories={
            "components": clean(str(started.component_dir)),
            "config": clean(str(ours.config)),
            "data": clean(str(ours.data)),
            "state": clean(str(ours.state)),
            "cache": clean(str(ours.cache)),
        },
        autostart=None if offered.autostart is None else offered.autostart.enabled(),
    )


def _values(settings: Settings) -> models.SettingsValues:
    return models.SettingsValues(
        approvals=settings.approvals.value,
        approval_timeout=settings.approval_timeout,
        approval_wait=settings.approval_wait,
        idle_timeout=settings.idle_timeout,
        meta_tools=settings.meta_tools,
        walls="require" if settings.walls == "require" else "best-effort",
        secrets=cast("Literal['auto', 'keyring', 'file']", settings.secrets),
        activity_days=settings.retention.days,
        activity_megabytes=settings.retention.megabytes,
    )


def start_at_login(offered: Offered, enabled: bool) -> None:
    """Raises `Refusal` where that is not for this process to set, `WassetteError`."""
    if offered.autostart is None:
        raise problems.Refusal(
            409,
            "This host is not a part of the desktop app, which is what starts at login",
            way_out="Start it with `wassette desktop`, and choose Start at login in the menu of "
            "its icon",
        )
    offered.autostart.set(enabled)


def change(wanted: models.SettingsChange, environ: Mapping[str, str] | None = None) -> None:
    """Write what is given and not null. Raises `ConfigError`, `StoreError`."""
    write(wanted.model_dump(exclude_none=True), environ)


def write(values: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> None:
    """Have these keys be these values, and leave all else as it is. Raises as `change`."""
    if not values:
        return
    file = config.config_file(os.environ if environ is None else environ)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(file.with_name(f".{file.name}.lock"), timeout=_LOCK_TIMEOUT, mode=0o600)
        with lock:
            _write(file, values)
    except Timeout:
        raise StoreError(f"another process is changing {file}; try again") from None
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror}") from None


def _write(file: Path, values: Mapping[str, Any]) -> None:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    # Through a link, to the file that it leads to: many keep their settings elsewhere.
    target = file.resolve()
    try:
        text = target.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not UTF-8, so it was left as it is") from None
    try:
        document = tomlkit.parse(text)
        for key, value in values.items():
            shown = int(value) if isinstance(value, float) and value == int(value) else value
            document[key] = shown
        changed = tomlkit.dumps(document)
    except (TOMLKitError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{file} cannot be changed: {error}. It was left as it is; correct it in an editor"
        ) from None
    if changed != text:
        write_atomically(target, changed.encode())
