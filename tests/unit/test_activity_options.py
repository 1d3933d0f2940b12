"""How much of the activity record is kept: config.toml, variables, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wassette import config
from wassette.activity_options import Retention, read_retention
from wassette.errors import ConfigError

FILE = Path("/c/config.toml")


def test_defaults_file_and_variables(home: Path) -> None:
    file = home / "config" / "wassette" / "config.toml"
    file.parent.mkdir(parents=True)
    assert config.load(environ={}).retention == Retention(30, 200)
    file.write_text("activity_days = 7\nactivity_megabytes = 1.5\n")
    assert config.load(environ={}).retention == Retention(7, 1.5)
    assert config.retention({"WASSETTE_ACTIVITY_DAYS": "0.5"}) == Retention(0.5, 1.5)
    assert config.retention({"WASSETTE_ACTIVITY_MEGABYTES": "10"}).size == 10_000_000
    assert config.retention({"WASSETTE_ACTIVITY_DAYS": ""}) == Retention(7, 1.5)


@pytest.mark.parametrize(
    "value", [0, -1, 3651, float("nan"), float("inf"), True, "7", None, [7], 10**400]
)
def test_days_that_are_none(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^activity_days in /c/config.toml should be a number"):
        read_retention({"activity_days": value}, {}, FILE)


@pytest.mark.parametrize("value", [0, 0.9, 100_001, float("nan"), "200 MB", False])
def test_megabytes_that_are_none(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^activity_megabytes in /c/config.toml should be"):
        read_retention({"activity_megabytes": value}, {}, FILE)


@pytest.mark.parametrize("value", ["soon", "nan", "0", "-3", "1e9", "30 days"])
def test_variables_that_are_wrong(value: str) -> None:
    with pytest.raises(ConfigError, match=r"^WASSETTE_ACTIVITY_DAYS should be a number"):
        read_retention({}, {"WASSETTE_ACTIVITY_DAYS": value}, FILE)
