"""The request as written → the target that rules are asked about, and its query."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wassette.errors import PolicyError, RequestRefused, visible
from wassette.policy.network import PORTS, REFUSED_METHODS, NetworkTarget
from wassette.policy.rules import check_method

if TYPE_CHECKING:
    from wassette.egress.model import Want

MAX_URL = 16 * 1024

# What would move the border between the authority and the path.
_NOT_IN_AUTHORITY = re.compile(r"[/?#\\]")
_NOT_IN_QUERY = re.compile(r"[^\x21-\x7e]")


def read(want: Want) -> tuple[NetworkTarget, str]:
    """The target, in its one spelling, and the query as it is sent: with its `?`, or empty.

    What is checked is what is sent: the path goes out as the target has it.
    """
    try:
        check_method(want.method)
    except PolicyError as error:
        raise RequestRefused("HTTP-request-method-invalid", str(error)) from None
    if want.method.upper() in REFUSED_METHODS:
        raise RequestRefused(
            "HTTP-request-method-invalid", f"{want.method.upper()} is not for components"
        )
    if len(want.authority) + len(want.path) > MAX_URL - 16:
        raise RequestRefused("HTTP-request-URI-too-long", "The URL is too long")
    shown = f"'{visible(want.authority)}'"
    if not want.authority or _NOT_IN_AUTHORITY.search(want.authority):
        raise RequestRefused("HTTP-request-URI-invalid", f"{shown} is not a host")
    if want.path and want.path[0] not in "/?":
        raise RequestRefused(
            "HTTP-request-URI-invalid", f"The path '{visible(want.path)}' should begin with '/'"
        )
    if "#" in want.path:
        raise RequestRefused("HTTP-request-URI-invalid", "A fragment ('#') is not for servers")
    path, mark, query = want.path.partition("?")
    try:
        target = NetworkTarget.parse(
            f"{want.scheme}://{want.authority}{path}{mark}{query}", want.method
        )
    except PolicyError as error:
        raise RequestRefused("HTTP-request-URI-invalid", str(error)) from None
    return target, mark + _NOT_IN_QUERY.sub(_quoted, query)


def authority(target: NetworkTarget, *, always_port: bool = False) -> str:
    """`host`, or `host:port` where the port is not the scheme's."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    if target.port == PORTS[target.scheme] and not always_port:
        return host
    return f"{host}:{target.port}"


def _quoted(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode())
