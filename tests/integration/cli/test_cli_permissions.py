"""policy get; permission grant, revoke, reset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from support.cli import Cli

POLICY = """\
# Who may do what. Ask Kim before you change this.
version: "1.0"
description: mine  # with a comment
x-team: tools
permissions:
  storage:
    allow:
      # the notes
      - uri: "fs:///srv/notes"
        access: [read]  # never write
    deny:
      - uri: fs:///srv/notes/private
        access: [read, write]
  network:
    deny:
      - host: evil.example
"""


def test_round_trip(loaded: Cli) -> None:
    folder = loaded.home / "shared"
    folder.mkdir()
    uri = f"fs://{folder}"
    assert loaded.ok("policy", "get", "tools") == {
        "status": "no policy found",
        "component_id": "tools",
    }
    assert loaded.ok("permission", "grant", "storage", "tools", uri, "--access", "read,write") == {
        "status": "permission granted successfully",
        "component_id": "tools",
        "permission_type": "storage",
        "details": {"uri": uri, "access": ["read", "write"]},
    }
    policy = loaded.ok("policy", "get", "tools")
    path = loaded.components / "tools.policy.yaml"
    assert policy["status"] == "policy found"
    assert policy["permissions"] == {"storage": [{"uri": uri, "access": ["read", "write"]}]}
    info = policy["policy_info"]
    assert isinstance(info.pop("created_at"), int)
    assert info == {
        "policy_id": "tools-policy",
        "source_uri": path.as_uri(),
        "local_path": str(path),
    }
    assert loaded.ok("permission", "revoke", "storage", "tools", uri) == {
        "status": "permission revoked successfully",
        "component_id": "tools",
        "uri": uri,
        "message": "All access (read and write) to the specified URI has been revoked",
    }
    assert loaded.ok("permission", "reset", "tools") == {
        "status": "permissions reset successfully",
        "component_id": "tools",
    }
    assert not path.exists()


GRANTS: list[tuple[list[str], str, dict[str, Any], dict[str, Any]]] = [
    (
        ["network", "api.example.com"],
        "network",
        {"host": "api.example.com"},
        {"network": [{"host": "api.example.com"}]},
    ),
    (
        ["network", "localhost:8080"],
        "network",
        {"host": "localhost:8080"},
        {"network": [{"host": "localhost:8080"}]},
    ),
    (
        ["environment-variable", "API_KEY"],
        "environment variable",
        {"key": "API_KEY"},
        {"environment": [{"key": "API_KEY"}]},
    ),
    (
        ["memory", "512Mi"],
        "memory",
        {"resources": {"limits": {"memory": "512Mi"}}},
        {"resources": {"limits": {"memory": "512Mi"}}},
    ),
    (
        ["storage", "fs://workspace/", "--access", "read"],
        "storage",
        {"uri": "fs://workspace/", "access": ["read"]},
        {"storage": [{"uri": "fs://workspace/", "access": ["read"]}]},
    ),
    (
        ["storage", "fs://w/**", "--access", "read", "--access", "write"],
        "storage",
        {"uri": "fs://w/**", "access": ["read", "write"]},
        {"storage": [{"uri": "fs://w/**", "access": ["read", "write"]}]},
    ),
]


@pytest.mark.parametrize(("words", "kind", "details", "permissions"), GRANTS)
def test_grants(
    loaded: Cli,
    inside: Any,
    words: list[str],
    kind: str,
    details: dict[str, Any],
    permissions: dict[str, Any],
) -> None:
    done = inside("permission", "grant", words[0], "tools", *words[1:])
    assert done.code == 0
    assert done.json == {
        "status": "permission granted successfully",
        "component_id": "tools",
        "permission_type": kind,
        "details": details,
    }
    assert inside("policy", "get", "tools").json["permissions"] == permissions
    assert done.err == ""


def test_revoke_what_was_granted(loaded: Cli, inside: Any) -> None:
    inside("permission", "grant", "network", "tools", "a.com")
    inside("permission", "grant", "environment-variable", "tools", "KEY")
    assert inside("permission", "revoke", "network", "tools", "a.com").json == {
        "status": "permission revoked",
        "component_id": "tools",
        "permission_type": "network",
        "details": {"host": "a.com"},
    }
    assert inside("permission", "revoke", "environment-variable", "tools", "KEY").json == {
        "status": "permission revoked",
        "component_id": "tools",
        "permission_type": "environment variable",
        "details": {"key": "KEY"},
    }
    assert inside("policy", "get", "tools").json["permissions"] == {
        "network": [],
        "environment": [],
    }


@pytest.mark.parametrize(
    ("kind", "what"),
    [("storage", "fs:///srv"), ("network", "a.com"), ("environment-variable", "KEY")],
)
def test_revoke_of_what_is_not_there(loaded: Cli, inside: Any, kind: str, what: str) -> None:
    word = kind.removesuffix("-variable")
    done = inside("permission", "revoke", kind, "tools", what)
    assert (done.code, done.out) == (1, "")
    start = f"Error: Component 'tools' has no {word} permission for {what}."
    assert done.err == f"{start} It has none.\n"
    other = {"storage": "fs://other", "network": "b.com", "environment-variable": "OTHER"}[kind]
    access = ("--access", "read") if kind == "storage" else ()
    inside("permission", "grant", kind, "tools", other, *access)
    done = inside("permission", "revoke", kind, "tools", what)
    assert done.err == f"{start} It has: {other}.\n"


REFUSED = [
    (
        ["storage", "/restricted", "--access", "write"],
        "Permission denied: cannot grant write access to /restricted\nCaused by:\n"
        "  0: storage uri '/restricted' is not a file path: it must start with fs://\n",
    ),
    (
        ["storage", "fs:///proc/1", "--access", "read,write"],
        "Permission denied: cannot grant read,write access to fs:///proc/1\nCaused by:\n  0: ",
    ),
    (
        ["storage", "fs:///srv/*.*.md", "--access", "read"],
        "Permission denied: cannot grant read access to fs:///srv/*.*.md\nCaused by:\n  0: ",
    ),
    (
        ["storage", "fs:///srv", "--access", "exec"],
        "Permission denied: cannot grant exec access to fs:///srv\nCaused by:\n"
        "  0: Invalid access type: 'exec'; there are read and write\n",
    ),
    (
        ["storage", "fs:///srv", "--access", ""],
        "Permission denied: cannot grant no access to fs:///srv\nCaused by:\n"
        "  0: Storage access cannot be empty\n",
    ),
    (
        ["network", "*.a.*"],
        "Failed to grant network permission to component tools\nCaused by:\n"
        "  0: network host '*.a.*': a wildcard must be at the start",
    ),
    (
        ["network", ""],
        "Failed to grant network permission to component tools\nCaused by:\n"
        "  0: a network host cannot be empty\n",
    ),
    (
        ["environment-variable", "A=B"],
        "Failed to grant environment variable permission to component tools\nCaused by:\n  0: ",
    ),
    (["memory", "512M"], "Failed to grant memory permission to component tools\nCaused by:\n  0: "),
    (["memory", "0"], "Failed to grant memory permission to component tools\nCaused by:\n  0: "),
]


@pytest.mark.parametrize(("words", "text"), REFUSED, ids=[" ".join(w) for w, _ in REFUSED])
def test_refused_grants_change_nothing(
    loaded: Cli, inside: Any, words: list[str], text: str
) -> None:
    done = inside("permission", "grant", words[0], "tools", *words[1:])
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"Error: {text}")
    assert inside("policy", "get", "tools").json["status"] == "no policy found"


def test_own_files_cannot_be_granted(loaded: Cli, inside: Any) -> None:
    uri = f"fs://{loaded.components}"
    done = inside("permission", "grant", "storage", "tools", uri, "--access", "read,write")
    assert done.code == 1
    assert f"Permission denied: cannot grant read,write access to {uri}" in done.err
    assert "Wassette's own files" in done.err


def test_access_is_required(inside: Any) -> None:
    done = inside("permission", "grant", "storage", "tools", "fs:///srv")
    assert done.code == 2
    assert "Missing option '--access'" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ["grant", "storage", "x", "fs:///srv", "--access", "read"],
        ["grant", "network", "x", "a.com"],
        ["grant", "environment-variable", "x", "KEY"],
        ["grant", "memory", "x", "1Gi"],
        ["revoke", "storage", "x", "fs:///srv"],
        ["revoke", "network", "x", "a.com"],
        ["revoke", "environment-variable", "x", "KEY"],
        ["reset", "x"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_unknown_component(inside: Any, words: list[str]) -> None:
    done = inside("permission", *words)
    assert (done.code, done.out, done.err) == (1, "", "Error: Component 'x' not found\n")


def test_comments_are_kept(loaded: Cli, inside: Any) -> None:
    path = loaded.components / "tools.policy.yaml"
    path.write_text(POLICY)
    inside("permission", "grant", "network", "tools", "a.com")
    inside("permission", "grant", "environment-variable", "tools", "KEY")
    inside("permission", "grant", "memory", "tools", "1Gi")
    changed = path.read_text()
    for line in POLICY.splitlines():
        assert line in changed
    inside("permission", "revoke", "network", "tools", "a.com")
    inside("permission", "revoke", "environment-variable", "tools", "KEY")
    for line in POLICY.splitlines():
        assert line in path.read_text()


def test_deny_rules_and_notes_are_shown(loaded: Cli, inside: Any) -> None:
    (loaded.components / "tools.policy.yaml").write_text(POLICY)
    shown = inside("policy", "get", "tools").json
    assert shown["permissions"] == {
        "storage": [{"uri": "fs:///srv/notes", "access": ["read"]}],
        "network": [],
        "deny": {
            "storage": [{"uri": "fs:///srv/notes/private", "access": ["read", "write"]}],
            "network": [{"host": "evil.example"}],
        },
    }
    assert any("fs:///srv/notes" in note for note in shown["not_applied"])


def test_formats(loaded: Cli, inside: Any) -> None:
    inside("permission", "grant", "storage", "tools", "fs://w", "--access", "read,write")
    inside("permission", "grant", "network", "tools", "a.com")
    inside("permission", "grant", "memory", "tools", "1Gi")
    as_yaml = inside("policy", "get", "tools", "--output-format", "yaml").out
    assert YAML(typ="safe").load(as_yaml) == inside("policy", "get", "tools").json
    assert (
        "permissions:\n  storage:\n  - uri: fs://w\n    access:\n    - read\n    - write\n"
        in as_yaml
    )
    assert inside("policy", "get", "tools", "-o", "table").out == (
        "Kind      | What   | Access\n"
        "----------|--------|------------\n"
        "storage   | fs://w | read, write\n"
        "network   | a.com  |\n"
        "resources | memory | 1Gi\n"
    )
    table = inside("permission", "reset", "tools", "-o", "table").out
    assert table.splitlines()[2] == "status       | permissions reset successfully"
    table = inside("policy", "get", "tools", "-o", "table").out
    assert table == "Kind | What | Access\n-----|------|-------\n"


def test_broken_policy(loaded: Cli, inside: Any) -> None:
    path = loaded.components / "tools.policy.yaml"
    path.write_text('version: "1.0"\npermissions:\n  storage: [oops\n')
    done = inside("policy", "get", "tools")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"Error: {path}:")
    assert "'tools' runs without any permissions" in done.err
    assert "wassette permission reset tools" in done.err
    done = inside("permission", "grant", "network", "tools", "a.com")
    assert done.code == 1
    assert f"{path}:" in done.err
    assert path.read_text().endswith("[oops\n")
    assert inside("permission", "reset", "tools").code == 0
    assert inside("policy", "get", "tools").json["status"] == "no policy found"
