"""What the guides for servers have one copy is read by the code that it is for."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from support.commands import refused
from support.documents import DOCS, ROOT, fences
from wassette import config
from wassette.provision.manifest import parse_manifest

if TYPE_CHECKING:
    from pathlib import Path

CONTAINER, KUBERNETES = DOCS / "guides/container.md", DOCS / "guides/kubernetes.md"
IMAGE = (ROOT / "packaging/Containerfile").read_text("utf-8")


def objects() -> dict[str, Any]:
    """Those of the Kubernetes guide, by kind."""
    [text] = fences(KUBERNETES.read_text("utf-8"), "yaml")
    return {one["kind"]: one for one in YAML(typ="safe").load_all(text)}


def pod() -> dict[str, Any]:
    spec = objects()["Deployment"]["spec"]["template"]["spec"]
    assert isinstance(spec, dict)
    return spec


def manifests() -> dict[str, str]:
    [text] = fences(CONTAINER.read_text("utf-8"), "yaml")
    return {"container": text, "kubernetes": objects()["ConfigMap"]["data"]["wassette.yaml"]}


@pytest.mark.parametrize("guide", ["container", "kubernetes"])
def test_manifests(guide: str) -> None:
    text = manifests()[guide].replace("sha256:…", "sha256:" + "ab" * 32)
    [declared] = parse_manifest(text, "wassette.yaml")
    assert declared.digest
    assert declared.uri.endswith(declared.digest)


def test_settings(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(objects()["ConfigMap"]["data"]["config.toml"])
    settings = config.load(environ={config.CONFIG_FILE_VARIABLE: str(file)})
    assert settings.walls == "require"
    assert settings.signatures.mode == "require"
    assert settings.signatures.identities


def commands() -> list[str]:
    [container] = pod()["containers"]
    [default] = re.findall(r"^CMD (\[.*\])$", IMAGE, re.MULTILINE)
    blocks = fences(CONTAINER.read_text("utf-8"), "sh")
    run = [one for block in blocks for one in block.replace("\\\n", " ").splitlines()]
    return [
        " ".join(container["args"]),
        " ".join(json.loads(default)),
        *(words for line in run for words in re.findall(r"^podman run .* wassette +(.+)$", line)),
    ]


def test_commands() -> None:
    assert len(commands()) == 3
    assert [why for one in commands() if (why := refused(f"wassette {one}"))] == []
    assert all("--standalone" in one and "--token-file" in one for one in commands())


def test_the_pod_is_the_image_s_user_and_mounts_what_it_is_told() -> None:
    [user] = re.findall(r"--uid (\d+)", IMAGE)
    assert str(pod()["securityContext"]["runAsUser"]) == user
    [container] = pod()["containers"]
    mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
    assert set(mounts.values()) == {one["name"] for one in pod()["volumes"]}
    for argument in container["args"]:
        path = argument.partition("=")[2]
        if path.startswith("/"):
            assert any(path == one or path.startswith(f"{one}/") for one in mounts), argument
    service = objects()["Service"]["spec"]
    assert service["ports"][0]["targetPort"] == container["ports"][0]["containerPort"]
