"""Which components there are: ours, those that Wassette's users know, and catalogs that you add.

A catalog is a JSON file: a list of entries, or an object with such a list as `components`. An entry
has `name`, `description` and `uri`, and may have `digest` (`sha256:…` of the component) and
`signer`. What it says is a stranger's word: it is shown, and decides nothing but what is fetched
when a person picks an entry; with a digest, those bytes and no others.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import re
import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wassette.components import sources
from wassette.components.remote import parse_remote
from wassette.components.store import write_atomically
from wassette.errors import WassetteError, visible
from wassette.registry.web import Url, WebError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wassette.registry.registries import Registries

log = logging.getLogger(__name__)

MAX_CATALOG = 4 * 1024 * 1024
"""Bytes."""
MAX_ENTRIES = 10_000
FRESH = 24 * 3600.0
"""Seconds for which a catalog that was fetched is not fetched again."""
PATIENCE = 10.0
"""Seconds for which a search waits for a catalog."""
_MAX_TEXT = 500
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Entry:
    """A component that can be loaded. Texts are as somebody wrote them."""

    name: str
    description: str
    uri: str
    digest: str | None = None
    """sha256 of the component (hex), where the catalog says it."""
    signer: str | None = None
    catalog: str = ""
    """Which it is from; empty for our own."""

    def to_json(self) -> dict[str, str]:
        """As Wassette has it, and what it does not have only if it is there."""
        found = {"name": self.name, "description": self.description, "uri": self.uri}
        if self.digest is not None:
            found["digest"] = f"sha256:{self.digest}"
        if self.signer is not None:
            found["signer"] = self.signer
        if self.catalog:
            found["catalog"] = self.catalog
        return found


@dataclass(frozen=True)
class Catalog:
    """Entries, ours first, and what a person should know about those that are missing."""

    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()


def bundled() -> tuple[Entry, ...]:
    """Our own: the starters, and the published components."""
    data = json.loads(resources.files(__package__).joinpath("catalog.json").read_bytes())
    about: dict[str, str] = data["starters"]
    starters = (
        Entry(
            name,
            about.get(name, "") + ("; " if name in about else "") + "comes with Wassette",
            f"starter:{name}",
        )
        for name in sources.starters()
    )
    return (*starters, *read(json.dumps(data).encode(), ""))


def read(data: bytes, catalog: str) -> tuple[Entry, ...]:
    """Raises `ValueError` with the reason."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if isinstance(found, dict):
        found = found.get("components")
    if not isinstance(found, list) or len(found) > MAX_ENTRIES:
        raise ValueError(f"it is no list of at most {MAX_ENTRIES} components")
    return tuple(_entry(one, number, catalog) for number, one in enumerate(found, 1))


def _entry(value: Any, number: int, catalog: str) -> Entry:
    texts: dict[str, str] = {}
    for key in ("name", "description", "uri"):
        text = value.get(key) if isinstance(value, dict) else None
        if not isinstance(text, str) or not text.strip() or len(text) > _MAX_TEXT:
            raise ValueError(f"entry {number} has no {key}, or one that is too long")
        texts[key] = text
    try:
        # Not a file: somebody else's catalog names none of this machine's.
        located = parse_remote(texts["uri"])
    except WassetteError as error:
        raise ValueError(f"entry {number}: {error}") from None
    if located is None:
        raise ValueError(f"entry {number}: its uri is not oci:// or https://")
    digest, signer = value.get("digest"), value.get("signer")
    match = None if digest is None else _DIGEST.fullmatch(str(digest))
    if digest is not None and match is None:
        raise ValueError(f"entry {number}: its digest is not sha256: and 64 hexadecimal digits")
    if signer is not None and (not isinstance(signer, str) or len(signer) > _MAX_TEXT):
        raise ValueError(f"entry {number}: its signer is not a text")
    return Entry(**texts, digest=match[1] if match else None, signer=signer, catalog=catalog)


def search(entries: Sequence[Entry], query: str) -> list[Entry]:
    """Those that fit, the best first; all of them for no query. Wassette's ranking: for each word,
    100 for the name, 50 for its beginning, 20 for a part of it; 15 and 10 for the description's
    beginning and a part of it; 5 for a part of the reference."""
    words = query.lower().split()
    if not words:
        return list(entries)
    scored = [(_score(one, words), one) for one in entries]
    scored = [(score, one) for score, one in scored if score]
    return [one for _, one in sorted(scored, key=lambda pair: -pair[0])]  # stable: ours first


def _score(entry: Entry, words: list[str]) -> int:
    name, description, uri = entry.name.lower(), entry.description.lower(), entry.uri.lower()
    return sum(
        (100 if name == word else 50 if name.startswith(word) else 20 if word in name else 0)
        + (15 if description.startswith(word) else 10 if word in description else 0)
        + (5 if word in uri else 0)
        for word in words
    )


def find(entries: Sequence[Entry], wanted: str) -> Entry | None:
    """By name, however it is written, or by reference. Ours come first: no catalog that is added
    takes the name of one of these."""
    name = wanted.strip().lower()
    return next((one for one in entries if wanted == one.uri or name == one.name.lower()), None)


# -- catalogs that were added ------------------------------------------------------------------


async def gather(registries: Registries, cache: Path) -> Catalog:
    """Our own, and those that are configured: as they were fetched in the last day, else anew; when
    that cannot be done, as they were."""
    places = registries.options.catalogs
    found = await asyncio.gather(*(_added(registries, place, cache) for place in places))
    entries = [*bundled()]
    notes: list[str] = []
    for some, note in found:
        entries += some
        if note:
            notes.append(note)
    return Catalog(tuple(entries), tuple(notes))


async def _added(
    registries: Registries, place: str, cache: Path
) -> tuple[tuple[Entry, ...], str | None]:
    shown = visible(place)
    try:
        if not place.startswith("https://"):
            return read(await asyncio.to_thread(_read_file, Path(place)), place), None
        file = cache / f"{hashlib.sha256(place.encode()).hexdigest()[:32]}.json"
        kept, age = await asyncio.to_thread(_cached, file)
        if kept is not None and age < FRESH:
            return read(kept, place), None
        try:
            async with asyncio.timeout(PATIENCE):
                data = await _fetch(registries, place)
        except (WebError, TimeoutError) as error:
            why = str(error) or "it took too long"
            if kept is None:
                return (), f"The catalog {shown} cannot be had: {why}"
            return read(kept, place), f"The catalog {shown} is {age / 3600:.0f} hours old: {why}"
        entries = read(data, place)
        with contextlib.suppress(WassetteError, OSError):
            await asyncio.to_thread(_keep, file, data)
        return entries, None
    except (ValueError, OSError) as error:
        return (), f"The catalog {shown} cannot be read: {visible(str(error), 500)}"


async def _fetch(registries: Registries, place: str) -> bytes:
    async with (
        registries.web() as web,
        web.send("GET", Url.parse(place), {"accept": "application/json"}) as answer,
    ):
        if answer.status != 200:
            raise WebError(f"its server answers {answer.status}", passing=True)
        return await answer.read(MAX_CATALOG)


def _read_file(path: Path) -> bytes:
    with open(path.expanduser(), "rb") as file:
        data = file.read(MAX_CATALOG + 1)
    if len(data) > MAX_CATALOG:
        raise ValueError("it is too large")
    return data


def _cached(file: Path) -> tuple[bytes | None, float]:
    try:
        data = _read_file(file)
        read(data, "")
        return data, max(time.time() - file.stat().st_mtime, 0)
    except (OSError, ValueError):
        return None, 0


def _keep(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomically(file, data)
