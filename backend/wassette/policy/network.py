"""Which requests a component may make: pure decisions about a URL, and about an address.

There are two, because a name says nothing about where it leads. `decide_network` is about what the
component asked for. `decide_address` is about where the name has led, just before connecting:
a name of somebody else can lead to this machine or into its network, which only a rule about that
very address allows.

A URL is read strictly. Programs disagree about what `http://a@b`, `http://a\\b` or `http://1` are,
and whoever is checked by one and connected by another gets to the wrong place; so whatever can be
read in two ways is an error.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from wassette.errors import PolicyError, visible
from wassette.policy.model import Verdict
from wassette.policy.rules import check_method

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wassette.policy.model import NetworkRule, Policy

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

PORTS = {"http": 80, "https": 443}
REFUSED_METHODS = frozenset({"CONNECT", "TRACE", "TRACK"})
"""Whatever the rules say: CONNECT is a way through, and the others make a server say what it was
sent, secrets included."""
_MAX_URL = 16 * 1024
_MAX_NAME = 253
_MAX_LABEL = 63

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
# A last label that is a number makes an IPv4 address of the whole, in one notation or another.
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
# Each of these is a full stop in IDNA, so `a。b` has two labels.
_DOTS = re.compile("[\u3002\uff0e\uff61]")
# Letters that older and newer IDNA turn into different names.
_DEVIATING = frozenset("\u00df\u1e9e\u03c2")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

# Addresses that stand for the IPv4 address in their last bits.
_TRANSLATED = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::ffff:0:0:0/96"))
_COMPATIBLE = ipaddress.IPv6Network("::/96")
# The only part of IPv6 that is given out. Python's registries differ from release to release.
_GIVEN_OUT = ipaddress.IPv6Network("2000::/3")
_KINDS: tuple[tuple[str, tuple[Network, ...]], ...] = tuple(
    (kind, tuple(ipaddress.ip_network(one) for one in networks.split()))
    for kind, networks in (
        (
            "a cloud's metadata service",
            "169.254.169.254 fd00:ec2::254 fd20:ce::254 100.100.100.200 168.63.129.16 192.0.0.192",
        ),
        ("this machine", "127.0.0.0/8 ::1 0.0.0.0/8 ::"),
        ("link-local", "169.254.0.0/16 fe80::/10"),
        ("private", "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fec0::/10"),
        ("carrier-grade NAT", "100.64.0.0/10"),
        ("multicast", "224.0.0.0/4 ff00::/8"),
        ("broadcast", "255.255.255.255"),
        ("local translation", "64:ff9b:1::/48"),
        ("not on the internet", "192.0.0.0/24 3fff::/20"),
    )
)


@dataclass(frozen=True)
class NetworkTarget:
    """Where a request goes, in one spelling only.

    `host` is a name in lower case, in ASCII (punycode) and without a last dot; or an address in
    its shortest form, without brackets. `path` begins with `/`, is resolved, and escapes nothing
    that it need not; it has no query.
    """

    scheme: str
    host: str
    port: int
    path: str = "/"
    method: str = "GET"

    @classmethod
    def parse(cls, url: str, method: str = "GET") -> NetworkTarget:
        """Raises `PolicyError` if this is not a URL, or could be read in more than one way."""
        shown = f"'{visible(url)}'"
        _check_characters(url, shown)
        match = _URL.match(url)
        if match is None:
            raise PolicyError(f"{shown} is not a URL like https://api.example.com/path")
        scheme = match["scheme"].lower()
        if scheme not in PORTS:
            raise PolicyError(f"{shown}: the scheme must be http or https")
        host, port = _authority(match["authority"], shown)
        return cls(
            scheme,
            host,
            PORTS[scheme] if port is None else port,
            resolve_url_path(match["path"], shown),
            check_method(method),
        )

    @property
    def address(self) -> Address | None:
        """The host, if it is an address and not a name."""
        return _as_address(self.host)

    @property
    def shown(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


@dataclass(frozen=True)
class _Match:
    """What one rule covers. `ports` None is any port; `prefix` ends in what may follow."""

    source: str
    network: Network | None = None
    host: str | None = None
    below: bool = False
    scheme: str | None = None
    ports: frozenset[int] | None = None
    path: str | None = None
    prefix: bool = False
    methods: tuple[str, ...] = ()

    def covers(self, target: NetworkTarget) -> bool:
        return (
            self._covers_host(target)
            and self.scheme in (None, target.scheme)
            and (self.ports is None or target.port in self.ports)
            and self._covers_path(target.path)
            and (not self.methods or target.method in self.methods)
        )

    @property
    def is_address(self) -> bool:
        """Whether the rule is about addresses, not about names."""
        return self.network is not None or _as_address(self.host or "") is not None

    def _covers_host(self, target: NetworkTarget) -> bool:
        if self.network is not None:
            address = target.address
            return (
                address is not None
                and address.version == self.network.version
                and address in self.network
            )
        if self.host is None:
            return True
        if self.below:
            return target.host.endswith(f".{self.host}")
        return target.host == self.host

    def _covers_path(self, path: str) -> bool:
        if self.path is None:
            return True
        if self.prefix:
            return path.startswith(self.path)
        return path == self.path


def decide_network(policy: Policy, target: NetworkTarget) -> Verdict:
    """Whether the component may ask for this. The address is decided when it is known."""
    denied = _first(policy.network_deny, target, deny=True)
    if denied is not None:
        return Verdict(False, f"{target.shown} is denied by {denied}", denied)
    allowed = _first(policy.network_allow, target, deny=False)
    if allowed is None:
        return Verdict(False, f"no rule allows {target.method} {target.shown}")
    return Verdict(True, f"{target.method} {target.shown} is allowed by {allowed}", allowed)


def decide_address(
    policy: Policy, address: str | Address, port: int, target: NetworkTarget
) -> Verdict:
    """Whether `target`, which `decide_network` allowed, may be connected to this address.

    Addresses of this machine and its networks need a rule that names them (or `localhost`, for
    this machine by that name). Deny rules about addresses count for names, too.
    """
    given = ipaddress.ip_address(address) if isinstance(address, str) else address
    real = _unmapped(given)
    shown = f"{target.shown} leads to {real}"
    # Deny rules count for an address within another one, too; allow rules do not.
    inner = _inner(real)
    reached = [replace(target, host=str(real), port=port)]
    hidden = [replace(target, host=str(inner), port=port)] if inner is not None else []
    for index, rule in enumerate(policy.network_deny):
        source = _source("deny", index, rule)
        match = _match(rule, source, deny=True)
        if match.is_address and any(map(match.covers, (*reached, *hidden))):
            return Verdict(False, f"{shown}, which is denied by {source}", source)
    kind = kind_of_address(given)
    if kind is None:
        return Verdict(True, f"{shown}, which is a public address")
    for index, rule in enumerate(policy.network_allow):
        source = _source("allow", index, rule)
        match = _match(rule, source, deny=False)
        if match.network is not None:
            match = replace(match, ports=None)  # the name's rule has decided about the port
        local = match.host == "localhost" == target.host and real.is_loopback
        if (match.is_address and match.covers(reached[0])) or (local and match.covers(target)):
            return Verdict(True, f"{shown}, which is allowed by {source}", source)
    return Verdict(
        False, f"{shown}, which is {kind}: only a rule for that address (a 'cidr') allows it"
    )


def rule_covers(rule: NetworkRule, target: NetworkTarget) -> bool:
    """Whether one rule, taken as an allow rule, is about this request."""
    return _match(rule, "", deny=False).covers(target)


def kind_of_address(address: Address) -> str | None:
    """Why a name may not just lead there: "private", "link-local", …; None for public ones."""
    plain = _unmapped(address)
    for one in (plain, _inner(plain) or plain):
        for kind, networks in _KINDS:
            if any(one.version == network.version and one in network for network in networks):
                return kind
        # The rest of the registries: documentation, benchmarking, reserved.
        given_out = one.version == 4 or one in _GIVEN_OUT
        if not (one.is_global and given_out) and _inner(one) is None:
            return "not on the internet"
    return None


def resolve_url_path(path: str, shown: str) -> str:
    """`path` without `.`, `..` and needless escapes, so that a prefix of it means something."""
    if _BAD_ESCAPE.search(path):
        raise PolicyError(f"{shown} has a '%' that begins no escape")

    def unescape(match: re.Match[str]) -> str:
        char = chr(int(match[1], 16))
        # Servers disagree on whether these separate.
        if char in "/\\\0":
            raise PolicyError(f"{shown} has an escaped '/', '\\' or NUL in its path")
        return char if char in _UNRESERVED else match[0].upper()

    segments: list[str] = []
    *parents, last = _ESCAPE.sub(unescape, path).split("/")[1:] or [""]
    for segment in (*parents, last):
        # `..;x` is `..` to some servers.
        if segment.partition(";")[0] in (".", "..") and ";" in segment:
            raise PolicyError(f"{shown} has '..;' in its path")
        if segment == "..":
            del segments[-1:]
        elif segment != ".":
            segments.append(segment)
    if last in (".", ".."):
        segments.append("")
    return "/" + "/".join(_quoted(segment) for segment in segments)


def _quoted(segment: str) -> str:
    return "".join(
        char if ord(char) < 0x80 else "".join(f"%{byte:02X}" for byte in char.encode())
        for char in segment
    )


def _check_characters(text: str, shown: str) -> None:
    if len(text) > _MAX_URL:
        raise PolicyError(f"{shown} is too long")
    if "\\" in text:
        raise PolicyError(f"{shown} has a backslash, which some programs read as '/'")
    for char in text:
        if char.isspace() or unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl"):
            raise PolicyError(f"{shown} has spaces or invisible characters")


def _authority(authority: str, shown: str) -> tuple[str, int | None]:
    if "@" in authority:
        raise PolicyError(f"{shown} has a user name before '@', which hides the host; leave it out")
    if "%" in authority:
        raise PolicyError(f"{shown} has '%' in its host: an escape, or an IPv6 zone")
    host, port = authority, None
    if authority.startswith("["):
        host, bracket, rest = authority[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise PolicyError(f"{shown} has an address with a wrong bracket")
        port = rest[1:] if rest else None
        return _ipv6(host, shown), _port(port, shown)
    if ":" in authority:
        host, _, port = authority.partition(":")
        if ":" in (port or ""):
            raise PolicyError(f"{shown}: an IPv6 address has to be in brackets")
    return _host(host, shown), _port(port, shown)


def _port(port: str | None, shown: str) -> int | None:
    if port is None:
        return None
    if not _PORT.fullmatch(port) or int(port) > 65535:
        raise PolicyError(f"{shown} has an invalid port '{visible(port)}'")
    return int(port)


def _ipv6(text: str, shown: str) -> str:
    try:
        return str(_unmapped(ipaddress.IPv6Address(text)))
    except ValueError:
        raise PolicyError(f"{shown} has an invalid IPv6 address") from None


def _host(host: str, shown: str) -> str:
    name = _to_ascii(host, shown)
    name = name.removesuffix(".")
    labels = name.split(".")
    if not name or len(name) > _MAX_NAME:
        raise PolicyError(f"{shown} has no host, or one that is too long")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(name, shown)
    for label in labels:
        if len(label) > _MAX_LABEL or not _LABEL.fullmatch(label):
            raise PolicyError(f"{shown} has an invalid host")
    return name


def _ipv4(name: str, shown: str) -> str:
    """Four decimal numbers only: 127.1, 0x7f000001, 2130706433 and 0177.0.0.1 are this machine to
    some programs, and something else or nothing to others."""
    try:
        return str(ipaddress.IPv4Address(name))
    except ValueError:
        raise PolicyError(
            f"{shown} has an IPv4 address that is not four decimal numbers, or a name that ends "
            "in a number"
        ) from None


def _to_ascii(host: str, shown: str) -> str:
    """IDNA as browsers do it, as far as it is certain: the result must mean the same again."""
    if host.isascii():
        name = host.lower()
    else:
        try:
            name = ".".join(
                label if label.isascii() else "xn--" + label.encode("punycode").decode()
                for label in _mapped(host).split(".")
            )
        except UnicodeError:
            raise PolicyError(f"{shown} has an invalid international name") from None
    for label in name.split("."):
        if label.startswith("xn--"):
            _check_punycode(label, shown)
    return name


def _mapped(host: str) -> str:
    """Full-width letters, capitals and the like as what they stand for."""
    if not _DEVIATING.isdisjoint(host):
        raise UnicodeError("ambiguous")
    text = unicodedata.normalize("NFKC", _DOTS.sub(".", host)).casefold()
    return unicodedata.normalize("NFC", _DOTS.sub(".", text))


def _check_punycode(label: str, shown: str) -> None:
    try:
        text = label[4:].encode().decode("punycode")
        again = text.encode("punycode").decode()
    except (UnicodeError, ValueError, OverflowError):
        raise PolicyError(f"{shown} has an invalid international name") from None
    # What decodes to plain letters, dots or something to be mapped is a name in disguise.
    letters = all(unicodedata.category(char)[0] in "LMN" or char in "-\u00b7" for char in text)
    if text.isascii() or again != label[4:] or _mapped(text) != text or not letters:
        raise PolicyError(f"{shown} has an invalid international name")


def _inner(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in one for one in _TRANSLATED) or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _unmapped(address: Address) -> Address:
    """The address that is connected to: without zone, and IPv4 if it is written as IPv6."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    return address.ipv4_mapped or ipaddress.IPv6Address(int(address))


