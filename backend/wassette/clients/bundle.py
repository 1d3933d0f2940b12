"""A `.mcpb` bundle: Claude Desktop installs it with a double click.

It holds no Wassette but a starter of a few lines, which runs the one that is installed. Claude
Desktop brings the Node.js that it needs. The manifest is of version 0.3 of
https://github.com/modelcontextprotocol/mcpb/blob/main/MANIFEST.md.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from wassette._version import __version__

from .launcher import SERVE, Launcher

_STARTER = """\
// Runs the Wassette that is installed, and hands it the streams.
const { spawn } = require("node:child_process");
const { existsSync } = require("node:fs");
const { homedir } = require("node:os");
const { delimiter, join } = require("node:path");

const known = %(known)s;
const windows = process.platform === "win32";
const file = windows ? "wassette.exe" : "wassette";
// Apps that were opened from a desktop have another PATH than a shell.
const folders = [
  ...(process.env.PATH || "").split(delimiter).filter(Boolean),
  join(homedir(), ".local", "bin"),
  join(homedir(), ".nix-profile", "bin"),
  "/opt/homebrew/bin",
  "/usr/local/bin",
  "/run/current-system/sw/bin",
  ...(windows ? [join(process.env.LOCALAPPDATA || "", "Microsoft", "WinGet", "Links")] : []),
];
const found = [...known, ...folders.map((folder) => [join(folder, file)])];
const [command, ...before] = found.find(([path]) => existsSync(path)) || [];
if (!command) {
  console.error("Wassette is not installed, or not where it was looked for: " + folders.join(", "));
  process.exit(1);
}
const child = spawn(command, [...before, ...%(serve)s], { stdio: "inherit", windowsHide: true });
child.on("error", (error) => {
  console.error(`${command}: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => process.exit(signal ? 1 : code));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
"""


def manifest() -> dict[str, Any]:
    return {
        "manifest_version": "0.3",
        "name": "wassette",
        "display_name": "Wassette",
        "version": __version__,
        "description": "Runs untrusted tools as WebAssembly components, with permissions that you "
        "can see, approve and take back.",
        "author": {"name": "The Wassette Desktop authors"},
        "license": "MIT",
        "server": {
            "type": "node",
            "entry_point": "server/index.js",
            "mcp_config": {"command": "node", "args": ["${__dirname}/server/index.js"]},
        },
        "tools_generated": True,
        "compatibility": {"platforms": ["darwin", "win32", "linux"]},
    }


def bundle(own: Launcher | None = None) -> bytes:
    """The bundle's bytes, always the same for the same version. `own`: a Wassette that it tries
    first; without one it fits every machine."""
    known = [] if own is None else [[own.command, *own.arguments]]
    starter = _STARTER % {"known": json.dumps(known), "serve": json.dumps(list(SERVE))}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (
            ("manifest.json", json.dumps(manifest(), indent=2) + "\n"),
            ("server/index.js", starter),
        ):
            entry = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text)
    return out.getvalue()
