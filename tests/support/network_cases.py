"""What components may ask for, as a table: rules, a request, and what comes of it.

`NAMES` is what the resolver of these tests knows. An allowed request is answered by a server that
says what it has seen.
"""

from __future__ import annotations

from dataclasses import dataclass

NAMES = {
    "x.com": ["93.184.216.34"],
    "api.x.com": ["93.184.216.35"],
    "v2.api.x.com": ["93.184.216.36"],
    "notx.com": ["93.184.216.37"],
    "x.com.evil.com": ["93.184.216.38"],
    "evil.com": ["93.184.216.38"],
    "my_host.x.com": ["93.184.216.39"],
    "xn--bcher-kva.de": ["93.184.216.40"],
    "localhost": ["127.0.0.1"],
    "six.x.com": ["2606:2800:220:1:248:1893:25c8:1946"],
    "both.x.com": ["10.0.0.5", "93.184.216.41"],
    "private.x.com": ["10.0.0.5"],
    "private2.x.com": ["172.16.0.5"],
    "private3.x.com": ["192.168.1.5"],
    "loop.x.com": ["127.0.0.1"],
    "loop2.x.com": ["127.9.9.9"],
    "loop6.x.com": ["::1"],
    "zero.x.com": ["0.0.0.0"],
    "zero6.x.com": ["::"],
    "metadata.x.com": ["169.254.169.254"],
    "metadata6.x.com": ["fd00:ec2::254"],
    "link.x.com": ["169.254.7.7"],
    "link6.x.com": ["fe80::1"],
    "ula.x.com": ["fd12::5"],
    "cgnat.x.com": ["100.64.0.1"],
    "multi.x.com": ["224.0.0.251"],
    "broadcast.x.com": ["255.255.255.255"],
    "documentation.x.com": ["192.0.2.1"],
    "mapped.x.com": ["::ffff:10.0.0.5"],
    "mapped-public.x.com": ["::ffff:93.184.216.34"],
    "nat64.x.com": ["64:ff9b::a00:5"],
    "six-to-four.x.com": ["2002:a00:5::1"],
    "empty.x.com": [],
    "not-an-address.x.com": ["api.x.com"],
}

DENIED = "HTTP-request-denied"
PROHIBITED = "destination-IP-prohibited"
INVALID = "HTTP-request-URI-invalid"
METHOD = "HTTP-request-method-invalid"
DNS = "DNS-error"
AUTHORITY = "the authority is not valid"
"""What the runtime says; the request never comes to the guard."""
PATH = "the path is not valid"


@dataclass(frozen=True)
class Case:
    allow: tuple[str, ...]
    request: str
    """`METHOD URL`"""
    outcome: str
    """`200`, or an error."""
    reason: str = ""
    """What the record says, among other things."""
    deny: tuple[str, ...] = ()
    sent: str | None = None
    """The request line as the server has seen it, where that is not what was written."""

    @property
    def id(self) -> str:
        rules = ",".join((*self.allow, *(f"-{rule}" for rule in self.deny)))
        return f"{self.request} [{rules}]"

    @property
    def everywhere(self) -> bool:
        """Whether every tool chain writes such a request the same."""
        method, _, url = self.request.partition(" ")
        return (
            method in ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH")
            and self.outcome in ("200", DENIED, PROHIBITED, DNS)
            and self.sent is None
            and url == url.lower()
            and not any(odd in url for odd in ("..", "%", "[", "./", "_"))
        )


def case(
    allow: str,
    request: str,
    outcome: str,
    reason: str = "",
    *,
    deny: str = "",
    sent: str | None = None,
) -> Case:
    """Rules are separated by blanks: `HOST`, `cidr=NETWORK`, `GET,POST@HOST`."""
    method_and_url = request if " " in request else f"GET {request}"
    return Case(tuple(allow.split()), method_and_url, outcome, reason, tuple(deny.split()), sent)


