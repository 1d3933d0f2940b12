"""Who is trusted to be who they say: the system's certificates, and a file of one's own."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wassette.errors import RequestRefused

if TYPE_CHECKING:
    from wassette.egress_options import EgressOptions

# Where Linux systems have them, should OpenSSL have been built to look elsewhere.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def make_context(options: EgressOptions) -> ssl.SSLContext:
    """Raises `RequestRefused` if the configured file has no certificates."""
    context = _system_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if options.ca_file is not None:
        try:
            context.load_verify_locations(cafile=options.ca_file)
        except (OSError, ssl.SSLError):
            raise RequestRefused(
                "configuration-error",
                f"{options.ca_file} (network.ca_file, or SSL_CERT_FILE) has no certificates",
            ) from None
    return context


def _system_context() -> ssl.SSLContext:
    if sys.platform in ("darwin", "win32"):
        import truststore

        # The system itself decides there, not a list that was copied from it.
        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Not truststore here: it would read the whole bundle again for every connection (20 ms).
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_default_verify_paths()
    if not context.cert_store_stats()["x509_ca"]:
        bundle = next((one for one in _BUNDLES if Path(one).is_file()), None)
        if bundle is not None:
            context.load_verify_locations(cafile=bundle)
    return context
