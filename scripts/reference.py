"""The pages of the reference that the code itself tells; a hook of mkdocs.yml.

`pages()` has them as Markdown, by name. What the code has and nobody has explained stops
the build: `Unexplained`. So a command, a setting, a policy key, a tool or an error cannot be added and forgotten.
"""

# ruff: noqa: E501  (much of it is sentences of pages)
from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from dataclasses import MISSING, fields
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parents[1]
_NOTE = "*This page is made from the code of this version.*\n\n"


class Unexplained(Exception):
    """The code has something that no text explains."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """MkDocs calls this: adds the pages to those of `docs/`."""
    from mkdocs.structure.files import File

    for name, text in pages().items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def pages() -> dict[str, str]:
    makers: dict[str, Callable[[], str]] = {
        "commands": commands,
        "settings": settings,
        "policy": policy,
        "tools": tools,
        "http": http,
        "errors": errors,
    }
    return {name: maker() for name, maker in makers.items()}


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(_cell(one) for one in line) + " |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _explained(what: str, found: set[str], texts: Mapping[str, object]) -> None:
    if missing := found - set(texts):
        raise Unexplained(f"{what}: nothing explains {', '.join(sorted(missing))}")
    if gone := set(texts) - found:
        raise Unexplained(f"{what}: the code has no {', '.join(sorted(gone))}")


# -- commands -------------------------------------------------------------------------------------


def all_commands() -> Iterator[tuple[str, click.Command]]:
    """Every command that a person can type, with its words, groups left out."""
    from wassette.cli.app import root

    yield from _commands("wassette", root)


def _commands(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command, info_name=path)
    for name in command.list_commands(context):
        one = command.get_command(context, name)
        if one is not None and not one.hidden:
            yield from _commands(f"{path} {name}", one)


def commands() -> str:
    out = ["# Every command\n", _NOTE]
    out.append("With what they print, and words around them: [the command line](../cli.md).\n")
    for path, command in all_commands():
        if not command.help:
            raise Unexplained(f"commands: nothing explains `{path}`")
        context = click.Context(command, info_name=path)
        usage = " ".join([path, *command.collect_usage_pieces(context)])
        out.append(f"## {path.removeprefix('wassette ')}\n\n```text\n{usage}\n```\n")
        out.append(_prose(command.help))
        rows = []
        for one in command.params:
            if not isinstance(one, click.Option) or one.hidden:
                continue
            names = ", ".join(f"`{name}`" for name in [*one.opts, *one.secondary_opts])
            value = "" if one.is_flag or one.count else f" `{one.make_metavar(context)}`"
            if not one.help:
                raise Unexplained(f"commands: nothing explains {names} of `{path}`")
            rows.append((names + value, _plain(one.help)))
        if rows:
            out.append(_table(("option", ""), rows))
    return "\n".join(out)


def _prose(text: str) -> str:
    """A help text as Markdown: what is laid out (examples) stays so."""
    parts = []
    for part in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        if part.startswith("\b"):
            parts.append("```text\n" + part.removeprefix("\b").strip("\n") + "\n```")
        else:
            parts.append(_plain(" ".join(part.split())))
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """Text in which only `code` is Markdown."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        parts = [text.replace("`", "'")]
    outside = (re.sub(r"([\\*_<>\[\]])", r"\\\1", one) for one in parts[::2])
    inside = (f"`{one}`" for one in parts[1::2])
    return "".join(one for pair in zip_longest(outside, inside, fillvalue="") for one in pair)


# -- settings -------------------------------------------------------------------------------------

_SETTINGS = {
    "component_dir": "The directory that components are kept in.",
    "plugin_dir": "The same, by its older name.",
    "environment_vars": "Variables that components can be permitted to read, as a table.",
    "idle_timeout": "Seconds without clients after which the host process ends.",
    "activity_days": "For how many days the activity record is kept.",
    "activity_megabytes": "How large it may become; then the oldest of it goes.",
    "walls": "`best-effort`, or `require`: nothing runs unless every wall stands that this operating "
    "system can have.",
    "approvals": "`ask`, `deny` or `allow-agent`: what happens when more is wanted than is permitted.",
    "approval_timeout": "Seconds for which you are waited for; then it is denied.",
    "approval_wait": "Seconds for which whoever would hear nothing meanwhile is kept waiting.",
    "meta_tools": "Whether `find-tool` and `call-tool` are offered.",
    "secrets": "Where secrets are kept: `auto`, `keyring` or `file`.",
    "secrets_dir": "The directory of secrets that are kept in files.",
    "network": "How components' requests leave: see below.",
    "registries": "What is special about a registry, by `host:port`: see below.",
    "catalogs": "Addresses (`https://`) or files of catalogs besides our own.",
    "signatures": "Whose signatures count: see below.",
    "bind_address": "Where to listen for HTTP.",
    "allowed_hosts": "Names that HTTP requests may be addressed to, besides this machine's.",
    "token_file": "A file of tokens for HTTP, one a line.",
    "token": "The token for HTTP, or a list of them.",
}
_NETWORK = {
    "proxy": "For `http_proxy` and `https_proxy` alike.",
    "http_proxy": 'A proxy for `http://` requests; `""` for none.',
    "https_proxy": 'A proxy for `https://` requests; `""` for none.',
    "no_proxy": "Hosts that are connected to directly.",
    "ca_file": "Certificates (PEM) to trust besides the system's.",
    "dns_timeout": "Seconds for a name to be resolved.",
    "connect_timeout": "Seconds for a connection to be made.",
    "tls_timeout": "Seconds for TLS to be agreed on.",
    "first_byte_timeout": "Seconds without a byte moving, until the response begins.",
    "idle_timeout": "Seconds without a byte moving, once it has begun.",
    "total_timeout": "Seconds for one request in all.",
    "max_request_bytes": "The largest request.",
    "max_response_bytes": "The largest response.",
    "max_header_bytes": "The largest head of a response.",
    "max_requests_per_component": "Requests of one worker process at once.",
    "max_requests": "Requests at once in all.",
}
_REGISTRY = {
    "plain_http": "Without TLS.",
    "token_hosts": "Hosts of other domains that may be given our credentials, if it names them.",
}
_SIGNATURES = {
    "mode": "`require`, `warn` or `off`.",
    "identities": "Who signs without a key: each has an `identity` and its `issuer`.",
    "keys": "Public keys: each has a `key` (a file or its text), and may have a `name`.",
    "trusted_root": "The authorities behind identities, if not Sigstore's public ones.",
}


