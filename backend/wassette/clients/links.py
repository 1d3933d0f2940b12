"""Links that install Wassette in a client with one click, and badges for web pages with them.

A link on a web page cannot know where Wassette is installed, so it runs `wassette` from the PATH.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from .catalog import NAME
from .launcher import SHARED

if TYPE_CHECKING:
    from .launcher import Launcher

_VSCODE = {"vscode": "vscode", "vscode-insiders": "vscode-insiders"}
_WEB = {"vscode": "vscode.dev", "vscode-insiders": "insiders.vscode.dev"}
_BADGES = {
    "vscode": ("Install in VS Code", "VS_Code-Install-0098FF"),
    "vscode-insiders": ("Install in VS Code Insiders", "VS_Code_Insiders-Install-24bfa5"),
    "cursor": ("Add to Cursor", "Cursor-Install-000000"),
    "lm-studio": ("Add to LM Studio", "LM_Studio-Install-4b3bbd"),
}


def deep_link(kind: str, own: Launcher = SHARED) -> str:
    """Opens the client itself. `kind`: what `Client.link` says."""
    if kind in _VSCODE:
        entry = {"name": NAME, **_entry(own)}
        return f"{_VSCODE[kind]}:mcp/install?{quote(_compact(entry), safe='')}"
    config = quote(base64.b64encode(_compact(_entry(own)).encode()).decode(), safe="")
    if kind == "cursor":
        return f"cursor://anysphere.cursor-deeplink/mcp/install?name={NAME}&config={config}"
    assert kind == "lm-studio"
    return f"lmstudio://add_mcp?name={NAME}&config={config}"


def web_link(kind: str, own: Launcher = SHARED) -> str:
    """The same as an https address, for pages that allow nothing else (as GitHub's)."""
    link = deep_link(kind, own)
    if kind in _WEB:
        return f"https://{_WEB[kind]}/redirect?url={quote(link, safe='')}"
    query = link.partition("?")[2]
    host = "cursor.com/en/install-mcp" if kind == "cursor" else "lmstudio.ai/install-mcp"
    return f"https://{host}?{query}"


def badges() -> str:
    """Markdown, a line for each."""
    return "\n".join(
        f"[![{text}](https://img.shields.io/badge/{image}?style=flat-square)]({web_link(kind)})"
        for kind, (text, image) in _BADGES.items()
    )


def _entry(own: Launcher) -> dict[str, object]:
    return {"command": own.command, "args": list(own.serve())}


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
