"""What there is to load: the catalog, and the files of this machine for the picker."""

from typing import Annotated

from fastapi import APIRouter, Query

from wassette.window.models import Catalog, Files

from .base import Cursor, Limit

router = APIRouter(prefix="/api", tags=["catalog"])


@router.get("/catalog")
async def search_catalog(
    q: Annotated[str, Query(max_length=200)] = "", cursor: Cursor = None, limit: Limit = 100
) -> Catalog:
    raise NotImplementedError


@router.get("/files")
async def list_files(
    path: Annotated[str | None, Query(max_length=4096)] = None,
    cursor: Cursor = None,
    limit: Limit = 500,
) -> Files:
    """What is in a directory; the home directory if none is named."""
    raise NotImplementedError
