"""policy explain, bind, unbind; and the documents' storage examples as they are written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from support.cli import Cli


def _explain(inside: Any, *words: str) -> tuple[bool, str]:
    done = inside("policy", "explain", "tools", *words, "-o", "json")
    assert done.code == 0, done.err
    return done.json["allowed"], done.json["reason"]


def test_the_documents_examples(loaded: Cli, inside: Any) -> None:
    here = loaded.home
    grants = [
        ("fs://workspace/", "read"),
        ("fs://workspace/**", "read,write"),
        ("fs://config/app.yaml", "read"),
        (f"fs://{here}/workspace", "read,write"),
    ]
    for uri, access in grants:
        done = inside("permission", "grant", "storage", "tools", uri, "--access", access)
        assert done.code == 0, done.err
    assert _explain(inside, "storage", "fs://workspace/a/b", "--access", "write")[0]
    assert _explain(inside, "storage", f"{here}/workspace/new/x", "--access", "write")[0]
    assert not _explain(inside, "storage", f"{here}/other")[0]
    assert not _explain(inside, "storage", "fs://config/other.yaml")[0]
    notes = inside("policy", "get", "tools").json["not_applied"]
    assert [note.split("'")[1] for note in notes] == ["fs://config/app.yaml"]
    folder = here / "conf"
    folder.mkdir()
    (folder / "app.yaml").write_text("a: 1")
    inside("policy", "bind", "tools", "config", folder)
    assert _explain(inside, "storage", "fs://config/app.yaml")[0]
    assert "not_applied" not in inside("policy", "get", "tools").json


def test_a_sentence_or_data(loaded: Cli, inside: Any) -> None:
    inside("permission", "grant", "network", "tools", "api.example.com")
    done = inside("policy", "explain", "tools", "network", "https://api.example.com/v1")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "allowed: GET https://api.example.com:443/v1 is allowed by "
        "network.allow[0] (api.example.com), if it leads to an address that is public, or allowed "
        "itself\n"
    )
    done = inside(
        "policy", "explain", "tools", "network", "http://x.com", "--method", "post", "-o", "json"
    )
    assert done.code == 0
    assert done.json == {
        "component_id": "tools",
        "kind": "network",
        "target": "http://x.com",
        "method": "POST",
        "allowed": False,
        "reason": "no rule allows POST http://x.com:80/",
        "rule": None,
    }
    assert inside("policy", "explain", "tools", "memory").out == (
        "allowed: memory: 512Mi, the default\n"
    )


def test_a_broken_policy_allows_nothing(loaded: Cli, inside: Any) -> None:
    (loaded.components / "tools.policy.yaml").write_text("version: 2")
    allowed, reason = _explain(inside, "storage", "/a")
    assert not allowed
    assert "cannot be read" in reason


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["x", "storage", "/a"], 1, "Component 'x' not found"),
        (["tools", "storage"], 2, "TARGET"),
        (["tools", "storage", "relative"], 1, "not an absolute path"),
        (["tools", "network", "https://a@b"], 1, "user name"),
        (["tools", "memory", "lots"], 1, "invalid memory value"),
        (["tools", "taste", "x"], 2, "Invalid value"),
    ],
)
def test_wrong_questions(loaded: Cli, inside: Any, words: list[str], code: int, text: str) -> None:
    done = inside("policy", "explain", *words)
    assert (done.code, done.out) == (code, "")
    assert text in done.err


def test_bind_and_unbind(loaded: Cli, inside: Any) -> None:
    (loaded.home / "ws").mkdir()
    done = inside("policy", "bind", "tools", "workspace", loaded.home / "ws")
    assert done.json == {
        "status": "root bound",
        "component_id": "tools",
        "name": "workspace",
        "directory": str((loaded.home / "ws").resolve()),
    }
    shown = inside("policy", "get", "tools")
    assert shown.json["roots"] == {"workspace": done.json["directory"]}
    assert shown.json["status"] == "no policy found"
    inside("permission", "grant", "storage", "tools", "fs://workspace/**", "--access", "read")
    assert inside("policy", "get", "tools").json["roots"] == {"workspace": done.json["directory"]}
    assert "root " in inside("policy", "get", "tools", "-o", "table").out
    assert inside("policy", "unbind", "tools", "workspace").json["status"] == "root unbound"
    done = inside("policy", "unbind", "tools", "workspace")
    assert (done.code, done.err) == (1, "Error: Component 'tools' has no bound root workspace.\n")


def test_bindings_go_with_the_component_and_its_permissions(loaded: Cli, inside: Any) -> None:
    file = loaded.components / "tools.roots.json"
    inside("policy", "bind", "tools", "work", loaded.home)
    assert list(json.loads(file.read_text())) == ["work"]
    inside("permission", "reset", "tools")
    assert not file.exists()
    inside("policy", "bind", "tools", "work", loaded.home)
    inside("component", "unload", "tools")
    assert not file.exists()


def test_what_cannot_be_bound(loaded: Cli, inside: Any) -> None:
    for name, directory, text in (
        ("work", "/nowhere", "does not exist"),
        ("work", loaded.components, "Wassette's own files"),
        ("work", "/proc", "kernel"),
        ("../x", loaded.home, "cannot be the name of a root"),
    ):
        done = inside("policy", "bind", "tools", name, directory)
        assert done.code == 1
        assert text in done.err
    assert inside("policy", "bind", "x", "work", loaded.home).code == 1
