"""Loading: what a component is and asks for is shown before it is taken in."""

import asyncio
import contextlib
import re
import secrets
import shutil
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from starlette.requests import ClientDisconnect

from wassette.components.ids import id_of_file
from wassette.paths import paths
from wassette.window import problems
from wassette.window.models import Load, LoadConfirm, LoadRequest, Loads, LoadStarted

from .base import TheWindow

router = APIRouter(prefix="/api/loads", tags=["loads"])

LoadId = Annotated[str, InPath(pattern="^[0-9a-f]{16}$")]
UPLOAD_IDLE = 30.0
"""Seconds in which more of an upload has to come."""
_MAGIC = b"\0asm"


@router.post("", status_code=202)
async def start_load(window: TheWindow, body: LoadRequest) -> LoadStarted:
    """Begin to fetch a component. It waits for `confirm` before it is taken in."""
    return LoadStarted(id=window.loads.start(body.reference, digest=body.digest).id)


@router.post(
    "/upload",
    status_code=202,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def upload_component(
    window: TheWindow,
    request: Request,
    name: Annotated[str, Query(min_length=1, max_length=255)],
) -> LoadStarted:
    """The component's bytes. `name`: of the file, which names the component."""
    # Only what is an id becomes the name of a file.
    last = re.split(r"[/\\]", name)[-1]
    component_id = id_of_file(Path(last or "_"))
    window.loads.check_room()
    folder = paths().cache / "uploads" / secrets.token_hex(8)
    path = folder / f"{component_id}.wasm"
    try:
        await _receive(request, path)
        load = window.loads.start(
            str(path), source=f"upload:{component_id}.wasm", after=lambda: _forget(folder)
        )
        return LoadStarted(id=load.id)
    except BaseException:
        _forget(folder)
        raise


async def _receive(request: Request, path: Path) -> None:
    """Raises `Refusal` for what cannot be a component."""
    await asyncio.to_thread(path.parent.mkdir, parents=True, mode=0o700)
    file = await asyncio.to_thread(open, path, "xb")
    head = b""
    try:
        chunks = request.stream()
        while True:
            try:
                chunk = await asyncio.wait_for(anext(chunks), UPLOAD_IDLE)
            except StopAsyncIteration:
                break
            except TimeoutError:
                raise problems.Refusal(408, f"Nothing more came for {UPLOAD_IDLE:g} s") from None
            head = (head + chunk)[: len(_MAGIC)]
            if not _MAGIC.startswith(head):
                raise _not_wasm()
            await asyncio.to_thread(file.write, chunk)
    except ClientDisconnect:
        raise problems.Refusal(400, "The upload was broken off") from None
    finally:
        await asyncio.to_thread(file.close)
    if head != _MAGIC:
        raise _not_wasm()


def _not_wasm() -> problems.Refusal:
    return problems.Refusal(
        422,
        "This file is not WebAssembly",
        name="component",
        way_out="Choose a component: a .wasm file that was built as one",
    )


def _forget(folder: Path) -> None:
    with contextlib.suppress(OSError):
        shutil.rmtree(folder)


@router.get("")
async def list_loads(window: TheWindow) -> Loads:
    """Newest first."""
    return Loads(items=window.loads.all(), next=None)


@router.get("/{load_id}")
async def get_load(window: TheWindow, load_id: LoadId) -> Load:
    """How far it is, and what would be taken in."""
    return window.loads.get(load_id)


@router.post("/{load_id}/confirm", status_code=202)
async def confirm_load(window: TheWindow, load_id: LoadId, body: LoadConfirm) -> Load:
    """Take it in, as it was shown (stage `review`)."""
    return window.loads.confirm(load_id, trust_policy=body.trust_policy)


@router.delete("/{load_id}", status_code=204)
async def cancel_load(window: TheWindow, load_id: LoadId) -> None:
    """Cancel it, or forget one that has ended."""
    await window.loads.cancel(load_id)
