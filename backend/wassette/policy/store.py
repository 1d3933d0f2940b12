"""The policy files of one component directory.

A file can be changed by other processes (the CLI, an editor) at any time: it is looked at on
every read, and parsed again when it is another one. Writers take turns by a lock file and
replace the file as a whole, so readers need no lock.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from filelock import FileLock, Timeout

from wassette.errors import PolicyChanged, PolicyConflict, PolicyError, StoreError, visible
from wassette.policy.document import PolicyDocument
from wassette.policy.nodes import MAX_BYTES
from wassette.policy.parse import decode_policy, parse_policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wassette.policy.model import Policy

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
_ROOT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
_LOCK_NAME = ".lock"
_LOCK_TIMEOUT = 10.0  # seconds; a writer holds the lock for milliseconds
# A file changed twice within one tick of the file system's clock (up to 10 ms) can look
# unchanged. What was read so soon after its change is not remembered.
_RACY_NS = 100_000_000

_Stamp: TypeAlias = tuple[int, int, int, int]


class PolicyStatus(StrEnum):
    """What there is to a component's policy."""

    ABSENT = "absent"
    LOADED = "loaded"
    BROKEN = "broken"


@dataclass(frozen=True)
class PolicyState:
    """`policy` if loaded, `error` if broken. Absent and broken both mean no permissions."""

    status: PolicyStatus
    policy: Policy | None = None
    error: PolicyError | None = None


_ABSENT = PolicyState(PolicyStatus.ABSENT)


