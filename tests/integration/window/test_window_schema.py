"""The API against its own schema, with what schemathesis makes up: no fault, and without the
cookie of a person's browser no change."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.generation.modes import GenerationMode

from support.window_api import Page, open_page
from wassette.host import Host
from wassette.window import WindowServer
from wassette.window.app import create_app, openapi

if TYPE_CHECKING:
    from collections.abc import Iterator


EXAMPLES = 8
"""For each route, of what fits the schema; and as many of what does not."""
PATIENCE = 60
SCHEMA = openapi(create_app())
API = schemathesis.openapi.from_dict(SCHEMA)
ROUTES = [
    (method.upper(), path)
    for path, methods in SCHEMA["paths"].items()
    for method in methods
    if path != "/events"  # has no end; see test_window_events
]


@pytest.fixture(scope="module")
def serving(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """A window with `calc` in a thread of its own, since schemathesis is not asynchronous."""
    from support.hosts import copy_probe
    from wassette.clients.machine import this_machine
    from wassette.config import Settings as Chosen
    from wassette.paths import paths

    home = tmp_path_factory.mktemp("schema")
    copy_probe(request.getfixturevalue("calc_template"), home)
    patch = pytest.MonkeyPatch()
    patch.setenv("HOME", str(home))
    for name in ("DATA", "CONFIG", "CACHE", "STATE"):
        patch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    patch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    for cached in (paths, this_machine):
        cached.cache_clear()
    ready, over = threading.Event(), asyncio.Event()
    pages: list[Page] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        chosen = Chosen(home / "data" / "wassette" / "components")
        async with Host(chosen) as host, WindowServer(host) as server:
            pages.append(await open_page(server))
            ready.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(PATIENCE)
    yield pages[0]
    loops[0].call_soon_threadsafe(over.set)
    thread.join(PATIENCE)
    patch.undo()
    for cached in (paths, this_machine):
        cached.cache_clear()


def everything(page: Page) -> dict[str, str]:
    """What could be changed: components, policies, switches, settings."""
    directory = page.server.window.host.settings.component_dir
    files = [*directory.rglob("*"), *directory.parents[2].glob("config/**/*")]
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
        if path.is_file()
    }


def send(page: Page, case: Any, headers: dict[str, str]) -> Any:
    case.headers = {**(case.headers or {}), **headers}
    return case.call(base_url=page.server.url, timeout=PATIENCE, allow_redirects=False)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_route(serving: Page, method: str, path: str) -> None:
    """With the cookie: no fault, and every answer as the schema has it."""
    _try(serving, method, path, serving.changing)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_route_without_the_cookie(serving: Page, method: str, path: str) -> None:
    before = everything(serving)
    headers = {key: value for key, value in serving.changing.items() if key != "Cookie"}
    _try(serving, method, path, headers, refused=True)
    assert everything(serving) == before


def _try(
    page: Page, method: str, path: str, headers: dict[str, str], *, refused: bool = False
) -> None:
    _with(page, method, path, headers, GenerationMode.POSITIVE, refused=refused)
    if not refused:
        # What takes nothing that could be wrong is right in any case.
        with contextlib.suppress(Unsatisfiable):
            _with(page, method, path, headers, GenerationMode.NEGATIVE, refused=False)


def _with(
    page: Page,
    method: str,
    path: str,
    headers: dict[str, str],
    mode: GenerationMode,
    *,
    refused: bool,
) -> None:
    operation = API[path][method]

    @settings(
        max_examples=2 if refused else EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],  # what fails is small
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def once(case: Any) -> None:
        known = case.path_parameters or {}
        if mode is GenerationMode.POSITIVE and method != "DELETE" and "component_id" in known:
            known["component_id"] = "calc"  # nobody makes that up
        answer = send(page, case, headers)
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        if refused:
            assert answer.status_code == 401
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == ["application/problem+json"]
            assert answer.json()["status"] == answer.status_code
        else:
            operation.validate_response(answer)

    once()
