"""Workers with the first wall removed: what they call is not a component, but an attack.

    python -I compromised.py MODULE OPTION…

runs `wassette.workers.forkserver` or `wassette.workers.worker` as the launchers do, with one
change: a call runs the attack of its name, natively. How the worker is started, confined and loaded
is as always. Options:

    no-libseccomp   there is no such library
    no-landlock     the kernel has no Landlock
    no-walls        nothing is confined
    nobody          the worker is not root
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from support import attacks
from wassette.errors import InvalidComponent
from wassette.sandbox import examine
from wassette.workers import forkserver, worker
from wassette.workers.walls import seccomp

if TYPE_CHECKING:
    from wasmtime.component import Component

    from wassette.sandbox.tiers import Tier
    from wassette.workers.walls import Confinement

REAL_COMPILE = examine.compile_and_examine
BEFORE: dict[str, Any] = {}
"""What there was just before the walls were put up."""


def main(module: str, options: list[str]) -> None:
    if "no-landlock" in options:
        _take_landlock_away()
    if "no-libseccomp" in options:
        seccomp.LIBRARY = "libthere-is-none.so.2"
    confine = worker.confine

    def look_and_confine(to: Confinement, wanted: object) -> list[str]:
        BEFORE["descriptors"] = {fd: _target(fd) for fd in map(int, os.listdir("/proc/self/fd"))}
        BEFORE["threads"] = threading.active_count()
        if "nobody" in options:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
        standing = [] if "no-walls" in options else confine(to, wanted)
        BEFORE["modules"] = sorted(sys.modules)
        return standing

    worker.confine = look_and_confine
    worker._call = _call  # type: ignore[assignment]
    examine.compile_and_examine = _compile
    if module.endswith("forkserver"):
        forkserver.main()
    else:
        worker._main()


def _call(
    _sandbox: object, _channel: object, _ticker: object, header: dict[str, Any], body: bytes
) -> tuple[dict[str, Any], bytes]:
    answer = json.dumps(_attack(header["function"], json.loads(body)))
    return {"kind": "result", "call": header["call"]}, answer.encode()


def _compile(data: bytes, tier: Tier) -> tuple[Component, examine.Examination]:
    """As a hole in the compiler: the component's bytes say what is done."""
    if not data.startswith(b"attack:"):
        return REAL_COMPILE(data, tier)
    name, arguments = json.loads(data.removeprefix(b"attack:"))
    raise InvalidComponent(json.dumps(_attack(name, arguments)))


def _attack(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        done = BEFORE if name == "before" else attacks.ATTACKS[name](**arguments)
    except OSError as error:
        return {"refused": errno.errorcode.get(error.errno or 0, str(error))}
    return {"done": done}


def _target(fd: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return "closed"  # the directory that was being listed


def _take_landlock_away() -> None:
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(0x7FFF0000)))
    call = library.seccomp_syscall_resolve_name(b"landlock_create_ruleset")
    refuse = ctypes.c_uint32(0x00050000 | errno.ENOSYS)
    assert library.seccomp_rule_add(context, refuse, ctypes.c_int(call), ctypes.c_uint(0)) == 0
    assert library.seccomp_load(context) == 0


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
