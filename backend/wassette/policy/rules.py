"""Which single rules are well-formed: one function for each kind.

The parser and the editor both use these, so nothing can be granted that cannot be read back
(Wassette could write `*.a.*`, after which the file no longer parsed). The rules are Wassette's,
with the additions marked. All of them raise `PolicyError` with the reason, without a place.
"""

from __future__ import annotations

import ipaddress
import re

from wassette.errors import PolicyError, visible

SCHEME = "fs://"

_METHOD = re.compile(r"[A-Za-z]{1,32}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
# Headers that say how a request is carried, or to whom: they are the relay's own.
_NOT_A_PLACE = frozenset(
    (
        *("connection", "content-length", "expect", "host", "keep-alive"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    )
)
# What ends or changes the meaning of a host in some URL parser: none of it may be in a rule.
_NOT_IN_HOST = frozenset("\\@?#\"'<>^`{|}%,;=()[]$&!+~/")


def check_text(text: str, what: str) -> str:
    """Refuses NUL (it cuts strings in C) and lone surrogates (they cannot be written)."""
    if "\0" in text:
        raise PolicyError(f"{what} contains a NUL character")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise PolicyError(f"{what} is not valid text")
    return text


def named_root(uri: str) -> str | None:
    """The root that a storage uri is about, `name` of `fs://name/path`; None for `fs:///path`."""
    return uri.removeprefix(SCHEME).partition("/")[0] or None


def check_storage_uri(uri: str) -> str:
    """`fs:///absolute/path` or `fs://name/path`, with globs. Ours: other schemes, NUL, `..`."""
    check_text(uri, "the storage uri")
    if not uri:
        raise PolicyError("a storage uri cannot be empty")
    shown = f"storage uri '{visible(uri)}'"
    if not uri.startswith(SCHEME):
        raise PolicyError(f"{shown} is not a file path: it must start with {SCHEME}")
    segments = uri.removeprefix(SCHEME).split("/")
    if segments == [""]:
        raise PolicyError(f"{shown} names no path: use {SCHEME}/absolute/path or {SCHEME}name")
    for segment in segments:
        if "***" in segment:
            raise PolicyError(f"{shown} has '***': use '*' or '**'")
        if "**" in segment and segment != "**":
            raise PolicyError(f"{shown}: '**' must stand alone between slashes")
        if segment != "**" and segment.count("*") > 1:
            raise PolicyError(f"{shown} has more than one '*' between two slashes")
        # A backslash separates too, on Windows.
        if ".." in segment.split("\\"):
            raise PolicyError(f"{shown} has '..': write the path that it leads to")
    return uri


def check_host(host: str) -> str:
    """`host`, `host:port`, `*`, `*.domain`, an IP address, with `http(s)://` or not; ours: a path.

    A path may end in `*`. IPv6 addresses are bare, or in brackets when a port follows.
    """
    check_text(host, "the network host")
    if not host:
        raise PolicyError("a network host cannot be empty")
    shown = f"network host '{visible(host)}'"
    if any(char.isspace() or not char.isprintable() for char in host):
        raise PolicyError(f"{shown} contains spaces or invisible characters")
    if "/" in host and _is_network(host):
        raise PolicyError(f"{shown} is an address range: write it as 'cidr'")
    rest = host
    if "://" in host:
        scheme, _, rest = host.partition("://")
        if scheme not in {"http", "https"}:
            raise PolicyError(f"{shown}: the scheme must be http or https")
    authority, slash, path = rest.partition("/")
    _check_authority(authority, shown)
    if slash and ("*" in path.removesuffix("*") or "?" in path or "#" in path):
        raise PolicyError(f"{shown}: a path may have one '*', at its end, and no '?' or '#'")
    return host


def check_cidr(cidr: str) -> str:
    """An address range like `10.0.0.0/8` or `fd00::/8`."""
    check_text(cidr, "the cidr")
    if "/" not in cidr or not _is_network(cidr):
        raise PolicyError(f"cidr '{visible(cidr)}' is not an address range like 10.0.0.0/8")
    return cidr


def check_method(method: str) -> str:
    """An HTTP method; returned in upper case."""
    if not _METHOD.fullmatch(method):
        raise PolicyError(f"'{visible(method)}' is not an HTTP method")
    return method.upper()


def check_bound_host(host: str) -> str:
    """A host that a secret is bound to: as `check_host`, but not everybody's (`*`, `*.com`)."""
    check_host(host)
    authority = host.partition("://")[2] if "://" in host else host
    name = authority.partition("/")[0].partition(":")[0].removesuffix(".")
    if name == "*" or (name.startswith("*.") and "." not in name.removeprefix("*.")):
        raise PolicyError(
            f"'{visible(host)}' is everybody's: name the hosts that may have the secret"
        )
    return host


def check_header(name: str) -> str:
    """The name of a header that may carry a secret; returned in lower case."""
    lower = name.lower()
    if not _HEADER.fullmatch(name):
        raise PolicyError(f"'{visible(name)}' is not the name of a header")
    if lower in _NOT_A_PLACE or lower.startswith("proxy-"):
        raise PolicyError(f"the header '{visible(name)}' cannot carry a secret")
    return lower


def check_query(name: str) -> str:
    """The name of a query parameter, as it is before it is escaped."""
    check_text(name, "the query parameter")
    if not name or len(name) > 128 or not name.isprintable():
        raise PolicyError(f"'{visible(name)}' is not the name of a query parameter")
    return name


def check_environment_key(key: str) -> str:
    """The name of one variable. Ours: no `=`, which would end the name in an environment block."""
    check_text(key, "the environment key")
    if not key:
        raise PolicyError("an environment key cannot be empty")
    if "*" in key or "=" in key:
        # Not what follows: it is what somebody took for the place of the value.
        shown = visible(key.partition("=")[0])
        raise PolicyError(
            f"environment key '{shown}' contains '*' or '=': name one variable for each rule"
        )
    return key


def check_value_from(name: str) -> str:
    """The name of the variable of Wassette's that the value is taken from. Ours.

    What is refused is not quoted: it may be the secret itself.
    """
    if not _VARIABLE.fullmatch(name):
        raise PolicyError(
            "'value_from' is the name of a variable (letters, digits and '_'), never its value"
        )
    return name


def _check_authority(authority: str, shown: str) -> None:
    if _is_address(authority):
        return
    name, port = authority, None
    if authority.startswith("["):
        name, bracket, after = authority[1:].partition("]")
        if not bracket or not _is_address(name) or ":" not in name:
            raise PolicyError(f"{shown} has an invalid address in brackets")
        if not after:
            return
        if not after.startswith(":"):
            raise PolicyError(f"{shown} has text after its brackets")
        port = after[1:]
    elif ":" in authority:
        name, _, port = authority.rpartition(":")
    if port is not None and not (_PORT.fullmatch(port) and int(port) <= 65535):
        raise PolicyError(f"{shown} has an invalid port '{visible(port)}'")
    if not authority.startswith("["):
        _check_name(name, shown)


def _check_name(name: str, shown: str) -> None:
    labels = name.removeprefix("*.").removesuffix(".") if name != "*" else "any"
    if "*" in labels:
        raise PolicyError(f"{shown}: a wildcard must be at the start, like *.domain.com, or alone")
    if not labels or len(labels) > 253 or any(not label for label in labels.split(".")):
        raise PolicyError(f"{shown} is not a host name")
    if ":" in labels or any(char in _NOT_IN_HOST for char in labels):
        raise PolicyError(f"{shown} contains characters that no host name has")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _is_network(text: str) -> bool:
    try:
        # Host bits may be set: 192.168.1.7/24 is how people copy them from an interface.
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "%" not in text
