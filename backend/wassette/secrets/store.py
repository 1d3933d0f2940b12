"""The secrets of each component, wherever they are kept.

In `directory`, for a component `ID`:

- `ID.yaml`: keys with values, for those that are kept in files (Microsoft's Wassette keeps all of
  them in this form);
- `ID.json`: the keys that are in the keyring, which can hold values but not list them, and a number
  that is another one after every change, so that other processes notice it.

A key is in one of them. If it is in both, after a crash, the file counts.
"""

from __future__ import annotations

import json
import re
import secrets as random
import threading
import time
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from wassette.components.ids import check_id
from wassette.errors import PolicyError, SecretError, visible
from wassette.policy.edit import quote
from wassette.policy.nodes import Scalar, read_nodes
from wassette.secrets.private import (
    MAX_BYTES,
    Stamp,
    locked,
    read_private,
    stamp_of,
    write_private,
)
from wassette.secrets.ring import WAY_OUT, Ring

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

MAX_VALUE = 64 * 1024
"""Characters of one secret."""
RETRY = 10.0
"""Seconds until a keyring that gave no answer is asked again."""

_Files: TypeAlias = tuple[bytes | None, bytes | None]

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
_HEADER = "# Secrets. To change them: wassette secret set, wassette secret delete\n"
_LINE = re.compile(r":([0-9]+): ")


class Place(StrEnum):
    """Where secrets are kept. `AUTO` is the keyring if there is one, else files."""

    AUTO = "auto"
    KEYRING = "keyring"
    FILE = "file"


