"""The MCP surface: tools, resources and prompts, sessions, transports that are streams.

`server` is one object for every transport and both protocol eras, `sessions` its clients.
`builtin` has Wassette's own tools, `meta` two more for clients that do not notice new ones,
`resources` and `prompts` what else is offered, `results` the shapes of answers, `outbox` what a
client is told during a call, `stdio` the transport that editors start.
"""
