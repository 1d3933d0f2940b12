"""Components: what they are called, where they come from, and how they are kept on disk.

`ids` and `names` have the rules for component ids and tool names, `sources` turns a reference into
bytes, `record` is what is known of a loaded component (so that listing needs no wasmtime), and
`store` keeps all of it in Wassette's layout, changed atomically and under a lock.
"""
