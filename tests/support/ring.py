"""A keyring that keeps its entries in a file, for `PYTHON_KEYRING_BACKEND=support.ring.FileRing`.

Used as any other, through the `keyring` library and by several processes; with ways to fail, which
are those of real ones.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError, PasswordSetError

if TYPE_CHECKING:
    from collections.abc import Mapping

BACKEND = "support.ring.FileRing"
MAX = 1280
"""Characters, as of Windows."""


class FileRing(KeyringBackend):
    """Entries in the file that `TEST_RING` names; what is asked of it is added to its `.log`.

    How it fails is in its `.mode`: `locked`; `hangs`; `tells` (an error that quotes the value);
    `forgets` (keeps nothing, and says nothing).
    """

    priority = 1
    name = "test ring"

    def get_password(self, service: str, username: str) -> str | None:
        self._fail("get", service, username, "")
        return self._entries().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._fail("set", service, username, password)
        if len(password) > MAX:
            raise PasswordSetError(f"too long: {password}")
        if self._mode() != "forgets":
            with FileLock(f"{self._path()}.lock"):
                self._write({**self._entries(), f"{service} {username}": password})

    def delete_password(self, service: str, username: str) -> None:
        self._fail("delete", service, username, "")
        with FileLock(f"{self._path()}.lock"):
            entries = self._entries()
            if entries.pop(f"{service} {username}", None) is None:
                raise PasswordDeleteError("not there")
            self._write(entries)

    def _fail(self, what: str, service: str, username: str, password: str) -> None:
        with open(f"{self._path()}.log", "a") as log:
            log.write(f"{what} {service} {username}\n")
        match self._mode():
            case "locked":
                raise KeyringLocked("locked")
            case "hangs":
                threading.Event().wait()
            case "tells":
                raise ValueError(f"cannot keep {password!r}, but have {self._entries()}")

    def _entries(self) -> dict[str, str]:
        path = self._path()
        entries: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        return entries

    def _write(self, entries: dict[str, str]) -> None:
        new = self._path().with_suffix(".new")
        new.write_text(json.dumps(entries))
        new.replace(self._path())

    def _mode(self) -> str:
        mode = Path(f"{self._path()}.mode")
        return mode.read_text() if mode.exists() else ""

    @staticmethod
    def _path() -> Path:
        return Path(os.environ["TEST_RING"])


class PlaintextKeyring(FileRing):
    """By its name, one that keeps everything for all to read."""


def environment(folder: Path, backend: str = BACKEND) -> Mapping[str, str]:
    """For a process that is to use a ring in `folder`."""
    return {
        "PYTHON_KEYRING_BACKEND": backend,
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "TEST_RING": str(folder / "ring.json"),
    }


def asked(folder: Path) -> list[str]:
    """What was asked of it so far."""
    log = folder / "ring.json.log"
    return log.read_text().splitlines() if log.exists() else []


def entries(folder: Path) -> dict[str, str]:
    """What is in it."""
    path = folder / "ring.json"
    found: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return found


def fails(folder: Path, mode: str) -> None:
    """Have it fail from now on, in whatever process; empty: no more."""
    (folder / "ring.json.mode").write_text(mode)
