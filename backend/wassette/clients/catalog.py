"""The clients that Wassette can be registered with.

Clients are data: one more is an entry here, a golden file in tests/unit/clients/golden and a line
in docs/clients.md. What each field means is said at `Client` and `Place`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wassette.errors import ClientError, visible

from .formats import Named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .formats import Key

NAME = "wassette"
"""What the entry is called, in every client."""

# In entries: what is put in their place.
COMMAND = "$command"  # the program
ARGS = "$args"  # its arguments, a list
ARGV = "$argv"  # both in one list


@dataclass(frozen=True)
class Place:
    """Where a client keeps its servers, and how."""

    files: tuple[str, ...]
    """Paths as `Machine.path` reads them. One with a variable that is set counts; else the first
    that exists; else the first. Of a project: relative to it."""
    format: str
    """What the client itself can read: `jsonc` has comments and trailing commas."""
    keys: tuple[Key, ...]
    """The way to the entry."""
    entry: Mapping[str, Any]
    new_file: str = ""
    """What a file begins with that is not there yet, if the client asks for more than the entry."""


@dataclass(frozen=True)
class Cli:
    """How the client's own command tells about an entry."""

    command: str
    arguments: tuple[str, ...]
    listed: str
    """A regular expression that its output has if it knows the entry."""
    healthy: str | None = None
    failed: str | None = None
    """That it has if it started the server, and if that failed; None if it starts none."""


@dataclass(frozen=True)
class Client:
    id: str
    name: str
    user: Place
    found_by: tuple[str, ...]
    """Paths (as `Machine.path` reads them) of which one exists where the client is installed."""
    source: str
    """Where this is documented; "seen" if the client itself wrote such a file, in our tests."""
    project: Place | None = None
    commands: tuple[str, ...] = ()
    """Programs of which one is there where the client is installed."""
    cli: Cli | None = None
    link: str | None = None
    """Which link of `links` installs it with one click."""
    restart: str | None = None
    """What a person has to do until it sees the change; None if it looks by itself."""
    announces: tuple[str, ...] = ()
    """What it calls itself to a server, in lower case; also with a `-` and more behind it. Anybody
    can say that: it is good for showing a person, and for nothing else."""
    rewrites: tuple[str, ...] = ()
    """Names of its processes, with the system as in paths, if it writes its settings over what
    others wrote while it runs. (On Linux and macOS, `claude` is Claude Code.)"""


_PLAIN = {"command": COMMAND, "args": ARGS}
_TYPED = {"type": "stdio", "command": COMMAND, "args": ARGS}
_SERVERS = ("mcpServers", NAME)


def _servers(*files: str, format: str = "jsonc", entry: Mapping[str, Any] = _PLAIN) -> Place:  # noqa: A002
    """The way that most clients took from the first."""
    return Place(files, format, _SERVERS, entry)


def _vscode(
    id: str,  # noqa: A002
    name: str,
    folder: str,
    command: str,
    link: str | None = None,
    announces: str = "",
) -> Client:
    return Client(
        id=id,
        name=name,
        user=Place((f"{{app}}/{folder}/User/mcp.json",), "jsonc", ("servers", NAME), _TYPED),
        project=Place((".vscode/mcp.json",), "jsonc", ("servers", NAME), _TYPED),
        found_by=(f"{{app}}/{folder}",),
        commands=(command,),
        link=link,
        announces=(announces or name.lower(),),
        source="https://code.visualstudio.com/docs/copilot/reference/mcp-configuration",
    )


