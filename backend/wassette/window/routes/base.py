"""What the routes share."""

from typing import Annotated

from fastapi import Path, Query

from wassette.window.models import ID

ComponentId = Annotated[str, Path(pattern=ID)]
ClientId = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Cursor = Annotated[str | None, Query(max_length=200)]
Limit = Annotated[int, Query(ge=1, le=500)]
