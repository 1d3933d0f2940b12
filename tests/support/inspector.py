"""The MCP Inspector's command line (npm), as an independent MCP client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

NODE_BIN = Path(__file__).resolve().parents[2] / "node_modules" / ".bin"

KEPT = (
    *(f"XDG_{name}_HOME" for name in ("DATA", "CONFIG", "CACHE", "STATE")),
    "XDG_RUNTIME_DIR",
    "WASSETTE_IDLE_TIMEOUT",
)
"""What keeps a test's host in the test's home."""


class Inspector:
    """Runs `wassette serve --stdio` over a component directory, once for each request, or asks the
    server at a URL."""

    def __init__(
        self, component_dir: Path | None = None, *, url: str = "", transport: str = "http"
    ) -> None:
        if component_dir is not None:
            # It passes next to nothing of its environment on, as many clients do.
            kept = [f"{name}={os.environ[name]}" for name in KEPT if name in os.environ]
            self._server = ["env", *kept, sys.executable, "-m", "wassette", "serve", "--stdio"]
            self._server += ["--component-dir", str(component_dir)]
        else:
            self._server = [url, "--transport", transport]

    def tools(self) -> list[dict[str, Any]]:
        tools = self._run("tools/list")["tools"]
        assert isinstance(tools, list)
        return tools

    def call(self, name: str, **arguments: object) -> dict[str, Any]:
        """A tool's result; arguments that are not texts are passed as JSON."""
        options: list[str] = ["--tool-name", name]
        for key, value in arguments.items():
            text = value if isinstance(value, str) else json.dumps(value)
            options += ["--tool-arg", f"{key}={text}"]
        return self._run("tools/call", *options)

    def _run(self, method: str, *options: str) -> dict[str, Any]:
        command = [str(NODE_BIN / "mcp-inspector"), "--cli", *self._server]
        command += ["--method", method, *options]
        environment = {**os.environ, "PATH": f"{NODE_BIN}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=120, env=environment, check=False
        )
        assert done.returncode in (0, 5), done.stderr + done.stdout  # 5: isError
        answer = json.loads(done.stdout)
        assert isinstance(answer, dict)
        return answer
