"""The command line: thin commands over `Host`, each group imported when it is used.

`app` has the root command and turns exceptions into exit codes; `base` what all commands share;
`run` runs a command's work with a host; `output` prints results; the other modules are the
commands.
"""

from __future__ import annotations

from .app import main

__all__ = ["main"]
