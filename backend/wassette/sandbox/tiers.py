"""How code was compiled, and what else it depends on. Imports nothing of wasmtime.

Two tiers: Winch compiles a 12 MB component in about 2 s and makes it usable at once; Cranelift
takes 7 to 12 s and makes code that runs 1.0 to 1.4 times as fast.
"""

from __future__ import annotations

import hashlib
import platform
from enum import StrEnum
from functools import cache


class Tier(StrEnum):
    """Which compiler made the code. Code of one does not load in the engine of the other."""

    WINCH = "winch"
    CRANELIFT = "cranelift"


ENGINE_SETTINGS = "epochs,no-threads,no-memory64"
"""The settings of `engine.engine` that compiled code depends on; change both together."""


@cache
def fingerprint() -> str:
    """What compiled code depends on besides the component and the tier: 16 hex digits.

    The guards' bytes, wasmtime's version, engine settings, and the machine.
    """
    # 13 ms, which listing components need not pay.
    from importlib import metadata

    from .weave import shipped

    guard = shipped()
    parts = (
        hashlib.sha256(b"".join(guard.guards) + guard.host).hexdigest(),
        metadata.version("wasmtime"),
        platform.system(),
        platform.machine(),
        ENGINE_SETTINGS,
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
