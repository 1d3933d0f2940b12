"""seccomp: the kernel refuses this process every system call that is not in `syscalls`.

The filter is made by the system's libseccomp, which knows the architectures: without that library
this does not stand. The fork server makes the filter once (`make`); a worker only writes its own
process id into it (`install`).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from dataclasses import dataclass
from functools import cache

from . import syscalls

LIBRARY = "libseccomp.so.2"

_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_ATTRIBUTE_BAD_ARCHITECTURE, _ATTRIBUTE_OPTIMIZE = 2, 8
_MASKED_EQUAL = 7
_32_BITS = 0xFFFFFFFF

_PR_SET_SECCOMP, _FILTER = 22, 2

_PID = 0x5EC0C0DE
"""Stands for the process id in a program. Larger than any."""
_INSTRUCTION = struct.Struct("=HBBI")
_JUMP_IF_EQUAL = 0x15

# Where the arguments are in the order that the rules below take for granted.
_MACHINES = ("x86_64", "aarch64", "riscv64")

_libc = ctypes.CDLL(None, use_errno=True)


class Unavailable(Exception):
    """There is no filter; the message says why."""


class _Compare(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("how", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


@dataclass(frozen=True)
class Filter:
    """A program for the kernel, and where in it the process id goes."""

    program: bytes
    pid_at: int


@cache
def make(network: bool) -> Filter:
    """The filter, with or without connections. Raises `Unavailable`."""
    machine = platform.machine()
    if machine not in _MACHINES:
        raise Unavailable(f"its filter was not made for {machine} processors")
    library = _library()
    context = library.seccomp_init(_ERRNO | errno.ENOSYS)
    if not context:
        raise Unavailable(f"{LIBRARY} cannot start a filter")
    try:
        _fill(_Rules(library, context), network=network)
        program = _exported(library, context)
    finally:
        library.seccomp_release(context)
    places = [
        number * _INSTRUCTION.size + _INSTRUCTION.size - 4
        for number, (code, _, _, value) in enumerate(_INSTRUCTION.iter_unpack(program))
        if code == _JUMP_IF_EQUAL and value == _PID
    ]
    if len(places) != 1:
        raise Unavailable(f"{LIBRARY} made a filter that is not understood")
    return Filter(program, places[0])


def install(made: Filter) -> None:
    """Have the kernel apply it to this thread, and those that it starts. Raises `OSError`."""
    program = bytearray(made.program)
    struct.pack_into("=I", program, made.pid_at, os.getpid())
    instructions = (ctypes.c_char * len(program)).from_buffer(program)
    whole = _Program(len(program) // _INSTRUCTION.size, ctypes.addressof(instructions))
    mode = ctypes.c_ulong(_FILTER)
    if _libc.prctl(_PR_SET_SECCOMP, mode, ctypes.byref(whole)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(LIBRARY, use_errno=True)
        library.seccomp_init.restype = ctypes.c_void_p
        library.seccomp_init.argtypes = (ctypes.c_uint32,)
        library.seccomp_attr_set.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32)
        library.seccomp_syscall_resolve_name.argtypes = (ctypes.c_char_p,)
        library.seccomp_rule_add_array.argtypes = (
            ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p
        )  # fmt: skip
        library.seccomp_export_bpf.argtypes = (ctypes.c_void_p, ctypes.c_int)
        library.seccomp_release.argtypes = (ctypes.c_void_p,)
    except (OSError, AttributeError):
        raise Unavailable(
            f"the library {LIBRARY} is not installed (the package is called libseccomp or "
            "libseccomp2)"
        ) from None
    return library


class _Rules:
    def __init__(self, library: ctypes.CDLL, context: int) -> None:
        self._library, self._context = library, context
        # A call by another architecture's numbers (int 0x80) is not a mistake but an attack.
        library.seccomp_attr_set(context, _ATTRIBUTE_BAD_ARCHITECTURE, _KILL_PROCESS)
        library.seccomp_attr_set(context, _ATTRIBUTE_OPTIMIZE, 2)  # a tree; as it is if too old

    def allow(self, name: str, *where: tuple[int, int, int]) -> None:
        """Allow a call whose every (argument, mask, value) fits."""
        number = self._library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            return  # not on this machine, or newer than the library: stays refused
        compare = (_Compare * len(where))(
            *(_Compare(argument, _MASKED_EQUAL, mask, value) for argument, mask, value in where)
        )
        result = self._library.seccomp_rule_add_array(
            self._context, _ALLOW, number, len(where), compare
        )
        if result != 0:
            reason = os.strerror(-result)
            raise Unavailable(f"{LIBRARY} does not take the rule for {name} ({reason})")


def _fill(rules: _Rules, *, network: bool) -> None:
    whole = 0xFFFFFFFF_FFFFFFFF
    for name in syscalls.ALWAYS:
        rules.allow(name)
    for command in syscalls.FCNTL:
        rules.allow("fcntl", (1, _32_BITS, command))
    for command in syscalls.IOCTL:
        rules.allow("ioctl", (1, _32_BITS, command))
    for option in syscalls.PRCTL:
        rules.allow("prctl", (0, _32_BITS, option))
    # Only threads. clone3, whose flags a filter cannot see, does not exist: libc then uses clone.
    others = syscalls.CLONE_THREAD | syscalls.CLONE_OTHERS
    rules.allow("clone", (0, others, syscalls.CLONE_THREAD))
    # What abort() does: a signal to a thread of this process.
    rules.allow("tgkill", (0, _32_BITS, _PID))
    # Reading one's own limits, not setting them, nor anyone else's.
    rules.allow("prlimit64", (0, _32_BITS, 0), (2, whole, 0))
    # Without an address: with one, and the flag of TCP Fast Open, it would be a connect.
    rules.allow("sendto", (4, whole, 0))
    if network:
        kind = _32_BITS & ~syscalls.SOCK_FLAGS
        # By number: there is more than one protocol for streams, and Landlock knows TCP only.
        for protocol in (0, syscalls.IPPROTO_TCP):
            rules.allow(
                "socket",
                (0, _32_BITS, syscalls.AF_INET),
                (1, kind, syscalls.SOCK_STREAM),
                (2, _32_BITS, protocol),
            )
        rules.allow("connect")
        for level, option in syscalls.SOCKET_OPTIONS:
            rules.allow("setsockopt", (1, _32_BITS, level), (2, _32_BITS, option))


def _exported(library: ctypes.CDLL, context: int) -> bytes:
    file = os.memfd_create("filter")
    try:
        result = library.seccomp_export_bpf(context, file)
        if result != 0:
            raise Unavailable(f"{LIBRARY} cannot make the filter ({os.strerror(-result)})")
        return os.pread(file, os.fstat(file).st_size, 0)
    finally:
        os.close(file)
