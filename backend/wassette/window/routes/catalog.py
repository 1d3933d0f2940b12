"""What there is to load: the catalog, and the files of this machine for the picker."""

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query

from wassette.components import sources
from wassette.errors import WassetteError
from wassette.window import problems, views
from wassette.window.models import Catalog, CatalogEntry, Files
from wassette.window.words import clean

from .base import Cursor, Limit, TheWindow

if TYPE_CHECKING:
    from wassette.registry.catalog import Entry

router = APIRouter(prefix="/api", tags=["catalog"])


@router.get("/catalog")
async def search_catalog(
    window: TheWindow,
    q: Annotated[str, Query(max_length=200)] = "",
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Catalog:
    """What fits, the best first; all of it without `q`."""
    from wassette.registry.catalog import search

    known = await window.host.fetching.catalog()
    found = search(known.entries, q) if q.strip() else list(known.entries)
    start = int(cursor) if cursor is not None and cursor.isdecimal() else 0
    loaded = set(window.host.store.ids())
    page = [_entry(one, loaded) for one in found[start : start + limit]]
    more = start + limit < len(found)
    notes = [clean(one) for one in known.notes]
    return Catalog(items=page, next=str(start + limit) if more else None, notes=notes)


def _entry(one: "Entry", loaded: set[str]) -> CatalogEntry:
    component_id = ""
    with contextlib.suppress(WassetteError):
        component_id = sources.locate(one.uri).id
    ours = one.uri.startswith("starter:")
    return CatalogEntry(
        name=clean(one.name),
        reference=clean(one.uri),
        description=clean(one.description),
        source="starter" if ours else clean(one.catalog),
        component_id=component_id,
        digest=one.digest,
        loaded=component_id in loaded,
    )


@router.get("/files")
async def list_files(
    path: Annotated[str | None, Query(max_length=4096)] = None,
    cursor: Cursor = None,
    limit: Limit = 500,
) -> Files:
    """What is in a directory; the home directory if none is named."""
    where = Path.home() if not path else Path(path)
    if "\0" in str(where) or not where.is_absolute():
        raise problems.Refusal(422, "This is not the path of a directory")
    try:
        return await asyncio.to_thread(views.directory, where, cursor, limit)
    except (FileNotFoundError, NotADirectoryError):
        raise problems.Refusal(404, "There is no such directory") from None
    except PermissionError:
        raise problems.Refusal(403, "You may not look into this directory") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not a path"
        raise problems.Refusal(422, f"This directory cannot be read: {why}") from None
