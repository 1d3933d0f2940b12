"""Runs untrusted MCP tools as WebAssembly components in a sandbox."""
