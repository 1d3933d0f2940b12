"""The HTTP server: MCP over Streamable HTTP and SSE, health, and a guard in front of everything.

`options` is what it is started with, `guard` what every request passes first, `app` the routes,
`protocol` the limits of a connection, `serve` the server in an event loop that is there already.
"""