@dataclass(frozen=True)
class ComponentSecrets:
    """`values` by key; `unread`: keys whose values could not be had, and why. `error`: why it is
    not even known which there are."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    unread: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    error: str | None = None

    @property
    def keys(self) -> list[str]:
        return sorted(self.places)


@dataclass(frozen=True)
class Kept:
    """Where secrets were put. `note`: what a person should know about that."""

    place: Place
    note: str | None = None


@dataclass
class _Known:
    """What was read, and from which bytes: it counts while the files have the same. `stamp`: with
    which they need not even be read."""

    stamp: Stamp | None
    files: _Files
    secrets: ComponentSecrets
    until: float


class SecretStore:
    """Can be used by several threads and processes. `directory` is made when first written to.

    Everything raises `SecretError` (and `InvalidComponentId`), without any value in its text.
    """

    def __init__(self, directory: Path, place: Place = Place.AUTO, ring: Ring | None = None):
        self.directory = directory
        self.place = place
        self._ring = ring or Ring()
        self._known: dict[str, _Known] = {}
        self._reading = threading.Lock()

    # -- reading -------------------------------------------------------------------------------

    def peek(self, component_id: str, *, retry: bool = False) -> ComponentSecrets | None:
        """The secrets as they are now; None if the keyring would have to be asked for them.

        Never takes long. `retry`: None, too, when it is time to ask a keyring again.
        """
        known = self._known.get(component_id)
        stamp = self._stamp(component_id)
        if known is None or known.stamp is None or known.stamp != stamp:
            files = self._files(component_id)
            if known is not None and known.files == files:
                known.stamp = stamp
            else:
                known = None
        if known is not None:
            return None if retry and time.monotonic() >= known.until else known.secrets
        ringed, filed = self._parsed(component_id, files)
        if ringed and self.place is not Place.FILE:
            return None
        unread = dict.fromkeys(
            ringed, "it is kept in the keyring, which is not used here (secrets = file)"
        )
        return self._remember(component_id, stamp, files, filed, {}, unread)

    def unread(self, component_id: str) -> ComponentSecrets:
        """For when there is no time to ask the keyring."""
        ringed, filed = self._parsed(component_id, self._files(component_id))
        return _together(filed, {}, dict.fromkeys(ringed, "the keyring has not given it yet"))

    def read(self, component_id: str) -> ComponentSecrets:
        """The secrets as they are now. Can take long, as long as a person takes to unlock the
        keyring."""
        with self._reading:
            known = self.peek(component_id, retry=True)
            if known is not None:
                return known
            stamp = self._stamp(component_id)
            files = self._files(component_id)
            ringed, filed = self._parsed(component_id, files)
            values: dict[str, str] = {}
            unread: dict[str, str] = {}
            for key in ringed:
                try:
                    value = self._ring.get(component_id, key)
                except SecretError as error:
                    # One failure tells for all: each could ask a person again.
                    left = [one for one in ringed if one not in values]
                    unread |= dict.fromkeys(left, f"it is in the keyring: {error}")
                    break
                if value is None:
                    unread[key] = "the keyring no longer has it; set it again"
                else:
                    values[key] = value
            return self._remember(component_id, stamp, files, filed, values, unread)

    def values_read(self) -> list[str]:
        """Every value that this process has read so far. At once, from any thread."""
        return [
            value for known in list(self._known.values()) for value in known.secrets.values.values()
        ]

    def _files(self, component_id: str) -> _Files:
        return read_private(self._index(component_id)), read_private(self._file(component_id))

    def _stamp(self, component_id: str) -> Stamp | None:
        return stamp_of(self.directory, self._index(component_id), self._file(component_id))

    def _parsed(self, component_id: str, files: _Files) -> tuple[list[str], dict[str, str]]:
        """The keys that are in the keyring only, and the secrets that are in the file."""
        filed = _parse_file(files[1], self._file(component_id))
        ringed = _parse_index(files[0], self._index(component_id))
        return [key for key in ringed if key not in filed], filed

    def _remember(
        self,
        component_id: str,
        stamp: Stamp | None,
        files: _Files,
        filed: dict[str, str],
        ringed: dict[str, str],
        unread: dict[str, str],
    ) -> ComponentSecrets:
        found = _together(filed, ringed, unread)
        asked = unread and self.place is not Place.FILE
        until = time.monotonic() + RETRY if asked else float("inf")
        self._known[component_id] = _Known(stamp, files, found, until)
        return found

    # -- changing ------------------------------------------------------------------------------

    def set(self, component_id: str, values: Mapping[str, str]) -> Kept:
        """Keep these, in addition to others, in the place of those with the same keys."""
        file, index = self._file(component_id), self._index(component_id)
        for key, value in values.items():
            check_key(key)
            _check_value(key, value)
        kept = self._choose(file)
        with locked(self.directory):
            ringed = _parse_index(read_private(index), index)
            filed = _parse_file(read_private(file), file)
            if kept.place is Place.FILE:
                self._write_file(component_id, {**filed, **values})
                left_over = [key for key in ringed if key in values]
                if left_over:
                    self._write_index(component_id, set(ringed) - set(left_over))
                    notes = (kept.note, f"the keyring still has the old {', '.join(left_over)}")
                    kept = replace(kept, note="; ".join(filter(None, notes)))
                return kept
            done: list[str] = []
            try:
                for key, value in values.items():
                    self._ring.set(component_id, key, value)
                    done.append(key)
            finally:
                if done:
                    left = {key: value for key, value in filed.items() if key not in done}
                    if left != filed:
                        self._write_file(component_id, left)
                    self._write_index(component_id, {*ringed, *done})
        return kept

    def delete(self, component_id: str, keys: Collection[str]) -> list[str]:
        """Delete these; which of them there were. One that stays in a keyring that cannot be
        reached is an error."""
        file, index = self._file(component_id), self._index(component_id)
        if read_private(file) is None and read_private(index) is None:
            return []
        with locked(self.directory):
            ringed = _parse_index(read_private(index), index)
            filed = _parse_file(read_private(file), file)
            deleted = [key for key in dict.fromkeys(keys) if key in filed]
            if deleted:
                left = {key: value for key, value in filed.items() if key not in deleted}
                self._write_file(component_id, left)
            kept = set(ringed)
            try:
                for key in dict.fromkeys(keys):
                    if key in kept:
                        self._ring.delete(component_id, key)
                        kept.discard(key)
            finally:
                if len(kept) < len(ringed):
                    self._write_index(component_id, kept)
            return [key for key in dict.fromkeys(keys) if key in deleted or key in ringed]

    def _choose(self, file: Path) -> Kept:
        if self.place is Place.FILE:
            return Kept(Place.FILE)
        why = self._ring.missing()
        if why is None:
            return Kept(Place.KEYRING)
        if self.place is Place.KEYRING:
            raise SecretError(f"Secrets are to be kept in the keyring, but {why}. {WAY_OUT}")
        note = f"kept in {visible(str(file), 1000)}, which only you can read, but not encrypted: "
        return Kept(Place.FILE, note + why)

    def _write_file(self, component_id: str, values: Mapping[str, str]) -> None:
        lines = [f"{key}: {quote(value)}\n" for key, value in sorted(values.items())]
        data = (_HEADER + "".join(lines)).encode()
        if len(data) > MAX_BYTES:
            raise SecretError(
                f"The secrets of '{component_id}' would take more than {MAX_BYTES // 1024} KiB"
            )
        write_private(self._file(component_id), data if values else None)

    def _write_index(self, component_id: str, keys: Collection[str]) -> None:
        entry = {"keys": sorted(keys), "revision": random.token_hex(8)}
        data = (json.dumps(entry) + "\n").encode()
        write_private(self._index(component_id), data if keys else None)

    def _file(self, component_id: str) -> Path:
        return self.directory / f"{check_id(component_id)}.yaml"

    def _index(self, component_id: str) -> Path:
        return self.directory / f"{check_id(component_id)}.json"


def check_key(key: str) -> str:
    """`key` if it can be the name of a secret, so of a variable. Raises `SecretError`, which does
    not quote it: who forgets `KEY=` writes the value in its place."""
    if not _KEY.fullmatch(key):
        raise SecretError(
            "the name of a secret is that of a variable: a letter or '_', then letters, digits, "
            "'_', '.' or '-', at most 128 in all"
        )
    return key


def _check_value(key: str, value: str) -> None:
    if len(value) > MAX_VALUE:
        raise SecretError(f"the value of {key} is too long: at most {MAX_VALUE} characters")
    if "\0" in value:
        raise SecretError(f"the value of {key} contains a NUL character")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise SecretError(f"the value of {key} is not valid text (UTF-8)")


def _together(
    filed: dict[str, str], ringed: dict[str, str], unread: dict[str, str]
) -> ComponentSecrets:
    places = dict.fromkeys([*ringed, *unread], Place.KEYRING) | dict.fromkeys(filed, Place.FILE)
    return ComponentSecrets({**ringed, **filed}, unread, places)


def _parse_index(data: bytes | None, path: Path) -> list[str]:
    if data is None:
        return []
    try:
        keys = json.loads(data)["keys"]
        if isinstance(keys, list) and all(isinstance(k, str) and _KEY.fullmatch(k) for k in keys):
            return keys
    except (ValueError, LookupError, TypeError, RecursionError):
        pass
    raise SecretError(
        f"{visible(str(path), 1000)} does not list the keys of secrets in the keyring; delete it, "
        "and set the secrets again"
    )


def _parse_file(data: bytes | None, path: Path) -> dict[str, str]:
    """Errors name the line and nothing of what is in it."""
    if data is None or not data.strip():
        return {}
    line = 0
    try:
        root = read_nodes(data.decode(), str(path))
        found: dict[str, str] = {}
        for key, node in root.items.items():
            line = node.line
            if not isinstance(node, Scalar) or not isinstance(node.value, str):
                break
            if not _KEY.fullmatch(key):
                break
            found[key] = node.value
        else:
            return found
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    except PolicyError as error:
        match = _LINE.search(str(error))
        line = int(match[1]) if match else 1
    raise SecretError(
        f'{visible(str(path), 1000)}:{line}: not a line KEY: "value" (one for each secret, with '
        "the value in quotes)"
    )