BY = "is allowed by network.allow[0]"
NO = "no rule allows"
BY_DENY = "is denied by network.deny[0]"
LEADS = "only a rule for that address"

CASES: tuple[Case, ...] = (
    # ---- no rules, and names --------------------------------------------------------------------
    case("", "http://x.com/", DENIED, NO),
    case("", "https://x.com/", DENIED, NO),
    case("", "http://127.0.0.1/", DENIED, NO),
    case("", "http://nowhere.x.com/", DENIED, NO),  # it is not even looked up
    case("x.com", "http://x.com/", "200", BY),
    case("x.com", "https://x.com/", "200", BY),
    case("x.com", "http://api.x.com/", DENIED, NO),
    case("x.com", "http://notx.com/", DENIED, NO),
    case("x.com", "http://x.com.evil.com/", DENIED, NO),
    case("x.com", "http://evil.com/x.com", DENIED, NO),
    case("x.com", "http://evil.com/?x.com", DENIED, NO),
    case("x.com", "http://X.COM/", "200", BY),
    case("X.com", "http://x.com/", "200", BY),
    case("x.com", "http://x.com./", "200", BY),
    case("x.com.", "http://x.com/", "200", BY),
    case("x.com", "http://x.com../", INVALID),
    case("x.com", "http://.x.com/", INVALID),
    case("my_host.x.com", "http://my_host.x.com/", "200", BY),
    case("evil.com x.com", "http://x.com/", "200", "network.allow[1]"),
    case("nowhere.x.com", "http://nowhere.x.com/", DNS),
    case("empty.x.com", "http://empty.x.com/", DNS),
    case("not-an-address.x.com", "http://not-an-address.x.com/", DNS),
    # ---- wildcards ------------------------------------------------------------------------------
    case("*.x.com", "http://api.x.com/", "200", BY),
    case("*.x.com", "http://v2.api.x.com/", "200", BY),
    case("*.x.com", "http://x.com/", DENIED, NO),
    case("*.x.com", "http://notx.com/", DENIED, NO),
    case("*.x.com", "http://x.com.evil.com/", DENIED, NO),
    case("*.api.x.com", "http://api.x.com/", DENIED, NO),
    case("*.api.x.com", "http://v2.api.x.com/", "200", BY),
    case("*", "http://evil.com/", "200", BY),
    case("*", "https://api.x.com/", "200", BY),
    case("*", "http://x.com:8080/", DENIED, NO),
    case("*:8080", "http://x.com:8080/", "200", BY),
    case("*.x.com:8080", "http://api.x.com:8080/", "200", BY),
    case("*.x.com:8080", "http://api.x.com/", DENIED, NO),
    # ---- ports and schemes ----------------------------------------------------------------------
    case("x.com", "http://x.com:80/", "200", BY),
    case("x.com", "https://x.com:443/", "200", BY),
    case("x.com", "http://x.com:8080/", DENIED, NO),
    case("x.com:8080", "http://x.com:8080/", "200", BY),
    case("x.com:8080", "http://x.com/", DENIED, NO),
    case("x.com:8080", "http://x.com:8081/", DENIED, NO),
    case("x.com:8443", "https://x.com:8443/", "200", BY),
    case("x.com:8443", "https://x.com/", DENIED, NO),
    case("https://x.com", "https://x.com/", "200", BY),
    case("https://x.com", "http://x.com/", DENIED, NO),
    case("http://x.com", "https://x.com/", DENIED, NO),
    case("http://x.com", "http://x.com/", "200", BY),
    case("https://x.com", "http://x.com:443/", DENIED, NO),
    case("https://x.com:8443", "https://x.com:8443/", "200", BY),
    case("https://*.x.com", "https://api.x.com/", "200", BY),
    case("https://*.x.com", "http://api.x.com/", DENIED, NO),
    case("*", "http://x.com:0/", INVALID, "invalid port"),
    case("*", "http://x.com:65536/", "*", ""),
    case("*", "http://x.com:080/", INVALID, "invalid port"),
    # ---- methods --------------------------------------------------------------------------------
    case("GET@x.com", "GET http://x.com/", "200", BY),
    case("GET@x.com", "POST http://x.com/", DENIED, "no rule allows POST"),
    case("GET@x.com", "HEAD http://x.com/", DENIED, "no rule allows HEAD"),
    case("GET,POST@x.com", "POST http://x.com/", "200", BY),
    case("PATCH@x.com", "PATCH http://x.com/", "200", BY),
    case("x.com", "DELETE http://x.com/", "200", BY),
    case("x.com", "PUT http://x.com/", "200", BY),
    case("x.com", "HEAD http://x.com/", "200", BY),
    case("x.com", "OPTIONS http://x.com/", "200", BY),
    case("x.com", "PROPFIND http://x.com/", "200", BY),
    case("x.com", "CONNECT http://x.com/", METHOD),
    case("x.com", "TRACE http://x.com/", METHOD),
    case("x.com", "a-b http://x.com/", METHOD),
    case("x.com", "POST http://x.com/", DENIED, BY_DENY, deny="POST@x.com"),
    case("x.com", "GET http://x.com/", "200", BY, deny="POST@x.com"),
    # ---- paths ----------------------------------------------------------------------------------
    case("https://x.com/v1/*", "https://x.com/v1/a", "200", BY),
    case("https://x.com/v1/*", "https://x.com/v1/a/b?c=/../d", "200", BY),
    case("https://x.com/v1/*", "https://x.com/v1", DENIED, NO),
    case("https://x.com/v1/*", "https://x.com/v2/a", DENIED, NO),
    case("https://x.com/v1/*", "https://x.com/v1/../v2/a", DENIED, NO),
    case("https://x.com/v1/*", "https://x.com/v1/%2e%2e/v2/a", DENIED, NO),
    case("https://x.com/v1/*", "https://x.com/v1/%2E./v2/a", DENIED, NO),
    case("https://x.com/v1/*", "https://x.com/v1/..;/v2/a", INVALID, "'..;'"),
    case("https://x.com/v1/*", "https://x.com/v1%2fa", INVALID, "escaped"),
    case("https://x.com/v1/*", "https://x.com/v1/%5c../v2", INVALID, "escaped"),
    case("https://x.com/v1/*", "https://x.com/v1/%zz", INVALID, "'%'"),
    case("https://x.com/v1/*", "https://x.com/V1/a", DENIED, NO),
    case("https://x.com/v1/*", "https://x.com/%76%31/a", "200", BY, sent="GET /v1/a"),
    case("https://x.com/v1/*", "https://x.com/v0/../v1/a", "200", BY, sent="GET /v1/a"),
    case(
        "https://x.com/v1/*", "https://x.com/v1/./a?q=%2e%2e", "200", BY, sent="GET /v1/a?q=%2e%2e"
    ),
    case("https://x.com/v1/items", "https://x.com/v1/items", "200", BY),
    case("https://x.com/v1/items", "https://x.com/v1/items?id=7", "200", BY),
    case("https://x.com/v1/items", "https://x.com/v1/items/7", DENIED, NO),
    case("GET@https://x.com/v1/*", "POST https://x.com/v1/a", DENIED, NO),
    case("x.com", "http://x.com?q=1", "200", BY, sent="GET /?q=1"),
    # ---- deny -----------------------------------------------------------------------------------
    case("*", "http://evil.com/", DENIED, BY_DENY, deny="evil.com"),
    case("*", "http://evil.com:80/", DENIED, BY_DENY, deny="evil.com"),
    case("*:8080", "http://evil.com:8080/", DENIED, BY_DENY, deny="evil.com"),
    case("*", "http://x.com.evil.com/", "200", BY, deny="evil.com"),
    case("*", "http://x.com.evil.com/", DENIED, BY_DENY, deny="*.evil.com"),
    case("*.x.com", "https://api.x.com/admin/a", DENIED, BY_DENY, deny="https://api.x.com/admin/*"),
    case(
        "*.x.com",
        "https://api.x.com/b/../admin/a",
        DENIED,
        BY_DENY,
        deny="https://api.x.com/admin/*",
    ),
    case("*.x.com", "https://api.x.com/public", "200", BY, deny="https://api.x.com/admin/*"),
    case("*", "http://evil.com./", DENIED, BY_DENY, deny="evil.com"),
    case("*", "http://EVIL.com/", DENIED, BY_DENY, deny="evil.com"),
    case(
        "*", "http://x.com/", PROHIBITED, "denied by network.deny[0]", deny="cidr=93.184.216.0/24"
    ),
    case("10.0.0.5 *", "http://private.x.com/", PROHIBITED, "denied by", deny="cidr=10.0.0.0/8"),
    # ---- where names lead -----------------------------------------------------------------------
    case("*", "http://private.x.com/", PROHIBITED, "which is private"),
    case("private.x.com", "http://private.x.com/", PROHIBITED, LEADS),
    case("*", "http://private2.x.com/", PROHIBITED, "which is private"),
    case("*", "http://private3.x.com/", PROHIBITED, "which is private"),
    case("*", "http://loop.x.com/", PROHIBITED, "which is this machine"),
    case("*", "http://loop2.x.com/", PROHIBITED, "which is this machine"),
    case("*", "http://loop6.x.com/", PROHIBITED, "which is this machine"),
    case("*", "http://zero.x.com/", PROHIBITED, "which is this machine"),
    case("*", "http://zero6.x.com/", PROHIBITED, "which is this machine"),
    case("*", "http://metadata.x.com/", PROHIBITED, "metadata service"),
    case("*", "http://metadata6.x.com/", PROHIBITED, "metadata service"),
    case("*", "http://link.x.com/", PROHIBITED, "link-local"),
    case("*", "http://link6.x.com/", PROHIBITED, "link-local"),
    case("*", "http://ula.x.com/", PROHIBITED, "which is private"),
    case("*", "http://cgnat.x.com/", PROHIBITED, "carrier-grade NAT"),
    case("*", "http://multi.x.com/", PROHIBITED, "multicast"),
    case("*", "http://broadcast.x.com/", PROHIBITED, "broadcast"),
    case("*", "http://documentation.x.com/", PROHIBITED, "not on the internet"),
    case("*", "http://mapped.x.com/", PROHIBITED, "which is private"),
    case("*", "http://nat64.x.com/", PROHIBITED, "which is private"),
    case("*", "http://six-to-four.x.com/", PROHIBITED, "which is private"),
    case("*", "http://mapped-public.x.com/", "200", BY),
    case("*", "http://six.x.com/", "200", BY),
    case("*", "http://both.x.com/", "200", BY),  # by the address that it may
    case("*", "http://localhost/", PROHIBITED, "which is this machine"),
    case("localhost", "http://localhost/", "200", BY),
    case("localhost:8080", "http://localhost:8080/", "200", BY),
    case("localhost:8080", "http://localhost/", DENIED, NO),
    case("localhost * *:8080", "http://localhost:8080/", PROHIBITED, "which is this machine"),
    case("* cidr=10.0.0.0/8", "http://private.x.com/", "200", BY),
    case("* cidr=10.0.0.0/8", "http://mapped.x.com/", "200", BY),
    case("* 10.0.0.5", "http://private.x.com/", "200", BY),
    case("* 10.0.0.6", "http://private.x.com/", PROHIBITED, LEADS),
    case("* cidr=10.0.0.0/8", "http://nat64.x.com/", PROHIBITED, LEADS),
    case("*:8080 cidr=10.0.0.0/8", "http://private.x.com:8080/", "200", BY),
    case("* 169.254.169.254", "http://metadata.x.com/", "200", BY),
    # ---- addresses ------------------------------------------------------------------------------
    case("93.184.216.34", "http://93.184.216.34/", "200", BY),
    case("cidr=93.184.216.0/24", "http://93.184.216.34/", "200", BY),
    case("cidr=93.184.216.0/24", "http://93.184.217.34/", DENIED, NO),
    case("cidr=93.184.216.0/24", "http://x.com/", DENIED, NO),  # a name is no address
    case("cidr=93.184.216.0/24", "http://93.184.216.34:8080/", DENIED, NO),
    case("127.0.0.1", "http://127.0.0.1/", "200", BY),
    case("127.0.0.1:8080", "http://127.0.0.1:8080/", "200", BY),
    case("127.0.0.1:8080", "http://127.0.0.1:8081/", DENIED, NO),
    case("127.0.0.1", "http://localhost/", DENIED, NO),
    case("cidr=127.0.0.0/8", "http://127.1.2.3/", "200", BY),
    case("*", "http://127.0.0.1/", PROHIBITED, "which is this machine"),
    case("*", "http://10.0.0.5/", PROHIBITED, "which is private"),
    case("*", "http://169.254.169.254/", PROHIBITED, "metadata service"),
    case("cidr=127.0.0.0/8", "http://2130706433/", INVALID, "IPv4"),
    case("cidr=127.0.0.0/8", "http://0x7f000001/", INVALID, "IPv4"),
    case("cidr=127.0.0.0/8", "http://0177.0.0.1/", INVALID, "IPv4"),
    case("cidr=127.0.0.0/8", "http://127.1/", INVALID, "IPv4"),
    case("cidr=127.0.0.0/8", "http://127.0.0.1./", "200", BY),
    case("[::1]", "http://[::1]/", "200", BY),
    case("[::1]:8080", "http://[::1]:8080/", "200", BY),
    case("[::1]:8080", "http://[::1]/", DENIED, NO),
    case("cidr=fd00::/8", "http://[fd12::5]/", "200", BY),
    case("cidr=fd00::/8", "http://[fd12:0:0::5]/", "200", BY),
    case("*", "http://[::1]/", PROHIBITED, "which is this machine"),
    case("*", "http://[::ffff:127.0.0.1]/", PROHIBITED, "which is this machine"),
    case("127.0.0.1", "http://[::ffff:127.0.0.1]/", "200", BY),
    case("*", "http://[::ffff:7f00:1]/", PROHIBITED, "which is this machine"),
    case("*", "http://[64:ff9b::7f00:1]/", PROHIBITED, ""),
    case("*", "http://[fe80::1%25eth0]/", "*", ""),
    case("*", "http://[2606:2800:220:1:248:1893:25c8:1946]/", "200", BY),
    # ---- international names --------------------------------------------------------------------
    case("bücher.de", "http://xn--bcher-kva.de/", "200", BY),
    case("xn--bcher-kva.de", "https://xn--bcher-kva.de/", "200", BY),
    case("BÜCHER.de", "http://xn--bcher-kva.de/", "200", BY),
    case("bücher.de", "http://bücher.de/", AUTHORITY),  # no tool chain writes it so
    case("*", "http://xn--a/", INVALID, "international"),
    case("*", "http://xn--80ak6aa92e.com/", DNS),
    # ---- URLs that can be read in two ways ------------------------------------------------------
    case("x.com", "http://x.com@evil.com/", INVALID, "user name"),
    case("x.com", "http://x.com:80@evil.com/", AUTHORITY),
    case("x.com", "http://evil.com\\@x.com/", AUTHORITY),
    case("x.com", "http://evil.com#@x.com/", AUTHORITY),
    case("x.com", "http://x%2ecom/", "*", ""),
    case("x.com", "GET http://x.com/a b", PATH),
    case("x.com", "http://x.com/a\\b", "*", ""),
    case("x.com", "http://x.com//evil.com/", "200", BY),
    case("x.com", "http:///x.com/", INVALID),
    case("x.com", "http://x.com!/", "*", ""),
)