class PolicyStore:
    """`{id}.policy.yaml` and `{id}.roots.json` files in `directory`, which is made when first
    written to."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._cache: dict[str, tuple[_Stamp, PolicyState]] = {}

    def path(self, component_id: str) -> Path:
        """Where the policy is. Raises `PolicyError` if the id could lead anywhere else."""
        return _file(self.directory, component_id, ".policy.yaml")

    def read(self, component_id: str) -> PolicyState:
        """The policy as it is on disk now. Raises `PolicyError` only for an impossible id."""
        path = self.path(component_id)
        try:
            stamp = _stamp(path.lstat())
            known = self._cache.get(component_id)
            if known is not None and known[0] == stamp:
                return known[1]
            text, stamp = _read_file(path)
            state = PolicyState(PolicyStatus.LOADED, parse_policy(text, str(path)))
        except FileNotFoundError:
            self._cache.pop(component_id, None)
            return _ABSENT
        except PolicyError as error:
            # A new one, without the frames (and so the file's text) that the raised one holds.
            state = PolicyState(PolicyStatus.BROKEN, error=PolicyError(str(error)))
        except OSError as error:
            # Not remembered: what stood in the way may be gone without the file changing.
            return PolicyState(PolicyStatus.BROKEN, error=_unreadable(path, error))
        if abs(time.time_ns() - stamp[0]) > _RACY_NS:
            self._cache[component_id] = (stamp, state)
        return state

    @contextmanager
    def edit(self, component_id: str) -> Iterator[PolicyDocument]:
        """A document to change; written when the block ends without an exception.

        Raises `PolicyError` if the file is broken (it is left as it is) and `StoreError` if the
        directory cannot be written or another process does not release the lock.
        """
        path = self.path(component_id)
        with self._locked():
            try:
                text, _ = _read_file(path)
                document = PolicyDocument(text, str(path))
            except FileNotFoundError:
                document = PolicyDocument.new(component_id)
            except OSError as error:
                raise _unreadable(path, error) from error
            before = document.to_text()
            yield document
            if document.to_text() != before:
                _replace(path, document.to_text())

    # ---- the text as a whole ----

    def text(self, component_id: str) -> tuple[str, str]:
        """The policy as it is written, broken or not, and what names this text; both empty if
        there is none. Raises `PolicyError` if it cannot be read."""
        path = self.path(component_id)
        try:
            text, _ = _read_file(path)
        except FileNotFoundError:
            return "", ""
        except OSError as error:
            raise _unreadable(path, error) from error
        return text, _sha256(text)

    def write(self, component_id: str, text: str, version: str) -> bool:
        """Have `text`, which the caller has parsed, be the policy, if the one that is there is that
        which `version` names. Returns whether it is another one.

        Raises `PolicyChanged`, `StoreError`.
        """
        path = self.path(component_id)
        with self._locked():
            present, known = self.text(component_id)
            if known != version:
                raise PolicyChanged(
                    f"The policy of '{component_id}' was changed meanwhile, so it was left as it is"
                )
            if known and present == text:
                return False
            _replace(path, text)
        return True

    # ---- policies from a manifest ----

    def check_attachable(self, component_id: str, text: str) -> None:
        """Whether `attach` would put `text` in the place of what is there.

        Raises `PolicyConflict` if that is a person's work.
        """
        path = self.path(component_id)
        try:
            present, _ = _read_file(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unreadable(path, error) from error
        if present != text and self._attached(component_id) != _sha256(present):
            raise PolicyConflict(
                f"{path}: this policy was written or changed by a person, so that of the manifest "
                "is not put in its place. Put what it says into the manifest and remove it with "
                f"`wassette permission reset {component_id}`, or take the permissions out of the "
                "manifest (permissions: {}) to keep it"
            )

    def attach(self, component_id: str, text: str, source: str) -> bool:
        """Have `text`, which came from `source`, be the policy. Returns whether it was another.

        Raises `PolicyConflict` as `check_attachable` does, and `StoreError`.
        """
        path, meta = self.path(component_id), self._meta_path(component_id)
        with self._locked():
            self.check_attachable(component_id, text)
            before = self.read(component_id)
            changed = before.status is PolicyStatus.ABSENT or _read_file(path)[0] != text
            if changed:
                _replace(path, text)
            # After the policy: if this does not happen, the next time finds the very same text.
            if self._attached(component_id) != _sha256(text):
                record = {"source_uri": source, "attached_at": time.time(), "sha256": _sha256(text)}
                _replace(meta, json.dumps(record, indent=2) + "\n")
        return changed

    def is_attached(self, component_id: str) -> bool:
        """Whether the policy is one that `attach` wrote, and nobody has changed since."""
        try:
            text, _ = _read_file(self.path(component_id))
        except (OSError, PolicyError):
            return False
        return self._attached(component_id) == _sha256(text)

    def _attached(self, component_id: str) -> str | None:
        """The digest of the text that was attached last."""
        try:
            record = json.loads(_read_file(self._meta_path(component_id))[0])
        except (OSError, PolicyError, ValueError, RecursionError):
            return None
        return str(record.get("sha256")) if isinstance(record, dict) else None

    def _meta_path(self, component_id: str) -> Path:
        return self.directory / f"{_checked(component_id)}.policy.meta.json"

    def reset(self, component_id: str) -> None:
        """Takes every permission away: deletes the policy, broken or not, its metadata, and what
        named roots are bound to."""
        path = self.path(component_id)
        with self._locked():
            for file in (path, self._meta_path(component_id), self._roots_path(component_id)):
                try:
                    file.unlink(missing_ok=True)
                except OSError as error:
                    raise StoreError(f"cannot delete {file}: {error.strerror}") from error

    # ---- named roots ----

    def roots(self, component_id: str) -> dict[str, Path]:
        """The directories that named roots are bound to. Raises `PolicyError` if the file is
        broken; the roots are then private directories, as if nothing were bound."""
        path = self._roots_path(component_id)
        try:
            text, _ = _read_file(path)
            found = json.loads(text)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise _unreadable(path, error) from error
        except (ValueError, RecursionError) as error:
            raise PolicyError(f"{path}: not valid JSON; bind the roots again") from error
        if not isinstance(found, dict) or not all(
            _ROOT.fullmatch(name)
            and isinstance(directory, str)
            and os.path.isabs(directory)  # noqa: PTH117
            and "\0" not in directory
            for name, directory in found.items()
        ):
            raise PolicyError(f"{path}: not names with directories; bind the roots again")
        return {name: Path(directory) for name, directory in found.items()}

    def bind(self, component_id: str, name: str, directory: Path | None) -> bool:
        """Binds a named root to a directory (absolute, canonical), or with None, unbinds it.

        Returns whether anything changed. Raises `PolicyError` if the name cannot be one.
        """
        if not _ROOT.fullmatch(name):
            raise PolicyError(
                f"'{visible(name)}' cannot be the name of a root: letters, digits, '.', '_' and "
                "'-', as in fs://workspace"
            )
        path = self._roots_path(component_id)
        with self._locked():
            try:
                before = self.roots(component_id)
            except PolicyError:
                before = None
            after = {**(before or {}), name: directory}
            kept = {key: str(value) for key, value in sorted(after.items()) if value is not None}
            if before is not None and kept == {key: str(one) for key, one in before.items()}:
                return False
            if kept:
                _replace(path, json.dumps(kept, indent=2) + "\n")
            else:
                path.unlink(missing_ok=True)
        return True

    def _roots_path(self, component_id: str) -> Path:
        return _file(self.directory, component_id, ".roots.json")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            # A lock object of its own for each use, so that threads exclude each other too.
            lock = FileLock(self.directory / _LOCK_NAME, timeout=_LOCK_TIMEOUT, mode=0o600)
            lock.acquire()
        except Timeout as error:
            raise StoreError(
                f"another process holds {self.directory / _LOCK_NAME}; try again when it is done"
            ) from error
        except OSError as error:
            raise StoreError(f"cannot write to {self.directory}: {error.strerror}") from error
        try:
            yield
        finally:
            lock.release()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


@lru_cache(4096)
def _file(directory: Path, component_id: str, suffix: str) -> Path:
    # Kept, since every call of a tool looks at these files, and making a path costs more than that.
    return directory / f"{_checked(component_id)}{suffix}"


def _checked(component_id: str) -> str:
    if not _ID.fullmatch(component_id):
        raise PolicyError(f"'{visible(component_id)}' is not a component id")
    return component_id


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _read_file(path: Path) -> tuple[str, _Stamp]:
    """The text, and what identified the file that it was read from.

    Only from a regular file: a symbolic link could name a file that a component writes, and a
    FIFO would block. `O_NOFOLLOW` and `O_NONBLOCK` hold even if it is exchanged just before.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise PolicyError(f"{path}:1: not a regular file; replace the link by the file itself")
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    with open(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise PolicyError(f"{path}:1: not a regular file")
        return decode_policy(file.read(MAX_BYTES + 1), str(path)), _stamp(status)


def _replace(path: Path, text: str) -> None:
    """Writes the file so that a reader, or a crash, sees the old one or the new one."""
    try:
        # Made with mode 0600, under a name that is not taken.
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise StoreError(f"cannot write to {path.parent}: {error.strerror}") from error
    try:
        with open(descriptor, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)  # noqa: PTH105
        _sync_directory(path.parent)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error
    finally:
        Path(name).unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    """Makes the new name durable, where directories can be opened (not on Windows)."""
    if os.name == "posix":
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _unreadable(path: Path, error: OSError) -> PolicyError:
    return PolicyError(f"{path}:1: cannot be read: {error.strerror}")
