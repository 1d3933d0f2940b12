"""Signatures, pins and permissions of components in a real registry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from support import wat
from support.cli import Cli
from support.registries import needs_registry
from support.signed_registry import Registry, running
from support.signing import (
    IDENTITY,
    ISSUER,
    attest_by_key,
    new_key,
    public_pem,
    simple_by_key,
    world,
)
from wassette.components.signature import Signer
from wassette.errors import NotSigned, NotTaken, SourceChanged
from wassette.host import Host
from wassette.policy import NetworkRule
from wassette.signature_options import Identity, Key, Mode, SignatureOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wassette.answers import Arrival, Loaded
    from wassette.config import Settings

pytestmark = [pytest.mark.anyio, needs_registry]

KEY = new_key()
CALC = wat.component(wat.CALC)
OTHER = wat.component(wat.one_function("other"))
POLICY = 'version: "1.0"\npermissions:\n  network:\n    allow:\n      - host: "api.example.com"\n'


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running(tmp_path_factory.mktemp("registry")) as found:
        yield found


@dataclass
class Place:
    registry: Registry
    name: str
    settings: Settings

    async def load(self, tag: str = "1", **options: Any) -> Loaded:
        async with Host(self.settings) as host:
            return await host.load(self.registry.reference(self.name, tag), **options)

    def mode(self, mode: Mode) -> Place:
        options = replace(self.settings.signatures, mode=mode)
        return Place(self.registry, self.name, replace(self.settings, signatures=options))


@pytest.fixture
def place(
    registry: Registry, settings: Settings, tmp_path: Path, request: pytest.FixtureRequest
) -> Place:
    options = SignatureOptions(
        Mode.REQUIRE,
        (Identity("https://github.com/acme/*", ISSUER),),
        (Key("ours", public_pem(KEY)),),
        world().write_root(tmp_path),
    )
    name = f"acme/{request.node.name.replace('_', '-').partition('[')[0]}"
    return Place(registry, name, replace(settings, signatures=options))


async def test_signed_under_a_tag(place: Place) -> None:
    manifest = place.registry.component(place.name, CALC)
    place.registry.sign_by_tag(place.name, manifest, *world().simple(manifest))
    loaded = await place.load()
    assert loaded.record.signature.signer == Signer(IDENTITY, ISSUER)
    assert loaded.remarks == ()
    assert set(loaded.tools) == {"add", "spin", "trap"}


async def test_signed_by_a_referrer(place: Place) -> None:
    manifest = place.registry.component(place.name, CALC)
    place.registry.sign_by_referrer(place.name, manifest, world().attest(manifest).bundle)
    assert (await place.load()).record.signature.signer == Signer(IDENTITY, ISSUER)


async def test_signed_with_a_key(place: Place) -> None:
    fingerprint = place.settings.signatures.keys[0].fingerprint
    first = place.registry.component(place.name, CALC, "1")
    place.registry.sign_by_tag(place.name, first, *simple_by_key(KEY, first))
    assert (await place.load("1")).record.signature.signer == Signer(key=fingerprint)
    second = place.registry.component(place.name, OTHER, "2")
    place.registry.sign_by_referrer(place.name, second, attest_by_key(KEY, second))
    assert (await place.load("2")).record.signature.signer == Signer(key=fingerprint)


async def test_not_signed(place: Place) -> None:
    place.registry.component(place.name, CALC)
    with pytest.raises(NotSigned, match="it is not signed"):
        await place.load()
    loaded = await place.mode(Mode.WARN).load()
    assert loaded.remarks == ("it is not signed",)
    async with Host(place.settings) as host:
        assert host.tools().of(loaded.record.id) == []  # required again: it does not run


async def test_signature_of_another_manifest_under_this_ones_tag(place: Place) -> None:
    """What was signed is the harmless one; its signature is copied."""
    harmless = place.registry.component(place.name, OTHER, "harmless")
    evil = place.registry.component(place.name, CALC, "1")
    place.registry.sign_by_tag(place.name, evil, *world().simple(harmless))
    place.registry.sign_by_referrer(place.name, evil, world().attest(harmless).bundle)
    with pytest.raises(NotSigned, match="it is about other bytes"):
        await place.load()


async def test_policy_that_was_not_signed(place: Place) -> None:
    """The signed component, with a policy layer that somebody added: another manifest."""
    signed = place.registry.component(place.name, CALC, "0")
    place.registry.sign_by_tag(place.name, signed, *world().simple(signed))
    added = place.registry.component(place.name, CALC, "1", policy=POLICY)
    place.registry.sign_by_tag(place.name, added, *world().simple(signed))
    with pytest.raises(NotSigned, match="it is about other bytes"):
        await place.load("1")


async def test_tag_that_was_moved(place: Place) -> None:
    """By the same people, even: it is not silently taken, also if it was unloaded meanwhile."""
    first = place.registry.component(place.name, CALC, "1")
    place.registry.sign_by_tag(place.name, first, *world().simple(first))
    component_id = (await place.load()).record.id
    async with Host(place.settings) as host:
        await host.unload(component_id)
    second = place.registry.component(place.name, OTHER, "1")
    place.registry.sign_by_tag(place.name, second, *world().simple(second))
    with pytest.raises(SourceChanged, match="other bytes than before") as changed:
        await place.load()
    async with Host(place.settings) as host:
        preview = await host.preview(place.registry.reference(place.name))
        assert preview.changes == changed.value.changes
        assert preview.refusal is None
        known = await host.prospect(place.registry.reference(place.name), preview.digest)
        assert known.complete
        assert known.notes[0].startswith("otherwise than before: it leads to other bytes")
    assert (await place.load(accept_change=True)).tools == ("other",)
    await place.load()


async def test_tag_that_was_moved_is_shown_to_whoever_looks(place: Place) -> None:
    seen: list[Arrival] = []

    async def refuse(arrival: Arrival) -> bool:
        seen.append(arrival)
        raise NotTaken("no")

    async def take(arrival: Arrival) -> bool:
        seen.append(arrival)
        return True

    watching = place.mode(Mode.WARN)
    place.registry.component(place.name, CALC)
    await watching.load()
    place.registry.component(place.name, OTHER)
    with pytest.raises(NotTaken):
        await watching.load(review=refuse)
    with pytest.raises(SourceChanged):
        await watching.load()
    assert (await watching.load(review=take)).tools == ("other",)
    assert [len(one.source_changes) for one in seen] == [1, 1]
    assert seen[0].remarks == ("it is not signed",)


async def test_repository_that_was_taken_over(place: Place) -> None:
    """A new version, signed by others who are allowed as well: it is pinned who signs here."""
    first = place.registry.component(place.name, CALC, "1")
    place.registry.sign_by_tag(place.name, first, *world().simple(first))
    await place.load("1")
    second = place.registry.component(place.name, OTHER, "2")
    place.registry.sign_by_tag(place.name, second, *simple_by_key(KEY, second))
    with pytest.raises(SourceChanged, match=f"before by {IDENTITY[:30]}"):
        await place.load("2")


async def test_update_takes_other_bytes_and_not_of_somebody_else(
    place: Place, home: Path, tmp_path: Path
) -> None:
    """Other bytes are what an update is for; a signer who is another one is not."""
    (home / "config" / "wassette").mkdir(parents=True)
    (home / "config" / "wassette" / "config.toml").write_text(
        f"""
        [signatures]
        mode = "require"
        trusted_root = "{tmp_path}/trusted_root.json"
        identities = [{{ identity = "https://github.com/acme/*", issuer = "{ISSUER}" }}]
        keys = ['''{public_pem(KEY)}''']
        """
    )
    cli = Cli(home, {"XDG_CONFIG_HOME": str(home / "config")})
    reference = place.registry.reference(place.name)
    first = place.registry.component(place.name, CALC)
    place.registry.sign_by_tag(place.name, first, *world().simple(first))
    assert "signed_by" in cli.ok("component", "load", reference)
    second = place.registry.component(place.name, OTHER)
    place.registry.sign_by_tag(place.name, second, *world().simple(second))
    refused = cli("component", "load", reference)
    assert refused.code == 1
    assert "--accept-change" in refused.err
    assert cli("component", "update").json["updated"] == 1
    third = place.registry.component(place.name, CALC)
    place.registry.sign_by_tag(place.name, third, *simple_by_key(KEY, third))
    [entry] = cli("component", "update", "--yes").json["components"]
    assert entry["state"] == "failed"
    assert "before by https://github.com/acme" in entry["reason"]
    assert cli("component", "load", reference, "--accept-change").code == 0


async def test_what_it_asks_for_is_in_its_artifact(place: Place) -> None:
    watching = place.mode(Mode.WARN)
    place.registry.component(place.name, CALC, policy=POLICY)
    loaded = await watching.load()
    assert loaded.wanted == ("network api.example.com",)
    async with Host(watching.settings) as host:
        component_id = loaded.record.id
        assert host.policies.read(component_id).policy is None
        assert await host.grant_wanted(component_id, loaded.record.digest) == loaded.wanted
        policy = host.policies.read(component_id).policy
        assert policy is not None
        assert policy.network_allow == (NetworkRule("api.example.com"),)
        assert host.wanted(component_id) is None
