"""A real registry (Debian's docker-registry), a server that gives tokens for it, and a front that
passes everything on and can be told to misbehave."""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import http.client
import http.server
import json
import re
import secrets
import shutil
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from support.processes import eventually

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import trustme

needs_registry = pytest.mark.skipif(
    shutil.which("docker-registry") is None, reason="needs docker-registry"
)

USER, PASSWORD = "alice", "s3cret-p4ss"
# `htpasswd -Bbn alice s3cret-p4ss`, with few rounds.
HTPASSWD = "alice:$2b$04$O53WE8yvoYmlN6Ql.g1vBekLcE8jcjpkGo2y6xt6sOM.Pj0nItrIm\n"
_LISTENING = re.compile(rb"listening on ([^ \",]*):([0-9]+)")


@dataclass
class Registry:
    """A registry that runs; `place` is how references name it."""

    port: int
    folder: Path

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    def oci(self, rest: str) -> str:
        return f"oci://{self.place}/{rest}"

    def blob_file(self, digest: str) -> Path:
        """Where the registry keeps a blob (sha256, hex)."""
        kept = self.folder / "data/docker/registry/v2/blobs/sha256" / digest[:2] / digest
        return kept / "data"


@contextlib.contextmanager
def registry(folder: Path, auth: str = "") -> Iterator[Registry]:
    """`auth`: the `auth:` entry of its configuration, as YAML in one line."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yml"
    config.write_text(
        "version: 0.1\n"
        "log: {level: info, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder / 'data'}}}}}\n"
        "http: {addr: '127.0.0.1:0'}\n" + (f"auth: {auth}\n" if auth else "")
    )
    log = folder / "log"
    with open(log, "wb") as file:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(config)], stdout=file, stderr=subprocess.STDOUT
        )
    try:
        assert eventually(
            lambda: process.poll() is not None or bool(_LISTENING.search(log.read_bytes()))
        )
        match = _LISTENING.search(log.read_bytes())
        assert match is not None, log.read_text()
        yield Registry(int(match[2]), folder)
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def with_password(folder: Path) -> Iterator[Registry]:
    """One that asks for `USER` and `PASSWORD`, with Basic."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "htpasswd").write_text(HTPASSWD)
    auth = f"{{htpasswd: {{realm: somewhere, path: {folder / 'htpasswd'}}}}}"
    with registry(folder, auth) as running:
        yield running