CLIENTS: tuple[Client, ...] = (
    _vscode("vscode", "VS Code", "Code", "code", "vscode", "visual studio code"),
    _vscode(
        "vscode-insiders",
        "VS Code Insiders",
        "Code - Insiders",
        "code-insiders",
        "vscode-insiders",
        "visual studio code - insiders",
    ),
    _vscode("vscodium", "VSCodium", "VSCodium", "codium"),
    Client(
        id="cursor",
        name="Cursor",
        user=_servers("~/.cursor/mcp.json"),
        project=_servers(".cursor/mcp.json"),
        found_by=("~/.cursor", "{app}/Cursor", "macos=/Applications/Cursor.app"),
        commands=("cursor", "cursor-agent"),
        link="cursor",
        announces=("cursor", "cursor-vscode"),
        source="https://cursor.com/docs/context/mcp",
    ),
    Client(
        id="claude-code",
        name="Claude Code",
        user=_servers(
            "$CLAUDE_CONFIG_DIR/.claude.json", "~/.claude.json", format="json", entry=_TYPED
        ),
        project=_servers(".mcp.json", format="json", entry=_TYPED),
        found_by=("$CLAUDE_CONFIG_DIR/", "~/.claude.json", "~/.claude"),
        commands=("claude",),
        cli=Cli(
            "claude",
            ("mcp", "get", NAME),
            listed=r"^wassette:",
            healthy=r"Connected",
            failed=r"Failed to connect",
        ),
        restart="Start a new session of Claude Code",
        announces=("claude-code",),
        source="seen",
    ),
    Client(
        id="claude-desktop",
        name="Claude Desktop",
        user=_servers("{app}/Claude/claude_desktop_config.json", format="json"),
        found_by=("{app}/Claude", "macos=/Applications/Claude.app"),
        restart="Quit Claude Desktop and open it again",
        rewrites=("macos=Claude", "windows=claude", "linux=claude-desktop"),
        announces=("claude-ai",),
        source="https://modelcontextprotocol.io/docs/develop/connect-local-servers",
    ),
    Client(
        id="gemini-cli",
        name="Gemini CLI",
        user=_servers("~/.gemini/settings.json", format="json-with-comments"),
        project=_servers(".gemini/settings.json", format="json-with-comments"),
        found_by=("~/.gemini",),
        commands=("gemini",),
        cli=Cli(
            "gemini",
            ("mcp", "list"),
            listed=r"\bwassette: ",
            healthy=r"\bwassette: .* - Connected",
            failed=r"\bwassette: .* - Disconnected",
        ),
        restart="Start a new session of Gemini CLI",
        announces=("gemini-cli",),
        source="seen",
    ),
    Client(
        id="codex",
        name="Codex",
        user=Place(
            ("$CODEX_HOME/config.toml", "~/.codex/config.toml"),
            "toml",
            ("mcp_servers", NAME),
            _PLAIN,
        ),
        project=Place((".codex/config.toml",), "toml", ("mcp_servers", NAME), _PLAIN),
        found_by=("$CODEX_HOME/", "~/.codex"),
        commands=("codex",),
        cli=Cli("codex", ("mcp", "get", NAME, "--json"), listed=r'"name": "wassette"'),
        restart="Start a new session of Codex",
        announces=("codex", "codex-mcp-client"),
        source="seen",
    ),
    Client(
        id="copilot-cli",
        name="GitHub Copilot CLI",
        user=_servers(
            "$COPILOT_HOME/mcp-config.json",
            "~/.copilot/mcp-config.json",
            format="json",
            entry={"type": "local", "command": COMMAND, "args": ARGS, "tools": ["*"]},
        ),
        found_by=("$COPILOT_HOME/", "~/.copilot"),
        commands=("copilot",),
        cli=Cli("copilot", ("mcp", "get", NAME), listed=r"^wassette$"),
        restart="Start a new session of Copilot CLI",
        announces=("github-copilot", "copilot-cli"),
        source="seen",
    ),
    Client(
        id="opencode",
        name="opencode",
        user=Place(
            (
                "{xdg}/opencode/opencode.jsonc",
                "{xdg}/opencode/opencode.json",
                "{xdg}/opencode/config.json",
            ),
            "jsonc",
            ("mcp", NAME),
            {"type": "local", "command": ARGV},
        ),
        project=Place(
            ("opencode.jsonc", "opencode.json"),
            "jsonc",
            ("mcp", NAME),
            {"type": "local", "command": ARGV},
        ),
        found_by=("{xdg}/opencode", "~/.opencode"),
        commands=("opencode",),
        cli=Cli(
            "opencode",
            ("mcp", "list"),
            listed=r"\bwassette\b",
            healthy=r"\bwassette\b.*connected",
            failed=r"\bwassette\b.*failed",
        ),
        restart="Start a new session of opencode",
        announces=("opencode",),
        source="seen",
    ),
    Client(
        id="devin",
        name="Devin Desktop",
        user=_servers("windows={app}/devin/mcp_config.json", "unix={xdg}/devin/mcp_config.json"),
        project=_servers(".devin/mcp_config.json"),
        found_by=("windows={app}/devin", "unix={xdg}/devin"),
        restart="Refresh the servers in Devin Desktop's settings",
        announces=("devin",),
        source="https://docs.devin.ai/desktop/cascade/mcp",
    ),
    Client(
        id="windsurf",
        name="Windsurf",
        user=_servers("~/.codeium/windsurf/mcp_config.json"),
        found_by=("~/.codeium/windsurf",),
        commands=("windsurf",),
        restart="Refresh the servers in Windsurf's settings",
        announces=("windsurf", "windsurf-client"),
        source="https://docs.windsurf.com/windsurf/cascade/mcp",
    ),
    Client(
        id="zed",
        name="Zed",
        user=Place(
            (
                "windows={app}/Zed/settings.json",
                "macos=~/.config/zed/settings.json",
                "linux={xdg}/zed/settings.json",
            ),
            "jsonc",
            ("context_servers", NAME),
            _PLAIN,
        ),
        project=Place((".zed/settings.json",), "jsonc", ("context_servers", NAME), _PLAIN),
        found_by=("windows={app}/Zed", "macos=~/.config/zed", "linux={xdg}/zed"),
        commands=("zed", "zeditor"),
        announces=("zed",),
        source="https://zed.dev/docs/ai/mcp",
    ),
    Client(
        id="junie",
        name="JetBrains Junie",
        user=_servers("~/.junie/mcp/mcp.json"),
        project=_servers(".junie/mcp/mcp.json"),
        found_by=("~/.junie",),
        commands=("junie",),
        announces=("junie",),
        source="https://www.jetbrains.com/help/junie/model-context-protocol-mcp.html",
    ),
    Client(
        id="cline",
        name="Cline",
        user=_servers(
            "$CLINE_DATA_DIR/settings/cline_mcp_settings.json",
            "~/.cline/data/settings/cline_mcp_settings.json",
            "{app}/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
            format="json",
            entry={**_PLAIN, "disabled": False},
        ),
        found_by=(
            "$CLINE_DATA_DIR/",
            "~/.cline",
            "{app}/Code/User/globalStorage/saoudrizwan.claude-dev",
        ),
        commands=("cline",),
        announces=("cline",),
        source="https://docs.cline.bot/mcp/configuring-mcp-servers",
    ),
    Client(
        id="continue",
        name="Continue",
        user=Place(
            ("~/.continue/config.yaml",),
            "yaml",
            ("mcpServers", Named("name", NAME)),
            {"name": NAME, "type": "stdio", **_PLAIN},
            new_file="name: My configuration\nversion: 1.0.0\nschema: v1\n",
        ),
        found_by=("~/.continue",),
        announces=("continue", "continue-client"),
        source="https://docs.continue.dev/customize/deep-dives/mcp",
    ),
    Client(
        id="goose",
        name="Goose",
        user=Place(
            (
                "windows={app}/Block/goose/config/config.yaml",
                "unix={xdg}/goose/config.yaml",
            ),
            "yaml",
            ("extensions", NAME),
            {
                "name": NAME,
                "description": "Sandboxed tools, with permissions that you give",
                "type": "stdio",
                "enabled": True,
                "cmd": COMMAND,
                "args": ARGS,
                "envs": {},
                "timeout": 300,
            },
        ),
        found_by=("windows={app}/Block/goose", "unix={xdg}/goose"),
        commands=("goose",),
        restart="Start a new session of Goose",
        announces=("goose",),
        source="https://block.github.io/goose/docs/getting-started/using-extensions",
    ),
    Client(
        id="lm-studio",
        name="LM Studio",
        user=_servers("~/.lmstudio/mcp.json", "~/.cache/lm-studio/mcp.json", format="json"),
        found_by=("~/.lmstudio", "~/.cache/lm-studio"),
        link="lm-studio",
        announces=("lmstudio", "lm-studio"),
        source="https://lmstudio.ai/docs/app/mcp",
    ),
    Client(
        id="kiro",
        name="Kiro",
        user=_servers("~/.kiro/settings/mcp.json"),
        project=_servers(".kiro/settings/mcp.json"),
        found_by=("~/.kiro",),
        commands=("kiro", "kiro-cli"),
        announces=("kiro",),
        source="https://kiro.dev/docs/mcp/configuration",
    ),
)

_BY_ID = {client.id: client for client in CLIENTS}


def announced(name: str) -> Client | None:
    """The client that calls itself this, if it is known: the one with the longest such name."""
    said = name.lower().strip()
    found = [
        (len(one), client)
        for client in CLIENTS
        for one in client.announces
        if said == one or said.startswith((f"{one}-", f"{one} -"))
    ]
    return max(found, key=lambda each: each[0])[1] if found else None


def client(client_id: str) -> Client:
    """Raises `ClientError` for a name that is none."""
    known = _BY_ID.get(client_id)
    if known is None:
        raise ClientError(
            f"There is no client '{visible(client_id, 80)}'. Those that are known: "
            f"{', '.join(_BY_ID)}"
        )
    return known