class _Asked(dict[str, Any]):
    """An empty table that remembers which keys it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.keys_asked: dict[str, object] = {}
        self.tables: dict[str, _Asked] = {}

    def get(self, key: str, default: Any = None) -> Any:
        self.keys_asked[key] = default
        if isinstance(default, dict):
            return self.tables.setdefault(key, _Asked())
        return default

    def __contains__(self, key: object) -> bool:
        self.keys_asked.setdefault(str(key), None)
        return False


def settings_asked_for() -> _Asked:
    """Every key that is looked for in config.toml, by the code that reads it."""
    from wassette import config
    from wassette.web import options

    asked = _Asked()
    found = (Path("config.toml"), asked)
    with patch.object(config, "read_config", lambda _environ: found):
        config.load(environ={})
    with patch.object(options, "read_config", lambda _environ: found):
        options.load(environ={})
    return asked


def settings() -> str:
    from wassette.egress_options import EgressOptions
    from wassette.registry_options import RegistryHost

    asked = settings_asked_for()
    _explained("settings", set(asked.keys_asked), _SETTINGS)
    network = {one.name: one.default for one in fields(EgressOptions)}
    _explained("settings of network", {"proxy", *network}, _NETWORK)
    _explained("settings of registries", {one.name for one in fields(RegistryHost)}, _REGISTRY)
    _explained("settings of signatures", set(asked.tables["signatures"].keys_asked), _SIGNATURES)
    top = [(f"`{key}`", _default(asked.keys_asked[key]), text) for key, text in _SETTINGS.items()]
    inner = [(f"`{key}`", _default(network.get(key)), text) for key, text in _NETWORK.items()]
    head = ("key", "default", "")
    return "\n".join(
        [
            "# Every setting\n",
            _NOTE,
            "What is in `config.toml`. Where that file is, which options and variables count before "
            "it, and an example: [settings](../cli.md#settings).\n",
            _table(head, top),
            "## `[network]`\n",
            "Sizes are bytes. [The network](../network.md) tells what each is for.\n",
            _table(head, inner),
            '## `[registries."HOST:PORT"]`\n',
            "[Registries](../registries.md) tells about them.\n",
            _table(("key", ""), [(f"`{key}`", text) for key, text in _REGISTRY.items()]),
            "## `[signatures]`\n",
            "[Signatures](../signatures.md) tells about them.\n",
            _table(("key", ""), [(f"`{key}`", text) for key, text in _SIGNATURES.items()]),
        ]
    )


def _default(value: object) -> str:
    if value is None or value is MISSING or value in ([], {}, ()):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"`{value}`"


# -- policy ---------------------------------------------------------------------------------------

_POLICY = {
    "version": ("", '`"1.0"`'),
    "description": ("", "for people"),
    "permissions": ("", "all that follows; may be empty: `{}`"),
    "storage": ("permissions", "rules about files"),
    "network": ("permissions", "rules about requests"),
    "environment": ("permissions", "rules about variables"),
    "resources": ("permissions", "limits"),
    "allow": ("permissions.storage, .network, .environment", "rules that allow, which add up"),
    "deny": ("permissions.storage, .network", "rules that refuse, whatever is allowed"),
    "uri": ("storage rule", "`fs://…`: a directory, a file, a pattern or a named root"),
    "access": ("storage rule", "`[read]`, `[write]` or both"),
    "host": ("network rule; inject", "a host, with a scheme, port or path, if you like"),
    "cidr": ("network rule", "a range of addresses, in place of `host`"),
    "methods": ("network rule", "only these methods"),
    "key": ("environment rule", "the name of the variable"),
    "value_from": ("environment rule", "the variable that has the value, if its name is another"),
    "inject": (
        "environment rule",
        "a placeholder for the component, the value only on the way out",
    ),
    "header": ("inject", "only these headers may carry it"),
    "query": ("inject", "this query parameter may carry it"),
    "limits": ("permissions.resources", "amounts"),
    "memory": ("limits", "`512Mi`, `1Gi`, …, for all its calls together"),
    "cpu": ("limits", "a share of one core, for all its calls together"),
    "timeout": ("limits", "on the clock, for one call"),
}
_READERS = {
    "_required_text",
    "_optional_text",
    "_mapping",
    "_rules",
    "_texts",
    "_one_or_more",
    "_amount",
}


def policy_keys() -> dict[str, bool]:
    """Every key that a policy is asked for, and whether it is required somewhere."""
    from wassette.policy import parse

    found = {"permissions": True}  # required, though it is looked for in another way
    for node in ast.walk(ast.parse(inspect.getsource(parse))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _READERS
            and len(node.args) > 1
            and isinstance(node.args[1], ast.Constant)
            and isinstance(node.args[1].value, str)
        ):
            key = node.args[1].value
            found[key] = found.get(key, False) or node.func.attr == "_required_text"
    found["access"] = True
    return found


def policy() -> str:
    keys = policy_keys()
    _explained("policy", set(keys), _POLICY)
    rows = [
        (f"`{key}`", place or "the file", "yes" if keys[key] else "", text)
        for key, (place, text) in _POLICY.items()
    ]
    return "\n".join(
        [
            "# Every policy key\n",
            _NOTE,
            "What each means, and how a decision comes about: [policy files](../policy.md).\n",
            _table(("key", "in", "required", ""), rows),
            "Other keys are ignored and kept, but for `inject`, where they are mistakes.\n",
        ]
    )


# -- tools ----------------------------------------------------------------------------------------


def all_tools() -> list[Any]:
    from wassette.mcp import builtin, meta

    return [*(one.tool for one in builtin._BUILTINS.values()), *meta.TOOLS]


def tools() -> str:
    out = ["# Every MCP tool\n", _NOTE]
    out.append(
        "Wassette's own; each function of a loaded component is one too. `find-tool` and `call-tool` "
        "are there with `--meta-tools`. Results, resources, prompts and transports: [what a client "
        "sees](../mcp.md).\n"
    )
    for tool in all_tools():
        if not tool.description:
            raise Unexplained(f"tools: nothing explains {tool.name}")
        hints = tool.annotations
        kind = "only looks" if hints and hints.read_only_hint else None
        kind = kind or ("takes away" if hints and hints.destructive_hint else None)
        out.append(f"## {tool.name}\n\n{_plain(tool.description)}\n")
        if kind:
            out.append(f"It {kind}.\n")
        rows = list(_arguments(tool.input_schema, ""))
        out.append(_table(("argument", "type", ""), rows) if rows else "It takes no arguments.\n")
    return "\n".join(out)


def _arguments(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, ...]]:
    for name, one in schema.get("properties", {}).items():
        text = _plain(one.get("description", ""))
        if name not in schema.get("required", ()):
            text = f"{text} (optional)".strip()
        kind = one.get("type", "")
        if kind == "array":
            inner = one.get("items", {})
            kind = "list of " + (" or ".join(inner.get("enum", ())) or inner.get("type", "values"))
        yield f"`{path}{name}`", str(kind), text
        yield from _arguments(one, f"{path}{name}.")


# -- HTTP -----------------------------------------------------------------------------------------

_SERVED = (
    ("`/mcp`", "MCP over Streamable HTTP: `POST`, `GET`, `DELETE`"),
    ("`/sse`, `/messages`", "MCP over HTTP with server-sent events, which the protocol deprecates"),
    ("`/health`", "200 as long as the process runs; no token"),
    ("`/ready`", "200 when it can serve, else 503; no token"),
    ("`/info`", "name, version, transports; no token"),
)


def api() -> dict[str, Any]:
    schema = json.loads((ROOT / "frontend/openapi.json").read_text())
    assert isinstance(schema, dict)
    return schema


def http() -> str:
    schema = api()
    out = [
        "# The HTTP API\n",
        _NOTE,
        "There are two servers, which have nothing in common but the machine that they listen on.\n",
        "## For MCP clients\n",
        "`wassette serve --http` ([options](../cli.md#wassette-serve), "
        "[what is checked](../security.md#serving-over-http)):\n",
        _table(("path", ""), list(_SERVED)),
        "## For the window\n",
        "The window's own, on a port of its own on this machine. It belongs to you: a browser is let "
        "in by a link that works once (`wassette ui`), which gives it a cookie; everything but `GET` "
        "also needs the header `X-Wassette-CSRF`. Tokens of MCP clients mean nothing to it. Lists "
        "come in pages, `{items, next}`. It is no interface for other programs, and may change with "
        "each version.\n",
    ]
    groups: dict[str, list[tuple[str, ...]]] = {}
    for path, methods in sorted(schema["paths"].items()):
        inside = path.startswith("/api/")
        group = path.removeprefix("/api/").split("/")[0] if inside else "outside of /api"
        for method, one in methods.items():
            text = str(one.get("description") or "")  # the summary is made of the function's name
            if not text:
                raise Unexplained(f"http: nothing explains {method.upper()} {path}")
            asks = ", ".join(
                f"`{each['name']}`" for each in one.get("parameters", ()) if each["in"] == "query"
            )
            body = one.get("requestBody", {}).get("content", {})
            sent = ", ".join(
                _reference(each.get("schema", {}), kind) for kind, each in body.items()
            )
            row = (f"`{method.upper()}` `{path}`", _plain(text), asks, sent)
            groups.setdefault(group, []).append(row)
    for group, rows in sorted(groups.items()):
        out += [f"### {group}\n", _table(("route", "", "query", "body"), rows)]
    out.append("### What is sent and answered\n")
    for name, one in sorted(schema["components"]["schemas"].items()):
        rows = [
            (f"`{field}`", _type(each), "yes" if field in one.get("required", ()) else "")
            for field, each in one.get("properties", {}).items()
        ]
        words = " or ".join(f"`{word}`" for word in one.get("enum", ()))
        out.append(f"#### {name}\n\n{_plain(str(one.get('description', '')))}\n")
        out.append(_table(("field", "type", "always"), rows) if rows else f"{words}\n")
    return "\n".join(out)


def _reference(schema: Mapping[str, Any], kind: str) -> str:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return f"[{name}](#{name.lower()})" if name else f"`{kind}`"


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return _reference(schema, "")
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "enum" in schema:
        return " or ".join(f"`{one}`" for one in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    return str(schema.get("type", "anything"))


# -- errors ---------------------------------------------------------------------------------------


def all_errors() -> Iterator[tuple[type, int]]:
    """Every class of errors, and how deep it is, as in the tree."""
    from wassette.errors import WassetteError

    def below(one: type, depth: int) -> Iterator[tuple[type, int]]:
        yield one, depth
        for each in one.__subclasses__():
            if each.__module__ == "wassette.errors" and each.__bases__[0] is one:
                yield from below(each, depth + 1)

    yield from below(WassetteError, 0)


def errors() -> str:
    from wassette.window import problems

    kinds = dict(problems._KINDS)
    rows = []
    for one, depth in all_errors():
        text = inspect.cleandoc(one.__doc__ or "")
        if not text:
            raise Unexplained(f"errors: nothing explains {one.__name__}")
        kind = kinds.get(one)
        answer = f"{kind.status} `{kind.name}`" if kind else ""
        first = text.split("\n\n")[0]
        rows.append(("&nbsp;&nbsp;" * depth + f"`{one.__name__}`", _plain(first), answer))
    statuses = [
        (str(status), f"`{kind.name}`", kind.title) for status, kind in problems._STATUS.items()
    ]
    return "\n".join(
        [
            "# Every error\n",
            _NOTE,
            "On the command line an error is `Error: …` on stderr, with its causes below it, and the "
            "exit code is 1 ([exit codes](../cli.md#exit-codes)). An MCP client gets the same text as "
            "an answer that is marked as an error. Each text names the thing, the place and the way "
            "out; [troubleshooting](../troubleshooting.md) has those that people meet most.\n",
            "An error counts as one of the kind above it, too. The last column is what the window's "
            "API answers: an object as RFC 9457 has it.\n",
            _table(("error", "means", "status, type"), rows),
            "## What the window's API refuses by itself\n",
            _table(("status", "type", ""), statuses),
            "## What a component is told\n",
            "A component's request that does not get out ends with a case of wasi:http's "
            "`error-code`; a file that is not permitted with `access`, for a program `EACCES`. Why, "
            "the answer of the call says, and the [record](../cli.md#wassette-activity).\n",
        ]
    )


if __name__ == "__main__":
    for _name, _text in pages().items():
        sys.stdout.write(f"<!-- {_name} -->\n{_text}\n")
