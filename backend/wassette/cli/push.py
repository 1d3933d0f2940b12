"""`wassette component push`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wassette.errors import ConfigError, InvalidReference, PolicyError, visible

from .base import Command, examples
from .output import show
from .run import run

if TYPE_CHECKING:
    from wassette.host import Host
    from wassette.registry.push import Pushed


@click.command(
    cls=Command,
    epilog=examples(
        "wassette component push ./my-tool.wasm oci://ghcr.io/me/my-tool:1.0",
        "wassette component push my-tool oci://ghcr.io/me/my-tool:1.0 --policy policy.yaml",
    ),
)
@click.argument("what", metavar="FILE|ID")
@click.argument("reference", metavar="REFERENCE")
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="What the component asks to be permitted, for whoever loads it.",
)
@click.option(
    "--annotation",
    "annotations",
    multiple=True,
    metavar="KEY=VALUE",
    help="Something to say in the manifest (can be repeated).",
)
def push(what: str, reference: str, policy: Path | None, annotations: tuple[str, ...]) -> None:
    """Push a component to a registry: a file, or a component that is loaded.

    The permissions that a loaded one has are yours and stay here; --policy says what it asks for.
    """
    from wassette.components.remote import OciReference, parse_remote

    there = parse_remote(reference)
    if not isinstance(there, OciReference) or there.digest is not None:
        raise InvalidReference(
            f"{visible(reference)} is not a place to push to: it is oci://registry/repository:tag"
        )
    text = _policy(policy) if policy is not None else None
    said = dict(_pair(one) for one in annotations)

    async def work(host: Host) -> Pushed:
        from .progress import ProgressLine

        async with ProgressLine() as progress:
            return await host.push(what, there, text, said, progress)

    pushed = run(work)
    show(
        {
            "status": "component pushed successfully",
            "reference": str(there),
            "manifest": pushed.manifest_digest,
            "digest": f"sha256:{pushed.digest}",
            "size": pushed.size,
        }
    )


def _policy(path: Path) -> bytes:
    from wassette.policy import PolicyDocument
    from wassette.registry.artifact import MAX_POLICY

    data = path.read_bytes()
    if len(data) > MAX_POLICY:
        raise PolicyError(f"{path} has more than {MAX_POLICY} bytes")
    try:
        PolicyDocument.from_text(data.decode(), str(path))
    except UnicodeDecodeError:
        raise PolicyError(f"{path} is not valid text (UTF-8)") from None
    return data


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise ConfigError(f"--annotation takes KEY=VALUE, not '{visible(text, 60)}'")
    return key, value
