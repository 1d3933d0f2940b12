from __future__ import annotations

import math

import pytest

from wassette.errors import PolicyError
from wassette.policy import parse_cpu, parse_memory, parse_timeout

MEMORY = [
    ("512Mi", 512 * 2**20),
    ("1Gi", 2**30),
    ("2048Ki", 2048 * 2**10),
    ("1Ti", 2**40),
    ("65536", 65536),
    ("9223372036854775807", 2**63 - 1),
    (512, 512 * 2**20),
]
NOT_MEMORY: list[object] = [
    "512M", "1G", "1GB", "512MI", "0", "0Mi", 0, -1, "-1", "1.5Gi", 1.5, "", " 1Gi", "1Gi\n",
    "1 Gi", "9223372036854775808", "8388608Ti", 2**60, 10**40, "1" * 5000, "\u0661Gi", True, None,
    [], math.nan,
]  # fmt: skip

CPU = [("500m", 0.5), ("1", 1.0), ("0.25", 0.25), (2, 2.0), (0.5, 0.5), ("1500m", 1.5)]
NOT_CPU: list[object] = [
    "0", "0m", 0, 0.0, -1, -0.5, "-1", "half", "", "1 ", "1e3", ".5", math.inf, math.nan, 10**400,
    True, None, [],
]  # fmt: skip

TIME = [
    ("30s", 30.0), ("500ms", 0.5), ("2m", 120.0), ("1h", 3600.0), ("24h", 86400.0), (30, 30.0),
    (0.5, 0.5), ("1.5s", 1.5), ("30", 30.0),
]  # fmt: skip
NOT_TIME: list[object] = [
    "0s", 0, -1, "-1s", "25h", 86401, "1d", "1m30s", "soon", "", math.inf, math.nan, 10**400, False,
    None, {},
]  # fmt: skip


@pytest.mark.parametrize(("value", "amount"), MEMORY)
def test_memory(value: object, amount: int) -> None:
    assert parse_memory(value) == amount


@pytest.mark.parametrize("value", NOT_MEMORY)
def test_not_memory(value: object) -> None:
    with pytest.raises(PolicyError):
        parse_memory(value)


def test_memory_with_a_decimal_unit_names_the_accepted_forms() -> None:
    with pytest.raises(PolicyError, match=r"'512M'.*512Mi.*1Gi.*2048Ki.*bytes"):
        parse_memory("512M")


@pytest.mark.parametrize(("value", "amount"), CPU)
def test_cpu(value: object, amount: float) -> None:
    assert parse_cpu(value) == amount


@pytest.mark.parametrize("value", NOT_CPU)
def test_not_cpu(value: object) -> None:
    with pytest.raises(PolicyError):
        parse_cpu(value)


@pytest.mark.parametrize(("value", "amount"), TIME)
def test_timeout(value: object, amount: float) -> None:
    assert parse_timeout(value) == amount


@pytest.mark.parametrize("value", NOT_TIME)
def test_not_timeout(value: object) -> None:
    with pytest.raises(PolicyError):
        parse_timeout(value)
