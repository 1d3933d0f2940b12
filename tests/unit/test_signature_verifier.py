"""Cosign's older form, whose steps are gone through by ourselves: each can be wrong in one way.

The rest is in tests/adversarial/test_signatures.py; this is the same verifier without a process.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from support.signing import (
    IDENTITY,
    ISSUER,
    World,
    by_key,
    new_key,
    public_pem,
    sha256,
    simple_payload,
    world,
)
from wassette.signatures.verifier import Checker, Subjects, load_keys, load_root

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MANIFEST = sha256(b"manifest")
SIGNATURE = "dev.cosignproject.cosign/signature"
CERTIFICATE = "dev.sigstore.cosign/certificate"
PROOF = "dev.sigstore.cosign/bundle"
Simple = tuple[bytes, dict[str, str]]


@pytest.fixture
def checker(tmp_path: Path) -> Checker:
    root = str(world().write_root(tmp_path))
    return Checker(Subjects(sha256(b"component"), (MANIFEST,)), [], root)


def test_right(checker: Checker) -> None:
    found = checker.simple(*world().simple(MANIFEST))
    assert (found.identity, found.issuer) == (IDENTITY, ISSUER)


def changed(annotations: dict[str, str], change: Callable[[dict[str, Any]], None]) -> str:
    proof = json.loads(annotations[PROOF])
    change(proof)
    return json.dumps(proof)


def another_time(one: Simple) -> Simple:
    def later(proof: dict[str, Any]) -> None:
        proof["Payload"]["integratedTime"] += 1

    return one[0], {**one[1], PROOF: changed(one[1], later)}


def time_that_is_no_number(one: Simple) -> Simple:
    def odd(proof: dict[str, Any]) -> None:
        proof["Payload"]["integratedTime"] = True

    return one[0], {**one[1], PROOF: changed(one[1], odd)}


def no_proof(one: Simple) -> Simple:
    return one[0], {name: text for name, text in one[1].items() if name != PROOF}


def proof_of_another(one: Simple) -> Simple:
    return one[0], {**one[1], PROOF: world().simple(MANIFEST)[1][PROOF]}


def other_certificate(one: Simple) -> Simple:
    return one[0], {**one[1], CERTIFICATE: world().simple(MANIFEST)[1][CERTIFICATE]}


def other_payload(one: Simple) -> Simple:
    return simple_payload(sha256(b"other")), one[1]


def other_manifest(_: Simple) -> Simple:
    return world().simple(sha256(b"other"))


def other_world(_: Simple) -> Simple:
    return World().simple(MANIFEST)


def other_log(_: Simple) -> Simple:
    return World(world().authority, world().certificates).simple(MANIFEST)


def other_log_of_certificates(_: Simple) -> Simple:
    ours = world()
    return World(ours.authority, new_key(), ours.signatures).simple(MANIFEST)


def no_signature(one: Simple) -> Simple:
    return one[0], {**one[1], SIGNATURE: ""}


WRONG: dict[Callable[[Simple], Simple], str] = {
    another_time: "invalid signature",
    time_that_is_no_number: "is none",
    no_proof: "nobody knows its time",
    proof_of_another: "about something else|not valid at",
    other_certificate: "not for these bytes",
    other_payload: "not for these bytes",
    other_manifest: "about other bytes",
    other_world: "invalid signature",
    other_log: "invalid signature",
    other_log_of_certificates: "SCT verify failed",
    no_signature: "not for these bytes",
}


@pytest.mark.parametrize("attack", WRONG, ids=lambda attack: attack.__name__)
def test_wrong(checker: Checker, attack: Callable[[Simple], Simple]) -> None:
    one = attack(world().simple(MANIFEST))
    with pytest.raises(Exception, match=WRONG[attack]):
        checker.simple(*one)


def test_a_payload_that_is_no_statement(checker: Checker) -> None:
    """Bytes that these people signed for another purpose."""
    payload = simple_payload(MANIFEST).replace(b"cosign container image signature", b"a letter")
    signed = world().sign(payload)
    entry = signed.entry
    proof = {
        "SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
        "Payload": {
            "body": entry["canonicalizedBody"],
            "integratedTime": int(entry["integratedTime"]),
            "logIndex": 1,
            "logID": base64.b64decode(entry["logId"]["keyId"]).hex(),
        },
    }
    from cryptography.hazmat.primitives.serialization import Encoding

    annotations = {
        SIGNATURE: signed.content["messageSignature"]["signature"],
        CERTIFICATE: signed.cert.public_bytes(Encoding.PEM).decode(),
        PROOF: json.dumps(proof),
    }
    with pytest.raises(Exception, match="no statement about a component"):
        checker.simple(payload, annotations)


def test_the_public_authorities_come_with_it() -> None:
    assert load_root(None).get_fulcio_certs()


def test_a_small_key_is_none(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    small = rsa.generate_private_key(65537, 1024)
    pem = small.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    with pytest.raises(Exception, match="neither"):
        load_keys([pem.decode()])


def test_a_key_that_is_not_configured(checker: Checker) -> None:
    key = new_key()
    with pytest.raises(Exception, match="no key is configured"):
        checker.bundle(by_key(key, b"component"))
    with_key = Checker(Subjects(sha256(b"component")), load_keys([public_pem(key)]), None)
    assert with_key.bundle(by_key(key, b"component")).key
