"""Credentials: registries that want them, where they come from, and who is never told."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING

import oras.provider
import pytest

from support import registries, ring
from support.registries import PASSWORD, USER, needs_registry
from wassette.components.remote import parse_oci
from wassette.egress_options import EgressOptions
from wassette.errors import NotAuthorized, RegistryError
from wassette.registry import artifact
from wassette.registry.push import Pushed, push
from wassette.registry.registries import Registries
from wassette.registry_options import RegistryHost, RegistryOptions
from wassette.secrets import Place, SecretStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.registries import Registry, Tokens

    Ways = Callable[..., Registries]

pytestmark = [pytest.mark.anyio, needs_registry]

WASM = b"\0asm" + b"x" * 2_000_000
POLICY = b'version: "1.0"\npermissions: {}\n'


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registries.with_password(tmp_path_factory.mktemp("htpasswd")) as running:
        yield running


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Registry, Tokens]]:
    with registries.with_tokens(tmp_path_factory.mktemp("tokens")) as running:
        yield running


async def pushed(
    ways: Registries, reference: str, folder: Path, policy: bytes | None = None
) -> Pushed:
    file = folder / "tool.wasm"
    file.write_bytes(WASM)
    there = parse_oci(reference)
    async with ways.repository(there) as repository:
        return await push(
            repository,
            str(there.tag),
            file,
            name="tool",
            imports=["wasi:clocks/wall-clock@0.2.0"],
            exports=["now"],
            policy=policy,
            annotations={"org.opencontainers.image.licenses": "MIT"},
            progress=lambda *_: None,
        )


async def pulled(ways: Registries, reference: str, path: Path) -> str:
    path.unlink(missing_ok=True)
    async with ways.fetch(parse_oci(reference), path, lambda *_: None) as found:
        return found.digest


async def test_basic(closed: Registry, ways: Ways, tmp_path: Path) -> None:
    reference, way = closed.oci("me/tool:1"), ways()
    with pytest.raises(NotAuthorized, match=f"wassette registry login {closed.place}"):
        await pushed(way, reference, tmp_path)
    began = time.monotonic()
    with pytest.raises(NotAuthorized, match="refuses the credentials"):
        await way.login(closed.place, USER, "wrong")
    assert time.monotonic() - began < 10  # it is not tried again and again
    with pytest.raises(NotAuthorized):  # nothing was kept
        await pulled(way, reference, tmp_path / "a")
    await way.login(closed.place, USER, PASSWORD)
    done = await pushed(way, reference, tmp_path)
    assert await pulled(ways(), reference, tmp_path / "a") == done.digest
    assert await way.logout(closed.place)
    assert not await way.logout(closed.place)
    with pytest.raises(NotAuthorized):
        await pulled(ways(), reference, tmp_path / "a")


async def test_tokens(token: tuple[Registry, Tokens], ways: Ways, tmp_path: Path) -> None:
    place, server = token
    reference, way = place.oci("me/tool:1"), ways()
    server.asked.clear()
    with pytest.raises(NotAuthorized, match="wants credentials for me/tool"):
        await pushed(way, reference, tmp_path)
    with pytest.raises(NotAuthorized, match="refuses the credentials"):
        await way.login(place.place, USER, "wrong")
    await way.login(place.place, USER, PASSWORD)
    server.asked.clear()
    done = await pushed(way, reference, tmp_path)
    # One token, for this repository only and for what is to be done.
    assert [one["scope"] for one in server.asked] == [["repository:me/tool:pull,push"]]
    await way.logout(place.place)
    server.asked.clear()
    assert await pulled(way, reference, tmp_path / "a") == done.digest  # pulling is for everybody
    assert [one["scope"] for one in server.asked] == [["repository:me/tool:pull"]]
    assert "authorization" not in server.asked[0]
    server.anonymous = False
    try:
        with pytest.raises(NotAuthorized, match="wants credentials for me/tool"):
            await pulled(way, reference, tmp_path / "a")
    finally:
        server.anonymous = True


async def test_a_token_that_ends_on_the_way(
    token: tuple[Registry, Tokens], ways: Ways, tmp_path: Path
) -> None:
    """Later than the server said: the registry refuses it, and another one is had."""
    place, server = token
    way = ways()
    await way.login(place.place, USER, PASSWORD)
    server.life = -90  # beyond what the registry forgives
    server.asked.clear()
    try:
        with pytest.raises(NotAuthorized):
            await pulled(way, place.oci("me/tool:1"), tmp_path / "a")
        assert len(server.asked) == 2  # bounded
    finally:
        server.life = 300


async def test_as_docker_keeps_them(closed: Registry, ways: Ways, tmp_path: Path) -> None:
    way = ways()
    await way.login(closed.place, USER, PASSWORD)
    done = await pushed(way, closed.oci("me/docker:1"), tmp_path)
    await way.logout(closed.place)
    docker = tmp_path / "docker"
    docker.mkdir()
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    for entry in ({"auth": auth}, {"username": USER, "password": PASSWORD}):
        for name in (closed.place, f"https://{closed.place}", f"http://{closed.place}/v2/"):
            (docker / "config.json").write_text(json.dumps({"auths": {name: entry}}))
            way = ways(None, RegistryOptions(docker_config=docker))
            assert await pulled(way, closed.oci("me/docker:1"), tmp_path / "a") == done.digest
    (docker / "config.json").write_text("{")
    with pytest.raises(NotAuthorized, match=r"config\.json cannot be read"):
        await pulled(way, closed.oci("me/docker:1"), tmp_path / "a")


HELPER = f"""#!/bin/sh
read server
echo "$1 $server" >> "$(dirname "$0")/asked"
case "$server" in
  {{place}}) echo '{{{{"ServerURL": "x", "Username": "{USER}", "Secret": "{PASSWORD}"}}}}' ;;
  *) echo "credentials not found in native keychain"; exit 1 ;;
