"""A body into a file: hashed as it arrives, and gone on with where it broke off.

The file is the caller's, and is nobody else's before its digest was compared. Writing and hashing
are done in a thread, since the host serves others meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wassette.errors import RegistryError, StoreError, visible
from wassette.registry.web import WebError
from wassette.threads import to_its_end

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from io import FileIO
    from pathlib import Path

    from wassette.registry.web import Answer

DELAYS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each further try: so many there are."""
_PIECE = 1024 * 1024
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_STRONG_TAG = re.compile(r'"[!#-~]*"')


@dataclass(frozen=True)
class Arrived:
    """What is in the file now."""

    digest: str
    """sha256, hex."""
    size: int


async def download(
    begin: Callable[[int, str | None], AbstractAsyncContextManager[Answer]],
    path: Path,
    *,
    size: int | None,
    limit: int,
    progress: Callable[[int, int | None], None],
) -> Arrived:
    """Write a body to `path`, which must not exist yet.

    `begin` asks for the bytes from an offset on (if they still are those with this validator), and
    gives an answer with status 200 or 206. `size`: how many there have to be, if that is known.
    Raises `RegistryError` (too large), `WebError`, `StoreError`.
    """
    sink = await to_its_end(_Sink, path)
    try:
        validator: str | None = None
        for delay in (*DELAYS, None):
            try:
                async with begin(sink.size, validator) as answer:
                    await _restart_unless_continued(sink, answer)
                    validator = _validator(answer)
                    await _take(sink, answer, size, limit, progress)
                expected = size if size is not None else sink.expected
                if expected is not None and sink.size < expected:
                    raise WebError(f"it ended after {sink.size} of {expected} bytes", passing=True)
            except WebError as error:
                # Where nobody was from the beginning, nobody will be in a moment.
                gone = error.unreached and not sink.size
                if not error.passing or gone or delay is None:
                    raise
                await asyncio.sleep(delay)
            else:
                break
        return await to_its_end(sink.finish)
    finally:
        await to_its_end(sink.close)


async def _take(
    sink: _Sink,
    answer: Answer,
    size: int | None,
    limit: int,
    progress: Callable[[int, int | None], None],
) -> None:
    length = answer.headers.get("content-length", "")
    if length.isascii() and length.isdigit():
        sink.expected = sink.size + int(length)
    expected = size if size is not None else sink.expected
    most = min(limit, size if size is not None else limit)
    if expected is not None and expected > limit:
        raise too_large(expected, limit)
    piece = bytearray()
    try:
        async with contextlib.aclosing(answer.chunks()) as chunks:
            async for chunk in chunks:
                piece += chunk
                if sink.size + len(piece) > most:
                    if size is not None and size <= limit:
                        raise RegistryError(f"more than the {size} bytes that it should have came")
                    raise too_large(sink.size + len(piece), limit)
                if len(piece) >= _PIECE:
                    data, piece = bytes(piece), bytearray()
                    await to_its_end(sink.write, data)
                    progress(sink.size, expected)
    finally:
        # Also when it broke off: what has come need not come again.
        if sink.size + len(piece) <= most:
            await to_its_end(sink.write, bytes(piece))
    progress(sink.size, expected)


async def _restart_unless_continued(sink: _Sink, answer: Answer) -> None:
    if not sink.size:
        if answer.status == 206:
            raise WebError("it gave a part of what was not asked for in parts", passing=False)
        return
    match = _RANGE.fullmatch(answer.headers.get("content-range", ""))
    if answer.status != 206:
        await to_its_end(sink.restart)
    elif match is None or int(match[1]) != sink.size:
        raise WebError("it went on at another place than asked", passing=False)


def _validator(answer: Answer) -> str | None:
    """What says later that the bytes are still the same ones."""
    tag = answer.headers.get("etag", "")
    return tag if _STRONG_TAG.fullmatch(tag) else None


def too_large(size: int, limit: int) -> RegistryError:
    return RegistryError(
        f"is too large: {size / 1024 / 1024:,.1f} MB; the limit is {limit // 1024 // 1024} MB"
    )


class _Sink:
    """The file, and the digest of what is in it. Everything raises `StoreError`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hash = hashlib.sha256()
        self.size = 0
        self.expected: int | None = None
        try:
            self._file: FileIO = open(path, "xb", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise self._failed(error) from None

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise self._failed(error) from None
        self._hash.update(data)
        self.size += len(data)

    def restart(self) -> None:
        try:
            self._file.seek(0)
            self._file.truncate()
        except OSError as error:
            raise self._failed(error) from None
        self._hash = hashlib.sha256()
        self.size = 0

    def finish(self) -> Arrived:
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failed(error) from None
        return Arrived(self._hash.hexdigest(), self.size)

    def close(self) -> None:
        self._file.close()

    def _failed(self, error: OSError) -> StoreError:
        way_out = ". Make room there and try again" if error.errno == errno.ENOSPC else ""
        where = visible(str(self._path.parent), 1000)
        return StoreError(f"{where} cannot be written to: {error.strerror}{way_out}")
