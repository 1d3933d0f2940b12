"""The walls on Linux: Landlock, seccomp, no privileges, limits.

    wall        made of                          stands with
    files       Landlock                         Linux 6.2; from 5.13 on together with seccomp
    network     seccomp and Landlock             Linux 6.7; without a relay: seccomp alone
    processes   seccomp, and Landlock's scopes   libseccomp
    kernel      seccomp                          libseccomp
    privileges  no_new_privs, capabilities       always
    limits      rlimits                          always

Each is for root too. Landlock and seccomp count for the thread that asks and those it starts
later, so there must be only one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os

from . import landlock, limits, seccomp
from .model import Confinement, Name, Wall

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
_CAPABILITY_VERSION = 0x20080522
# What files can be used is for Landlock to say. A host that runs as root may have granted others'.
_KEPT = 1 << 1 | 1 << 3  # CAP_DAC_OVERRIDE, CAP_FOWNER

_libc = ctypes.CDLL(None, use_errno=True)


def available() -> tuple[Wall, ...]:
    """The walls that workers on this machine get, without confining this process."""
    abi, why_no_landlock = _landlock()
    why_no_seccomp = None
    try:
        seccomp.make(network=True)
    except (seccomp.Unavailable, OSError) as error:
        why_no_seccomp = str(error)
    return _walls(abi, why_no_landlock, why_no_seccomp, None, connects=True)


def prepare() -> None:
    """What is the same for all workers, done once by the process that forks them."""
    with contextlib.suppress(OSError):
        landlock.version()
    for network in (False, True):
        with contextlib.suppress(seccomp.Unavailable, OSError):
            seccomp.make(network)


def confine(to: Confinement) -> tuple[Wall, ...]:
    """Put up the walls around this process, for good; which of them stand.

    Raises `RuntimeError` if there is more than one thread: the others would stay free.
    """
    _check_single_thread()
    limits.apply(to.memory)
    why_no_privileges = None
    try:
        _give_up_privileges()
    except OSError as error:
        why_no_privileges = f"the kernel refuses ({error.strerror})"
    abi, why_no_landlock = _landlock()
    if abi:
        try:
            landlock.restrict(to.openings, to.code, to.relay_port)
        except OSError as error:
            abi, why_no_landlock = 0, f"the kernel refuses Landlock's rules ({error.strerror})"
    why_no_seccomp = None
    try:
        # Last: it refuses what the others need.
        seccomp.install(seccomp.make(network=to.relay_port is not None))
    except seccomp.Unavailable as error:
        why_no_seccomp = str(error)
    except OSError as error:
        why_no_seccomp = f"the kernel refuses seccomp's filter ({error.strerror})"
    connects = to.relay_port is not None
    return _walls(abi, why_no_landlock, why_no_seccomp, why_no_privileges, connects=connects)


def _landlock() -> tuple[int, str | None]:
    try:
        return landlock.version(), None
    except OSError as error:
        return 0, str(error.strerror)


def _walls(
    abi: int,
    why_no_landlock: str | None,
    why_no_seccomp: str | None,
    why_no_privileges: str | None,
    *,
    connects: bool,
) -> tuple[Wall, ...]:
    landlocked = f"Landlock {abi}"
    why_no_files = why_no_landlock
    if not why_no_landlock and abi < 3 and why_no_seccomp:
        why_no_files = f"Landlock before Linux 6.2 lets files be emptied, and {why_no_seccomp}"
    why_no_network, network_by = why_no_seccomp, "seccomp"
    if connects:
        network_by = f"seccomp, {landlocked}"
        if why_no_landlock:
            why_no_network = why_no_seccomp or why_no_landlock
        elif abi < 4:
            why_no_network = why_no_seccomp or (
                "Landlock before Linux 6.7 does not know of connections, so components that have "
                "network access could make them anywhere"
            )
    return (
        _wall(Name.FILES, why_no_files, landlocked),
        _wall(Name.NETWORK, why_no_network, network_by),
        _wall(Name.PROCESSES, why_no_seccomp, "seccomp" + f", {landlocked}" * (abi >= 6)),
        _wall(Name.KERNEL, why_no_seccomp, "seccomp"),
        _wall(Name.PRIVILEGES, why_no_privileges, "no_new_privs, capabilities"),
        _wall(Name.LIMITS, None, "resource limits"),
    )


def _wall(name: Name, why_not: str | None, by: str) -> Wall:
    return Wall(name, stands=False, why=why_not) if why_not else Wall(name, stands=True, by=by)


def _check_single_thread() -> None:
    try:
        threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208
    except OSError as error:
        raise RuntimeError(f"cannot tell how many threads there are: {error}") from None
    if threads != 1:
        raise RuntimeError(f"cannot confine a process that has {threads} threads")


def _give_up_privileges() -> None:
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    # Its memory is not for the user's other programs: no ptrace, no /proc/PID/mem, no core dump.
    _prctl(_PR_SET_DUMPABLE, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the upper halves
    _check(_libc.capget(header, sets))
    effective = sets[0] & _KEPT
    _check(_libc.capset(header, (ctypes.c_uint32 * 6)(effective, effective, 0, 0, 0, 0)))


def _prctl(option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    _check(_libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero))


def _check(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