esac
"""


async def test_credential_helper(
    closed: Registry, ways: Ways, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs, docker = tmp_path / "bin", tmp_path / "docker"
    programs.mkdir()
    docker.mkdir()
    helper = programs / "docker-credential-test"
    helper.write_text(HELPER.format(place=closed.place))
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    options = RegistryOptions(docker_config=docker)
    for config in (
        {"credsStore": "test"},
        {"credHelpers": {closed.place: "test"}, "credsStore": "none"},
    ):
        (docker / "config.json").write_text(json.dumps(config))
        with pytest.raises(RegistryError, match="there is no tag"):  # so we were let in
            await pulled(ways(None, options), closed.oci("me/none:1"), tmp_path / "a")
    assert (programs / "asked").read_text() == f"get {closed.place}\n" * 2
    for name in ("missing", "../../bin/sh", "test; touch /tmp/x"):
        (docker / "config.json").write_text(json.dumps({"credsStore": name}))
        with pytest.raises(NotAuthorized, match="cannot be found"):
            await pulled(ways(None, options), closed.oci("me/none:1"), tmp_path / "a")


async def test_nobody_is_asked_for_what_is_public(
    plain: Registry, ways: Ways, tmp_path: Path
) -> None:
    """A configuration that cannot be read would be an error, if it were read."""
    registries.put(plain, "org/public", "1", (artifact.WASM, b"x"))
    docker = tmp_path / "docker"
    docker.mkdir()
    (docker / "config.json").write_text("{")
    way = ways(None, RegistryOptions(docker_config=docker))
    await pulled(way, plain.oci("org/public:1"), tmp_path / "a")


async def test_what_we_push_others_read(plain: Registry, ways: Ways, tmp_path: Path) -> None:
    done = await pushed(ways(), plain.oci("me/ours:1"), tmp_path, POLICY)
    client = oras.provider.Registry(hostname=plain.place, insecure=True)
    manifest = client.get_manifest(f"{plain.place}/me/ours:1")
    assert [one["mediaType"] for one in manifest["layers"]] == [artifact.WASM, artifact.POLICY]
    assert manifest["config"]["mediaType"] == artifact.CONFIG
    assert manifest["layers"][0]["digest"] == f"sha256:{done.digest}"
    assert manifest["annotations"]["org.opencontainers.image.licenses"] == "MIT"
    files = client.pull(target=f"{plain.place}/me/ours:1", outdir=str(tmp_path / "out"))
    assert len(files) == 2
    assert (tmp_path / "out/tool.wasm").read_bytes() == WASM
    assert (tmp_path / "out/policy.yaml").read_bytes() == POLICY
    config = client.get_blob(f"{plain.place}/me/ours:1", manifest["config"]["digest"]).json()
    assert config["architecture"] == "wasm"
    assert config["layerDigests"] == [one["digest"] for one in manifest["layers"]]
    assert config["component"] == {
        "exports": ["now"],
        "imports": ["wasi:clocks/wall-clock@0.2.0"],
    }


async def test_what_others_push_we_read(plain: Registry, ways: Ways, tmp_path: Path) -> None:
    (tmp_path / "tool.wasm").write_bytes(WASM)
    client = oras.provider.Registry(hostname=plain.place, insecure=True)
    client.push(
        target=f"{plain.place}/me/theirs:1",
        files=[f"{tmp_path / 'tool.wasm'}:application/wasm"],
        disable_path_validation=True,
    )
    await pulled(ways(), plain.oci("me/theirs:1"), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == WASM


async def test_pushing_again_uploads_nothing(
    plain: Registry, ways: Ways, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    with registries.front(plain.port) as front:
        first = await pushed(ways(), front.oci("me/again:1"), tmp_path)
        assert any(one.method == "POST" for one in front.seen)
        front.seen.clear()
        again = await pushed(ways(), front.oci("me/again:2"), tmp_path)
        assert first.manifest_digest == again.manifest_digest
        assert not any(one.method == "POST" for one in front.seen)


async def test_configured_token_hosts_are_hosts(
    token: tuple[Registry, Tokens], ways: Ways, tmp_path: Path
) -> None:
    """The registry as `localhost`, whose realm is 127.0.0.1: another host until it is named."""
    place, server = token
    server.asked.append({})
    name = f"localhost:{place.port}"
    with pytest.raises(NotAuthorized, match=r"wants your credentials to be sent to 127\.0\.0\.1"):
        await ways().login(name, USER, PASSWORD)
    assert "authorization" not in server.asked[-1]
    named = RegistryOptions({name: RegistryHost(token_hosts=("127.0.0.1",))})
    await ways(None, named).login(name, USER, PASSWORD)


async def test_in_the_keyring(
    closed: Registry, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Under a name of its own: a component that is called like the registry has other secrets."""
    for name, value in ring.environment(home).items():
        monkeypatch.setenv(name, value)
    folder = home / "secrets"
    way = Registries(EgressOptions(), RegistryOptions(), folder, Place.AUTO)
    kept = await way.login(closed.place, USER, PASSWORD)
    assert (kept.place, kept.note) == (Place.KEYRING, None)
    [entry] = ring.entries(home)
    assert entry == f"wassette-registry:registry.{closed.place.replace(':', '_')} login"
    component = f"registry.{closed.place.replace(':', '_')}"
    SecretStore(folder).set(component, {"login": "of the component"})
    SecretStore(folder).delete(component, ["login"])
    with pytest.raises(RegistryError, match="there is no tag"):  # we are let in all the same
        await pulled(way, closed.oci("me/none:1"), tmp_path / "a")
    for file in (folder / "registries").iterdir():
        assert PASSWORD not in file.read_text()
    ring.fails(home, "locked")
    again = Registries(EgressOptions(), RegistryOptions(), folder, Place.AUTO)
    with pytest.raises(NotAuthorized, match=r"cannot be had: .*it is locked"):
        await pulled(again, closed.oci("me/none:1"), tmp_path / "a")
