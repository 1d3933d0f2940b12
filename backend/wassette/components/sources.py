"""Where components come from: a reference → bytes in a file of ours, with their digest.

    file:///abs/x.wasm, file://./x.wasm, ./x.wasm, /abs/x.wasm, x.wasm     a file
    starter:toolbox                                                        shipped with Wassette
    oci://…, https://…                                                     elsewhere (remote.py)

Nothing is trusted of a file but its bytes, and they are read once: what is examined is the copy.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from wassette.errors import InvalidComponent, InvalidReference, visible

from .ids import check_id, id_of_file
from .remote import parse_remote

if TYPE_CHECKING:
    from collections.abc import Callable

    from .remote import Remote

MAX_COMPONENT = 256 * 1024 * 1024
"""Bytes. Ten times what the largest language runtimes need."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Located:
    """A reference that was understood."""

    id: str
    path: Path | None
    """None: it is elsewhere."""
    source: str
    """The reference in its full form, as recorded."""
    remote: Remote | None = None
    """Where; nothing was looked up yet."""


@dataclass(frozen=True)
class Copied:
    """The bytes, as they are in our copy."""

    digest: str
    size: int


def starters() -> dict[str, Path]:
    """The components that come with Wassette, by name."""
    folder = Path(str(resources.files("wassette") / "starters"))
    return {path.stem: path for path in sorted(folder.glob("*.wasm"))}


def locate(reference: str) -> Located:
    """Understand a reference. Raises `InvalidReference`, `InvalidComponentId`."""
    if reference.startswith("starter:"):
        return _starter(reference.removeprefix("starter:").removeprefix("//"))
    match = _SCHEME.match(reference)
    if match is None:
        if not reference or "\0" in reference:
            raise InvalidReference(
                "Invalid component reference. Should be a path or of the form scheme://reference"
            )
        return _file(reference)
    scheme, rest = match[1].lower(), reference[match.end() :]
    if scheme == "file":
        return _file(_path_of_url(reference, rest))
    remote = parse_remote(reference)
    if remote is not None:
        return Located(remote.id, None, str(remote), remote)
    raise InvalidReference(f"Unsupported URI scheme '{visible(scheme)}'. Use 'file://' or 'oci://'")


def _starter(name: str) -> Located:
    known = starters()
    if name not in known:
        raise InvalidReference(
            f"There is no starter component '{visible(name, 80)}'. "
            f"There is: {', '.join(known) or 'none'}"
        )
    return Located(check_id(name), known[name], f"starter:{name}")


def _path_of_url(reference: str, rest: str) -> str:
    """The path of a file URL. `file://./x` and `file://x/y` are relative, as documented."""
    if not rest:
        raise InvalidReference(f"{visible(reference)} names no file")
    host, slash, tail = rest.partition("/")
    path = "/" + tail if slash and host.lower() == "localhost" else rest
    if not Path(path).exists() and "%" in path:
        path = unquote(path)  # a URL as browsers and file managers write it
    if "\0" in path:
        raise InvalidReference(f"{visible(reference)} is not a path")
    return path


def _file(text: str) -> Located:
    path = Path(os.path.abspath(Path(text).expanduser()))  # noqa: PTH100  (keeps symlinks)
    try:
        kind = path.stat()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InvalidReference(
            f"Component path does not exist: {visible(str(path))} ({why}). "
            "Please provide a valid path to a WebAssembly component file."
        ) from None
    if stat.S_ISDIR(kind.st_mode):
        raise InvalidReference(f"{visible(str(path))} is a directory, not a component file")
    if path.suffix != ".wasm":
        raise InvalidReference(
            f"Invalid file extension for component: {visible(str(path))}. "
            "Component file must have .wasm extension."
        )
    return Located(id_of_file(path), path, path.as_uri())


def copy(source: Path, target: Path, progress: Callable[[int, int], None]) -> Copied:
    """Copy a component's bytes to `target`, telling `progress(done, total)` in bytes.

    Raises `InvalidReference` (cannot be read), `InvalidComponent` (not a regular file, too large).
    """
    try:
        # Not blocking: opening a FIFO would wait for ever.
        fd = os.open(
            source, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
    except OSError as error:
        raise InvalidReference(f"{visible(str(source))} cannot be read: {error.strerror}") from None
    with open(fd, "rb") as file:
        kind = os.fstat(fd)
        if not stat.S_ISREG(kind.st_mode):
            raise InvalidComponent("is not a regular file")
        if kind.st_size > MAX_COMPONENT:
            raise InvalidComponent(_too_large(kind.st_size))
        digest, done = hashlib.sha256(), 0
        try:
            with open(target, "xb") as out:
                while chunk := file.read(_CHUNK):
                    done += len(chunk)
                    if done > MAX_COMPONENT:
                        raise InvalidComponent(_too_large(done))
                    digest.update(chunk)
                    out.write(chunk)
                    progress(done, max(done, kind.st_size))
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise InvalidReference(
                f"{visible(str(source))} could not be copied: {error.strerror}"
            ) from None
    return Copied(digest.hexdigest(), done)


def _too_large(size: int) -> str:
    limit = MAX_COMPONENT // 1024 // 1024
    return f"is too large: {size / 1024 / 1024:,.0f} MB; the limit is {limit} MB"
