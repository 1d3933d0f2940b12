"""The window's backend: a person's own web server, on a port of its own, apart from that for MCP.

    models    what the API takes and answers
    routes/   the API, thin over `Host`
    app       the app: guard, routes, pages
    auth      one-time links, browsers, CSRF
    peer      whose programs may connect
    problems  errors as RFC 9457 has them
    events    what is told to open windows as it happens
    server    the server, in an event loop that is there already

Imported when a person wants the window, not before.
"""

from .server import WindowServer

__all__ = ["WindowServer"]
