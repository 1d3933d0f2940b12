"""Amounts in a policy: memory, CPU and time.

Each parser takes a YAML scalar and raises `PolicyError` with the reason, without a place: the
caller knows it. `bool` is refused everywhere although it is an `int` in Python.
"""

from __future__ import annotations

import math
import re

from wassette.errors import PolicyError, visible

_MEMORY = re.compile(r"([0-9]{1,20})(Ki|Mi|Gi|Ti)?")
_CPU = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(m?)")
_TIME = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h)?")

_MEMORY_UNITS = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_TIME_UNITS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}

# Larger than a signed 64-bit number cannot be handed to the sandbox.
_MEMORY_MAX = 2**63 - 1
_TIME_MAX = 24 * 3600.0

_MEMORY_FORMS = '"512Mi", "1Gi", "2048Ki", "1Ti" or a plain number of bytes in quotes'
_CPU_FORMS = '"500m" (half of a core), "1" or 0.5'
_TIME_FORMS = '"30s", "500ms", "2m" or a number of seconds'


def parse_memory(value: object) -> int:
    """Bytes. Text has a binary unit or is bytes; a number is in MiB, as Wassette has it."""
    if isinstance(value, int) and not isinstance(value, bool):
        amount = value * 2**20
    elif isinstance(value, str) and (match := _MEMORY.fullmatch(value)):
        amount = int(match[1]) * _MEMORY_UNITS[match[2] or ""]
    else:
        raise PolicyError(f"invalid memory value {_quote(value)}: use {_MEMORY_FORMS}")
    if amount == 0:
        raise PolicyError("the memory limit cannot be zero")
    if not 0 < amount <= _MEMORY_MAX:
        raise PolicyError(f"memory value {_quote(value)} is out of range: use {_MEMORY_FORMS}")
    return amount


def parse_cpu(value: object) -> float:
    """A share of one core, over 0. `500m` is 500 thousandths."""
    amount = _number(value)
    if amount is None and isinstance(value, str) and (match := _CPU.fullmatch(value)):
        amount = float(match[1]) / (1000 if match[2] else 1)
    if amount is None:
        raise PolicyError(f"invalid CPU value {_quote(value)}: use {_CPU_FORMS}")
    if amount <= 0:
        raise PolicyError(f"CPU value {_quote(value)} must be more than zero: use {_CPU_FORMS}")
    return amount


def parse_timeout(value: object) -> float:
    """Seconds, over 0 and at most a day."""
    amount = _number(value)
    if amount is None and isinstance(value, str) and (match := _TIME.fullmatch(value)):
        amount = float(match[1]) * _TIME_UNITS[match[2] or ""]
    if amount is None:
        raise PolicyError(f"invalid timeout {_quote(value)}: use {_TIME_FORMS}")
    if not 0 < amount <= _TIME_MAX:
        raise PolicyError(f"timeout {_quote(value)} must be more than zero and at most 24h")
    return amount


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # An integer too long for a float cannot be meant; infinity and NaN compare in surprising ways.
    if isinstance(value, int) and abs(value) > 2**63:
        return None
    return float(value) if math.isfinite(value) else None


def _quote(value: object) -> str:
    return f"'{visible(str(value), 60)}'"
