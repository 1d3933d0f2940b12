"""What registries say: challenges, manifests, and versions; and the options about them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wassette.errors import ConfigError
from wassette.registry import artifact
from wassette.registry.auth import Challenge, challenges
from wassette.registry.model import Manifest
from wassette.registry.oci import INDEX, MANIFEST, Index, read_manifest
from wassette.registry.updates import newer_than
from wassette.registry_options import RegistryHost, RegistryOptions, read_registries

DIGEST = "sha256:" + "0" * 64
CONFIG = {"mediaType": artifact.CONFIG, "digest": DIGEST, "size": 2}
LAYER = {"mediaType": artifact.WASM, "digest": DIGEST, "size": 3}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        ("Basic realm=x", [Challenge("basic", {"realm": "x"})]),
        (
            'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"',
            [
                Challenge(
                    "bearer",
                    {"realm": "https://auth.docker.io/token", "service": "registry.docker.io"},
                )
            ],
        ),
        (
            'Bearer realm="https://x/t", scope="repository:a/b:pull,push" , error="a \\"b\\""',
            [
                Challenge(
                    "bearer",
                    {
                        "realm": "https://x/t",
                        "scope": "repository:a/b:pull,push",
                        "error": 'a "b"',
                    },
                )
            ],
        ),
        (
            'Negotiate, Basic realm="a, b", Bearer realm="c"',
            [
                Challenge("negotiate", {}),
                Challenge("basic", {"realm": "a, b"}),
                Challenge("bearer", {"realm": "c"}),
            ],
        ),
        ("Bearer", [Challenge("bearer", {})]),
        ('Bearer realm="unended', [Challenge("bearer", {})]),
        (",,, ;;;", []),
    ],
)
def test_challenges(header: str, expected: list[Challenge]) -> None:
    assert challenges(header)[: len(expected) or None] == expected


def manifest(**changes: Any) -> bytes:
    found = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": CONFIG,
        "layers": [LAYER],
        "annotations": {"a": "b", "n": 1},
        **changes,
    }
    return json.dumps({key: one for key, one in found.items() if one is not None}).encode()


def test_manifest() -> None:
    found = read_manifest(manifest(), MANIFEST)
    assert isinstance(found, Manifest)
    assert artifact.wasm_layer(found).size == 3
    assert found.annotations == {"a": "b"}
    assert artifact.policy_layer(found) is None
    # Its own word for what it is, where the registry has none.
    assert isinstance(read_manifest(manifest(), "application/json"), Manifest)
    assert isinstance(read_manifest(manifest(mediaType=None), MANIFEST), Manifest)


@pytest.mark.parametrize(
    ("data", "media_type", "reason"),
    [
        (b"{", MANIFEST, "not JSON"),
        (b"[]", MANIFEST, "not an object"),
        (b"[" * 100_000, MANIFEST, "not JSON"),
        (b"\xff\xfe", MANIFEST, "not JSON"),
        (b'{"layers": [], "layers": []}', MANIFEST, "twice"),
        (manifest(), INDEX, "another type"),
        (manifest(mediaType=INDEX), MANIFEST, "another type"),
        (manifest(manifests=[]), MANIFEST, "manifest or an index"),
        (manifest(layers=None, config=None, manifests=[]), MANIFEST, "manifest or an index"),
        (manifest(layers=None), MANIFEST, "no list of layers"),
        (manifest(layers={}), MANIFEST, "no list of layers"),
        (manifest(layers=[LAYER] * 1001), MANIFEST, "no list of layers"),
        (manifest(layers=[1]), MANIFEST, "entry that is none"),
        (manifest(layers=[{**LAYER, "digest": "md5:1"}]), MANIFEST, "cannot be verified: md5"),
        (manifest(layers=[{**LAYER, "digest": DIGEST.upper()}]), MANIFEST, "cannot be verified"),
        (manifest(layers=[{**LAYER, "digest": DIGEST + "/../x"}]), MANIFEST, "cannot be verified"),
        (manifest(layers=[{**LAYER, "size": -1}]), MANIFEST, "without a size"),
        (manifest(layers=[{**LAYER, "size": True}]), MANIFEST, "without a size"),
        (manifest(layers=[{**LAYER, "size": 1.5}]), MANIFEST, "without a size"),
        (manifest(layers=[{"digest": DIGEST, "size": 1}]), MANIFEST, "without a type"),
        (manifest(mediaType=None), "text/html", "text/html"),
        (manifest(mediaType="x\x1b[2J"), "text/html", r"u\{1b\}"),
    ],
)
def test_manifests_that_are_refused(data: bytes, media_type: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_manifest(data, media_type)


def index(*platforms: dict[str, str] | None) -> Index:
    entries = [
        {
            "mediaType": MANIFEST,
            "digest": f"sha256:{number:064x}",
            "size": number,
            **({"platform": platform} if platform is not None else {}),
        }
        for number, platform in enumerate(platforms)
    ]
    found = read_manifest(
        json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode(), INDEX
    )
    assert isinstance(found, Index)
    return found


WASI = {"architecture": "wasm", "os": "wasi"}
ATTESTATION = {"architecture": "unknown", "os": "unknown"}
LINUX = {"architecture": "amd64", "os": "linux"}


@pytest.mark.parametrize(
    ("platforms", "chosen"),
    [
        ([None], 0),
        ([LINUX, WASI], 1),
        ([{**WASI, "os": "wasip1"}, {**WASI, "os": "wasip2"}], 1),
        ([None, ATTESTATION], 0),
        ([{"architecture": "wasm"}, LINUX], 0),
    ],
)
def test_what_is_chosen_of_an_index(platforms: list[Any], chosen: int) -> None:
    assert artifact.choose(index(*platforms)).size == chosen


@pytest.mark.parametrize(
    "platforms", [[], [LINUX, LINUX], [None, None], [ATTESTATION], [{"architecture": "wasm"}] * 2]
)
def test_an_index_in_which_nothing_clearly_is_for_us(platforms: list[Any]) -> None:
    with pytest.raises(ValueError, match=f"index of {len(platforms)}"):
        artifact.choose(index(*platforms))


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("1.2.0", ("1.10.0", "1.3.0")),
        ("v1.0.0", ("v2.0.0",)),
        ("1.10.0", ()),
        ("1", ("2",)),
        ("latest", ()),
    ],
)
def test_newer_tags(tag: str, expected: tuple[str, ...]) -> None:
    tags = ["1.2.0", "1.10.0", "1.3.0", "1.4.0-rc1", "v2.0.0", "latest", "2", "1.1.9", "sha256-x"]
    assert newer_than(tag, tags) == expected


def test_options(tmp_path: Path) -> None:
    configured = {
        "registries": {"Localhost:5000": {"plain_http": True, "token_hosts": ["Auth.x.com"]}},
        "catalogs": ["https://x.com/c.json", "~/c.json"],
    }
    found = read_registries(configured, {"DOCKER_CONFIG": "/d"}, tmp_path)
    assert found.host("localhost:5000") == RegistryHost(True, ("auth.x.com",))
    assert found.host("ghcr.io") == RegistryHost()
    assert found.catalogs == ("https://x.com/c.json", "~/c.json")
    assert found.docker_config == Path("/d")
    home = read_registries({}, {"HOME": "/home/me"}, tmp_path)
    assert home == RegistryOptions(docker_config=Path("/home/me/.docker"))


@pytest.mark.parametrize(
    ("configured", "reason"),
    [
        ({"registries": []}, "tables"),
        ({"registries": {"x.com": 1}}, "tables"),
        ({"registries": {"https://x.com": {}}}, "host or host:port"),
        ({"registries": {"x.com": {"plain": True}}}, "plain is no setting"),
        ({"registries": {"x.com": {"plain_http": 1}}}, "true or false"),
        ({"registries": {"x.com": {"token_hosts": "y.com"}}}, "list of hosts"),
        ({"registries": {"x.com": {"token_hosts": ["https://y.com"]}}}, "list of hosts"),
        ({"catalogs": "x"}, "list"),
        ({"catalogs": ["http://x.com/c.json"]}, "https://"),
        ({"catalogs": ["c.json"] * 21}, "at most 20"),
    ],
)
def test_wrong_options(configured: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=reason):
        read_registries(configured, {}, tmp_path / "config.toml")
