"""The MCP surface: Wassette's built-in tools, one tool per component function, transports.

`server` is one object for every transport and both protocol eras; `builtin` has Wassette's own
tools, `results` the shapes of answers, `stdio` the transport that editors start.
"""
