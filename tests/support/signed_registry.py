"""A real registry on this machine, and what cosign pushes to one."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from support.signing import sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
POLICY = "application/vnd.wasm.policy.v1+yaml"
_CONFIG = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: "{data}"}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@dataclass(frozen=True)
class Registry:
    port: int

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def reference(self, name: str, tag: str = "1") -> str:
        return f"oci://{self.host}/{name}:{tag}"

    def blob(self, name: str, data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        """Push a blob; what a manifest says of it."""
        digest = f"sha256:{sha256(data)}"
        answer = self._send("POST", f"/v2/{name}/blobs/uploads/")
        where = answer.headers["location"]
        where += f"{'&' if '?' in where else '?'}digest={digest}"
        self._send("PUT", where, data, "application/octet-stream")
        return {"mediaType": media_type, "digest": digest, "size": len(data), **more}

    def manifest(self, name: str, tag: str, manifest: Mapping[str, Any]) -> str:
        """Push a manifest; its digest, hex."""
        data = json.dumps(manifest).encode()
        self._send("PUT", f"/v2/{name}/manifests/{tag}", data, str(manifest["mediaType"]))
        return sha256(data)

    def component(self, name: str, wasm: bytes, tag: str = "1", policy: str | None = None) -> str:
        """Push a component, with a policy layer if there is one; its manifest's digest, hex."""
        layers = [self.blob(name, wasm, "application/wasm")]
        if policy is not None:
            layers.append(self.blob(name, policy.encode(), POLICY))
        config = self.blob(name, b"{}", "application/vnd.wasm.config.v0+json")
        return self.manifest(name, tag, _image(config, layers))

    def sign_by_tag(
        self, name: str, manifest: str, payload: bytes, annotations: Mapping[str, str]
    ) -> None:
        """As cosign did first: under the tag `sha256-….sig`."""
        layer = self.blob(name, payload, SIMPLE, annotations=dict(annotations))
        config = self.blob(name, b"{}", "application/vnd.oci.image.config.v1+json")
        self.manifest(name, f"sha256-{manifest}.sig", _image(config, [layer]))

    def sign_by_referrer(self, name: str, manifest: str, bundle: bytes) -> None:
        """As cosign does: a manifest that refers to it, found by the tag that stands in for the
        referrers of registries that have none."""
        empty = self.blob(name, b"{}", "application/vnd.oci.empty.v1+json")
        layer = self.blob(name, bundle, BUNDLE)
        subject = {"mediaType": MANIFEST, "digest": f"sha256:{manifest}", "size": 1}
        image = {**_image(empty, [layer]), "artifactType": BUNDLE, "subject": subject}
        digest = self.manifest(name, f"signature-of-{manifest[:16]}", image)
        entry = {
            "mediaType": MANIFEST,
            "digest": f"sha256:{digest}",
            "size": len(json.dumps(image)),
            "artifactType": BUNDLE,
        }
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
        self.manifest(name, f"sha256-{manifest}", index)

    def _send(self, method: str, path: str, data: bytes = b"", media_type: str = "") -> Any:
        url = path if path.startswith("http") else f"http://{self.host}{path}"
        request = urllib.request.Request(url, data=data, method=method)
        if media_type:
            request.add_header("content-type", media_type)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as answer:
            return answer


def _image(config: dict[str, Any], layers: list[dict[str, Any]]) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Registry]:
    program = shutil.which("docker-registry")
    assert program is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "registry.yml"
    config.write_text(_CONFIG.format(data=folder / "data", port=port))
    process = subprocess.Popen(
        [program, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/v2/")
        yield Registry(port)
    finally:
        process.kill()
        process.wait()


def _wait_for(url: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + 30
    while True:
        try:
            opener.open(url, timeout=5).close()
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < until, "the registry does not start"
            time.sleep(0.05)
        else:
            return
