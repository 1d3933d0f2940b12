"""Reading and replacing a file that belongs to another program.

A file is replaced in one step, and only if it is what the change was made for. On Linux and macOS
the new file and the old one change places, so that what another program wrote in the last moment
is found in what came out, and goes back: a check before the step would leave a gap. So would a
program that has the file open and is still writing; on Linux that is found out too.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import glob
import os
import secrets
import stat
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from wassette.errors import ClientError, SettingsChanged, visible

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES = 16 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_TURNS = 10  # that two programs take in replacing each other's file before we give up


@dataclass(frozen=True)
class Settings:
    """A file as it was read."""

    path: Path
    """Where a client looks for it."""
    target: Path
    """Where it is, behind links."""
    data: bytes | None
    """None if it is not there."""

    @property
    def bom(self) -> bytes:
        return _BOM if (self.data or b"").startswith(_BOM) else b""

    @property
    def text(self) -> str:
        """Raises `ClientError` if it is not UTF-8."""
        data = (self.data or b"").removeprefix(_BOM)
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise ClientError(
                f"{shown(self.path)}, line {line}: it is not UTF-8 text. It was left as it is; "
                "save it as UTF-8 in an editor, and try again"
            ) from None


def shown(path: Path) -> str:
    return visible(str(path), 1000)


def read(path: Path, within: Path | None = None) -> Settings:
    """`within`: links may not lead out of this directory. Raises `ClientError`."""
    try:
        target = Path(os.path.realpath(path, strict=path.exists()))
        if within is not None and not target.is_relative_to(within.resolve()):
            raise ClientError(
                f"{shown(path)} leads out of the project, to {shown(target)}. It was left as it is"
            )
        return Settings(path, target, _content(target))
    except OSError as error:
        why = "its links lead in a circle" if error.errno == errno.ELOOP else error.strerror
        raise ClientError(f"{shown(path)} cannot be read: {why}") from None


def _content(path: Path) -> bytes | None:
    flags = os.O_RDONLY
    for name in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        if path.is_symlink():  # one that leads in a circle, where that is not found out before
            raise OSError(errno.ELOOP, "") from None
        return None
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ClientError(f"{shown(path)} is not a regular file. It was left as it is")
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ClientError(
            f"{shown(path)} has more than {MAX_BYTES // 1024 // 1024} MiB, which no settings have. "
            "It was left as it is"
        )
    return data


def replace(settings: Settings, after: bytes | None, private: bool = True) -> list[Path]:
    """Make `after` the content; None deletes the file. `private`: only its owner may read a file
    that is made new. Returns the directories that had to be made.

    Raises `SettingsChanged` if the file is not what was read, `ClientError` if it cannot be
    written. Then nothing has changed. One process at a time may do this for a file.
    """
    target = settings.target
    _sweep(target)
    again = read(settings.path)
    if again.target != target or again.data != settings.data:
        raise changed_meanwhile(settings.path)
    made: list[Path] = []
    try:
        if settings.data is None:
            made = make_directories(target.parent)
            if after is not None:
                _create(settings, after, private)
        elif after is None:
            _check_writable(target)
            _delete(settings)
        else:
            _check_writable(target)
            _exchange(settings, after)
    except OSError as error:
        remove_directories(made)
        raise ClientError(
            f"{shown(target)} cannot be written: {error.strerror}. It was left as it is"
        ) from None
    except ClientError:
        remove_directories(made)
        raise
    return made


def changed_meanwhile(path: Path) -> SettingsChanged:
    return SettingsChanged(
        f"{shown(path)} was changed by another program meanwhile, so nothing was written. "
        "Look at the change again, and repeat it"
    )


def _check_writable(target: Path) -> None:
    status = target.stat()
    if target.parts[:3] == ("/", "nix", "store"):
        raise ClientError(
            f"{shown(target)} is in the Nix store: it is made from a configuration (of NixOS or "
            "Home Manager), and the entry has to be added there"
        )
    if not status.st_mode & 0o222 or not os.access(target, os.W_OK):
        raise ClientError(
            f"{shown(target)} is read-only. It was left as it is; make it writable and try again"
        )
    if status.st_nlink > 1:
        raise ClientError(
            f"{shown(target)} has a second name (a hard link), which replacing it would tear off. "
            "It was left as it is; add the entry by hand, as in: wassette clients show-diff"
        )


def make_directories(folder: Path) -> list[Path]:
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir()
    return missing


def remove_directories(folders: list[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.wassette-{secrets.token_hex(6)}")


def _sweep(target: Path) -> None:
    """Takes away what a crash left beside a file. What was in the file is in the backup."""
    for path in target.parent.glob(f".{glob.escape(target.name)}.wassette-*"):
        with contextlib.suppress(OSError):
            path.unlink()


def write_beside(target: Path, data: bytes, mode: int) -> Path:
    temporary = _beside(target)
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode
    )
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _create(settings: Settings, data: bytes, private: bool) -> None:
    temporary = write_beside(settings.target, data, 0o600 if private else 0o666)
    try:
        if os.name == "posix":
            os.link(temporary, settings.target)  # unlike a rename, it replaces nothing
        else:
            temporary.rename(settings.target)
    except FileExistsError:
        raise changed_meanwhile(settings.path) from None
    finally:
        temporary.unlink(missing_ok=True)


def _delete(settings: Settings) -> None:
    target = settings.target
    aside = _beside(target)
    target.rename(aside)
    if _at_rest(aside) == settings.data:
        aside.unlink()
        return
    if not target.exists():
        aside.rename(target)
    raise changed_meanwhile(settings.path)


def _exchange(settings: Settings, data: bytes) -> None:
    target = settings.target
    status = target.stat()
    temporary = write_beside(target, data, 0o600)
    try:
        _take_over(target, temporary, status)
        swap = _swap()
        if swap is None or not swap(temporary, target):
            if _content(target) != settings.data:
                raise changed_meanwhile(settings.path)
            temporary.replace(target)
            return
        came = _at_rest(temporary)
        if came == settings.data:
            return
        # Somebody wrote in between: theirs goes back, and what comes out then should be ours.
        placed: bytes | None = data
        for _ in range(_TURNS):
            swap(temporary, target)
            out = _content(temporary)
            if out == placed:
                break
            placed, came = came, out
        raise changed_meanwhile(settings.path)
    finally:
        temporary.unlink(missing_ok=True)


def _at_rest(path: Path) -> bytes | None:
    """The content of a file that nobody finds by its name any more; None if somebody still has it
    open to write into it, as who began before it was moved: what comes is not known then."""
    if sys.platform != "linux":
        return _content(path)
    import fcntl

    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)  # EAGAIN if there is a writer
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EBUSY):
            return None
    finally:
        os.close(descriptor)
    return _content(path)


def _take_over(target: Path, temporary: Path, status: os.stat_result) -> None:
    """Mode, owner and attributes of the file that is replaced."""
    if os.name != "posix":
        return
    with contextlib.suppress(PermissionError):
        os.chown(temporary, status.st_uid, status.st_gid)
    temporary.chmod(stat.S_IMODE(status.st_mode))
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            for name in os.listxattr(target):
                os.setxattr(temporary, name, os.getxattr(target, name))


@cache
def _swap() -> Callable[[Path, Path], bool] | None:
    """Has two files change places, in one step; None where the system cannot. It returns False
    where the file system cannot."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":
            rename, arguments = libc.renameat2, (-100, -100, 2)  # AT_FDCWD, RENAME_EXCHANGE
            rename.argtypes = [
                ctypes.c_int,
                ctypes.c_char_p,
                ctypes.c_int,
                ctypes.c_char_p,
                ctypes.c_uint,
            ]
        elif sys.platform == "darwin":
            rename, arguments = libc.renamex_np, (2,)  # RENAME_SWAP
            rename.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint]
        else:
            return None
    except (OSError, AttributeError, TypeError):
        return None

    def swap(one: Path, other: Path) -> bool:
        names = os.fsencode(one), os.fsencode(other)
        if len(arguments) == 3:
            done = rename(arguments[0], names[0], arguments[1], names[1], arguments[2])
        else:
            done = rename(*names, arguments[0])
        return bool(done == 0)

    return swap
