"""Verifying signatures, with Sigstore's own verifier. Imports are heavy, and all that is read is a
stranger's: this runs in a process of its own (`worker`).

What a signature can be about: the component's bytes (a bundle beside a file), or the manifest that
has them (in a registry). Forms: Sigstore bundles with a certificate or for a key, around a plain
signature or an in-toto statement; and cosign's older form, a payload whose signature, certificate
and proof stand in annotations. That form has a promise of the log but no proof of inclusion, which
Sigstore's library insists on; so its steps are gone through here, with the library's parts.

Whatever is not understood is no signature. Who may sign is not decided here.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import rekor_types
import rfc8785
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from sigstore._internal.rekor import _hashedrekord_from_parts
from sigstore._internal.sct import verify_sct
from sigstore._internal.timestamp import TimestampSource, TimestampVerificationResult
from sigstore._internal.trust import KeyringPurpose
from sigstore._utils import KeyID
from sigstore.hashes import Hashed
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier
from sigstore_models.common.v1 import HashAlgorithm

IN_TOTO = "application/vnd.in-toto+json"
STATEMENTS = frozenset({"https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"})
PREDICATES = frozenset({"https://sigstore.dev/cosign/sign/v1", "https://slsa.dev/provenance/v1"})
"""Statements that stand for what they are about: “I sign this”, “I built this”. Others, such as a
list of its weaknesses, may be signed by the same people and say nothing good."""
SIMPLE = "cosign container image signature"
_PUBLIC = ("_store", "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev", "trusted_root.json")
_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_V2 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_USER_NAME = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.7")


class Refused(Exception):
    """It is no valid signature of these bytes. `str()` says why, and may quote a stranger."""


@dataclass(frozen=True)
class Subjects:
    """What has to be signed: any of these. `component`: sha256 of its bytes; `manifests`: of those
    that lead to it. Hex."""

    component: str
    manifests: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return (self.component, *self.manifests)


@dataclass(frozen=True)
class Verified:
    """Who signed: an identity, or a key by the digest of its binary form."""

    identity: str | None = None
    issuer: str | None = None
    key: str | None = None
    signed_at: float | None = None


@dataclass(frozen=True)
class PublicKey:
    fingerprint: str
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey


def load_keys(pems: list[str]) -> list[PublicKey]:
    """Raises `Refused` for a key of a kind that is not known here."""
    found = []
    for pem in pems:
        try:
            key = serialization.load_pem_public_key(pem.encode())
        except (ValueError, TypeError) as error:
            raise Refused(f"a configured key cannot be read: {error}") from None
        p256 = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
        if not p256 and not (isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048):
            raise Refused("a configured key is neither ECDSA P-256 nor RSA of 2048 bits or more")
        assert isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)
        der = key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        found.append(PublicKey(f"sha256:{hashlib.sha256(der).hexdigest()}", key))
    return found


def load_root(path: str | None) -> TrustedRoot:
    """The authorities and logs that are trusted. None: the public ones, as shipped."""
    if path is not None:
        return TrustedRoot.from_file(path)
    with resources.as_file(resources.files("sigstore").joinpath(*_PUBLIC)) as shipped:
        return TrustedRoot.from_file(str(Path(shipped)))


class Checker:
    """Verifies signatures of one thing. Raises whatever the libraries do: all of it is a no."""

    def __init__(self, subjects: Subjects, keys: list[PublicKey], root: str | None) -> None:
        self._subjects = subjects
        self._keys = keys
        self._root_path = root
        self._verifier: tuple[TrustedRoot, Verifier] | None = None

    # -- bundles ---------------------------------------------------------------------------------

    def bundle(self, data: bytes) -> Verified:
        raw = json.loads(data)
        if not isinstance(raw, dict):
            raise Refused("it is no Sigstore bundle")
        if "base64Signature" in raw:
            return self._old_bundle(raw)
        material = raw.get("verificationMaterial")
        if isinstance(material, dict) and "publicKey" in material:
            return self._key_bundle(raw)
        bundle, who = Bundle.from_json(data), _Whoever()
        _, verifier = self._trusted()
        if bundle._dsse_envelope is not None:
            kind, payload = verifier.verify_dsse(bundle, who)
            self._check_statement(kind, payload)
        else:
            self._verify_artifact(verifier, bundle, who)
        return who.verified(bundle.signing_certificate)

    def _verify_artifact(self, verifier: Verifier, bundle: Bundle, who: _Whoever) -> None:
        signature = bundle._inner.message_signature
        digest_said = signature.message_digest if signature is not None else None
        said = digest_said.digest.hex() if digest_said is not None else None
        # Which one is meant decides only which one is tried: the signature decides whether it is.
        about = said if said in self._subjects.all else self._subjects.component
        if said is not None and said != about:
            raise Refused(f"it is about other bytes (sha256:{said[:12]}…)")
        digest = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=bytes.fromhex(about))
        verifier.verify_artifact(digest, bundle, who)

    def _key_bundle(self, raw: dict[str, Any]) -> Verified:
        envelope = raw.get("dsseEnvelope")
        if isinstance(envelope, dict):
            payload, kind = _decoded(envelope["payload"]), str(envelope["payloadType"])
            signatures = envelope["signatures"]
            if not isinstance(signatures, list) or len(signatures) != 1:
                raise Refused("it has not exactly one signature")
            pae = b"DSSEv1 %d %s %d " % (len(kind.encode()), kind.encode(), len(payload)) + payload
            found = self._by_key(_decoded(signatures[0]["sig"]), hashlib.sha256(pae).digest())
            self._check_statement(kind, payload)
            return found
        return self._about_any(_decoded(raw["messageSignature"]["signature"]))

    def _old_bundle(self, raw: dict[str, Any]) -> Verified:
        """What `cosign sign-blob --bundle` wrote before there were Sigstore bundles."""
        signature = _decoded(raw["base64Signature"])
        if not raw.get("cert"):
            return self._about_any(signature)
        pem = _decoded(raw["cert"])
        digest = bytes.fromhex(self._subjects.component)
        return self._with_promise(pem, signature, digest, raw.get("rekorBundle"))

    def _about_any(self, signature: bytes) -> Verified:
        problem: Refused | None = None
        for digest in self._subjects.all:
            try:
                return self._by_key(signature, bytes.fromhex(digest))
            except Refused as error:
                problem = error
        raise problem or Refused("there is nothing that it could be about")

    # -- cosign's older form ---------------------------------------------------------------------

    def simple(self, payload: bytes, annotations: dict[str, str]) -> Verified:
        signature = _decoded(annotations["dev.cosignproject.cosign/signature"])
        digest = hashlib.sha256(payload).digest()
        certificate = annotations.get("dev.sigstore.cosign/certificate")
        if certificate:
            proof = json.loads(annotations.get("dev.sigstore.cosign/bundle") or "null")
            found = self._with_promise(certificate.encode(), signature, digest, proof)
        else:
            found = self._by_key(signature, digest)
        critical = json.loads(payload)["critical"]
        if critical["type"] != SIMPLE:
            raise Refused("it is signed, but is no statement about a component")
        self._check_digest(str(critical["image"]["docker-manifest-digest"]))
        return found

    def _with_promise(self, pem: bytes, signature: bytes, digest: bytes, proof: Any) -> Verified:
        """As `Verifier.verify_artifact`, for an entry of the log with its promise only."""
        if not isinstance(proof, dict):
            raise Refused("it has no entry in the log of signatures, so nobody knows its time")
        root, verifier = self._trusted()
        cert = x509.load_pem_x509_certificate(pem)
        entry = proof["Payload"]
        body, index = str(entry["body"]), entry["logIndex"]
        at, log = entry["integratedTime"], str(entry["logID"])
        if type(at) is not int or type(index) is not int:
            raise Refused("its entry in the log of signatures is none")
        time = datetime.fromtimestamp(at, UTC)
        root.rekor_keyring(KeyringPurpose.VERIFY).verify(
            key_id=KeyID(bytes.fromhex(log)),
            signature=_decoded(proof["SignedEntryTimestamp"]),
            data=rfc8785.dumps(
                {"body": body, "integratedTime": at, "logID": log, "logIndex": index}
            ),
        )
        chain = verifier._verify_chain_at_time(
            cert, TimestampVerificationResult(TimestampSource.TRANSPARENCY_SERVICE, time)
        )
        verify_sct(cert, chain, root.ct_keyring(KeyringPurpose.VERIFY))
        usage = cert.extensions.get_extension_for_class(x509.KeyUsage).value
        extended = cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if not usage.digital_signature or x509.oid.ExtendedKeyUsageOID.CODE_SIGNING not in extended:
            raise Refused("its certificate is not for signing code")
        if not cert.not_valid_before_utc <= time <= cert.not_valid_after_utc:
            raise Refused("its certificate had expired when it was signed")
        key = cert.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
            raise Refused("its certificate has a key of a kind that is not known here")
        try:
            _verify(key, signature, digest)
        except InvalidSignature:
            raise Refused("it is not for these bytes") from None
        hashed = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=digest)
        expected = _hashedrekord_from_parts(cert, signature, hashed)
        logged = rekor_types.Hashedrekord.model_validate_json(_decoded(body))
        if logged != expected:
            raise Refused("its entry in the log of signatures is about something else")
        who = _Whoever()
        who.verify(cert)
        return who.verified(cert)

    # -- parts -----------------------------------------------------------------------------------

    def _trusted(self) -> tuple[TrustedRoot, Verifier]:
        if self._verifier is None:
            root = load_root(self._root_path)
            self._verifier = root, Verifier(trusted_root=root)
        return self._verifier

    def _by_key(self, signature: bytes, digest: bytes) -> Verified:
        if not self._keys:
            raise Refused("it is made with a key, and no key is configured")
        for one in self._keys:
            try:
                _verify(one.key, signature, digest)
            except InvalidSignature:
                continue
            return Verified(key=one.fingerprint)
        raise Refused("it is made with none of the configured keys, or not for these bytes")

    def _check_statement(self, kind: str, payload: bytes) -> None:
        if kind != IN_TOTO:
            raise Refused("it is signed, but is no statement about a component")
        statement = json.loads(payload)
        if statement["_type"] not in STATEMENTS:
            raise Refused("it is signed, but is no statement about a component")
        if statement["predicateType"] not in PREDICATES:
            raise Refused(f"it is a statement of another kind ({statement['predicateType']})")
        digests = [f"sha256:{one['digest'].get('sha256')}" for one in statement["subject"]]
        for digest in digests:
            if digest.removeprefix("sha256:") in self._subjects.all:
                return
        self._check_digest(digests[0] if digests else "nothing")

    def _check_digest(self, digest: str) -> None:
        if digest.removeprefix("sha256:") not in self._subjects.all:
            raise Refused(f"it is about other bytes ({digest[:19]}…)")


class _Whoever:
    """A policy of Sigstore's that accepts everybody, and knows who it was."""

    def __init__(self) -> None:
        self._who: tuple[str, str] | None = None

    def verify(self, cert: x509.Certificate) -> None:
        self._who = _identity(cert), _issuer(cert)

    def verified(self, cert: x509.Certificate) -> Verified:
        if self._who is None:
            raise Refused("nobody looked at who signed it")
        # It is valid for minutes, so it was made when the signature was.
        return Verified(*self._who, signed_at=cert.not_valid_before_utc.timestamp())


