"""The component directory, in Wassette's layout.

    {id}.wasm            the component's bytes, untouched
    {id}.metadata.json   what is known of them (record.py)
    {id}.policy.yaml     its permissions (policy/store.py)
    {id}.disabled        a person has switched it off; whatever is in it
    .paused              a person has paused everything; whatever is in it
    .lock                held while any of these is changed
    .incoming-*          a component on its way in; left-overs are removed

Every file is written beside and renamed. A reader that comes between two renames sees a stamp that
does not fit, and looks again once the lock is free.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from wassette.errors import (
    ComponentChanged,
    ComponentNotFound,
    InvalidComponentId,
    StoreError,
    visible,
)

from .ids import check_id
from .record import MAX_METADATA, ComponentRecord, Stamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DISABLED, PAUSED = ".disabled", ".paused"
LOCK_TIMEOUT = 10.0  # seconds
_LEFT_OVER = 24 * 3600.0  # seconds after which an incoming file belongs to nobody


@dataclass(frozen=True)
class Unexamined:
    """A component that was put here by hand, or whose metadata is of another version."""

    id: str
    path: Path


class ComponentStore:
    """Components on disk. Cheap to ask: what was read is kept until the files change."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._known: dict[str, tuple[tuple[int, int, int], ComponentRecord]] = {}

    # -- reading -------------------------------------------------------------------------------

    def ids(self) -> list[str]:
        """The ids of all components here, sorted. Names that are no ids are passed over."""
        found = []
        try:
            with os.scandir(self.directory) as entries:
                for entry in entries:
                    if entry.name.endswith(".wasm") and not entry.name.startswith("."):
                        with contextlib.suppress(InvalidComponentId):
                            found.append(check_id(entry.name.removesuffix(".wasm")))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"{self.directory} cannot be read: {error.strerror}") from None
        return sorted(found)

    def get(self, component_id: str) -> ComponentRecord | Unexamined:
        """What is known of a component.

        Raises `InvalidComponentId`, `ComponentNotFound`, and `ComponentChanged` when its bytes are
        not those that a person loaded: it keeps no permission that was given to others.
        """
        path = self.path(component_id)
        record, stamp = self._record(component_id), self._stamp(path)
        if record is not None and record.stamp == stamp:
            return record
        with self.lock():  # a writer may be between two renames
            record, stamp = self._record(component_id), self._stamp(path)
            if record is None:
                return Unexamined(component_id, path)
            if record.stamp == stamp:
                return record
            if stamp.size == record.stamp.size and _digest(path) == record.digest:
                record = replace(record, stamp=stamp)  # touched or copied, not changed
                self._write_metadata(record)
                return record
        raise ComponentChanged(
            f"The bytes of component '{component_id}' changed on disk since it was loaded, so it "
            f"is not run. If you changed them, load it again: wassette component load {path}"
        )

    def path(self, component_id: str) -> Path:
        """Where a component's bytes are or would be. Raises `InvalidComponentId`."""
        return _file(self.directory, component_id, ".wasm")

    def version(self) -> object:
        """Something that differs once a component was added, changed or removed."""
        try:
            status = self.directory.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino

    def is_disabled(self, component_id: str) -> bool:
        """Whether a person has switched it off; also if that cannot be known."""
        return _is_there(_file(self.directory, component_id, DISABLED))

    def disabled(self) -> frozenset[str]:
        """The ids that are switched off, loaded or not."""
        try:
            with os.scandir(self.directory) as entries:
                names = [entry.name for entry in entries if entry.name.endswith(DISABLED)]
        except FileNotFoundError:
            return frozenset()
        except OSError as error:
            raise StoreError(f"{self.directory} cannot be read: {error.strerror}") from None
        return frozenset(name.removesuffix(DISABLED) for name in names)

    @property
    def paused(self) -> bool:
        """Whether a person has paused everything; also if that cannot be known."""
        return _is_there(self.directory / PAUSED)

    def _stamp(self, path: Path) -> Stamp:
        try:
            status = path.lstat()
        except OSError:
            raise ComponentNotFound(path.name.removesuffix(".wasm")) from None
        if not stat.S_ISREG(status.st_mode):
            raise StoreError(f"{visible(str(path))} is not a regular file")
        return Stamp(status.st_size, status.st_mtime_ns)

    def _record(self, component_id: str) -> ComponentRecord | None:
        path = self._metadata_path(component_id)
        try:
            status = path.lstat()
            key = (status.st_mtime_ns, status.st_size, status.st_ino)
            known = self._known.get(component_id)
            if known is not None and known[0] == key:
                return known[1]
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_METADATA:
                return None
            record = ComponentRecord.from_text(component_id, path.read_bytes())
        except (OSError, ValueError):
            return None
        self._known[component_id] = key, record
        return record

    # -- changing ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory. Blocks up to `LOCK_TIMEOUT`, then `StoreError`."""
        self._prepare()
        try:
            with FileLock(self.directory / ".lock", timeout=LOCK_TIMEOUT, mode=0o600):
                yield
        except Timeout:
            raise StoreError(
                f"Another process has held {self.directory} for more than {LOCK_TIMEOUT:g} s"
            ) from None

    def incoming(self) -> Path:
        """A fresh path for a component on its way in, on the same file system."""
        self._prepare()
        return self.directory / f".incoming-{secrets.token_hex(8)}.wasm"

    def commit(self, incoming: Path, record: ComponentRecord) -> bool:
        """Take an examined component in. Returns whether it replaced one of the same id."""
        path = self.path(record.id)
        with self.lock():
            known = path.exists()
            before = self._record(record.id)
            self._write_metadata(replace(record, stamp=self._stamp(incoming)))
            try:
                incoming.replace(path)
            except OSError as error:
                if before is not None:
                    self._write_metadata(before)
                raise StoreError(f"{path} cannot be written: {error.strerror}") from None
            self._sweep()
        return known

    def adopt(self, record: ComponentRecord) -> ComponentRecord:
        """Keep what was found out about a component that lay here already.

        Raises `ComponentChanged` when the file is no longer the one that was examined.
        """
        path = self.path(record.id)
        with self.lock():
            record = replace(record, stamp=self._stamp(path))
            if _digest(path) != record.digest:
                raise ComponentChanged(
                    f"The bytes of component '{record.id}' changed while it was examined. "
                    f"Load it again: wassette component load {path}"
                )
            self._write_metadata(record)
        return record

    def add_code(self, record: ComponentRecord, name: str, sha256: str) -> None:
        """Note that compiled code exists for these bytes, unless they were replaced meanwhile."""
        with self.lock():
            current = self._record(record.id)
            if current is not None and current.digest == record.digest:
                self._write_metadata(current.with_code(name, sha256))

    def mark_seen(self, component_id: str, digest: str) -> None:
        """A person has seen what is different about these bytes, unless they are others by now."""
        with self.lock():
            current = self._record(component_id)
            if current is not None and current.digest == digest and current.unseen:
                self._write_metadata(replace(current, unseen=()))

    def set_enabled(self, component_id: str, enabled: bool) -> bool:
        """Switch a component on or off; whether it was not. Raises `ComponentNotFound`.

        A file of its own: what is known of the component can be lost, this must not.
        """
        with self.lock():
            self._stamp(self.path(component_id))
            return _switch(_file(self.directory, component_id, DISABLED), not enabled)

    def set_paused(self, paused: bool) -> bool:
        """Pause everything, or go on; whether it was not so."""
        with self.lock():
            return _switch(self.directory / PAUSED, paused)

    def set_learning(self, component_id: str, digest: str, until: float) -> None:
        """Have all that these bytes use be kept until then, unless they are others by now."""
        with self.lock():
            current = self._record(component_id)
            if current is not None and current.digest == digest:
                self._write_metadata(replace(current, learn_until=until))

    def remove(self, component_id: str) -> None:
        """Delete a component and what is known of it. Raises `ComponentNotFound`."""
        path = self.path(component_id)
        with self.lock():
            if not path.is_symlink() and not path.exists():
                raise ComponentNotFound(component_id)
            path.unlink()
            off = _file(self.directory, component_id, DISABLED)
            for other in (self._metadata_path(component_id), path.with_suffix(".cwasm"), off):
                other.unlink(missing_ok=True)
            self._known.pop(component_id, None)

    def _metadata_path(self, component_id: str) -> Path:
        return _file(self.directory, component_id, ".metadata.json")

    def _write_metadata(self, record: ComponentRecord) -> None:
        write_atomically(self._metadata_path(record.id), record.to_text().encode())

    def _prepare(self) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreError(
                f"The component directory {self.directory} cannot be made: {error.strerror}"
            ) from None

    def _sweep(self) -> None:
        before = time.time() - _LEFT_OVER
        for path in self.directory.glob(".incoming-*"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < before:
                    path.unlink()


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def _switch(path: Path, there: bool) -> bool:
    """Have a file be there or not; whether it was not so."""
    if _is_there(path) == there:
        return False
    if there:
        write_atomically(path, b"")
    else:
        try:
            path.unlink()
        except OSError as error:
            raise StoreError(f"{path} cannot be deleted: {error.strerror}") from None
    return True


@lru_cache(4096)
def _file(directory: Path, component_id: str, suffix: str) -> Path:
    # Kept, since every call of a tool looks at these files, and making a path costs more than that.
    return directory / f"{check_id(component_id)}{suffix}"


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file's content: readers see all of the old or all of the new. Mode 0600."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise StoreError(f"{visible(str(path))} cannot be written: {error.strerror}") from None


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
