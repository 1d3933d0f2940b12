"""Secrets into requests: where a component wrote what stands for one, towards bound hosts only.

A component that was granted a secret sees a random placeholder as its value. Here the placeholder
becomes the secret, in the values of headers and in a named query parameter, never elsewhere.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes, unquote_plus, unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wassette.policy.injection import BoundSecret

Headers = list[tuple[bytes, bytes]]


def into_headers(headers: Headers, secrets: Sequence[BoundSecret]) -> Headers:
    """The headers with those secrets in them: all of `secrets` are for where the request goes."""
    return [(name, _into_value(name, value, secrets)) for name, value in headers]


def into_query(query: str, secrets: Iterable[BoundSecret]) -> str:
    """`query`, with its `?` or empty, with secrets in the parameters that are named for them."""
    named = [secret for secret in secrets if secret.injection.query is not None]
    if not query or not named:
        return query
    return "?" + "&".join(_into_parameter(one, named) for one in query[1:].split("&"))


def _into_parameter(parameter: str, secrets: Iterable[BoundSecret]) -> str:
    name, equals, text = parameter.partition("=")
    for secret in secrets:
        if unquote_plus(name) != secret.injection.query:
            continue
        value = unquote_to_bytes(text.replace("+", "%20"))
        if secret.old in value:
            text = quote_from_bytes(value.replace(secret.old, secret.new), safe="")
    return name + equals + text


def _into_value(name: bytes, value: bytes, secrets: Iterable[BoundSecret]) -> bytes:
    for secret in secrets:
        named = secret.injection.headers
        if named:
            if name.decode("ascii", "replace").lower() not in {one.lower() for one in named}:
                continue
        elif secret.injection.query is not None:
            continue
        value = value.replace(secret.old, secret.new)
        value = _into_basic(value, secret)
    return value


def _into_basic(value: bytes, secret: BoundSecret) -> bytes:
    """`Basic` credentials are base64, which hides the placeholder."""
    scheme, _, text = value.partition(b" ")
    if scheme.lower() != b"basic":
        return value
    try:
        pair = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        return value
    if secret.old not in pair:
        return value
    return scheme + b" " + base64.b64encode(pair.replace(secret.old, secret.new))