def _identity(cert: x509.Certificate) -> str:
    names = list(cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    if len(names) != 1:
        raise Refused(f"its certificate names {len(names)} identities, and not one")
    match names[0]:
        case x509.RFC822Name(value=str(value)) | x509.UniformResourceIdentifier(value=str(value)):
            return value
        case x509.OtherName(type_id=kind, value=bytes(data)) if kind == _USER_NAME:
            return asn1.decode_der(str, data)
    raise Refused("its certificate names no identity")


def _issuer(cert: x509.Certificate) -> str:
    found: set[str] = set()
    for oid in (_ISSUER_V2, _ISSUER):
        try:
            extension = cert.extensions.get_extension_for_oid(oid).value
        except x509.ExtensionNotFound:
            continue
        assert isinstance(extension, x509.UnrecognizedExtension)
        data = extension.value
        found.add(asn1.decode_der(str, data) if oid == _ISSUER_V2 else data.decode())
    if len(found) != 1:
        raise Refused("its certificate does not say who vouches for the identity")
    return found.pop()


def _verify(
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey, signature: bytes, digest: bytes
) -> None:
    algorithm = Prehashed(hashes.SHA256())
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, digest, padding.PKCS1v15(), algorithm)
    else:
        key.verify(signature, digest, ec.ECDSA(algorithm))


def _decoded(text: Any) -> bytes:
    if not isinstance(text, str):
        raise Refused("a part of it is missing")
    return base64.b64decode(text, validate=True)
