"""Worker processes: everything that parses or runs untrusted code happens in one.

    host process                              fork server (sandbox preloaded, empty environment)
      Pool ── Launcher ──"spawn", a socket──▶   └─ fork ─▶ worker: one component, one set of grants
        └──────────── frames over that socket ───────────────▶  load, call, cancel / result, output

`protocol` has the frames, `forkserver` and `worker` run in the children, `launcher`, `process` and
`pool` in the host. `schedule` decides whose turn it is; `limits` holds a component's workers to its
share of the CPU and to its memory, by the kernel's figures (`meter`). `compiler` turns a
component's bytes into machine code in a worker of its own. `walls` has how the operating system
confines both.
"""
