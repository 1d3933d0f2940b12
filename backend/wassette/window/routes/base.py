"""What the routes share."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request

from wassette.window.auth import Browser
from wassette.window.guard import BROWSER
from wassette.window.models import ID
from wassette.window.state import Window

ComponentId = Annotated[str, Path(pattern=ID)]
ClientId = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Cursor = Annotated[str | None, Query(max_length=400)]
Limit = Annotated[int, Query(ge=1, le=500)]


def _window(request: Request) -> Window:
    window: Window = request.app.state.window
    return window


def _browser(request: Request) -> Browser:
    # The guard has put it there; without it no route of the API is reached.
    browser: Browser = request.scope[BROWSER]
    return browser


TheWindow = Annotated[Window, Depends(_window)]
TheBrowser = Annotated[Browser, Depends(_browser)]
