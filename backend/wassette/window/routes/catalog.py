"""What there is to load: the catalog, and the files of this machine for the picker."""

import asyncio
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query

from wassette.components import sources
from wassette.window import problems, views
from wassette.window.models import Catalog, CatalogEntry, Files

from .base import Cursor, Limit, TheWindow

router = APIRouter(prefix="/api", tags=["catalog"])


@router.get("/catalog")
async def search_catalog(
    window: TheWindow,
    q: Annotated[str, Query(max_length=200)] = "",
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Catalog:
    loaded = set(window.host.store.ids())
    found = [
        CatalogEntry(
            name=name,
            reference=f"starter:{name}",
            description="Comes with Wassette",
            source="starter",
            component_id=name,
            loaded=name in loaded,
        )
        for name in sources.starters()
        if q.strip().lower() in name.lower()
    ]
    rest = [one for one in found if cursor is None or one.reference > cursor]
    page = rest[:limit]
    return Catalog(items=page, next=page[-1].reference if len(rest) > limit else None)


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
