"""The app: routes, events and pages. `guard` is in front of all of it."""

import contextlib
import json
import logging
import math
from typing import Annotated, Any

from fastapi import FastAPI, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Send

from wassette._version import __version__
from wassette.errors import WassetteError, visible
from wassette.web.guard import Refused

from . import problems
from .models import Event, Problem
from .pages import add_pages
from .routes import ROUTERS
from .routes.base import TheWindow
from .state import Window

log = logging.getLogger(__name__)


class Plain(JSONResponse):
    """JSON in ASCII: whatever a component wrote, it can be encoded."""

    def render(self, content: Any) -> bytes:
        try:
            return _dump(content)
        except ValueError:
            return _dump(_finite(content))


class EventStream(StreamingResponse):
    media_type = "text/event-stream"

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        finally:
            close = getattr(self.body_iterator, "aclose", None)
            if close is not None:
                with contextlib.suppress(RuntimeError):  # it runs, and ends by itself
                    await close()


def _dump(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")


def _finite(value: Any) -> Any:
    """Without the numbers that JSON does not have, which can be in an agent's arguments."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list) else value


def _name(route: APIRoute) -> str:
    return route.name


def create_app(window: Window | None = None) -> FastAPI:
    """The app, which has to be behind a `WindowGuard`. Without a window it has a schema only."""
    app = FastAPI(
        title="Wassette window",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        default_response_class=Plain,
        generate_unique_id_function=_name,
    )
    for router in ROUTERS:
        app.include_router(router)

    @app.get(
        "/events", tags=["events"], response_class=EventStream, responses={200: {"model": Event}}
    )
    async def follow_events(
        window: TheWindow, last_event_id: Annotated[str | None, Header(max_length=100)] = None
    ) -> EventStream:
        """Server-sent events. `Last-Event-ID` has what was missed follow, if it is still known."""
        if window.events.full:
            raise problems.Refusal(503, "Too many windows are open")
        return EventStream(window.events.stream(last_event_id))

    _add_problems(app)
    if window is not None:
        app.state.window = window
        add_pages(app, window.auth)
    return app


def _add_problems(app: FastAPI) -> None:
    @app.exception_handler(WassetteError)
    async def known(_request: Request, error: WassetteError) -> Response:
        return problems.response(problems.of_error(error))

    @app.exception_handler(problems.Refusal)
    async def refused(_request: Request, error: problems.Refusal) -> Response:
        return problems.response(
            problems.of_status(error.status, error.detail, name=error.name, way_out=error.way_out)
        )

    @app.exception_handler(Refused)
    async def stopped(_request: Request, error: Refused) -> Response:
        headers = {"connection": "close"}
        return problems.response(problems.of_status(error.status, error.text), headers)

    @app.exception_handler(RequestValidationError)
    async def wrong(_request: Request, error: RequestValidationError) -> Response:
        return problems.response(problems.wrong_request(list(error.errors())))

    @app.exception_handler(HTTPException)
    async def other(_request: Request, error: HTTPException) -> Response:
        problem = problems.of_status(error.status_code, str(error.detail))
        return problems.response(problem, error.headers)

    @app.exception_handler(Exception)
    async def fault(_request: Request, error: Exception) -> Response:
        what = f"{type(error).__name__}: {visible(str(error), 500)}"
        return problems.response(problems.of_status(500, what))


def openapi(app: FastAPI) -> dict[str, Any]:
    """The app's schema, in which every error is a `Problem`."""
    from fastapi.openapi.utils import get_openapi

    schema = get_openapi(title=app.title, version="1", routes=app.routes, openapi_version="3.1.0")
    components = schema["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    problem = {
        "description": "What is wrong",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
    assert Problem.__name__ in components
    for path in schema["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = problem
    events = schema["paths"]["/events"]["get"]["responses"]["200"]["content"]
    del events[EventStream.media_type]["schema"]["type"]  # a union, not a text
    return schema
