"""Attacks on signatures: none of these components may be loaded where signatures are required.

Each is wrong in one way, and right in all others; the first tests show that it would be loaded.
What verifies is Sigstore's own verifier, on a trusted root that was made here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from support import wat
from support.signing import (
    IDENTITY,
    ISSUER,
    World,
    attest_by_key,
    by_key,
    new_key,
    public_pem,
    sha256,
    simple_by_key,
    world,
)
from wassette.components.signature import Signature, Signer
from wassette.errors import ComponentError, NotSigned, SourceChanged, StoreError
from wassette.host import Host
from wassette.signature_options import Identity, Key, Mode, SignatureOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wassette.config import Settings

pytestmark = pytest.mark.anyio

NAME = "calc"
KEY = new_key()


@dataclass
class Place:
    """A directory with a component and what lies beside it, and a host that requires signatures."""

    folder: Path
    settings: Settings

    @property
    def component(self) -> Path:
        return self.folder / f"{NAME}.wasm"

    @property
    def bundle(self) -> Path:
        return self.folder / f"{NAME}.wasm.sigstore.json"

    @property
    def data(self) -> bytes:
        return self.component.read_bytes()

    async def load(self, **options: Any) -> Signature:
        async with Host(self.settings) as host:
            return (await host.load(str(self.component), **options)).record.signature

    def with_options(self, **changes: Any) -> Place:
        options = replace(self.settings.signatures, **changes)
        return Place(self.folder, replace(self.settings, signatures=options))


@pytest.fixture
def place(settings: Settings, tmp_path: Path) -> Place:
    folder = tmp_path / "theirs"
    wat.write(folder, NAME)
    options = SignatureOptions(
        Mode.REQUIRE,
        (Identity("https://github.com/acme/tools/*", ISSUER),),
        (Key("ours", public_pem(KEY)),),
        world().write_root(tmp_path),
    )
    return Place(folder, replace(settings, signatures=options))


async def test_signature_of_somebody_who_is_allowed(place: Place) -> None:
    place.bundle.write_bytes(world().sign(place.data).bundle)
    signature = await place.load()
    assert signature.signer == Signer(IDENTITY, ISSUER)
    async with Host(place.settings) as host:
        assert [tool.name for tool in host.tools().of(NAME)] == ["add", "spin", "trap"]


async def test_signature_with_a_key_that_is_allowed(place: Place) -> None:
    place.bundle.write_bytes(by_key(KEY, place.data))
    signature = await place.load()
    assert signature.signer == Signer(key=place.settings.signatures.keys[0].fingerprint)


def tampered_component(place: Place) -> None:
    """Bytes are changed after they were signed."""
    place.bundle.write_bytes(world().sign(place.data).bundle)
    wat.write(place.folder, NAME, wat.one_function("evil"))


def swapped_bundle(place: Place) -> None:
    """The good signature of another component is put beside it."""
    other = wat.component(wat.one_function("harmless"))
    place.bundle.write_bytes(world().sign(other).bundle)


def bundle_that_says_another_digest(place: Place) -> None:
    """A signature of other bytes, whose unsigned part names these."""
    signed = world().sign(b"other bytes")
    mine = world().sign(place.data)
    signed.content["messageSignature"]["messageDigest"] = mine.content["messageSignature"][
        "messageDigest"
    ]
    place.bundle.write_bytes(signed.bundle)


def wrong_identity(place: Place) -> None:
    """Signed without fault, by somebody else."""
    place.bundle.write_bytes(world().sign(place.data, "mallory@example.com").bundle)


def identity_that_begins_alike(place: Place) -> None:
    """The organisation is another one, whose name goes on."""
    evil = IDENTITY.replace("acme/tools/", "acme/tools-evil/")
    place.bundle.write_bytes(world().sign(place.data, evil).bundle)


def wrong_issuer(place: Place) -> None:
    """The right identity, by the word of somebody who may not say so."""
    place.bundle.write_bytes(world().sign(place.data, issuer="https://mallory.example").bundle)


def two_identities(place: Place) -> None:
    """A certificate with the right identity and another."""
    signed = world().sign(place.data, "mallory@example.com", more_names=(IDENTITY,))
    place.bundle.write_bytes(signed.bundle)


def expired_certificate(place: Place) -> None:
    """Logged as signed an hour after the certificate had ended: a stolen key."""
    then = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
    signed = world().sign(place.data, certified=then, logged=then + timedelta(hours=1))
    place.bundle.write_bytes(signed.bundle)


def signed_before_certified(place: Place) -> None:
    then = datetime.now(UTC).replace(microsecond=0)
    signed = world().sign(place.data, certified=then, logged=then - timedelta(hours=1))
    place.bundle.write_bytes(signed.bundle)


def authority_of_their_own(place: Place) -> None:
    """The whole world is made up by the attacker."""
    place.bundle.write_bytes(World().sign(place.data).bundle)


def certificate_that_was_never_logged(place: Place) -> None:
    """The authority was had to certify it secretly: another log of certificates."""
    ours = world()
    secret = World(ours.authority, new_key(), ours.signatures)
    place.bundle.write_bytes(secret.sign(place.data).bundle)


def signature_that_was_never_logged(place: Place) -> None:
    ours = world()
    secret = World(ours.authority, ours.certificates, new_key())
    place.bundle.write_bytes(secret.sign(place.data).bundle)


def entry_of_another_signature(place: Place) -> None:
    """What was logged is a signature of other bytes."""
    signed = world().sign(place.data)
    signed.entry = world().sign(b"other bytes").entry
    place.bundle.write_bytes(signed.bundle)


def certificate_for_something_else(place: Place) -> None:
    """A certificate of the same authority, for servers."""
    signed = world().sign(place.data, usage=ExtendedKeyUsageOID.SERVER_AUTH)
    place.bundle.write_bytes(signed.bundle)


def missing(_: Place) -> None:
    """There is no signature."""


def key_of_somebody_else(place: Place) -> None:
    place.bundle.write_bytes(by_key(new_key(), place.data))


def key_signature_of_other_bytes(place: Place) -> None:
    place.bundle.write_bytes(by_key(KEY, b"other bytes"))


def statement_about_weaknesses(place: Place) -> None:
    """The right people say: this has holes. It is signed, and no recommendation."""
    signed = world().attest(sha256(place.data), predicate="https://example.com/weaknesses/v1")
    place.bundle.write_bytes(signed.bundle)


def statement_about_something_else(place: Place) -> None:
    place.bundle.write_bytes(world().attest(sha256(b"other bytes")).bundle)


def statement_by_key_about_something_else(place: Place) -> None:
    place.bundle.write_bytes(attest_by_key(KEY, sha256(b"other bytes")))


def endless_bundle(place: Place) -> None:
    place.bundle.write_bytes(b"[" * 2_000_000)


def deep_bundle(place: Place) -> None:
    place.bundle.write_bytes(b'{"verificationMaterial": ' + b"[" * 500_000)


def bundle_that_is_no_file(place: Place) -> None:
    """Reading it would wait for ever."""
    import os

    os.mkfifo(place.bundle)


ATTACKS: dict[Callable[[Place], None], str] = {
    tampered_component: r"about other bytes",
    swapped_bundle: r"about other bytes",
    bundle_that_says_another_digest: r"Signature is invalid for input",
    wrong_identity: r"signed by mallory@example.com",
    identity_that_begins_alike: r"signed by https://github.com/acme/tools-evil/",
    wrong_issuer: r"says https://mallory.example",
    two_identities: r"names 2 identities",
    expired_certificate: r"not valid at validation time",
    signed_before_certified: r"not valid at validation time",
    authority_of_their_own: r"certificate chain: .* signature does not match",
    certificate_that_was_never_logged: r"failed to verify SCT",
    signature_that_was_never_logged: r"invalid log entry",
    entry_of_another_signature: r"inconsistent with other materials",
    certificate_for_something_else: r"code signing",
    missing: r"it is not signed",
    key_of_somebody_else: r"none of the configured keys",
    key_signature_of_other_bytes: r"not for these bytes",
    statement_about_weaknesses: r"statement of another kind",
    statement_about_something_else: r"about other bytes",
    statement_by_key_about_something_else: r"about other bytes",
    endless_bundle: r"too large",
    deep_bundle: r"recursion",
    bundle_that_is_no_file: r"not a regular file",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_refused_where_signatures_are_required(
    place: Place, attack: Callable[[Place], None]
) -> None:
    attack(place)
    with pytest.raises(NotSigned, match=f"is not loaded: .*{ATTACKS[attack]}"):
        await place.load(seen=True, accept_change=True)
    assert not list(place.settings.component_dir.glob("*.wasm"))
    assert not list(place.settings.component_dir.glob(".incoming-*"))


async def test_nobody_is_named(place: Place) -> None:
    """`require` without anybody whose signature counts is nobody's, and not everybody's."""
    place.bundle.write_bytes(world().sign(place.data).bundle)
    with pytest.raises(NotSigned, match="no identity or key is named"):
        await place.with_options(identities=(), keys=()).load()


async def test_put_into_the_directory_by_hand(place: Place) -> None:
    """What nobody loaded is not run either; with its signature beside it, it is."""
    components = place.settings.component_dir
    components.mkdir(parents=True)
    (components / f"{NAME}.wasm").write_bytes(place.data)
    async with Host(place.settings) as host:
        [state] = await host.examined()
        assert state.record is None
        assert "is not signed" in str(state.error)
        with pytest.raises(NotSigned):
            await host.component(NAME)
        (components / f"{NAME}.wasm.sigstore.json").write_bytes(world().sign(place.data).bundle)
        assert (await host.component(NAME)).signature.signer == Signer(IDENTITY, ISSUER)


async def test_loaded_before_signatures_were_required(place: Place) -> None:
    """What was loaded without one does not run on, and neither does that of somebody who is not
    allowed any more."""
    await place.with_options(mode=Mode.OFF).load()
    async with Host(place.settings) as host:
        assert host.tools().of(NAME) == []
        with pytest.raises(ComponentError, match="Load it again"):
            await host.component(NAME)
    place.bundle.write_bytes(world().sign(place.data).bundle)
    await place.load()
    async with Host(place.settings) as host:
        assert host.tools().of(NAME)
    async with Host(place.with_options(identities=()).settings) as host:
        assert host.tools().of(NAME) == []


async def test_bad_signature_beside_a_good_one_changes_nothing(place: Place) -> None:
    """Whoever can push to a repository can add signatures: they must not shut out the good one."""
    from wassette.signatures.material import Material
    from wassette.signatures.process import verify

    payload, annotations = world().simple("ab" * 32)
    key_payload, key_annotations = simple_by_key(KEY, "ab" * 32)
    results = await verify(
        sha256(place.data),
        ["ab" * 32],
        [
            Material(b"{}"),
            Material(payload, True, {**annotations, "dev.sigstore.cosign/bundle": "{}"}),
            Material(payload, True, {"dev.cosignproject.cosign/signature": "AAAA"}),
            Material(b"{}", True, annotations),
            Material(payload, True, annotations),
            Material(key_payload, True, key_annotations),
        ],
        place.settings.signatures,
    )
    assert ["signer" in one for one in results] == [False, False, False, False, True, True]
    assert results[4]["signer"]["identity"] == IDENTITY


# -- trust on first use ----------------------------------------------------------------------------


async def test_another_signer_than_before(place: Place) -> None:
    """An allowed one, too: whoever takes over a place is not who was trusted there."""
    place.bundle.write_bytes(world().sign(place.data).bundle)
    await place.load()
    place.bundle.write_bytes(by_key(KEY, place.data))
    with pytest.raises(SourceChanged, match=r"before by https://github\.com/acme") as changed:
        await place.load()
    assert "--accept-change" in str(changed.value)
    async with Host(place.settings) as host:
        assert (await host.component(NAME)).signature.signer == Signer(IDENTITY, ISSUER)
    assert (await place.load(accept_change=True)).signer != Signer(IDENTITY, ISSUER)
    await place.load()  # it is what is expected now


async def test_signature_taken_away(place: Place) -> None:
    """Where signatures are only looked at, a component that was signed does not just become one
    that is not, also if it was unloaded in between."""
    watching = place.with_options(mode=Mode.WARN)
    place.bundle.write_bytes(world().sign(place.data).bundle)
    await watching.load()
    async with Host(watching.settings) as host:
        await host.unload(NAME)
    place.bundle.unlink()
    with pytest.raises(SourceChanged, match="it has no valid signature; before it was signed"):
        await watching.load()


async def test_pins_that_cannot_be_read(place: Place) -> None:
    """What is not known is not taken for the first time."""
    place.bundle.write_bytes(world().sign(place.data).bundle)
    await place.load()
    (place.settings.component_dir / ".pins.json").write_text('{"version": 1')
    with pytest.raises((StoreError, NotSigned), match="cannot be read"):
        await place.load()


async def test_text_of_a_stranger_in_an_identity(place: Place) -> None:
    """An identity that rewrites the terminal is shown as code."""
    watching = place.with_options(mode=Mode.WARN)
    evil = "https://github.com/acme\u202e/x"
    signer = Signer(evil, ISSUER)
    assert "\u202e" not in str(signer)
    assert "\\u{202e}" in str(signer)
    place.bundle.write_text(json.dumps({"mediaType": "\u202e\x1b[31m", "verificationMaterial": {}}))
    problem = (await watching.load()).problem
    assert problem
    assert not set(problem) & {"\u202e", "\x1b"}
