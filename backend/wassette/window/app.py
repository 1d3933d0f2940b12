"""The app: the guard in front of everything, then routes, events and pages."""

from typing import Any

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute

from wassette._version import __version__

from .models import Event, Problem
from .routes import ROUTERS


class EventStream(StreamingResponse):
    media_type = "text/event-stream"


def _name(route: APIRoute) -> str:
    return route.name


def create_app() -> FastAPI:
    app = FastAPI(
        title="Wassette window",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_name,
    )
    for router in ROUTERS:
        app.include_router(router)

    @app.get(
        "/events", tags=["events"], response_class=EventStream, responses={200: {"model": Event}}
    )
    async def follow_events() -> EventStream:
        """Server-sent events. `Last-Event-ID` has what was missed follow, if it is still known."""
        raise NotImplementedError

    return app


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
