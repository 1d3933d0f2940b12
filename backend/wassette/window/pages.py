"""The window's pages: the built UI, and the small page that a one-time link leads to."""

import html
import mimetypes
import re
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from starlette.responses import FileResponse

from . import problems
from .auth import Auth
from .guard import OPEN

STATIC = Path(__file__).parent / "static"
_PLACE = re.compile(r"/(?:[A-Za-z0-9._~%?=&:@+-][A-Za-z0-9._~%?=&:@+/-]*)?")
"""An address of a page, and of no other site: `//host` and `/\\host` would be one."""
_HASHED = "assets/"
"""Files whose names change with what is in them."""
_FOREVER = "private, max-age=31536000, immutable"
# Not of the machine's own table, which others can change.
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
    ".map": "application/json",
}

_NOT_BUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Wassette</title></head>
<body><h1>The window is not built</h1>
<p>This copy of Wassette was installed without its pages. To build them, run in the project:</p>
<pre>scripts/build ui</pre>
<p>Everything can be done on the command line, too: <code>wassette --help</code>.</p>
</body></html>
"""
_GO_ON = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Wassette</title>
<link rel="icon" href="data:,"><meta http-equiv="refresh" content="0; url={to}"></head>
<body><p><a href="{to}">Go on to Wassette</a></p></body></html>
"""
_NO_LINK = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Wassette</title></head>
<body><h1>This link does not open Wassette any more</h1>
<p>A link opens the window once, within a minute. For another one, run:</p>
<pre>wassette ui</pre></body></html>
"""


def add_pages(app: FastAPI, auth: Auth, static: Path = STATIC) -> None:
    """The routes for all that is not the API. Has to be added last."""
    files = Files(static)

    # Not a redirect: a browser sends a SameSite=Strict cookie only with what our own page asks for,
    # and the way to this page may have begun elsewhere.
    @app.get(f"{OPEN}{{link}}", include_in_schema=False)
    async def open_link(link: str, request: Request, to: str = "/") -> Response:
        # Looked at before the link is used up.
        place = to if _PLACE.fullmatch(to) else "/"
        value = auth.open(link)
        if value is None:
            return HTMLResponse(_NO_LINK, 403)
        answer = HTMLResponse(_GO_ON.format(to=html.escape(place)))
        answer.set_cookie(
            auth.cookie(request.scope["server"][1]),
            value,
            httponly=True,
            samesite="strict",
            path="/",
        )
        return answer

    @app.get("/{path:path}", include_in_schema=False)
    async def page(path: str) -> Response:
        return files.answer(path)


class Files:
    """Those of the built UI, by their names: no other path leads to anything."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, Path] = {}
        self._look()

    def _look(self) -> None:
        self._files = {
            path.relative_to(self._folder).as_posix(): path
            for path in self._folder.rglob("*")
            if path.is_file() and not path.is_symlink()
        }

    def answer(self, path: str) -> Response:
        if "index.html" not in self._files:
            self._look()  # it may have been built meanwhile
        file = self._files.get(path or "index.html")
        if file is None or not file.is_file():
            return self._other(path)
        kind = _TYPES.get(file.suffix) or mimetypes.types_map.get(file.suffix)
        headers = {"cache-control": _FOREVER} if path.startswith(_HASHED) else None
        return FileResponse(file, media_type=kind or "application/octet-stream", headers=headers)

    def _other(self, path: str) -> Response:
        """An address of a page: every one of them is the same file, which knows the rest."""
        # A component's id may have dots in it, so only `name.ext` at the top is a missing file.
        missing_file = "." in path and "/" not in path
        if path.startswith(("api/", "open/", "events", _HASHED)) or path == "api" or missing_file:
            return problems.response(problems.of_status(404, "There is nothing at this address"))
        index = self._files.get("index.html")
        if index is None or not index.is_file():
            return HTMLResponse(_NOT_BUILT, 503)
        return FileResponse(index, media_type=_TYPES[".html"])