class _Quiet(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in {"content-length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


# -- tokens --------------------------------------------------------------------------------------


@dataclass
class Tokens:
    """A server that gives tokens (RS256): to everybody for pulling, to `USER` for all."""

    port: int
    life: int = 300
    """Seconds that a token is good for."""
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    """The query of each request, with `authorization` if it had one."""
    anonymous: bool = True


@contextlib.contextmanager
def with_tokens(folder: Path) -> Iterator[tuple[Registry, Tokens]]:
    folder.mkdir(parents=True, exist_ok=True)
    key, certificate = _authority()
    (folder / "root.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    chain = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()

    class Handler(_Quiet):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            header = self.headers.get("authorization")
            tokens.asked.append({**query, **({"authorization": [header]} if header else {})})
            user = None
            if header is not None:
                given = base64.b64decode(header.removeprefix("Basic ")).decode()
                user = USER if given == f"{USER}:{PASSWORD}" else None
            if user is None and (header is not None or not tokens.anonymous):
                return self.reply(401, b"{}")
            access = []
            for scope in " ".join(query.get("scope", [])).split():
                kind, name, actions = scope.split(":")
                allowed = [one for one in actions.split(",") if user or one == "pull"]
                access.append({"type": kind, "name": name, "actions": allowed})
            now = int(time.time())
            claims = {
                "iss": "issuer",
                "sub": user or "",
                "aud": query["service"][0],
                "exp": now + tokens.life,
                "nbf": now - 30,
                "iat": now,
                "jti": secrets.token_hex(8),
                "access": access,
            }
            token = jwt.encode(claims, key, algorithm="RS256", headers={"x5c": [chain]})
            # By its word it lives longer than it does: who believes it has to ask once more.
            body = json.dumps({"token": token, "expires_in": 300}).encode()
            return self.reply(200, body)

    with _serving(Handler) as port:
        tokens = Tokens(port)
        auth = (
            f'{{token: {{realm: "http://127.0.0.1:{port}/token", service: here, issuer: issuer, '
            f"rootcertbundle: {folder / 'root.pem'}}}}}"
        )
        with registry(folder, auth) as running:
            yield running, tokens


def _authority() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tokens")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


# -- the front -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """A request that arrived at the front."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Reply:
    """What the registry answered, to be changed."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Front:
    """Passes everything on to `port`, unless `tamper` does something about it."""

    port: int
    upstream: int
    scheme: str = "http"
    tamper: Callable[[Seen, Reply, _Quiet], Reply | None] | None = None
    before: Callable[[Seen, _Quiet], bool] | None = None
    """Asked first; whether it has answered by itself."""
    seen: list[Seen] = field(default_factory=list)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    def oci(self, rest: str) -> str:
        return f"oci://{self.place}/{rest}"

    def blobs(self) -> list[Seen]:
        """The requests for blobs."""
        return [one for one in self.seen if "/blobs/" in one.path]


@contextlib.contextmanager
def front(upstream: int = 0, authority: trustme.CA | None = None) -> Iterator[Front]:
    """With `authority`: behind TLS, with a certificate for this machine."""

    class Handler(_Quiet):
        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            seen = Seen(self.command, self.path, headers)
            found.seen.append(seen)
            if found.before is not None and found.before(seen, self):
                return
            reply = _pass_on(found.upstream, self.command, self.path, headers, body)
            changed = found.tamper(seen, reply, self) if found.tamper is not None else reply
            if changed is not None:
                changed.headers.pop("content-length", None)
                length = changed.headers.pop("x-length", None)  # of a HEAD: it has no body
                more = {"content-length": length} if length is not None else {}
                self.reply(changed.status, changed.body, {**changed.headers, **more})

        do_HEAD = do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815

    context = None
    if authority is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    with _serving(Handler, context) as port:
        found = Front(port, upstream, "https" if context else "http")
        yield found


def _pass_on(port: int, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        data = answer.read()
        kept = {name.lower(): value for name, value in answer.getheaders()}
        kept.pop("transfer-encoding", None)
        if method == "HEAD":
            kept["x-length"] = kept.get("content-length", "0")
        return Reply(answer.status, kept, data)
    finally:
        connection.close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    context: ssl.SSLContext | None = None

    def get_request(self) -> tuple[socket.socket, Any]:
        made, address = super().get_request()
        if self.context is not None:
            made.settimeout(10)
            try:
                made = self.context.wrap_socket(made, server_side=True)
            except OSError:
                made.close()
                raise
        return made, address

    def handle_error(self, *_: object) -> None: ...


@contextlib.contextmanager
def _serving(handler: type[_Quiet], context: ssl.SSLContext | None = None) -> Iterator[int]:
    server = _Server(("127.0.0.1", 0), handler)
    server.context = context
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# -- artifacts -----------------------------------------------------------------------------------


def put(place: Registry, name: str, tag: str, *layers: tuple[str, bytes], **more: Any) -> str:
    """An artifact, uploaded without any of our own code. The digest of its manifest."""
    config = b"{}"
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _blob(place, name, "application/vnd.wasm.config.v0+json", config),
        "layers": [_blob(place, name, kind, data) for kind, data in layers],
        **more,
    }
    return put_manifest(place, name, tag, manifest)


def put_manifest(place: Registry, name: str, tag: str, manifest: dict[str, Any]) -> str:
    data = json.dumps(manifest).encode()
    kind = {"content-type": manifest["mediaType"]}
    reply = _pass_on(place.port, "PUT", f"/v2/{name}/manifests/{tag}", kind, data)
    assert reply.status == 201, reply
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _blob(place: Registry, name: str, kind: str, data: bytes) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    begun = _pass_on(place.port, "POST", f"/v2/{name}/blobs/uploads/", {}, b"")
    parts = urlsplit(begun.headers["location"])
    path = f"{parts.path}?{parts.query}&digest={digest}"
    octets = {"content-type": "application/octet-stream", "content-length": str(len(data))}
    reply = _pass_on(place.port, "PUT", path, octets, data)
    assert reply.status == 201, reply
    return {"mediaType": kind, "digest": digest, "size": len(data)}