def _as_address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _first(rules: Sequence[NetworkRule], target: NetworkTarget, *, deny: bool) -> str | None:
    for index, rule in enumerate(rules):
        source = _source("deny" if deny else "allow", index, rule)
        if _match(rule, source, deny=deny).covers(target):
            return source
    return None


def _source(section: str, index: int, rule: NetworkRule) -> str:
    return f"network.{section}[{index}] ({visible(rule.host or rule.cidr or '')})"


def _match(rule: NetworkRule, source: str, *, deny: bool) -> _Match:
    """A rule as what it covers; the parser has made sure that it is well-formed.

    A deny rule without a port is about every port, an allow rule about those of the schemes.
    """
    if rule.cidr is not None:
        network = ipaddress.ip_network(rule.cidr, strict=False)
        ports = None if deny else frozenset(PORTS.values())
        return _Match(source, network=network, ports=ports, methods=rule.methods)
    assert rule.host is not None
    scheme, separator, rest = rule.host.partition("://")
    if not separator:
        scheme, rest = "", rule.host
    authority, slash, path = rest.partition("/")
    host, port = _split_rule(authority)
    ports = None
    if port is not None:
        ports = frozenset({port})
    elif not deny:
        ports = frozenset({PORTS[scheme]} if scheme else PORTS.values())
    # `host/` is the host: nobody means its first page only.
    path = f"/{path}" if slash and path else ""
    prefix = path.endswith("*")
    resolved = None
    if path:
        try:
            resolved = resolve_url_path(path.removesuffix("*"), "the rule")
        except PolicyError:
            # No request has such a path. Denied is then the whole host.
            resolved, prefix = (None if deny else ""), False
    below = host.startswith("*.")
    return _Match(
        source,
        host=None if host == "*" else _rule_host(host.removeprefix("*.")),
        below=below,
        scheme=scheme or None,
        ports=ports,
        path=resolved,
        prefix=prefix,
        methods=rule.methods,
    )


def _split_rule(authority: str) -> tuple[str, int | None]:
    if authority.startswith("["):
        host, _, rest = authority[1:].partition("]")
        return host, int(rest[1:]) if rest else None
    if authority.count(":") == 1:
        host, _, port = authority.partition(":")
        return host, int(port)
    return authority, None


def _rule_host(host: str) -> str:
    """As in a URL. What could not be in one matches nothing."""
    try:
        return str(_unmapped(ipaddress.ip_address(host)))
    except ValueError:
        pass
    try:
        return _host(host, "")
    except PolicyError:
        return host
