"""The relay: the one way by which a component's HTTP requests leave.

A guard asks for a route before each request. `Door.route` answers it:

1. `want`: the URL is read strictly, and the policy decides about it.
2. `addresses`: its name is resolved, and the policy decides about each address that it has.
3. `connect`: one of those, and no other, is connected to, directly or by a proxy (`proxies`);
   `tls` checks that it is who it should be.
4. The connection is parked under a token that works once, at this door, for this request.

The guard then sends the request to the door, with the token for a path. `door` finds the parked
connection, and `pump` moves the request and its response over it, streaming both ways.
`heads` says which headers pass; `inject` puts secrets in on the way out, `scrub` takes them out on
the way in. Whatever happens, one `Exchange` says what did.

HTTP is h11's on both sides, on connections made here (`wire`): a client library would resolve and
connect by itself, and then to somewhere else than what was checked.
"""

from __future__ import annotations

from wassette.egress.model import Dial, Exchange, Resolver, Route, Rules, Want
from wassette.egress.relay import Door, Relay
from wassette.egress_options import EgressOptions
from wassette.errors import RequestRefused
from wassette.policy.injection import BoundSecret

__all__ = [
    "BoundSecret",
    "Dial",
    "Door",
    "EgressOptions",
    "Exchange",
    "Relay",
    "RequestRefused",
    "Resolver",
    "Route",
    "Rules",
    "Want",
]
