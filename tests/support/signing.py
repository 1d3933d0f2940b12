"""A world of signatures of our own: an authority that certifies identities, a log of certificates
and a log of signatures, all with keys made here, and the trusted root that names them.

What it makes is what Fulcio, Rekor and cosign make, so that Sigstore's own verifier can be run on
it, and each thing can be wrong in one way.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import rfc8785
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = "https://github.com/acme/tools/.github/workflows/release.yml@refs/tags/v1"
ISSUER = "https://token.actions.githubusercontent.com"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGN = "https://sigstore.dev/cosign/sign/v1"
_START = datetime(2025, 1, 1, tzinfo=UTC)
_SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _der(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def public_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """As cosign.pub."""
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def _sign(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def statement(digest: str, predicate: str = SIGN) -> bytes:
    """An in-toto statement about `digest` (hex)."""
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "it", "digest": {"sha256": digest}}],
            "predicateType": predicate,
            "predicate": {},
        }
    ).encode()


def _pae(kind: str, payload: bytes) -> bytes:
    return f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload


@dataclass
class Signed:
    """A signature with all that belongs to it, still apart."""

    cert: x509.Certificate
    content: dict[str, Any]
    """`messageSignature` or `dsseEnvelope`, and its value."""
    entry: dict[str, Any]

    @property
    def bundle(self) -> bytes:
        return json.dumps(
            {
                "mediaType": BUNDLE,
                "verificationMaterial": {
                    "certificate": {
                        "rawBytes": _b64(self.cert.public_bytes(serialization.Encoding.DER))
                    },
                    "tlogEntries": [self.entry],
                },
                **self.content,
            }
        ).encode()


@dataclass
class World:
    """Authorities and logs. Two of them have nothing to do with each other."""

    authority: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    certificates: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    signatures: ec.EllipticCurvePrivateKey = field(default_factory=new_key)

    def __post_init__(self) -> None:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self.root = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.authority.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_START)
            .not_valid_after(_START + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(True, None), critical=True)
            .add_extension(_usage(sign_certificates=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self.authority.public_key()), False
            )
            .sign(self.authority, hashes.SHA256())
        )

    def trusted_root(self) -> dict[str, Any]:
        def log(key: ec.EllipticCurvePrivateKey, url: str) -> dict[str, Any]:
            return {
                "baseUrl": url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": _b64(_der(key)),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": {"start": _START.isoformat()},
                },
                "logId": {"keyId": _b64(hashlib.sha256(_der(key)).digest())},
            }

        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(self.signatures, "https://log.test")],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "test", "commonName": "test authority"},
                    "uri": "https://authority.test",
                    "certChain": {
                        "certificates": [
                            {"rawBytes": _b64(self.root.public_bytes(serialization.Encoding.DER))}
                        ]
                    },
                    "validFor": {"start": _START.isoformat()},
                }
            ],
            "ctlogs": [log(self.certificates, "https://certificates.test")],
        }

    def write_root(self, folder: Path) -> Path:
        path = folder / "trusted_root.json"
        path.write_text(json.dumps(self.trusted_root()))
        return path

    # -- what an authority and its logs do -------------------------------------------------------

    def certify(
        self,
        key: ec.EllipticCurvePrivateKey,
        identity: str = IDENTITY,
        issuer: str = ISSUER,
        *,
        at: datetime,
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING,
        more_names: tuple[str, ...] = (),
    ) -> x509.Certificate:
        """A certificate for ten minutes, as Fulcio gives it, with its entry in the log."""
        names: list[x509.GeneralName] = [
            x509.RFC822Name(one) if "://" not in one else x509.UniformResourceIdentifier(one)
            for one in (identity, *more_names)
        ]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.root.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(at)
            .not_valid_after(at + timedelta(minutes=10))
            .add_extension(_usage(sign_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.public_key()),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
            .add_extension(_extension("1.3.6.1.4.1.57264.1.1", issuer.encode()), critical=False)
            .add_extension(
                _extension("1.3.6.1.4.1.57264.1.8", asn1.encode_der(issuer)), critical=False
            )
        )
        draft = builder.sign(self.authority, hashes.SHA256())
        stamped = x509.UnrecognizedExtension(_SCT_LIST, self._timestamp_of(draft, at))
        return builder.add_extension(stamped, critical=False).sign(self.authority, hashes.SHA256())

    def _timestamp_of(self, draft: x509.Certificate, at: datetime) -> bytes:
        issuer = hashlib.sha256(_der(self.authority)).digest()
        tbs, milliseconds = draft.tbs_certificate_bytes, int(at.timestamp() * 1000)
        signed = struct.pack("!BBQH", 0, 0, milliseconds, 1) + issuer
        signed += len(tbs).to_bytes(3, "big") + tbs + b"\0\0"
        signature = _sign(self.certificates, signed)
        log = hashlib.sha256(_der(self.certificates)).digest()
        one = b"\0" + log + struct.pack("!QH", milliseconds, 0) + b"\4\3"
        one += len(signature).to_bytes(2, "big") + signature
        listed = len(one).to_bytes(2, "big") + one
        listed = len(listed).to_bytes(2, "big") + listed
        return (
            b"\x04\x81" + bytes([len(listed)]) + listed
            if len(listed) > 127
            else (b"\x04" + bytes([len(listed)]) + listed)
        )

    def record(self, kind: str, spec: dict[str, Any], at: datetime) -> dict[str, Any]:
        """An entry in the log of signatures: promised, and proven to be in a log of three."""
        body = rfc8785.dumps({"apiVersion": "0.0.1", "kind": kind, "spec": spec})
        leaf = hashlib.sha256(b"\0" + body).digest()
        beside, last = (hashlib.sha256(b"\0" + other).digest() for other in (b"one", b"two"))
        pair = hashlib.sha256(b"\1" + beside + leaf).digest()
        root = hashlib.sha256(b"\1" + pair + last).digest()
        log = hashlib.sha256(_der(self.signatures)).digest()
        note = f"log.test - 1\n3\n{_b64(root)}\n"
        checkpoint = _b64(log[:4] + _sign(self.signatures, note.encode()))
        seconds = int(at.timestamp())
        promise = rfc8785.dumps(
            {
                "body": _b64(body),
                "integratedTime": seconds,
                "logID": log.hex(),
                "logIndex": 1,
            }
        )
        return {
            "logIndex": "1",
            "logId": {"keyId": _b64(log)},
            "kindVersion": {"kind": kind, "version": "0.0.1"},
            "integratedTime": str(seconds),
            "inclusionPromise": {"signedEntryTimestamp": _b64(_sign(self.signatures, promise))},
            "inclusionProof": {
                "logIndex": "1",
                "rootHash": _b64(root),
                "treeSize": "3",
                "hashes": [_b64(beside), _b64(last)],
                "checkpoint": {"envelope": f"{note}\n\u2014 log.test {checkpoint}\n"},
            },
            "canonicalizedBody": _b64(body),
        }

    # -- what somebody does who signs ------------------------------------------------------------

    def sign(
        self,
        data: bytes,
        identity: str = IDENTITY,
        issuer: str = ISSUER,
        *,
        certified: datetime | None = None,
        logged: datetime | None = None,
        **certificate: Any,
    ) -> Signed:
        """`cosign sign-blob`: the bytes themselves."""
        certified = certified or datetime.now(UTC).replace(microsecond=0)
        logged = logged or certified + timedelta(seconds=5)
        key = new_key()
        cert = self.certify(key, identity, issuer, at=certified, **certificate)
        signature = _sign(key, data)
        entry = self.record("hashedrekord", _hashed(cert, signature, sha256(data)), logged)
        digest = {"algorithm": "SHA2_256", "digest": _b64(hashlib.sha256(data).digest())}
        content = {"messageSignature": {"messageDigest": digest, "signature": _b64(signature)}}
        return Signed(cert, content, entry)

    def attest(
        self,
        digest: str,
        identity: str = IDENTITY,
        issuer: str = ISSUER,
        *,
        predicate: str = SIGN,
    ) -> Signed:
        """`cosign sign` in the new form: a statement about a digest."""
        at = datetime.now(UTC).replace(microsecond=0)
        key, kind, payload = new_key(), "application/vnd.in-toto+json", statement(digest, predicate)
        cert = self.certify(key, identity, issuer, at=at)
        signature = _sign(key, _pae(kind, payload))
        envelope = {
            "payload": _b64(payload),
            "payloadType": kind,
            "signatures": [{"sig": _b64(signature)}],
        }
        spec = {
            "envelopeHash": {"algorithm": "sha256", "value": sha256(json.dumps(envelope).encode())},
            "payloadHash": {"algorithm": "sha256", "value": sha256(payload)},
            "signatures": [{"signature": _b64(signature), "verifier": _pem(cert)}],
        }
        entry = self.record("dsse", spec, at + timedelta(seconds=5))
        return Signed(cert, {"dsseEnvelope": envelope}, entry)

    def simple(
        self, manifest: str, identity: str = IDENTITY, issuer: str = ISSUER
    ) -> tuple[bytes, dict[str, str]]:
        """`cosign sign` in its older form: a payload about a manifest (hex), and annotations."""
        payload = simple_payload(manifest)
        signed = self.sign(payload, identity, issuer)
        entry = signed.entry
        promise = {
            "SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
            "Payload": {
                "body": entry["canonicalizedBody"],
                "integratedTime": int(entry["integratedTime"]),
                "logIndex": int(entry["logIndex"]),
                "logID": base64.b64decode(entry["logId"]["keyId"]).hex(),
            },
        }
        return payload, {
            "dev.cosignproject.cosign/signature": signed.content["messageSignature"]["signature"],
            "dev.sigstore.cosign/certificate": signed.cert.public_bytes(
                serialization.Encoding.PEM
            ).decode(),
            "dev.sigstore.cosign/bundle": json.dumps(promise),
        }


def simple_payload(manifest: str) -> bytes:
    critical = {
        "identity": {"docker-reference": "registry.test/tool"},
        "image": {"docker-manifest-digest": f"sha256:{manifest}"},
        "type": "cosign container image signature",
    }
    return json.dumps({"critical": critical, "optional": None}).encode()


def simple_by_key(key: ec.EllipticCurvePrivateKey, manifest: str) -> tuple[bytes, dict[str, str]]:
    """`cosign sign --key`, in its older form."""
    payload = simple_payload(manifest)
    return payload, {"dev.cosignproject.cosign/signature": _b64(_sign(key, payload))}


def by_key(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """The bundle of `cosign sign-blob --key`."""
    return _key_bundle(
        {
            "messageSignature": {
                "messageDigest": {
                    "algorithm": "SHA2_256",
                    "digest": _b64(hashlib.sha256(data).digest()),
                },
                "signature": _b64(_sign(key, data)),
            }
        }
    )


def attest_by_key(key: ec.EllipticCurvePrivateKey, digest: str) -> bytes:
    """The bundle of `cosign sign --key`."""
    kind, payload = "application/vnd.in-toto+json", statement(digest)
    signature = _sign(key, _pae(kind, payload))
    return _key_bundle(
        {
            "dsseEnvelope": {
                "payload": _b64(payload),
                "payloadType": kind,
                "signatures": [{"sig": _b64(signature)}],
            }
        }
    )


def _key_bundle(content: dict[str, Any]) -> bytes:
    material = {"publicKey": {"hint": "x"}, "tlogEntries": []}
    return json.dumps({"mediaType": BUNDLE, "verificationMaterial": material, **content}).encode()


def _hashed(cert: x509.Certificate, signature: bytes, digest: str) -> dict[str, Any]:
    return {
        "data": {"hash": {"algorithm": "sha256", "value": digest}},
        "signature": {"content": _b64(signature), "publicKey": {"content": _pem(cert)}},
    }


def _pem(cert: x509.Certificate) -> str:
    return _b64(cert.public_bytes(serialization.Encoding.PEM))


def _extension(oid: str, value: bytes) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


@cache
def world() -> World:
    """The one that tests trust."""
    return World()
