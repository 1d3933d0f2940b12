"""What was changed in the settings of clients, so that it can be undone.

Below the state directory: `clients/journal.json` has a record for each change, `clients/backups`
the files as they were, by their sha256. Both may hold tokens of other servers, so only the owner
can read them. The record and the backup are written before the change is made: after a crash in
between, the record says of a file that it was changed which still is what it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from wassette.errors import ClientError

from .files import shown, write_beside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_KEPT = 50  # changes of each file that can be undone
_LOCK_TIMEOUT = 10.0  # seconds


@dataclass(frozen=True)
class Record:
    """One change of one file."""

    file: str
    """The file itself, behind links."""
    client: str
    action: str
    before: str | None
    """sha256 of the file before, which is also the backup's name; None: it was not there."""
    after: str | None
    when: str
    changed: list[list[Any]]
    """Each value that was changed: its path, what was there, and whether anything was."""
    made: int = 0
    """How many of the objects that the entry is in were made for it."""
    folders: tuple[str, ...] = ()
    """Directories that were made for the file."""
    undone: bool = False


def digest(data: bytes | None) -> str | None:
    return None if data is None else hashlib.sha256(data).hexdigest()


class Journal:
    """Use within `locked`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file = directory / "journal.json"
        self._backups = directory / "backups"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from changing settings at the same time. Raises `ClientError`."""
        try:
            self._backups.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (self._directory, self._backups):
                folder.chmod(0o700)
            lock = FileLock(self._directory / ".lock", timeout=_LOCK_TIMEOUT, mode=0o600)
            lock.acquire()
        except Timeout:
            raise ClientError(
                "Another process is changing a client's settings; try again when it is done"
            ) from None
        except OSError as error:
            raise ClientError(
                f"{shown(self._directory)} cannot be used: {error.strerror}"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def records(self) -> list[Record]:
        """Oldest first."""
        try:
            data = json.loads(self._file.read_text("utf-8"))
            return [Record(**{**one, "folders": tuple(one["folders"])}) for one in data]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, KeyError):
            raise ClientError(
                f"{shown(self._file)}, where changes are noted, cannot be read. Move it away: the "
                f"files as they were are in {shown(self._backups)}"
            ) from None

    def last(self, file: Path) -> Record | None:
        """The newest change of a file that was not undone."""
        mine = [one for one in self.records() if one.file == str(file) and not one.undone]
        return mine[-1] if mine else None

    def add(self, record: Record, before: bytes | None) -> None:
        if before is not None:
            assert record.before is not None
            self._write(self._backups / record.before, before)
        records = [*self.records(), record]
        same = [one for one in records if one.file == record.file]
        for old in same[:-_KEPT]:
            records.remove(old)
        self._save(records)

    def replace(self, old: Record, new: Record | None) -> None:
        """Corrects a record, or takes it out."""
        records = self.records()
        at = len(records) - 1 - records[::-1].index(old)
        records[at : at + 1] = [] if new is None else [new]
        self._save(records)

    def backup(self, record: Record) -> bytes | None:
        """The file as it was; None also if it is kept no more, or is not what was kept."""
        if record.before is None:
            return None
        try:
            data = (self._backups / record.before).read_bytes()
        except OSError:
            return None
        return data if digest(data) == record.before else None

    def _save(self, records: list[Record]) -> None:
        text = json.dumps([asdict(one) for one in records], indent=1)
        self._write(self._file, text.encode())
        needed = {one.before for one in records}
        for path in self._backups.iterdir():
            if path.name not in needed:
                with contextlib.suppress(OSError):
                    path.unlink()

    def _write(self, path: Path, data: bytes) -> None:
        try:
            temporary = write_beside(path, data, 0o600)
            temporary.replace(path)
        except OSError as error:
            raise ClientError(
                f"{shown(path)} cannot be written: {error.strerror}. Nothing was changed"
            ) from None
