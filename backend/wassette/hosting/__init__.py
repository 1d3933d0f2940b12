"""One warm host for each user: the process, the way to it, and the bridge from an MCP client.

    editor ──stdio──▶ bridge ──local socket──▶ host process: Host, McpServer, workers

`rendezvous` and `bridge` import next to nothing, since an editor waits for them.
"""
