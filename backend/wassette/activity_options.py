"""How much of the activity record is kept: `activity_days` and `activity_megabytes`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import ConfigError, visible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DAYS, MEGABYTES = "activity_days", "activity_megabytes"
MOST_DAYS = 3650.0
LEAST_MEGABYTES, MOST_MEGABYTES = 1.0, 100_000.0
"""The least is some thousands of calls."""


@dataclass(frozen=True)
class Retention:
    """Both limits hold: what is too old goes, and of the rest the oldest, if it is too much."""

    days: float = 30.0
    megabytes: float = 200.0

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return int(self.megabytes * 1_000_000)


def read_retention(
    configured: Mapping[str, Any], environ: Mapping[str, str], file: Path
) -> Retention:
    """Raises `ConfigError`."""
    usual = Retention()
    days, where = _number(DAYS, usual.days, configured, environ, file)
    if not 0 < days <= MOST_DAYS:
        raise ConfigError(f"{where} should be a number of days, up to {MOST_DAYS:.0f}")
    megabytes, where = _number(MEGABYTES, usual.megabytes, configured, environ, file)
    if not LEAST_MEGABYTES <= megabytes <= MOST_MEGABYTES:
        raise ConfigError(
            f"{where} should be a number of megabytes, from {LEAST_MEGABYTES:.0f} to "
            f"{MOST_MEGABYTES:.0f}"
        )
    return Retention(days, megabytes)


def _number(
    key: str,
    usual: float,
    configured: Mapping[str, Any],
    environ: Mapping[str, str],
    file: Path,
) -> tuple[float, str]:
    """It, and where it is from."""
    where, value = f"{key} in {file}", configured.get(key, usual)
    variable = f"WASSETTE_{key.upper()}"
    if environ.get(variable):
        where, value = variable, environ[variable]
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        if isinstance(value, str) and where != variable:
            raise ValueError  # in the file, a number is written as one
        return float(value), where
    except (ValueError, OverflowError):
        raise ConfigError(f"{where} should be a number, not '{visible(str(value), 40)}'") from None
