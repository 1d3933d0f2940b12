"""A manifest that names components in a registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support import registries
from support.cli import component
from support.registries import needs_registry, put
from wassette.errors import ProvisioningFailed
from wassette.provision import Provisioning, State, read_manifest
from wassette.registry import artifact

if TYPE_CHECKING:
    from pathlib import Path

    from support.registries import Registry
    from wassette.host import Host

pytestmark = [pytest.mark.anyio, needs_registry]

RETRIES = (
    "    retry_policy:\n      attempts: 2\n      backoff:\n        type: exponential\n"
    "        base_ms: 10\n"
)


def manifest(folder: Path, uri: str, more: str = "") -> Provisioning:
    path = folder / "components.yaml"
    path.write_text(
        f"version: 1\ncomponents:\n  - uri: {uri}\n{more}"
        "    permissions:\n      network:\n        allow:\n          - host: api.example.com\n"
    )
    return Provisioning(read_manifest(path))


async def test_from_a_registry(host: Host, plain: Registry, tmp_path: Path) -> None:
    put(plain, "prov/tool", "1", (artifact.WASM, component("add")))
    await manifest(tmp_path, plain.oci("prov/tool:1")).run(host)
    assert host.policy("prov_tool").document is not None
    assert (await host.call_tool("add", {"a": 1, "b": 2})).value == 3


async def test_what_may_pass_is_tried_again(
    host: Host, plain: Registry, tmp_path: Path, impatient: None
) -> None:
    """A registry that is not there yet; but not a tag that there is not."""
    put(plain, "prov/later", "1", (artifact.WASM, component("add")))
    with registries.front(plain.port) as front:
        left = 5  # one to see whether it has TLS, three of the first attempt

        def busy(seen: registries.Seen, handler: registries._Quiet) -> bool:
            nonlocal left
            left -= 1
            if left > 0:
                handler.reply(503, b"")
            return left > 0

        front.before = busy
        provisioning = manifest(tmp_path, front.oci("prov/later:1"), RETRIES)
        await provisioning.run(host)
        assert provisioning.components[0].attempts == 2
        provisioning = manifest(tmp_path, front.oci("prov/later:2"), RETRIES)
        with pytest.raises(ProvisioningFailed, match="there is no tag 2"):
            await provisioning.run(host)
        assert provisioning.components[0].attempts == 1
        assert provisioning.state is State.FAILED
