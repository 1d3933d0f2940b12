"""Landlock: the kernel lets this process open only the files, and connect to the ports, it is told.

Three system calls, with the same numbers on every architecture. What the kernel knows of depends
on its version (the "ABI"), found out by asking; what it does not know is left out, and `linux` says
what is missing then.

    1  Linux 5.13   files            4  Linux 6.7   TCP connect and bind
    2  Linux 5.19   renaming across  5  Linux 6.10  ioctl of devices
    3  Linux 6.2    truncating       6  Linux 6.12  signals, abstract sockets

A rule is about a very file or directory (and what is below), not a name. Rights add up on the
way down, so there is no "but not".
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import Opening

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1  # flag of _CREATE_RULESET
_PATH_BENEATH, _NET_PORT = 1, 2

# linux/landlock.h
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE = 1 << 4, 1 << 5
MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK = 1 << 6, 1 << 7, 1 << 8, 1 << 9
MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = 1 << 10, 1 << 11, 1 << 12
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # how many there are, by version
_BIND_TCP, _CONNECT_TCP = 1 << 0, 1 << 1
_ABSTRACT_SOCKETS, _SIGNALS = 1 << 0, 1 << 1

_READ = READ_FILE | READ_DIR
# Never EXECUTE, devices, sockets or FIFOs: what a person grants are files.
_WRITE = (
    READ_DIR | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SYM
    | REFER
)  # fmt: skip
_OF_FILES = READ_FILE | WRITE_FILE | TRUNCATE

_libc = ctypes.CDLL(None, use_errno=True)


@cache
def version() -> int:
    """Of the kernel's Landlock. Raises `OSError` with a reason for people if there is none."""
    try:
        return _call(_CREATE_RULESET, None, 0, _VERSION)
    except OSError as error:
        reasons = {
            errno.ENOSYS: "the kernel has no Landlock (Linux has it from version 5.13 on)",
            errno.EOPNOTSUPP: "Landlock is switched off; boot the kernel with landlock in its lsm=",
            errno.EPERM: "Landlock is forbidden here, perhaps by a container's settings",
        }
        reason = reasons.get(error.errno or 0, f"Landlock does not answer ({error.strerror})")
        raise OSError(error.errno, reason) from None


def restrict(openings: tuple[Opening, ...], code: str | None, port: int | None) -> None:
    """Confine this thread, and those that it starts. Needs no_new_privs. Raises `OSError`.

    An opening that is not what it was any more is left closed.
    """
    abi = version()
    rights = (1 << _FILE_RIGHTS[min(abi, max(_FILE_RIGHTS))]) - 1
    net = _BIND_TCP | _CONNECT_TCP if abi >= 4 else 0
    scoped = _ABSTRACT_SOCKETS | _SIGNALS if abi >= 6 else 0
    attributes = struct.pack("=QQQ", rights, net, scoped)
    size = 8 if abi < 4 else 16 if abi < 6 else 24  # older kernels know a shorter structure
    ruleset = _call(_CREATE_RULESET, attributes, size, 0)
    try:
        for opening in openings:
            _open(ruleset, opening, rights)
        if code is not None:
            _let_read(ruleset, code)
        if port is not None and net:
            rule = struct.pack("=QQ", _CONNECT_TCP, port)
            _call(_ADD_RULE, ruleset, _NET_PORT, rule, 0)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _open(ruleset: int, opening: Opening, rights: int) -> None:
    wanted = 0
    if "r" in opening.access:
        wanted |= _READ
    if "w" in opening.access:
        wanted |= _WRITE
    try:
        place = os.open(opening.path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        status = os.fstat(place)
        if (status.st_dev, status.st_ino) != (opening.device, opening.inode):
            return  # swapped since the policy looked, perhaps for a way to somewhere else
        is_directory = status.st_mode & 0o170000 == 0o040000
        wanted = wanted | READ_DIR if is_directory else wanted & _OF_FILES
        if wanted & rights:
            _add(ruleset, place, wanted & rights)
    finally:
        os.close(place)


def _let_read(ruleset: int, path: str) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # whoever reads it says what is wrong
    try:
        _add(ruleset, place, READ_FILE)
    finally:
        os.close(place)


def _add(ruleset: int, place: int, rights: int) -> None:
    _call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, place), 0)


def _call(number: int, *arguments: int | bytes | None) -> int:
    values = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result = int(_libc.syscall(ctypes.c_long(number), *values))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
