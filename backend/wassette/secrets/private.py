"""Files that nobody else may read: checked whenever they are read, and written so."""

from __future__ import annotations

import os
import shlex
import stat
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from filelock import FileLock, Timeout

from wassette.components.store import write_atomically
from wassette.errors import SecretError, visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_BYTES = 256 * 1024

Stamp: TypeAlias = tuple[tuple[int, ...], ...]
_RACY_NS = 100_000_000  # clocks of file systems tick up to every 10 ms
_LOCK_TIMEOUT = 10.0  # seconds
_POSIX = os.name == "posix"


def read_private(path: Path) -> bytes | None:
    """A file's content, None if it is not there. Raises `SecretError` if others could read it, or
    could have written it: then it is not known whose secrets these are."""
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        _check_directory(path.parent)
        if path.is_symlink():
            raise SecretError(f"{_shown(path)} is a link: put the file itself in its place")
        with open(os.open(path, flags), "rb") as file:
            _check(path, os.fstat(file.fileno()))
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SecretError(f"{_shown(path)} cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise SecretError(f"{_shown(path)} has more than {MAX_BYTES // 1024} KiB")
    return data


def stamp_of(*paths: Path) -> Stamp | None:
    """What changes when one of these does; None if one changed so recently that it may change once
    more without that."""
    stamp: list[tuple[int, ...]] = []
    newest = time.time_ns() - _RACY_NS
    for path in paths:
        try:
            status = os.lstat(path)
        except OSError as error:
            stamp.append((error.errno or 0,))
            continue
        if max(status.st_mtime_ns, status.st_ctime_ns) > newest:
            return None
        stamp.append((*status[:6], status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return tuple(stamp)


def write_private(path: Path, data: bytes | None) -> None:
    """Replaces the content; None deletes the file. Within `locked`. Raises `StoreError`."""
    if data is None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise SecretError(f"{_shown(path)} cannot be deleted: {error.strerror}") from None
    else:
        write_atomically(path, data)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Makes the directory, for its owner only, and keeps other writers out."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        _check_directory(directory)
        lock = FileLock(directory / ".lock", timeout=_LOCK_TIMEOUT, mode=0o600)
        lock.acquire()
    except Timeout:
        raise SecretError(
            f"another process holds {_shown(directory / '.lock')}; try again when it is done"
        ) from None
    except OSError as error:
        raise SecretError(f"{_shown(directory)} cannot be used: {error.strerror}") from None
    try:
        yield
    finally:
        lock.release()


def _check(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SecretError(f"{_shown(path)} is not a regular file: put one in its place")
    if not _POSIX:
        return  # what stands in its place are the rights that are inherited from the profile
    if status.st_uid != os.geteuid():
        raise SecretError(f"{_shown(path)} belongs to another user, so it is not used")
    if status.st_mode & 0o077:
        raise SecretError(
            f"{_shown(path)} is open to other users (mode {stat.S_IMODE(status.st_mode):04o}), so "
            f"it is not used. Replace the secrets that are in it if somebody may have read them, "
            f"then close it: chmod 600 {shlex.quote(_shown(path))}"
        )


def _check_directory(directory: Path) -> None:
    """Whoever can write into it could give one component the secrets of another."""
    if not _POSIX:
        return
    status = directory.stat()
    if status.st_uid != os.geteuid():
        raise SecretError(f"{_shown(directory)} belongs to another user, so it is not used")
    if status.st_mode & 0o022:
        raise SecretError(
            f"Other users may write into {_shown(directory)}, so it is not used. "
            f"Close it: chmod 700 {shlex.quote(_shown(directory))}"
        )


def _shown(path: Path) -> str:
    return visible(str(path), 1000)
