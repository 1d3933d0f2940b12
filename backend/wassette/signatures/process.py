"""Having signatures verified: in a process for each time, which is ended when it takes too long.

Sigstore's library takes a second to import and 60 MB, which the host would have for ever after; and
what it reads was written by strangers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

from wassette.workers.launcher import child_environment, command

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wassette.signature_options import SignatureOptions

    from .material import Material

TIMEOUT = 60.0
"""Seconds. It takes one to two, of which nearly all is importing."""
MAX_ANSWER = 1024 * 1024  # bytes


class Unverifiable(Exception):
    """It could not be found out. `str()` says why."""


async def verify(
    digest: str,
    manifests: Iterable[str],
    materials: Sequence[Material],
    options: SignatureOptions,
) -> list[dict[str, Any]]:
    """What came of each of the materials; see `worker`. `digest`, `manifests`: hex.

    Raises `Unverifiable`.
    """
    question = {
        "component": digest,
        "manifests": list(manifests),
        "keys": [key.pem for key in options.keys],
        "trusted_root": None if options.trusted_root is None else str(options.trusted_root),
        "materials": [one.to_json() for one in materials],
    }
    data = await _answer(json.dumps(question).encode())
    try:
        results = json.loads(data)["results"]
        if not isinstance(results, list) or len(results) != len(materials):
            raise ValueError("not as many answers as questions")
        if not all(isinstance(one, dict) for one in results):
            raise ValueError("not an answer")
    except (ValueError, KeyError, TypeError):
        raise Unverifiable("the process that verifies signatures gave no answer") from None
    return results


async def _answer(question: bytes) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command("wassette.signatures.worker"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=child_environment(),
    )
    try:
        async with asyncio.timeout(TIMEOUT):
            out, said = await process.communicate(question)
    except TimeoutError:
        raise Unverifiable(f"verifying took longer than {TIMEOUT:g} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        last = said.decode("utf-8", "replace").strip().rpartition("\n")[2][:300]
        raise Unverifiable(f"verifying failed: {last or process.returncode}")
    return out[:MAX_ANSWER]
